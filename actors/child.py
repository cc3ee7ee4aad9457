"""A child of an order that is worked at our side: what it tells its parent and the gate, and what it is told."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.turn import Turn
from engine import events as e
from engine import order as order_
from engine.commands import ChildReport, GiveBack, ReplaceChild, Reprice
from engine.order import Order
from engine.specification import stricter
from engine.values import ZERO, subtract
from engine.working import Piece

if TYPE_CHECKING:
    from actors.order import OrderActor


def report(
    actor: OrderActor, before: Order, after: Order, released: Decimal, turn: Turn, pending: bool = False
) -> None:
    """A child's reservation is its parent's: what it gives back is told to the gate, and there.

    In this order: the parent may send in its turn what was given back. A fill that comes after the end takes what
    was given back again.
    """
    ticket = after.ticket
    returned = subtract(subtract(before.working, after.working), subtract(after.filled, before.filled))
    venue = f"venue/{ticket.venue}"
    # What the gate itself has stopped was never out.
    if returned and turn.sender != venue:
        turn.tell(venue, GiveBack(order_id=ticket.parent, quantity=returned))
    piece = Piece(
        order_id=actor.id,
        quantity=after.quantity,
        filled=after.filled,
        working=after.working,
        limit_price=after.limit_price,
        # A cancel that the venue could not take, because it does not know the order, stays asked for.
        pending=pending or after.cancelling or after.status in ("PENDING_CANCEL", "PENDING_REPLACE"),
        lost=after.status == "UNKNOWN",
    )
    over = not after.open and after.status != "FILLED" and not after.cancelling
    turn.tell(
        f"order/{ticket.parent}",
        ChildReport(
            child=piece,
            open=after.open,
            filled=subtract(after.filled, before.filled),
            notional=subtract(after.notional, before.notional),
            commission=subtract(after.commission, before.commission),
            released=released,
            reserved=subtract(before.reserved, after.reserved) if released else ZERO,
            ended=f"{actor.id} ended {after.status}: {after.reason}" if over else "",
            asked=after.cancelling or (after.asks > 0 and after.heard_of),
        ),
    )


def reprice(actor: OrderActor, message: Reprice, turn: Turn) -> None:
    """What the parent wants of its child; where it cannot be now, the parent hears how the child is."""
    order = actor.order
    if order is None:
        return
    venue = turn.peek(actor.venue_of(order))
    able = venue is not None and venue.modifies
    resting = order.status in ("WORKING", "PARTIALLY_FILLED")
    # More than it has is for the gate's count of its parent to allow, and a child never asks for it.
    if not able or not resting or not order.filled < message.quantity <= order.quantity:
        # Until the venue has answered, the parent is not to ask again.
        report(actor, order, order, ZERO, turn, pending=not resting)
        return
    limit, parent = message.limit_price, turn.peek(f"order/{order.ticket.parent}")
    if limit is not None and parent is not None and parent.limit_price is not None:
        # The parent may have become stricter since it asked.
        limit = stricter(order.ticket.side, limit, parent.limit_price)
    ticket = replace(order.ticket, quantity=message.quantity, limit_price=limit)
    actor.record(
        e.ReplaceRequested(
            **order_.about(order, turn.now),
            command_id="",
            quantity=message.quantity,
            limit_price=limit,
            reserve_price=order.reserve_price,
        ),
        turn,
    )
    turn.tell(
        f"venue/{ticket.venue}",
        ReplaceChild(
            ticket=ticket,
            client_order_id=actor.id,
            venue_order_id=order.venue_order_id,
            quantity=message.quantity,
            limit_price=limit,
        ),
    )
