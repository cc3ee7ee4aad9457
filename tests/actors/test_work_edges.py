"""What goes wrong around an order that is worked at our side: late fills, refused children, a venue that is away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors import partition as bounds
from engine import reports as r
from engine.commands import CancelOrder, ReplaceChild, SetStatus, SubmitChild
from engine.events import ChildStopped, OrderStarted
from engine.instructions import Instructions, Membership
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from engine.work import WorkMoved
from tests.actors.bench import AT, Bench, D, request
from tests.actors.test_work import PLAN, bench, fill, order, placed, tick, twap

__all__ = ("bench",)


def held(bench: Bench) -> Any:
    return bench.part("subscriber/alice", "position/XNAS:AAPL")


def modify(bench: Bench, name: str, number: str = "m-1", **fields: Any) -> Any:
    plan = ExecutionPlan(plan_id=PLAN, action="MODIFY_ORDER")
    command = ExecutionCommand(command_id=number, subscriber_id="alice", order_id=name, plan=plan, **fields)
    return bench.ask("subscriber/alice", command)


def test_the_rest_of_a_market_to_limit_order_passes_the_gate(bench: Bench) -> None:
    name = placed(bench, order_type="MARKET_TO_LIMIT")
    (child,) = bench.sent(r.SubmitOrder)
    fill(bench, child, "40")
    bench.tell(
        f"order/{child.client_order_id}",
        r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now, filled=D(40)),
    )
    assert [stopped.reason for stopped in bench.events(ChildStopped)] == []
    assert [child.quantity for child in bench.sent(r.SubmitOrder)] == [100, 60]
    assert order(bench, name).open


def test_what_the_gate_stopped_is_not_given_back(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    before = bench.part("venue/test", f"parent/{name}").out
    bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    bench.wait(300)
    assert bench.part("venue/test", f"parent/{name}").out == before


def test_a_fill_after_a_childs_end_counts_at_the_gate(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    (child,) = bench.sent(r.SubmitOrder)
    bench.tell(
        f"order/{child.client_order_id}", r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now)
    )
    assert bench.part("venue/test", f"parent/{name}").out == 0
    fill(bench, child)
    assert bench.part("venue/test", f"parent/{name}").out == 20
    found = order(bench, name)
    assert (found.filled, found.working, held(bench).working_buy) == (20, 80, 80)


LATE = [
    pytest.param({"plan": twap()}, "EXPIRED", id="an algorithm"),
    pytest.param({"time_in_force": "GTD", "limit_price": "90", "expires_at": AT + timedelta(minutes=10)}, "EXPIRED",
                 id="what is held"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "ends"), LATE)
def test_a_child_that_reaches_the_gate_after_its_parents_end_is_not_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], ends: str
) -> None:
    """Mail may wait while the clock goes on: at the last hop the end is the same as at the first."""
    monkeypatch.setattr(bounds, "MAX_FRONT", 0)
    bench.post("subscriber/alice", request(1, quantity="100", **fields))
    while not (started := bench.events(OrderStarted)):
        bench.run()
        bench.commit()
        if bench.events(WorkMoved):
            bench.now = AT + timedelta(minutes=10)
    bench.settle()
    (child,) = started
    assert [(stop.code, stop.client_order_id) for stop in bench.events(ChildStopped)] == [
        ("GATE_WINDOW", child.order_id)
    ]
    assert bench.sent(r.SubmitOrder) == []
    found = order(bench, child.ticket.parent)
    assert (found.status, found.filled, found.working) == (ends, 0, 0)
    assert held(bench).working_buy == 0


def test_a_child_is_neither_sent_again_nor_repriced_after_its_parents_end(bench: Bench) -> None:
    bench.open(deduplicates=True)
    placed(bench, plan=twap())
    (child,) = bench.sent(r.SubmitOrder)
    ticket = order(bench, child.client_order_id).ticket
    bench.now = AT + timedelta(minutes=10)
    fields = {"ticket": ticket, "client_order_id": child.client_order_id, "quantity": child.quantity}
    bench.tell("venue/test", SubmitChild(**fields, limit_price=child.limit_price, resend=True))
    assert [stop.code for stop in bench.events(ChildStopped)] == ["GATE_WINDOW"]
    bench.tell("venue/test", ReplaceChild(**fields, venue_order_id=None, limit_price=child.limit_price))
    assert (len(bench.sent(r.SubmitOrder)), bench.sent(r.ReplaceVenueOrder)) == (1, [])


def refuses(bench: Bench, child: r.SubmitOrder) -> None:
    """The venue refuses the cancel that was asked for, and says that it works the order."""
    name, address = child.client_order_id, f"order/{child.client_order_id}"
    bench.tell(address, r.CancelRejected(client_order_id=name, reason="no", at=bench.now))
    snapshot = r.Snapshot(client_order_id=name, venue_order_id="V", status="WORKING", quantity=child.quantity,
                          limit_price=child.limit_price, filled=D(0), at=bench.now)  # fmt: skip
    bench.tell(address, snapshot)


@pytest.mark.parametrize("ended", [False, True], ids=["cancelled", "at its end"])
def test_a_cancel_of_an_algorithms_child_that_is_refused_is_asked_for_again_with_a_pause(
    bench: Bench, ended: bool
) -> None:
    name = placed(bench, plan=twap(), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    refuses(bench, child)
    if ended:
        bench.wait(600)
    else:
        bench.tell(f"order/{name}", CancelOrder(reason="enough"))
    first = len(bench.sent(r.CancelVenueOrder))
    for again in range(3):
        refuses(bench, child)
        refuses(bench, child)
        mine = [
            sent for sent in bench.sent(r.CancelVenueOrder)[first:] if sent.client_order_id == child.client_order_id
        ]
        assert len(mine) == again
        bench.wait(1)


def test_an_amended_order_does_not_ask_a_child_without_end(bench: Bench) -> None:
    name = placed(bench, plan=twap(execution_urgency=D("0.2")), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    assert modify(bench, name, limit_price=D("90")).status == "ACCEPTED"
    assert bench.sent(r.ReplaceVenueOrder) == []
    bench.tell(
        f"order/{child.client_order_id}",
        r.Accepted(client_order_id=child.client_order_id, venue_order_id="V", at=bench.now),
    )
    bench.wait(1)
    (replaced,) = bench.sent(r.ReplaceVenueOrder)
    assert replaced.limit_price == 90


def test_a_venue_that_refuses_a_price_is_not_asked_in_a_loop(bench: Bench) -> None:
    name = placed(bench, plan=twap(execution_urgency=D("0.2")), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    address = f"order/{child.client_order_id}"
    bench.tell(address, r.Accepted(client_order_id=child.client_order_id, venue_order_id="V", at=bench.now))
    bench.tell("venue/test", SetStatus(status="PAUSED", reason="a look", by="me"))
    assert modify(bench, name, limit_price=D("90")).status == "ACCEPTED"
    bench.tell("venue/test", SetStatus(status="ACTIVE", reason="all is well", by="me"))
    bench.wait(1)
    for _ in range(3):
        refused = r.ReplaceRejected(client_order_id=child.client_order_id, reason="no", at=bench.now)
        bench.tell(address, refused)
    assert len(bench.sent(r.ReplaceVenueOrder)) == 1
    bench.wait(1)
    assert len(bench.sent(r.ReplaceVenueOrder)) == 2


def test_an_amended_order_keeps_what_is_at_the_venue_reserved(bench: Bench) -> None:
    name = placed(bench, plan=twap(execution_urgency=D("0.2"), chunk_count_hint=2), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    assert modify(bench, name, quantity=D("10")).status == "ACCEPTED"
    assert held(bench).working_buy == 50
    fill(bench, child)
    assert (held(bench).quantity, held(bench).working_buy, held(bench).reserved_buy) == (50, 0, 0)
    assert order(bench, name).status == "FILLED"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"plan": twap(execution_urgency=D("0.2"), chunk_count_hint=2, min_fill_ratio=D("0.9"))},
        {"order_type": "STOP_LIMIT", "stop_price": D("100")},
    ],
)
def test_an_order_amended_to_what_is_filled_of_it_is_filled(bench: Bench, fields: Any, late: bool) -> None:
    name = placed(bench, limit_price="100", **fields)
    child = bench.sent(r.SubmitOrder)[0]
    fill(bench, child, "30")
    outcome = modify(bench, name, quantity=D("20"))
    assert (outcome.status, outcome.code) == ("ACCEPTED", None)
    (cancel,) = bench.sent(r.CancelVenueOrder)
    assert cancel.client_order_id == child.client_order_id
    filled = 30
    if late:
        filled = 35
        more = r.Filled(
            client_order_id=cancel.client_order_id,
            execution_id="late",
            quantity=D(5),
            price=D(100),
            commission=D(0),
            at=bench.now,
        )
        bench.tell(f"order/{cancel.client_order_id}", more)
    canceled = r.Canceled(client_order_id=cancel.client_order_id, reason="as asked", at=bench.now)
    bench.tell(f"order/{cancel.client_order_id}", canceled)
    found = order(bench, name)
    assert (found.status, found.filled, found.quantity, found.working) == ("FILLED", filled, filled, 0)
    assert (held(bench).working_buy, held(bench).reserved_buy) == (0, 0)
    assert "MIN_FILL_NOT_MET" not in list(bench.alarms())


def test_an_amended_order_gives_back_what_its_cancelled_child_had(bench: Bench) -> None:
    name = placed(bench, plan=twap(execution_urgency=D("0.2"), chunk_count_hint=2), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    assert modify(bench, name, quantity=D("10")).status == "ACCEPTED"
    canceled = r.Canceled(client_order_id=child.client_order_id, reason="as asked", at=bench.now)
    bench.tell(f"order/{child.client_order_id}", canceled)
    assert (held(bench).working_buy, order(bench, name).working) == (10, 10)


def test_a_stop_whose_price_comes_while_the_venue_is_away_waits_for_it(bench: Bench) -> None:
    name = placed(bench, side="SELL", order_type="STOP", stop_price=D("95"))
    bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
    tick(bench, "94")
    assert order(bench, name).open
    batches = len(bench.journal.batches)
    bench.wait(60)
    assert len(bench.journal.batches) == batches
    # Its price has come, and stays come.
    bench.now += timedelta(seconds=1)
    bench.open()
    assert [child.quantity for child in bench.sent(r.SubmitOrder)] == [100]


def test_no_child_is_sent_before_the_venue_is_back_after_a_restart(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    sent = len(bench.sent(r.SubmitOrder))
    bench.now += timedelta(seconds=300)
    bench.restart()
    bench.wait(5)
    assert order(bench, name).work.placed == sent
    assert bench.events(ChildStopped) == []
    bench.open()
    bench.quote("AAPL", "100")
    assert len(bench.sent(r.SubmitOrder)) > 0


def test_a_child_is_changed_by_way_of_its_parent_only(bench: Bench) -> None:
    name = placed(bench, plan=twap(execution_urgency=D("0.2")), limit_price="100")
    (child,) = bench.sent(r.SubmitOrder)
    accepted = r.Accepted(client_order_id=child.client_order_id, venue_order_id="V", at=bench.now)
    bench.tell(f"order/{child.client_order_id}", accepted)
    outcome = modify(bench, child.client_order_id, quantity=D("200"))
    assert (outcome.status, outcome.code) == ("DENIED", "NOT_MODIFIABLE")
    assert name in outcome.reason
    assert bench.sent(r.ReplaceVenueOrder) == []


def test_a_hint_that_is_not_used_is_said_in_the_answer(bench: Bench) -> None:
    asked = request(1, plan=ExecutionPlan(plan_id=PLAN, preferred_execution_style="TWAP"))
    outcome = bench.ask("subscriber/alice", asked)
    assert outcome.status == "ACCEPTED"
    assert outcome.reason == (
        "plan.preferred_execution_style: TWAP needs max_execution_window_minutes or an order that ends"
    )


def test_a_stop_reserves_what_it_will_pay_and_not_what_the_market_is_now(bench: Bench) -> None:
    bench.join("bob", cash="12000", collar_bps=D(100))
    asked = request(1, "bob", quantity="100", order_type="STOP", stop_price=D("150"))
    outcome = bench.ask("subscriber/bob", asked)
    assert (outcome.status, outcome.code) == ("DENIED", "INSUFFICIENT_CASH")
    asked = request(2, "bob", quantity="50", order_type="STOP", stop_price=D("150"))
    assert bench.ask("subscriber/bob", asked).status == "ACCEPTED"
    position = bench.part("subscriber/bob", "position/XNAS:AAPL")
    assert (position.working_buy, position.reserved_buy) == (50, 7500)


def test_a_purchase_whose_stop_trails_reserves_the_stop_that_it_begins_with(bench: Bench) -> None:
    told = Instructions(trail_amount=D(5))
    asked = {"order_type": "TRAILING_STOP", "instructions": told}
    bench.join("bob", cash="10400", collar_bps=D(100))
    assert bench.ask("subscriber/bob", request(1, "bob", quantity="100", **asked)).code == "INSUFFICIENT_CASH"
    placed(bench, **asked)
    assert held(bench).reserved_buy == 10500
    for price in ("90", "94.99"):
        tick(bench, price)
    assert bench.sent(r.SubmitOrder) == []
    tick(bench, "95.50")
    (child,) = bench.sent(r.SubmitOrder)
    fill(bench, child, price="95.50")
    assert (held(bench).quantity, held(bench).working_buy, held(bench).reserved_buy) == (100, 0, 0)


def test_a_stop_that_begins_to_trail_in_a_dearer_market_reserves_more(bench: Bench) -> None:
    parent = Membership(group_id="g", kind="OTO", role="PARENT")
    placed(bench, 1, side="SELL", limit_price="100", group=parent)
    told = Instructions(trail_amount=D(5))
    child = Membership(group_id="g", kind="OTO", role="CHILD")
    placed(bench, 2, order_type="TRAILING_STOP", instructions=told, group=child)
    assert held(bench).reserved_buy == 10500
    tick(bench, "120")
    fill(bench, bench.sent(r.SubmitOrder)[0], price="120")
    assert held(bench).reserved_buy == 12500
    tick(bench, "125")
    fill(bench, bench.sent(r.SubmitOrder)[1], price="125")
    assert (held(bench).quantity, held(bench).working_buy, held(bench).reserved_buy) == (0, 0, 0)


def test_a_stop_whose_price_is_there_already_reserves_what_the_market_is_now(bench: Bench) -> None:
    bench.join("carol", cash="9600")
    asked = request(1, "carol", quantity="100", order_type="STOP", stop_price=D("95"))
    assert bench.ask("subscriber/carol", asked).code == "INSUFFICIENT_CASH"
    asked = request(2, "carol", quantity="50", order_type="STOP", stop_price=D("95"))
    assert bench.ask("subscriber/carol", asked).status == "ACCEPTED"
    position = bench.part("subscriber/carol", "position/XNAS:AAPL")
    assert (position.working_buy, position.reserved_buy) == (50, 5000)
