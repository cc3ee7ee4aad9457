"""What a regime makes of open orders: which of them do not only reduce a position, and how large a child may be."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from engine.config import Limits
from engine.order import Order
from engine.values import EXACT, ZERO, Side, floor_to, minus, multiply, subtract
from engine.work import working


class Open(Struct, frozen=True, gc=False):
    """What of an order may still fill; of those with the same `once` one fills at most."""

    order_id: str
    side: Side
    leaves: Decimal
    once: str = ""


def reduces(position: Decimal, side: Side, leaves: Decimal) -> bool:
    """Whether an order alone closes at most all of a position."""
    return leaves <= (position if side == "SELL" else minus(position))


def risky(position: Decimal, orders: Iterable[Open]) -> list[str]:
    """The orders in one instrument that do not only reduce its position, whatever else fills.

    The oldest orders against the position are kept as long as together they close at most all of it. The legs of a
    group of which one fills at most count as the largest of them.
    """
    found: list[str] = []
    room = EXACT.abs(position)
    reducing = "SELL" if position > ZERO else "BUY"
    counted: dict[str, Decimal] = {}
    for order in sorted(orders, key=lambda order: order.order_id):
        before = counted.get(order.once, ZERO)
        more = max(subtract(order.leaves, before), ZERO)
        if order.side == reducing and more <= room:
            room = subtract(room, more)
            if order.once:
                counted[order.once] = max(order.leaves, before)
        else:
            found.append(order.order_id)
    return found


def largest(order: Order, limits: Limits) -> Decimal | None:
    """The largest child, in units, that limits leave an order worked by an algorithm: whole lots; None where they leave
    all of it. What the venue would not take is nothing at all."""
    works, ticket = working(order).works, order.ticket
    if works is None:
        return None
    most = limits.max_order_quantity
    each = multiply(order.reserve_price, ticket.multiplier)
    if limits.max_order_notional is not None and each > ZERO:
        worth = EXACT.divide_int(limits.max_order_notional, multiply(each, works.parent.lot_size))
        units = multiply(worth, works.parent.lot_size)
        most = units if most is None else min(most, units)
    if most is None or most >= order.working:
        return None
    whole = floor_to(most, works.parent.lot_size)
    return ZERO if whole < works.parent.min_quantity else whole
