"""Block orders: one order for many subscribers, and its fills shared among them exactly and fairly.

Quantities are shared in lots by largest remainder (Hamilton's method): everyone's quota, floored, then one more lot
each to the largest remainders. A tie goes by a hash of the block's id and the subscriber's, so that it favours nobody
for long. Only the sums of the fills count, so their order does not.

Largest remainder is not monotone: with one lot more filled, a subscriber may be due one fewer (the Alabama paradox).
So nothing is anybody's before the block's order is over. What fills after that is a block of its own, of what is still
wanted: nothing settled is ever taken back, and once everything has filled everyone has exactly what was wanted.

Everyone's price is the block's average. As that is seldom a decimal, notional is shared in grains of a lot at
10^-12 of price, by largest remainder again: nobody is off the exact average by one grain or more, the sum is the
block's to the last digit, and each part can be booked as at most two fills whose prices are a grain apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal
from hashlib import blake2b

from msgspec import Struct

from engine.methods import Equal, GroupMethod, NetLiquidation, Ratio
from engine.refusal import Refusal
from engine.sizing import Share, plain
from engine.values import EXACT, MAX_DECIMALS, ZERO, add, is_multiple, multiply, summed

GRAIN = Decimal(1).scaleb(-MAX_DECIMALS)
"""What prices and commissions are counted in: the finest that the grammar of numbers allows."""
_LOOK = Context(prec=12)  # Figures to look at, never booked.


class Claim(Struct, frozen=True, gc=False):
    """How many units of a block one subscriber (still) wants, and of how many in all where that is more."""

    subscriber_id: str
    quantity: Decimal
    ordered: Decimal | None = None


class Block(Struct, frozen=True, gc=False):
    """What is settled at once. Claims are on the grid of `lot`, one a subscriber; not all of them ordered nothing."""

    block_id: str
    lot: Decimal
    claims: tuple[Claim, ...]


class Tally(Struct, frozen=True, gc=False, kw_only=True):
    """The sum of a block's fills: units, price x units (without the multiplier), and commission."""

    quantity: Decimal = ZERO
    notional: Decimal = ZERO
    commission: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        """To look at, to 12 digits; None where nothing has filled."""
        return _LOOK.divide(self.notional, self.quantity) if self.quantity else None


class Part(Struct, frozen=True, gc=False, kw_only=True):
    """What one subscriber has of a block's fills, in the units of `Tally`."""

    subscriber_id: str
    quantity: Decimal
    notional: Decimal
    commission: Decimal


class Member(Struct, frozen=True, gc=False, kw_only=True):
    """One of a group: its method, and its figures in the instrument's currency as far as they are known."""

    subscriber_id: str
    allocation: GroupMethod
    net_liquidation: Decimal | None = None
    available_equity: Decimal | None = None


def share_out(block_id: str, total: Decimal, lot: Decimal, members: Sequence[Member]) -> dict[str, Share] | Refusal:
    """What each member of a group is awarded of `total` units: all of it, by largest remainder in lots.

    There is at least one, and nobody is in it twice. A figure at or below zero counts as nothing; one that is unknown
    refuses the whole, as the others would else be given what is not theirs. Each award is then sized, bounded and
    perhaps refused by `allocate` (`Facts.share`); what that takes away goes to nobody else. Refusals: BAD_QUANTITY,
    OFF_LOT, MIXED_METHODS, NO_EQUITY.
    """
    refusal = _off(f"block {block_id}", total, lot)
    if refusal is not None:
        return refusal
    methods = sorted({type(member.allocation).__name__ for member in members})
    if len(methods) > 1:
        return Refusal("MIXED_METHODS", f"allocation: block {block_id} shares by one method, not {', '.join(methods)}")
    counts = []
    for member in members:
        count = _count(member)
        if count is None:
            return Refusal("NO_EQUITY", f"{methods[0]}: the figure of {member.subscriber_id} is unknown")
        counts.append(max(ZERO, count))
    whole = summed(counts)
    if not whole:
        return Refusal("NO_EQUITY", f"{methods[0]}: nobody in block {block_id} has anything to share by")
    weights = _integers(counts)
    lots = apportion(_in(total, lot), weights, lambda index: _draw(block_id, "award", members[index].subscriber_id))
    return {
        member.subscriber_id: Share(_times(count, lot), total, own, whole)
        for member, count, own in zip(members, lots, counts, strict=True)
    }


