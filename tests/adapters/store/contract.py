"""What every journal has to do, whatever it is made of. A class of these tests is given a journal and its restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import json
from msgspec.structs import replace

from actors.journal import Journal, JournalFailed, Mail
from engine.commands import CancelOrder
from engine.desk import Desk
from engine.ledger import Balance
from engine.messages import Outcome
from engine.order import Order
from tests.adapters.store.lives import answer, batch, done, filled, order, started, ticket

Restart = Callable[[], Awaitable[Any]]
"""Ends the process in thought and gives the journal that the next one has."""


def balance(amount: str) -> Balance:
    return Balance(currency="USD", amount=Decimal(amount))


@pytest.mark.anyio
class JournalContract:
    """Subclass it with fixtures `journal` and `restart`."""

    @pytest.fixture
    async def journal(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def restart(self) -> Restart:
        raise NotImplementedError

    async def test_a_new_journal_begins_with_nothing(self, journal: Journal) -> None:
        start = await journal.start()
        assert (start.sequence, dict(start.restless), list(start.undelivered), dict(start.cursors)) == (0, {}, [], {})

    async def test_an_unknown_address_has_no_parts_and_an_unknown_key_no_answer(self, journal: Journal) -> None:
        await journal.start()
        loaded = await journal.load(["subscriber/nobody", "order/none"], [("nobody", "s-1")])
        assert (dict(loaded.parts), dict(loaded.priors)) == ({}, {})
        empty = await journal.load([], [])
        assert (dict(empty.parts), dict(empty.priors)) == ({}, {})

    async def test_load_sees_what_was_committed_part_by_part(self, journal: Journal) -> None:
        await journal.start()
        states: Any = {
            ("subscriber/alice", "cash/USD"): balance("1"),
            ("subscriber/alice", "cash/EUR"): balance("2"),
            ("subscriber/alice2", "cash/USD"): balance("3"),
        }
        await journal.commit([batch(1, states=states)])
        loaded = await journal.load(["subscriber/alice"], [])
        assert {part: json.decode(raw, type=Balance) for part, raw in loaded.parts["subscriber/alice"].items()} == {
            "cash/USD": balance("1"),
            "cash/EUR": balance("2"),
        }
        assert list(loaded.parts) == ["subscriber/alice"]

    async def test_a_part_that_is_gone_is_not_loaded(self, journal: Journal) -> None:
        await journal.start()
        name = "subscriber/alice"
        await journal.commit([batch(1, states={(name, "cash/USD"): balance("1"), (name, "cash/EUR"): balance("2")})])
        await journal.commit([batch(2, states={(name, "cash/USD"): None, (name, "cash/GBP"): None})])
        assert list((await journal.load([name], [])).parts[name]) == ["cash/EUR"]

    async def test_names_with_every_kind_of_character_come_back_as_they_were(self, journal: Journal) -> None:
        await journal.start()
        odd = 'venue/a "quoted" \\ name, O\'Brien, ünï\N{SNOWMAN}'
        part = "q/subscriber/x y 'z'"
        await journal.commit([batch(1, states={(odd, part): Desk(reason="a\nb\x1f\x1e'\"")})])
        for parts in ((await journal.load([odd], [])).parts, (await journal.start()).restless):
            assert json.decode(parts[odd][part], type=Desk).reason == "a\nb\x1f\x1e'\""

    async def test_of_batches_committed_together_the_last_state_counts(self, journal: Journal) -> None:
        await journal.start()
        name = "subscriber/alice"
        await journal.commit(
            [
                batch(1, states={(name, "cash/USD"): balance("1"), (name, "cash/EUR"): balance("5")}),
                batch(2, states={(name, "cash/USD"): balance("2"), (name, "cash/EUR"): None}),
                batch(3, states={(name, "cash/USD"): balance("3"), (name, "cash/GBP"): None}),
            ]
        )
        parts = (await journal.load([name], [])).parts[name]
        assert {part: json.decode(raw, type=Balance) for part, raw in parts.items()} == {"cash/USD": balance("3")}
        assert (await journal.start()).sequence == 3

    async def test_an_order_is_restless_until_it_is_done_and_known_after(
        self, journal: Journal, restart: Restart
    ) -> None:
        await journal.start()
        first, second = ticket(1), ticket(2)
        await journal.commit([started(1, first), started(2, second)])
        await journal.commit([done(3, first)])
        after = await restart()
        start = await after.start()
        assert list(start.restless) == [f"order/{second.order_id}"]
        assert json.decode(start.restless[f"order/{second.order_id}"][""], type=Order) == order(second)
        loaded = await after.load([f"order/{first.order_id}"], [])
        assert json.decode(loaded.parts[f"order/{first.order_id}"][""], type=Order) == filled(first)

    async def test_an_order_that_begins_and_ends_in_one_commit_is_done(self, journal: Journal) -> None:
        await journal.start()
        await journal.commit([started(1, ticket(1)), done(2, ticket(1))])
        assert dict((await journal.start()).restless) == {}

    async def test_residents_are_restless_and_subscribers_are_not(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        names = ["desk/main", "venue/paper", "post/1", "dead/letters", "subscriber/alice", "strategy/momentum"]
        await journal.commit([batch(1, states={(name, "x"): Desk() for name in names})])
        start = await (await restart()).start()
        assert sorted(start.restless) == ["dead/letters", "desk/main", "post/1", "venue/paper"]

    async def test_an_answer_is_found_under_its_subscriber_and_key_only(self, journal: Journal) -> None:
        await journal.start()
        prior = answer(ticket(1))
        await journal.commit([batch(1, keys={("alice", "s-1"): prior}), batch(2, keys={("bob", "s-1"): prior})])
        asked = [("alice", "s-1"), ("alice", "s-2"), ("bob", "s-1"), ("carol", "s-1"), ("s-1", "alice")]
        loaded = await journal.load([], asked)
        assert dict(loaded.priors) == {("alice", "s-1"): prior, ("bob", "s-1"): prior}
        loaded = await journal.load([], [("alice", "s-1"), ("carol", "s-1")])
        assert dict(loaded.priors) == {("alice", "s-1"): prior}

    async def test_an_answer_keeps_its_words(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        original = Outcome(request_id="r", status="DENIED", code="NO_PRICE", reason="»no« 'price'\n")
        prior = answer(ticket(1))._replace(outcome=original)
        await journal.commit([batch(1, keys={("alice", "k"): prior})])
        after = await restart()
        await after.start()
        assert (await after.load([], [("alice", "k")])).priors["alice", "k"] == prior

    async def test_undelivered_mail_comes_back_in_order_until_it_is_taken(
        self, journal: Journal, restart: Restart
    ) -> None:
        await journal.start()
        cancel = CancelOrder(reason="it's over")
        mail = [(number, Mail(f"order/{number}", cancel, "subscriber/alice")) for number in range(1, 13)]
        await journal.commit([batch(1, left=mail)])
        await journal.commit([batch(2, taken=3, left=[(13, Mail("order/13", cancel))])])
        start = await (await restart()).start()
        assert [(number, to, sender) for number, to, _, sender in start.undelivered] == [
            *((number, f"order/{number}", "subscriber/alice") for number in range(4, 13)),
            (13, "order/13", ""),
        ]
        assert {json.decode(raw, type=CancelOrder) for _, _, raw, _ in start.undelivered} == {cancel}

    async def test_mail_that_is_taken_within_the_same_commit_leaves_no_row(self, journal: Journal) -> None:
        await journal.start()
        left = [(1, Mail("order/1", CancelOrder(reason="r"))), (2, Mail("order/2", CancelOrder(reason="r")))]
        await journal.commit([batch(1, left=left), batch(2, taken=1)])
        assert [number for number, *_ in (await journal.start()).undelivered] == [2]

    async def test_mail_for_ten_thousand_is_kept_whole(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        mail = [(number, Mail(f"subscriber/{number}", CancelOrder(reason="r"))) for number in range(1, 10_001)]
        await journal.commit([batch(1, left=mail)])
        start = await (await restart()).start()
        assert [number for number, *_ in start.undelivered] == list(range(1, 10_001))

    async def test_many_states_in_one_commit_are_all_there(self, journal: Journal) -> None:
        await journal.start()
        tickets = [ticket(number) for number in range(1, 700)]
        many: Any = {(f"order/{each.order_id}", ""): order(each) for each in tickets}
        many |= {(f"subscriber/{number}", "cash/USD"): balance(str(number)) for number in range(1, 2000)}
        await journal.commit([batch(1, states=many)])
        assert len((await journal.start()).restless) == 699
        loaded = await journal.load([f"subscriber/{number}" for number in range(1, 2000)], [])
        amounts = [json.decode(parts["cash/USD"], type=Balance).amount for parts in loaded.parts.values()]
        assert sorted(amounts) == list(range(1, 2000))
        await journal.commit([batch(2, states=dict.fromkeys(many))])
        assert (await journal.start()).restless == {}

    async def test_positions_on_the_bus_are_kept_by_name(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        await journal.commit([batch(1, cursors={"in": 5, "published": 1}), batch(2, cursors={"in": 7})])
        await journal.commit([batch(3, [], cursors={"published": 2})])
        start = await (await restart()).start()
        assert dict(start.cursors) == {"in": 7, "published": 2}
        assert start.sequence == 3

    async def test_the_sequence_goes_on_after_batches_without_events(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        await journal.commit([batch(1), batch(2, [])])
        assert (await (await restart()).start()).sequence == 2
        # And from a batch with events after one without.
        await (again := await restart()).start()
        await again.commit([batch(3)])
        assert (await (await restart()).start()).sequence == 3

    async def test_entries_are_read_from_a_time_on(self, journal: Any) -> None:
        await journal.start()
        batches = [started(number, ticket(number)) for number in (1, 2, 3)]
        await journal.commit([replace(each, at=each.at + timedelta(minutes=at)) for at, each in enumerate(batches)])
        for minutes, found in ((-1, [1, 2, 3]), (0, [1, 2, 3]), (1, [2, 3]), (1.5, [3]), (3, [])):
            since = journal.since(batches[0].at + timedelta(minutes=minutes))
            assert [entry.sequence async for entry in since] == found

    async def test_entries_are_read_after_a_sequence_and_without_empty_ones(self, journal: Any) -> None:
        await journal.start()
        batches = [batch(1), started(2, ticket(1)), batch(3, []), done(4, ticket(1))]
        await journal.commit(batches)
        read = [entry async for entry in journal.entries(1)]
        assert [tuple(entry) for entry in read] == [
            (each.sequence, each.at, each.events, each.packed) for each in (batches[1], batches[3])
        ]

    async def test_a_commit_of_nothing_is_nothing(self, journal: Journal) -> None:
        await journal.start()
        await journal.commit([])
        assert (await journal.start()).sequence == 0

    async def test_batches_are_durable_together_or_not_at_all(self, journal: Journal, restart: Restart) -> None:
        await journal.start()
        await journal.commit([batch(1, states={("subscriber/alice", "cash/USD"): balance("1")})])
        unwritable: Any = object()
        bad = batch(3, states={("subscriber/alice", "cash/EUR"): unwritable})
        fine = batch(2, states={("subscriber/alice", "cash/USD"): balance("2")}, keys={("a", "k"): answer(ticket(1))})
        with pytest.raises(JournalFailed):
            await journal.commit([fine, bad])
        after = await restart()
        assert (await after.start()).sequence == 1
        loaded = await after.load(["subscriber/alice"], [("a", "k")])
        assert json.decode(loaded.parts["subscriber/alice"]["cash/USD"], type=Balance) == balance("1")
        assert list(loaded.parts["subscriber/alice"]) == ["cash/USD"]
        assert dict(loaded.priors) == {}

    async def test_after_a_failed_commit_nothing_more_is_taken_or_told(self, journal: Journal) -> None:
        await journal.start()
        await journal.commit([batch(1)])
        with pytest.raises(JournalFailed):
            await journal.commit([batch(1)])
        with pytest.raises(JournalFailed):
            await journal.commit([batch(2)])
        with pytest.raises(JournalFailed):
            await journal.load(["subscriber/alice"], [])
