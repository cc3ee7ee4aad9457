"""What our side does for an order where a venue cannot: waits, sends, shrinks and ends it, as pure decisions.

The specification says what is to be done and never changes; `Held` is the small state beside it, durable after every
change. Each `on_…` takes both and what happened, and returns the state (the same object where nothing changed) with
the action to take, or None. Whoever keeps the order sends a Release as a child of its own, and reports it back.

Two things no one can promise from outside a venue, so they are said: a post-only order is refused if it would cross
the quote we see, which may have moved when it arrives; and a reduce-only order is shrunk when the position shrinks,
which a fill on its way can overtake.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.instructions import TRAILING
from engine.messages import MarketData, Quote
from engine.refusal import Refusal
from engine.sessions import Session, auction_times
from engine.specification import Specification, bound, down, stricter, up
from engine.triggers import Trigger, level, near_side, trail
from engine.triggers import on_market as triggered
from engine.values import ZERO, OrderType, Side, TimeInForce, add, minus, subtract

Phase = Literal["WAITING", "FIRST", "LAST", "ENDING", "OVER"]
"""FIRST: a part is sent that another follows. LAST: all is sent. ENDING: its cancel was asked for."""


class Held(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How far an emulated order has come. `total`: what is to be worked in all, once it is released."""

    phase: Phase = "WAITING"
    trigger: Trigger | None = None
    release_at: datetime | None = None
    ends_at: datetime | None = None
    total: Decimal | None = None
    stop: Decimal | None = None
    """The trigger's price when it fired."""
    joining: bool = False
    """It waits for its group first, and for nothing else before that."""
    kept: bool = False
    """A part of it is still to be sent: its venue was away when its time came."""


class Release(Struct, frozen=True, gc=False, kw_only=True):
    """Send this to the venue, with what else the specification says is sent."""

    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None
    time_in_force: TimeInForce
    expires_at: datetime | None


class Amend(Struct, frozen=True, gc=False):
    """The order is for this quantity, what is filled of all its parts included: more may not be at the venue."""

    quantity: Decimal


class Withdraw(Struct, frozen=True, gc=False):
    """Cancel what is open at the venue; the order ends with it."""

    code: str
    reason: str


class End(Struct, frozen=True, gc=False):
    """Nothing is open at the venue, and nothing more is sent: the order is over."""

    status: Literal["CANCELED", "EXPIRED"]
    code: str
    reason: str


Action = Release | Amend | Withdraw | End
Step = tuple[Held, Action | None]


def hold(
    spec: Specification,
    now: datetime,
    quote: Quote | None,
    last: Decimal | None,
    sessions: Sequence[Session],
    closable: Decimal,
) -> Step | Refusal:
    """Takes an order in, and releases it at once where it waits for nothing.

    `quote` is the one in force and `last` the last live price, None where there is none; `sessions` are those not yet
    over, ascending; `closable` is what an order of this side may take from the position, for reduce-only.
    Refusals: NO_MARKET, BAD_TRAIL, NO_SESSION, WOULD_CROSS, NOTHING_TO_REDUCE, MIN_FILL_NOT_MET,
    TIME_OVER.
    """
    ends = [spec.good_till] if "GOOD_TILL" in spec.emulators and spec.good_till is not None else []
    if "WINDOW" in spec.emulators and spec.deadline is not None:
        ends.append(spec.deadline)
    release_at: datetime | None = None
    for emulator, time in (("ON_OPEN", "OPG"), ("ON_CLOSE", "CLS")):
        if emulator in spec.emulators:
            times = auction_times("OPG" if time == "OPG" else "CLS", sessions, now)
            if isinstance(times, Refusal):
                return times
            release_at = times[0]
            ends.append(times[1])
    trigger: Trigger | None = None
    if "TRIGGER" in spec.emulators:
        found = _trigger(spec, now, quote, last)
        if isinstance(found, Refusal):
            return found
        trigger = found
    joining = "GROUP" in spec.emulators
    if joining:
        ends += [] if spec.expires_at is None else [spec.expires_at]
    elif "POST_ONLY" in spec.emulators and (refusal := crosses(spec.side, spec.limit_price, quote)) is not None:
        return refusal
    held = Held(joining=joining, trigger=trigger, release_at=release_at, ends_at=min(ends, default=None))
    step: Step = held, None
    if held.ends_at is not None and now >= held.ends_at:
        return Refusal("TIME_OVER", f"its time was over at {held.ends_at.isoformat()}")
    if joining:
        return step
    if trigger is not None and quote is not None:
        step = on_market(spec, held, quote, now, closable)
    elif trigger is None and (release_at is None or now >= release_at):
        step = _release(spec, held, closable)
    return Refusal(step[1].code, step[1].reason) if isinstance(step[1], End) else step


def _trigger(spec: Specification, now: datetime, quote: Quote | None, last: Decimal | None) -> Trigger | Refusal:
    if spec.kind in TRAILING:
        return trail(spec.side, spec.told.trail_amount, spec.told.trail_pct, quote, last, now)
    if spec.stop_price is None:
        raise ValueError(f"a {spec.kind} order without a stop price waits for nothing")
    return level(spec.kind, spec.side, spec.stop_price, now)


