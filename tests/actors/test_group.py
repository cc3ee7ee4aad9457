"""Orders in groups, from the request to the venue and back: what one does to the others, and what a crash leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import reports as r
from engine.commands import Kill
from engine.events import CommandDecided
from engine.messages import ExecutionCommand, Quote
from engine.plan import ExecutionPlan
from engine.work import WorkEnded
from tests.actors.bench import Bench, D
from tests.actors.linked import PLAN, Desk, exits, floor
from tests.actors.test_work import tick


@pytest.fixture
def bench() -> Bench:
    return floor()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


# one cancels the other


def test_a_fill_of_one_cancels_the_other_in_the_same_turn(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.works("profit")
    assert desk.at_venue("stop") == []
    desk.fills("profit", 30, "110")
    assert desk.status("stop") == "CANCELED"
    assert desk.status("profit") == "PARTIALLY_FILLED"
    assert (desk.open_to_sell(), desk.reserved) == (70, True)
    (ended,) = bench.events(WorkEnded)
    assert (ended.order_id, ended.status) == (desk.orders["stop"], "CANCELED")
    tick(bench, "90")
    assert desk.at_venue("stop") == []


def test_one_that_is_at_the_venue_is_cancelled_there(desk: Desk) -> None:
    desk.place("high", "OCO", side="SELL", limit_price="110")
    desk.place("low", "OCO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    desk.fills("low", 100, "105")
    assert desk.status("low") == "FILLED"
    assert desk.asked_to_cancel("high")
    desk.cancelled("high")
    assert desk.status("high") == "CANCELED"
    assert (desk.open_to_sell(), desk.reserved) == (0, True)
    assert list(desk.bench.alarms()) == []


def test_what_the_race_lets_through_is_told(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OCO", side="SELL", limit_price="110")
    desk.place("low", "OCO", side="SELL", limit_price="105")
    desk.fills("low", 100, "105")
    desk.fills("high", 40, "110")
    assert list(bench.alarms()) == ["GROUP_OVERFILLED"]
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").quantity == -140


def test_a_rejected_or_cancelled_one_leaves_the_other(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.hears("profit", r.Rejected, reason="no")
    assert (desk.status("profit"), desk.status("stop")) == ("CANCELED", "WORKING")
    tick(bench, "94")
    assert len(desk.at_venue("stop")) == 1


# one updates the other


def test_a_fill_of_one_takes_as_much_from_the_other(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    desk.fills("low", 30, "105")
    (replaced,) = bench.sent(r.ReplaceVenueOrder)
    assert (replaced.quantity, replaced.client_order_id) == (70, desk.at_venue("high")[0].ticket.order_id)
    # Until the venue has taken it, all of it may still fill.
    assert (desk.order("high").working, desk.reserved) == (100, True)
    desk.hears("high", r.Replaced, quantity=D(70), limit_price=D(110))
    assert (desk.order("high").quantity, desk.open_to_sell(), desk.reserved) == (70, 140, True)
    desk.fills("high", 70, "110")
    assert desk.status("high") == "FILLED"
    assert desk.asked_to_cancel("low")
    desk.cancelled("low")
    assert (desk.open_to_sell(), desk.reserved) == (0, True)
    assert not any(alarm.startswith("GROUP") for alarm in bench.alarms())


def test_a_held_one_is_made_smaller_where_it_waits(desk: Desk, bench: Bench) -> None:
    exits(desk, "OUO")
    desk.works("profit")
    desk.fills("profit", 40, "110")
    assert (desk.order("stop").quantity, desk.order("stop").working, desk.reserved) == (60, 60, True)
    bench.restart()
    bench.open()
    bench.wait(1)
    tick(bench, "95")
    (child,) = desk.at_venue("stop")
    assert child.quantity == 60


@pytest.mark.parametrize("acknowledged", [False, True])
def test_where_it_cannot_be_replaced_it_is_cancelled_and_the_rest_sent_anew(bench: Bench, acknowledged: bool) -> None:
    bench.open(modify=not acknowledged)
    desk = Desk(bench)
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    if acknowledged:
        desk.works("high")
    desk.fills("low", 30, "105")
    assert desk.asked_to_cancel("high")
    assert desk.reserved
    desk.cancelled("high")
    (child,) = desk.at_venue("high")
    assert (child.quantity, child.limit_price) == (70, 110)
    assert (desk.order("high").quantity, desk.status("high"), desk.reserved) == (70, "WORKING", True)


def test_a_venue_that_will_not_make_it_smaller_is_told_of_and_not_asked_again(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    desk.works("high")
    desk.fills("low", 30, "105")
    desk.hears("high", r.ReplaceRejected, reason="no")
    assert desk.asked_to_cancel("high")
    desk.hears("high", r.CancelRejected, reason="no")
    assert list(bench.alarms()) == ["GROUP_UNEVEN"]
    assert len(bench.sent(r.CancelVenueOrder)) == 1
    assert len(bench.sent(r.ReplaceVenueOrder)) == 1
    assert (desk.order("high").working, desk.reserved) == (100, True)
    desk.fills("high", 100, "110")
    assert (desk.status("high"), desk.reserved) == ("FILLED", True)
    assert "GROUP_OVERFILLED" in list(bench.alarms())


# one triggers the others


def test_a_child_is_sent_when_its_parent_is_filled_and_not_before(desk: Desk) -> None:
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    desk.place("exit", "OTO", "CHILD", side="SELL", limit_price="110")
    assert desk.at_venue("exit") == []
    assert desk.status("exit") == "WORKING"
    desk.fills("entry", 60)
    assert desk.at_venue("exit") == []
    desk.fills("entry", 40)
    assert [child.quantity for child in desk.at_venue("exit")] == [100]
    desk.fills("exit", 100, "110")
    assert (desk.status("exit"), desk.reserved) == ("FILLED", True)


@pytest.mark.parametrize("filled", [0, 60])
def test_a_parent_that_ends_unfilled_takes_its_children_with_it(desk: Desk, bench: Bench, filled: int) -> None:
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    desk.place("exit", "OTO", "CHILD", side="SELL", limit_price="110")
    if filled:
        desk.fills("entry", filled)
    desk.cancelled("entry")
    assert (desk.status("exit"), desk.at_venue("exit")) == ("CANCELED", [])
    assert (desk.open_to_sell(), desk.reserved) == (0, True)
    assert [ended.status for ended in bench.events(WorkEnded)] == ["CANCELED", "CANCELED"]


def test_a_child_that_comes_after_the_fill_is_sent_at_once(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "OTO", "PARENT")
    desk.fills("entry", 100)
    bench.restart()
    bench.open()
    bench.quote("AAPL", "100")
    desk.place("exit", "OTO", "CHILD", side="SELL", limit_price="110")
    assert [child.quantity for child in desk.at_venue("exit")] == [100]


def test_a_child_that_waits_is_cancelled_by_its_client(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    desk.place("exit", "OTO", "CHILD", side="SELL", limit_price="110")
    plan = ExecutionPlan(plan_id=PLAN, action="CANCEL_ORDER")
    cancel = ExecutionCommand(command_id="c-9", subscriber_id="alice", order_id=desk.orders["exit"], plan=plan)
    assert bench.ask("subscriber/alice", cancel).status == "ACCEPTED"
    assert desk.status("exit") == "CANCELED"
    desk.fills("entry", 100)
    assert desk.at_venue("exit") == []


def test_a_child_that_risk_refuses_does_not_join(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    assert desk.ask("exit", "OTO", "CHILD", side="SELL", limit_price="10").code == "PRICE_COLLAR"
    assert len(bench.part("group/alice/g").members) == 1
    desk.fills("entry", 100)
    assert desk.status("entry") == "FILLED"


# brackets


def test_a_brackets_children_cover_what_is_filled_as_it_fills(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    assert desk.at_venue("profit") == []
    desk.fills("entry", 30)
    assert [(child.quantity, child.ticket.group) for child in desk.at_venue("profit")] == [(30, "")]
    assert bench.part("venue/test", f"parent/{desk.orders['profit']}").quantity == 30
    assert (desk.order("stop").quantity, desk.reserved) == (30, True)
    desk.fills("entry", 70)
    assert [child.quantity for child in desk.at_venue("profit")] == [30, 70]
    assert (desk.order("profit").quantity, desk.order("stop").quantity, desk.reserved) == (100, 100, True)
    desk.works("profit", 0)
    desk.works("profit", 1)
    desk.fills("profit", 30, "110", piece=0)
    assert desk.order("stop").quantity == 70
    tick(bench, "95")
    (stop,) = desk.at_venue("stop")
    assert stop.quantity == 70
    desk.fills("stop", 70, "95")
    assert desk.asked_to_cancel("profit")
    desk.cancelled("profit")
    assert (desk.status("stop"), desk.status("profit")) == ("FILLED", "CANCELED")
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.quantity, held.working_buy, held.working_sell) == (0, 0, 0)
    assert not any(alarm.startswith("GROUP") for alarm in bench.alarms())


def test_a_stop_that_waits_for_its_parent_does_not_fire(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="90")
    exits(desk, "BRACKET", "CHILD")
    tick(bench, "94")
    market = bench.partition.turn.market
    quote = Quote(exchange="XNAS", symbol="AAPL", bid=D(94), ask=D(94), bid_size=D(1), ask_size=D(1), at=bench.now)
    assert list(market.wanted(quote)) == []
    assert desk.at_venue("stop") == []
    desk.fills("entry", 100, "90")
    # The market is below it by now.
    assert [child.quantity for child in desk.at_venue("stop")] == [100]


def test_a_bracket_without_children_left_is_told(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 10)
    desk.fills("profit", 10, "110")
    assert desk.status("stop") == "CANCELED"
    desk.fills("entry", 90)
    assert "GROUP_UNCOVERED" in list(bench.alarms())
    assert desk.reserved


def test_a_parent_that_is_worked_in_slices_is_covered_slice_by_slice(desk: Desk, bench: Bench) -> None:
    plan = ExecutionPlan(
        plan_id=PLAN, preferred_execution_style="TWAP", max_execution_window_minutes=10, chunk_count_hint=5
    )
    desk.place("entry", "BRACKET", "PARENT", plan=plan, limit_price="101")
    exits(desk, "BRACKET", "CHILD")
    for _ in range(70):
        bench.wait(10)
        bench.quote("AAPL", "100")
        for child in desk.at_venue("entry"):
            desk.fills("entry", int(child.leaves))
        filled = desk.order("entry").filled
        assert sum(child.quantity for child in desk.at_venue("profit")) == filled
    assert (desk.status("entry"), desk.order("stop").quantity, desk.reserved) == ("FILLED", 100, True)
    assert not any(alarm.startswith("GROUP") for alarm in bench.alarms())


def test_a_child_whose_time_is_over_expires_where_it_waits(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    end = bench.now + timedelta(seconds=60)
    desk.place("exit", "OTO", "CHILD", side="SELL", limit_price="110", time_in_force="GTD", expires_at=end)
    bench.wait(61)
    assert desk.status("exit") == "EXPIRED"
    desk.fills("entry", 100)
    assert (desk.at_venue("exit"), desk.reserved) == ([], True)


# commands


def test_a_group_is_cancelled_whole_and_answered_once(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    assert desk.cancels_group().status == "ACCEPTED"
    assert desk.asked_to_cancel("entry")
    assert (desk.status("profit"), desk.status("stop")) == ("CANCELED", "CANCELED")
    assert desk.cancels_group().status == "EXISTS"
    desk.cancelled("entry")
    assert desk.status("entry") == "CANCELED"
    assert desk.cancels_group("c-2").code == "GROUP_OVER"
    assert desk.cancels_group("c-3", "none").code == "UNKNOWN_GROUP"
    assert len(bench.events(CommandDecided)) == 3
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.working_buy, held.working_sell) == (0, 0)
    assert len(bench.sent(r.CancelVenueOrder)) == 1


def test_another_subscribers_group_is_another(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    bench.join("bob")
    plan = ExecutionPlan(plan_id=PLAN, action="CANCEL_GROUP")
    command = ExecutionCommand(command_id="c-1", subscriber_id="bob", group_id="g", plan=plan)
    assert bench.ask("subscriber/bob", command).code == "UNKNOWN_GROUP"
    assert desk.status("stop") == "WORKING"


def test_a_kill_ends_every_member(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    bench.tell("desk/main", Kill(reason="enough", by="me"))
    desk.cancelled("entry")
    assert {desk.status(name) for name in desk.orders} == {"CANCELED"}
    assert bench.part("group/alice/g").over
    assert desk.reserved


def test_the_group_knows_what_a_client_made_of_an_order(desk: Desk, bench: Bench) -> None:
    plan = ExecutionPlan(plan_id=PLAN, preferred_execution_style="TWAP", max_execution_window_minutes=10)
    desk.place("entry", "BRACKET", "PARENT", plan=plan, limit_price="101")
    change = ExecutionPlan(plan_id=PLAN, action="MODIFY_ORDER")
    command = ExecutionCommand(
        command_id="c-8", subscriber_id="alice", order_id=desk.orders["entry"], plan=change, quantity=D(80)
    )
    assert bench.ask("subscriber/alice", command).status == "ACCEPTED"
    (member,) = bench.part("group/alice/g").members
    assert (member.quantity, desk.order("entry").quantity) == (80, 80)


def test_an_order_worked_in_slices_cannot_wait_or_be_updated(desk: Desk) -> None:
    plan = ExecutionPlan(plan_id=PLAN, preferred_execution_style="TWAP", max_execution_window_minutes=10)
    assert desk.ask("child", "OTO", "CHILD", plan=plan).code == "VENUE_CANNOT"
    assert desk.ask("member", "OUO", plan=plan).code == "VENUE_CANNOT"
