"""Prices that are waited for: whether the market was there, judged by everything that was heard of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from engine import work as w
from engine.messages import ExecutionRequest, MarketData, Quote
from engine.order import Order
from engine.triggers import Trail
from engine.values import Side

ZERO = Decimal(0)


def passed(
    order: Order,
    asked: ExecutionRequest,
    market: Mapping[str, Sequence[MarketData]],
    since: datetime,
    heard: Mapping[str, int],
) -> bool:
    """Whether a stop that trails should have been released by now: `since` then the world is calm, and so much of each
    market was `heard` before. What it followed before that can only have brought it nearer to the market."""
    held = w.working(order).held
    if held is None or held.joining or not isinstance(held.trigger, Trail) or held.trigger.since > since:
        return False
    instrument = order.ticket.instrument
    rows = market.get(instrument, ())[heard.get(instrument, 0) :]
    return touched(asked, order.ticket.side, [row for row in rows if isinstance(row, Quote)])


def touched(asked: ExecutionRequest, side: Side, rows: Sequence[MarketData]) -> bool:
    """Whether the market was at the price that a trigger waits for, by any quote or print of these."""
    told, sells = asked.instructions, side == "SELL"
    falling = sells != (asked.order_type in ("MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED"))
    best: Decimal | None = None
    for row in rows:
        price = (row.bid if sells else row.ask) if isinstance(row, Quote) else getattr(row, "price", ZERO)
        level = asked.stop_price
        if level is None:
            assert told is not None
            best = price if best is None else max(best, price) if sells else min(best, price)
            away = told.trail_amount if told.trail_pct is None else best * told.trail_pct
            assert away is not None
            level = best - away if sells else best + away
        if price <= level if falling else price >= level:
            return True
    return False
