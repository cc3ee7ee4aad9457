"""Groups where several things go wrong at once: refused cancels, late fills, kills, and legs that may only reduce."""

from __future__ import annotations

from typing import Any

import pytest

from engine import reports as r
from engine.commands import Kill
from engine.instructions import Instructions
from engine.work import WorkEnded
from tests.actors.bench import Bench, D
from tests.actors.linked import Desk, exits, floor
from tests.actors.test_work import fill, placed, tick

ONLY = Instructions(reduce_only=True)


@pytest.fixture
def bench() -> Bench:
    return floor()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def position(bench: Bench) -> Any:
    return bench.part("subscriber/alice", "position/XNAS:AAPL")


def protected(desk: Desk) -> None:
    """An entry with exits that may only reduce."""
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.place("profit", "BRACKET", "CHILD", side="SELL", limit_price="110", instructions=ONLY)
    stop: dict[str, Any] = {"order_type": "STOP", "stop_price": D("95"), "instructions": ONLY}
    desk.place("stop", "BRACKET", "CHILD", side="SELL", **stop)


def test_a_cancel_that_the_venue_refuses_is_asked_for_again(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OCO", side="SELL", limit_price="110")
    desk.place("low", "OCO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    desk.fills("low", 1, "105")
    desk.hears("high", r.CancelRejected, reason="too busy")
    desk.hears("high", r.Snapshot, status="WORKING", quantity=D(100), filled=D(0), limit_price=D(110))
    bench.wait(2)
    assert len(bench.sent(r.CancelVenueOrder)) == 2
    desk.cancelled("high")
    assert (desk.status("high"), desk.status("low"), desk.reserved) == ("CANCELED", "PARTIALLY_FILLED", True)


def test_an_entry_that_fills_after_its_group_was_cancelled_is_told_of(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 40)
    assert desk.cancels_group().status == "ACCEPTED"
    desk.fills("entry", 60)
    desk.cancelled("profit")
    assert "GROUP_UNCOVERED" in list(bench.alarms())
    assert (position(bench).quantity, desk.reserved) == (100, True)


def test_exits_that_may_only_reduce_never_turn_the_position(desk: Desk, bench: Bench) -> None:
    protected(desk)
    desk.fills("entry", 100)
    tick(bench, "94")
    desk.works("profit")
    # Somebody sells 70 by hand.
    placed(bench, 50, side="SELL", quantity="70")
    fill(bench, bench.sent(r.SubmitOrder)[-1])
    for name in ("profit", "stop"):
        (child,) = desk.at_venue(name)
        assert child.replacement is not None or child.status == "PENDING_CANCEL"
    desk.hears("profit", r.Replaced, quantity=D(30), limit_price=D(110))
    desk.cancelled("stop")
    assert [child.quantity for child in desk.at_venue("stop")] == [30]
    desk.fills("stop", 30, "94")
    desk.cancelled("profit")
    assert (position(bench).quantity, position(bench).working_sell, desk.reserved) == (0, 0, True)
    assert {desk.status("profit"), desk.status("stop")} == {"CANCELED", "FILLED"}


@pytest.mark.parametrize("crash", [False, True])
def test_an_entry_that_is_cancelled_after_a_part_leaves_exits_for_the_part(
    desk: Desk, bench: Bench, crash: bool
) -> None:
    protected(desk)
    desk.fills("entry", 30)
    desk.cancelled("entry")
    if crash:
        bench.restart()
        bench.open()
        bench.wait(1)
    tick(bench, "94")
    assert [child.quantity for child in desk.at_venue("stop")] == [30]
    desk.fills("stop", 30, "94")
    if desk.at_venue("profit"):
        desk.cancelled("profit")
    assert (position(bench).quantity, desk.reserved) == (0, True)
    assert [ended.status for ended in bench.events(WorkEnded)].count("FILLED") == 1


def test_a_kill_between_a_fill_and_what_it_causes_leaves_nothing_open(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OCO", side="SELL", limit_price="110")
    desk.place("low", "OCO", side="SELL", limit_price="105")
    desk.fills("low", 40, "105")
    bench.tell("desk/main", Kill(reason="enough", by="me"))
    desk.cancelled("low")
    desk.fills("high", 10, "110")
    desk.cancelled("high")
    assert {desk.status("high"), desk.status("low")} == {"CANCELED"}
    assert "GROUP_OVERFILLED" in list(bench.alarms())
    assert (position(bench).quantity, position(bench).working_sell) == (-50, 0)


def test_the_day_of_one_leg_ends_and_the_other_stays(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.place("profit", "BRACKET", "CHILD", side="SELL", limit_price="110", time_in_force="DAY")
    desk.place("stop", "BRACKET", "CHILD", side="SELL", order_type="STOP", stop_price=D("95"))
    desk.fills("entry", 100)
    desk.works("profit")
    bench.wait(86400)
    if desk.at_venue("profit"):
        desk.hears("profit", r.Expired)
    assert desk.status("profit") == "EXPIRED"
    bench.open()
    tick(bench, "94")
    assert [child.quantity for child in desk.at_venue("stop")] == [100]
