"""What a subscriber's cash and positions amount to: equity and gross exposure in one currency.

There is no conversion between currencies. Each stands alone: equity in USD is USD cash and what is held in USD
instruments, and an order is judged by the figures of its own currency only.

These figures are judged by and never booked, so they are computed with plain operators, to 28 digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from engine.ledger import Balance, Position
from engine.values import ZERO


class Marks(Protocol):
    """Mark prices by `exchange:symbol`; None for an instrument without one."""

    def get(self, instrument: str, /) -> Decimal | None: ...


class Exposure(Struct, frozen=True, gc=False, kw_only=True):
    """Figures in `currency`. `reserved` is what open buys may still cost.

    `equity` is cash and market values; `gross` is every instrument's worst absolute value, whichever of its working
    orders fill. Both are None when `missing` names an instrument that is held or working and has no mark.
    """

    currency: str
    cash: Decimal
    reserved: Decimal
    equity: Decimal | None
    gross: Decimal | None
    missing: str = ""


def expose(
    currency: str,
    balances: Mapping[str, Balance],
    positions: Mapping[str, Position],
    marks: Marks,
) -> Exposure:
    """The exposure in `currency` of balances (by currency), positions and mark prices (both by `exchange:symbol`)."""
    balance = balances.get(currency)
    equity = cash = ZERO if balance is None else balance.amount
    reserved = gross = ZERO
    missing = ""
    for instrument, position in positions.items():
        if position.currency != currency:
            continue
        quantity, buys, sells = position.quantity, position.working_buy, position.working_sell
        if not (quantity or buys or sells):
            continue
        reserved += position.reserved_buy
        mark = marks.get(instrument)
        if mark is None:
            missing = missing or instrument
            continue
        value = quantity * mark * position.multiplier
        equity += value
        if buys or sells:
            gross += worst(value, quantity, buys, sells, position.reserved_buy, position.reserved_sell)
        else:
            gross += abs(value)
    if missing:
        return Exposure(currency=currency, cash=cash, reserved=reserved, equity=None, gross=None, missing=missing)
    return Exposure(currency=currency, cash=cash, reserved=reserved, equity=equity, gross=gross)


def worst(
    value: Decimal, quantity: Decimal, buys: Decimal, sells: Decimal, reserved_buy: Decimal, reserved_sell: Decimal
) -> Decimal:
    """The largest absolute value that a position may come to, whichever of its working orders fill.

    `value` is the market value of the `quantity` units held; `buys` and `sells` are working units, counted at their
    reserved notional, and only with the part that increases the exposure: +100 held and 150 working to be sold are at
    worst 100 long or 50 short.
    """
    if quantity >= ZERO:
        most, beyond, working, reserved = value + reserved_buy, sells - quantity, sells, reserved_sell
    else:
        most, beyond, working, reserved = reserved_sell - value, buys + quantity, buys, reserved_buy
    if beyond > ZERO:
        return max(most, reserved if beyond == working else reserved * beyond / working)
    return most
