"""Requests for orders that are worked at our side, by chance: plans and their styles, triggers, instructions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from engine.instructions import Instructions
from engine.messages import ExecutionRequest
from engine.plan import ExecutionPlan

D = Decimal
TICK = D("0.05")
STYLES = ("TWAP", "VWAP", "POV", "IS", "ICEBERG", "SNIPER", "ADAPTIVE")
KINDS = {"style": 45, "hint": 5, "immediate": 6, "slippage": 4, "window": 6, "stop": 14, "trail": 8, "to limit": 6}
TOLD = {"display": 6, "post only": 3, "reduce only": 4, "until": 6, "auction": 2}


def dress(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> ExecutionRequest:
    """The same request with something asked of its execution; as it was where that would make no sense."""
    weights = KINDS | TOLD
    (kind,) = chance.choices(tuple(weights), tuple(weights.values()))
    fields = _MAKE[kind](request, chance, price, now)
    if fields.get("time_in_force") != "GTD" and request.expires_at is None and chance.random() < 0.1:
        fields |= {"time_in_force": "GTD", "expires_at": now + timedelta(seconds=chance.choice((2, 20, 90)))}
    made = replace(request, **fields)
    return request if made.problem() else made


def plan(chance: Random, **fields: Any) -> ExecutionPlan:
    """A plan with some constraints and hints, and these."""
    known: dict[str, Any] = {
        "max_slippage_pct": chance.choice((None, None, D("0.002"), D("0.02"))),
        "min_fill_ratio": chance.choice((None, None, D("0.5"), D(1))),
        "execution_urgency": chance.choice((None, D("0.1"), D("0.6"), D(1))),
        "visibility_preference": chance.choice((None, None, D("0.2"), D(1))),
        "chunk_count_hint": chance.choice((None, 2, 3, 5, 8)),
        "chunk_distribution": chance.choice((None, "UNIFORM", "WEIGHTED")),
    }
    return ExecutionPlan(plan_id="EXP_20260105_143000_abcde", **(known | fields))


def planned(chance: Random) -> ExecutionPlan:
    """A plan for whatever becomes an order: worked at our side, immediate, or bounded only."""
    kind = chance.choices(("style", "immediate", "bounds"), (6, 1, 1))[0]
    if kind == "style":
        return plan(
            chance,
            preferred_execution_style=chance.choice(STYLES),
            max_execution_window_minutes=chance.choice((1, 1, 2, 3)),
        )
    return plan(chance, must_complete_immediately=kind == "immediate")


def _style(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    style = chance.choice(STYLES)
    minutes = chance.choice((1, 1, 2, 3))
    fields = _limit(chance, price) if style == "ICEBERG" or chance.random() < 0.5 else _market()
    fields["time_in_force"] = chance.choice(("DAY", "GTC"))
    fields["plan"] = plan(chance, preferred_execution_style=style, max_execution_window_minutes=minutes)
    return fields


def _hint(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    style = chance.choice((None, "WHISPER"))
    return {"plan": plan(chance, preferred_execution_style=style, max_execution_window_minutes=1)}


def _immediate(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    return {"plan": plan(chance, must_complete_immediately=True)}


def _slippage(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    return {"plan": plan(chance, max_slippage_pct=D("0.01"))}


def _window(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    made = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", max_execution_window_minutes=chance.choice((1, 2)))
    return {"plan": made, "time_in_force": chance.choice(("DAY", "GTC"))}


def _stop(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    kind = chance.choice(("STOP", "STOP", "STOP_LIMIT", "MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED"))
    fields: dict[str, Any] = {"order_type": kind, "limit_price": None, "stop_price": _near(chance, price, 6)}
    if kind in ("STOP_LIMIT", "LIMIT_IF_TOUCHED"):
        fields["limit_price"] = _near(chance, price, 8)
    if chance.random() < 0.3:
        fields["plan"] = plan(chance, max_execution_window_minutes=chance.choice((None, 1, 2)))
    return fields


def _trail(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    kind = chance.choice(("TRAILING_STOP", "TRAILING_STOP_LIMIT"))
    told: dict[str, Any] = chance.choice(({"trail_amount": D(3)}, {"trail_pct": D("0.02")}))
    if kind == "TRAILING_STOP_LIMIT":
        told["limit_offset"] = D(1)
    return {"order_type": kind, "limit_price": None, "instructions": Instructions(**told)}


def _to_limit(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    made = plan(chance) if chance.random() < 0.3 else None
    time = chance.choice(("DAY", "GTC"))
    return {"order_type": "MARKET_TO_LIMIT", "limit_price": None, "time_in_force": time, "plan": made}


def _display(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    told = Instructions(display_quantity=D(5))
    return _limit(chance, price) | {"time_in_force": chance.choice(("DAY", "GTC")), "instructions": told}


def _post_only(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    return _limit(chance, price) | {"time_in_force": "GTC", "instructions": Instructions(post_only=True)}


def _reduce_only(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    made = plan(chance, preferred_execution_style="TWAP", max_execution_window_minutes=1)
    fields = _stop(request, chance, price, now) if chance.random() < 0.5 else {"plan": chance.choice((None, made))}
    return fields | {"instructions": Instructions(reduce_only=True)}


def _until(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    seconds = chance.choice((2, 10, 60, 150))
    return _limit(chance, price) | {"time_in_force": "GTD", "expires_at": now + timedelta(seconds=seconds)}


def _auction(request: ExecutionRequest, chance: Random, price: Decimal, now: datetime) -> dict[str, Any]:
    return {"time_in_force": chance.choice(("OPG", "CLS"))}


def _limit(chance: Random, price: Decimal) -> dict[str, Any]:
    return {"order_type": "LIMIT", "limit_price": _near(chance, price, 5)}


def _market() -> dict[str, Any]:
    return {"order_type": "MARKET", "limit_price": None}


def _near(chance: Random, price: Decimal, pct: int) -> Decimal:
    return (price * D(100 + chance.randint(-pct, pct)) / 100).quantize(TICK)


_MAKE: dict[str, Any] = {
    "style": _style,
    "hint": _hint,
    "immediate": _immediate,
    "slippage": _slippage,
    "window": _window,
    "stop": _stop,
    "trail": _trail,
    "to limit": _to_limit,
    "display": _display,
    "post only": _post_only,
    "reduce only": _reduce_only,
    "until": _until,
    "auction": _auction,
}
