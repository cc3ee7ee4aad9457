"""A part of an order held at our side goes to the venue as a child, now or when the venue is back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from actors import reducing
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.order import Order
from engine.working import Piece

if TYPE_CHECKING:
    from actors.work import WorkActor


def ready(actor: WorkActor, order: Order, quantity: Decimal, turn: Turn) -> bool:
    """Whether so many units of the order can be sent now."""
    return actor.sendable(order, quantity, turn) and reducing.free(order, turn) is not None


def send(actor: WorkActor, held: emulate.Held, part: emulate.Release, turn: Turn) -> None:
    """Sends a part of the order to the venue, as a child."""
    order: Order = actor.parts[""]
    ticket, work = order.ticket, work_.working(order)
    piece = Piece(
        order_id=turn.order_id(ticket.venue, ticket.subscriber_id, actor.id, work.placed),
        quantity=part.quantity,
        working=part.quantity,
        limit_price=part.limit_price,
    )
    turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=held, placed=(piece,)))
    actor.send(order, piece, part.order_type, part.time_in_force, turn)


def keep(actor: WorkActor, held: emulate.Held, turn: Turn) -> None:
    """What is to be sent waits until it can be, and a person is told where that is for the venue to be back."""
    order: Order = actor.parts[""]
    if held == work_.working(order).held:
        return
    turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=held))
    if reducing.free(order, turn) is None:
        reducing.ask(order, turn)
    venue = turn.peek(actor.venue_of(order))
    if venue is not None and venue.takes:
        return
    reason = f"its time or price has come, and venue {order.ticket.venue} is away: it is sent when that is back"
    turn.alarm("RELEASE_WAITS", actor.address, reason)
