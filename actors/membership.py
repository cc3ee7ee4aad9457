"""What a subscriber is told about itself: who it is, money that comes and goes, whether it may trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from actors import steering
from actors.turn import Turn
from engine import account
from engine import events as e
from engine.commands import Introduce, SetStatus, Subscribe
from engine.idempotency import fingerprint, key_of
from engine.messages import CashMovement, Outcome, Subscriber
from engine.methods import GroupMethod
from engine.refusal import Refusal
from engine.subscriber import changes
from engine.values import ZERO, SubscriberStatus

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor

_STATUSES: Final = get_args(SubscriberStatus)


def upsert(actor: SubscriberActor, subscriber: Subscriber, turn: Turn) -> None:
    _save(actor, subscriber, "bus", turn)
    turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=f"subscriber {actor.id} is {subscriber.status}"))


def introduce(actor: SubscriberActor, message: Introduce, turn: Turn) -> None:
    """A subscriber as the configuration says it is, unless the bus has said something since."""
    if actor.profile is None or actor.profile.source == "config":
        _save(actor, message.subscriber, "config", turn)


def _save(actor: SubscriberActor, subscriber: Subscriber, source: Literal["bus", "config"], turn: Turn) -> None:
    change = changes(actor.profile, account.subscriptions(actor.parts), subscriber, source)
    if change is None:
        return
    turn.record(e.SubscriberSaved(at=turn.now, subscriber=subscriber, source=source))
    for subscription in change.subscriptions:
        shares = isinstance(subscription.allocation, GroupMethod)
        message = Subscribe(subscriber_id=actor.id, active=subscription.active, shares=shares)
        turn.tell(f"strategy/{subscription.strategy_id}", message)
    for strategy in change.dropped:
        turn.tell(f"strategy/{strategy}", Subscribe(subscriber_id=actor.id, active=False))


def cash(actor: SubscriberActor, movement: CashMovement, turn: Turn) -> None:
    """Money that comes in or goes out, once for each movement id."""
    key, asked = key_of(movement), fingerprint(movement)
    if actor.answered_before(movement.movement_id, key, asked, turn):
        return
    refusal: Refusal | None = None
    if actor.profile is None:
        refusal = Refusal(
            "UNKNOWN_SUBSCRIBER", f"subscriber_id: nobody made {actor.id} known; a Subscriber message does"
        )
    elif not movement.amount:
        refusal = Refusal("BAD_QUANTITY", "amount: must not be zero")
    status: Any = "ACCEPTED" if refusal is None else "DENIED"
    outcome = Outcome(
        request_id=movement.movement_id,
        status=status,
        code=None if refusal is None else refusal.code,
        reason=None if refusal is None else refusal.reason,
    )
    amount = movement.amount if refusal is None else ZERO
    turn.record(
        e.CashMoved(
            at=turn.now,
            subscriber_id=actor.id,
            currency=movement.currency,
            amount=amount,
            reason=movement.reason,
            key=key,
            fingerprint=asked,
            outcome=outcome,
        )
    )
    turn.answered(actor.id, key, asked, outcome)
    turn.reply(outcome)
    if actor.aims:
        steering.funded(actor, turn)


def set_status(actor: SubscriberActor, message: SetStatus, turn: Turn) -> None:
    """A person pauses, activates or closes the subscriber."""
    refusal = None
    if actor.profile is None:
        refusal = ("UNKNOWN_SUBSCRIBER", f"subscriber_id: nobody made {actor.id} known; a Subscriber message does")
    elif message.status not in _STATUSES:
        refusal = ("BAD_STATUS", f"status: a subscriber is ACTIVE, PAUSED or CLOSED, got {message.status}")
    if refusal is not None:
        turn.reply(Outcome(request_id=None, status="INVALID", code=refusal[0], reason=refusal[1]))
        return
    if actor.profile is not None and actor.profile.status != message.status:
        turn.record(
            e.SubscriberStatusChanged(
                at=turn.now,
                subscriber_id=actor.id,
                status=message.status,  # type: ignore[arg-type]  # checked above
                reason=message.reason,
                by=message.by,
            )
        )
    turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=f"subscriber {actor.id} is {message.status}"))
