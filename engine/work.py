"""An order that is worked at our side: a parent whose children are ordinary orders, and how far it has come.

The state is an `Order` like any other, with a `Work` in it. The parent's reservation with its subscriber is for the
whole; what a child fills is taken from it, what a child gives back returns to the parent and not to the subscriber.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec.structs import replace

from engine.algos.contract import Child, Progress, Works
from engine.algos.work import amended, stopped
from engine.commands import Ticket
from engine.emulate import Held
from engine.events import Event, OrderEvent
from engine.native import of_child
from engine.order import Order
from engine.specification import Specification
from engine.values import EXACT, ZERO, OrderType, TimeInForce, add, subtract
from engine.working import Piece, Work, out

PREFIX: Final = "work"
"""What the id of an order that is worked begins with, in the place of a venue's name."""


class WorkStarted(OrderEvent, frozen=True, kw_only=True):
    """An approved order is worked from now on, as `spec` says: by an algorithm (`works`), or held (`held`)."""

    ticket: Ticket
    spec: Specification
    works: Works | None = None
    held: Held | None = None
    reason: str


class WorkMoved(OrderEvent, frozen=True, kw_only=True):
    """What was decided: the state from now on where it changed, the children sent, and those asked to change."""

    works: Works | None = None
    held: Held | None = None
    placed: tuple[Piece, ...] = ()
    asked: tuple[str, ...] = ()
    volume: Decimal | None = None


class ChildMoved(OrderEvent, frozen=True, kw_only=True):
    """What became of a child: the child as it is now, and what this added to the parent.

    `released` units left the reservation with the subscriber. `ended` says how it ended, where nobody cancelled it.
    """

    child: Piece
    open: bool
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    released: Decimal = ZERO
    ended: str = ""


class WorkStopped(OrderEvent, frozen=True, kw_only=True):
    """Somebody cancels the order: no more children, and those at the venue are cancelled. `amended`: to what is filled
    of it, so that it is FILLED when that is done."""

    reason: str
    command_id: str = ""
    amended: bool = False


class WorkAmended(OrderEvent, frozen=True, kw_only=True):
    """The order has this total quantity and limit price from now on, and is reserved at `reserve_price` where that is
    another."""

    quantity: Decimal
    limit_price: Decimal | None = None
    reserve_price: Decimal | None = None
    command_id: str = ""
    reason: str = ""


class WorkConstrained(OrderEvent, frozen=True, kw_only=True):
    """A regime lets nothing more of the order out (`paused`), or no child of more than `most` units; or does again."""

    paused: bool
    most: Decimal | None = None
    reason: str


class WorkEnded(OrderEvent, frozen=True, kw_only=True):
    """Nothing is open at the venue and nothing more will be sent. A child that its venue does not know stays counted:
    what it may still fill stays reserved."""

    status: Literal["FILLED", "CANCELED", "EXPIRED", "REJECTED"]
    code: str = ""
    reason: str = ""
    filled: Decimal


class ParentAllowed(Event, frozen=True, kw_only=True):
    """The gate lets children of this order through, up to this quantity in all; 0 where it is over."""

    venue: str
    order_id: str
    quantity: Decimal


class GivenBack(Event, frozen=True, kw_only=True):
    """A child ended with so many units unfilled: other children of its parent may have them."""

    venue: str
    order_id: str
    quantity: Decimal


def progress(order: Order) -> Progress:
    """Where the order stands, as an algorithm is told."""
    work = working(order)
    children = tuple(
        Child(
            child_id=piece.order_id,
            quantity=piece.quantity,
            filled=piece.filled,
            limit_price=piece.limit_price,
            pending=piece.pending,
        )
        for piece in work.children
    )
    return Progress(filled=order.filled, working=out(work.children), children=children)


def working(order: Order) -> Work:
    """The part of the state that only an order has that is worked at our side."""
    if order.work is None:
        raise ValueError(f"{order.ticket.order_id} is not worked at our side")
    return order.work


def child_ticket(
    parent: Ticket,
    order_id: str,
    quantity: Decimal,
    order_type: OrderType,
    limit_price: Decimal | None,
    time_in_force: TimeInForce,
    now: datetime,
    ends_at: datetime | None = None,
    display: Decimal | None = None,
) -> Ticket:
    """A child's ticket: risk approved the parent, at the parent's reserve price, and the gate counts them together."""
    return replace(
        parent,
        order_id=order_id,
        parent=parent.order_id,
        group="",
        quantity=quantity,
        order_type=order_type,
        limit_price=limit_price,
        time_in_force=time_in_force,
        expires_at=parent.expires_at if time_in_force in ("DAY", "GTD") else None,
        approved_at=now,
        ends_at=ends_at,
        native=of_child(parent.native, quantity, display),
    )


