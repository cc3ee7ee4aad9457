"""How much: turns a request into a side and a quantity on the instrument's lot grid, or a refusal.

A direct request sizes itself; a signal is sized by the subscription's allocation. What a client states is taken as it
is or refused, never rounded. What is derived here is rounded down to a lot, never up past what was asked.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Final

from engine.config import InstrumentSpec
from engine.messages import ExecutionRequest
from engine.methods import Allocation, FixedNotional, FixedQuantity, Multiplier, PercentChange, RiskBased, Weight
from engine.refusal import Refusal
from engine.sizing import Facts, How, Sized, Sizing, plain
from engine.values import EXACT, MAX_INTEGER_DIGITS, ONE, ZERO, Side, is_multiple

# Sizes are positive, so rounding towards zero can never buy more than was asked for.
_DOWN = Context(prec=34, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
_TOO_LARGE = Decimal(1).scaleb(MAX_INTEGER_DIGITS)


NO_FACTS: Final = Facts()


def allocate(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    position: Decimal,
    facts: Facts = NO_FACTS,
) -> Sized | Refusal:
    """The side and quantity of this request, by `allocation` for a signal (None: the request sizes itself).

    `reference` is the price of a unit in the instrument's currency, `equity` the subscriber's in that currency,
    `position` the signed units that may still be closed (see `ledger.closable`; for CLOSE and percent_change).
    Refusals: OFF_TICK, OFF_LOT, NOTHING_TO_CLOSE, MISSING_SIZE, NO_REFERENCE_PRICE, NO_EQUITY, SIZE_TOO_SMALL,
    SIZE_TOO_LARGE; by method MISSING_STOP, BAD_STOP, NO_EFFECT, NO_GROUP; by an allocation's bounds BELOW_MINIMUM.
    """
    limit = request.limit_price
    if limit is not None and not is_multiple(limit, spec.tick_size):
        return Refusal("OFF_TICK", f"limit_price: {limit} is not a multiple of tick_size {spec.tick_size}")
    stated = request.quantity if allocation is None else None
    if stated is not None and not is_multiple(stated, spec.lot_size):
        return Refusal("OFF_LOT", f"quantity: {stated} is not a multiple of lot_size {spec.lot_size}")
    if request.intent == "CLOSE":
        return _close(request, allocation, spec, reference, equity, position, facts)
    side: Side = request.side or ("BUY" if request.intent == "OPEN_LONG" else "SELL")
    if stated is not None:
        sizing = Sizing(method="quantity", base=stated, raw=stated, lot=spec.lot_size, quantity=stated)
        return Sized(side, stated, sizing)
    sized = _size(request, allocation, spec, reference, equity, side, facts)
    if allocation is None:
        return _floor(side, sized, None, spec)
    if type(allocation) is PercentChange and allocation.value < ZERO:
        return _floor(side, sized, EXACT.abs(position), spec)
    if (
        allocation.max_quantity is None
        and allocation.max_notional is None
        and allocation.min_quantity is None
        and allocation.min_notional is None
    ):
        return _floor(side, sized, None, spec)
    return _bounded(side, sized, allocation, spec, reference)


def leverage(request: ExecutionRequest, allocation: Allocation | None) -> Decimal | None:
    """The leverage that sizes this request: the allocation's own before the request's; None is 1."""
    if allocation is None or allocation.leverage is None:
        return request.leverage
    return allocation.leverage


def _close(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    position: Decimal,
    facts: Facts,
) -> Sized | Refusal:
    if not position:
        return Refusal("NOTHING_TO_CLOSE", f"{request.exchange}:{request.symbol}: no position is left to close")
    side: Side = "SELL" if position > ZERO else "BUY"
    held = EXACT.abs(position)
    whole = request.quantity is None and request.notional is None and request.weight is None
    # What was sized by its stop's distance has none when it is closed.
    if whole or isinstance(allocation, RiskBased):
        return _floor(side, Sizing(method="close", base=held, raw=held, quantity=held), held, spec)
    return _floor(side, _size(request, allocation, spec, reference, equity, side, facts), held, spec)


def _size(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    side: Side,
    facts: Facts,
) -> Sizing | Refusal:
    """The size before it is floored: by the allocation, or what the request (for a multiplier, the leader) states."""
    times, leveraged = ONE, request.leverage
    if allocation is not None:
        if allocation.leverage is not None:
            leveraged = allocation.leverage
        if type(allocation) is FixedQuantity:
            return _units(allocation.value, ONE)
        if type(allocation) is FixedNotional:
            return _money("notional", allocation.value, leveraged or ONE, spec, reference)
        if type(allocation) is not Multiplier:
            if type(allocation) is Weight:
                return weigh(allocation.value, leveraged, spec, reference, equity)
            return _by_facts(request, allocation, spec, reference, equity, side, facts)
        times = allocation.value
    if request.quantity is not None:
        return _units(request.quantity, times)
    if request.notional is not None:
        return _money("notional", request.notional, EXACT.multiply(times, leveraged or ONE), spec, reference)
    if request.weight is not None:
        return weigh(EXACT.multiply(times, request.weight), leveraged, spec, reference, equity)
    return Refusal("MISSING_SIZE", "quantity: this allocation needs a quantity, notional or weight in the request")


def _by_facts(
    request: ExecutionRequest,
    allocation: Allocation,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    side: Side,
    facts: Facts,
) -> Sizing | Refusal:
    """The size by a method that asks for more than a price and equity."""
    if isinstance(allocation, RiskBased):
        # The stop of a market or limit order is the protective one, of any other order its trigger.
        trigger = None if request.order_type in ("MARKET", "LIMIT") else request.stop_price
        entry = request.limit_price or trigger or reference
        return _risk(allocation, spec, entry, facts.stop, equity, side)
    if isinstance(allocation, PercentChange):
        return _percent(allocation.value, facts.held, side)
    share = facts.share
    if share is None:
        return Refusal("NO_GROUP", "allocation: this method shares a total over a group, and there is none")
    return Sizing(
        method="share",
        base=share.total,
        factor=share.own,
        reference=share.all,
        raw=share.quantity,
        quantity=share.quantity,
    )


def _risk(
    allocation: RiskBased,
    spec: InstrumentSpec,
    entry: Decimal | None,
    stop: Decimal | None,
    equity: Decimal | None,
    side: Side,
) -> Sizing | Refusal:
    """equity x fraction / |entry - stop| / multiplier."""
    if entry is None or entry <= ZERO:
        return Refusal("NO_REFERENCE_PRICE", f"risk_based: {spec.exchange}:{spec.symbol} has no price to size it with")
    if stop is not None:
        distance = EXACT.subtract(entry, stop) if side == "BUY" else EXACT.subtract(stop, entry)
        if distance <= ZERO:
            where = "below" if side == "BUY" else "above"
            return Refusal("BAD_STOP", f"stop: of a {side} must be {where} the entry at {entry}, got {stop}")
    elif allocation.stop_fraction is not None:
        distance = EXACT.multiply(entry, allocation.stop_fraction)
    else:
        return Refusal("MISSING_STOP", "stop: risk_based needs the signal's protective stop, or a stop_fraction")
    return _of_equity("risk", allocation.value, spec, distance, equity)


def _percent(change: Decimal, held: Decimal, side: Side) -> Sizing | Refusal:
    """A part of the position: a buy increases a long one or decreases a short one, a sell the other way round."""
    grows = (held > ZERO) == (side == "BUY")
    if not held or grows != (change > ZERO):
        return Refusal(
            "NO_EFFECT", f"percent_change: a {side} has nothing to change by {change} in a position of {held}"
        )
    base, factor = EXACT.abs(held), EXACT.abs(change)
    raw = EXACT.multiply(base, factor)
    return Sizing(method="percent_change", base=base, factor=factor, raw=raw, quantity=raw)


def _units(base: Decimal, factor: Decimal) -> Sizing:
    raw = base if factor is ONE else EXACT.multiply(base, factor)
    return Sizing(method="quantity", base=base, factor=factor, raw=raw, quantity=raw)


def weigh(
    weight: Decimal,
    leverage: Decimal | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
) -> Sizing | Refusal:
    """The units worth this weight of equity, not yet on the lot grid. Refusals: NO_EQUITY, NO_REFERENCE_PRICE."""
    return _of_equity("weight", EXACT.multiply(weight, leverage or ONE), spec, reference, equity)


def _of_equity(
    method: How, part: Decimal, spec: InstrumentSpec, reference: Decimal | None, equity: Decimal | None
) -> Sizing | Refusal:
    if equity is None:
        return Refusal("NO_EQUITY", f"{method}: equity in {spec.currency} is unknown, as something held has no mark")
    if equity <= ZERO:
        return Refusal("NO_EQUITY", f"{method}: equity in {spec.currency} is {equity}, nothing to take a part of")
    return _money(method, equity, part, spec, reference)


def _money(
    method: How, base: Decimal, factor: Decimal, spec: InstrumentSpec, reference: Decimal | None
) -> Sizing | Refusal:
    if reference is None or reference <= ZERO:
        return Refusal("NO_REFERENCE_PRICE", f"{method}: {spec.exchange}:{spec.symbol} has no price to size it with")
    raw = _DOWN.divide(_DOWN.multiply(base, factor), EXACT.multiply(reference, spec.multiplier))
    raw = _DOWN.add(raw, ZERO)  # 100000, where dividing gave 1.000E+5.
    return Sizing(
        method=method,
        base=base,
        factor=factor,
        reference=reference,
        multiplier=spec.multiplier,
        raw=raw,
        currency=spec.currency,
        quantity=raw,
    )


def _bounded(
    side: Side, sizing: Sizing | Refusal, bounds: Allocation, spec: InstrumentSpec, reference: Decimal | None
) -> Sized | Refusal:
    """The size cut to the allocation's maximum, or refused below its minimum."""
    if isinstance(sizing, Refusal):
        return sizing
    most, least, money = bounds.max_quantity, bounds.min_notional, bounds.max_notional
    unit = ONE if reference is None else EXACT.multiply(reference, spec.multiplier)
    if (least is not None or money is not None) and (reference is None or reference <= ZERO):
        return Refusal("NO_REFERENCE_PRICE", f"{spec.exchange}:{spec.symbol} has no price to bound its notional by")
    if money is not None:
        units = _DOWN.divide(money, unit)
        most = units if most is None else min(most, units)
    sized = _floor(side, sizing, None, spec, most)
    if isinstance(sized, Refusal):
        return sized
    quantity = sized.quantity
    if bounds.min_quantity is not None and quantity < bounds.min_quantity:
        return Refusal("BELOW_MINIMUM", f"min_quantity: {quantity} is below the allocation's {bounds.min_quantity}")
    if least is not None and EXACT.multiply(quantity, unit) < least:
        worth = f"{quantity} worth {plain(EXACT.multiply(quantity, unit))} {spec.currency}"
        return Refusal("BELOW_MINIMUM", f"min_notional: {worth} is below the allocation's {least}")
    return sized


