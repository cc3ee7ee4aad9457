"""A message that is none is told the field, what was expected there, and what was found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json, msgpack

from engine.intake import SHAPES, read
from engine.refusal import Refusal

PLAN = {"plan_id": "EXP_20251201_143450_pqr901"}
REQUEST = {
    "request_id": "r",
    "signal_id": "s",
    "strategy_id": "momentum",
    "subscriber_id": "alice",
    "exchange": "XNAS",
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": "10",
    "order_type": "MARKET",
    "time_in_force": "GTC",
    "issued_at": "2026-01-05T14:30:00Z",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"side": "LONG"}, "side: must be one of BUY, SELL, got 'LONG'"),
        (
            {"plan": {**PLAN, "chunk_distribution": "NORMAL"}},
            "plan.chunk_distribution: must be one of UNIFORM, WEIGHTED, got 'NORMAL'",
        ),
        (
            {"plan": {**PLAN, "max_execution_window_minutes": 0}},
            "plan.max_execution_window_minutes: must be at least 1, got 0",
        ),
        ({"plan": {**PLAN, "chunk_count_hint": 10_001}}, "plan.chunk_count_hint: must be at most 10000, got 10001"),
        (
            {"plan": {"plan_id": "EXP_1\n"}},
            r"plan.plan_id: Expected `str` matching regex '^EXP_[0-9]{8}_[0-9]{6}_[0-9a-z]{5,8}\\Z', got 'EXP_1\n'",
        ),
        ({"plan": {**PLAN, "chunk_count_hint": "5"}}, "plan.chunk_count_hint: Expected `int | null`, got `str`"),
    ],
)
def test_the_sentence_says_what_was_expected_and_what_was_found(
    wrong: dict[str, Any], reason: str, packed: bool
) -> None:
    message = REQUEST | wrong
    found = read("request", msgpack.encode(message) if packed else json.encode(message), packed)
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_a_place_in_a_list_is_found_too() -> None:
    message = {"targets": [{"exchange": "XNAS", "symbol": "AAPL", "plan": {**PLAN, "action": "SELL"}}]}
    found = read("targets", json.encode(message))
    expected = "CANCEL_GROUP, CANCEL_ORDER, EXECUTE_TRADE, MODIFY_ORDER"
    assert found.reason == f"targets[0].plan.action: must be one of {expected}, got 'SELL'"


def test_what_follows_a_wrong_value_may_be_worse() -> None:
    found = read("request", b'{"side": "LONG", ')
    assert (found.code, found.reason) == ("BAD_VALUE", "side: must be one of BUY, SELL")


def test_a_long_value_is_shown_by_its_beginning() -> None:
    found = read("request", json.encode(REQUEST | {"side": "x" * 500}))
    assert found.code == "BAD_VALUE"
    assert len(found.reason) < 200


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted(SHAPES)),
    st.dictionaries(st.sampled_from([*REQUEST, "plan", "targets", "cash", "limits", "regime"]), values, max_size=4),
    st.booleans(),
)
def test_whatever_comes_is_read_or_refused(verb: str, message: dict[str, Any], packed: bool) -> None:
    found = read(verb, msgpack.encode(message) if packed else json.encode(message), packed)
    assert isinstance(found, Refusal | SHAPES[verb])
    if isinstance(found, Refusal):
        assert found.code.isupper()
        assert found.reason