def resizable(order: Order) -> bool:
    """Whether another size may be wanted of what is at the venue, by its group."""
    held = working(order).held
    return bool(order.ticket.group) and not order.cancelling and held is not None and held.phase != "ENDING"


def ends_at(work: Work) -> datetime | None:
    """From when on nothing more is sent of the order, or None."""
    if work.works is not None:
        return work.works.end
    return None if work.held is None else work.held.ends_at


def after(order: Order | None, event: Any) -> Order:
    """The order's state after an event."""
    if event.__class__ is WorkStarted:
        return _begin(event)
    if order is None:
        raise ValueError(f"{event.order_id}: {type(event).__name__} of an order that was never started")
    state: Order = _AFTER[event.__class__](order, working(order), event)
    return state


def _begin(event: WorkStarted) -> Order:
    ticket = event.ticket
    return Order(
        ticket=ticket,
        status="WORKING",
        quantity=ticket.quantity,
        limit_price=ticket.limit_price,
        working=ticket.quantity,
        reserve_price=ticket.reserve_price,
        reason=event.reason,
        updated_at=event.at,
        work=Work(spec=event.spec, works=event.works, held=event.held),
    )


def _moved(order: Order, work: Work, event: WorkMoved) -> Order:
    children = work.children
    if event.asked:
        children = tuple(replace(one, pending=True) if one.order_id in event.asked else one for one in children)
    work = replace(
        work,
        works=work.works if event.works is None else event.works,
        held=work.held if event.held is None else event.held,
        children=(*children, *event.placed),
        placed=work.placed + len(event.placed),
        volume=work.volume if event.volume is None else event.volume,
    )
    return replace(order, work=work, updated_at=event.at)


def _child_moved(order: Order, work: Work, event: ChildMoved) -> Order:
    child = event.child
    if event.open:
        children = tuple(child if one.order_id == child.order_id else one for one in work.children)
    else:
        children = tuple(one for one in work.children if one.order_id != child.order_id)
    price = work.first_price
    if price is None and event.filled:
        price = EXACT.divide(event.notional, event.filled) if event.notional else None
    filled = add(order.filled, event.filled)
    # Less may be needed than is reserved: after a fill of a child that was over, or where the order was made smaller.
    rest = subtract(order.quantity, filled) if order.open else ZERO
    needed = max(out(children), rest, ZERO)
    status = order.status
    if event.filled and status == "WORKING":
        status = "PARTIALLY_FILLED"
    return replace(
        order,
        status=status,
        filled=filled,
        notional=add(order.notional, event.notional),
        commission=add(order.commission, event.commission),
        working=min(subtract(order.working, event.released), needed),
        work=replace(work, children=children, first_price=price, ended=event.ended or work.ended),
        updated_at=event.at,
    )


def _stopped(order: Order, work: Work, event: WorkStopped) -> Order:
    works = None if work.works is None else stopped(work.works, event.at)
    return replace(
        order,
        status="PENDING_CANCEL",
        cancelling=True,
        reason=event.reason,
        work=replace(work, works=works, amended=event.amended),
        updated_at=event.at,
    )


def _amended(order: Order, work: Work, event: WorkAmended) -> Order:
    works = None if work.works is None else amended(work.works, event.quantity, event.limit_price)
    spec = work.spec
    if work.held is not None:
        spec = replace(spec, quantity=event.quantity, limit_price=event.limit_price)
    return replace(
        order,
        quantity=event.quantity,
        limit_price=event.limit_price,
        # What is at the venue stays reserved until it is over there.
        working=max(out(work.children), subtract(event.quantity, order.filled)),
        reserve_price=order.reserve_price if event.reserve_price is None else event.reserve_price,
        reason=event.reason or order.reason,
        work=replace(work, spec=spec, works=works),
        updated_at=event.at,
    )


def _constrained(order: Order, work: Work, event: WorkConstrained) -> Order:
    return replace(order, work=replace(work, paused=event.paused, most=event.most), updated_at=event.at)


def _ended(order: Order, work: Work, event: WorkEnded) -> Order:
    return replace(
        order,
        status=event.status,
        quantity=event.filled if event.status == "FILLED" else order.quantity,
        working=out(work.children),
        reason=event.reason or order.reason,
        updated_at=event.at,
    )


_AFTER: Final[dict[type, Callable[[Order, Work, Any], Order]]] = {
    WorkMoved: _moved,
    ChildMoved: _child_moved,
    WorkStopped: _stopped,
    WorkAmended: _amended,
    WorkConstrained: _constrained,
    WorkEnded: _ended,
}
FOLDED: Final = (WorkStarted, *_AFTER)
"""The events that `after` folds."""
