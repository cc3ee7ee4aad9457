"""The figures that a sized order is judged by: gathered once, judged by `engine.risk`, kept with the decision.

Working orders are counted at their worst: +100 held with 100 working to be sold is nothing that can be sold again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Context, Decimal

from msgspec import Struct

from engine.config import InstrumentSpec, Limits
from engine.exposure import Exposure, worst
from engine.ledger import Position
from engine.values import ZERO, Side, add, multiply, subtract

_RATIO = Context(prec=9)  # A leverage to look at, not what the checks compare.


class Figures(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Everything that a sized decision was made from. Money is in the instrument's currency, sizes are in units.

    `price` is what the order is counted at: the limit of a buy, the higher of limit and reference of a sell, else the
    reference. `after` is the signed position if this order and every working order on its side fill. `gross_after`
    is the gross exposure with this order, `leverage` that over equity. `day_loss` is positive for a loss. `rate` is
    how many orders the subscriber placed in the second before this one. What is None is unknown.
    """

    at: datetime
    side: Side
    quantity: Decimal
    limit_price: Decimal | None = None
    reference: Decimal | None = None
    price: Decimal | None = None
    notional: Decimal | None = None
    position: Decimal = ZERO
    working_buy: Decimal = ZERO
    working_sell: Decimal = ZERO
    after: Decimal = ZERO
    reduces: bool = False
    cash: Decimal = ZERO
    reserved: Decimal = ZERO
    equity: Decimal | None = None
    gross: Decimal | None = None
    missing: str = ""
    gross_after: Decimal | None = None
    leverage: Decimal | None = None
    day_loss: Decimal | None = None
    rate: int = 0
    spec: InstrumentSpec
    limits: Limits


def measure(
    at: datetime,
    side: Side,
    quantity: Decimal,
    limit_price: Decimal | None,
    reference: Decimal | None,
    position: Position,
    exposure: Exposure,
    day_equity: Decimal | None,
    rate: int,
    spec: InstrumentSpec,
    limits: Limits,
) -> Figures:
    """The figures of an order for `quantity` units, a market order where `limit_price` is None.

    `position` and `exposure` are without this order; for a replacement, with the order's own reservation released.
    `reference` is the mark that `exposure` valued the position with. `day_equity` is what the day opened with.
    """
    if reference is not None and reference <= ZERO:
        reference = None
    held = position.quantity
    price = reference if limit_price is None else limit_price
    if side == "BUY":
        after = add(add(held, position.working_buy), quantity)
        reduces = held < ZERO and after <= ZERO
    else:
        after = subtract(subtract(held, position.working_sell), quantity)
        reduces = held > ZERO and after >= ZERO
        if price is not None and reference is not None and reference > price:
            price = reference
    notional = None if price is None else multiply(multiply(quantity, price), spec.multiplier)
    equity = exposure.equity
    gross_after = exposure.gross
    if gross_after is not None and not reduces:
        if notional is None:
            gross_after = None
        else:
            gross_after += _increase(position, side, quantity, notional, reference, spec.multiplier)
    return Figures(
        at=at,
        side=side,
        quantity=quantity,
        limit_price=limit_price,
        reference=reference,
        price=price,
        notional=notional,
        position=held,
        working_buy=position.working_buy,
        working_sell=position.working_sell,
        after=after,
        reduces=reduces,
        cash=exposure.cash,
        reserved=exposure.reserved,
        equity=equity,
        gross=exposure.gross,
        missing=exposure.missing,
        gross_after=gross_after,
        leverage=None if gross_after is None or not equity or equity < ZERO else _RATIO.divide(gross_after, equity),
        day_loss=None if equity is None or day_equity is None else day_equity - equity,
        rate=rate,
        spec=spec,
        limits=limits,
    )


def _increase(
    position: Position, side: Side, quantity: Decimal, notional: Decimal, mark: Decimal | None, multiplier: Decimal
) -> Decimal:
    """By how much this order raises the instrument's worst exposure: not at all where the other side is worse."""
    held, buys, sells = position.quantity, position.working_buy, position.working_sell
    reserved_buy, reserved_sell = position.reserved_buy, position.reserved_sell
    value = ZERO if mark is None or not held else held * mark * multiplier
    before = worst(value, held, buys, sells, reserved_buy, reserved_sell)
    if side == "BUY":
        return worst(value, held, buys + quantity, sells, reserved_buy + notional, reserved_sell) - before
    return worst(value, held, buys, sells + quantity, reserved_buy, reserved_sell + notional) - before
