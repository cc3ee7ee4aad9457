"""Asked before? Keys, and fingerprints of what was asked, so that a repeat is answered with its first outcome.

A fingerprint is JSON text of what was asked in a fixed order. When it was asked, and under which request id, is left
out: a client that asks again asks the same. Numbers are compared as numbers, so "10.0" repeats "10".
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import zip_longest
from operator import attrgetter
from typing import Any, Final, Literal

from msgspec import Struct, json

from engine.messages import CashMovement, ExecutionCommand, ExecutionRequest, OrderIntent
from engine.target_messages import TargetPositions

Keyed = ExecutionRequest | OrderIntent | ExecutionCommand | CashMovement | TargetPositions


class Conflict(Struct, frozen=True):
    """The key was used before for something else: the first field that differs, as a path (`plan.min_fill_ratio`)."""

    field: str


Verdict = Literal["NEW", "EXISTS"] | Conflict

# What only orders that are not plain have: left out of the others' fingerprints, so that those stay as they were.
_SPECIAL: Final = ("instructions", "group", "good_till", "block")

# What each fingerprint holds, after the message's type. Stored ones live on: append here, never reorder.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "ExecutionRequest": (
        "signal_id",
        "strategy_id",
        "subscriber_id",
        "exchange",
        "symbol",
        "side",
        "intent",
        "quantity",
        "notional",
        "weight",
        "leverage",
        "order_type",
        "limit_price",
        "stop_price",
        "time_in_force",
        "plan",
        "provenance",
        *_SPECIAL,
    ),
    "OrderIntent": ("subscriber_id", "exchange", "symbol", "side", "qty", "type", "limit_price"),
    "ExecutionCommand": ("subscriber_id", "plan", "order_id", "group_id", "request", "quantity", "limit_price"),
    "CashMovement": ("subscriber_id", "currency", "amount", "reason"),
    "TargetPositions": (
        "signal_id",
        "strategy_id",
        "subscriber_id",
        "mode",
        "scope",
        "targets",
        "all_or_none",
        "min_order_quantity",
        "min_order_notional",
        "drift_quantity",
        "drift_fraction",
        "time_in_force",
        "plan",
        "provenance",
    ),
}
_ATTRIBUTES: Final = {"type": "order_type"}  # Where a client's name for a field is not ours.
_values: Final = {
    name: attrgetter(*(_ATTRIBUTES.get(field, field) for field in fields if field not in _SPECIAL))
    for name, fields in _FIELDS.items()
}
_REQUEST: Final = 1 + _FIELDS["ExecutionCommand"].index("request")
_TARGETS: Final = 1 + _FIELDS["TargetPositions"].index("targets")
_NUMBERS: Final = frozenset(
    {
        "quantity",
        "notional",
        "weight",
        "leverage",
        "limit_price",
        "stop_price",
        "qty",
        "amount",
        "execution_urgency",
        "visibility_preference",
        "max_slippage_pct",
        "min_fill_ratio",
        "min_order_quantity",
        "min_order_notional",
        "drift_quantity",
        "drift_fraction",
        "trail_amount",
        "trail_pct",
        "limit_offset",
        "display_quantity",
    }
)
_encode: Final = json.Encoder().encode


def key_of(message: Keyed) -> str:
    """The idempotency key of a message, within its subscriber: `signal/s-1`, `intent/…`, `command/…`, `cash/…`,
    `targets/…`."""
    if isinstance(message, ExecutionRequest):
        return f"signal/{message.signal_id}"
    if isinstance(message, OrderIntent):
        return f"intent/{message.idempotency_key}"
    if isinstance(message, TargetPositions):
        return f"targets/{message.signal_id}"
    if isinstance(message, ExecutionCommand):
        return f"command/{message.command_id}"
    return f"cash/{message.movement_id}"


def fingerprint(message: Keyed) -> str:
    """What a message asks for, as JSON text: two that ask the same have fingerprints that `compare` as EXISTS."""
    return _encode(_asked(message)).decode()


def _asked(message: Keyed) -> list[Any]:
    name = message.__class__.__name__
    asked = [name, *_values[name](message)]
    if isinstance(message, ExecutionRequest):
        if not message.plain or message.block:
            good_till = message.expires_at if message.time_in_force == "GTD" else None
            asked += (message.instructions, message.group, good_till)
        if message.block:
            asked.append(True)
    elif isinstance(message, ExecutionCommand) and message.request is not None:
        asked[_REQUEST] = _asked(message.request)
    elif isinstance(message, TargetPositions):
        # By ticker: in which order they stand is nothing that is asked for.
        asked[_TARGETS] = {
            target.instrument: {
                "quantity": target.quantity,
                "weight": target.weight,
                "limit_price": target.limit_price,
                **({} if target.plan is None else {"plan": target.plan}),
            }
            for target in message.targets
        }
    return asked


def asked_for(text: str) -> dict[str, Any]:
    """What a fingerprint says was asked for, by field; a field that was appended later is not among them."""
    name, *values = json.decode(text)
    return dict(zip(_FIELDS[name], values, strict=False))


def compare(prior: str | None, text: str) -> Verdict:
    """What a fingerprint is to the one stored under its key: NEW where there is none, EXISTS, or a Conflict."""
    if prior is None:
        return "NEW"
    if prior == text:
        return "EXISTS"
    field = _differing("", json.decode(prior), json.decode(text))
    return "EXISTS" if field is None else Conflict(field)


def _differing(path: str, before: Any, now: Any) -> str | None:
    """The path of the first field in which two decoded values differ, or None."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [*before, *(name for name in now if name not in before)]
        return _first(path, ((name, before.get(name), now.get(name)) for name in names))
    if isinstance(before, list) and isinstance(now, list):
        if before[0] != now[0]:
            return f"{path}type"
        # What a later version appended reads as left out in what an earlier one stored.
        return _first(path, zip_longest(_FIELDS[now[0]], before[1:], now[1:]))
    return path[:-1] if before != now else None


def _first(path: str, triples: Iterable[tuple[str, Any, Any]]) -> str | None:
    for name, before, now in triples:
        if before == now:
            continue
        if name in _NUMBERS and before is not None and now is not None and Decimal(before) == Decimal(now):
            continue
        found = _differing(f"{path}{name}.", before, now)
        if found is not None:
            return found
    return None
