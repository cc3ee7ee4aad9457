"""The gross limits of strategies and of all: what was executed today and what works, counted as soon as it is decided.

What works is summed up from open orders (`actors.working`); what was executed is the desk's state, an event a batch,
strategy and currency, recorded only where a limit is configured and from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from actors.journal import Mail
from actors.turn import Turn
from actors.working import Working
from engine.commands import Fill, Ticket
from engine.control_commands import CountTrades
from engine.control_events import TradeCounted
from engine.control_settings import Gross
from engine.events import OrderFilled
from engine.order import Order
from engine.switching import firm_part, strategy_part, traded_on
from engine.values import ZERO, add, minus, multiply

if TYPE_CHECKING:
    from actors.desk import DeskActor
    from actors.supervise import Asked


def limits(turn: Turn) -> Gross | None:
    """The limits, None where there are none."""
    controls = turn.rules.controls
    return None if controls is None else controls.gross


class Found(NamedTuple):
    """What counts for the gross limits in a currency: executed today and working, of a strategy and of all."""

    executed: Decimal
    works: Decimal
    executed_by_all: Decimal
    works_of_all: Decimal


def weigh(asked: Asked, beside: Iterable[Asked], gross: Gross, turn: Turn) -> Found:
    """What counts, with the orders `beside` it as if they worked: all are of one strategy."""
    strategy_id, currency = asked.strategy_id, asked.figures.spec.currency
    working, peek, today = _working(gross, turn), turn.peek, turn.today
    works, works_of_all = working.sum(f"strategy/{strategy_id}", currency), working.sum("firm", currency)
    others = minus(working.of(asked.replaces)) if asked.replaces else ZERO
    for one in beside:
        if one.figures.spec.currency == currency:
            others = add(others, one.figures.notional or ZERO)
    if others:
        works, works_of_all = add(works, others), add(works_of_all, others)
    return Found(
        traded_on(peek("desk/main", strategy_part(strategy_id, currency)), today),
        works,
        traded_on(peek("desk/main", firm_part(currency)), today),
        works_of_all,
    )


def _working(gross: Gross, turn: Turn) -> Working:
    working = turn.working
    if not working.current(gross):
        orders = (turn.peek(address) for address in turn.residents("order"))
        # What a child works its parent has reserved.
        working.begin(
            gross, (order for order in orders if order is not None and order.open and not order.ticket.parent)
        )
    return working


def placed(ticket: Ticket, turn: Turn) -> None:
    """An order was approved: it works from here on."""
    gross = limits(turn)
    if gross is not None:
        reserved = multiply(multiply(ticket.quantity, ticket.reserve_price), ticket.multiplier)
        _working(gross, turn).set(ticket.order_id, ticket.strategy_id, ticket.currency, reserved)


def moved(order: Order, fill: Fill | None, turn: Turn) -> None:
    """An order changed: what it still works, and what of it was executed by this fill."""
    gross = limits(turn)
    if gross is None:
        return
    ticket, working = order.ticket, _working(gross, turn)
    if ticket.for_block:
        return  # Its members' orders count.
    notional = ZERO if fill is None else multiply(multiply(fill.quantity, fill.price), fill.multiplier)
    # What a child works its parent has reserved.
    reserved = ZERO if ticket.parent else order.reserved
    working.set(ticket.order_id, ticket.strategy_id, ticket.currency, reserved, notional)


def executed(events: Iterable[tuple[str, Any]], turn: Turn) -> Mail | None:
    """What the batch under way executed, to be counted for today; asked when it ends. Until then it counts as working,
    so that it is one event a batch and not one a fill."""
    if not turn.working.take():
        return None
    sums: dict[tuple[str, str], Decimal] = {}
    for address, event in events:
        if event.__class__ is OrderFilled:
            fill, ticket = event.fill, turn.peek(address).ticket
            if not ticket.for_block:
                key = ticket.strategy_id, ticket.currency
                notional = multiply(multiply(fill.quantity, fill.price), fill.multiplier)
                sums[key] = add(sums.get(key, ZERO), notional)
    trades = tuple((strategy_id, currency, notional) for (strategy_id, currency), notional in sums.items())
    return Mail("desk/main", CountTrades(trades=trades)) if trades else None


def count(actor: DeskActor, message: CountTrades, turn: Turn) -> None:
    """What was executed counts for today."""
    for strategy_id, currency, notional in message.trades:
        turn.record(
            TradeCounted(at=turn.now, day=turn.today, strategy_id=strategy_id, currency=currency, notional=notional)
        )
