"""An aim on its way: whatever happens in its instrument asks `engine.steering` again, until its position is there.

Reached, failed or steered on: each is an event, with the arithmetic as a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from actors.approvals import MAX_ORDERS, Approvals, Approved, Lacking, cancel, start
from actors.turn import Turn
from engine import aims as a
from engine import target_events as t
from engine.aims import Aim
from engine.commands import CancelRefused
from engine.funding import FUNDS, pending
from engine.ledger import flat
from engine.refusal import Refusal
from engine.steering import Moves
from engine.targets import Ticker
from engine.values import ZERO, OrderStatus, instrument_key

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def heard(
    actor: SubscriberActor,
    instrument: str,
    order_id: str,
    units: Decimal,
    turn: Turn,
    ended: OrderStatus | None = None,
    reason: str = "",
) -> None:
    """Something moved in an instrument: this many units of this order are open no more, `ended` where it is over
    unfilled. An end that nobody asked for here fails its aim."""
    aim = actor.aims.get(instrument)
    if aim is not None:
        _moved(actor, aim, order_id, units, turn, ended, reason)
    funded(actor, turn)


def funded(actor: SubscriberActor, turn: Turn) -> None:
    """Money may have come, or be no longer to come: targets that wait for it are asked again, the oldest first, in each
    currency up to the first that still has to wait."""
    waiting = [aim for aim in actor.aims.values() if aim.lacks]
    if not waiting:
        return
    approvals, short, sent = Approvals(actor, turn), set[str](), list[Approved]()
    for aim in sorted(waiting, key=lambda aim: (aim.since or turn.now, aim.instrument)):
        spec = turn.rules.instrument(aim.exchange, aim.symbol)
        currency = "" if spec is None else spec.currency
        if currency in short:
            continue
        sent += _onward(actor, aim, approvals, changed=False)
        after = actor.aims.get(aim.instrument)
        if after is not None and after.lacks:
            short.add(currency)
        if len(sent) >= MAX_ORDERS:
            break  # The rest is asked when something becomes of these.
    # Only now: until they are started, those before are counted by who approves the next.
    start(actor, sent, turn)


def _moved(
    actor: SubscriberActor, aim: Aim, order_id: str, units: Decimal, turn: Turn, ended: OrderStatus | None, reason: str
) -> None:
    child = aim.child(order_id)
    if child is not None:
        aim = a.released(aim, child, units)
    if aim.status == "FAILED":
        if child is not None:
            turn.record(_steered(actor, aim if aim.children else None, aim, turn))
    elif child is not None and ended is not None and not child.asked:
        _fail(actor, aim, Refusal(f"ORDER_{ended}", f"order {order_id} ended {ended}: {reason}"), order_id, turn)
    else:
        start(actor, _onward(actor, aim, Approvals(actor, turn), changed=child is not None), turn)


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
        start(actor, _onward(actor, aim, Approvals(actor, turn), changed=True), turn)
    funded(actor, turn)


def _onward(actor: SubscriberActor, aim: Aim, approvals: Approvals, changed: bool) -> Sequence[Approved]:
    """Cancels what is due for an aim and says what is to be started, or finds it reached. `changed`: it is not what is
    stored."""
    turn = approvals.turn
    spec = turn.rules.instrument(aim.exchange, aim.symbol)
    if spec is None:
        gone = Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {aim.instrument}")
        _fail(actor, aim, gone, None, turn)
        return ()
    position = actor.positions.get(aim.instrument) or flat(aim.exchange, aim.symbol, spec.currency, spec.multiplier)
    moves = a.onward(aim, position, spec.lot_size, approvals.splits(aim.exchange, aim.symbol))
    if a.over(aim, moves):
        turn.record(t.TargetReached(**_about(actor, aim, turn), target=aim.target, position=position.quantity))
        return ()
    found: list[Approved] | Lacking | Refusal = []
    if moves.now:
        found = approvals.barred(aim) or approvals.approve(aim, spec, moves)
    if isinstance(found, Refusal) and found.code in FUNDS and pending(actor.aims, actor.positions, spec.currency):
        found = Lacking(found)
    cancel(moves.cancel, aim.signal_id, turn)
    if isinstance(found, Refusal):
        kept = replace(aim, children=a.children(aim.children, moves, ()))
        _fail(actor, kept, found, None, turn)
        return ()
    lacking = found.refusal if isinstance(found, Lacking) else None
    sent = [] if isinstance(found, Lacking) else found
    tickets, lacks = tuple(order.ticket for order in sent), "" if lacking is None else lacking.code
    if changed or moves.cancel or tickets or lacks != aim.lacks:
        after = replace(aim, children=a.children(aim.children, moves, tickets), lacks=lacks)
        turn.record(_steered(actor, after, aim, turn, moves, sent, None if aim.lacks else lacking))
    return sent


def _steered(
    actor: SubscriberActor,
    after: Aim | None,
    aim: Aim,
    turn: Turn,
    moves: Moves | None = None,
    found: Sequence[Approved] = (),
    lacking: Refusal | None = None,
) -> t.TargetSteered:
    """`lacking`: why its orders wait from now on."""
    sentence, cancelled = None, tuple[str, ...]()
    if moves is not None and (moves.cancel or found or lacking is not None):
        cancelled = moves.cancel
        sentence = Ticker(
            instrument=aim.instrument,
            status="WORKING",
            target=aim.target,
            position=_held(actor, aim),
            tolerance=aim.tolerance,
            least=aim.least,
            moves=moves,
            lacking=lacking,
        ).sentence()
        sentence = "; ".join((sentence, *(order.how for order in found if order.how)))
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
            position=_held(actor, aim),
            code=refusal.code,
            reason=refusal.reason,
            order_id=order_id,
            aim=replace(aim, status="FAILED", lacks="") if aim.children else None,
        )
    )


def _held(actor: SubscriberActor, aim: Aim) -> Decimal:
    position = actor.positions.get(aim.instrument)
    return ZERO if position is None else position.quantity


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