def crosses(side: Side, limit: Decimal | None, quote: Quote | None) -> Refusal | None:
    """Why a post-only order may not be sent now: it would take liquidity, or nobody knows whether it would."""
    if quote is None or limit is None:
        return Refusal("NO_MARKET", "instructions.post_only: there is no quote to tell whether it would cross")
    # What a purchase would take is the offer, which is near to a purchase.
    far = near_side(quote, side)
    if far is None or (limit < far if side == "BUY" else limit > far):
        return None
    return Refusal("WOULD_CROSS", f"instructions.post_only: {side} at {limit} would take the quote at {far}")


def reducible(side: Side, closable: Decimal) -> Decimal:
    """What an order of this side can take from a position of which `closable` signed units are free to be closed."""
    return max(ZERO, closable if side == "SELL" else minus(closable))


def most(filled: Decimal, closable: Decimal, lot_size: Decimal) -> Decimal:
    """What an order may fill in all, of which so much is filled, where `closable` units are left for it to take."""
    return add(filled, down(closable, lot_size))


def dearest(spec: Specification, held: Held) -> Decimal | None:
    """The highest price that an order which waits names by now: its stop, or the limit that follows from it."""
    stop = held.stop if held.trigger is None else held.trigger.price
    prices = [price for price in (stop, limit_of(spec, replace(held, stop=stop))) if price is not None]
    return up(max(prices), spec.tick_size) if prices else None


def due(held: Held) -> datetime | None:
    """When `on_time` has something to do next, or None."""
    times = [held.ends_at] if held.phase in ("WAITING", "FIRST", "LAST") else []
    times += [held.release_at] if held.phase == "WAITING" and not held.joining else []
    return min((time for time in times if time is not None), default=None)


def on_market(spec: Specification, held: Held, data: MarketData, now: datetime, closable: Decimal) -> Step:
    """What a quote, a print or a bar does to an order that waits for a price."""
    if held.phase != "WAITING" or held.trigger is None or held.joining:
        return held, None
    if held.ends_at is not None and now >= held.ends_at:
        return on_time(spec, held, now, closable)
    trigger, fires = triggered(held.trigger, data)
    if trigger is not held.trigger:
        held = replace(held, trigger=trigger)
    return _release(spec, held, closable) if fires else (held, None)


def on_time(spec: Specification, held: Held, now: datetime, closable: Decimal) -> Step:
    """What the clock does. An order whose end has come is never released, however late its release is noticed."""
    if held.ends_at is not None and now >= held.ends_at:
        reason = f"its time was over at {held.ends_at.isoformat()}"
        if held.phase == "WAITING":
            return replace(held, phase="OVER"), End("EXPIRED", "TIME_OVER", reason)
        if held.phase in ("FIRST", "LAST"):
            return replace(held, phase="ENDING"), Withdraw("TIME_OVER", reason)
    elif held.phase == "WAITING" and not held.joining and held.trigger is None and held.release_at is not None:
        return _release(spec, held, closable) if now >= held.release_at else (held, None)
    return held, None


def admit(
    spec: Specification, held: Held, now: datetime, quote: Quote | None, last: Decimal | None, closable: Decimal
) -> Step:
    """The order's group lets it go: from now on it waits for its own price and time, if for anything.

    A trailing stop begins to trail now, where there is a market to begin from.
    """
    held = replace(held, joining=False)
    if held.ends_at is not None and now >= held.ends_at:
        return on_time(spec, held, now, closable)
    if "POST_ONLY" in spec.emulators and (refusal := crosses(spec.side, spec.limit_price, quote)) is not None:
        return replace(held, phase="OVER"), End("CANCELED", refusal.code, refusal.reason)
    if held.trigger is None:
        waits = held.release_at is not None and now < held.release_at
        return (held, None) if waits else _release(spec, held, closable)
    found = _trigger(spec, now, quote, last) if spec.kind in TRAILING else held.trigger
    if not isinstance(found, Refusal):
        held = replace(held, trigger=found)
    return (held, None) if quote is None else on_market(spec, held, quote, now, closable)


def more(spec: Specification, held: Held, quantity: Decimal) -> Release:
    """What is sent beside what an order has at the venue already, where it is to be larger."""
    return Release(
        quantity=quantity,
        order_type=spec.order_type,
        limit_price=limit_of(spec, held),
        time_in_force=spec.time_in_force,
        expires_at=spec.expires_at,
    )


def on_position(spec: Specification, held: Held, filled: Decimal, closable: Decimal) -> Step:
    """Shrinks a reduce-only order at the venue to what the position still holds; `filled` of it and of no other.

    It never grows again. An order that still waits is capped when it is released.
    """
    if "REDUCE_ONLY" not in spec.emulators or held.phase not in ("FIRST", "LAST") or held.total is None:
        return held, None
    total = most(filled, closable, spec.lot_size)
    if total >= held.total:
        return held, None
    if held.phase == "FIRST":
        # What is at the venue ends at once by itself; only the rest is still to be sent.
        return replace(held, total=total), None
    if total <= filled:
        return replace(held, phase="ENDING", total=filled), Withdraw(*NOTHING)
    return replace(held, total=total), Amend(total)


