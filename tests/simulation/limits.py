"""Judges an accepted order a second time: nothing that the engine counted is believed, only what it holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from actors.market import Market
from engine import events as e
from engine.config import Limits, effective
from engine.instructions import TRAILING, TRIGGERED
from engine.ledger import Position, flat
from engine.rules import Rules
from tests.simulation import controls
from tests.simulation.groups import Groups

ZERO = Decimal(0)
WAITING = TRIGGERED | TRAILING


def judge(
    parts: dict[str, Any],
    states: dict[str, dict[str, Any]],
    event: e.RequestAccepted,
    asked: Any,
    rules: Rules,
    market: Market,
    groups: Groups,
) -> None:
    """Raises where an order of this accepted request is past a limit at its worst."""
    profile = parts[""]
    desk = states.get("desk/main", {}).get("")
    limits = controls.under(effective(rules.limits, profile.limits), desk)
    assert profile.status == "ACTIVE", f"{event.key}: accepted while {profile.status}"
    if asked is not None and asked.expires_at is not None:
        assert event.at < asked.expires_at, f"{event.key}: accepted after it had expired"
    assert len(event.tickets) == 1, f"{event.key}: one leg was asked for"
    for ticket in event.tickets:
        venue = states[f"venue/{ticket.venue}"][""]
        assert venue.up, f"{event.key}: accepted for {venue}"
        assert not venue.paused, f"{event.key}: accepted for {venue}"
        assert ticket.symbol in rules.config.allow.symbols, f"{event.key}: {ticket.symbol} is not allowed"
        mark = market.mark(ticket.instrument, event.at)
        price = None if mark is None else mark.price
        if asked is not None and asked.order_type in WAITING and ticket.limit_price is None:
            # It is sent as a market order when its price comes, or at once where that is there already.
            ticket = replace(ticket, limit_price=_when_sent(asked, price))
        part, group = f"position/{ticket.instrument}", None if asked is None else asked.group
        held = parts.get(part) or flat(ticket.exchange, ticket.symbol, ticket.currency, ticket.multiplier)
        if group is not None:
            held = groups.worst(held, ticket, group, states)
        risk = controls.forbids(desk) and controls.adds(held, ticket, ticket.quantity, working=True)
        assert not risk, f"{event.key}: adds to {held} in {desk}: {ticket}"
        broken = past(parts, limits, ticket, price, held)
        assert not broken, f"{event.key}: {broken}: {ticket}"


def _when_sent(asked: Any, mark: Decimal | None) -> Decimal | None:
    """About the price of a market order that waits for one: a stop is beyond the market, what is touched within it."""
    if mark is None or asked.stop_price is None:
        return mark
    above = (asked.order_type == "STOP") == (asked.side == "BUY" or asked.intent == "OPEN_LONG")
    return max(mark, asked.stop_price) if above else min(mark, asked.stop_price)


def past(parts: dict[str, Any], limits: Limits, ticket: Any, mark: Decimal | None, held: Position) -> str:
    """The limit that this ticket is past at its worst, given this position; or nothing."""
    buys = ticket.side == "BUY"
    worst = (
        held.quantity + held.working_buy + ticket.quantity
        if buys
        else held.quantity - held.working_sell - ticket.quantity
    )
    leaves_risk = (held.quantity < ZERO and worst <= ZERO) if buys else (held.quantity > ZERO and worst >= ZERO)
    price = ticket.limit_price if ticket.limit_price is not None else mark
    if price is None:
        return "no price"
    notional = ticket.quantity * price * ticket.multiplier
    if limits.max_order_quantity is not None and ticket.quantity > limits.max_order_quantity:
        return "max_order_quantity"
    if limits.max_order_notional is not None and notional > limits.max_order_notional:
        return "max_order_notional"
    if not limits.allow_short and not buys and worst < ZERO:
        return "allow_short"
    if leaves_risk:
        return ""
    most = limits.max_position_notional
    if most is not None and (mark is None or abs(worst) * mark * ticket.multiplier > most):
        return "max_position_notional"
    return _funds(parts, limits, ticket, notional)


def _funds(parts: dict[str, Any], limits: Limits, ticket: Any, notional: Decimal) -> str:
    leverage = limits.max_leverage
    if ticket.side == "BUY" and (leverage is None or leverage <= 1):
        balance = parts.get(f"cash/{ticket.currency}")
        cash = ZERO if balance is None else balance.amount
        reserved = sum(
            (
                p.reserved_buy
                for part, p in parts.items()
                if part.startswith("position/") and p.currency == ticket.currency
            ),
            ZERO,
        )
        if notional > cash - reserved:
            return "cash"
    return ""
