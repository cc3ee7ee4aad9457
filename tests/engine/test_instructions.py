"""Every order type takes what it needs and nothing else; each senseless combination has its own code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from engine.idempotency import Conflict, compare, fingerprint
from engine.instructions import PLAIN_TIMES, PLAIN_TYPES, PRICED, TRAILING, TRIGGERED, Instructions, Membership
from engine.intake import read
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.values import OrderType, TimeInForce

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
TRAIL = {"trail_amount": "1"}


def asked(**fields: Any) -> ExecutionRequest | Refusal:
    """What the door makes of a request with these fields."""
    whole = {
        "request_id": "r-1",
        "signal_id": "s-1",
        "strategy_id": "momentum",
        "subscriber_id": "alice",
        "exchange": "XNAS",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "10",
        "order_type": "MARKET",
        "time_in_force": "DAY",
        "issued_at": AT,
    } | fields
    message: ExecutionRequest | Refusal = read("request", json.encode({k: v for k, v in whole.items() if v}))
    return message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"order_type": "LIMIT", "limit_price": "10"},
        {"order_type": "STOP", "stop_price": "9"},
        {"order_type": "STOP_LIMIT", "stop_price": "9", "limit_price": "8"},
        {"order_type": "MARKET_IF_TOUCHED", "stop_price": "9"},
        {"order_type": "LIMIT_IF_TOUCHED", "stop_price": "9", "limit_price": "9"},
        {"order_type": "TRAILING_STOP", "instructions": TRAIL},
        {"order_type": "TRAILING_STOP", "instructions": {"trail_pct": "0.05"}, "time_in_force": "GTC"},
        {"order_type": "TRAILING_STOP_LIMIT", "instructions": TRAIL | {"limit_offset": "0"}},
        {"order_type": "MARKET_TO_LIMIT", "time_in_force": "GTC"},
        {"time_in_force": "OPG"},
        {"order_type": "LIMIT", "limit_price": "10", "time_in_force": "CLS"},
        {"order_type": "STOP", "stop_price": "9", "time_in_force": "IOC"},
        {"time_in_force": "GTD", "expires_at": AT + timedelta(days=3)},
        {"order_type": "LIMIT", "limit_price": "10", "instructions": {"display_quantity": "2"}},
        {"order_type": "LIMIT", "limit_price": "10", "instructions": {"post_only": True, "reduce_only": True}},
        {"instructions": {"reduce_only": True}, "side": None, "intent": "CLOSE"},
        {"group": {"group_id": "g-1", "kind": "OCO"}},
        {"group": {"group_id": "g-1", "kind": "BRACKET", "role": "CHILD"}},
        {"instructions": {"post_only": False}},
    ],
    ids=str,
)
def test_an_order_with_what_its_type_takes_is_taken(fields: dict[str, Any]) -> None:
    assert isinstance(asked(**fields), ExecutionRequest)


LIMIT = {"order_type": "LIMIT", "limit_price": "10"}


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"order_type": "STOP_LIMIT", "stop_price": "9"}, "MISSING_PRICE", "limit_price"),
        ({"order_type": "LIMIT_IF_TOUCHED", "limit_price": "9"}, "MISSING_PRICE", "stop_price"),
        ({"order_type": "STOP"}, "MISSING_PRICE", "stop_price"),
        ({"order_type": "STOP", "stop_price": "-9"}, "BAD_PRICE", "stop_price"),
        ({"order_type": "STOP", "stop_price": "9", "limit_price": "9"}, "UNEXPECTED_PRICE", "limit_price"),
        ({"order_type": "MARKET", "stop_price": "9"}, "UNEXPECTED_PRICE", "stop_price"),
        (LIMIT | {"stop_price": "9"}, "UNEXPECTED_PRICE", "stop_price"),
        ({"order_type": "TRAILING_STOP", "stop_price": "9", "instructions": TRAIL}, "UNEXPECTED_PRICE", "stop_price"),
        ({"order_type": "TRAILING_STOP"}, "BAD_TRAIL", "instructions"),
        ({"order_type": "TRAILING_STOP", "instructions": TRAIL | {"trail_pct": "0.1"}}, "BAD_TRAIL", "instructions"),
        (
            {"order_type": "TRAILING_STOP", "instructions": {"trail_amount": "-1"}},
            "BAD_TRAIL",
            "instructions.trail_amount",
        ),
        ({"order_type": "TRAILING_STOP", "instructions": {"trail_pct": "1"}}, "BAD_TRAIL", "instructions.trail_pct"),
        ({"order_type": "TRAILING_STOP_LIMIT", "instructions": TRAIL}, "BAD_TRAIL", "instructions.limit_offset"),
        (
            {"order_type": "TRAILING_STOP", "instructions": TRAIL | {"limit_offset": "1"}},
            "BAD_TRAIL",
            "instructions.limit_offset",
        ),
        (
            {"order_type": "TRAILING_STOP_LIMIT", "instructions": TRAIL | {"limit_offset": "-1"}},
            "BAD_TRAIL",
            "instructions.limit_offset",
        ),
        ({"instructions": TRAIL}, "UNEXPECTED_TRAIL", "instructions.trail_amount"),
        ({"order_type": "STOP", "stop_price": "9", "time_in_force": "OPG"}, "BAD_TIME_IN_FORCE", "time_in_force"),
        ({"order_type": "MARKET_TO_LIMIT", "time_in_force": "IOC"}, "BAD_TIME_IN_FORCE", "time_in_force"),
        ({"time_in_force": "GTD"}, "MISSING_EXPIRY", "expires_at"),
        ({"time_in_force": "GTD", "expires_at": AT}, "BAD_EXPIRY", "expires_at"),
        (LIMIT | {"instructions": {"display_quantity": "-2"}}, "BAD_DISPLAY", "instructions.display_quantity"),
        (LIMIT | {"instructions": {"display_quantity": "11"}}, "BAD_DISPLAY", "instructions.display_quantity"),
        ({"instructions": {"display_quantity": "2"}}, "BAD_DISPLAY", "instructions.display_quantity"),
        (
            LIMIT | {"time_in_force": "IOC", "instructions": {"display_quantity": "2"}},
            "BAD_DISPLAY",
            "instructions.display_quantity",
        ),
        ({"instructions": {"post_only": True}}, "BAD_POST_ONLY", "instructions.post_only"),
        (
            LIMIT | {"time_in_force": "FOK", "instructions": {"post_only": True}},
            "BAD_POST_ONLY",
            "instructions.post_only",
        ),
        (
            {"side": None, "intent": "OPEN_LONG", "instructions": {"reduce_only": True}},
            "BAD_REDUCE_ONLY",
            "instructions.reduce_only",
        ),
        ({"group": {"group_id": "g", "kind": "OCO", "role": "CHILD"}}, "BAD_GROUP", "group.role"),
        ({"group": {"group_id": "g", "kind": "OTO"}}, "BAD_GROUP", "group.role"),
        ({"group": {"group_id": "", "kind": "OTO"}}, "BAD_TEXT", "group.group_id"),
        ({"group": {"group_id": "g", "kind": "XYZ"}}, "BAD_VALUE", "group.kind"),
        ({"order_type": "PEGGED"}, "BAD_VALUE", "order_type"),
        ({"time_in_force": "GTX"}, "BAD_VALUE", "time_in_force"),
        ({"instructions": {"hidden": True}}, "UNKNOWN_FIELD", "instructions"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_by_its_field(fields: dict[str, Any], code: str, field: str) -> None:
    refusal = asked(**fields)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.reason.partition(":")[0]) == (code, field)


@given(
    st.sampled_from(get_args(OrderType)),
    st.sampled_from(get_args(TimeInForce)),
    st.fixed_dictionaries(
        {},
        optional={
            "limit_price": st.just("10"),
            "stop_price": st.just("9"),
            "expires_at": st.just(AT + timedelta(days=1)),
            "instructions": st.fixed_dictionaries(
                {},
                optional={
                    "trail_amount": st.just("1"),
                    "trail_pct": st.just("0.1"),
                    "limit_offset": st.just("0.5"),
                    "display_quantity": st.just("2"),
                    "post_only": st.booleans(),
                    "reduce_only": st.booleans(),
                },
            ),
        },
    ),
)
def test_what_is_taken_has_the_prices_of_its_type(kind: Any, time: Any, rest: dict[str, Any]) -> None:
    message = asked(order_type=kind, time_in_force=time, **rest)
    if isinstance(message, Refusal):
        assert message.code.startswith(("BAD_", "MISSING_", "UNEXPECTED_"))
        return
    told = message.instructions or Instructions()
    assert (message.limit_price is not None) == (kind in PRICED)
    assert (message.stop_price is not None) == (kind in TRIGGERED)
    assert ((told.trail_amount is None) != (told.trail_pct is None)) == (kind in TRAILING)
    assert (told.limit_offset is not None) == (kind == "TRAILING_STOP_LIMIT")
    assert message.plain == (not rest.get("instructions") and kind in PLAIN_TYPES and time in PLAIN_TIMES) or (
        message.instructions is not None
    )
    assert json.decode(json.encode(message), type=ExecutionRequest, dec_hook=lambda _, raw: D(raw)) == message


def test_a_plain_request_has_the_fingerprint_that_it_always_had() -> None:
    plain = asked()
    assert isinstance(plain, ExecutionRequest)
    assert fingerprint(plain) == (
        '["ExecutionRequest","s-1","momentum","alice","XNAS","AAPL","BUY",null,"10",null,null,null,"MARKET",null,null,'
        '"DAY",null,{}]'
    )


GTD = {"time_in_force": "GTD", "expires_at": AT + timedelta(days=3)}


@pytest.mark.parametrize(
    ("before", "now", "field"),
    [
        ({}, {"instructions": {"reduce_only": True}}, "instructions"),
        ({}, {"group": {"group_id": "g", "kind": "OCO"}}, "group"),
        (GTD, GTD | {"expires_at": AT + timedelta(days=4)}, "good_till"),
        (
            LIMIT | {"instructions": {"display_quantity": "2"}},
            LIMIT | {"instructions": {"display_quantity": "3"}},
            "instructions.display_quantity",
        ),
        (
            LIMIT | {"instructions": {"display_quantity": "2"}},
            LIMIT | {"instructions": {"display_quantity": "2.0"}},
            None,
        ),
        ({}, {"expires_at": AT + timedelta(days=4)}, None),
    ],
)
def test_another_instruction_under_the_same_key_is_a_conflict(
    before: dict[str, Any], now: dict[str, Any], field: str | None
) -> None:
    first, second = asked(**before), asked(**now)
    assert isinstance(first, ExecutionRequest)
    assert isinstance(second, ExecutionRequest)
    assert compare(fingerprint(first), fingerprint(second)) == ("EXISTS" if field is None else Conflict(field))


def test_a_group_membership_is_a_member_unless_it_says_otherwise() -> None:
    assert Membership(group_id="g", kind="OCO").role == "MEMBER"
