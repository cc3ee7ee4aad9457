"""The latest market data a partition has seen: the live reference that checks and sizes are made against."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from engine.messages import MarketData, Quote, Trade
from engine.values import ZERO, instrument_key

_HALF = Decimal("0.5")


class Mark(NamedTuple):
    """The price an instrument is worth now, and when it was received."""

    price: Decimal
    bid: Decimal
    ask: Decimal
    received: datetime


class Market:
    """Marks by instrument. Not state: it is fed by the bus, and what decided is kept with each decision."""

    __slots__ = ("_as_of", "_marks", "_prices", "max_age")

    def __init__(self, max_age_s: int) -> None:
        self._marks: dict[str, Mark] = {}
        self._as_of: datetime | None = None
        self._prices: Prices
        self.max_age = timedelta(seconds=max_age_s)

    def hear(self, data: MarketData, now: datetime) -> None:
        """Takes a quote's mid, a trade's price or a bar's close as the mark; a one-sided quote is its side."""
        match data:
            case Quote():
                bid, ask = data.bid, data.ask
                if bid <= ZERO or ask <= ZERO:
                    bid = ask = max(bid, ask)
                price = (bid + ask) * _HALF
            case Trade():
                price = bid = ask = data.price
            case _:
                price = bid = ask = data.close
        if price > ZERO:
            self._marks[instrument_key(data.exchange, data.symbol)] = Mark(price, bid, ask, now)

    def mark(self, instrument: str, now: datetime) -> Mark | None:
        """The mark, or None where there is none or it is older than the configured age."""
        mark = self._marks.get(instrument)
        if mark is None or now - mark.received > self.max_age:
            return None
        return mark

    def prices(self, now: datetime) -> Prices:
        """Mark prices by instrument, as of now, for who needs no more than the price, or more than one."""
        if now is not self._as_of:
            # Once a batch: all of its turns have the same time.
            self._as_of = now
            self._prices = Prices(self._marks, now - self.max_age)
        return self._prices


class Prices:
    """A mapping of instrument to mark price that has only those young enough."""

    __slots__ = ("_marks", "_oldest")

    def __init__(self, marks: dict[str, Mark], oldest: datetime) -> None:
        self._marks = marks
        self._oldest = oldest

    def get(self, instrument: str) -> Decimal | None:
        """The mark price, or None."""
        mark = self._marks.get(instrument)
        return None if mark is None or mark.received < self._oldest else mark.price
