"""What a simulated venue charges: a schedule over the whole order, shared out exactly among its executions."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Final

from msgspec import Struct

from engine.values import EXACT, ZERO, Number

CENT: Final = Decimal("0.01")
_BPS: Final = Decimal("0.0001")
_ROUND: Final = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])


class Schedule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an order costs in the instrument's currency:

    max(minimum, per_order + per_share * filled + bps / 10,000 * notional), at most maximum_bps / 10,000 * notional

    where that is given (it wins over the minimum). Nothing filled costs nothing. A negative `per_share` or `bps` is
    a rebate, as long as `minimum` lets it.
    """

    per_share: Number = ZERO
    per_order: Number = ZERO
    bps: Number = ZERO
    minimum: Number | None = None
    maximum_bps: Number | None = None


FREE: Final = Schedule()


def cost(schedule: Schedule, filled: Decimal, notional: Decimal) -> Decimal:
    """What an order with so many units filled, worth `notional` (multiplier included), has cost so far, rounded
    half-even to the cent."""
    if schedule == FREE or not filled:
        return ZERO
    total = EXACT.fma(schedule.per_share, filled, schedule.per_order)
    total = EXACT.fma(EXACT.multiply(schedule.bps, _BPS), notional, total)
    if schedule.minimum is not None and total < schedule.minimum:
        total = schedule.minimum
    if schedule.maximum_bps is not None:
        most = EXACT.multiply(EXACT.multiply(schedule.maximum_bps, _BPS), notional)
        total = min(total, most)
    return total.quantize(CENT, context=_ROUND)
