"""Which kind of address is which actor, and which messages carry an idempotency key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.actor import Actor
from actors.block import BlockActor
from actors.dead import DeadLettersActor
from actors.desk import DeskActor
from actors.door import DoorActor
from actors.group import GroupActor
from actors.journal import Key, Mail
from actors.order import OrderActor
from actors.part import PartActor
from actors.post import PostActor
from actors.strategy import StrategyActor
from actors.subscriber import SubscriberActor
from actors.venue import VenueActor
from actors.work import WorkActor
from engine.blocks import Enlist
from engine.commands import PART, CommandDone, ReviewReplace, StartOrder, StartWork
from engine.grouping import address_of
from engine.idempotency import key_of as idempotency_key
from engine.messages import CashMovement, ExecutionCommand, ExecutionRequest
from engine.target_messages import TargetPositions
from engine.work import PREFIX

KINDS: Final[dict[str, type[Actor]]] = {
    actor.kind: actor
    for actor in (
        SubscriberActor,
        StrategyActor,
        OrderActor,
        VenueActor,
        DeskActor,
        DeadLettersActor,
        DoorActor,
        PostActor,
        GroupActor,
        BlockActor,
    )
}
ACTORS: Final = (*KINDS.values(), WorkActor, PartActor)
"""Every class of actor."""
STARTS: Final[frozenset[type]] = frozenset({StartOrder, StartWork})
"""What a new order is told first: nothing has to be loaded for it."""
_WORKED: Final = f"order/{PREFIX}-"
_PARTS: Final = f"order/{PART}-"
_ABOUT_COMMANDS: Final[frozenset[type]] = frozenset({CommandDone, ReviewReplace})
"""What orders tell of a command: it may have been given twice, and been answered in the meantime."""
KEYED: Final[frozenset[type]] = frozenset(
    {ExecutionRequest, Enlist, ExecutionCommand, CashMovement, TargetPositions, *_ABOUT_COMMANDS}
)
"""The messages that carry an idempotency key."""


def kind_of(address: str) -> type[Actor]:
    """The class of the actor at an address: an order that is worked at our side, or in a block, says so in its id."""
    if address.startswith(_WORKED):
        return WorkActor
    return PartActor if address.startswith(_PARTS) else KINDS[address[: address.index("/")]]


def group_of(mail: Mail) -> str:
    """The address of the group that this mail's request is for, which has to be in memory when it is decided."""
    return address_of(mail.to.partition("/")[2], mail.message.group.group_id)


def key_of(mail: Mail) -> Key | None:
    """The (subscriber, key) that has to be looked up before this mail is delivered, if it carries one."""
    kind: type = mail.message.__class__
    if kind in KEYED and mail.to.startswith("subscriber/"):
        message = mail.message
        if kind in _ABOUT_COMMANDS:
            message = message.command
        elif kind is Enlist or (kind is ExecutionCommand and message.request is not None):
            message = message.request
        return mail.to[11:], idempotency_key(message)
    return None


def fold(address: str, parts: Mapping[str, Any], event: Any) -> dict[str, Any]:
    """The parts of an actor after one event: what verification replays a journal with."""
    actor = kind_of(address)(address, dict(parts))
    actor.apply(event)
    return actor.parts
