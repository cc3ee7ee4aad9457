"""What an algorithm is told and what it answers: state, progress, market and clock in; actions and a wake-up out.

`Works` is all that an algorithm remembers and is small enough to be an actor's durable state. What is filled and what
is working is never in it: the caller reads that from the child orders and passes it as `Progress` on each call, so
there is no second copy of the truth.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from engine.values import ZERO, OrderType, Side, TimeInForce

Algorithm = Literal["TWAP", "VWAP", "POV", "IS", "ICEBERG", "SNIPER", "ADAPTIVE"]
Ending = Literal["FILLED", "PARTIAL", "SHORTFALL"]
"""All but what no lot covers; at least min_fill_ratio (or no ratio was asked for); less than min_fill_ratio."""

PARTS: Final = 1_000_000_000
"""The whole, in tables of cumulative parts (of a quantity, or of a window)."""


class Parent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The order to be worked. `quantity` is a multiple of `lot_size`; prices in the instrument's currency a unit.

    `min_quantity` is the smallest child that the venue takes; what is less waits until it is more.
    `arrival_price` is the mark at acceptance. `close` is a time that no child may outlive, whatever the plan says (the
    session's end). `seed` makes the randomised sizes and times: the plan's id, with whose order it is where one plan
    serves many.
    """

    side: Side
    quantity: Decimal
    lot_size: Decimal
    tick_size: Decimal
    min_quantity: Decimal = ZERO
    arrival_price: Decimal | None = None
    limit_price: Decimal | None = None
    start: datetime
    close: datetime | None = None
    seed: str


class Child(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An open child: its whole quantity and what of it is filled, in units; no `limit_price` for a market order.

    `pending` says that a cancel or replacement is asked for and not answered: nothing more is asked for until it is.
    """

    child_id: str
    quantity: Decimal
    filled: Decimal = ZERO
    limit_price: Decimal | None = None
    pending: bool = False


class Progress(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Where the order stands, in units: `working` is what the open children may still fill, sent or not yet answered.

    `children` are the open ones, oldest first. A child that was decided belongs here from then on, before it is sent.
    """

    filled: Decimal = ZERO
    working: Decimal = ZERO
    children: tuple[Child, ...] = ()


class Market(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What is known of the market. `volume` is the units traded since the order's start; None is unknown."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    last: Decimal | None = None
    volume: Decimal | None = None


class Scheduled(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="scheduled"):
    """So much by such a time, in `count` slices (TWAP, VWAP, IS).

    `shape` has the cumulative parts of the quantity after each slice, `clock` those of the window at which each slice
    begins (`count` + 1 values from 0 to PARTS; empty: equal ones). `tilt` is the front weight in thousandths where
    there is no shape. `even` sizes are not randomised.
    """

    count: int
    even: bool = False
    tilt: int = 0
    shape: tuple[int, ...] = ()
    clock: tuple[int, ...] = ()


class Participate(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="participate"):
    """Keep up with the market's volume (POV), in children of about `clip` units; the rate stands in `Works`."""

    clip: Decimal
    even: bool = False


class Iceberg(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="iceberg"):
    """Show about `peak` units at a time: as the display quantity of one order (`native`) or in children one by one.

    `complete`: what is left shortly before the window ends is taken.
    """

    peak: Decimal
    even: bool = False
    native: bool = False
    complete: bool = False


class Sniper(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="sniper"):
    """Wait, unseen, until the far side shows `clip` units (or the rest) at `worst` or better, then take them.

    `complete`: what is left shortly before the window ends is taken at whatever the bound allows.
    """

    clip: Decimal
    worst: Decimal
    complete: bool = False


class Adaptive(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="adaptive"):
    """Keep a pace of about `count` children, patient while on schedule and more aggressive when behind it.

    `tilt` is the pace's front weight in thousandths; `even` sizes are not randomised.
    """

    count: int
    even: bool = False
    tilt: int = 0


Tactic = Scheduled | Participate | Iceberg | Sniper | Adaptive


class Works(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An algorithm at work: what was fixed when it began, and below that what its decisions change.

    `bound` is the worst price a child may have. No child is placed from `end` on; from `closing` on, what must be
    complete takes. `urgency` and `visibility` go from 0 to 1. `participation` is the largest part of the market's
    volume that may be filled or working.
    """

    algorithm: Algorithm
    parent: Parent
    tactic: Tactic
    end: datetime
    closing: datetime
    bound: Decimal | None = None
    max_slippage_pct: Decimal | None = None
    min_fill_ratio: Decimal | None = None
    participation: Decimal | None = None
    urgency: Decimal
    visibility: Decimal
    asked: Decimal | None = None
    """The urgency that the plan asked for, while a regime has it otherwise."""
    step: int = 0
    """Slices released."""
    placed: int = 0
    """Children placed."""
    due: datetime | None = None
    """Nothing is done by the algorithm before then."""
    seen: Decimal = ZERO
    """Units filled when the last child was placed."""
    futile: int = 0
    """Children in a row that were gone before the next with nothing filled."""
    stopped: bool = False
    """Its end has come, whatever the clock says later."""


class Place(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Send a child. `display_quantity` None shows all of it."""

    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    time_in_force: TimeInForce
    display_quantity: Decimal | None = None


class Cancel(Struct, frozen=True, gc=False, kw_only=True):
    """Cancel a child."""

    child_id: str


class Replace(Struct, frozen=True, gc=False, kw_only=True):
    """Give a child another price. `quantity` is its whole quantity, what is filled included; it never changes."""

    child_id: str
    quantity: Decimal
    limit_price: Decimal


class Finish(Struct, frozen=True, gc=False, kw_only=True):
    """Nothing is open and nothing more will be done: how it ended, the units filled, and why, in a sentence."""

    ending: Ending
    filled: Decimal
    reason: str


Action = Place | Cancel | Replace | Finish


class Decision(Struct, frozen=True, gc=False):
    """The state from now on (the same object where nothing changed), what to do, and when to ask again at the latest.

    With `wake` None there is nothing to wait for but reports on the children.
    """

    works: Works
    actions: tuple[Action, ...] = ()
    wake: datetime | None = None


class Intended(Struct, frozen=True, gc=False):
    """A child that an algorithm would like; `price` None takes at whatever the bound allows."""

    quantity: Decimal
    price: Decimal | None
    time_in_force: TimeInForce = "DAY"
    display: Decimal | None = None


class Wish(Struct, frozen=True, gc=False, kw_only=True):
    """What an algorithm would like, before `engine.algos.bounds` makes it lawful.

    `reprices` are children and the prices they should have.
    """

    places: tuple[Intended, ...] = ()
    reprices: tuple[tuple[Child, Decimal], ...] = ()
    step: int | None = None
    due: datetime | None = None
