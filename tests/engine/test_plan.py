"""An ExecutionPlan is read exactly as its document has it, and anything else is refused with a code and its field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json, msgpack

from engine.intake import read
from engine.messages import ExecutionCommand, ExecutionRequest
from engine.plan import ExecutionPlan
from engine.refusal import Refusal
from engine.values import read_number

D = Decimal

# The three examples of the document, as they stand there.
URGENT = b"""{
  "plan_id": "EXP_20251201_143450_pqr901",
  "action": "EXECUTE_TRADE",
  "execution_urgency": "0.95",
  "visibility_preference": "1.0",
  "max_slippage_pct": "0.0100",
  "must_complete_immediately": true,
  "max_execution_window_minutes": null,
  "preferred_execution_style": null,
  "chunk_count_hint": null,
  "chunk_distribution": null,
  "min_fill_ratio": "0.95"
}"""
PATIENT = b"""{
  "plan_id": "EXP_20251201_144000_stu234",
  "action": "EXECUTE_TRADE",
  "execution_urgency": "0.20",
  "visibility_preference": "0.30",
  "max_slippage_pct": "0.0030",
  "must_complete_immediately": false,
  "max_execution_window_minutes": 60,
  "preferred_execution_style": "TWAP",
  "chunk_count_hint": 12,
  "chunk_distribution": "UNIFORM",
  "min_fill_ratio": null
}"""
CANCEL_GROUP = b"""{
  "plan_id": "EXP_20251201_150000_vwx567",
  "action": "CANCEL_GROUP",
  "execution_urgency": "1.0",
  "must_complete_immediately": true
}"""
PLAN_ID = "EXP_20251201_143450_pqr901"


def request(**plan: Any) -> bytes:
    """A request with a plan of these fields, as JSON."""
    return json.encode(
        {
            "type": "ExecutionRequest",
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
            "issued_at": "2026-01-05T14:30:00Z",
            "plan": {"plan_id": PLAN_ID} | plan,
        }
    )


def decode(raw: bytes) -> ExecutionPlan:
    return json.decode(raw, type=ExecutionPlan, dec_hook=read_number)


@pytest.mark.parametrize(
    ("raw", "plan"),
    [
        (
            URGENT,
            ExecutionPlan(
                plan_id="EXP_20251201_143450_pqr901",
                execution_urgency=D("0.95"),
                visibility_preference=D(1),
                max_slippage_pct=D("0.01"),
                must_complete_immediately=True,
                min_fill_ratio=D("0.95"),
            ),
        ),
        (
            PATIENT,
            ExecutionPlan(
                plan_id="EXP_20251201_144000_stu234",
                execution_urgency=D("0.2"),
                visibility_preference=D("0.3"),
                max_slippage_pct=D("0.003"),
                max_execution_window_minutes=60,
                preferred_execution_style="TWAP",
                chunk_count_hint=12,
                chunk_distribution="UNIFORM",
            ),
        ),
        (
            CANCEL_GROUP,
            ExecutionPlan(
                plan_id="EXP_20251201_150000_vwx567",
                action="CANCEL_GROUP",
                execution_urgency=D(1),
                must_complete_immediately=True,
            ),
        ),
    ],
    ids=["urgent", "patient", "cancel group"],
)
def test_an_example_of_the_document_is_read_and_written_as_it_stands(raw: bytes, plan: ExecutionPlan) -> None:
    found = decode(raw)
    assert found == plan
    assert found.problem() is None
    assert decode(json.encode(found)) == plan
    assert msgpack.decode(msgpack.encode(found), type=ExecutionPlan, dec_hook=read_number) == plan
    # To the last digit: 0.0100 is not written 0.01. What is null or false is left out.
    written = {name: value for name, value in json.decode(raw).items() if value not in (None, False)}
    assert {"action": "EXECUTE_TRADE"} | json.decode(json.encode(found)) == written


@pytest.mark.parametrize("raw", [URGENT, PATIENT], ids=["urgent", "patient"])
def test_an_example_comes_in_with_a_request(raw: bytes) -> None:
    message = read("request", request(**json.decode(raw)))
    assert isinstance(message, ExecutionRequest)
    assert message.plan == decode(raw)


def test_a_group_is_cancelled_by_a_command_with_the_examples_plan() -> None:
    payload = b'{"command_id":"c-1","subscriber_id":"alice","group_id":"g-1","plan":' + CANCEL_GROUP + b"}"
    message = read("command", payload)
    assert isinstance(message, ExecutionCommand)
    assert message.plan.action == "CANCEL_GROUP"


@pytest.mark.parametrize(
    ("plan", "code", "field"),
    [
        ({"plan_id": PLAN_ID + "\n"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "\n" + PLAN_ID}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_٢٠٢٥١٢٠١_143450_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20251201_143450_PQR901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20251201_143450_pqr9"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20251201_143450_pqr901234"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20250230_143450_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20250229_143450_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_00001201_143450_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20251201_240000_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": "EXP_20251201_143460_pqr901"}, "BAD_TEXT", "plan.plan_id"),
        ({"plan_id": None}, "WRONG_TYPE", "plan.plan_id"),
        ({"execution_urgency": "1.0000001"}, "BAD_VALUE", "plan.execution_urgency"),
        ({"execution_urgency": "-0.1"}, "BAD_VALUE", "plan.execution_urgency"),
        ({"execution_urgency": "NaN"}, "BAD_NUMBER", "plan.execution_urgency"),
        ({"visibility_preference": "2"}, "BAD_VALUE", "plan.visibility_preference"),
        ({"max_slippage_pct": "1.01"}, "BAD_VALUE", "plan.max_slippage_pct"),
        ({"min_fill_ratio": 95}, "BAD_VALUE", "plan.min_fill_ratio"),
        ({"must_complete_immediately": None}, "WRONG_TYPE", "plan.must_complete_immediately"),
        ({"must_complete_immediately": 1}, "WRONG_TYPE", "plan.must_complete_immediately"),
        ({"max_execution_window_minutes": 0}, "BAD_VALUE", "plan.max_execution_window_minutes"),
        ({"max_execution_window_minutes": 10_081}, "BAD_VALUE", "plan.max_execution_window_minutes"),
        ({"max_execution_window_minutes": "60"}, "WRONG_TYPE", "plan.max_execution_window_minutes"),
        ({"max_execution_window_minutes": 1.5}, "WRONG_TYPE", "plan.max_execution_window_minutes"),
        ({"preferred_execution_style": "X" * 33}, "BAD_TEXT", "plan.preferred_execution_style"),
        ({"chunk_count_hint": 0}, "BAD_VALUE", "plan.chunk_count_hint"),
        ({"chunk_distribution": "RANDOM"}, "BAD_VALUE", "plan.chunk_distribution"),
        ({"action": "DELETE_ORDER"}, "BAD_VALUE", "plan.action"),
        ({"action": "CANCEL_GROUP"}, "BAD_PLAN", "plan.action"),
        ({"urgency": "1"}, "UNKNOWN_FIELD", "plan"),
    ],
    ids=ascii,
)
def test_a_plan_that_cannot_be_is_refused_by_its_field(plan: dict[str, Any], code: str, field: str) -> None:
    refusal = read("request", request(**plan))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.reason.partition(":")[0]) == (code, field)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"plan": {"plan_id": "EXP_20250230_143450_pqr901", "action": "CANCEL_GROUP"}}, "BAD_TEXT", "plan.plan_id"),
        ({"plan": {"plan_id": PLAN_ID, "action": "CANCEL_GROUP"}}, "BAD_COMMAND", "group_id"),
        (
            {"plan": {"plan_id": PLAN_ID, "action": "CANCEL_GROUP"}, "group_id": "g", "order_id": "o"},
            "BAD_COMMAND",
            "group_id",
        ),
        (
            {"plan": {"plan_id": PLAN_ID, "action": "CANCEL_ORDER"}, "group_id": "g", "order_id": "o"},
            "BAD_COMMAND",
            "group_id",
        ),
        (
            {"plan": {"plan_id": PLAN_ID}, "request": json.decode(request(min_fill_ratio="1"))},
            "BAD_COMMAND",
            "request.plan",
        ),
    ],
)
def test_a_command_that_contradicts_its_plan_is_refused(fields: dict[str, Any], code: str, field: str) -> None:
    refusal = read("command", json.encode({"command_id": "c-1", "subscriber_id": "alice"} | fields))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.reason.partition(":")[0]) == (code, field)


def test_a_plan_is_immutable() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        decode(PATIENT).chunk_count_hint = 13  # type: ignore[misc]


@given(
    st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000),
    st.from_regex(r"[0-9a-z]{5,8}", fullmatch=True),
)
def test_every_moment_makes_an_id(moment: datetime, tail: str) -> None:
    plan_id = f"EXP_{moment:%Y%m%d_%H%M%S}_{tail}"
    assert isinstance(read("request", request(plan_id=plan_id)), ExecutionRequest)


@given(st.integers(-(10**13), 2 * 10**13))
def test_a_ratio_is_taken_from_0_to_1_and_nowhere_else(parts: int) -> None:
    ratio = D(parts).scaleb(-12)
    taken = isinstance(read("request", request(execution_urgency=f"{ratio:f}")), ExecutionRequest)
    assert taken == (0 <= ratio <= 1)


def test_a_ratio_of_zero_is_asked_for_like_any_other() -> None:
    plan = decode(b'{"plan_id":"EXP_20251201_143450_pqr901","max_slippage_pct":"0"}')
    assert plan.asked() == ("max_slippage_pct",)