def on_child_over(spec: Specification, held: Held, filled: Decimal, first_price: Decimal | None, now: datetime) -> Step:
    """What follows when the first part has ended at the venue: of a MARKET_TO_LIMIT order the rest at `first_price`,
    the price of its first fill; of one with a least fill the rest as IOC."""
    if held.phase != "FIRST" or held.total is None:
        return held, None
    over, rest = replace(held, phase="OVER"), subtract(held.total, filled)
    if rest <= ZERO:
        return over, None
    if held.ends_at is not None and now >= held.ends_at:
        return over, End("EXPIRED", "TIME_OVER", f"its time was over at {held.ends_at.isoformat()}")
    if "MIN_FILL_FIRST" in spec.emulators:
        if spec.min_quantity is not None and filled < spec.min_quantity:
            return over, End("CANCELED", "MIN_FILL_NOT_MET", f"{spec.min_quantity} could not be filled at once")
        return _sent(spec, held, "LAST", rest, spec.order_type, limit_of(spec, held), "IOC")
    if first_price is None:
        return over, End("CANCELED", "NO_MARKET", "nothing was filled at once, so there is no price for the rest")
    limit = stricter(spec.side, spec.limit_price, _strict(spec.side, first_price, spec.tick_size))
    return _sent(spec, held, "LAST", rest, "LIMIT", limit, spec.time_in_force)


def on_cancel(held: Held, reason: str) -> Step:
    """Somebody cancels the order: it ends at once where nothing is at the venue."""
    if held.phase == "WAITING":
        return replace(held, phase="OVER"), End("CANCELED", "CANCELED", reason)
    if held.phase in ("FIRST", "LAST"):
        return replace(held, phase="ENDING"), Withdraw("CANCELED", reason)
    return held, None


def missed(spec: Specification, filled: Decimal) -> Refusal | None:
    """At the end of an order: that less was filled than min_fill_ratio asked for, or None."""
    if spec.min_quantity is None or filled >= spec.min_quantity:
        return None
    return Refusal("MIN_FILL_NOT_MET", f"plan.min_fill_ratio: {filled} filled, at least {spec.min_quantity} asked for")


NOTHING: Final = ("NOTHING_TO_REDUCE", "instructions.reduce_only: there is no position that this order would reduce")


def _release(spec: Specification, held: Held, closable: Decimal) -> Step:
    if held.trigger is not None:
        held = replace(held, stop=held.trigger.price, trigger=None)
    total = spec.quantity
    if "REDUCE_ONLY" in spec.emulators:
        total = min(total, down(closable, spec.lot_size))
        if total <= ZERO:
            return replace(held, phase="OVER"), End("CANCELED", *NOTHING)
    held = replace(held, total=total)
    limit = limit_of(spec, held)
    if "MARKET_TO_LIMIT" in spec.emulators:
        return _sent(spec, held, "FIRST", total, spec.order_type, limit, "IOC")
    if "MIN_FILL_FIRST" not in spec.emulators or spec.min_quantity is None:
        return _sent(spec, held, "LAST", total, spec.order_type, limit, spec.time_in_force)
    if spec.min_quantity > total:
        reason = f"plan.min_fill_ratio: {spec.min_quantity} are more than the {total} that may be worked"
        return replace(held, phase="OVER"), End("CANCELED", "MIN_FILL_NOT_MET", reason)
    return _sent(spec, held, "FIRST", spec.min_quantity, spec.order_type, limit, "FOK")


def _sent(
    spec: Specification,
    held: Held,
    phase: Phase,
    quantity: Decimal,
    order_type: OrderType,
    limit: Decimal | None,
    time: TimeInForce,
) -> Step:
    release = Release(
        quantity=quantity,
        order_type=order_type,
        limit_price=limit,
        time_in_force=time,
        expires_at=spec.expires_at if time == spec.time_in_force else None,
    )
    return replace(held, phase=phase), release


def limit_of(spec: Specification, held: Held) -> Decimal | None:
    """The limit at release: a trailing stop's follows from where the stop was then, rounded to the strict side."""
    found, stop, offset = spec.limit_price, held.stop, spec.told.limit_offset
    if stop is None:
        return found
    if offset is not None:
        beyond = subtract(stop, offset) if spec.side == "SELL" else add(stop, offset)
        found = _strict(spec.side, beyond, spec.tick_size)
    if spec.slippage is not None:
        found = stricter(spec.side, found, bound(spec.side, stop, spec.slippage, spec.tick_size))
    return found


def _strict(side: Side, price: Decimal, tick: Decimal) -> Decimal:
    """The price on the grid that lets no more through; not below one tick."""
    return max(tick, down(price, tick) if side == "BUY" else up(price, tick))
