"""An order held at our side that is to be larger or smaller, or at another price, than what it has at the venue."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors import reducing, regimes, release
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import AllowParent, CancelOrder, ChildReport, Reprice
from engine.order import Order
from engine.values import ZERO, add, minus, subtract
from engine.working import Piece, out

if TYPE_CHECKING:
    from actors.work import WorkActor


def to(actor: WorkActor, quantity: Decimal, turn: Turn) -> None:
    """Works this quantity in all, above what is filled. What is too much leaves the reservation when it can no longer
    be filled; what is missing is sent beside what is at the venue."""
    order = actor.order
    if order is None or not order.open or order.cancelling or quantity <= order.filled:
        return
    work = work_.working(order)
    held = work.held
    if held is None or held.total is None:
        amend(actor, quantity, turn)
        actor.drive(turn)
        return
    if held.phase == "ENDING":
        return
    if reducing.only(order):
        # The position says so too; where it is not known yet, the order does not grow.
        spare = reducing.free(order, turn)
        most = held.total if spare is None else emulate.most(order.filled, spare, work.spec.lot_size)
        quantity = min(quantity, most)
        if quantity <= order.filled:
            actor.drive(turn)
            return
    more = subtract(quantity, held.total)
    turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=replace(held, total=quantity)))
    if more > ZERO:
        amend(actor, max(quantity, order.quantity), turn)
    level(actor, turn)
    if more > ZERO and held.phase == "LAST":
        send(actor, more, turn)
    actor.drive(turn)


def child(actor: WorkActor, before: Order, report: ChildReport, turn: Turn) -> None:
    """A child has answered what was asked of it: what is still wanted is gone on with."""
    known = next((one for one in work_.working(before).children if one.order_id == report.child.order_id), None)
    if known is None or not before.open or before.cancelling:
        return
    if not known.pending and not (known.lost and report.open):
        return
    at_work = turn.peek(f"order/{report.child.order_id}")
    if report.open and at_work is not None and at_work.status == "UNKNOWN":
        return  # A person is told; it is seen to when it turns up.
    held = work_.working(actor.parts[""]).held
    if held is None or held.phase != "LAST":
        return
    if report.open and not report.child.pending and report.child.quantity == known.quantity:
        _kept(actor, report.child, turn)
        return
    level(actor, turn)
    if not report.open:
        send(actor, subtract(known.quantity, report.child.filled), turn)


def level(actor: WorkActor, turn: Turn) -> None:
    """Takes back what is too much, the newest first, and has the rest at the order's price; then reserves no more than
    may still be filled."""
    order: Order = actor.parts[""]
    work, surplus = work_.working(order), _surplus(order)
    changes: list[tuple[Piece, Decimal]] = []
    for piece in reversed(work.children):
        cut = max(ZERO, min(piece.working, surplus))
        surplus = subtract(surplus, cut)
        if not piece.pending and (cut or _price(order, piece) != piece.limit_price):
            changes.append((piece, cut))
    if changes:
        asked = tuple(piece.order_id for piece, _ in changes)
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), asked=asked))
    for piece, cut in changes:
        if cut < piece.working and _modifiable(order, piece, turn):
            reprice = Reprice(quantity=subtract(piece.quantity, cut), limit_price=_price(order, piece))
            turn.tell(f"order/{piece.order_id}", reprice)
        else:
            # What is still wanted of it is sent anew when it is gone.
            turn.tell(f"order/{piece.order_id}", CancelOrder(reason=_reason(actor)))
    settle(actor, turn)


def send(actor: WorkActor, most: Decimal, turn: Turn) -> None:
    """Sends what is missing, up to `most`; where the venue is away, when it is back."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    quantity = min(most, minus(_surplus(order)))
    if quantity <= ZERO or work.held is None or work.held.phase != "LAST":
        return
    if work.held.ends_at is not None and turn.now >= work.held.ends_at:
        return  # It ends at its next tick.
    if release.ready(actor, order, quantity, turn):
        release.send(actor, work.held, emulate.more(work.spec, work.held, quantity), turn)
    else:
        regimes.held_back(order, quantity, turn)
        release.keep(actor, replace(work.held, kept=True), turn)


def settle(actor: WorkActor, turn: Turn, reason: str = "") -> None:
    """The order is for what is wanted of it, or for what may still be filled where that is more."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    if work.held is not None and work.held.total is not None:
        most = max(work.held.total, add(order.filled, out(work.children)))
        amend(actor, min(order.quantity, most), turn, reason)


def amend(actor: WorkActor, quantity: Decimal, turn: Turn, reason: str = "") -> None:
    """The order is for this quantity from now on, and so are its reservation and what the gate lets through."""
    order: Order = actor.parts[""]
    if quantity == order.quantity:
        return
    about = order_.about(order, turn.now)
    turn.record(work_.WorkAmended(**about, quantity=quantity, limit_price=order.limit_price, reason=reason))
    # Whoever hears of it may cancel the order: the gate knows before.
    turn.tell(f"venue/{order.ticket.venue}", AllowParent(order_id=actor.id, quantity=quantity))
    actor.rebalance(order, turn)


def _surplus(order: Order) -> Decimal:
    """How much more is at the venue than the order wants."""
    work = work_.working(order)
    if work.held is None or work.held.total is None:
        return ZERO
    return subtract(add(order.filled, out(work.children)), work.held.total)


def _price(order: Order, piece: Piece) -> Decimal | None:
    """The price that a child should have: that of its order, but where the market made it."""
    work = work_.working(order)
    if work.held is None or work.held.phase != "LAST" or work.spec.kind == "MARKET_TO_LIMIT":
        return piece.limit_price
    return emulate.limit_of(work.spec, work.held)


def _kept(actor: WorkActor, piece: Piece, turn: Turn) -> None:
    """The venue keeps a child as it is: what it will not replace is cancelled, and what it will not cancel is told."""
    order: Order = actor.parts[""]
    at_work = turn.peek(f"order/{piece.order_id}")
    if at_work is None or (_surplus(order) <= ZERO and _price(order, piece) == piece.limit_price):
        settle(actor, turn)
    elif at_work.reason != _reason(actor):
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), asked=(piece.order_id,)))
        turn.tell(f"order/{piece.order_id}", CancelOrder(reason=_reason(actor)))
    else:
        reason = f"{piece.order_id} stays at {piece.quantity}, limit price {piece.limit_price}: not what is wanted"
        turn.alarm("GROUP_UNEVEN" if order.ticket.group else "ORDER_UNEVEN", actor.address, reason)


def _reason(actor: WorkActor) -> str:
    return f"by {actor.id}, for another size or price"


def _modifiable(order: Order, piece: Piece, turn: Turn) -> bool:
    """Whether the venue has the child and can make it smaller."""
    venue, at_work = turn.peek(f"venue/{order.ticket.venue}"), turn.peek(f"order/{piece.order_id}")
    able = venue is not None and venue.modifies
    return able and at_work is not None and at_work.status in ("WORKING", "PARTIALLY_FILLED")
