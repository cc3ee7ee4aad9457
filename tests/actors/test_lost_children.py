"""Children that end badly: what a parent says of one that was refused, and how it ends without one that is lost."""

from __future__ import annotations

from typing import Any

import pytest

from engine import reports as r
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from engine.work import WorkEnded
from tests.actors.bench import Bench, D
from tests.actors.test_work import bench, cancels, fill, order, placed, tick, twap

__all__ = ("bench",)

STOP: dict[str, Any] = {"side": "SELL", "order_type": "STOP", "stop_price": D(95)}


def tells(bench: Bench, child: str, report: type, **fields: Any) -> None:
    bench.tell(f"order/{child}", report(client_order_id=child, at=bench.now, **fields))


def held(bench: Bench) -> Any:
    return bench.part("subscriber/alice", "position/XNAS:AAPL")


def last(bench: Bench) -> str:
    return bench.sent(r.SubmitOrder)[-1].client_order_id


def loses(bench: Bench, child: str) -> None:
    """The venue is asked about a child, again and again, and does not know it."""
    for _ in range(12):
        bench.wait(6)
        bench.quote("AAPL", "100")
        if order(bench, child).status == "UNKNOWN":
            return
        tells(bench, child, r.NotFound)
    raise AssertionError(order(bench, child).status)


def test_why_a_child_was_rejected_is_said_of_its_parent(bench: Bench) -> None:
    name = placed(bench, **STOP)
    tick(bench, "95")
    tells(bench, last(bench), r.Rejected, reason="short sales are restricted")
    (ended,) = bench.events(WorkEnded)
    assert ended.status == "CANCELED"
    assert "REJECTED: short sales are restricted" in ended.reason
    assert order(bench, name).reason == ended.reason


def test_why_the_last_child_was_rejected_is_said_at_the_end_of_an_algorithm(bench: Bench) -> None:
    placed(bench, plan=twap())
    for _ in range(70):
        child = last(bench)
        if order(bench, child).open:
            tells(bench, child, r.Rejected, reason="no borrow")
        bench.wait(10)
        bench.quote("AAPL", "100")
    (ended,) = bench.events(WorkEnded)
    assert (ended.status, "REJECTED: no borrow" in ended.reason) == ("EXPIRED", True)


