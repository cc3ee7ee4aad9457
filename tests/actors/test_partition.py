"""What a partition promises: atomic turns, mail in order and never lost, batches that end, actors that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from actors import partition as bounds
from actors.door import DoorActor
from actors.journal import Mail
from actors.subscriber import SubscriberActor
from engine import events as e
from engine.commands import Kill, RefuseInput, Unbury
from engine.identity import sequence_of
from engine.messages import CashMovement, Subscription
from engine.methods import FixedQuantity
from engine.reports import Reconcile, SubmitOrder
from tests.actors.bench import Bench, D, request


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


class Planned(Exception):
    """What a turn of these tests fails with."""


@pytest.fixture
def failing_cash() -> Iterator[list[bool]]:
    """Cash movements are decided in full, and then the turn fails, as long as the list says so."""
    was, fails = SubscriberActor.RECEIVE[CashMovement], [True]

    def fail(actor: Any, message: Any, turn: Any) -> None:
        was(actor, message, turn)
        turn.tell("desk/main", Kill(reason="a tell of a failed turn", by="test"))
        turn.tell("port/test", "a letter of a failed turn")
        if fails[0]:
            raise Planned("half-way")

    SubscriberActor.RECEIVE[CashMovement] = fail
    yield fails
    SubscriberActor.RECEIVE[CashMovement] = was


def moved(number: int = 1, amount: str = "5") -> CashMovement:
    return CashMovement(movement_id=f"m-{number}", subscriber_id="alice", currency="USD", amount=D(amount))


def follow(strategy: str = "momentum") -> Subscription:
    return Subscription(strategy_id=strategy, allocation=FixedQuantity(D(1)))


# a turn is atomic


def test_nothing_remains_of_a_turn_that_failed(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    before = dict(bench.partition.actors["subscriber/alice"].parts)
    left = bench.tell("subscriber/alice", moved())
    assert bench.partition.actors["subscriber/alice"].parts == before
    assert bench.events(e.CashMoved) == []
    assert bench.events(e.Killed) == []
    assert left == []
    assert bench.journal.load_now([], [("alice", "cash/m-1")]).priors == {}


def test_a_failed_turn_leaves_what_an_earlier_turn_of_the_batch_did(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    failing_cash[0] = False
    bench.post("subscriber/alice", moved(1))
    bench.run()
    failing_cash[0] = True
    bench.post("subscriber/alice", moved(2))
    bench.settle()
    assert [event.key for event in bench.events(e.CashMoved)] == ["cash/m-1"]
    assert bench.part("subscriber/alice", "cash/USD").amount == D(100005)
    assert b'"100005"' in (bench.stored("subscriber/alice", "cash/USD") or b"")


def test_the_message_of_a_failed_turn_is_a_dead_letter_with_its_traceback(
    bench: Bench, failing_cash: list[bool]
) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", moved())
    (letter,) = bench.events(e.DeadLettered)
    assert letter.address == "subscriber/alice"
    assert letter.error == "Planned: half-way"
    assert "in fail" in letter.traceback
    assert '"movement_id":"m-1"' in letter.message


def test_who_asked_is_told_that_the_engine_failed(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    answer = bench.ask("subscriber/alice", moved())
    assert (answer.status, answer.code) == ("DENIED", "INTERNAL")


def test_a_failed_message_can_be_asked_again(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", moved())
    failing_cash[0] = False
    assert bench.ask("subscriber/alice", moved()).status == "ACCEPTED"


def test_a_dead_letter_is_replayed_once(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", moved())
    failing_cash[0] = False
    (letter,) = bench.events(e.DeadLettered)
    unbury = Unbury(letter_id=letter.letter_id, by="test", replay=True)
    assert bench.ask("dead/letters", unbury).status == "ACCEPTED"
    assert [event.amount for event in bench.events(e.CashMoved)] == [D(5)]
    assert bench.ask("dead/letters", unbury).code == "UNKNOWN_LETTER"


def test_a_dead_letter_can_be_dropped(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", moved())
    (letter,) = bench.events(e.DeadLettered)
    bench.ask("dead/letters", Unbury(letter_id=letter.letter_id, by="test", replay=False))
    assert bench.events(e.CashMoved) == []
    assert [part for part in bench.partition.actors["dead/letters"].parts if part.startswith("l/")] == []


# quarantine


def test_three_failures_in_a_row_quarantine_an_actor(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    for number in range(3):
        bench.tell("subscriber/alice", moved(number))
    assert [event.address for event in bench.events(e.ActorQuarantined)] == ["subscriber/alice"]
    assert "QUARANTINED" in bench.alarms()
    failing_cash[0] = False
    bench.tell("subscriber/alice", moved(9))
    assert bench.events(e.CashMoved) == []
    assert len(bench.events(e.DeadLettered)) == 4


def test_a_success_between_failures_keeps_an_actor_out_of_quarantine(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    for number in range(4):
        failing_cash[0] = number != 2
        bench.tell("subscriber/alice", moved(number))
    assert bench.events(e.ActorQuarantined) == []


def test_quarantine_outlives_a_restart(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    for number in range(3):
        bench.tell("subscriber/alice", moved(number))
    failing_cash[0] = False
    bench.restart()
    bench.tell("subscriber/alice", moved(9))
    assert bench.events(e.CashMoved) == []


def test_replaying_a_dead_letter_releases_its_actor(bench: Bench, failing_cash: list[bool]) -> None:
    bench.join("alice")
    for number in range(3):
        bench.tell("subscriber/alice", moved(number))
    failing_cash[0] = False
    letter = bench.events(e.DeadLettered)[0]
    bench.ask("dead/letters", Unbury(letter_id=letter.letter_id, by="test", replay=True))
    assert [event.key for event in bench.events(e.CashMoved)] == ["cash/m-0"]
    assert bench.ask("subscriber/alice", moved(9)).status == "ACCEPTED"


def test_a_resident_actor_is_never_quarantined(bench: Bench) -> None:
    was = DoorActor.RECEIVE[RefuseInput]
    DoorActor.RECEIVE[RefuseInput] = lambda *_: 1 / 0
    refuse = RefuseInput(subject="x", code="BAD_JSON", reason="no", excerpt="{")
    for _ in range(5):
        bench.tell("door/in", refuse)
    DoorActor.RECEIVE[RefuseInput] = was
    assert bench.ask("door/in", refuse).code == "BAD_JSON"


# mail


def test_mail_of_a_pair_arrives_in_order(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", *(moved(number, str(number + 1)) for number in range(20)))
    bench.settle()
    assert [event.key for event in bench.events(e.CashMoved)] == [f"cash/m-{number}" for number in range(20)]


def test_a_batch_ends_after_512_turns_and_keeps_the_rest(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", *(moved(number) for number in range(700)))
    batch = bench.run()
    assert batch is not None
    assert len(batch.events) == bounds.MAX_TURNS == 512
    assert len(batch.left) == 700 - 512


def test_a_batch_ends_when_its_time_is_over(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", *(moved(number) for number in range(500)))
    wanted = bench.partition.wanting()
    bench.partition.admit(*wanted, bench.journal.load_now(*wanted))
    looks = iter(range(1_000))
    batch = bench.partition.run(bench.now, lambda: bench.now + timedelta(milliseconds=next(looks)))
    assert batch is not None
    assert 0 < len(batch.events) < 500
    assert len(batch.events) + len(batch.left) == 500


def test_mail_left_over_survives_a_crash_in_order(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", *(moved(number) for number in range(700)))
    bench.run()
    bench.commit()
    bench.restart()
    assert [event.key for event in bench.events(e.CashMoved)] == [f"cash/m-{number}" for number in range(700)]
    bench.restart()
    assert len(bench.events(e.CashMoved)) == 700


def test_mail_that_was_delivered_after_a_crash_is_not_delivered_again(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", *(moved(number) for number in range(1_500)))
    for _ in range(2):
        bench.run()
    bench.commit()
    bench.restart()
    assert bench.journal.start_now().undelivered == []
    assert len(bench.events(e.CashMoved)) == 1_500


def test_what_ran_and_was_not_committed_never_happened(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", moved())
    bench.run()
    bench.restart()
    assert bench.events(e.CashMoved) == []
    assert bench.ask("subscriber/alice", moved()).status == "ACCEPTED"


def test_what_a_turn_tells_runs_before_other_mail(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", request(1), request(2))
    bench.settle()
    told = [type(ev).__name__ for batch in bench.journal.batches for _, ev in batch.events][-6:]
    assert told == ["RequestAccepted", "OrderStarted", "ChildSent"] * 2


def test_followers_in_memory_or_not_all_hear_a_signal_once_and_in_order(bench: Bench) -> None:
    names = [f"f-{number:02}" for number in range(30)]
    for name in names:
        bench.join(name, follow())
    for name in names[::2]:
        del bench.partition.actors[f"subscriber/{name}"]
    bench.tell("strategy/momentum", request(1, None), request(2, None))
    accepted = [(event.subscriber_id, event.signal_id) for event in bench.events(e.RequestAccepted)]
    assert sorted(accepted) == sorted((name, signal) for name in names for signal in ("s-1", "s-2"))
    assert all(accepted.index((name, "s-1")) < accepted.index((name, "s-2")) for name in names)


def test_an_order_whose_start_had_to_wait_stays_in_memory_and_is_asked_about(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a turn tells beyond its bound waits in the queue, and who it is for is loaded before it was started."""
    monkeypatch.setattr(bounds, "MAX_FRONT", 0)
    bench.join("alice")
    (name,) = bench.ask("subscriber/alice", request(1)).orders
    assert [sent.client_order_id for sent in bench.sent(SubmitOrder)] == [name]
    bench.wait(6)
    assert [asked.client_order_ids for asked in bench.sent(Reconcile)] == [(name,)]


