"""An aim on its way: whatever happens in its instrument asks `engine.steering` again, until its position is there.

Reached, failed or steered on: each is an event, with the arithmetic as a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors.approvals import Approvals, Approved, cancel, start
from actors.turn import Turn
from engine import aims as a
from engine import target_events as t
from engine.aims import Aim
from engine.commands import CancelRefused
from engine.ledger import Position
from engine.refusal import Refusal
from engine.steering import Moves
from engine.targets import Ticker
from engine.values import OrderStatus, instrument_key

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def heard(
    actor: SubscriberActor,
    aim: Aim,
    order_id: str,
    units: Decimal,
    turn: Turn,
    ended: OrderStatus | None = None,
    reason: str = "",
) -> None:
    """Something moved in an aim's instrument: this many units of this order are open no more, `ended` where it is over
    unfilled. An end that nobody asked for here fails the aim."""
    child = aim.child(order_id)
    if child is not None:
        aim = a.released(aim, child, units)
    if aim.status == "FAILED":
        if child is not None:
            turn.record(_steered(actor, aim if aim.children else None, aim, turn))
    elif child is not None and ended is not None and not child.asked:
        _fail(actor, aim, Refusal(f"ORDER_{ended}", f"order {order_id} ended {ended}: {reason}"), order_id, turn)
    else:
        _onward(actor, aim, turn, changed=child is not None)


def cancel_refused(actor: SubscriberActor, message: CancelRefused, turn: Turn) -> None:
    """The venue keeps an order that was to be cancelled for a target: from here it is counted on to fill."""
    aim = actor.aims.get(instrument_key(message.exchange, message.symbol))
    child = None if aim is None else aim.child(message.order_id)
    if aim is None or child is None or child.asked != "CANCEL":
        return
    kept = replace(child, asked="REFUSED")
    aim = replace(aim, children=tuple(kept if known is child else known for known in aim.children))
    if aim.status == "FAILED":
        turn.record(_steered(actor, aim, aim, turn))
    else:
        _onward(actor, aim, turn, changed=True)


def _onward(actor: SubscriberActor, aim: Aim, turn: Turn, changed: bool) -> None:
    """Cancels and sends what is due for an aim, or finds it reached. `changed`: it is not what is stored."""
    spec = turn.rules.instrument(aim.exchange, aim.symbol)
    if spec is None:
        gone = Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {aim.instrument}")
        _fail(actor, aim, gone, None, turn)
        return
    approvals = Approvals(actor, turn, aim)
    position: Position = actor.positions[aim.instrument]
    moves = a.onward(aim, position, spec.lot_size, approvals.splits(aim.exchange, aim.symbol))
    if a.over(aim, moves):
        turn.record(t.TargetReached(**_about(actor, aim, turn), target=aim.target, position=position.quantity))
        return
    found: list[Approved] | Refusal = []
    if moves.now:
        found = approvals.barred(aim.exchange, aim.symbol, aim.limit_price) or approvals.approve(
            spec, moves.now, aim.limit_price
        )
    cancel(moves.cancel, aim.signal_id, turn)
    if isinstance(found, Refusal):
        kept = replace(aim, children=a.children(aim.children, moves, ()))
        _fail(actor, kept, found, None, turn)
        return
    tickets = tuple(order.ticket for order in found)
    if changed or moves.cancel or tickets:
        after = replace(aim, children=a.children(aim.children, moves, tickets))
        turn.record(_steered(actor, after, aim, turn, moves, found))
    start(actor, found, turn)


def _steered(
    actor: SubscriberActor,
    after: Aim | None,
    aim: Aim,
    turn: Turn,
    moves: Moves | None = None,
    found: Sequence[Approved] = (),
) -> t.TargetSteered:
    sentence, cancelled = None, tuple[str, ...]()
    if moves is not None and (moves.cancel or moves.now):
        cancelled = moves.cancel
        sentence = Ticker(
            instrument=aim.instrument,
            status="WORKING",
            target=aim.target,
            position=actor.positions[aim.instrument].quantity,
            tolerance=aim.tolerance,
            least=aim.least,
            moves=moves,
        ).sentence()
    return t.TargetSteered(
        **_about(actor, aim, turn),
        aim=after,
        sentence=sentence,
        cancelled=cancelled,
        tickets=tuple(order.ticket for order in found),
        figures=tuple(order.figures for order in found),
        weights=tuple(order.weights for order in found) if any(order.weights for order in found) else (),
    )


def _fail(actor: SubscriberActor, aim: Aim, refusal: Refusal, order_id: str | None, turn: Turn) -> None:
    turn.record(
        t.TargetFailed(
            **_about(actor, aim, turn),
            target=aim.target,
            position=actor.positions[aim.instrument].quantity,
            code=refusal.code,
            reason=refusal.reason,
            order_id=order_id,
            aim=replace(aim, status="FAILED") if aim.children else None,
        )
    )


def _about(actor: SubscriberActor, aim: Aim, turn: Turn) -> dict[str, Any]:
    return {
        "at": turn.now,
        "request_id": aim.request_id,
        "signal_id": aim.signal_id,
        "strategy_id": aim.strategy_id,
        "subscriber_id": actor.id,
        "exchange": aim.exchange,
        "symbol": aim.symbol,
    }
