"""An order that is held at our side until its time or price comes: what its decider says is done here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from actors import lost, reducing, regimes, release, resize
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.commands import CancelOrder, ChildReport, MarketMoved
from engine.order import Order
from engine.triggers import on_market as triggered
from engine.values import subtract
from engine.working import Work

if TYPE_CHECKING:
    from actors.work import WorkActor

RETRY: Final = timedelta(seconds=1)
_AWAY: Final = ("VENUE_DOWN", "VENUE_PAUSED")
"""What the gate says of a venue that will take the order later."""


def drive(actor: WorkActor, turn: Turn) -> None:
    """What the clock, the position and a venue that is back make of a held order."""
    order: Order = actor.parts[""]
    reducing.watch(actor, turn)
    spare = reducing.free(order, turn)
    if spare is None:
        reducing.ask(order, turn)
    else:
        work = work_.working(order)
        if work.held is not None:
            _step(actor, emulate.on_position(work.spec, work.held, order.filled, spare), turn)
    order = actor.parts[""]
    work = work_.working(order)
    held = work.held
    if not order.open or held is None:
        return
    follow(actor, emulate.on_time(work.spec, held, turn.now, order.quantity if spare is None else spare), turn)
    order = actor.parts[""]
    held = work_.working(order).held
    if order.open and held is not None and held.kept and release.ready(actor, order, _kept(order, held), turn):
        _catch_up(actor, order, held, turn)


def _step(actor: WorkActor, step: emulate.Step, turn: Turn) -> None:
    order: Order = actor.parts[""]
    if step[0] is not work_.working(order).held or step[1] is not None:
        follow(actor, step, turn)


def _kept(order: Order, held: emulate.Held) -> Decimal:
    """Units that are still to be sent, at most."""
    return subtract(order.quantity if held.total is None else held.total, order.filled)


def _catch_up(actor: WorkActor, order: Order, held: emulate.Held, turn: Turn) -> None:
    """The venue is back: what was kept for it is sent."""
    about = order_.about(order, turn.now)
    turn.record(work_.WorkMoved(**about, held=replace(held, kept=False)))
    if held.phase == "LAST" and held.total is not None:
        resize.send(actor, subtract(held.total, order.filled), turn)
    now: Order = actor.parts[""]
    work = work_.working(now)
    if work.held is not None and not work.children:
        child_over(actor, now, work, work.held, turn)


def follow(actor: WorkActor, step: emulate.Step, turn: Turn) -> None:
    """Does what a held order's decider says."""
    order: Order = actor.parts[""]
    work = work_.working(order)
    held, action = step
    if (
        isinstance(action, emulate.Release)
        and work.held is not None
        and not release.ready(actor, order, action.quantity, turn)
    ):
        # Its time or price has come, or its group lets it go, and the venue is away or the regime against it: that is
        # kept until it can be sent.
        waits = work.held
        regimes.held_back(order, action.quantity, turn)
        if waits.phase != "WAITING":
            release.keep(actor, replace(waits, kept=True), turn)
        elif waits.trigger is not None or waits.joining:
            release.keep(actor, replace(waits, joining=False, trigger=None, stop=held.stop, release_at=turn.now), turn)
    elif isinstance(action, emulate.Release):
        release.send(actor, held, action, turn)
        resize.settle(actor, turn, "reduce_only: cut to what the position holds")
    elif held is not work.held or action is not None:
        asked: tuple[str, ...] = ()
        if isinstance(action, emulate.Withdraw):
            asked = tuple(child.order_id for child in work.children)
        turn.record(work_.WorkMoved(**order_.about(order, turn.now), held=held, asked=asked))
        if isinstance(action, emulate.Withdraw):
            for child in asked:
                turn.tell(f"order/{child}", CancelOrder(reason=action.reason))
            if not asked:
                _nothing_out(actor, held, turn)
        elif isinstance(action, emulate.Amend):
            resize.level(actor, turn)
        elif isinstance(action, emulate.End):
            actor.end(action.status, action.code, action.reason, turn)
    watch(actor, turn)


def _nothing_out(actor: WorkActor, held: emulate.Held, turn: Turn) -> None:
    """The order ends while all that is left of it was kept for its venue: nothing has to be withdrawn."""
    held = replace(held, kept=False)
    turn.record(work_.WorkMoved(**order_.about(actor.parts[""], turn.now), held=held))
    order: Order = actor.parts[""]
    child_over(actor, order, work_.working(order), held, turn)


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
    due = lost.due(order, emulate.due(held))
    # What is due and cannot be done now is looked at again, and not at once.
    actor.wake = turn.now + RETRY if due is not None and due <= turn.now else due
    if held.kept or (held.phase == "ENDING" and any(not child.pending for child in work.children)):
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
        spare = reducing.free(order, turn)
        closable = order.quantity if spare is None else spare
        follow(actor, emulate.on_market(work.spec, work.held, message.data, turn.now, closable), turn)


def child_over(actor: WorkActor, order: Order, work: Work, held: emulate.Held, turn: Turn) -> None:
    """Nothing is at the venue: the next part is sent, or the order is over."""
    if held.kept and held.phase != "ENDING":
        return
    _step(actor, emulate.on_child_over(work.spec, held, order.filled, work.first_price, turn.now), turn)
    now: Order = actor.parts[""]
    work = work_.working(now)
    after = work.held
    if not now.open or work.children or (after is not None and after.kept and after.phase != "ENDING"):
        return
    spent = held.total is not None and order.filled >= held.total
    if order.filled >= order.quantity:
        actor.end("FILLED", "", "", turn)
    elif order.cancelling:
        actor.end("CANCELED", "", order.reason, turn)
    elif held.phase == "ENDING" and spent and reducing.only(order):
        actor.end("CANCELED", *emulate.NOTHING, turn)
    elif held.phase == "ENDING" or (held.ends_at is not None and turn.now >= held.ends_at):
        actor.end("EXPIRED", "TIME_OVER", "its time was over", turn)
    else:
        actor.end("CANCELED", "", "what was sent of it ended", turn)


def stopped(actor: WorkActor, report: ChildReport, turn: Turn) -> None:
    """A child did not pass the gate because the venue has just gone away: it was never sent, so it is sent again."""
    order: Order = actor.parts[""]
    held = work_.working(order).held
    if held is None or held.phase != "LAST" or order.cancelling or not order.open or report.child.filled:
        return
    if report.ended.startswith(tuple(f"{report.child.order_id} ended REJECTED: {code}:" for code in _AWAY)):
        release.keep(actor, replace(held, kept=True), turn)
