"""An order of a group: waits until its group lets it go, works as much as its group says, and tells it what it did."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors import held as held_
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import AllowParent, CancelOrder, ChildReport, Reprice, Ticket
from engine.grouping import JoinGroup, MemberEnded, MemberFilled, MemberReplaced, ReleaseOrder, ResizeOrder, address_of
from engine.groups import Group, join
from engine.instructions import Membership
from engine.ledger import Position, release
from engine.order import Order
from engine.refusal import Refusal
from engine.values import ZERO, Side, add, instrument_key, minus, subtract
from engine.working import Piece, out

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


def counted(position: Position, subscriber_id: str, membership: Membership, side: Side, turn: Turn) -> Position:
    """The position that a new order of a group is judged by: legs of which one fills at most count once, and a child
    is only ever sent when its parent on the other side was filled. What is reserved is each order's own, all the same.
    """
    group: Group | None = turn.peek(address_of(subscriber_id, membership.group_id))
    for member in () if group is None else group.members:
        order: Order | None = turn.peek(f"order/{member.order_id}")
        if order is None or order.ticket.instrument != instrument_key(position.exchange, position.symbol):
            continue
        ticket, working = order.ticket, order.working
        fills = membership.role == "CHILD" and member.role == "PARENT" and ticket.side != side
        once = membership.kind != "OTO" and member.role != "PARENT" and ticket.side == side
        if working and (fills or (once and membership.role != "PARENT")):
            position = release(position, ticket.side, working, order.reserved)
        if fills:
            filled = working if ticket.side == "BUY" else minus(working)
            position = replace(position, quantity=add(position.quantity, filled))
    return position


def joins(membership: Membership, ticket: Ticket, turn: Turn) -> None:
    """Tells the group of an order that was approved for it."""
    told = JoinGroup(
        membership=membership,
        order_id=ticket.order_id,
        quantity=ticket.quantity,
        instrument=ticket.instrument,
        side=ticket.side,
    )
    turn.tell(address_of(ticket.subscriber_id, membership.group_id), told)


# what the group hears


def _tell(order: Order, message: Any, turn: Turn) -> None:
    turn.tell(address_of(order.ticket.subscriber_id, order.ticket.group), message)


def ended(order: Order, status: Any, turn: Turn) -> None:
    """The order is over."""
    _tell(order, MemberEnded(order_id=order.ticket.order_id, how=status), turn)


def amended(order: Order, quantity: Decimal, turn: Turn) -> None:
    """A client made the order's quantity this."""
    _tell(order, MemberReplaced(order_id=order.ticket.order_id, quantity=quantity), turn)


def child(actor: WorkActor, before: Order, report: ChildReport, turn: Turn) -> None:
    """Something became of a child: the group hears of fills, and what it asked for is gone on with."""
    if report.filled > ZERO:
        _tell(before, MemberFilled(order_id=actor.id, quantity=report.filled), turn)
    known = next((one for one in work_.working(before).children if one.order_id == report.child.order_id), None)
    if known is None or not known.pending or not before.open or before.cancelling:
        return
    if report.open and not report.child.pending and report.child.quantity == known.quantity:
        _kept(actor, report.child, turn)
        return
    _level(actor, turn)
    if not report.open:
        _send(actor, subtract(known.quantity, report.child.filled), turn)


# what the group says


def released(actor: WorkActor, message: ReleaseOrder, turn: Turn) -> None:
    """The group lets the order go."""
    order = actor.order
    if order is None or not order.open or order.cancelling:
        return
    work = work_.working(order)
    if work.held is None or not work.held.joining:
        return
    _amend(actor, message.quantity, turn)
    instrument = order.ticket.instrument
    quote, last = turn.market.quote(instrument, turn.now), turn.market.last(instrument)
    spec = work_.working(actor.parts[""]).spec
    step = emulate.admit(spec, work.held, turn.now, quote, last, held_.NO_CLOSABLE)
    held_.follow(actor, step, turn)


