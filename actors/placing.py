"""What an algorithm decided about its children, done: new ones sent, others asked to change or to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors import windows
from actors.turn import Turn
from engine.algos import contract as algo
from engine.commands import CancelOrder, Reprice
from engine.order import Order
from engine.working import Piece, Work

if TYPE_CHECKING:
    from actors.work import WorkActor


def pieces(
    actor: WorkActor, order: Order, work: Work, actions: Sequence[algo.Action], turn: Turn
) -> list[tuple[Piece, algo.Place]]:
    """The children to be sent, with ids of their own."""
    ticket = order.ticket
    found: list[tuple[Piece, algo.Place]] = []
    for action in actions:
        if isinstance(action, algo.Place):
            leg = work.placed + len(found)
            piece = Piece(
                order_id=turn.order_id(ticket.venue, ticket.subscriber_id, actor.id, leg),
                quantity=action.quantity,
                working=action.quantity,
                limit_price=action.limit_price,
            )
            found.append((piece, action))
    return found


def asked(actions: Sequence[algo.Action]) -> tuple[str, ...]:
    """The children that are asked to change or to end."""
    return tuple(action.child_id for action in actions if isinstance(action, algo.Cancel | algo.Replace))


def tell(
    actor: WorkActor,
    order: Order,
    placed: Sequence[tuple[Piece, algo.Place]],
    actions: Sequence[algo.Action],
    turn: Turn,
) -> None:
    """Sends the new children, and tells the others."""
    for piece, place in placed:
        actor.send(order, piece, place.order_type, place.time_in_force, turn, place.display_quantity)
    venue = turn.peek(f"venue/{order.ticket.venue}")
    modifies = venue is not None and venue.modifies
    for action in actions:
        if isinstance(action, algo.Cancel):
            turn.tell(f"order/{action.child_id}", CancelOrder(reason=f"by {actor.id}"))
        elif isinstance(action, algo.Replace) and modifies:
            reprice = Reprice(quantity=action.quantity, limit_price=action.limit_price)
            windows.sent(order.ticket, turn)
            turn.tell(f"order/{action.child_id}", reprice)
        elif isinstance(action, algo.Replace):
            # Another is sent at the new price when this one is gone.
            turn.tell(f"order/{action.child_id}", CancelOrder(reason=f"by {actor.id}, for another price"))
