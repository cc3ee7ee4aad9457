"""The door: what arrives on a subject becomes mail for who it is for, or a refusal with a code."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import json

from actors.journal import Mail
from actors.market import Market
from adapters.bus.door import Door
from engine.commands import RefuseInput
from engine.target_messages import TargetPositions

SET: dict[str, Any] = {
    "request_id": "q-1",
    "signal_id": "t-1",
    "strategy_id": "rebalance",
    "subscriber_id": "alice",
    "mode": "PRODUCTION",
    "scope": "NAMED",
    "targets": [{"exchange": "XNAS", "symbol": "AAPL", "quantity": "10"}],
    "issued_at": "2026-01-05T14:30:00Z",
}
AAPL = {"exchange": "XNAS", "symbol": "AAPL"}


def arrives(subject: str, body: dict[str, Any]) -> Mail:
    posted: list[Mail] = []

    def post(mail: Mail) -> bool:
        posted.append(mail)
        return True

    door = Door("exec", 0, 1, post, Market(60), lambda data: None)
    door.asked(subject, b"_INBOX.1", None, json.encode(body))
    (mail,) = posted
    return mail


def test_targets_are_mail_for_their_subscriber() -> None:
    mail = arrives("exec.ask.targets.alice", {"type": "TargetPositions", **SET})
    assert (mail.to, mail.sender) == ("subscriber/alice", "reply/_INBOX.1")
    assert isinstance(mail.message, TargetPositions)
    assert mail.message.targets[0].instrument == "XNAS:AAPL"
    assert arrives("exec.in.targets.alice", SET).message == mail.message


@pytest.mark.parametrize(
    ("code", "field", "change"),
    [
        ("DUPLICATE_TICKER", "targets[1]", {"targets": [{**AAPL, "quantity": "1"}, {**AAPL, "quantity": "2"}]}),
        ("BAD_SIZE", "targets[0]", {"targets": [AAPL]}),
        ("BAD_SIZE", "targets[0]", {"targets": [{**AAPL, "quantity": "1", "weight": "1"}]}),
        (
            "MIXED_TARGETS",
            "targets[1]",
            {"targets": [{**AAPL, "weight": "1"}, {**AAPL, "symbol": "B", "quantity": "1"}]},
        ),
        ("BAD_PRICE", "limit_price", {"targets": [{**AAPL, "quantity": "1", "limit_price": "0"}]}),
        ("BAD_NUMBER", "targets[0].quantity", {"targets": [{**AAPL, "quantity": "1e99"}]}),
        ("BAD_TEXT", "targets[0].symbol", {"targets": [{"exchange": "XNAS", "symbol": "A\n", "quantity": "1"}]}),
        ("EMPTY_TARGETS", "targets", {"targets": []}),
        ("BAD_QUANTITY", "min_order_quantity", {"min_order_quantity": "-1"}),
        ("BAD_DRIFT", "drift_fraction", {"drift_quantity": "1", "drift_fraction": "0.1"}),
        ("BAD_VALUE", "mode", {"mode": "REHEARSAL"}),
        ("UNKNOWN_FIELD", "colour", {"colour": "red"}),
        ("NAIVE_TIME", "issued_at", {"issued_at": "2026-01-05T14:30:00"}),
        ("SUBJECT_MISMATCH", "subscriber_id", {"subscriber_id": "bob"}),
        ("RESERVED_ID", "signal_id", {"signal_id": "intent:1"}),
        ("BAD_TEXT", "targets", {"targets": [{**AAPL, "symbol": f"S{at}", "quantity": 1} for at in range(1001)]}),
    ],
)
def test_targets_that_make_no_sense_are_refused_whole(code: str, field: str, change: dict[str, Any]) -> None:
    mail = arrives("exec.ask.targets.alice", SET | change)
    assert mail.to == "door/in"
    assert isinstance(mail.message, RefuseInput)
    assert mail.message.code == code
    assert field in mail.message.reason
