"""Orders that belong together: what happens to one decides about the others.

    OCO      one cancels the other: any fill of one, however small, cancels all others
    OUO      one updates the other: a fill of one takes as much from all others
    OTO      one triggers the others: the children are released when the parent is filled, all of it
    BRACKET  the children (take profit, stop loss) cover what is filled of the parent, as it fills, and are OUO
             among themselves

A member that is cancelled, rejected or expires by itself leaves the other members as they are: one leg that still
protects is better than none. A parent that ends unfilled takes its children with it; the children of an OTO are
released on the whole of it only, so they end with a parent that was filled in part, and those of a BRACKET stay for
that part. An OCO or OUO that had a fill takes no new members. A child may come after its parent was filled, and is
released at once: a market order is often filled before its stop has arrived.

What this cannot promise. Linked at our side, two members are at the venue at once, and between a fill and the cancel
(or reduction) that it causes another may fill: only a venue that links them itself can rule that out. The cancel is
sent in the same turn as the fill is booked; what was filled beyond is told as an Overfilled, and is a person's to
decide. Who cannot bear that sends one leg only, or takes a venue with native groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.instructions import PARENTED, Membership
from engine.refusal import Refusal
from engine.specification import down
from engine.values import ZERO, GroupKind, GroupRole, Side, add, subtract, summed

COUNTING = frozenset({"OUO", "BRACKET"})
"""Kinds in which the units that one order filled are taken from others."""
MAX_MEMBERS = 16
"""A group is for what one person means at once; more are orders of their own."""

Standing = Literal["HELD", "ACTIVE", "CANCELING", "OVER"]
"""HELD: not released yet. CANCELING: its cancel was asked for and is not answered."""
Ending = Literal["FILLED", "CANCELED", "REJECTED", "EXPIRED"]


class Member(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One order of a group. `quantity` is what it may fill in all as things stand, `asked` what it was for."""

    order_id: str
    role: GroupRole
    asked: Decimal
    quantity: Decimal
    filled: Decimal = ZERO
    instrument: str = ""
    side: Side | None = None
    lot: Decimal = ZERO
    """What its sizes are multiples of; ZERO where nothing is too small."""
    standing: Standing = "ACTIVE"
    ended: bool = False
    """Its end was told; filled to the last unit, it is OVER before that."""


