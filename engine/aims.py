"""What a subscriber remembers of a target until it is reached: an aim for each instrument, and the orders sent for it.

An aim lives in the subscriber's part `target/<exchange:symbol>`. It is WORKING until its position is there, or FAILED
once an order of its own was refused, rejected or ended by somebody else; a FAILED aim stays only for as long as orders
of it are open, so that a newer target knows which orders it may cancel.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.commands import Ticket
from engine.exposure import Exposure
from engine.figures import Figures
from engine.ledger import Position
from engine.messages import Provenance
from engine.plan import ExecutionPlan
from engine.refusal import Refusal
from engine.steering import Moves, Working, steer
from engine.values import EXACT, ZERO, Side, TimeInForce, add, instrument_key, multiply, subtract, summed

Asked = Literal["", "CANCEL", "REFUSED"]
"""What was asked of a child: nothing, to be cancelled, or to be cancelled and the venue refused."""


class Child(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An order sent for a target, with `leaves` units open. `outdated`: under other terms than its aim has now."""

    order_id: str
    side: Side
    leaves: Decimal
    asked: Asked = ""
    outdated: bool = False


class Aim(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Where one position should be (`target`, signed units), of which set, within what, and the orders on their way.

    What a plan bounds is measured from when the set was decided (`since`) and what the market was then (`arrival`).
    `until` is when the day of a set that is good for the day is over. `lacks` is the code of what its next order was
    refused with, where it waits until sells of other targets have brought enough.
    """

    request_id: str
    signal_id: str
    strategy_id: str
    provenance: Provenance = Provenance()
    exchange: str
    symbol: str
    target: Decimal = ZERO
    tolerance: Decimal = ZERO
    least: Decimal = ZERO
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = "DAY"
    plan: ExecutionPlan | None = None
    since: datetime | None = None
    arrival: Decimal | None = None
    until: datetime | None = None
    lacks: str = ""
    status: Literal["WORKING", "FAILED"] = "WORKING"
    children: tuple[Child, ...] = ()

    @property
    def instrument(self) -> str:
        """`exchange:symbol`."""
        return instrument_key(self.exchange, self.symbol)

    def child(self, order_id: str) -> Child | None:
        """The child with this order id, or None where it is not one (any more)."""
        return next((child for child in self.children if child.order_id == order_id), None)

    @property
    def terms(self) -> tuple[Decimal | None, TimeInForce, ExecutionPlan | None]:
        """How its orders are to be worked."""
        return self.limit_price, self.time_in_force, self.plan


def working(position: Position | None, children: Iterable[Child], again: bool = False) -> tuple[Working, ...]:
    """Everything open in an instrument: the children one by one, the orders of other decisions as one a side.

    `again`: a cancel that the venue refused may be asked for again, as for a newer target; else such a child is
    counted on to fill, like another decision's order.
    """
    found, others = [], {"BUY": ZERO, "SELL": ZERO}
    if position is not None:
        others = {"BUY": position.working_buy, "SELL": position.working_sell}
    for child in children:
        others[child.side] = subtract(others[child.side], child.leaves)
        found.append(
            Working(
                order_id=child.order_id,
                side=child.side,
                leaves=child.leaves,
                cancellable=again or child.asked != "REFUSED",
                cancelling=child.asked == "CANCEL",
                outdated=child.outdated,
            )
        )
    sides: tuple[Side, Side] = ("BUY", "SELL")
    for side in sides:
        if others[side] > ZERO:
            named = f"{side} orders of other decisions"
            found.append(Working(order_id=named, side=side, leaves=others[side], cancellable=False))
    return tuple(found)


def onward(aim: Aim, position: Position, lot: Decimal, splits: bool) -> Moves:
    """What is to be done for an aim now."""
    return steer(
        position.quantity,
        aim.target,
        working(position, aim.children),
        lot,
        tolerance=aim.tolerance,
        least=aim.least,
        splits=splits,
    )


def over(aim: Aim, moves: Moves) -> bool:
    """Whether an aim is reached: nothing is open in its instrument, and there is nothing left to do."""
    return not aim.children and moves.still


def inherited(before: Aim | None, after: Aim) -> tuple[Child, ...]:
    """The orders of an older aim, as the one sees them that takes its place: under other terms they are outdated."""
    if before is None or before.terms == after.terms:
        return () if before is None else before.children
    return tuple(replace(child, outdated=True) for child in before.children)


def bounded(aim: Aim, moves: Moves, now: datetime) -> ExecutionPlan | Refusal | None:
    """The plan for orders that are sent now: of its window the whole minutes that are left. TIME_OVER past the end.

    What closes a position before the other side may be opened has its part of them only.
    """
    if aim.until is not None and now >= aim.until:
        return Refusal("TIME_OVER", f"time_in_force: the day of targets {aim.signal_id} ended {aim.until.isoformat()}")
    minutes = None if aim.plan is None else aim.plan.max_execution_window_minutes
    if aim.plan is None or minutes is None or aim.since is None:
        return aim.plan
    left = (aim.since + timedelta(minutes=minutes) - now) // timedelta(minutes=1)
    if left < 1:
        began = aim.since.isoformat()
        return Refusal("TIME_OVER", f"plan.max_execution_window_minutes: {minutes} from {began} leave no minute")
    if moves.later and moves.now[-1].intent == "CLOSE" and moves.later[-1].intent != "CLOSE":
        first, rest = (summed(step.quantity for step in steps) for steps in (moves.now, moves.later))
        left = max(1, int(EXACT.divide_int(multiply(Decimal(left), first), add(first, rest))))
    return replace(aim.plan, max_execution_window_minutes=left)


def children(before: Iterable[Child], moves: Moves, tickets: Iterable[Ticket]) -> tuple[Child, ...]:
    """The children once these moves are made: what is cancelled marked as such, what is sent added."""
    cancelled = frozenset(moves.cancel)
    known = tuple(replace(child, asked="CANCEL") if child.order_id in cancelled else child for child in before)
    return known + tuple(
        Child(order_id=ticket.order_id, side=ticket.side, leaves=ticket.quantity) for ticket in tickets
    )


def released(aim: Aim, child: Child, units: Decimal) -> Aim:
    """The aim once this many of a child's units are open no more (more are, where negative): without it at none."""
    left = subtract(child.leaves, units)
    changed = (
        replace(known, leaves=left) if known is child else known for known in aim.children if known is not child or left
    )
    return replace(aim, children=tuple(changed))


def with_order(exposure: Exposure, figures: Figures) -> Exposure:
    """The exposure with the order of these figures working, which were measured with it: what `expose` would say,
    without a look at every position for every order of a set."""
    reserved = exposure.reserved
    if figures.side == "BUY" and figures.notional is not None:
        reserved = add(reserved, figures.notional)
    if figures.reference is None and not exposure.missing:
        unknown = f"{figures.spec.exchange}:{figures.spec.symbol}"
        return Exposure(
            currency=exposure.currency, cash=exposure.cash, reserved=reserved, equity=None, gross=None, missing=unknown
        )
    return Exposure(
        currency=exposure.currency,
        cash=exposure.cash,
        reserved=reserved,
        equity=exposure.equity,
        gross=figures.gross_after,
        missing=exposure.missing,
    )
