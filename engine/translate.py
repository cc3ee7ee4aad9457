"""From what was asked to what a venue is told: native where the venue can, at our side where it cannot, else refused.

Nothing is dropped silently: each type, time, instruction, constraint and hint that was given stands in `honoured`
with what became of it, or the whole is refused. Constraints hold or the order is refused; hints may be passed over,
and it says why. That an order fills at once or not at all (IOC, FOK) is never imitated: only the venue can promise it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from engine import constraints, styles
from engine.config import InstrumentSpec
from engine.draft import Draft, cannot
from engine.instructions import PLAIN_TYPES, SHOWN, TRIGGERED, Instructions
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.reports import Capabilities
from engine.specification import Emulator, How, Specification
from engine.values import OrderType, Side, is_multiple

_HELD: Final[frozenset[Emulator]] = frozenset({"TRIGGER", "MARKET_TO_LIMIT", "ALGORITHM", "ICEBERG"})
"""Emulators that hold (a part of) an order at our side, where no venue ends it."""


def translate(
    request: ExecutionRequest,
    side: Side,
    quantity: Decimal,
    can: Capabilities,
    spec: InstrumentSpec,
    now: datetime,
    arrival: Decimal | None,
    session_end: datetime | None,
) -> Specification | Refusal:
    """What a sized request becomes at a venue that can this, or why it cannot.

    `arrival` is the market's price of one unit now, None where there is none; `session_end` the next close.
    Refusals: VENUE_CANNOT, PLAN_CONFLICT (constraints that contradict the order), NO_REFERENCE_PRICE, NO_SESSION,
    BAD_EXPIRY, OFF_TICK, OFF_LOT, BAD_DISPLAY.
    """
    draft = Draft(request, side, quantity, can, spec, now, session_end)
    refusal = (
        _grid(draft) or constraints.immediate(draft) or constraints.least(draft) or constraints.bounded(draft, arrival)
    )
    if refusal is not None:
        return refusal
    # What is shown, and by which algorithm, decides who can hold the order; that, who can end it.
    styles.choose(draft)
    _show(draft)
    refusal = _kind(draft) or _time(draft)
    if refusal is not None:
        return refusal
    _sides(draft)
    constraints.window(draft)
    styles.hints(draft)
    return _specification(draft)


def asked(request: ExecutionRequest) -> tuple[str, ...]:
    """The names of everything that a request asks of its execution: exactly these stand in `honoured`."""
    names = ["order_type", "time_in_force"]
    names += (name for name in ("limit_price", "stop_price", "group") if getattr(request, name) is not None)
    if request.instructions is not None:
        names += (f"instructions.{name}" for name in request.instructions.asked())
    if request.plan is not None:
        names += (f"plan.{name}" for name in request.plan.asked())
    return tuple(names)


def _grid(draft: Draft) -> Refusal | None:
    tick, lot, told = draft.instrument.tick_size, draft.instrument.lot_size, draft.told
    prices = {
        "limit_price": draft.limit,
        "stop_price": draft.request.stop_price,
        "instructions.trail_amount": told.trail_amount,
        "instructions.limit_offset": told.limit_offset,
    }
    for name, price in prices.items():
        if price is not None and not is_multiple(price, tick):
            return Refusal("OFF_TICK", f"{name}: {price}, tick_size {tick}")
    if draft.display is not None:
        if not is_multiple(draft.display, lot):
            return Refusal("OFF_LOT", f"instructions.display_quantity: {draft.display}, lot_size {lot}")
        if draft.display > draft.quantity:
            sentence = f"instructions.display_quantity: {draft.display} is more than the quantity {draft.quantity}"
            return Refusal("BAD_DISPLAY", sentence)
    return None


def _show(draft: Draft) -> None:
    if draft.display is None:
        styles.display(draft)
    elif draft.can.display_quantity:
        draft.shown = draft.display
        draft.note("instructions.display_quantity", "native", "the venue hides the rest")
    else:
        draft.forced = draft.forced or "its parts are sent one by one"
        draft.emulate("ICEBERG", "instructions.display_quantity", f"sent {draft.display} at a time")


def _kind(draft: Draft) -> Refusal | None:
    """Who sees to the order's type, and what is sent."""
    kind, can = draft.kind, draft.can.order_types
    for name in ("limit_price", "stop_price"):
        if getattr(draft.request, name) is not None:
            draft.note(name, *_price(draft, name))
    became = "" if kind == draft.request.order_type else f"as {kind}, to hold the price bound"
    if kind in can and not (draft.forced and kind not in PLAIN_TYPES):
        draft.order_type = kind
        draft.note("order_type", "native", f"sent {became}" if became else "the venue has it")
    elif kind in PLAIN_TYPES:
        return cannot("order_type", f"the venue takes no {kind} orders")
    elif kind == "MARKET_TO_LIMIT":
        if refusal := _market_to_limit(draft):
            return refusal
    else:
        child: OrderType = "LIMIT" if kind in SHOWN or draft.slippage is not None else "MARKET"
        if child not in can:
            return cannot("order_type", f"the venue takes neither {kind} nor {child} orders")
        draft.order_type = child
        why = draft.forced or f"the venue takes no {kind} orders"
        draft.emulate("TRIGGER", "order_type", f"{became or 'held here'}, sent as {child} when triggered: {why}")
    where = "at our side" if "TRIGGER" in draft.emulators else "by the venue"
    for name in draft.told.asked():
        if name in ("trail_amount", "trail_pct", "limit_offset"):
            draft.note(f"instructions.{name}", "emulated" if where == "at our side" else "native", f"followed {where}")
    return None