class Group(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group's state. `closed`: it takes no more members. `winner`: which of an OCO or OUO was filled first."""

    group_id: str
    kind: GroupKind
    members: tuple[Member, ...] = ()
    closed: bool = False
    winner: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing of it is open."""
        return bool(self.members) and all(member.standing == "OVER" for member in self.members)


class ReleaseMember(Struct, frozen=True, gc=False):
    """Start this order, which waited, for this quantity."""

    order_id: str
    quantity: Decimal


class CancelMember(Struct, frozen=True, gc=False):
    """Cancel what is open of this order, or end it where it was not released."""

    order_id: str
    reason: str


class ResizeMember(Struct, frozen=True, gc=False):
    """Replace this order's total quantity, what is filled included, by this."""

    order_id: str
    quantity: Decimal


class Overfilled(Struct, frozen=True, gc=False):
    """More was filled than the group was for: the race that only a venue can rule out. A person is to be told."""

    quantity: Decimal
    reason: str


class Uncovered(Struct, frozen=True, gc=False):
    """The parent of a bracket was filled after its children were over: nothing covers this. A person is to be told."""

    quantity: Decimal


GroupAction = ReleaseMember | CancelMember | ResizeMember | Overfilled | Uncovered
Step = tuple[Group, tuple[GroupAction, ...]]


def join(
    group: Group | None,
    membership: Membership,
    order_id: str,
    quantity: Decimal,
    instrument: str = "",
    side: Side | None = None,
    lot: Decimal = ZERO,
) -> Step | Refusal:
    """The group with this order in it. A child waits until its parent is filled; it may come before it or after.

    Refusals: GROUP_MISMATCH (another kind, a second parent, units of another instrument, a bracket's child on the side
    of its parent), GROUP_CLOSED, GROUP_FULL, GROUP_MEMBER (it is in).
    """
    if group is None:
        group = Group(group_id=membership.group_id, kind=membership.kind)
    name, role = group.group_id, membership.role
    if group.kind != membership.kind:
        return Refusal("GROUP_MISMATCH", f"group.kind: {name} is {group.kind}, not {membership.kind}")
    if group.closed:
        return Refusal("GROUP_CLOSED", f"group.group_id: {name} takes no more orders")
    if _find(group, order_id) is not None:
        return Refusal("GROUP_MEMBER", f"group.group_id: {order_id} is in {name} already")
    if len(group.members) >= MAX_MEMBERS:
        return Refusal("GROUP_FULL", f"group.group_id: {name} has {MAX_MEMBERS} orders already")
    if role == "PARENT" and _parent(group) is not None:
        return Refusal("GROUP_MISMATCH", f"group.role: {name} has a parent already")
    standing: Standing = "HELD" if role == "CHILD" else "ACTIVE"
    member = Member(
        order_id=order_id,
        role=role,
        asked=quantity,
        quantity=quantity,
        instrument=instrument,
        side=side,
        lot=lot,
        standing=standing,
    )
    for other in group.members:
        if group.kind in COUNTING and other.instrument != instrument:
            sentence = f"{name} counts units of {other.instrument}, not of {instrument}"
            return Refusal("GROUP_MISMATCH", f"symbol: {sentence}")
        if group.kind == "BRACKET" and side is not None and other.side == side and other.role != role:
            return Refusal("GROUP_MISMATCH", f"side: the children of {name} are not on the side of its parent, {side}")
    return _settled(replace(group, members=(*group.members, member)), "")


def on_fill(group: Group, order_id: str, quantity: Decimal) -> Step:
    """What an execution of one member means for the others. `quantity` is that of the execution."""
    member = _find(group, order_id)
    if member is None or quantity <= ZERO:
        return group, ()
    filled = add(member.filled, quantity)
    # At what it was reduced to, it has nothing left to do, whether the reduction came through or not.
    over = member.standing == "OVER" or filled >= member.quantity
    after = _with(group, replace(member, filled=filled, standing="OVER" if over else member.standing))
    if group.kind not in PARENTED:
        after = replace(after, closed=True, winner=group.winner or order_id)
    extra = subtract(_excess(after), _excess(group))
    after, actions = _settled(after, order_id)
    if extra > ZERO:
        reason = f"{order_id} was filled before its cancel or reduction came through"
        return after, (Overfilled(extra, reason), *actions)
    return after, actions


def on_end(group: Group, order_id: str, how: Ending) -> Step:
    """What the end of one member means for the others; its fills were told before."""
    member = _find(group, order_id)
    if member is None or member.ended:
        return group, ()
    group = _with(group, replace(member, standing="OVER", ended=True))
    if member.role == "PARENT" and how != "FILLED" and (group.kind == "OTO" or not member.filled):
        children = tuple(other for other in group.members if other.role == "CHILD")
        return _cancelled(replace(group, closed=True), children, f"its parent {order_id} ended {how}")
    return _settled(group, order_id)


def on_replace(group: Group, order_id: str, quantity: Decimal) -> Step:
    """A client made one member's total quantity this. Those follow that were for the same: the other legs of an OUO,
    and with the parent of a BRACKET its children. A member that is out is told what it is for now, which may be less:
    the child of a bracket never covers more than is filled of its parent."""
    member = _find(group, order_id)
    if member is None or member.standing not in ("HELD", "ACTIVE"):
        return group, ()
    asked = quantity
    if group.kind == "OUO":
        asked = add(quantity, _filled(other for other in group.members if other.order_id != order_id))
    for other in group.members:
        leads = group.kind == "OUO" or (group.kind == "BRACKET" and member.role == "PARENT")
        if leads and other.order_id != order_id and other.asked == member.asked:
            group = _with(group, replace(other, asked=asked))
    size = quantity
    if group.kind == "BRACKET" and member.role == "CHILD" and member.standing == "ACTIVE":
        size = _size(_with(group, replace(member, asked=asked)), _parent(group), replace(member, asked=asked))
    group = _with(group, replace(member, asked=asked, quantity=size))
    after, actions = _settled(group, "")
    if member.standing == "ACTIVE" and size > member.filled:
        return after, (ResizeMember(order_id, size), *actions)
    return after, actions


def cancel(group: Group | None, group_id: str) -> Step | Refusal:
    """CANCEL_GROUP: everything open of it. UNKNOWN_GROUP where there is none, GROUP_OVER where nothing is open."""
    if group is None or not group.members:
        return Refusal("UNKNOWN_GROUP", f"group_id: there is no group {group_id}")
    if group.over:
        return Refusal("GROUP_OVER", f"group_id: nothing of {group_id} is open")
    reason = f"group {group_id} is cancelled"
    # What was filled beyond what it was made may not have ended yet.
    rest = (CancelMember(one.order_id, reason) for one in group.members if one.standing == "OVER" and not one.ended)
    after, actions = _cancelled(replace(group, closed=True), group.members, reason)
    return after, (*actions, *rest)


def _settled(group: Group, cause: str) -> Step:
    """The group with every member as its kind demands by now, and what has to be done for that. What each member may
    be is computed from all fills, so their order makes no difference. `cause`: the order that has just been filled."""
    if group.kind == "OCO":
        others = tuple(member for member in group.members if member.order_id != group.winner)
        return (group, ()) if group.winner is None else _cancelled(group, others, f"{group.winner} was filled")
    parent = _parent(group)
    if group.kind == "OTO":
        if parent is None or not parent.filled or parent.standing != "OVER":
            return group, ()
        held = tuple(member for member in group.members if member.standing == "HELD")
        return _released(group, {member.order_id: member.asked for member in held})
    actions: list[GroupAction] = []
    for member in group.members:
        if member.role == "PARENT" or member.order_id == cause or member.standing not in ("HELD", "ACTIVE"):
            continue
        exact = _size(group, parent, member)
        size = down(exact, member.lot) if member.lot else exact
        if member.standing == "HELD":
            if size > ZERO:
                group, released = _released(group, {member.order_id: size})
                actions += released
        elif size <= member.filled:
            if member.quantity <= exact and exact > member.filled:
                continue  # What is left for it is no lot yet.
            group, canceled = _cancelled(group, (member,), "what it is for was filled elsewhere")
            actions += canceled
        elif size != member.quantity:
            group = _with(group, replace(member, quantity=size))
            actions.append(ResizeMember(member.order_id, size))
    bare = _uncovered(group, parent) if parent is not None and parent.order_id == cause else ZERO
    return group, (*actions, Uncovered(bare)) if bare > ZERO else tuple(actions)


def _size(group: Group, parent: Member | None, member: Member) -> Decimal:
    """What an OUO's member, or a bracket's child, may fill in all: what the others have not filled."""
    asked = member.asked
    most = asked if group.kind == "OUO" else ZERO if parent is None else parent.filled
    if parent is not None and asked == parent.asked:
        # For all of the parent, also for what that fills beyond what a client makes of it.
        asked = max(asked, most)
    others = _filled(other for other in _legs(group) if other.order_id != member.order_id)
    return max(member.filled, min(asked, subtract(most, others)))


def _excess(group: Group) -> Decimal:
    """How much more was filled than the group was for."""
    legs = _legs(group)
    filled = _filled(legs)
    if group.kind == "OCO":
        return _filled([leg for leg in legs if leg.order_id != group.winner])
    if group.kind == "OUO":
        return max(ZERO, subtract(filled, max(leg.asked for leg in legs)))
    parent = _parent(group)
    if group.kind == "OTO" or parent is None:
        return ZERO
    return max(ZERO, subtract(filled, parent.filled))


def _uncovered(group: Group, parent: Member) -> Decimal:
    """What is filled of a bracket's parent while all its children are over."""
    legs = _legs(group)
    if not legs or any(leg.standing in ("HELD", "ACTIVE") for leg in legs):
        return ZERO
    return subtract(parent.filled, _filled(legs))


def _released(group: Group, sizes: dict[str, Decimal]) -> Step:
    actions = []
    for order_id, size in sizes.items():
        member = _find(group, order_id)
        if member is not None:
            group = _with(group, replace(member, standing="ACTIVE", quantity=size))
            actions.append(ReleaseMember(order_id, size))
    return group, tuple(actions)


def _cancelled(group: Group, members: Iterable[Member], reason: str) -> Step:
    actions = []
    for member in members:
        if member.standing in ("HELD", "ACTIVE"):
            # What was never released is over as soon as it is cancelled.
            over = member.standing == "HELD"
            group = _with(group, replace(member, standing="OVER" if over else "CANCELING", ended=over))
            actions.append(CancelMember(member.order_id, reason))
    return group, tuple(actions)


def _legs(group: Group) -> list[Member]:
    return [member for member in group.members if member.role != "PARENT"]


def _filled(members: Iterable[Member]) -> Decimal:
    return summed(member.filled for member in members)


def _parent(group: Group) -> Member | None:
    return next((member for member in group.members if member.role == "PARENT"), None)


def _find(group: Group, order_id: str) -> Member | None:
    return next((member for member in group.members if member.order_id == order_id), None)


def _with(group: Group, changed: Member) -> Group:
    members = tuple(changed if member.order_id == changed.order_id else member for member in group.members)
    return replace(group, members=members)
