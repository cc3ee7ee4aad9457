"""The answer of `decisions` as rows for a person: when, how, whose, what, and why; `explain` has the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_ANSWERS: Final = {
    "RequestAccepted": "ACCEPTED",
    "RequestDenied": "DENIED",
    "InputRefused": "INVALID",
    "TargetSteered": "STEERED",
    "TargetReached": "DONE",
    "TargetFailed": "FAILED",
}
"""How each event that decides was answered, where it does not say so itself."""


def decision_rows(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a decision, of `decisions` as the socket answers it."""
    return [_row(one["decision"]) for one in found]


def _row(event: dict[str, Any]) -> dict[str, Any]:
    outcome = event.get("outcome", event)
    return {
        "at": event["at"],
        "answer": outcome.get("status") or _ANSWERS.get(event["type"], event["type"]),
        "code": outcome.get("code"),
        "request_id": outcome.get("request_id"),
        "subscriber_id": event.get("subscriber_id"),
        "reason": _why(event, outcome),
        "signal_id": event.get("signal_id"),
    }


def _why(event: dict[str, Any], outcome: dict[str, Any]) -> str | None:
    """Its reason, of what was no message with where it came in; else what it was about."""
    if reason := outcome.get("reason") or event.get("sentence"):
        return f"{event['subject']}: {reason}" if "subject" in event else str(reason)
    if tickets := event.get("tickets"):
        return ", ".join(f"{ticket['side']} {ticket['quantity']} {ticket['symbol']}" for ticket in tickets)
    return event.get("symbol")
