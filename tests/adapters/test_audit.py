"""The audit finds what is lost, doubled or unequal: tried on a real folder in which something is made so."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.audit import Audit, audit
from adapters.store.errors import StoreUnreadable
from tests.crash.world import World


async def _some_orders(folder: Path) -> None:
    async with World(folder) as world:
        world.load(signals=2, asks=0)
        await world.settled()
        world.load(signals=0, asks=10)
        await world.settled()
        assert await world.daemon.stop() == 0


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a daemon that has filled some orders and stopped."""
    folder = tmp_path_factory.mktemp("played")
    asyncio.run(_some_orders(folder))
    return folder / "data"


@pytest.fixture
def tampered(played: Path, tmp_path: Path) -> Callable[[str, str], Audit]:
    """The audit of a copy, after a statement was run on one of its files."""

    def tamper(file: str, statement: str) -> Audit:
        data = tmp_path / "data"
        shutil.copytree(played, data, ignore=shutil.ignore_patterns("nats", "run"))
        with closing(sqlite3.connect(data / file, isolation_level=None)) as connection:
            assert connection.execute(statement).rowcount > 0
        return audit(data, deep=False)

    return tamper


def test_a_folder_in_which_all_went_well_is_clean(played: Path) -> None:
    found = audit(played)
    assert found.problems == []
    assert found.clean
    assert found.signals == 2
    # Of the two signals one was a block: an order at the venue for many, and a trade for each of them.
    assert found.approved > found.venue_orders > 0
    assert found.trades > found.executions > 0
    assert found.sentence() == "0 lost, 0 doubled"


def test_a_promised_request_that_was_never_decided_is_lost(played: Path) -> None:
    found = audit(played, [("demo-000", "never")], deep=False)
    assert (found.lost, found.doubled) == (1, 0)
    assert "signal never was never decided for demo-000" in found.problems[0]


LAST_TRADE = "trade_id = (SELECT max(trade_id) FROM trade_bodies)"
LAST_EXECUTION = "number = (SELECT max(number) FROM executions)"
LAST_ORDER = "number = (SELECT max(number) FROM orders)"


@pytest.mark.parametrize(
    ("file", "statement", "count", "text"),
    [
        ("store.sqlite", f"DELETE FROM trade_bodies WHERE {LAST_TRADE}", "lost", "never booked"),
        (
            "store.sqlite",
            f"INSERT INTO trade_bodies(trade_id, body) SELECT 'Tffff', body FROM trade_bodies WHERE {LAST_TRADE}",
            "doubled",
            "booked 2 times",
        ),
        (
            "store.sqlite",
            f"UPDATE trade_bodies SET body = json_set(body, '$[3]', '1234567') WHERE {LAST_TRADE}",
            "unequal",
            "booked Execution",
        ),
        (
            "store.sqlite",
            "UPDATE actors SET state = json_set(state, '$.amount', '0.01') WHERE part = 'cash/USD'",
            "unequal",
            "cash of demo-",
        ),
        (
            "store.sqlite",
            "UPDATE actors SET state = json_set(state, '$.quantity', '-7') WHERE part GLOB 'position/*'",
            "unequal",
            "position of demo-",
        ),
        ("venue-paper.sqlite", f"DELETE FROM executions WHERE {LAST_EXECUTION}", "doubled", "never executed"),
        (
            "venue-paper.sqlite",
            f"UPDATE orders SET client_order_id = 'paper-another' WHERE {LAST_ORDER}",
            "doubled",
            "was never approved",
        ),
        (
            "venue-paper.sqlite",
            f"UPDATE orders SET client_order_id = 'paper-another' WHERE {LAST_ORDER}",
            "lost",
            "is not at the venue",
        ),
        (
            "venue-paper.sqlite",
            f"UPDATE orders SET status = 'WORKING' WHERE {LAST_ORDER}",
            "unequal",
            "WORKING at the venue",
        ),
    ],
)
def test_what_is_not_as_it_was_is_found(
    tampered: Callable[[str, str], Audit], file: str, statement: str, count: str, text: str
) -> None:
    found = tampered(file, statement)
    assert getattr(found, count) > 0
    assert any(text in problem for problem in found.problems), found.problems
    assert not found.clean


def test_a_journal_that_was_changed_is_unsound(played: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(played, data, ignore=shutil.ignore_patterns("nats", "run"))
    with closing(sqlite3.connect(data / "store.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE journal SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 2")
    found = audit(data)
    assert found.unsound > 0
    assert "faults in the journal" in found.sentence()


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="there is no store"):
        audit(tmp_path)


def test_what_a_block_was_executed_for_is_shared_to_the_last_cent(tampered: Callable[[str, str], Audit]) -> None:
    block = "SELECT number FROM orders WHERE instr(terms, CAST('block-' AS BLOB)) > 0"
    found = tampered("venue-paper.sqlite", f"UPDATE executions SET price = '1' WHERE order_number IN ({block})")
    assert any("block order" in problem and "shared for" in problem for problem in found.problems)
