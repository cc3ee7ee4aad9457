"""Who a subscriber is, and what an upsert changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.config import Limits
from engine.messages import Subscriber, Subscription
from engine.values import SubscriberStatus


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A subscriber's own part of its state. `source`: who said so last; the bus wins over the configuration."""

    subscriber_id: str
    status: SubscriberStatus
    accounts: dict[str, str]
    limits: Limits
    source: Literal["bus", "config"] = "bus"


class Changes(Struct, frozen=True):
    """What an upsert does to the parts of a state: values to put, subscriptions to drop, opening cash to take."""

    profile: Profile
    subscriptions: tuple[Subscription, ...]
    dropped: tuple[str, ...]
    opening: dict[str, Decimal]


def changes(
    known: Profile | None,
    subscriptions: dict[str, Subscription],
    subscriber: Subscriber,
    source: Literal["bus", "config"],
) -> Changes | None:
    """What this upsert changes, or None where everything is as it says. Cash counts only for who was not known."""
    profile = Profile(
        subscriber_id=subscriber.subscriber_id,
        status=subscriber.status,
        accounts=subscriber.accounts,
        limits=subscriber.limits,
        source=source,
    )
    named = {subscription.strategy_id for subscription in subscriber.subscriptions}
    changed = tuple(
        subscription
        for subscription in subscriber.subscriptions
        if subscriptions.get(subscription.strategy_id) != subscription
    )
    dropped = tuple(strategy for strategy in subscriptions if strategy not in named)
    if profile == known and not changed and not dropped:
        return None
    return Changes(profile, changed, dropped, subscriber.cash if known is None else {})
