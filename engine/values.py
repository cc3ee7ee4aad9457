"""What everything is made of: exact decimals and their grammar, times, and the field's enumerations.

Money and quantities are `decimal.Decimal`. Arithmetic that books money goes through `EXACT`, a context that
raises rather than rounds, so that an inexact result can never be booked by accident.
"""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable
from datetime import datetime
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

Side = Literal["BUY", "SELL"]
Intent = Literal["OPEN_LONG", "OPEN_SHORT", "CLOSE"]
PlainType = Literal["MARKET", "LIMIT"]
OrderType = Literal[
    "MARKET",
    "LIMIT",
    "STOP",
    "STOP_LIMIT",
    "MARKET_IF_TOUCHED",
    "LIMIT_IF_TOUCHED",
    "TRAILING_STOP",
    "TRAILING_STOP_LIMIT",
    "MARKET_TO_LIMIT",
]
TimeInForce = Literal["DAY", "GTC", "GTD", "IOC", "FOK", "OPG", "CLS"]
"""OPG and CLS make a MARKET or LIMIT order one for the opening or the closing auction."""
GroupKind = Literal["OCO", "OTO", "BRACKET", "OUO"]
GroupRole = Literal["MEMBER", "PARENT", "CHILD"]
OrderStatus = Literal[
    "NEW",
    "SUBMITTING",
    "WORKING",
    "PARTIALLY_FILLED",
    "FILLED",
    "PENDING_CANCEL",
    "PENDING_REPLACE",
    "CANCELED",
    "REJECTED",
    "EXPIRED",
    "UNKNOWN",
]
SubscriberStatus = Literal["ACTIVE", "PAUSED", "CLOSED"]

MAX_INTEGER_DIGITS = 18
MAX_DECIMALS = 12

_ID = r"[A-Za-z0-9][A-Za-z0-9._:/@#+=-]{0,127}"
_SYMBOL = r"[A-Za-z0-9][A-Za-z0-9._:/&^=+-]{0,63}"
_EXCHANGE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
ID_PATTERN = rf"^{_ID}\Z"
SYMBOL_PATTERN = rf"^{_SYMBOL}\Z"
EXCHANGE_PATTERN = rf"^{_EXCHANGE}\Z"
CURRENCY_PATTERN = r"^[A-Z][A-Z0-9]{2,7}\Z"

# Together, in this order, on lines: request, signal, strategy and subscriber id, exchange, symbol.
REQUEST_PATTERN = "\n".join((_ID, _ID, _ID, _ID, _EXCHANGE, _SYMBOL))

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Symbol = Annotated[str, Meta(pattern=SYMBOL_PATTERN)]
Exchange = Annotated[str, Meta(pattern=EXCHANGE_PATTERN)]
Currency = Annotated[str, Meta(pattern=CURRENCY_PATTERN)]
# The same texts in a message that looks at all of its own at once, which takes a fifth of the time.
IdLater = Annotated[str, Meta(extra_json_schema={"pattern": ID_PATTERN})]
SymbolLater = Annotated[str, Meta(extra_json_schema={"pattern": SYMBOL_PATTERN})]
ExchangeLater = Annotated[str, Meta(extra_json_schema={"pattern": EXCHANGE_PATTERN})]
Time = Annotated[datetime, Meta(tz=True)]

ZERO = Decimal(0)
ONE = Decimal(1)

# Two factors of the longest grammar need 60 digits; sums of very many of them fit in 120.
EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
# Bound once, as looking a method up costs half as much as the operation, and an order takes forty of them.
add, subtract, multiply, minus = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.minus
_remainder = EXACT.remainder
# Derived figures (average prices, ratios, weights) round here and are never booked.
DERIVED = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

if TYPE_CHECKING:
    Number = Decimal
else:

    class Number(ABC):  # noqa: B024 - a name for msgspec to dispatch on, never instantiated
        """A Decimal that arrives from outside: decoded by `read_number`, never by Decimal's own lenient parser."""

    Number.register(Decimal)


def summed(values: Iterable[Decimal]) -> Decimal:
    """The exact sum; zero of nothing."""
    return reduce(add, values, ZERO)


_GRAMMAR = re.compile(rf"-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}(?:\.[0-9]{{1,{MAX_DECIMALS}}})?").fullmatch
# How JSON libraries write small and round numbers, and how Decimal itself writes 0.00000001.
_SCIENTIFIC = re.compile(r"-?[0-9](?:\.[0-9]{1,30})?[eE][+-]?[0-9]{1,2}").fullmatch
_INTEGER_BOUND = 10**MAX_INTEGER_DIGITS


def read_number(_: type, raw: Any) -> Decimal:
    """A JSON string or number as an exact Decimal; raises ValueError outside the grammar.

    Optional sign, 1 to 18 ASCII digits, at most 12 decimals, or the same in scientific notation: no blank,
    underscore, NaN or Infinity.
    A JSON number reaches this as its own digits (see `engine.intake`), so nothing passes through float.
    """
    if raw.__class__ is str:
        if _GRAMMAR(raw):
            return Decimal(raw)
        if _SCIENTIFIC(raw):
            value = Decimal(raw)
            exponent = value.as_tuple().exponent
            if isinstance(exponent, int) and exponent >= -MAX_DECIMALS and value.adjusted() < MAX_INTEGER_DIGITS:
                return value
    elif raw.__class__ is int and -_INTEGER_BOUND < raw < _INTEGER_BOUND:
        return Decimal(raw)
    raise ValueError(
        f"expected a decimal of at most {MAX_INTEGER_DIGITS} digits and {MAX_DECIMALS} decimals, got {str(raw)[:40]!r}"
    )


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not above `value` (lots: never rounds a quantity up)."""
    rest = _remainder(value, step)
    whole = subtract(value, rest)
    return subtract(whole, step) if rest < ZERO else whole


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` not below `value`."""
    rest = _remainder(value, step)
    whole = subtract(value, rest)
    return add(whole, step) if rest > ZERO else whole


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step`, exactly."""
    return not _remainder(value, step)


def signed(side: Side, quantity: Decimal) -> Decimal:
    """A quantity with the sign it adds to a position."""
    return quantity if side == "BUY" else minus(quantity)


def opposite(side: Side) -> Side:
    """The other side."""
    return "SELL" if side == "BUY" else "BUY"


def instrument_key(exchange: str, symbol: str) -> str:
    """How an instrument is named in states, routes and configuration: `XNAS:AAPL`."""
    return f"{exchange}:{symbol}"
