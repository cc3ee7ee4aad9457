"""An order that is held at our side until its time or price comes: what its decider says is done here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from actors import regimes
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import CancelOrder, MarketMoved, Reprice
from engine.order import Order
from engine.triggers import on_market as triggered
from engine.values import ZERO, subtract
from engine.working import Piece, Work

if TYPE_CHECKING:
    from actors.work import WorkActor

RETRY: Final = timedelta(seconds=1)
NO_CLOSABLE: Final = ZERO
"""What a position holds matters to a reduce-only order alone, and that was capped when it was accepted."""


def follow(actor: WorkActor, step: emulate.Step, turn: Turn) -> None:
    """Does what a held order's decider says."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    held, action = step
    if (
        isinstance(action, emulate.Release)
        and work.held is not None
        and not actor.sendable(order, action.quantity, turn)
    ):
        # Its time or price has come, and the venue is away or the regime against it: that is kept until it can be sent.
        waits = work.held
        regimes.held_back(order, action.quantity, turn)
        if waits.trigger is not None:
            waits = replace(waits, trigger=None, stop=held.stop, release_at=turn.now)
            turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=waits))
    elif isinstance(action, emulate.Release):
        release(actor, held, action, turn)
    elif held is not work.held or action is not None:
        asked: tuple[str, ...] = ()
        if isinstance(action, emulate.Amend | emulate.Withdraw):
            asked = tuple(child.order_id for child in work.children)
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=held, asked=asked))
        for child in work.children if asked else ():
            if isinstance(action, emulate.Amend):
                others = subtract(order.filled, child.filled)
                amend = Reprice(quantity=subtract(action.quantity, others), limit_price=child.limit_price)
                turn.tell(f"order/{child.order_id}", amend)
            elif isinstance(action, emulate.Withdraw):
                turn.tell(f"order/{child.order_id}", CancelOrder(reason=action.reason))
        if isinstance(action, emulate.End):
            actor.end(action.status, action.code, action.reason, turn)
    watch(actor, turn)


def release(actor: WorkActor, held: emulate.Held, part: emulate.Release, turn: Turn) -> None:
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


def insist(actor: WorkActor, turn: Turn) -> None:
    """Asks once more for a cancel that was refused: what is over must not stay at the venue."""
    order = actor.order
    if order is None or not order.open:
        return
    work = work_.working(order)
    left = tuple(child.order_id for child in work.children if not child.pending)
    if work.held is None or work.held.phase != "ENDING" or not left:
        return
    turn.record(work_.WorkMoved(**order_.about(order, turn.now), asked=left))
    for child in left:
        turn.tell(f"order/{child}", CancelOrder(reason=f"by {actor.id}, again"))


def watch(actor: WorkActor, turn: Turn) -> None:
    """Waits for market data that would change the trigger, and for the clock."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    held = work.held
    if not order.open or held is None:
        actor.wake = None
        unwatch(actor, turn)
        return
    due = emulate.due(held)
    # What is due and cannot be done now is looked at again, and not at once.
    actor.wake = turn.now + RETRY if due is not None and due <= turn.now else due
    if held.phase == "ENDING" and any(not child.pending for child in work.children):
        actor.wake = turn.now + RETRY
    trigger = held.trigger
    if held.phase != "WAITING" or trigger is None or held.joining:
        unwatch(actor, turn)
        return

    def wants(data: Any) -> bool:
        moved, fires = triggered(trigger, data)
        return fires or moved is not trigger

    turn.market.watch(order.ticket.instrument, actor.address, wants)


def unwatch(actor: WorkActor, turn: Turn) -> None:
    """Waits for no market data any more."""
    order = actor.order
    if order is not None:
        turn.market.watch(order.ticket.instrument, actor.address, None)


def market(actor: WorkActor, message: MarketMoved, turn: Turn) -> None:
    """Market data has come that moves the trigger, or fires it."""
    order = actor.order
    if order is None or not order.open:
        unwatch(actor, turn)
        return
    work = work_.working(order)
    if work.held is not None:
        follow(actor, emulate.on_market(work.spec, work.held, message.data, turn.now, NO_CLOSABLE), turn)


def child_over(actor: WorkActor, order: Order, work: Work, held: emulate.Held, turn: Turn) -> None:
    """Nothing is at the venue: the next part is sent, or the order is over."""
    step = emulate.on_child_over(work.spec, held, order.filled, work.first_price, turn.now)
    if step[0] is not held or step[1] is not None:
        follow(actor, step, turn)
    now: Order = actor.parts[""]
    if not now.open or work_.working(now).children:
        return
    if order.filled >= order.quantity:
        actor.end("FILLED", "", "", turn)
    elif not order.cancelling and (held.phase == "ENDING" or (held.ends_at is not None and turn.now >= held.ends_at)):
        actor.end("EXPIRED", "TIME_OVER", "its time was over", turn)
    else:
        actor.end("CANCELED", "", order.reason if order.cancelling else "what was sent of it ended", turn)
