"""Orders in groups while the venue is away, does not know them, or says nothing of the market."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine import reports as r
from engine.commands import ReplaceApproved
from engine.instructions import Instructions
from engine.messages import ExecutionCommand, Trade
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D
from tests.actors.linked import PLAN, Desk, floor
from tests.actors.test_work import tick


@pytest.fixture
def bench() -> Bench:
    return floor()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def test_a_child_that_its_venue_does_not_know_is_told_lost_though_its_group_wants_it_gone(
    desk: Desk, bench: Bench
) -> None:
    """A cancel that is repeated does not begin the wait for the venue's answer anew."""
    desk.place("one", "OCO", limit_price="100")
    desk.place("two", "OCO", limit_price="101")
    (child,) = desk.at_venue("two")
    name = child.ticket.order_id
    desk.fills("one", 100)
    for _ in range(12):
        # What the venue is asked for it answers at once: here that it does not know the order.
        bench.tell(f"order/{name}", r.CancelRejected(client_order_id=name, reason="unknown order", at=bench.now))
        bench.tell(f"order/{name}", r.NotFound(client_order_id=name, at=bench.now))
        for _ in range(4):
            asked = len(bench.sent(r.Reconcile))
            bench.wait(0.5)
            if len(bench.sent(r.Reconcile)) > asked:
                bench.tell(f"order/{name}", r.NotFound(client_order_id=name, at=bench.now))
    assert "ORDER_UNKNOWN" in bench.alarms()


@pytest.mark.parametrize("fields", [{"limit_price": "110"}, {"order_type": "STOP", "stop_price": D(100)}])
def test_a_child_that_is_let_go_while_the_venue_is_away_is_sent_when_it_is_back(
    desk: Desk, bench: Bench, fields: dict[str, Any]
) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.place("exit", "BRACKET", "CHILD", side="SELL", **fields)
    bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    desk.fills("entry", 100)
    assert desk.at_venue("exit") == []
    bench.restart()
    bench.open()
    bench.wait(2)
    (child,) = desk.at_venue("exit")
    assert (child.ticket.side, child.quantity) == ("SELL", 100)


def test_a_trailing_stop_that_is_let_go_without_a_live_price_trails_on_from_where_it_began(
    desk: Desk, bench: Bench
) -> None:
    """A print that is long past says nothing of the market."""
    old = Trade(exchange="XNAS", symbol="AAPL", price=D(120), size=D(1), at=bench.now)
    bench.partition.turn.market.hear(old, bench.now)
    bench.quote("AAPL", "100")
    desk.place("entry", "OTO", "PARENT", limit_price="100")
    told = Instructions(trail_amount=D(2))
    desk.place("exit", "OTO", "CHILD", side="SELL", order_type="TRAILING_STOP", instructions=told)
    bench.wait(61)
    desk.fills("entry", 100)
    tick(bench, "99")
    assert desk.at_venue("exit") == []
    tick(bench, "98")
    assert len(desk.at_venue("exit")) == 1


def test_an_order_that_is_cancelled_while_more_of_it_waits_for_the_venue_ends_with_what_was_there(
    desk: Desk, bench: Bench
) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.place("exit", "BRACKET", "CHILD", side="SELL", limit_price="110")
    desk.fills("entry", 40)
    bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    desk.fills("entry", 60)
    desk.cancels_group()
    desk.cancelled("exit")
    bench.wait(2)
    assert (desk.status("exit"), desk.at_venue("exit")) == ("CANCELED", [])


def test_another_price_that_was_reviewed_before_a_group_made_the_order_smaller_leaves_it_small(
    desk: Desk, bench: Bench
) -> None:
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    desk.place("exit", "BRACKET", "CHILD", side="SELL", limit_price="110")
    reviewed = replace(desk.order("exit").ticket, limit_price=D(111))
    bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    desk.fills("entry", 40)
    plan = ExecutionPlan(plan_id=PLAN, action="MODIFY_ORDER")
    name = desk.orders["exit"]
    command = ExecutionCommand(command_id="m", subscriber_id="alice", plan=plan, order_id=name, limit_price=D(111))
    bench.tell(f"order/{name}", ReplaceApproved(command=command, ticket=reviewed))
    assert (desk.order("exit").quantity, desk.order("exit").limit_price) == (40, 111)