def _count(member: Member) -> Decimal | None:
    """What this member counts for in its group."""
    allocation = member.allocation
    if isinstance(allocation, Equal):
        return Decimal(1)
    if isinstance(allocation, Ratio):
        return allocation.value
    return member.net_liquidation if isinstance(allocation, NetLiquidation) else member.available_equity


def _off(whose: str, quantity: Decimal, lot: Decimal) -> Refusal | None:
    if quantity <= ZERO:
        return Refusal("BAD_QUANTITY", f"quantity: of {whose} must be above zero, got {quantity}")
    if not is_multiple(quantity, lot):
        return Refusal("OFF_LOT", f"quantity: {quantity} of {whose} is not a multiple of lot_size {lot}")
    return None


def counted(tally: Tally, quantity: Decimal, price: Decimal, commission: Decimal) -> Tally:
    """The tally with one more fill; commission is negative for a rebate."""
    return Tally(
        quantity=add(tally.quantity, quantity),
        notional=add(tally.notional, multiply(quantity, price)),
        commission=add(tally.commission, commission),
    )


def settle(block: Block, tally: Tally) -> tuple[Part, ...]:
    """Everything that has filled, shared: each subscriber's part, in the order of the claims.

    Quantities, notionals and commissions sum to the tally's, exactly. Of more than was wanted (an overfill) everyone
    has what was wanted, and of the rest a share by what was ordered. `lot_for` gives a lot that the tally is on the
    grid of; raises ValueError for fills off that grid.
    """
    lot, ids = block.lot, [claim.subscriber_id for claim in block.claims]

    def drawn(what: str) -> Callable[[int], bytes]:
        return lambda index: _draw(block.block_id, what, ids[index])

    filled, lots = _in(tally.quantity, lot), [_in(claim.quantity, lot) for claim in block.claims]
    over = filled - sum(lots)
    if over > 0:
        ordered = [_in(claim.quantity if claim.ordered is None else claim.ordered, lot) for claim in block.claims]
        more = apportion(over, ordered, drawn("lot"))
        lots = [own + part for own, part in zip(lots, more, strict=True)]
    else:
        lots = apportion(filled, lots, drawn("lot"))
    grain, cent = _grain(tally.notional, multiply(lot, GRAIN)), _grain(tally.commission, GRAIN)
    grains = apportion(_in(tally.notional, grain), lots, drawn("notional"))
    commissions = apportion(_in(tally.commission, cent), lots, drawn("commission"))
    return tuple(
        Part(
            subscriber_id=subscriber_id,
            quantity=_times(quantity, lot),
            notional=_times(notional, grain),
            commission=_times(commission, cent),
        )
        for subscriber_id, quantity, notional, commission in zip(ids, lots, grains, commissions, strict=True)
    )


def fills(part: Part, lot: Decimal) -> tuple[tuple[Decimal, Decimal], ...]:
    """The part as (quantity, price) to book, none to two: their quantities and notionals sum to the part's, exactly.

    Prices lie a grain apart, and have at most 12 decimals where those of the venue have.
    """
    lots = _in(part.quantity, lot)
    if not lots:
        return ()
    grain = _grain(part.notional, multiply(lot, GRAIN))
    price, above = divmod(_in(part.notional, grain), lots)
    booked, step = ((lots - above, price), (above, price + 1)), EXACT.divide(grain, lot)
    return tuple((_times(count, lot), _times(grains, step)) for count, grains in booked if count)


def lot_for(lot: Decimal, claims: Iterable[Claim], tally: Tally) -> Decimal:
    """What quantities are shared in: lots, and a power of ten where the venue fills off their grid, or ever did."""
    quantities = [tally.quantity, *(claim.quantity for claim in claims)]
    if all(is_multiple(one, lot) for one in quantities) and is_multiple(tally.notional, multiply(lot, GRAIN)):
        return lot
    return min(GRAIN, *(_grain(one, GRAIN) for one in quantities))


