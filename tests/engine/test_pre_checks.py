"""What is refused before a request is sized, in a fixed order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine import risk
from engine.config import Allow, InstrumentSpec
from engine.gate import Venue
from engine.messages import ExecutionRequest
from engine.reports import Capabilities

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SPEC = InstrumentSpec(
    exchange="XNAS",
    symbol="AAPL",
    currency="USD",
    tick_size=D("0.01"),
    lot_size=D(1),
    min_quantity=D(1),
    min_notional=D(5),
    multiplier=D(1),
    calendar="XNYS",
)
REQUEST = ExecutionRequest(
    request_id="r-1",
    signal_id="s-1",
    strategy_id="momentum",
    subscriber_id="alice",
    exchange="XNAS",
    symbol="AAPL",
    side="BUY",
    quantity=D(10),
    order_type="MARKET",
    time_in_force="DAY",
    issued_at=AT,
)
ROUTE = Venue(
    name="paper",
    up=True,
    capabilities=Capabilities(
        order_types=frozenset({"MARKET"}), times_in_force=frozenset({"DAY"}), modify=True, deduplicates=True
    ),
)
ALLOWED: dict[str, Any] = {
    "request": REQUEST,
    "at": AT,
    "killed": False,
    "status": "ACTIVE",
    "allow": Allow(symbols=frozenset({"AAPL"}), exchanges=frozenset({"XNAS"})),
    "spec": SPEC,
    "route": ROUTE,
}
LIMITED: dict[str, Any] = {"order_type": "LIMIT", "limit_price": D(10)}

# One change to what is allowed for each code, in the order of PRE_CHECKS.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("KILLED", {"killed": True}, "kill switch"),
    ("UNKNOWN_SUBSCRIBER", {"status": None}, "alice"),
    ("SUBSCRIBER_PAUSED", {"status": "PAUSED"}, "PAUSED"),
    ("SUBSCRIBER_CLOSED", {"status": "CLOSED"}, "CLOSED"),
    ("SYMBOL_NOT_ALLOWED", {"allow": Allow(exchanges=frozenset({"XNAS"}))}, "XNAS:AAPL"),
    ("EXCHANGE_NOT_ALLOWED", {"allow": Allow(symbols=frozenset({"AAPL"}))}, "XNAS"),
    ("UNKNOWN_INSTRUMENT", {"spec": None}, "XNAS:AAPL"),
    ("STALE_REQUEST", {"request": replace(REQUEST, expires_at=AT)}, "expires_at: 2026-01-05T14:30:00"),
    ("FUTURE_REQUEST", {"request": replace(REQUEST, issued_at=AT + timedelta(seconds=6))}, "issued_at: 6.0 s"),
    ("NO_ROUTE", {"route": None}, "XNAS:AAPL"),
    ("VENUE_DOWN", {"route": replace(ROUTE, up=False, reason="refused")}, "paper is down: refused"),
    ("VENUE_PAUSED", {"route": replace(ROUTE, paused=True, reason="lunch")}, "paper is paused: lunch"),
    ("VENUE_CANNOT", {"request": replace(REQUEST, **LIMITED)}, "order_type: venue paper takes no LIMIT"),
]


@pytest.mark.parametrize(("code", "change", "names"), REFUSED, ids=[code for code, _, _ in REFUSED])
def test_a_request_is_refused_before_sizing(code: str, change: dict[str, Any], names: str) -> None:
    assert risk.pre_checks(**ALLOWED) is None
    refusal = risk.pre_checks(**ALLOWED | change)
    assert refusal is not None
    assert refusal.code == code
    assert names in refusal.reason


def test_the_table_names_the_pre_checks_in_the_order_they_are_made() -> None:
    assert [code for _, code in risk.PRE_CHECKS] == [code for code, _, _ in REFUSED]
    independent = [row for row in REFUSED if row[0] not in ("SUBSCRIBER_PAUSED", "SUBSCRIBER_CLOSED")]
    for index, (code, change, _) in enumerate(independent):
        for _, later, _ in independent[index + 1 :]:
            if set(later) & set(change):
                continue
            refusal = risk.pre_checks(**ALLOWED | later | change)
            assert refusal is not None
            assert refusal.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"allow": Allow(symbols=frozenset({"XNAS:AAPL"}), exchanges=frozenset({"XNAS"}))},
        {"request": replace(REQUEST, expires_at=AT + timedelta(microseconds=1))},
        {"request": replace(REQUEST, issued_at=AT + timedelta(seconds=5))},
        {"request": replace(REQUEST, issued_at=AT - timedelta(days=9))},
    ],
    ids=["an instrument allowed by its full name", "not expired yet", "a clock ahead by 5 s", "issued long ago"],
)
def test_a_request_just_within_bounds_passes(change: dict[str, Any]) -> None:
    assert risk.pre_checks(**ALLOWED | change) is None


def test_another_exchanges_instrument_is_not_allowed_by_its_full_name() -> None:
    allow = Allow(symbols=frozenset({"XLON:AAPL"}), exchanges=frozenset({"XNAS"}))
    refusal = risk.pre_checks(**ALLOWED | {"allow": allow})
    assert refusal is not None
    assert refusal.code == "SYMBOL_NOT_ALLOWED"


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, capabilities=None),
        replace(ROUTE, capabilities=replace(ROUTE.capabilities, times_in_force=frozenset())),
    ],
)
def test_a_venue_that_never_said_what_it_can_can_nothing(route: Venue) -> None:
    refusal = risk.pre_checks(**ALLOWED | {"route": route})
    assert refusal is not None
    assert refusal.code == "VENUE_CANNOT"


def test_an_explanation_without_figures_says_where_the_request_was_stopped() -> None:
    refused = risk.explain(None, "SYMBOL_NOT_ALLOWED", "symbol: no")
    assert [passed for _, passed, _ in refused] == [True, True, True, True, False]
    assert refused[-1] == ("symbol allowed", False, "symbol: no")
    unsized = risk.explain(None, "SIZE_TOO_SMALL", "quantity: 0")
    assert len(unsized) == len(risk.PRE_CHECKS) + 1
    assert unsized[-1] == ("size", False, "quantity: 0")
