"""An order of a group: waits until its group lets it go, works as much as its group says, and tells it what it did."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors import held as held_
from actors import reducing, resize
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import ChildReport, Ticket
from engine.grouping import (
    JoinGroup,
    MemberEnded,
    MemberFilled,
    MemberReplaced,
    RefuseMember,
    ReleaseOrder,
    ResizeOrder,
    address_of,
)
from engine.groups import Group, join
from engine.instructions import Membership
from engine.ledger import Position, without
from engine.order import Order
from engine.refusal import Refusal
from engine.values import ZERO, Side, add, instrument_key, subtract

if TYPE_CHECKING:
    from actors.work import WorkActor


# when it is decided


def refused(
    subscriber_id: str, membership: Membership, quantity: Decimal, instrument: str, side: Side, turn: Turn
) -> Refusal | None:
    """Why the group would not take such an order, as far as the group is in memory."""
    group = turn.peek(address_of(subscriber_id, membership.group_id))
    step = join(group, membership, "", quantity, instrument, side)
    return step if isinstance(step, Refusal) else None


def counted(
    position: Position, subscriber_id: str, membership: Membership, side: Side, turn: Turn, mine: str = ""
) -> Position:
    """The position that an order of a group (a new one, or `mine`) is judged by: legs of which one fills at most count
    once, and a child is only ever sent when its parent on the other side was filled. What is reserved is each order's
    own, all the same.
    """
    group: Group | None = turn.peek(address_of(subscriber_id, membership.group_id))
    for member in () if group is None else group.members:
        order: Order | None = turn.peek(f"order/{member.order_id}")
        if order is None or order.ticket.instrument != instrument_key(position.exchange, position.symbol):
            continue
        if member.order_id == mine:
            continue
        ticket, before = order.ticket, position
        fills = membership.role == "CHILD" and member.role == "PARENT" and ticket.side != side
        once = membership.kind != "OTO" and member.role != "PARENT" and ticket.side == side
        if fills or (once and membership.role != "PARENT"):
            position = without(position, ticket.side, order.working, order.reserved)
        if fills:
            bought = subtract(before.working_buy, position.working_buy)
            sold = subtract(before.working_sell, position.working_sell)
            position = replace(position, quantity=subtract(add(position.quantity, bought), sold))
    return position


def recounted(position: Position, ticket: Ticket, turn: Turn) -> Position:
    """As `counted`, of an order that is in its group already."""
    group: Group | None = turn.peek(address_of(ticket.subscriber_id, ticket.group))
    for member in () if group is None else group.members:
        if group is not None and member.order_id == ticket.order_id:
            membership = Membership(group_id=group.group_id, kind=group.kind, role=member.role)
            return counted(position, ticket.subscriber_id, membership, ticket.side, turn, ticket.order_id)
    return position


def joins(membership: Membership, ticket: Ticket, lot: Decimal, turn: Turn) -> None:
    """Tells the group of an order that was approved for it, and is sized in these lots."""
    told = JoinGroup(
        membership=membership,
        order_id=ticket.order_id,
        quantity=ticket.quantity,
        instrument=ticket.instrument,
        side=ticket.side,
        lot=lot,
    )
    turn.tell(address_of(ticket.subscriber_id, membership.group_id), told)


# what the group hears


def address(order: Order) -> str:
    """Where the order's group lives."""
    return address_of(order.ticket.subscriber_id, order.ticket.group)


def _tell(order: Order, message: Any, turn: Turn) -> None:
    turn.tell(address(order), message)


def ended(order: Order, status: Any, turn: Turn) -> None:
    """The order is over."""
    _tell(order, MemberEnded(order_id=order.ticket.order_id, how=status), turn)


def amended(order: Order, quantity: Decimal, turn: Turn) -> None:
    """A client made the order's quantity this."""
    _tell(order, MemberReplaced(order_id=order.ticket.order_id, quantity=quantity), turn)


def child(order: Order, report: ChildReport, turn: Turn) -> None:
    """A child was filled."""
    if report.filled > ZERO:
        _tell(order, MemberFilled(order_id=order.ticket.order_id, quantity=report.filled), turn)


# what the group says


def released(actor: WorkActor, message: ReleaseOrder, turn: Turn) -> None:
    """The group lets the order go."""
    order = actor.order
    if order is None or not order.open or order.cancelling:
        return
    work = work_.working(order)
    if work.held is None or not work.held.joining:
        return
    resize.amend(actor, message.quantity, turn)
    instrument = order.ticket.instrument
    quote, last = turn.market.quote(instrument, turn.now), turn.market.last(instrument, turn.now)
    order = actor.parts[""]
    spec, spare = work_.working(order).spec, reducing.free(order, turn)
    step = emulate.admit(spec, work.held, turn.now, quote, last, order.quantity if spare is None else spare)
    dearest = emulate.dearest(spec, step[0]) if spec.side == "BUY" and step[0].trigger is not None else None
    if dearest is not None and dearest > order.reserve_price:
        # A stop trails from now on, and the market is dearer than when the order was accepted.
        about = order_.about(order, turn.now)
        amended = work_.WorkAmended(**about, quantity=order.quantity, limit_price=order.limit_price)
        turn.record(replace(amended, reserve_price=dearest))
        actor.rebalance(order, turn)
    held_.follow(actor, step, turn)


def resized(actor: WorkActor, message: ResizeOrder, turn: Turn) -> None:
    """The group wants another quantity in all, above what is filled."""
    resize.to(actor, message.quantity, turn)


def refuse(actor: WorkActor, message: RefuseMember, turn: Turn) -> None:
    """The group does not take the order, which was never sent."""
    order = actor.order
    if order is not None and order.open:
        actor.end("REJECTED", message.code, f"{message.code}: {message.reason}", turn)
