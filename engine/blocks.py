"""What a strategy, its followers and a block tell each other, what a block records of it, and the fold of that.

A block has followers share one total, or be worked as one order, or both. To its members it is a venue: each has an
order of its own, `part-…`, with its own reservation, which the block acknowledges, fills and closes. To the venue it
is a subscriber: its one order is an order like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.block import Claim, Member, Part, Tally, counted, fills
from engine.commands import Command, Fill, Ticket
from engine.events import Event
from engine.messages import BLOCK, ExecutionRequest
from engine.reports import Filled
from engine.sizing import Share
from engine.values import ZERO, OrderStatus, Side, add, subtract, summed


def block_id(strategy_id: str, signal_id: str) -> str:
    """The id of the block of a signal: the same whoever asks."""
    return BLOCK + blake2b(f"{strategy_id}\0{signal_id}".encode(), digest_size=12).hexdigest()


def address_of(strategy_id: str, signal_id: str) -> str:
    """Where the block of a signal lives."""
    return f"block/{block_id(strategy_id, signal_id)}"


class Invited(Struct, frozen=True, gc=False, omit_defaults=True):
    """A follower that a signal is told to; `shares`: its allocation is a share of the group's total."""

    subscriber_id: str
    shares: bool = False


# commands


class OpenBlock(Command, frozen=True, kw_only=True):
    """Have these followers share or work this signal together."""

    request: ExecutionRequest
    members: tuple[Invited, ...]


class Measure(Command, frozen=True, kw_only=True):
    """What do you count for in the group that shares this signal's total?"""

    request: ExecutionRequest


class Measured(Command, frozen=True, kw_only=True):
    """What a follower counts for; None where it takes no part."""

    subscriber_id: str
    member: Member | None


class Enlist(Command, frozen=True, kw_only=True):
    """Decide about this signal with this share; with `block` your order is a part of it, else it is your own.

    `code` and `reason`: why you can have no part in it.
    """

    request: ExecutionRequest
    block: bool
    share: Share | None = None
    code: str = ""
    reason: str = ""


class Declined(Command, frozen=True, kw_only=True):
    """This follower has no order in the block."""

    subscriber_id: str


# state