def test_an_algorithm_ends_by_its_window_without_a_child_that_is_lost(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    first = last(bench)
    loses(bench, first)
    done = {first}
    for _ in range(65):
        bench.wait(10)
        bench.quote("AAPL", "100")
        if last(bench) not in done:
            done.add(last(bench))
            fill(bench, bench.sent(r.SubmitOrder)[-1])
    found = order(bench, name)
    assert (found.status, found.filled, found.working) == ("EXPIRED", 80, 20)
    (ended,) = bench.events(WorkEnded)
    assert ended.code == "CHILD_UNKNOWN"
    assert first in ended.reason
    assert "CHILD_UNKNOWN" in list(bench.alarms())
    # What may still be filled stays counted, and is never sent again.
    assert (held(bench).quantity, held(bench).working_buy) == (80, 20)
    assert sum(one.quantity for one in bench.sent(r.SubmitOrder)) == 100


@pytest.mark.parametrize("crash", [False, True])
def test_what_becomes_known_of_it_later_is_booked(bench: Bench, crash: bool) -> None:
    name = placed(bench, **STOP)
    tick(bench, "95")
    child = last(bench)
    loses(bench, child)
    assert bench.ask("subscriber/alice", cancels(name)).status == "ACCEPTED"
    assert order(bench, name).open  # The venue is asked once more.
    loses(bench, child)
    found = order(bench, name)
    assert (found.status, found.working, held(bench).working_sell) == ("CANCELED", 100, 100)
    if crash:
        bench.restart()
        bench.open()
    fill(bench, bench.sent(r.SubmitOrder)[0], "30")
    found = order(bench, name)
    assert (found.filled, found.working) == (30, 70)
    tells(bench, child, r.Canceled, reason="as asked")
    found = order(bench, name)
    assert (found.status, found.filled, found.working) == ("CANCELED", 30, 0)
    assert (held(bench).quantity, held(bench).working_sell, held(bench).reserved_sell) == (-30, 0, 0)
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_a_lost_child_does_not_end_with_its_day(bench: Bench) -> None:
    name = placed(bench, **STOP, time_in_force="DAY")
    tick(bench, "95")
    loses(bench, last(bench))
    assert order(bench, name).open
    bench.wait(86400)
    found = order(bench, name)
    assert (found.status, found.working) == ("EXPIRED", 100)


def test_a_lost_child_that_turns_up_is_cancelled(bench: Bench) -> None:
    placed(bench, **STOP, time_in_force="DAY")
    tick(bench, "95")
    child = last(bench)
    tells(bench, child, r.Accepted, venue_order_id="V1")
    bench.restart()
    bench.open()
    loses(bench, child)
    bench.wait(86400)
    tells(bench, child, r.CancelRejected, reason="unknown order")
    asked = len(bench.sent(r.CancelVenueOrder))
    loses(bench, child)
    tells(bench, child, r.Snapshot, status="WORKING", quantity=D(100), filled=D(0))
    assert len(bench.sent(r.CancelVenueOrder)) == asked + 1


def test_a_child_that_turned_up_and_cannot_be_cancelled_is_asked_for_once_a_second(bench: Bench) -> None:
    name = placed(bench, **STOP, time_in_force="DAY")
    tick(bench, "95")
    child = last(bench)
    tells(bench, child, r.Accepted, venue_order_id="V1")
    loses(bench, child)
    bench.wait(86400)
    assert order(bench, name).status == "EXPIRED"
    tells(bench, child, r.CancelRejected, reason="not now")
    for second in range(5):
        asked = len(bench.sent(r.CancelVenueOrder))
        for _ in range(5):
            tells(bench, child, r.Snapshot, status="WORKING", quantity=D(100), filled=D(0))
            tells(bench, child, r.CancelRejected, reason="not now")
        assert len(bench.sent(r.CancelVenueOrder)) <= asked + 1, second
        bench.wait(1)
        assert len(bench.sent(r.CancelVenueOrder)) <= asked + 2, second
    tells(bench, child, r.Snapshot, status="WORKING", quantity=D(100), filled=D(0))
    bench.wait(1)
    tells(bench, child, r.Canceled, reason="as asked", filled=D(0))
    assert (order(bench, child).status, order(bench, name).working) == ("CANCELED", 0)
    # Over, and nothing of it may still be filled: it leaves memory.
    assert f"order/{name}" not in bench.partition.actors


def test_a_child_whose_venue_counts_more_than_it_was_for_is_not_cancelled_again_and_again(bench: Bench) -> None:
    placed(bench, **STOP, time_in_force="DAY")
    tick(bench, "95")
    child = last(bench)
    tells(bench, child, r.Accepted, venue_order_id="V1")
    loses(bench, child)
    bench.wait(86400)
    before = len(bench.sent(r.CancelVenueOrder))
    for _ in range(20):
        tells(bench, child, r.CancelRejected, reason="FILLED")
        tells(bench, child, r.Snapshot, status="FILLED", quantity=D(100), filled=D(110))
    assert len(bench.sent(r.CancelVenueOrder)) <= before + 1
    assert order(bench, child).status == "UNKNOWN"


def test_a_lost_child_that_was_refused_after_all_is_not_sent_again(bench: Bench) -> None:
    name = placed(bench, **STOP, time_in_force="DAY")
    tick(bench, "95")
    child = last(bench)
    loses(bench, child)
    tells(bench, child, r.Rejected, reason="no")
    assert (order(bench, name).status, len(bench.sent(r.SubmitOrder))) == ("CANCELED", 1)


def test_an_order_amended_to_what_is_filled_is_not_filled_while_a_child_of_it_is_lost(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    first = last(bench)
    fill(bench, bench.sent(r.SubmitOrder)[-1], "15")
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")
    command = ExecutionCommand(command_id="m-1", subscriber_id="alice", order_id=name, plan=plan, quantity=D(10))
    assert bench.ask("subscriber/alice", command).status == "ACCEPTED"
    loses(bench, first)
    bench.wait(60)
    found = order(bench, name)
    assert (found.status, found.filled, found.working) == ("CANCELED", 15, 5)
    (ended,) = bench.events(WorkEnded)
    assert ended.code == "CHILD_UNKNOWN"
