"""Execution plans as they are written: what each becomes at the venue, and that its constraints hold."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine import reports as r
from engine.instructions import Instructions
from engine.intake import read
from engine.messages import ExecutionRequest
from engine.order import Order
from tests.actors.bench import AT, Bench, D
from tests.actors.test_work import fill, order, run

URGENT = {
    "plan_id": "EXP_20251201_143450_pqr901",
    "action": "EXECUTE_TRADE",
    "execution_urgency": "0.95",
    "visibility_preference": "1.0",
    "max_slippage_pct": "0.0100",
    "must_complete_immediately": True,
    "max_execution_window_minutes": None,
    "preferred_execution_style": None,
    "chunk_count_hint": None,
    "chunk_distribution": None,
    "min_fill_ratio": "0.95",
}
PATIENT = {
    "plan_id": "EXP_20251201_144000_stu234",
    "action": "EXECUTE_TRADE",
    "execution_urgency": "0.20",
    "visibility_preference": "0.30",
    "max_slippage_pct": "0.0030",
    "must_complete_immediately": False,
    "max_execution_window_minutes": 60,
    "preferred_execution_style": "TWAP",
    "chunk_count_hint": 12,
    "chunk_distribution": "UNIFORM",
    "min_fill_ratio": None,
}


@pytest.fixture
def bench() -> Bench:
    """An open venue, and Alice with money."""
    bench = Bench()
    bench.open()
    bench.join("alice", allow_short=True)
    return bench


def asked(plan: dict[str, Any], **fields: Any) -> ExecutionRequest:
    """A request as it comes in, with a plan."""
    body = {"request_id": "r-1", "signal_id": "s-1", "strategy_id": "m", "exchange": "XNAS", "symbol": "AAPL"}
    body |= {"subscriber_id": "alice", "side": "BUY", "quantity": "120", "order_type": "MARKET"}
    body |= {"time_in_force": "DAY", "issued_at": AT.isoformat(), "plan": plan} | fields  # type: ignore[dict-item]
    message = read("request", json.dumps(body).encode())
    assert isinstance(message, ExecutionRequest), message
    return message


def accepted(bench: Bench, plan: dict[str, Any], **fields: Any) -> str:
    outcome = bench.ask("subscriber/alice", asked(plan, **fields))
    assert outcome.status == "ACCEPTED", outcome
    return str(outcome.orders[0])


def test_hints_that_are_not_used_for_one_reason_are_told_together(bench: Bench) -> None:
    plan = {"plan_id": URGENT["plan_id"], "execution_urgency": "0.2", "preferred_execution_style": "MAGIC"}
    outcome = bench.ask("subscriber/alice", asked(plan))
    said = "plan.execution_urgency, plan.preferred_execution_style: no algorithm is called 'MAGIC'"
    assert (outcome.status, outcome.reason) == ("ACCEPTED", said)


def test_an_urgent_order_takes_its_least_at_once_or_nothing_and_then_the_rest(bench: Bench) -> None:
    name = accepted(bench, URGENT)
    (first,) = bench.sent(r.SubmitOrder)
    assert (first.quantity, first.time_in_force, first.limit_price) == (114, "FOK", D("101.00"))
    fill(bench, first)
    second = bench.sent(r.SubmitOrder)[1]
    assert (second.quantity, second.time_in_force, second.limit_price) == (6, "IOC", D("101.00"))
    fill(bench, second)
    assert (order(bench, name).status, order(bench, name).filled) == ("FILLED", 120)


def test_an_urgent_order_that_cannot_have_its_least_has_nothing(bench: Bench) -> None:
    name = accepted(bench, URGENT)
    (first,) = bench.sent(r.SubmitOrder)
    expired = r.Expired(client_order_id=first.client_order_id, at=bench.now)
    bench.tell(f"order/{first.client_order_id}", expired)
    found: Order = order(bench, name)
    assert (found.status, found.filled) == ("CANCELED", 0)
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").working_buy == 0


def test_the_rest_of_an_urgent_order_is_not_sent_once_its_request_is_stale(bench: Bench) -> None:
    stale = AT + timedelta(seconds=2)
    name = accepted(bench, URGENT, expires_at=stale.isoformat())
    (first,) = bench.sent(r.SubmitOrder)
    bench.now += timedelta(seconds=51)
    fill(bench, first)
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert (order(bench, name).status, order(bench, name).filled) == ("EXPIRED", 114)


def test_the_rest_of_an_urgent_order_is_not_sent_once_its_window_is_over(bench: Bench) -> None:
    late = AT + timedelta(hours=2)
    name = accepted(bench, URGENT | {"max_execution_window_minutes": 1}, expires_at=late.isoformat())
    (first,) = bench.sent(r.SubmitOrder)
    bench.now += timedelta(seconds=61)
    fill(bench, first)
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert (order(bench, name).status, order(bench, name).filled) == ("EXPIRED", 114)


def test_a_patient_order_comes_in_twelve_parts_in_an_hour_and_never_above_its_bound(bench: Bench) -> None:
    name = accepted(bench, PATIENT)
    children = run(bench, 3700)
    assert [child.quantity for child in children] == [10] * 12
    assert all(child.limit_price is not None and child.limit_price <= Decimal("100.30") for child in children)
    assert (order(bench, name).status, order(bench, name).filled) == ("FILLED", 120)


def test_a_patient_order_waits_while_the_market_is_beyond_its_bound(bench: Bench) -> None:
    name = accepted(bench, PATIENT)
    for _ in range(380):
        bench.wait(10)
        bench.quote("AAPL", "105")
        for child in bench.sent(r.SubmitOrder):
            address = f"order/{child.client_order_id}"
            if bench.part(address) is not None and bench.part(address).status == "PENDING_CANCEL":
                bench.tell(address, r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now))
    found = order(bench, name)
    assert (found.status, found.filled) == ("EXPIRED", 0)
    assert all(child.limit_price <= Decimal("100.30") for child in bench.sent(r.SubmitOrder) if child.limit_price)


def test_a_plan_that_changed_after_it_was_accepted_is_a_conflict(bench: Bench) -> None:
    accepted(bench, PATIENT)
    again = bench.ask("subscriber/alice", asked(PATIENT | {"chunk_count_hint": 6}))
    assert (again.status, again.code) == ("CONFLICT", "CONFLICT")
    assert "plan" in again.reason
    assert bench.ask("subscriber/alice", asked(PATIENT)).status == "EXISTS"


@pytest.mark.parametrize(
    ("plan", "fields", "code", "names"),
    [
        (URGENT | {"plan_id": "EXP_20251201_143450_pqr901\n"}, {}, "BAD_TEXT", "plan_id"),
        (URGENT | {"plan_id": "EXP_2025\u0967\u0968\u0966\u0967_143450_pqr901"}, {}, "BAD_TEXT", "plan_id"),
        (URGENT | {"plan_id": "EXP_20250230_143450_pqr901"}, {}, "BAD_TEXT", "plan_id"),
        (URGENT | {"execution_urgency": "1.0000001"}, {}, "BAD_VALUE", "execution_urgency"),
        (URGENT | {"max_execution_window_minutes": 0}, {}, "BAD_VALUE", "max_execution_window_minutes"),
        (URGENT | {"chunk_distribution": "SPIKY"}, {}, "BAD_VALUE", "chunk_distribution"),
        (URGENT, {"order_type": "STOP"}, "MISSING_PRICE", "stop_price"),
        (URGENT, {"time_in_force": "GTD", "expires_at": "2020-01-01T00:00:00Z"}, "BAD_EXPIRY", "expires_at"),
    ],
)
def test_what_makes_no_sense_is_no_message(plan: dict[str, Any], fields: dict[str, Any], code: str, names: str) -> None:
    body = {"request_id": "r-1", "signal_id": "s-1", "strategy_id": "m", "exchange": "XNAS", "symbol": "AAPL"}
    body |= {"subscriber_id": "alice", "side": "BUY", "quantity": "120", "order_type": "MARKET"}
    body |= {"time_in_force": "DAY", "issued_at": AT.isoformat(), "plan": plan} | fields  # type: ignore[dict-item]
    refused = read("request", json.dumps(body).encode())
    assert (refused.code, names in refused.reason) == (code, True), refused


def test_an_immediate_plan_for_an_order_that_waits_is_a_conflict_of_the_plan(bench: Bench) -> None:
    outcome = bench.ask("subscriber/alice", asked(URGENT, order_type="STOP", stop_price="120"))
    assert (outcome.status, outcome.code) == ("DENIED", "PLAN_CONFLICT")
    assert bench.sent(r.SubmitOrder) == []


def test_reduce_only_is_cut_to_what_is_held_and_refused_where_nothing_is(bench: Bench) -> None:
    only = Instructions(reduce_only=True)
    plain: dict[str, Any] = {"plan_id": "EXP_20251201_144000_stu234"}
    request = asked(plain, side="SELL", instructions={"reduce_only": True})
    assert request.instructions == only
    assert bench.ask("subscriber/alice", request).code == "NOTHING_TO_REDUCE"
    bought = accepted(bench, plain, signal_id="s-2", request_id="r-2", quantity="50")
    fill(bench, bench.sent(r.SubmitOrder)[0])
    assert bought
    accepted(bench, plain, signal_id="s-3", request_id="r-3", side="SELL", instructions={"reduce_only": True})
    assert bench.sent(r.SubmitOrder)[-1].quantity == 50
