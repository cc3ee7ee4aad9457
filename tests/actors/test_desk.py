"""The kill switch: always accepted, durable, cancels what is open; resume needs a reason."""

from __future__ import annotations

import pytest

from engine import events as e
from engine.commands import Kill, Resume
from engine.reports import CancelVenueOrder, SubmitOrder
from tests.actors.bench import Bench, request

KILL = Kill(reason="enough", by="ann")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice")
    return bench


def test_kill_cancels_every_open_order(bench: Bench) -> None:
    bench.tell("subscriber/alice", *(request(number) for number in range(20)))
    assert bench.ask("desk/main", KILL).status == "ACCEPTED"
    sent = [order.client_order_id for order in bench.sent(SubmitOrder)]
    assert sorted(order.client_order_id for order in bench.sent(CancelVenueOrder)) == sorted(sent)


def test_nothing_is_sent_while_killed(bench: Bench) -> None:
    bench.ask("desk/main", KILL)
    assert bench.ask("subscriber/alice", request(1)).code == "KILLED"
    assert bench.sent(SubmitOrder) == []


def test_a_kill_in_the_same_batch_stops_what_comes_after_it(bench: Bench) -> None:
    bench.post("desk/main", KILL)
    bench.post("subscriber/alice", request(1))
    bench.settle()
    assert bench.sent(SubmitOrder) == []


def test_kill_is_idempotent(bench: Bench) -> None:
    assert [bench.ask("desk/main", KILL).status for _ in range(2)] == ["ACCEPTED", "ACCEPTED"]
    assert len(bench.events(e.Killed)) == 1


def test_kill_survives_a_restart(bench: Bench) -> None:
    bench.ask("desk/main", KILL)
    bench.restart()
    bench.open()
    assert bench.ask("subscriber/alice", request(1)).code == "KILLED"


@pytest.mark.parametrize("reason", ["", "  "])
def test_resume_needs_a_reason(bench: Bench, reason: str) -> None:
    bench.ask("desk/main", KILL)
    assert bench.ask("desk/main", Resume(reason=reason, by="ann")).code == "MISSING_REASON"
    assert bench.part("desk/main").killed


def test_after_a_resume_there_is_trading_again(bench: Bench) -> None:
    bench.ask("desk/main", KILL)
    bench.ask("desk/main", Resume(reason="all is well", by="ann"))
    assert bench.ask("subscriber/alice", request(1)).status == "ACCEPTED"


def test_kill_makes_no_dead_letters(bench: Bench) -> None:
    bench.tell("subscriber/alice", request(1))
    bench.ask("desk/main", KILL)
    assert bench.events(e.DeadLettered) == []


def test_alarms_are_counted(bench: Bench) -> None:
    bench.tell("desk/main", e.AlarmRaised(at=bench.now, code="X", about="y", reason="z"))
    assert bench.part("desk/main").alarms == 1
