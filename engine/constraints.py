"""What a plan says that MUST hold, made to hold: immediacy, the least that fills, the price bound, the window."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from engine.draft import Draft, cannot
from engine.instructions import PLAIN_TYPES, RESTING, TRAILING, TRIGGERED
from engine.refusal import Refusal
from engine.specification import Emulator, bound, stricter, up
from engine.values import ZERO, OrderType, multiply

_OURS: Final[frozenset[Emulator]] = frozenset(
    {"TRIGGER", "MARKET_TO_LIMIT", "ALGORITHM", "ICEBERG", "GOOD_TILL", "ON_OPEN", "ON_CLOSE"}
)
"""Emulators with which the venue cannot end the order by itself at the right time."""


def immediate(draft: Draft) -> Refusal | None:
    """must_complete_immediately: IOC, whatever time in force was asked, unless that was FOK."""
    if not draft.plan.must_complete_immediately:
        return None
    field = "plan.must_complete_immediately"
    against = ""
    if draft.kind not in PLAIN_TYPES:
        against = f"a {draft.kind} order waits"
    elif draft.time in ("OPG", "CLS"):
        against = f"a {draft.time} order waits for its auction"
    elif draft.told.post_only or draft.display is not None:
        against = "an order that is post_only or shows a part of itself rests"
    if against:
        return Refusal("PLAN_CONFLICT", f"{field}: {against}")
    if draft.time != "FOK":
        draft.time = "IOC"
    if draft.time not in draft.can.times_in_force:
        return cannot(field, f"the venue takes no {draft.time} orders")
    draft.note(field, "native", f"sent as {draft.time}")
    return None


def least(draft: Draft) -> Refusal | None:
    """min_fill_ratio: exact for orders that are immediate; for others it can only be judged when they end."""
    ratio = draft.plan.min_fill_ratio
    if ratio is None:
        return None
    field, can = "plan.min_fill_ratio", draft.can
    fewest = min(draft.quantity, up(multiply(draft.quantity, ratio), draft.instrument.lot_size))
    if draft.time == "FOK" or not fewest:
        draft.note(field, "native", "FOK fills all or nothing" if fewest else "asks for nothing")
    elif draft.time != "IOC":
        draft.least = fewest
        draft.emulate("MIN_FILL_AT_END", field, f"judged when the order ends: less than {fewest} is reported as missed")
    elif can.min_quantity:
        draft.least = fewest
        draft.note(field, "native", f"at least {fewest} or nothing")
    elif "FOK" not in can.times_in_force:
        return cannot(field, "the venue takes neither a minimum quantity nor FOK orders")
    elif fewest == draft.quantity:
        draft.time = "FOK"
        draft.note(field, "native", "all or nothing: sent as FOK")
    else:
        draft.least, draft.forced = fewest, "the least that has to fill is sent first"
        draft.emulate("MIN_FILL_FIRST", field, f"{fewest} are sent as FOK; only when they are filled, the rest as IOC")
    return None


_BOUNDED: Final[dict[OrderType, OrderType]] = {
    "MARKET": "LIMIT",
    "STOP": "STOP_LIMIT",
    "MARKET_IF_TOUCHED": "LIMIT_IF_TOUCHED",
}


def bounded(draft: Draft, arrival: Decimal | None) -> Refusal | None:
    """max_slippage_pct as a limit price. A conditional order arrives when it is released, so its bound is measured from
    its stop price."""
    slippage = draft.plan.max_slippage_pct
    if slippage is None:
        return None
    field = "plan.max_slippage_pct"
    if draft.kind in TRAILING:
        draft.slippage, draft.forced = slippage, "the bound is not known before the stop price is reached"
        draft.emulate("TRIGGER", field, "a limit is set from the stop price when that is reached")
        return None
    start = draft.request.stop_price if draft.kind in TRIGGERED else arrival
    if start is None:
        return Refusal("NO_REFERENCE_PRICE", f"{field}: there is no live price to measure it from")
    worst = bound(draft.side, start, slippage, draft.instrument.tick_size)
    if worst <= ZERO:
        return Refusal("NO_REFERENCE_PRICE", f"{field}: no price on the grid lies within it of {start}")
    if draft.kind == "MARKET_TO_LIMIT":
        draft.forced = "its first part is bounded by a limit"
    draft.kind = _BOUNDED.get(draft.kind, draft.kind)
    draft.limit, draft.price_bound = stricter(draft.side, draft.limit, worst), worst
    draft.note(field, "native", f"limit price {draft.limit}: the bound is {worst}, measured from {start}")
    return None


_WAITING: Final = frozenset({"TRIGGER", "MIN_FILL_FIRST"})
"""What keeps an immediate order, or a part of it, back at our side."""


def window(draft: Draft) -> None:
    """max_execution_window_minutes: the venue's own expiry where it has one and holds the whole order."""
    minutes = draft.plan.max_execution_window_minutes
    if minutes is None:
        return
    field, end = "plan.max_execution_window_minutes", draft.now + timedelta(minutes=minutes)
    waits = not _WAITING.isdisjoint(draft.emulators)
    if draft.time in ("IOC", "FOK") and not waits and draft.kind in PLAIN_TYPES:
        draft.note(field, "native", f"{draft.time} ends at once")
    elif draft.style is not None:
        draft.note(field, "emulated", f"{draft.style} ends at {end.isoformat()} at the latest")
    elif draft.algo is not None and field[5:] in draft.algo.parameters:
        draft.parameters[draft.algo.parameters[field[5:]]] = str(minutes)
        draft.note(field, "native", f"{draft.algo.name}: {draft.algo.parameters[field[5:]]} {minutes}")
    elif _native_end(draft):
        draft.expires_at = end if draft.expires_at is None else min(end, draft.expires_at)
        draft.time = "GTD"
        draft.note(field, "native", f"sent as GTD until {draft.expires_at.isoformat()}")
    else:
        draft.deadline = end
        draft.emulate("WINDOW", field, f"what is open is cancelled at {end.isoformat()}")


def _native_end(draft: Draft) -> bool:
    whole = draft.time in RESTING and not _OURS.intersection(draft.emulators)
    return whole and "GTD" in draft.can.times_in_force and (draft.time != "DAY" or draft.expires_at is not None)
