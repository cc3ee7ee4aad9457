"""Answers as people see them: within the width there is, the most important first."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from adapters.admin.render import cell, event_line, published_line, rendered

ORDER = {
    "order_id": "paper-00000000-0008-8000-99ee-2f5c8ce57dee",
    "subscriber_id": "alice",
    "exchange": "XNAS",
    "symbol": "MSFT",
    "side": "SELL",
    "quantity": "10",
    "filled": "4",
    "order_type": "LIMIT",
    "limit_price": "310",
    "average_price": None,
    "time_in_force": "GTC",
    "status": "PARTIALLY_FILLED",
    "reason": None,
    "updated_at": "2026-01-05T14:30:00.000004Z",
}
METHOD = {
    "method": "cancel",
    "text": "Asks the venue.",
    "params": [{"name": "order_id", "type": "text", "required": True}],
}
ENTRY = {
    "sequence": 12,
    "at": "2026-01-05T14:30:00.000004Z",
    "events": [
        {
            "address": f"order/{ORDER['order_id']}",
            "event": {
                "type": "OrderClosed",
                "at": "2026-01-05T14:30:00.123Z",
                "status": "REJECTED",
                "reason": "no " * 60,
            },
        }
    ],
}
ANSWERS: list[tuple[str, Any]] = [
    ("orders", [ORDER]),
    ("orders", []),
    ("order", {**ORDER, "ticket": ORDER, "executions": ["x-1"]}),
    ("health", {"status": "ok", "checks": [{"check": "nats", "ok": True, "found": "a sentence " * 12}]}),
    ("methods", [METHOD]),
    ("journal", [ENTRY]),
    ("status", {"state": "RUNNING", "venues": [{"venue": "paper", "state": "UP", "reason": ""}], "killed": None}),
    ("odd", "text"),
    ("odd", [1, 2]),
]


def shown(method: str, result: Any, width: int) -> str:
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(rendered(method, result, width))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize(("method", "result"), ANSWERS)
def test_nothing_is_wider_than_the_terminal(method: str, result: Any, width: int) -> None:
    assert max(map(len, shown(method, result, width).splitlines())) <= width


AT = "2026-01-05T14:30:00.000004Z"
IDS = {"request_id": "r-1", "signal_id": "s-1", "subscriber_id": "alice"}
OUTCOME = {"request_id": "c-1", "status": "DENIED", "code": "ORDER_CLOSED", "reason": "is FILLED", "orders": []}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"type": "RequestAccepted", **IDS, "tickets": [ORDER], "figures": {"price": "1"}},
            ["ACCEPTED", "r-1", "SELL 10 MSFT", "alice"],
        ),
        (
            {"type": "RequestDenied", **IDS, "code": "OFF_LOT", "reason": "quantity: 1.5, lot_size 1"},
            ["DENIED", "OFF_LOT", "r-1", "quantity: 1.5, lot_size 1", "alice"],
        ),
        (
            {"type": "InputRefused", "subject": "exec.in.x", "code": "BAD_JSON", "reason": "no JSON", "excerpt": "{"},
            ["INVALID", "BAD_JSON", "exec.in.x: no JSON"],
        ),
        (
            {"type": "CommandDecided", "subscriber_id": "alice", "outcome": OUTCOME},
            ["DENIED", "ORDER_CLOSED", "c-1", "is FILLED", "alice"],
        ),
        ({"type": "TargetsDecided", **IDS, "status": "NOOP", "reason": "NOOP: all is met"}, ["NOOP", "all is met"]),
        ({"type": "TargetReached", **IDS, "symbol": "MSFT"}, ["DONE", "MSFT"]),
        ({"type": "TargetSteered", **IDS, "sentence": "10 missing"}, ["STEERED", "10 missing"]),
        ({"type": "TargetFailed", **IDS, "code": "TIME_OVER", "reason": "it is over"}, ["FAILED", "TIME_OVER"]),
    ],
)
def test_a_decision_is_a_row_with_its_answer_and_its_reason(event: dict[str, Any], expected: list[str]) -> None:
    narrow = shown("decisions", [{"sequence": 1, "index": 0, "decision": {"at": AT, **event}}], 120)
    assert [word for word in expected if word not in narrow] == []


def test_an_order_id_is_whole_at_80_columns_and_its_status_is_there() -> None:
    narrow = shown("orders", [ORDER], 80)
    assert ORDER["order_id"] in narrow
    assert "PARTIALLY_FILLED" in narrow
    assert "not shown at this width: " in narrow
    assert "alice" not in narrow
    assert "alice" in shown("orders", [ORDER], 120)
    assert "4/10" in shown("orders", [ORDER], 120)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("x", None, "-"),
        ("x", {}, "-"),
        ("x", {"a": 1, "b": None}, "a 1"),
        ("x", True, "yes"),
        ("x", 1234.5, "1,234.5"),
        ("x", ["a", "b"], "a, b"),
        ("up_seconds", 3725, "1h 2m"),
        ("up_seconds", 0, "0s"),
        ("updated_at", "2026-01-05T14:30:00.5Z", "2026-01-05 14:30:00"),
        ("updated_at", "soon", "soon"),
    ],
)
def test_a_value_as_text(name: str, value: Any, text: str) -> None:
    assert cell(name, value) == text


def test_an_event_is_one_line_that_says_what_matters() -> None:
    event = {
        "type": "OrderFilled",
        "at": "2026-01-05T14:30:00.123456Z",
        "status": "FILLED",
        "filled": "10",
        "fill": {"side": "BUY", "quantity": "10", "symbol": "AAPL", "price": "150.01"},
    }
    line = event_line("0:12:1", f"order/{ORDER['order_id']}", event, 120).plain
    assert line.split() == "14:30:00.123 0:12:1 OrderFilled order/paper-…e57dee BUY 10 AAPL 150.01 FILLED 10".split()
    assert len(event_line("0:12:1", "order/x", event, 40).plain) <= 40


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            {
                "type": "ExecutionJob",
                "at": "2026-01-05T14:30:00.123Z",
                "subscriber_id": "alice",
                "orders": [{"side": "BUY", "quantity": "10", "symbol": "AAPL", "order_type": "MARKET"}],
            },
            "14:30:00.123 job alice BUY 10 AAPL MARKET",
        ),
        (
            {
                "type": "ExecutionDistributed",
                "timestamp": "2026-01-05T14:30:00.123Z",
                "distribution": {"topic": "execution/venue_status"},
                "data": {"venue": "paper", "status": "DOWN", "reason": "gone"},
            },
            "14:30:00.123 venue_status paper DOWN gone",
        ),
    ],
)
def test_a_published_message_is_one_line(message: dict[str, Any], said: str) -> None:
    assert published_line(message, 120).plain.split() == said.split()
