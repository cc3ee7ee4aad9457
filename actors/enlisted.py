"""What a subscriber does about a signal that its followers share or work together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.turn import Turn
from engine.block import Member
from engine.blocks import Declined, Enlist, Measure, Measured, address_of
from engine.exposure import expose
from engine.instructions import NO_INSTRUCTIONS
from engine.messages import ExecutionRequest
from engine.methods import GroupMethod

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def measure(actor: SubscriberActor, message: Measure, turn: Turn) -> None:
    """Says what this subscriber counts for; nothing where it does not trade, so that others have its share."""
    request = message.request
    allocation = actor.allocation(request)
    spec = turn.rules.instrument(request.exchange, request.symbol)
    member = None
    trades = actor.profile is not None and actor.profile.status == "ACTIVE"
    if spec is not None and trades and isinstance(allocation, GroupMethod):
        exposure = expose(spec.currency, actor.balances, actor.positions, turn.market.prices(turn.now))
        member = Member(
            subscriber_id=actor.id,
            allocation=allocation,
            net_liquidation=exposure.equity,
            available_equity=exposure.cash - exposure.reserved,
        )
    turn.tell(address_of(request.strategy_id, request.signal_id), Measured(subscriber_id=actor.id, member=member))


def enlist(actor: SubscriberActor, message: Enlist, turn: Turn) -> None:
    """Decides as about any signal, with the share that was awarded."""
    actor.request(message.request, turn, message)


def alone(request: ExecutionRequest) -> ExecutionRequest:
    """What of a signal is asked of one order in a block: how the whole is shown and worked is the whole's."""
    told = request.instructions
    if told is not None:
        told = replace(told, display_quantity=None, post_only=False)
    return replace(request, plan=None, instructions=told if told != NO_INSTRUCTIONS else None)


def decline(actor: SubscriberActor, enlisted: Enlist | None, turn: Turn) -> None:
    """The block is not to wait for an order of this subscriber."""
    if enlisted is not None and enlisted.block:
        request = enlisted.request
        turn.tell(address_of(request.strategy_id, request.signal_id), Declined(subscriber_id=actor.id))
