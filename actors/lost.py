"""A child that its venue does not know, for good: its parent ends without it, and counts it as if it may still fill."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from actors.turn import Turn
from engine import work as work_
from engine.commands import CancelOrder, ChildReport
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


def found(report: ChildReport, turn: Turn) -> None:
    """A child of an order that is over has turned up: it is cancelled."""
    child = report.child
    if report.open and not child.lost and not child.pending and not report.asked:
        turn.tell(f"order/{child.order_id}", CancelOrder(reason="its parent is over"))