def test_mail_waits_behind_older_mail_for_the_same_actor(bench: Bench) -> None:
    bench.join("alice", follow())
    del bench.partition.actors["subscriber/alice"]
    bench.post("strategy/momentum", request(1, None))
    bench.run()
    bench.partition.admit(["subscriber/alice"], [], bench.journal.load_now(["subscriber/alice"], []))
    bench.post("strategy/momentum", request(2, None))
    bench.settle()
    assert [event.signal_id for event in bench.events(e.RequestAccepted)] == ["s-1", "s-2"]


def test_a_partition_that_is_full_says_so(bench: Bench) -> None:
    assert not bench.partition.full
    bench.partition.post([Mail("subscriber/alice", moved())] * bounds.MAX_MAIL)
    assert bench.partition.full


# what leaves


def test_what_leaves_is_in_the_batch_and_not_before(bench: Bench) -> None:
    bench.join("alice")
    bench.post("subscriber/alice", request(1), sender="reply/1")
    batch = bench.run()
    assert batch is not None
    assert [letter.to for letter in batch.outgoing] == ["reply/1", "port/test"]
    assert bench.left == []
    assert len(bench.commit()) == 2


def test_a_run_without_mail_makes_no_batch(bench: Bench) -> None:
    assert bench.run() is None


def test_a_position_of_the_bus_is_durable_with_a_batch_or_alone(bench: Bench) -> None:
    bench.partition.consumed("in", 7)
    bench.settle()
    assert bench.journal.start_now().cursors == {"in": 7}


# order ids


def test_order_ids_grow_over_batches_and_restarts(bench: Bench) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", request(1), request(2))
    bench.tell("subscriber/alice", request(3))
    bench.restart()
    bench.open()
    bench.tell("subscriber/alice", request(4))
    ids = [event.tickets[0].order_id for event in bench.events(e.RequestAccepted)]
    assert len(ids) == 4
    assert ids == sorted(ids)
    numbers = [sequence_of(order_id) for order_id in ids]
    assert numbers == sorted(set(numbers))
