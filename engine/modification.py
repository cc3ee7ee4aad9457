"""Which changes a client may make of an order that is worked at our side, while it works."""

from __future__ import annotations

from typing import Final

from engine.emulate import Held
from engine.messages import ExecutionCommand
from engine.order import Order
from engine.specification import Emulator, Specification
from engine.values import is_multiple
from engine.working import Work

WAITING: Final[frozenset[Emulator]] = frozenset({"TRIGGER", "ON_OPEN", "ON_CLOSE"})
"""Emulators of an order whose price is not of now."""
Problem = tuple[str, str]


def waits(order: Order) -> bool:
    """Whether the order still waits for its price or time, so that nothing says how far from the market it may be."""
    work = order.work
    if work is None or work.held is None or work.held.phase != "WAITING":
        return False
    return not WAITING.isdisjoint(work.spec.emulators)


def unamendable(order: Order, command: ExecutionCommand) -> Problem | None:
    """Why the order cannot be changed so, as code and sentence, or None.

    One that an algorithm works may only become stricter in price: its slices are reserved at the price that it has.
    """
    name, work = order.ticket.order_id, order.work
    if work is None or order.status not in ("WORKING", "PARTIALLY_FILLED"):
        return "NOT_MODIFIABLE", f"order_id: {name} is {order.status}; only a working order can be modified"
    quantity, price, limit, lot = command.quantity, command.limit_price, order.limit_price, work.spec.lot_size
    if quantity is not None and quantity <= order.filled:
        return "BELOW_FILLED", f"quantity: {order.filled} of {name} is filled already, got {quantity}"
    if quantity is not None and not is_multiple(quantity, lot):
        return "OFF_LOT", f"quantity: {quantity} is not a multiple of lot_size {lot}"
    if price is not None and not is_multiple(price, work.spec.tick_size):
        return "OFF_TICK", f"limit_price: {price} is not a multiple of tick_size {work.spec.tick_size}"
    if work.held is not None:
        return _held(order, work, work.held, command)
    buys = order.ticket.side == "BUY"
    if price is not None and limit is not None and (price > limit if buys else price < limit):
        return "NOT_MODIFIABLE", f"limit_price: {price} is looser than {limit}, at which {name} is reserved"
    return None


def _held(order: Order, work: Work, held: Held, command: ExecutionCommand) -> Problem | None:
    name, price, spec = order.ticket.order_id, command.limit_price, work.spec
    if held.phase not in ("WAITING", "LAST"):
        what = "ends already" if held.phase == "ENDING" else "is sent in parts, of which the first is not answered"
        return "NOT_MODIFIABLE", f"order_id: {name} {what}; cancel it and send another"
    if price is None:
        return None
    if order.limit_price is None or spec.kind == "MARKET_TO_LIMIT":
        return "UNEXPECTED_PRICE", f"limit_price: {name} is a {spec.kind} order and takes none"
    if _past_bound(spec, command):
        return "NOT_MODIFIABLE", f"limit_price: {price} is past {spec.price_bound}, the bound of max_slippage_pct"
    return None


def _past_bound(spec: Specification, command: ExecutionCommand) -> bool:
    price, bound = command.limit_price, spec.price_bound
    if price is None or bound is None:
        return False
    return price > bound if spec.side == "BUY" else price < bound
