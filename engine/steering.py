"""How a position is brought to a target without ever passing it, whatever fills in the meantime.

`steer` looks at the position, what is working and the target, and says what to cancel, what may stay, what may be
sent now and what has to wait. It is asked again whenever something fills, is cancelled or ends, and after a newer
target; it needs no memory, as everything it has to know is in what is working.

Nothing is passed because, towards the target, the position and *everything* that may still fill on that side, orders
being cancelled included, reach the target at most. Orders that were sent for an older target and do not fit are
cancelled; what they fill before that is confirmed is the older target's doing, and no order that stays or is sent adds
to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from engine.values import EXACT, ZERO, Intent, Side, add, minus, multiply, opposite, signed, subtract


class Working(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An order that may still fill `leaves` units.

    `cancellable`: ours to cancel, as an order sent for an older target; else it is counted on to fill (an order of
    another decision). `cancelling`: a cancel is on its way and not confirmed: it may fill, and is not counted on to.
    `outdated`: sent under other terms than those of now, so it does not stay.
    """

    order_id: str
    side: Side
    leaves: Decimal
    cancellable: bool = True
    cancelling: bool = False
    outdated: bool = False


class Step(Struct, frozen=True, gc=False):
    """One order to send."""

    intent: Intent
    side: Side
    quantity: Decimal


class Moves(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What to do towards a target: orders to `cancel` and to `keep`, orders to send `now`.

    `later` is what is missing once `waits_for` (orders that may fill or end first) and `now` have run their course:
    it is never sent as it stands, but asked for again then. `expected` is the position if all that is kept or counted
    on fills, `missing` the signed units from there to the target. `rests_on` are orders of other decisions: until they
    are over, nobody knows whether the position is where it should be.
    """

    expected: Decimal
    missing: Decimal
    cancel: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    now: tuple[Step, ...] = ()
    later: tuple[Step, ...] = ()
    waits_for: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()

    @property
    def still(self) -> bool:
        """Whether there is nothing to do, and nothing to wait for."""
        return not (self.cancel or self.keep or self.now or self.later or self.rests_on)


def steer(
    position: Decimal,
    target: Decimal,
    working: Sequence[Working],
    lot: Decimal,
    *,
    tolerance: Decimal = ZERO,
    least: Decimal = ZERO,
    splits: bool = False,
) -> Moves:
    """What to do so that `position` comes to `target` (both in signed units) and never passes it.

    No order is sent for `tolerance` units or fewer, nor for less than `least`. `splits`: the venue wants a position
    closed before the other side is opened, so a flip is a CLOSE and, once flat, an OPEN.
    """
    cancel, keep, expected = _judge(position, target, working)
    waits_for = [order.order_id for order in working if order.cancelling] + cancel
    missing = subtract(target, expected)
    side: Side = "BUY" if missing > ZERO else "SELL"
    # What an order of another decision is counted on to do is made up for only after it has.
    waits_for.extend(
        order.order_id
        for order in working
        if not order.cancellable and not order.cancelling and order.side == opposite(side)
    )
    quantity = _lots(EXACT.abs(missing), lot)
    now, later = ZERO, ZERO
    if quantity > ZERO and quantity >= least and EXACT.abs(missing) > tolerance:
        now = _room(position, target, working, side, lot, splits, quantity)
        later = subtract(quantity, now)
        if splits and _crosses(position, target, lot):
            waits_for.extend(keep)
        elif _slight(now, least, tolerance) or (_ending(working, cancel, side) and _slight(later, least, tolerance)):
            # Neither part is to be one that would not be sent for itself: both wait for what ends soon.
            now, later = ZERO, quantity
    start = add(position, signed(side, _leaves(working, side)))
    return Moves(
        expected=expected,
        missing=missing,
        cancel=tuple(cancel),
        keep=tuple(keep),
        now=_steps(start, side, now, lot, splits),
        later=_steps(subtract(target, signed(side, later)), side, later, lot, splits),
        waits_for=tuple(waits_for) if later else (),
        rests_on=tuple(order.order_id for order in working if not order.cancellable and not order.cancelling),
    )


def _judge(position: Decimal, target: Decimal, working: Sequence[Working]) -> tuple[list[str], list[str], Decimal]:
    """Which orders to cancel, which to keep, and the position if all that stays fills."""
    need = subtract(target, position)
    toward: Side = "BUY" if need > ZERO else "SELL"
    # As any of them may fill before a cancel is confirmed, either all on the side fit or none may stay.
    fits = _leaves(working, toward) <= EXACT.abs(need)
    cancel, keep, expected = [], [], position
    for order in working:
        if order.cancelling:
            continue
        if not order.cancellable:
            expected = add(expected, signed(order.side, order.leaves))
        elif fits and order.side == toward and not order.outdated:
            keep.append(order.order_id)
            expected = add(expected, signed(order.side, order.leaves))
        else:
            cancel.append(order.order_id)
    return cancel, keep, expected


def _lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """A quantity of zero or more floored to whole lots, written as they are: 100, not 100.0."""
    return multiply(EXACT.divide_int(quantity, lot), lot)


def _slight(quantity: Decimal, least: Decimal, tolerance: Decimal) -> bool:
    """Whether an order for this many would not be sent."""
    return bool(quantity) and (quantity < least or quantity <= tolerance)


def _ending(working: Sequence[Working], cancel: Sequence[str], side: Side) -> bool:
    """Whether an order on this side is about to be cancelled."""
    return any(order.side == side and (order.cancelling or order.order_id in cancel) for order in working)


def _leaves(working: Sequence[Working], side: Side) -> Decimal:
    """All that may still fill on a side."""
    found = ZERO
    for order in working:
        if order.side == side:
            found = add(found, order.leaves)
    return found


def _crosses(position: Decimal, target: Decimal, lot: Decimal) -> bool:
    """Whether the way to the target leads through zero, from a position of at least a lot."""
    return EXACT.abs(position) >= lot and bool(target) and (position > ZERO) != (target > ZERO)


def _room(
    position: Decimal,
    target: Decimal,
    working: Sequence[Working],
    side: Side,
    lot: Decimal,
    splits: bool,
    quantity: Decimal,
) -> Decimal:
    """How much of the quantity may be sent now: what passes neither the target nor, where it splits, zero."""
    end = ZERO if splits and _crosses(position, target, lot) else target
    away = subtract(end, position) if side == "BUY" else subtract(position, end)
    return _lots(max(ZERO, min(quantity, subtract(away, _leaves(working, side)))), lot)


def _steps(start: Decimal, side: Side, quantity: Decimal, lot: Decimal, splits: bool) -> tuple[Step, ...]:
    """The orders for a quantity from a position of `start`: what it closes, what it opens, or both in one."""
    if not quantity:
        return ()
    opens: Intent = "OPEN_LONG" if side == "BUY" else "OPEN_SHORT"
    closable = max(ZERO, minus(start) if side == "BUY" else start)
    if quantity <= closable:
        return (Step("CLOSE", side, quantity),)
    closing = _lots(closable, lot)
    if splits and closing:
        return Step("CLOSE", side, closing), Step(opens, side, subtract(quantity, closing))
    return (Step(opens, side, quantity),)
