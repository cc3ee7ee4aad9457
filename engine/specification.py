"""How an order is worked at one venue: what the venue is told, what our side does, and what became of all it asked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.instructions import NO_INSTRUCTIONS, Instructions
from engine.plan import Style
from engine.values import EXACT, ONE, OrderType, Side, TimeInForce, add, ceil_to, floor_to, multiply, subtract

How = Literal["native", "emulated", "hint used", "hint not used"]
Emulator = Literal[
    "TRIGGER",  # waits at our side for its stop price, then sends MARKET or LIMIT
    "MARKET_TO_LIMIT",  # sends an IOC, then the rest as LIMIT at the first fill's price
    "ON_OPEN",  # sends at the open; takes no part in the auction
    "ON_CLOSE",  # sends shortly before the close; takes no part in the auction
    "GOOD_TILL",  # ends at `good_till`
    "ICEBERG",  # sends `told.display_quantity` at a time
    "POST_ONLY",  # asks the quote before it sends
    "REDUCE_ONLY",  # never works more than the position holds
    "GROUP",  # engine.groups
    "ALGORITHM",  # `style`, until `deadline`
    "WINDOW",  # ends at `deadline`
    "MIN_FILL_FIRST",  # sends FOK for `min_quantity`, then IOC for the rest
    "MIN_FILL_AT_END",  # judges at the end whether `min_quantity` was filled
]


class Honoured(Struct, frozen=True, gc=False):
    """What became of one thing that was asked: `field` is `order_type`, `instructions.post_only`, `plan.…`."""

    field: str
    how: How
    why: str


class Specification(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What `translate` makes of a request for a venue.

    To the venue go side, quantity, `order_type`, `time_in_force`, the prices that this type takes, `expires_at`,
    `sent` and, where the venue runs the algorithm, its name and parameters. Everything else is for our side, which
    does what `emulators` lists. A `min_quantity` without an emulator goes to the venue.
    """

    side: Side
    quantity: Decimal
    kind: OrderType
    """What the order is to be, whoever sees to it; `order_type` is what the venue gets."""
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expires_at: datetime | None = None
    sent: Instructions = NO_INSTRUCTIONS
    algorithm: str | None = None
    parameters: dict[str, str] = {}
    min_quantity: Decimal | None = None
    emulators: tuple[Emulator, ...] = ()
    told: Instructions = NO_INSTRUCTIONS
    style: Style | None = None
    good_till: datetime | None = None
    deadline: datetime | None = None
    price_bound: Decimal | None = None
    """The worst price that max_slippage_pct allows; where the price it is measured from is not known yet,
    `slippage` is left to be applied when the order is released."""
    slippage: Decimal | None = None
    tick_size: Decimal
    lot_size: Decimal
    honoured: tuple[Honoured, ...] = ()


def down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not above `value`, with as many decimals as `step` has: 60, not 60.0."""
    return EXACT.quantize(floor_to(value, step), step)


def up(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` not below `value`, with as many decimals as `step` has."""
    return EXACT.quantize(ceil_to(value, step), step)


def bound(side: Side, price: Decimal, slippage: Decimal, tick: Decimal) -> Decimal:
    """The worst price within `slippage` (a ratio) of `price`, on the grid of `tick`, rounded to the strict side.

    Not below one tick: a sale at any price has no other bound.
    """
    if side == "BUY":
        return down(multiply(price, add(ONE, slippage)), tick)
    return max(tick, up(multiply(price, subtract(ONE, slippage)), tick))


def stricter(side: Side, limit: Decimal | None, other: Decimal) -> Decimal:
    """The limit that lets less through."""
    if limit is None:
        return other
    return min(limit, other) if side == "BUY" else max(limit, other)
