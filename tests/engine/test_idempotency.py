"""The same thing asked twice is known as the same, and another thing under the same key is told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from engine.idempotency import Conflict, Keyed, compare, fingerprint, key_of
from engine.instructions import Instructions, Membership
from engine.messages import CashMovement, ExecutionCommand, ExecutionRequest, OrderIntent, Provenance
from engine.plan import ExecutionPlan
from engine.target_messages import Target, TargetPositions
from engine.values import EXACT

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
PLAN = ExecutionPlan(plan_id="EXP_20260105_143000_abc12", min_fill_ratio=D("0.5"), chunk_count_hint=3)
REQUEST = ExecutionRequest(
    request_id="r-1",
    signal_id="s-1",
    strategy_id="momentum",
    subscriber_id="alice",
    exchange="XNAS",
    symbol="AAPL",
    side="BUY",
    quantity=D(10),
    order_type="LIMIT",
    limit_price=D("150.10"),
    time_in_force="DAY",
    plan=PLAN,
    provenance=Provenance(decision_id="d-1"),
    issued_at=AT,
    expires_at=AT,
)
INTENT = OrderIntent(
    idempotency_key="k-1",
    exchange="binance",
    symbol="BTC/USDT",
    side="BUY",
    qty=D("0.01"),
    order_type="MARKET",
    client_ts_utc=AT,
)
COMMAND = ExecutionCommand(command_id="c-1", subscriber_id="alice", plan=PLAN, request=REQUEST)
AMEND = ExecutionCommand(command_id="c-2", subscriber_id="alice", plan=PLAN, order_id="paper-1", quantity=D(5))
CASH = CashMovement(movement_id="m-1", subscriber_id="alice", currency="USD", amount=D(100), reason="10")
AAPL = Target(exchange="XNAS", symbol="AAPL", weight=D("0.5"))
MSFT = Target(exchange="XNAS", symbol="MSFT", weight=D("-0.25"))
TARGETS = TargetPositions(
    request_id="r-1",
    signal_id="s-1",
    strategy_id="momentum",
    subscriber_id="alice",
    mode="PRODUCTION",
    scope="NAMED",
    targets=(AAPL, MSFT),
    drift_fraction=D("0.1"),
    issued_at=AT,
)
LATER = AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (REQUEST, "signal/s-1"),
        (INTENT, "intent/k-1"),
        (COMMAND, "command/c-1"),
        (CASH, "cash/m-1"),
        (TARGETS, "targets/s-1"),
    ],
)
def test_the_key_is_the_clients_own_and_says_what_of(message: Keyed, key: str) -> None:
    assert key_of(message) == key


SAME: list[tuple[str, Keyed, Keyed]] = [
    ("itself", REQUEST, REQUEST),
    (
        "another request id and other times",
        REQUEST,
        replace(REQUEST, request_id="r-2", issued_at=LATER, expires_at=None),
    ),
    ("a quantity with decimals", REQUEST, replace(REQUEST, quantity=D("10.000"))),
    ("a price without its last zero", REQUEST, replace(REQUEST, limit_price=D("150.1"))),
    ("a ratio in the plan", REQUEST, replace(REQUEST, plan=replace(PLAN, min_fill_ratio=D("0.50")))),
    ("an intent at another time", INTENT, replace(INTENT, qty=D("0.010"), client_ts_utc=None)),
    ("a tiny quantity", replace(INTENT, qty=D("0.00000001")), replace(INTENT, qty=D("0.000000010"))),
    ("a command's request at another time", COMMAND, replace(COMMAND, request=replace(REQUEST, issued_at=LATER))),
    ("a command's request id", COMMAND, replace(COMMAND, request=replace(REQUEST, request_id="r-2"))),
    ("a command's quantity", AMEND, replace(AMEND, quantity=D("5.0"))),
    ("an amount", CASH, replace(CASH, amount=D("100.00"))),
    ("targets at another time", TARGETS, replace(TARGETS, request_id="r-2", issued_at=LATER, expires_at=LATER)),
    ("targets in another order", TARGETS, replace(TARGETS, targets=(MSFT, AAPL))),
    ("a target's weight", TARGETS, replace(TARGETS, targets=(replace(AAPL, weight=D("0.50")), MSFT))),
    ("a drift", TARGETS, replace(TARGETS, drift_fraction=D("0.10"))),
]


@pytest.mark.parametrize(("first", "again"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_the_same_asked_again_exists(first: Keyed, again: Keyed) -> None:
    assert compare(fingerprint(first), fingerprint(again)) == "EXISTS"
    assert compare(fingerprint(again), fingerprint(first)) == "EXISTS"


OTHER: list[tuple[Keyed, dict[str, Any], str]] = [
    (REQUEST, {"strategy_id": "carry"}, "strategy_id"),
    (REQUEST, {"subscriber_id": None}, "subscriber_id"),
    (REQUEST, {"exchange": "XLON"}, "exchange"),
    (REQUEST, {"symbol": "MSFT"}, "symbol"),
    (REQUEST, {"side": "SELL"}, "side"),
    (REQUEST, {"side": None, "intent": "OPEN_LONG"}, "side"),
    (REQUEST, {"intent": "OPEN_LONG"}, "intent"),
    (REQUEST, {"quantity": D("10.01")}, "quantity"),
    (REQUEST, {"quantity": None, "notional": D(10)}, "quantity"),
    (REQUEST, {"notional": D(10)}, "notional"),
    (REQUEST, {"weight": D(10)}, "weight"),
    (REQUEST, {"leverage": D(2)}, "leverage"),
    (REQUEST, {"order_type": "MARKET"}, "order_type"),
    (REQUEST, {"limit_price": D("150.11")}, "limit_price"),
    (REQUEST, {"limit_price": None}, "limit_price"),
    (REQUEST, {"stop_price": D(1)}, "stop_price"),
    (REQUEST, {"time_in_force": "GTC"}, "time_in_force"),
    (REQUEST, {"plan": None}, "plan"),
    (REQUEST, {"plan": replace(PLAN, min_fill_ratio=D("0.6"))}, "plan.min_fill_ratio"),
    (REQUEST, {"plan": replace(PLAN, min_fill_ratio=None)}, "plan.min_fill_ratio"),
    (REQUEST, {"plan": replace(PLAN, execution_urgency=D(1))}, "plan.execution_urgency"),
    (REQUEST, {"plan": replace(PLAN, chunk_count_hint=4)}, "plan.chunk_count_hint"),
    (REQUEST, {"provenance": Provenance()}, "provenance.decision_id"),
    (REQUEST, {"instructions": Instructions(reduce_only=True)}, "instructions"),
    (REQUEST, {"group": Membership(group_id="g", kind="OCO")}, "group"),
    (REQUEST, {"block": True}, "block"),
    (INTENT, {"subscriber_id": "bob"}, "subscriber_id"),
    (INTENT, {"exchange": "coinbase"}, "exchange"),
    (INTENT, {"symbol": "ETH/USDT"}, "symbol"),
    (INTENT, {"side": "SELL"}, "side"),
    (INTENT, {"qty": D("0.02")}, "qty"),
    (INTENT, {"order_type": "LIMIT"}, "type"),
    (INTENT, {"limit_price": D(1)}, "limit_price"),
    (COMMAND, {"subscriber_id": "bob"}, "subscriber_id"),
    (COMMAND, {"order_id": "paper-2"}, "order_id"),
    (COMMAND, {"group_id": "g"}, "group_id"),
    (COMMAND, {"request": None}, "request"),
    (COMMAND, {"request": replace(REQUEST, quantity=D(11))}, "request.quantity"),
    (COMMAND, {"request": replace(REQUEST, signal_id="s-2")}, "request.signal_id"),
    (COMMAND, {"request": replace(REQUEST, plan=replace(PLAN, chunk_count_hint=4))}, "request.plan.chunk_count_hint"),
    (AMEND, {"quantity": D(6)}, "quantity"),
    (AMEND, {"limit_price": D(6)}, "limit_price"),
    (AMEND, {"plan": replace(PLAN, action="MODIFY_ORDER")}, "plan.action"),
    (CASH, {"subscriber_id": "bob"}, "subscriber_id"),
    (CASH, {"currency": "EUR"}, "currency"),
    (CASH, {"amount": D("-100")}, "amount"),
    (CASH, {"reason": "10.0"}, "reason"),
    (TARGETS, {"mode": "TRAINING"}, "mode"),
    (TARGETS, {"scope": "ALL"}, "scope"),
    (TARGETS, {"all_or_none": True}, "all_or_none"),
    (TARGETS, {"targets": (AAPL,)}, "targets.XNAS:MSFT"),
    (TARGETS, {"targets": (AAPL, replace(MSFT, weight=D("0.25")))}, "targets.XNAS:MSFT.weight"),
    (TARGETS, {"targets": (AAPL, replace(MSFT, limit_price=D(5)))}, "targets.XNAS:MSFT.limit_price"),
    (TARGETS, {"drift_fraction": None}, "drift_fraction"),
    (TARGETS, {"min_order_notional": D(5)}, "min_order_notional"),
    (TARGETS, {"time_in_force": "GTC"}, "time_in_force"),
    (TARGETS, {"plan": PLAN}, "plan"),
]


@pytest.mark.parametrize(("first", "change", "field"), OTHER)
def test_something_else_under_the_same_key_names_the_first_field_that_differs(
    first: Keyed, change: dict[str, Any], field: str
) -> None:
    other = replace(first, **change)
    assert compare(fingerprint(first), fingerprint(other)) == Conflict(field)
    assert compare(fingerprint(other), fingerprint(first)) == Conflict(field)


TIMES = {"request_id", "issued_at", "expires_at", "client_ts_utc"}
KEYS = {"signal_id", "idempotency_key", "command_id", "movement_id"}


@pytest.mark.parametrize("message", [REQUEST, INTENT, COMMAND, CASH], ids=lambda message: type(message).__name__)
def test_every_field_but_keys_and_times_is_part_of_what_was_asked(message: Keyed) -> None:
    told_apart = {"order_type" if field == "type" else field for _, _, field in OTHER}
    for name in set(message.__struct_fields__) - TIMES - KEYS:
        assert any(path.split(".")[0] == name for path in told_apart), name


def test_a_key_never_seen_is_new() -> None:
    assert compare(None, fingerprint(REQUEST)) == "NEW"


def test_messages_of_different_types_conflict_in_their_type() -> None:
    assert compare(fingerprint(CASH), fingerprint(INTENT)) == Conflict("type")


def test_a_field_that_a_later_version_appended_was_left_out_before() -> None:
    stored = json.encode(json.decode(fingerprint(CASH))[:-1]).decode()
    assert compare(stored, fingerprint(CASH)) == Conflict("reason")
    assert compare(json.encode(json.decode(fingerprint(AMEND))[:-1]).decode(), fingerprint(AMEND)) == "EXISTS"


@given(st.integers(1, 10**30 - 1), st.integers(0, 12), st.integers(1, 12))
def test_a_number_is_the_same_however_many_zeros_follow(digits: int, places: int, zeros: int) -> None:
    short = EXACT.scaleb(D(digits), -places)
    longer = EXACT.multiply(short, D("1." + "0" * zeros))
    assert str(short) != str(longer)
    first, again = (fingerprint(replace(INTENT, qty=number)) for number in (short, longer))
    assert compare(first, again) == "EXISTS"