def resized(actor: WorkActor, message: ResizeOrder, turn: Turn) -> None:
    """The group wants another quantity in all, above what is filled. What is too much leaves the reservation when it
    can no longer be filled; what is missing is sent beside what is at the venue."""
    order, quantity = actor.order, message.quantity
    if order is None or not order.open or order.cancelling or quantity <= order.filled:
        return
    held = work_.working(order).held
    if held is None or held.total is None:
        _amend(actor, quantity, turn)
        actor.drive(turn)
        return
    more = subtract(quantity, held.total)
    about = order_.about(order, turn.now)
    turn.record(work_.WorkMoved(**about, held=replace(held, total=quantity)))
    if more > ZERO:
        _amend(actor, max(quantity, order.quantity), turn)
        if held.phase == "LAST":
            _send(actor, more, turn)
    else:
        _level(actor, turn)


# sizes


def _surplus(order: Order) -> Decimal:
    """How much more is at the venue than the order wants."""
    work = work_.working(order)
    if work.held is None or work.held.total is None:
        return ZERO
    return subtract(add(order.filled, out(work_.working(order).children)), work.held.total)


def _send(actor: WorkActor, most: Decimal, turn: Turn) -> None:
    """Sends what is missing, up to `most`."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    quantity = min(most, minus(_surplus(order)))
    if quantity > ZERO and work.held is not None and work.held.phase == "LAST":
        held_.release(actor, work.held, emulate.more(work.spec, work.held, quantity), turn)


def _level(actor: WorkActor, turn: Turn) -> None:
    """Takes back what is too much, the newest first; then reserves no more than may still be filled."""
    order: Order = actor.parts[""]
    work, surplus = work_.working(order), _surplus(order)
    changes: list[tuple[Piece, Decimal]] = []
    for piece in reversed(work.children):
        if surplus > ZERO:
            cut = min(piece.working, surplus)
            surplus = subtract(surplus, cut)
            if not piece.pending:
                changes.append((piece, cut))
    if changes:
        asked = tuple(piece.order_id for piece, _ in changes)
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), asked=asked))
    for piece, cut in changes:
        if cut < piece.working and _modifiable(order, piece, turn):
            reprice = Reprice(quantity=subtract(piece.quantity, cut), limit_price=piece.limit_price)
            turn.tell(f"order/{piece.order_id}", reprice)
        else:
            # What is still wanted of it is sent anew when it is gone.
            turn.tell(f"order/{piece.order_id}", CancelOrder(reason=_reason(actor)))
    _settle(actor, turn)


def _kept(actor: WorkActor, piece: Piece, turn: Turn) -> None:
    """The venue keeps a child as it is: what it will not replace is cancelled, and what it will not cancel is told."""
    order: Order = actor.parts[""]
    at_work = turn.peek(f"order/{piece.order_id}")
    if _surplus(order) <= ZERO or at_work is None:
        _settle(actor, turn)
    elif at_work.reason != _reason(actor):
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), asked=(piece.order_id,)))
        turn.tell(f"order/{piece.order_id}", CancelOrder(reason=_reason(actor)))
    else:
        reason = f"{piece.order_id} stays at {piece.quantity}: more than its group wants may fill"
        turn.alarm("GROUP_UNEVEN", actor.address, reason)


def _reason(actor: WorkActor) -> str:
    return f"by {actor.id}, for its group"


def _modifiable(order: Order, piece: Piece, turn: Turn) -> bool:
    """Whether the venue has the child and can make it smaller."""
    venue, at_work = turn.peek(f"venue/{order.ticket.venue}"), turn.peek(f"order/{piece.order_id}")
    able = venue is not None and venue.capabilities is not None and venue.capabilities.modify
    return able and at_work is not None and at_work.status in ("WORKING", "PARTIALLY_FILLED")


def _settle(actor: WorkActor, turn: Turn) -> None:
    """The order is for what its group wants, or for what may still be filled where that is more."""
    order: Order = actor.parts[""]
    held = work_.working(order).held
    if held is not None and held.total is not None:
        _amend(actor, min(order.quantity, max(held.total, add(order.filled, out(work_.working(order).children)))), turn)


def _amend(actor: WorkActor, quantity: Decimal, turn: Turn) -> None:
    """The order is for this quantity from now on, and so are its reservation and what the gate lets through."""
    order: Order = actor.parts[""]
    if quantity == order.quantity:
        return
    about = order_.about(order, turn.now)
    turn.record(work_.WorkAmended(**about, quantity=quantity, limit_price=order.limit_price))
    after: Order = actor.parts[""]
    actor.reserve_less(order, subtract(order.working, after.working), turn)
    turn.tell(f"venue/{order.ticket.venue}", AllowParent(order_id=actor.id, quantity=quantity))