def _floor(
    side: Side, sizing: Sizing | Refusal, held: Decimal | None, spec: InstrumentSpec, most: Decimal | None = None
) -> Sized | Refusal:
    """The size on the lot grid, at most what is held where a position is being closed, and at most `most`."""
    if isinstance(sizing, Refusal):
        return sizing
    raw, lot = sizing.raw, spec.lot_size
    if held is not None and held < raw:
        raw = held
    if most is not None and most < raw:
        raw = most
    if raw >= _TOO_LARGE:
        return Refusal("SIZE_TOO_LARGE", f"quantity: {raw} has more than {MAX_INTEGER_DIGITS} digits")
    quantity = EXACT.multiply(EXACT.divide_int(raw, lot), lot)
    if quantity < spec.min_quantity or not quantity:
        return Refusal(
            "SIZE_TOO_SMALL",
            f"quantity: {raw:f} floored to lot_size {lot} is {quantity}, below min_quantity {spec.min_quantity}",
        )
    return Sized(
        side,
        quantity,
        Sizing(
            method=sizing.method,
            base=sizing.base,
            factor=sizing.factor,
            reference=sizing.reference,
            multiplier=sizing.multiplier,
            raw=sizing.raw,
            position=held,
            most=most,
            lot=lot,
            currency=sizing.currency,
            quantity=quantity,
        ),
    )
