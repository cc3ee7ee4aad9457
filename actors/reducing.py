"""Reduce-only, at every moment: nothing is sent beyond the position, and what is out shrinks with it.

The position is read where it is kept, in the subscriber's actor, which lives in the same partition; where that is not
in memory it is asked for, and nothing is sent before. A fill tells every reduce-only order of its instrument but its
own, which counts it itself. Who is told is memory and no state: an order says so when it is first driven.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import Ticket
from engine.order import Order
from engine.reducing import AskPosition, PositionMoved
from engine.values import ZERO

if TYPE_CHECKING:
    from actors.work import WorkActor


def only(order: Order) -> bool:
    """Whether the order must not open or turn a position, and our side sees to it."""
    return order.work is not None and "REDUCE_ONLY" in order.work.spec.emulators


def _watched(ticket: Ticket) -> tuple[str, str]:
    return ticket.subscriber_id, ticket.instrument


def watch(actor: WorkActor, turn: Turn) -> None:
    """Is told of the position from now on, while the order is open."""
    order: Order = actor.parts[""]
    if not only(order):
        return
    key = _watched(order.ticket)
    if order.open:
        turn.reducing.setdefault(key, {})[actor.address] = None
    elif key in turn.reducing:
        turn.reducing[key].pop(actor.address, None)
        if not turn.reducing[key]:
            del turn.reducing[key]


def booked(ticket: Ticket, turn: Turn) -> None:
    """A fill was booked: told to those whose position it may have taken."""
    mine = f"order/{ticket.parent}"
    for address in turn.reducing.get(_watched(ticket), ()):
        if address != mine:
            turn.tell(address, PositionMoved())


def free(order: Order, turn: Turn) -> Decimal | None:
    """Units that the order may take from the position now; None where that is not known yet. All of an order that is
    not reduce-only."""
    if not only(order):
        return order.quantity
    ticket = order.ticket
    address = f"subscriber/{ticket.subscriber_id}"
    if turn.peek(address) is None:
        return None
    position = turn.peek(address, f"position/{ticket.instrument}")
    return ZERO if position is None else emulate.reducible(ticket.side, position.quantity)


def ask(order: Order, turn: Turn) -> None:
    """Has the subscriber brought into memory."""
    turn.tell(f"subscriber/{order.ticket.subscriber_id}", AskPosition(order_id=order.ticket.order_id))


def level(actor: WorkActor, turn: Turn) -> bool:
    """Whether the position is known: then an order that an algorithm works is for no more than that, and is over where
    that is nothing."""
    order: Order = actor.parts[""]
    watch(actor, turn)
    spare = free(order, turn)
    if spare is None:
        ask(order, turn)
        return False
    quantity = emulate.most(order.filled, spare, work_.working(order).spec.lot_size)
    if quantity >= order.quantity or order.cancelling:
        return True
    if quantity > order.filled:
        actor.resize(quantity, f"reduce_only: cut to {quantity}, all that the position holds", turn)
    else:
        reason = f"{emulate.NOTHING[0]}: {emulate.NOTHING[1]}"
        turn.record(work_.WorkStopped(**order_.about(order, turn.now), reason=reason))
    return True
