"""What the demo earned, from the store's own trades and books, marked at the last prices that were played."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from adapters.store.connect import FILE
from engine.values import ZERO


class Gain(Struct):
    """Profit in dollars; `realized` and `unrealized` before commission."""

    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    commission: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """After commission."""
        return self.realized + self.unrealized - self.commission


class Profit(Struct):
    """Of each strategy, and of each subscriber that holds or held anything."""

    strategies: dict[str, Gain]
    subscribers: dict[str, Gain]

    @property
    def total(self) -> Gain:
        """Of all subscribers."""
        gains = self.subscribers.values()
        return Gain(
            sum((gain.realized for gain in gains), ZERO),
            sum((gain.unrealized for gain in gains), ZERO),
            sum((gain.commission for gain in gains), ZERO),
        )


def profit(data: Path, marks: Mapping[str, Decimal]) -> Profit:
    """Realized and unrealized profit; `marks` are prices by exchange:symbol."""
    with closing(sqlite3.connect(f"{(data / FILE).absolute().as_uri()}?mode=ro", uri=True)) as store:
        store.execute("BEGIN")
        return Profit(_strategies(store, marks), _subscribers(store, marks))


def _subscribers(store: sqlite3.Connection, marks: Mapping[str, Decimal]) -> dict[str, Gain]:
    gains: dict[str, Gain] = defaultdict(Gain)
    query = "SELECT subscriber_id, exchange, symbol, quantity, cost, realized, commission FROM positions"
    for subscriber, exchange, symbol, *amounts in store.execute(query):
        quantity, cost, realized, commission = map(Decimal, amounts)
        gain = gains[subscriber]
        gain.realized += realized
        gain.commission += commission
        if quantity:
            gain.unrealized += quantity * marks[f"{exchange}:{symbol}"] - cost
    return dict(gains)


def _strategies(store: sqlite3.Connection, marks: Mapping[str, Decimal]) -> dict[str, Gain]:
    """Strategies share their subscribers' positions, so what is unrealized is what they hold at the last price, and
    the cash that their trades moved, less what was realized."""
    gains: dict[str, Gain] = defaultdict(Gain)
    query = "SELECT strategy_id, exchange, ticker, direction, size, price, commission, realized FROM trades"
    for strategy, exchange, symbol, side, *amounts in store.execute(query):
        size, price, commission, realized = map(Decimal, amounts)
        signed = size if side == "BUY" else -size
        gain = gains[strategy]
        gain.realized += realized
        gain.commission += commission
        gain.unrealized += signed * (marks[f"{exchange}:{symbol}"] - price) - realized
    return dict(gains)