def _price(draft: Draft, name: str) -> tuple[How, str]:
    held = draft.kind in TRIGGERED and (draft.forced or draft.kind not in draft.can.order_types)
    if name == "stop_price":
        return ("emulated", "watched at our side") if held else ("native", "watched by the venue")
    return "native", f"sent as {draft.limit}"


def _market_to_limit(draft: Draft) -> Refusal | None:
    first: OrderType = "MARKET" if draft.limit is None else "LIMIT"
    if "LIMIT" not in draft.can.order_types or first not in draft.can.order_types:
        return cannot("order_type", f"a MARKET_TO_LIMIT order is sent as {first} and LIMIT, which the venue lacks")
    if "IOC" not in draft.can.times_in_force:
        return cannot("order_type", "a MARKET_TO_LIMIT order begins as IOC, which the venue does not take")
    draft.order_type = first
    draft.emulate("MARKET_TO_LIMIT", "order_type", f"sent as {first} IOC, its rest as LIMIT at the first fill's price")
    return None


def _time(draft: Draft) -> Refusal | None:
    """Who ends the order. What is held at our side ends at our side."""
    time, can, asked_time = draft.time, draft.can.times_in_force, draft.request.time_in_force
    end = draft.request.expires_at if time == "GTD" else draft.session_end if time == "DAY" else None
    if time == "GTD" and (end is None or end <= draft.now):
        return Refusal("BAD_EXPIRY", f"expires_at: {end} is not after {draft.now.isoformat()}")
    draft.expires_at = end
    if time in ("OPG", "CLS") and time not in can:
        return _auction(draft)
    held = bool(_HELD.intersection(draft.emulators))
    if time in can and not (held and time in ("DAY", "GTD")):
        why = "the venue has it" if time == asked_time else f"{time} instead, as the plan demands"
        draft.note("time_in_force", "native", why)
        return None
    if time not in ("DAY", "GTD"):
        return cannot("time_in_force", f"the venue takes no {time} orders")
    if end is None:
        return Refusal("NO_SESSION", f"time_in_force: no session is known that would end a {time} order")
    if time not in can:
        if "GTC" in can:
            draft.time = "GTC"
        elif "DAY" in can and draft.session_end is not None and end <= draft.session_end:
            draft.time = "DAY"
        else:
            return cannot("time_in_force", f"the venue takes no {time} orders, nor any that would rest as long")
        draft.expires_at = draft.session_end if draft.time == "DAY" else None
    draft.good_till = end
    draft.emulate("GOOD_TILL", "time_in_force", f"sent as {draft.time} and ended at our side at {end.isoformat()}")
    return None


def _auction(draft: Draft) -> Refusal | None:
    time = draft.time
    emulator: Emulator = "ON_OPEN" if time == "OPG" else "ON_CLOSE"
    if "DAY" in draft.can.times_in_force:
        draft.time = "DAY"
    elif "GTC" in draft.can.times_in_force:
        draft.time = "GTC"
    else:
        return cannot("time_in_force", f"the venue takes neither {time} nor any order that rests")
    when = "at the open" if emulator == "ON_OPEN" else "shortly before the close"
    draft.emulate(emulator, "time_in_force", f"sent {when} as {draft.time}; it takes no part in the auction")
    return None


def _sides(draft: Draft) -> None:
    """post_only, reduce_only and the group."""
    if draft.told.post_only:
        if draft.can.post_only:
            draft.note("instructions.post_only", "native", "the venue has it")
        else:
            draft.emulate("POST_ONLY", "instructions.post_only", "refused here if it would cross the quote")
    if draft.told.reduce_only:
        if draft.can.reduce_only and not _HELD.intersection(draft.emulators):
            draft.note("instructions.reduce_only", "native", "the venue has it")
        else:
            draft.emulate("REDUCE_ONLY", "instructions.reduce_only", "capped here to what the position holds")
    group = draft.request.group
    if group is not None:
        if group.kind in draft.can.groups and not draft.emulators:
            draft.note("group", "native", f"the venue links {group.kind} orders")
        else:
            draft.emulate("GROUP", "group", "linked here: between a fill and the cancel it causes, more may fill")


def _specification(draft: Draft) -> Specification:
    told, mine = draft.told, draft.emulators
    trigger = "TRIGGER" in mine
    sent = Instructions(
        trail_amount=None if trigger else told.trail_amount,
        trail_pct=None if trigger else told.trail_pct,
        limit_offset=None if trigger else told.limit_offset,
        display_quantity=draft.shown,
        post_only=told.post_only and "POST_ONLY" not in mine,
        reduce_only=told.reduce_only and "REDUCE_ONLY" not in mine,
    )
    return Specification(
        side=draft.side,
        quantity=draft.quantity,
        kind=draft.kind,
        order_type=draft.order_type,
        time_in_force=draft.time,
        limit_price=draft.limit,
        stop_price=draft.request.stop_price,
        expires_at=draft.expires_at,
        sent=sent,
        algorithm=None if draft.algo is None else draft.algo.name,
        parameters=draft.parameters,
        min_quantity=draft.least,
        emulators=tuple(mine),
        told=told,
        style=draft.style,
        good_till=draft.good_till,
        deadline=draft.deadline,
        price_bound=draft.price_bound,
        slippage=draft.slippage,
        tick_size=draft.instrument.tick_size,
        lot_size=draft.instrument.lot_size,
        honoured=tuple(draft.honoured),
    )
