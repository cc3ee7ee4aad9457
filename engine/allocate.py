"""How much: turns a request into a side and a quantity on the instrument's lot grid, or a refusal.

A direct request sizes itself; a signal is sized by the subscription's allocation. What a client states is taken as it
is or refused, never rounded. What is derived here is rounded down to a lot, never up past what was asked.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Literal

from msgspec import Struct

from engine.config import InstrumentSpec
from engine.messages import Allocation, ExecutionRequest, FixedNotional, FixedQuantity, Multiplier
from engine.refusal import Refusal
from engine.values import EXACT, MAX_INTEGER_DIGITS, ONE, ZERO, Side, is_multiple

Method = Literal["quantity", "notional", "weight", "close"]

# Sizes are positive, so rounding towards zero can never buy more than was asked for.
_DOWN = Context(prec=34, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
_TOO_LARGE = Decimal(1).scaleb(MAX_INTEGER_DIGITS)


class Sizing(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How a quantity came about.

    `base` (units, money in `currency`, or equity for a weight) times `factor` (allocation and leverage), over the
    price of a unit (`reference` times the multiplier) where base is money, is `raw` units. `quantity` is `raw`, at
    most `position` units where a position is being closed, floored to `lot`.
    """

    method: Method
    base: Decimal
    factor: Decimal = ONE
    reference: Decimal | None = None
    multiplier: Decimal = ONE
    raw: Decimal
    position: Decimal | None = None
    lot: Decimal = ONE
    currency: str = ""
    quantity: Decimal

    def sentence(self) -> str:
        """The arithmetic in words: `10 x 0.5 = 5, floored to lot 1: 5`."""
        base, raw, quantity = _plain(self.base), _plain(self.raw), _plain(self.quantity)
        if self.method == "close":
            text = f"the whole position of {base}"
        else:
            text = base if self.reference is None else f"{base} {self.currency}"
            if self.method == "weight":
                text = f"equity {text}"
            if self.factor != ONE:
                text += f" x {_plain(self.factor)}"
            if self.reference is not None:
                text += f" / {_plain(self.reference)}"
                if self.multiplier != ONE:
                    text += f" / {_plain(self.multiplier)}"
            if text != raw:
                text += f" = {raw}"
        if self.position is not None and self.position < self.raw:
            text += f", at most the position of {_plain(self.position)}"
        return f"{text}, floored to lot {_plain(self.lot)}: {quantity}"


def _plain(value: Decimal) -> str:
    """Digits without trailing zeros or an exponent."""
    text = str(value)
    if "E" in text:
        return f"{value.normalize(EXACT):f}"
    # As most numbers are short, this is a quarter of the way over `normalize`.
    return text.rstrip("0").rstrip(".") if "." in text else text


class Sized(Struct, frozen=True, gc=False):
    """A side, a quantity on the lot grid, and how it came about."""

    side: Side
    quantity: Decimal
    sizing: Sizing


def allocate(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    position: Decimal,
) -> Sized | Refusal:
    """The side and quantity of this request, by `allocation` for a signal (None: the request sizes itself).

    `reference` is the price of a unit in the instrument's currency, `equity` the subscriber's in that currency,
    `position` the signed units that may still be closed (see `ledger.closable`). Refusals: OFF_TICK, OFF_LOT,
    NOTHING_TO_CLOSE, MISSING_SIZE, NO_REFERENCE_PRICE, NO_EQUITY, SIZE_TOO_SMALL, SIZE_TOO_LARGE.
    """
    limit = request.limit_price
    if limit is not None and not is_multiple(limit, spec.tick_size):
        return Refusal("OFF_TICK", f"limit_price: {limit} is not a multiple of tick_size {spec.tick_size}")
    stated = request.quantity if allocation is None else None
    if stated is not None and not is_multiple(stated, spec.lot_size):
        return Refusal("OFF_LOT", f"quantity: {stated} is not a multiple of lot_size {spec.lot_size}")
    if request.intent == "CLOSE":
        return _close(request, allocation, spec, reference, equity, position)
    side: Side = request.side or ("BUY" if request.intent == "OPEN_LONG" else "SELL")
    if stated is not None:
        sizing = Sizing(method="quantity", base=stated, raw=stated, lot=spec.lot_size, quantity=stated)
        return Sized(side, stated, sizing)
    return _floor(side, _size(request, allocation, spec, reference, equity), None, spec)


def _close(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
    position: Decimal,
) -> Sized | Refusal:
    if not position:
        return Refusal("NOTHING_TO_CLOSE", f"{request.exchange}:{request.symbol}: no position is left to close")
    side: Side = "SELL" if position > ZERO else "BUY"
    held = EXACT.abs(position)
    if request.quantity is None and request.notional is None and request.weight is None:
        return _floor(side, Sizing(method="close", base=held, raw=held, quantity=held), held, spec)
    return _floor(side, _size(request, allocation, spec, reference, equity), held, spec)


def _size(
    request: ExecutionRequest,
    allocation: Allocation | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
) -> Sizing | Refusal:
    """The size before it is floored: by the allocation, or what the request (for a multiplier, the leader) states."""
    times = ONE
    if allocation is not None:
        if isinstance(allocation, FixedQuantity):
            return _units(allocation.value, ONE)
        if isinstance(allocation, FixedNotional):
            return _money("notional", allocation.value, request.leverage or ONE, spec, reference)
        if not isinstance(allocation, Multiplier):
            return _weight(allocation.value, request.leverage, spec, reference, equity)
        times = allocation.value
    if request.quantity is not None:
        return _units(request.quantity, times)
    if request.notional is not None:
        return _money("notional", request.notional, EXACT.multiply(times, request.leverage or ONE), spec, reference)
    if request.weight is not None:
        return _weight(EXACT.multiply(times, request.weight), request.leverage, spec, reference, equity)
    return Refusal("MISSING_SIZE", "quantity: this allocation needs a quantity, notional or weight in the request")


def _units(base: Decimal, factor: Decimal) -> Sizing:
    raw = base if factor is ONE else EXACT.multiply(base, factor)
    return Sizing(method="quantity", base=base, factor=factor, raw=raw, quantity=raw)


def _weight(
    weight: Decimal,
    leverage: Decimal | None,
    spec: InstrumentSpec,
    reference: Decimal | None,
    equity: Decimal | None,
) -> Sizing | Refusal:
    if equity is None:
        return Refusal("NO_EQUITY", f"weight: equity in {spec.currency} is unknown, as something held has no mark")
    if equity <= ZERO:
        return Refusal("NO_EQUITY", f"weight: equity in {spec.currency} is {equity}, nothing to take a part of")
    return _money("weight", equity, EXACT.multiply(weight, leverage or ONE), spec, reference)


def _money(
    method: Method, base: Decimal, factor: Decimal, spec: InstrumentSpec, reference: Decimal | None
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


def _floor(side: Side, sizing: Sizing | Refusal, held: Decimal | None, spec: InstrumentSpec) -> Sized | Refusal:
    """The size on the lot grid, at most what is held where a position is being closed."""
    if isinstance(sizing, Refusal):
        return sizing
    raw, lot = sizing.raw, spec.lot_size
    if held is not None and held < raw:
        raw = held
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
            lot=lot,
            currency=sizing.currency,
            quantity=quantity,
        ),
    )
