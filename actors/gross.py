"""The gross limits of strategies and of all: what was executed today and what works, counted as soon as it is decided.

What works is summed up from open orders (`actors.working`); what was executed is the desk's state, an event a fill,
recorded only where a limit is configured and from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from actors.turn import Turn
from actors.working import Working
from engine.commands import Fill, Ticket
from engine.control_commands import CountTrade
from engine.control_events import TradeCounted
from engine.control_settings import Gross
from engine.controls import RegimeInForce, grossed
from engine.order import Order
from engine.switching import firm_part, strategy_part, traded_on
from engine.values import ZERO, add, multiply, subtract
from engine.weighed import Weighed

if TYPE_CHECKING:
    from actors.desk import DeskActor
    from actors.supervise import Asked


def limits(turn: Turn) -> Gross | None:
    """The limits, None where there are none."""
    controls = turn.rules.controls
    return None if controls is None else controls.gross


def weigh(asked: Asked, beside: Iterable[Asked], regime: RegimeInForce | None, turn: Turn) -> Iterator[Weighed]:
    """The gross limits and what counts for them, with the orders `beside` it as if they worked: all of one strategy."""
    gross = limits(turn)
    if gross is None:
        return
    strategy_id, currency, others = asked.strategy_id, asked.figures.spec.currency, ZERO
    for one in beside:
        if one.figures.spec.currency == currency:
            others = add(others, one.figures.notional or ZERO)
    working = _working(gross, turn)
    mine = gross.strategies.get(strategy_id, gross.strategy)
    for name, part, limit, code in (
        (f"strategy/{strategy_id}", strategy_part(strategy_id, currency), mine, "MAX_STRATEGY_GROSS"),
        ("firm", firm_part(currency), gross.firm, "MAX_FIRM_GROSS"),
    ):
        if limit is not None:
            yield Weighed(
                code=code,
                whose=name,
                executed=traded_on(turn.peek("desk/main", part), turn.today),
                works=add(subtract(working.sum(name, currency), working.of(asked.replaces)), others),
                asks=asked.figures.notional or ZERO,
                limit=grossed(limit, regime),
                currency=currency,
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
    ticket = order.ticket
    if ticket.for_block:
        return  # Its members' orders count.
    if fill is None and ticket.parent:
        return  # Its parent has reserved what it works.
    if fill is None:
        _working(gross, turn).set(ticket.order_id, ticket.strategy_id, ticket.currency, order.reserved)
        return
    turn.tell(
        "desk/main",
        CountTrade(
            order_id=ticket.parent or ticket.order_id,
            strategy_id=ticket.strategy_id,
            currency=ticket.currency,
            notional=multiply(multiply(fill.quantity, fill.price), fill.multiplier),
        ),
    )


def count(actor: DeskActor, message: CountTrade, turn: Turn) -> None:
    """What was executed counts for today; only now does it cease to count as working."""
    turn.record(
        TradeCounted(
            at=turn.now,
            day=turn.today,
            strategy_id=message.strategy_id,
            currency=message.currency,
            notional=message.notional,
        )
    )
    gross = limits(turn)
    if gross is not None:
        # As the order is now, which may be later than this fill.
        order: Order | None = turn.peek(f"order/{message.order_id}")
        left = ZERO if order is None else order.reserved
        _working(gross, turn).set(message.order_id, message.strategy_id, message.currency, left)
