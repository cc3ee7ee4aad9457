"""A strategy: who follows it, and the fan-out of its signals."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct

from actors.actor import Actor
from actors.turn import Turn
from engine.blocks import Invited, OpenBlock, address_of
from engine.commands import Subscribe
from engine.events import SignalReceived, Subscribed
from engine.messages import ExecutionRequest, Outcome


class Follower(Struct, frozen=True, omit_defaults=True):
    """A subscriber that follows the strategy; the part is named after it. `shares`: it has a share of a total."""

    shares: bool = False


class StrategyActor(Actor):
    """`strategy/<id>`: a part a follower, so that one more follower writes one row."""

    __slots__ = ()
    kind = "strategy"
    PARTS: ClassVar[Any] = {"f": Follower}

    def _signal(self, request: ExecutionRequest, turn: Turn) -> None:
        """Told to every follower under the same signal id; each decides for itself, once."""
        followers = self.parts
        turn.record(
            SignalReceived(
                at=turn.now,
                strategy_id=self.id,
                request_id=request.request_id,
                signal_id=request.signal_id,
                subscribers=len(followers),
            )
        )
        if not followers:
            reason = f"strategy_id: nobody has an active subscription to {self.id}"
            outcome = Outcome(request_id=request.request_id, status="DENIED", code="NO_SUBSCRIBERS", reason=reason)
            turn.reply(outcome)
            return
        if request.block or any(follower.shares for follower in followers.values()):
            members = tuple(Invited(part[2:], follower.shares) for part, follower in followers.items())
            block = address_of(self.id, request.signal_id)
            turn.tell(block, OpenBlock(request=request, members=members))
        else:
            for part in followers:
                turn.tell("subscriber/" + part[2:], request)
        reason = f"told to {len(followers)} subscribers"
        turn.reply(Outcome(request_id=request.request_id, status="ACCEPTED", reason=reason))

    def _subscribe(self, message: Subscribe, turn: Turn) -> None:
        known: Follower | None = self.parts.get(f"f/{message.subscriber_id}")
        if known != (Follower(message.shares) if message.active else None):
            turn.record(
                Subscribed(
                    at=turn.now,
                    strategy_id=self.id,
                    subscriber_id=message.subscriber_id,
                    active=message.active,
                    shares=message.shares,
                )
            )

    def _signalled(self, _: SignalReceived) -> None:
        """What followers do about a signal is in their own states."""

    def _subscribed(self, event: Subscribed) -> None:
        part = f"f/{event.subscriber_id}"
        if event.active:
            self.put(part, Follower(event.shares))
        else:
            self.drop(part)

    RECEIVE: ClassVar[Any] = {ExecutionRequest: _signal, Subscribe: _subscribe}
    APPLY: ClassVar[Any] = {SignalReceived: _signalled, Subscribed: _subscribed}