class Gathered(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A block: the signal, when it came, where it stands, and of how many followers an answer is waited for.

    MEASURING what followers count for, SIZING their orders, WORKING the block's own; OVER where no order of it is open
    or none was made.
    """

    request: ExecutionRequest
    at: datetime
    phase: Literal["MEASURING", "SIZING", "WORKING", "OVER"]
    waiting: int


class BlockMember(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A follower: what it counts for, and its order in the block, `got` of which is filled."""

    shares: bool = False
    member: Member | None = None
    answered: bool = False
    order_id: str = ""
    side: Side | None = None
    short_sale: bool = False
    quantity: Decimal = ZERO
    got: Decimal = ZERO


class BlockOrder(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An order of the block: `tally` is what has filled and is not yet its members', `working` what may fill yet.
    `ended` and `reason`: as what it is over, once it is."""

    ticket: Ticket
    lot: Decimal
    working: Decimal
    tally: Tally = Tally()
    settlements: int = 0
    ended: OrderStatus | None = None
    reason: str = ""


# events


class BlockEvent(Event, frozen=True, kw_only=True):
    """What every event of a block carries."""

    block_id: str


class BlockOpened(BlockEvent, frozen=True, kw_only=True):
    """These followers share or work a signal together."""

    request: ExecutionRequest
    members: tuple[Invited, ...]


class MemberMeasured(BlockEvent, frozen=True, kw_only=True):
    """What a follower counts for in the group; None where it takes no part."""

    subscriber_id: str
    member: Member | None


class Award(Struct, frozen=True, gc=False):
    """What a follower was awarded of the total."""

    subscriber_id: str
    share: Share


class BlockShared(BlockEvent, frozen=True, kw_only=True):
    """The total was shared, or could not be; the followers decide now. Without `worked` each has an order of its own,
    and the block is over."""

    worked: bool
    awards: tuple[Award, ...] = ()
    code: str = ""
    reason: str = ""


class MemberAnswered(BlockEvent, frozen=True, kw_only=True):
    """A follower has an order in the block, or ('' for its id) none."""

    subscriber_id: str
    order_id: str = ""
    side: Side | None = None
    short_sale: bool = False
    quantity: Decimal = ZERO


class BlockFormed(BlockEvent, frozen=True, kw_only=True):
    """Nobody is waited for any more: these are the block's orders, one a side, for the sum of what its members want.
    `missing`: how many never answered."""

    request_id: str
    signal_id: str
    strategy_id: str
    orders: tuple[Ticket, ...]
    lot: Decimal
    missing: int = 0
    code: str = ""
    reason: str = ""


class BlockStopped(BlockEvent, frozen=True, kw_only=True):
    """The block was ended before it had an order."""

    reason: str


class BlockFilled(BlockEvent, frozen=True, kw_only=True):
    """An order of the block was executed."""

    order_id: str
    fill: Fill
    working: Decimal


class BlockReleased(BlockEvent, frozen=True, kw_only=True):
    """So much of an order of the block will not fill any more (or may again, where negative)."""

    order_id: str
    working: Decimal


class BlockSettled(BlockEvent, frozen=True, kw_only=True):
    """An order of the block is over, or was executed afterwards: its fills are its members' now, at one price.
    Quantities were shared in units of `lot`."""

    request_id: str
    signal_id: str
    strategy_id: str
    exchange: str
    symbol: str
    side: Side
    order_id: str
    settlement: int
    status: OrderStatus
    reason: str
    lot: Decimal
    tally: Tally
    parts: tuple[Part, ...]


def shares(event: BlockSettled, part: Part, order_id: str) -> Iterator[Filled]:
    """What a member's order is told of its part: one fill, or two a grain apart, the first with the commission."""
    commission = part.commission
    for index, (quantity, price) in enumerate(fills(part, event.lot)):
        yield Filled(
            client_order_id=order_id,
            venue_order_id=event.order_id,
            execution_id=f"{order_id}/{event.settlement}.{index}",
            quantity=quantity,
            price=price,
            commission=commission,
            at=event.at,
        )
        commission = ZERO


# the fold

Parts = Mapping[str, Any]
Change = tuple[str, Struct]


def members(parts: Parts) -> dict[str, BlockMember]:
    """All members, by subscriber."""
    return {part[2:]: member for part, member in parts.items() if part.startswith("m/")}


def measured(parts: Parts) -> list[Member]:
    """What those count for who share the total."""
    return [member.member for member in members(parts).values() if member.member is not None]


def of(parts: Parts, ticket: Ticket) -> Iterable[tuple[str, BlockMember]]:
    """The members, by subscriber, whose orders an order of the block is for."""
    for name, member in members(parts).items():
        if member.side == ticket.side and member.short_sale == ticket.short_sale:
            yield name, member


def order_of(parts: Parts, ticket: Ticket) -> BlockOrder | None:
    """The order of the block that a member's is a part of."""
    for part, order in parts.items():
        if part.startswith("o/") and (order.ticket.side, order.ticket.short_sale) == (ticket.side, ticket.short_sale):
            found: BlockOrder = order
            return found
    return None


def claims(parts: Parts, ticket: Ticket, filled: Decimal) -> tuple[Claim, ...]:
    """What the members of an order of the block still want of it, by name, so that nothing hangs on who came first.
    Those who want nothing more stand there too where more is filled than the others want."""
    found = [
        Claim(name, max(ZERO, subtract(member.quantity, member.got)), member.quantity)
        for name, member in sorted(of(parts, ticket), key=itemgetter(0))
    ]
    wanting = tuple(claim for claim in found if claim.quantity)
    return wanting if filled <= summed(claim.quantity for claim in wanting) else tuple(found)


def only_reduces(gathered: Gathered, ticket: Ticket) -> bool:
    """Whether an order of a block can do no more than reduce what its members hold."""
    return gathered.request.intent == "CLOSE" or (ticket.side == "SELL" and not ticket.short_sale)


def _opened(parts: Parts, event: BlockOpened) -> Iterable[Change]:
    sharing = sum(one.shares for one in event.members)
    phase: Any = "MEASURING" if sharing else "SIZING"
    yield "", Gathered(request=event.request, phase=phase, waiting=sharing or len(event.members), at=event.at)
    for one in event.members:
        yield f"m/{one.subscriber_id}", BlockMember(shares=one.shares)


def _measured(parts: Parts, event: MemberMeasured) -> Iterable[Change]:
    part = f"m/{event.subscriber_id}"
    yield part, replace(parts[part], member=event.member, answered=True)
    yield "", replace(parts[""], waiting=parts[""].waiting - 1)


def _shared(parts: Parts, event: BlockShared) -> Iterable[Change]:
    everyone = members(parts)
    yield "", replace(parts[""], phase="SIZING" if event.worked else "OVER", waiting=len(everyone))
    for name, member in everyone.items():
        if member.answered:
            yield f"m/{name}", replace(member, answered=False)


def _answered(parts: Parts, event: MemberAnswered) -> Iterable[Change]:
    part = f"m/{event.subscriber_id}"
    yield (
        part,
        replace(
            parts[part],
            answered=True,
            order_id=event.order_id,
            side=event.side,
            short_sale=event.short_sale,
            quantity=event.quantity,
        ),
    )
    yield "", replace(parts[""], waiting=parts[""].waiting - 1)


def _formed(parts: Parts, event: BlockFormed) -> Iterable[Change]:
    yield "", replace(parts[""], phase="WORKING" if event.orders else "OVER", waiting=0)
    for ticket in event.orders:
        yield f"o/{ticket.order_id}", BlockOrder(ticket=ticket, lot=event.lot, working=ticket.quantity)


def _stopped(parts: Parts, event: BlockStopped) -> Iterable[Change]:
    return (("", replace(parts[""], phase="OVER", waiting=0)),)


def _filled(parts: Parts, event: BlockFilled) -> Iterable[Change]:
    part, fill = f"o/{event.order_id}", event.fill
    order: BlockOrder = parts[part]
    tally = counted(order.tally, fill.quantity, fill.price, fill.commission)
    return ((part, replace(order, tally=tally, working=subtract(order.working, event.working))),)


def _released(parts: Parts, event: BlockReleased) -> Iterable[Change]:
    part = f"o/{event.order_id}"
    return ((part, replace(parts[part], working=subtract(parts[part].working, event.working))),)


def _settled(parts: Parts, event: BlockSettled) -> Iterable[Change]:
    part = f"o/{event.order_id}"
    yield (
        part,
        replace(parts[part], tally=Tally(), settlements=event.settlement + 1, ended=event.status, reason=event.reason),
    )
    for one in event.parts:
        member = f"m/{one.subscriber_id}"
        yield member, replace(parts[member], got=add(parts[member].got, one.quantity))
    others = (order for name, order in parts.items() if name.startswith("o/") and name != part)
    if not any(order.working for order in others):
        yield "", replace(parts[""], phase="OVER")


FOLD: Final[dict[type, Callable[[Parts, Any], Iterable[Change]]]] = {
    BlockOpened: _opened,
    MemberMeasured: _measured,
    BlockShared: _shared,
    MemberAnswered: _answered,
    BlockFormed: _formed,
    BlockStopped: _stopped,
    BlockFilled: _filled,
    BlockReleased: _released,
    BlockSettled: _settled,
}
"""What each event changes."""
