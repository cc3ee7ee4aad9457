"""Verification finds what differs between the journal and the states, and what was done to either."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from adapters.store.connect import FILE
from adapters.store.errors import StoreUnreadable
from adapters.store.store import Store
from adapters.store.verify import MAX_PROBLEMS, verify
from engine.events import Event, FillBooked, OrderFilled, OrderStarted
from engine.ledger import Balance, Position
from tests.adapters.store.lives import done, filled, order, started, ticket
from tests.adapters.store.test_store import altered


def fold(address: str, parts: Mapping[str, Any], event: Event) -> Mapping[str, Any]:
    """Gives the states that `lives` puts beside its events."""
    if isinstance(event, OrderStarted):
        return {"": order(event.ticket)}
    if isinstance(event, OrderFilled):
        return {"": filled(parts[""].ticket)}
    if isinstance(event, FillBooked):
        name = f"position/XNAS:{event.fill.symbol}"
        states = done(1, ticket(1, event.subscriber_id, event.fill.symbol)).states
        return {**parts, name: states[address, name], "cash/USD": states[address, "cash/USD"]}
    return parts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with two orders that are done and one that is open."""

    async def make() -> None:
        async with Store(tmp_path) as store:
            await store.commit([started(1, ticket(1)), started(2, ticket(2, "bob", "MSFT"))])
            await store.commit([done(3, ticket(1)), started(4, ticket(3)), done(5, ticket(2, "bob", "MSFT"))])

    anyio.run(make)
    return tmp_path


def test_a_sound_store_is_found_sound_and_counted(folder: Path) -> None:
    found = verify(folder, fold)
    assert found.problems == ()
    assert (found.sound, found.entries, found.events, found.states) == (True, 5, 7, 7)
    assert len(found.head) == 64


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE journal SET at = '2030-01-01T00:00:00+00:00' WHERE seq = 2", "journal entry 2: its hash"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 3", "journal entry 3: its hash"),
        ("DELETE FROM journal WHERE seq = 4", "journal entry 5: its hash"),
        ("UPDATE actors SET state = replace(state, '998499.55', '998499.56')", "subscriber/alice cash/USD: stored as"),
        ("UPDATE actors SET state = '[]' WHERE part = 'cash/USD'", "subscriber/alice cash/USD: cannot be read"),
        ("DELETE FROM actors WHERE part = 'cash/USD'", "subscriber/alice cash/USD: in the journal, but not stored"),
        ("INSERT INTO actors VALUES ('subscriber/eve', 'cash/USD', '{}')", "subscriber/eve cash/USD: stored, but not"),
        ("DELETE FROM order_states WHERE open", "in the journal, but not stored"),
        ("UPDATE order_states SET state = replace(state, 'FILLED', 'CANCELED')", "stored as"),
    ],
)
def test_what_was_changed_is_found(folder: Path, statement: str, problem: str) -> None:
    altered(folder, statement)
    found = verify(folder, fold)
    assert not found.sound
    assert any(problem in each for each in found.problems), found.problems


def test_an_event_that_its_actor_cannot_take_is_a_finding(folder: Path) -> None:
    def stubborn(address: str, parts: Mapping[str, Any], event: Event) -> Mapping[str, Any]:
        if isinstance(event, OrderFilled):
            raise KeyError("no")
        return fold(address, parts, event)

    found = verify(folder, stubborn)
    assert any("cannot take it: KeyError('no')" in problem for problem in found.problems)


@pytest.mark.anyio
async def test_problems_are_named_up_to_a_number(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.commit([started(number, ticket(number)) for number in range(1, 100)])
    altered(tmp_path, "DELETE FROM order_states")
    found = verify(tmp_path, fold)
    assert len(found.problems) == MAX_PROBLEMS + 1
    assert found.problems[-1] == "there may be more"


def test_a_damaged_file_is_a_finding_and_not_an_exception(folder: Path) -> None:
    path = folder / FILE
    data = bytearray(path.read_bytes())
    data[3 * 8192 :] = b"\x55" * (len(data) - 3 * 8192)
    path.write_bytes(data)
    assert not verify(folder, fold).sound


@pytest.mark.anyio
async def test_a_store_in_use_can_be_verified(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.commit([started(1, ticket(1))])
        assert verify(tmp_path, fold).sound


def test_where_there_is_no_store_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="no store"):
        verify(tmp_path, fold)


def test_the_parts_that_the_fold_of_these_tests_gives_are_real() -> None:
    states = done(1, ticket(1)).states.values()
    assert {type(state) for state in states} >= {Position, Balance}
