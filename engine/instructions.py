"""Order types and instructions beyond plain orders: what each takes, and which combinations make no sense.

A plain order (MARKET or LIMIT; DAY, GTC, IOC or FOK; no instructions) never comes here, so it pays nothing for them.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from msgspec import Struct

from engine.refusal import Problem
from engine.values import ONE, ZERO, GroupKind, GroupRole, Id, Intent, Number, OrderType, TimeInForce

PLAIN_TYPES: Final = frozenset({"MARKET", "LIMIT"})
PLAIN_TIMES: Final = frozenset({"DAY", "GTC", "IOC", "FOK"})
PRICED: Final = frozenset({"LIMIT", "STOP_LIMIT", "LIMIT_IF_TOUCHED"})
"""Types that take a limit_price."""
TRIGGERED: Final = frozenset({"STOP", "STOP_LIMIT", "MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED"})
"""Types that take a stop_price: the price at which they become an order."""
TRAILING: Final = frozenset({"TRAILING_STOP", "TRAILING_STOP_LIMIT"})
"""Types whose stop price follows the market."""
RESTING: Final = frozenset({"DAY", "GTC", "GTD"})
"""Times in force in which an order may wait in the book."""
SHOWN: Final = PRICED | {"TRAILING_STOP_LIMIT"}
"""Types of which a part may be displayed: those that rest at a price."""

PARENTED: Final = frozenset({"OTO", "BRACKET"})
"""Kinds of group in which one order brings others into being."""


class Instructions(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What an order is told beyond its type, prices and time in force.

    `trail_amount` is in price units; `trail_pct` a ratio, 0.01 is one per cent of the best price since the start.
    `limit_offset` is how far beyond the stop the limit of a trailing stop-limit order stands, in price units.
    `display_quantity` is in units. `post_only` must not take liquidity; `reduce_only` must not open or turn a position.
    """

    trail_amount: Number | None = None
    trail_pct: Number | None = None
    limit_offset: Number | None = None
    display_quantity: Number | None = None
    post_only: bool = False
    reduce_only: bool = False

    def asked(self) -> tuple[str, ...]:
        """The names of the instructions that are given, in the order of the fields."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return tuple(name for name, value in values.items() if value is not None and value is not False)


NO_INSTRUCTIONS: Final = Instructions()


class Membership(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The group that an order belongs to, and as what: a PARENT or CHILD of an OTO or BRACKET, a MEMBER elsewhere."""

    group_id: Id
    kind: GroupKind
    role: GroupRole = "MEMBER"


class Asked(Protocol):
    """What is looked at here of a request."""

    @property
    def order_type(self) -> OrderType: ...
    @property
    def time_in_force(self) -> TimeInForce: ...
    @property
    def stop_price(self) -> Decimal | None: ...
    @property
    def quantity(self) -> Decimal | None: ...
    @property
    def intent(self) -> Intent | None: ...
    @property
    def issued_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def instructions(self) -> Instructions | None: ...
    @property
    def group(self) -> Membership | None: ...


def senseless(asked: Asked) -> Problem | None:
    """Why these type, times, stop price, instructions and group cannot be meant together, or None."""
    told = asked.instructions or NO_INSTRUCTIONS
    return (
        _stop_problem(asked)
        or _trail_problem(asked, told)
        or _time_problem(asked)
        or _display_problem(asked, told)
        or _post_problem(asked, told)
        or _group_problem(asked.group)
    )


def _stop_problem(asked: Asked) -> Problem | None:
    if asked.order_type not in TRIGGERED:
        return None
    if asked.stop_price is None:
        return "MISSING_PRICE", f"stop_price: a {asked.order_type} order needs one"
    if asked.stop_price <= ZERO:
        return "BAD_PRICE", f"stop_price: must be above zero, got {asked.stop_price}"
    return None


def _trail_problem(asked: Asked, told: Instructions) -> Problem | None:
    kind = asked.order_type
    amount, ratio, offset = told.trail_amount, told.trail_pct, told.limit_offset
    if kind not in TRAILING:
        for name in ("trail_amount", "trail_pct", "limit_offset"):
            if getattr(told, name) is not None:
                return "UNEXPECTED_TRAIL", f"instructions.{name}: a {kind} order takes none, got {getattr(told, name)}"
        return None
    if (amount is None) == (ratio is None):
        return "BAD_TRAIL", f"instructions: a {kind} order needs exactly one of trail_amount and trail_pct"
    if amount is not None and amount <= ZERO:
        return "BAD_TRAIL", f"instructions.trail_amount: must be above zero, got {amount}"
    if ratio is not None and not ZERO < ratio < ONE:
        return "BAD_TRAIL", f"instructions.trail_pct: must be between 0 and 1, got {ratio}"
    if (offset is None) == (kind == "TRAILING_STOP_LIMIT"):
        needs = "needs" if offset is None else "takes no"
        return "BAD_TRAIL", f"instructions.limit_offset: a {kind} order {needs} limit_offset"
    if offset is not None and offset < ZERO:
        return "BAD_TRAIL", f"instructions.limit_offset: must not be below zero, got {offset}"
    return None


def _time_problem(asked: Asked) -> Problem | None:
    kind, time = asked.order_type, asked.time_in_force
    if time in ("OPG", "CLS") and kind not in PLAIN_TYPES:
        return "BAD_TIME_IN_FORCE", f"time_in_force: {time} is for MARKET and LIMIT orders, not for {kind}"
    if kind == "MARKET_TO_LIMIT" and time not in RESTING:
        return "BAD_TIME_IN_FORCE", f"time_in_force: the rest of a {kind} order rests, so {time} makes no sense"
    if time == "GTD":
        if asked.expires_at is None:
            return "MISSING_EXPIRY", "expires_at: a GTD order needs one"
        if asked.expires_at <= asked.issued_at:
            return "BAD_EXPIRY", f"expires_at: {asked.expires_at.isoformat()} is not after issued_at"
    return None


def _display_problem(asked: Asked, told: Instructions) -> Problem | None:
    shown = told.display_quantity
    if shown is None:
        return None
    if shown <= ZERO:
        return "BAD_DISPLAY", f"instructions.display_quantity: must be above zero, got {shown}"
    if asked.quantity is not None and shown > asked.quantity:
        return "BAD_DISPLAY", f"instructions.display_quantity: {shown} is more than the quantity {asked.quantity}"
    if asked.order_type not in SHOWN or asked.time_in_force not in RESTING:
        what = f"{asked.order_type} {asked.time_in_force}"
        return "BAD_DISPLAY", f"instructions.display_quantity: a {what} order never rests at a price"
    return None


def _post_problem(asked: Asked, told: Instructions) -> Problem | None:
    if told.post_only and (asked.order_type != "LIMIT" or asked.time_in_force not in RESTING):
        what = f"{asked.order_type} {asked.time_in_force}"
        return "BAD_POST_ONLY", f"instructions.post_only: is for LIMIT orders that may rest, not for {what}"
    if told.reduce_only and asked.intent is not None and asked.intent != "CLOSE":
        return "BAD_REDUCE_ONLY", f"instructions.reduce_only: contradicts intent {asked.intent}"
    return None


def _group_problem(group: Membership | None) -> Problem | None:
    if group is None or (group.role != "MEMBER") == (group.kind in PARENTED):
        return None
    roles = "PARENT or CHILD" if group.kind in PARENTED else "MEMBER"
    return "BAD_GROUP", f"group.role: in a group of kind {group.kind} it is {roles}, got {group.role}"
