"""What the orders of a group and the group tell each other, and what the group records of it.

Every order of a group is worked at our side: it waits until its group lets it go, so nothing is sent that a group has
not taken, and what waits can be cancelled, expires and survives a restart as any order does.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from engine.commands import Command
from engine.events import Event
from engine.groups import Ending, Group
from engine.instructions import Membership
from engine.messages import ExecutionCommand
from engine.refusal import Refusal
from engine.specification import Honoured, Specification
from engine.values import ZERO, Side

LINKED_HERE = "linked here: between a fill and the cancel it causes, more may fill"


def address_of(subscriber_id: str, group_id: str) -> str:
    """Where a subscriber's group lives. Ids may hold a '/', and no id holds a '%'."""
    return f"group/{subscriber_id.replace('/', '%2F')}/{group_id}"


# to the group


class JoinGroup(Command, frozen=True, kw_only=True):
    """This approved order belongs to the group, and waits for it."""

    membership: Membership
    order_id: str
    quantity: Decimal
    instrument: str
    side: Side
    lot: Decimal = ZERO


class MemberFilled(Command, frozen=True, kw_only=True):
    """So much of this member was executed."""

    order_id: str
    quantity: Decimal


class MemberEnded(Command, frozen=True, kw_only=True):
    """This member is over; its fills were told before."""

    order_id: str
    how: Ending


class MemberReplaced(Command, frozen=True, kw_only=True):
    """A client made this member's total quantity this."""

    order_id: str
    quantity: Decimal


class CancelGroup(Command, frozen=True, kw_only=True):
    """Cancel everything open of the group, as a client commanded."""

    command: ExecutionCommand
    reply_to: str = ""


# to its members


class ReleaseOrder(Command, frozen=True, kw_only=True):
    """Wait for the group no longer: work this quantity in all."""

    quantity: Decimal


class RefuseMember(Command, frozen=True, kw_only=True):
    """The group does not take the order: it is over before it began."""

    code: str
    reason: str


class ResizeOrder(Command, frozen=True, kw_only=True):
    """Work this quantity in all from now on, what is filled included."""

    quantity: Decimal


# what is recorded


class GroupMoved(Event, frozen=True, kw_only=True):
    """The group is this from now on, and why."""

    group: Group
    cause: str


def linked(spec: Specification, membership: Membership) -> Specification | Refusal:
    """The specification with its group seen to at our side, as orders go to venues one by one; or why not."""
    waits, resized = membership.role == "CHILD", membership.kind == "OUO"
    if ("ALGORITHM" in spec.emulators or "ICEBERG" in spec.emulators) and (waits or resized):
        reason = "an order that is worked in slices can neither wait for its parent nor be updated by others"
        return Refusal("VENUE_CANNOT", f"group.role: {reason}; send it whole")
    if "GROUP" in spec.emulators:
        return spec
    honoured = tuple(one for one in spec.honoured if one.field != "group")
    return replace(
        spec,
        emulators=(*spec.emulators, "GROUP"),
        honoured=(*honoured, Honoured("group", "emulated", LINKED_HERE)),
    )