def sentence(block: Block, tally: Tally, claim: Claim, part: Part) -> str:
    """How a part came about, in words: `2 of 14 wanted x 10 filled = 1.42857143 by largest remainder: 2 at 20.05`."""
    total = summed(claim.quantity for claim in block.claims)
    quota = _LOOK.divide(multiply(claim.quantity, tally.quantity), total)
    text = (
        f"{plain(claim.quantity)} of {plain(total)} wanted x {plain(tally.quantity)} filled = {plain(quota)} "
        f"by largest remainder: {plain(part.quantity)}"
    )
    if not part.quantity:
        return text
    price = plain(_LOOK.divide(part.notional, part.quantity))
    return f"{text} at an average of {price}, commission {plain(part.commission)}"


def drawn(block: Block, tally: Tally, claim: Claim) -> str:
    """That one lot more or less was a matter of luck, in words; '' where it was not."""
    lot = lot_for(block.lot, block.claims, tally)
    wanted = [_in(one.quantity, lot) for one in block.claims]
    return _luck(_in(tally.quantity, lot), wanted, _in(claim.quantity, lot), lot)


def awarded(total: Decimal, lot: Decimal, members: Sequence[Member], subscriber_id: str) -> str:
    """The same of what a member was awarded of a total by `share_out`."""
    counts = [max(ZERO, _count(member) or ZERO) for member in members]
    weights = _integers(counts)
    own = next(weight for member, weight in zip(members, weights, strict=True) if member.subscriber_id == subscriber_id)
    return _luck(_in(total, lot), weights, own, lot)


def _luck(total: int, weights: Sequence[int], own: int, lot: Decimal) -> str:
    whole = sum(weights)
    remainders, mine = [total * weight % whole for weight in weights], total * own % whole
    ties = remainders.count(mine)
    lucky = sum(remainders) // whole - sum(remainder > mine for remainder in remainders)
    if not 0 < lucky < ties:
        return ""
    return f"of the {ties} with the same remainder {lucky} were drawn for {plain(lot)} more"


def apportion(total: int, weights: Sequence[int], draw: Callable[[int], bytes]) -> list[int]:
    """`total` in whole parts proportional to `weights` (none negative), by largest remainder; they sum to `total`.

    A tie for the last ones goes to the lowest `draw(index)`. A weight of zero gets nothing. A negative total is
    shared by the same rule. Raises ValueError where there is something to share and nobody to take it.
    """
    whole = sum(weights)
    if not whole:
        if total:
            raise ValueError(f"{total} cannot be shared among nobody")
        return [0] * len(weights)
    parts, remainders = [], []
    for weight in weights:
        part, remainder = divmod(total * weight, whole)
        parts.append(part)
        remainders.append(remainder)
    left = total - sum(parts)
    if left:
        # Drawing costs more than sorting, so only those who tie for the last ones draw.
        least = sorted(remainders, reverse=True)[left - 1]
        above = [index for index, remainder in enumerate(remainders) if remainder > least]
        ties = [index for index, remainder in enumerate(remainders) if remainder == least]
        for index in (*above, *sorted(ties, key=draw)[: left - len(above)]):
            parts[index] += 1
    return parts


def _draw(block_id: str, what: str, subscriber_id: str) -> bytes:
    """A lot drawn for a subscriber, another for each thing shared, so that one is not lucky in all of them."""
    return blake2b(f"{block_id}\0{what}\0{subscriber_id}".encode(), digest_size=16).digest()


def _in(value: Decimal, unit: Decimal) -> int:
    """How many units a value is; raises ValueError where it is not a whole number of them."""
    if not is_multiple(value, unit):
        raise ValueError(f"{value} is not a multiple of {unit}")
    return int(EXACT.divide(value, unit))


def _grain(value: Decimal, grain: Decimal) -> Decimal:
    """The grain, or a power of ten that the value is a multiple of where it is none of the grain."""
    if is_multiple(value, grain):
        return grain
    return Decimal(1).scaleb(int(value.as_tuple().exponent))


def _times(count: int, unit: Decimal) -> Decimal:
    """So many units, without the zeros that come of counting finely."""
    # Adding zero makes 100 of 1E+2.
    return add(multiply(Decimal(count), unit).normalize(EXACT), ZERO)


def _integers(values: Sequence[Decimal]) -> list[int]:
    """Decimals in the same proportions as integers."""
    decimals = max(len(value.as_tuple().digits) - 1 - value.adjusted() for value in values)
    return [int(value.scaleb(max(decimals, 0), EXACT)) for value in values]
