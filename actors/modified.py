"""MODIFY_ORDER of an order that is worked at our side: what may be changed, who judges it, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors import grouped, resize
from actors.turn import Turn
from engine import order as order_
from engine import work as work_
from engine.commands import AllowParent, ModifyOrder, ReplaceApproved, Tick
from engine.modification import unamendable, waits
from engine.order import Order
from engine.working import Work

if TYPE_CHECKING:
    from actors.work import WorkActor


def modify(actor: WorkActor, message: ModifyOrder, turn: Turn) -> None:
    """Has the subscriber judge what the command makes of the order; by way of its group, which has to be in memory."""
    order, command = actor.order, message.command
    refusal = actor.not_theirs(command)
    if refusal is None and order is not None and not order.ticket.group and order_.completes(order, command):
        reason = f"amended to the {order.filled} that are filled"
        actor.stop(order, reason, command.command_id, turn, amended=True)
        actor.answer(command, message.reply_to, None, turn)
        return
    if refusal is None and order is not None:
        refusal = unamendable(order, command)
    if refusal is not None or order is None:
        actor.answer(command, message.reply_to, refusal, turn)
        return
    review = actor.review(order, message)
    if waits(order):
        review = replace(review, waits=True)
    to = grouped.address(order) if order.ticket.group else order.ticket.owner
    turn.tell(to, review)


def approved(actor: WorkActor, message: ReplaceApproved, turn: Turn) -> None:
    """Risk approved the change."""
    order, command = actor.order, message.command
    refusal = actor.not_theirs(command)
    if refusal is None and order is not None:
        refusal = unamendable(order, command)
        if refusal is None:
            _amend(actor, order, work_.working(order), message, turn)
    actor.answer(command, message.reply_to, refusal, turn)


def _amend(actor: WorkActor, order: Order, work: Work, message: ReplaceApproved, turn: Turn) -> None:
    """An order that its group has let go is resized by the group, which resizes the others with it."""
    ticket = message.ticket
    held, quantity = work.held, ticket.quantity
    at_venue = held is not None and held.total is not None
    # While it works, the reservation never falls below what children at the venue have.
    reserve = max(order.reserve_price, ticket.reserve_price)
    # Once its group has let the order go, it is the group that says how large it is: more may not be filled yet.
    by_group = bool(ticket.group) and held is not None and not held.joining
    # Another price alone leaves the size as it is, which may have changed since that was reviewed.
    after = order.quantity if at_venue or by_group or message.command.quantity is None else quantity
    turn.record(
        work_.WorkAmended(
            **order_.about(order, turn.now),
            quantity=after,
            limit_price=ticket.limit_price,
            reserve_price=reserve if work.works is None and reserve != order.reserve_price else None,
            command_id=message.command.command_id,
        )
    )
    # Whoever hears of it may cancel the order: the gate knows before, and nothing is sent for it until then.
    turn.tell(f"venue/{ticket.venue}", AllowParent(order_id=actor.id, quantity=after))
    actor.rebalance(order, turn)
    if at_venue:
        resize.level(actor, turn)
    if message.command.quantity is not None:
        if order.ticket.group:
            grouped.amended(order, quantity, turn)
        elif at_venue:
            resize.to(actor, quantity, turn)
    turn.tell(actor.address, Tick())
