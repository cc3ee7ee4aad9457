"""A client changes one order of a group, and what follows; a venue that is away when the group lets an order go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine import reports as r
from engine.commands import MarketMoved, ReplaceApproved, Reprice, SetStatus
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D
from tests.actors.linked import PLAN, Desk, exits, floor
from tests.actors.test_work import tick


@pytest.fixture
def bench() -> Bench:
    return floor()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def replaced(desk: Desk, name: str) -> None:
    """The venue takes the replacement it was asked for last."""
    mine = desk.at_venue(name)[0].ticket.order_id
    asked = [one for one in desk.bench.sent(r.ReplaceVenueOrder) if one.client_order_id == mine][-1]
    desk.hears(name, r.Replaced, quantity=asked.quantity, limit_price=asked.limit_price)


def test_the_price_of_a_leg_at_the_venue_is_replaced_there(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.works("profit")
    assert desk.modify("profit", limit_price=D(108)).status == "ACCEPTED"
    (asked,) = bench.sent(r.ReplaceVenueOrder)
    assert (asked.quantity, asked.limit_price) == (100, 108)
    replaced(desk, "profit")
    assert (desk.order("profit").limit_price, desk.at_venue("profit")[0].limit_price) == (108, 108)
    desk.fills("profit", 100, "108")
    assert (desk.status("profit"), desk.status("stop"), desk.reserved) == ("FILLED", "CANCELED", True)


@pytest.mark.parametrize(("side", "first", "then"), [("BUY", 105, 104), ("SELL", 108, 109)])
def test_a_price_that_was_made_stricter_since_is_what_the_venue_is_asked_for(
    desk: Desk, bench: Bench, side: str, first: int, then: int
) -> None:
    desk.place("leg", "OCO", side=side, limit_price="103" if side == "BUY" else "110")
    desk.works("leg")
    assert desk.modify("leg", limit_price=D(then)).status == "ACCEPTED"
    replaced(desk, "leg")
    # What the parent wanted before that reaches its child only now.
    bench.tell(f"order/{desk.at_venue('leg')[0].ticket.order_id}", Reprice(quantity=D(90), limit_price=D(first)))
    asked = bench.sent(r.ReplaceVenueOrder)[-1]
    assert (asked.quantity, asked.limit_price) == (90, then)


def test_where_the_venue_replaces_nothing_it_is_sent_anew_at_the_new_price(bench: Bench) -> None:
    bench.open(modify=False)
    desk = Desk(bench)
    exits(desk, "OCO")
    desk.works("profit")
    assert desk.modify("profit", limit_price=D(108)).status == "ACCEPTED"
    assert desk.asked_to_cancel("profit")
    desk.cancelled("profit")
    (child,) = desk.at_venue("profit")
    assert (child.quantity, child.limit_price, desk.reserved) == (100, 108, True)


def test_a_dearer_entry_reserves_more_at_once_and_is_booked_at_what_each_child_had(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.works("entry")
    desk.fills("entry", 10)
    assert desk.modify("entry", limit_price=D(105)).status == "ACCEPTED"
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.working_buy, held.reserved_buy) == (90, 90 * 105)
    desk.fills("entry", 20)
    assert desk.reserved
    replaced(desk, "entry")
    desk.fills("entry", 70, "105")
    assert (desk.status("entry"), desk.reserved) == ("FILLED", True)
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").reserved_buy == 0


def test_more_than_the_cash_is_refused_and_changes_nothing(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.works("entry")
    outcome = desk.modify("entry", quantity=D(2000))
    assert (outcome.status, outcome.code) == ("DENIED", "INSUFFICIENT_CASH")
    assert (bench.sent(r.ReplaceVenueOrder), desk.order("entry").quantity, desk.reserved) == ([], 100, True)


def test_the_legs_of_an_ouo_follow(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    assert desk.modify("high", quantity=D(60)).status == "ACCEPTED"
    assert [(one.quantity, one.limit_price) for one in bench.sent(r.ReplaceVenueOrder)] == [(60, 110), (60, 105)]
    for name, price in (("high", 110), ("low", 105)):
        desk.hears(name, r.Replaced, quantity=D(60), limit_price=D(price))
        assert desk.order(name).quantity == 60
    desk.fills("low", 25, "105")
    replaced(desk, "high")
    assert (desk.order("high").quantity, desk.reserved) == (35, True)
    # What the other has filled is taken off already: 30 is what this one is for from now on.
    assert desk.modify("high", "m-2", quantity=D(30)).status == "ACCEPTED"
    replaced(desk, "high")
    assert (desk.order("high").quantity, desk.at_venue("high")[0].quantity) == (30, 30)


def test_the_children_of_a_bracket_follow_its_parent(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.works("entry")
    desk.fills("entry", 40)
    assert desk.modify("entry", quantity=D(150)).status == "ACCEPTED"
    assert [child.quantity for child in desk.at_venue("entry")] == [100, 50]
    desk.works("entry", 1)
    desk.fills("entry", 60)
    desk.fills("entry", 50, piece=0)
    assert desk.status("entry") == "FILLED"
    assert (desk.order("stop").quantity, desk.order("profit").quantity, desk.reserved) == (150, 150, True)


def test_a_child_that_waits_is_for_what_its_client_says(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    assert desk.modify("profit", quantity=D(60), limit_price=D(112)).status == "ACCEPTED"
    assert (desk.order("profit").working, desk.at_venue("profit"), desk.reserved) == (60, [], True)
    desk.fills("entry", 100)
    (child,) = desk.at_venue("profit")
    assert (child.quantity, child.limit_price) == (60, 112)


def test_a_child_is_never_for_more_than_is_entered(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 40)
    desk.works("profit")
    assert desk.modify("profit", quantity=D(90)).status == "ACCEPTED"
    assert [child.quantity for child in desk.at_venue("profit")] == [40]
    desk.fills("entry", 60)
    assert sum(child.quantity for child in desk.at_venue("profit")) == 90
    assert (desk.order("stop").quantity, desk.reserved) == (100, True)


def test_a_child_whose_price_comes_as_it_is_made_larger_is_sent_for_what_is_entered(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 40)
    bench.restart()
    bench.open()
    stop = desk.order("stop").ticket
    command = ExecutionCommand(
        command_id="m-1",
        subscriber_id="alice",
        order_id=stop.order_id,
        quantity=D(90),
        plan=ExecutionPlan(plan_id=PLAN, action="MODIFY_ORDER"),
    )
    bench.quote("AAPL", "94")
    quote = bench.partition.turn.market.quote("XNAS:AAPL", bench.now)
    approved = ReplaceApproved(command=command, reply_to="", ticket=replace(stop, quantity=D(90)))
    assert bench.part("group/alice/g") is None  # It hears of it later.
    bench.tell(f"order/{stop.order_id}", approved, MarketMoved(data=quote))
    assert [sent.quantity for sent in bench.sent(r.SubmitOrder)][-1] == 40
    desk.fills("entry", 60)
    assert sum(child.quantity for child in desk.at_venue("stop")) == 90
    assert desk.reserved


def test_one_who_may_not_sell_short_may_move_an_exit_after_a_restart(bench: Bench) -> None:
    bench.join("alice", allow_short=False, collar_bps=5000)
    desk = Desk(bench)
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 100)
    desk.works("profit")
    bench.restart()
    bench.open()
    assert bench.part("group/alice/g") is None
    assert desk.modify("profit", limit_price=D(107)).status == "ACCEPTED"
    assert bench.sent(r.ReplaceVenueOrder)[-1].limit_price == 107


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quantity": D(10)}, "BELOW_FILLED"),
        ({"quantity": D("50.5")}, "OFF_LOT"),
        ({"limit_price": D("110.001")}, "OFF_TICK"),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Desk, fields: dict[str, Any], code: str) -> None:
    exits(desk, "OUO")
    desk.works("profit")
    desk.fills("profit", 10, "110")
    assert desk.modify("profit", **fields).code == code
    assert desk.modify("stop", "m-2", limit_price=D(90)).code == "UNEXPECTED_PRICE"


# a venue that is away


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("paused", [False, True])
def test_an_exit_that_is_let_go_while_the_venue_is_away_is_sent_when_it_is_back(
    desk: Desk, bench: Bench, paused: bool, restarts: bool
) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    if paused:
        bench.tell("venue/test", SetStatus(status="PAUSED", reason="a look", by="me"))
    else:
        bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    desk.fills("entry", 100)
    assert desk.at_venue("profit") == []
    assert list(bench.alarms()).count("RELEASE_WAITS") == 1
    if restarts:
        bench.restart()
    if paused:
        bench.tell("venue/test", SetStatus(status="ACTIVE", reason="all is well", by="me"))
    bench.open()
    bench.wait(2)
    assert [child.quantity for child in desk.at_venue("profit")] == [100]
    tick(bench, "94")
    assert [child.quantity for child in desk.at_venue("stop")] == [100]
    assert desk.reserved


def test_a_stop_that_fires_while_the_venue_is_away_is_sent_when_it_is_back(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 40)
    bench.tell("venue/test", SetStatus(status="PAUSED", reason="a look", by="me"))
    tick(bench, "94")
    desk.fills("entry", 60)
    assert (desk.at_venue("stop"), desk.status("stop")) == ([], "WORKING")
    bench.tell("venue/test", SetStatus(status="ACTIVE", reason="all is well", by="me"))
    bench.wait(2)
    assert sum(child.quantity for child in desk.at_venue("stop")) == 100
    assert sum(child.quantity for child in desk.at_venue("profit")) == 100
    assert desk.reserved


def test_what_the_gate_stops_because_the_venue_has_just_gone_is_sent_later(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 100)
    tick(bench, "94")
    stop = desk.at_venue("stop")[0].ticket.order_id
    why = "VENUE_DOWN: venue test is down: away"
    bench.tell(f"order/{stop}", r.Rejected(client_order_id=stop, reason=why, at=bench.now))
    assert desk.status("stop") == "WORKING"
    bench.wait(2)
    assert [child.quantity for child in desk.at_venue("stop")] == [100]


def test_what_is_kept_for_a_venue_that_is_away_is_cancelled_all_the_same(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.fills("entry", 100)
    tick(bench, "94")
    stop = desk.at_venue("stop")[0].ticket.order_id
    bench.tell("venue/test", SetStatus(status="PAUSED", reason="a look", by="me"))
    why = "VENUE_PAUSED: venue test is paused: a look"
    bench.tell(f"order/{stop}", r.Rejected(client_order_id=stop, reason=why, at=bench.now))
    assert desk.cancels_group().status == "ACCEPTED"
    assert desk.status("stop") == "CANCELED"
    desk.cancelled("profit")
    assert desk.reserved


def test_an_order_whose_time_is_over_is_not_made_larger(desk: Desk, bench: Bench) -> None:
    end = bench.now + timedelta(seconds=60)
    desk.place("entry", "OTO", "PARENT", limit_price="100", time_in_force="GTD", expires_at=end)
    desk.works("entry")
    bench.now = end
    assert desk.modify("entry", quantity=D(150)).status in ("ACCEPTED", "DENIED")
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_what_fills_before_an_entry_is_made_smaller_is_covered(desk: Desk, bench: Bench) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.works("entry")
    desk.fills("entry", 40)
    assert desk.modify("entry", quantity=D(50)).status == "ACCEPTED"
    desk.fills("entry", 60)
    assert (desk.status("entry"), desk.order("entry").filled, desk.reserved) == ("FILLED", 100, True)
    assert desk.order("stop").quantity == 100


def test_another_price_leaves_the_size_that_is_being_made(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.works("profit")
    assert desk.modify("profit", quantity=D(60)).status == "ACCEPTED"
    assert desk.modify("profit", "m-2", limit_price=D(112)).status == "ACCEPTED"
    replaced(desk, "profit")
    for _ in range(3):
        if len(bench.sent(r.ReplaceVenueOrder)) > 1:
            break
        bench.wait(1)
    replaced(desk, "profit")
    (child,) = desk.at_venue("profit")
    assert (child.quantity, desk.order("profit").quantity, desk.reserved) == (60, 60, True)


def test_a_child_that_its_venue_overfilled_is_not_cancelled_again_and_again(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    desk.fills("low", 25, "105")
    for _ in range(10):
        for _ in range(5):
            desk.hears("high", r.Snapshot, status="FILLED", quantity=D(100), filled=D(110))
        desk.hears("high", r.CancelRejected, reason="FILLED")
    assert len(bench.sent(r.CancelVenueOrder)) <= 2
    assert desk.at_venue("high")[0].status == "UNKNOWN"
    assert "ORDER_UNKNOWN" in list(bench.alarms())


def test_a_child_that_was_lost_as_it_was_to_be_smaller_is_cut_when_it_turns_up(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    desk.place("low", "OUO", side="SELL", limit_price="105")
    desk.works("high")
    desk.works("low")
    desk.fills("low", 25, "105")
    for _ in range(6):
        bench.wait(6)
        bench.quote("AAPL", "100")
        desk.hears("high", r.NotFound)
    assert desk.at_venue("high")[0].status == "UNKNOWN"
    asked = len(bench.sent(r.CancelVenueOrder))
    for _ in range(3):
        if len(bench.sent(r.CancelVenueOrder)) > asked:
            break
        desk.hears("high", r.Snapshot, status="WORKING", quantity=D(100), limit_price=D(110), filled=D(0))
    assert len(bench.sent(r.CancelVenueOrder)) == asked + 1
    desk.cancelled("high")
    assert [child.quantity for child in desk.at_venue("high")] == [75]
    assert desk.reserved
