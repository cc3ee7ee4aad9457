"""A child that its venue does not know, for good: its parent ends without it, and counts it as if it may still fill."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from actors import placing
from actors.again import PAUSE
from actors.turn import Turn
from engine import work as work_
from engine.algos.contract import Cancel
from engine.commands import CancelOrder
from engine.order import Order
from engine.working import out

if TYPE_CHECKING:
    from actors.work import WorkActor


def due(order: Order, other: datetime | None) -> datetime | None:
    """When the order is to be looked at: a child that is lost does not end with its day."""
    end = order.ticket.expires_at
    if end is None or not any(child.lost for child in work_.working(order).children):
        return other
    return end if other is None else min(end, other)


def over(order: Order, now: datetime) -> bool:
    """Whether the order waits for nothing but children that are lost, and its time is over."""
    work = work_.working(order)
    if not order.open or not work.children or not all(child.lost for child in work.children):
        return False
    end = order.ticket.expires_at
    ending = work.held is not None and work.held.phase == "ENDING"
    closed = work.works is not None and now >= work.works.end
    return order.cancelling or ending or closed or (end is not None and now >= end)


def give_up(actor: WorkActor, turn: Turn) -> None:
    """Ends the order with what is known. What is lost is never sent again; it is cancelled where it turns up, booked
    where it was filled, and reserved until then."""
    order: Order = actor.parts[""]
    if not over(order, turn.now):
        return
    work = work_.working(order)
    for child in work.children:
        turn.tell(f"order/{child.order_id}", CancelOrder(reason=f"{actor.id} is over"))
    names = ", ".join(child.order_id for child in work.children)
    reason = f"{out(work.children)} may still be filled: the venue does not say what became of {names}"
    about = f"{order.reason}: {reason}" if order.cancelling and order.reason else reason
    actor.end("CANCELED" if order.cancelling else "EXPIRED", "CHILD_UNKNOWN", about, turn)
    turn.alarm("CHILD_UNKNOWN", actor.address, reason)


def gone(order: Order) -> bool:
    """Whether nothing of an order that is over has turned up, or all of that has ended."""
    return all(child.lost for child in work_.working(order).children)


def chase(actor: WorkActor, turn: Turn) -> None:
    """Children of an order that is over have turned up: they are cancelled, and again where the venue refuses that."""
    children = work_.working(actor.parts[""]).children
    found = [Cancel(child_id=child.order_id) for child in children if not child.lost and not child.pending]
    actor.wake = turn.now + PAUSE if found else None
    # Until the venue has said what it is asked, nobody knows what there is to cancel.
    known = [one for one in found if (child := turn.peek(f"order/{one.child_id}")) is not None and not child.asks]
    for name in placing.asked(actor.again.due(known, children, turn.now)):
        turn.tell(f"order/{name}", CancelOrder(reason="its parent is over"))
