"""The latest market data a partition has seen: the live reference that checks and sizes are made against, and what
orders at our side wait for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from engine.messages import MarketData, Quote, Trade
from engine.values import ZERO, add, instrument_key

_HALF = Decimal("0.5")


Wants = Callable[[MarketData], bool]


class Mark(NamedTuple):
    """The price an instrument is worth now, and when it was received."""

    price: Decimal
    bid: Decimal
    ask: Decimal
    received: datetime


class Market:
    """Marks by instrument. Not state: it is fed by the bus, and what decided is kept with each decision."""

    __slots__ = ("_as_of", "_last", "_marks", "_prices", "_quotes", "_volumes", "_watchers", "max_age")

    def __init__(self, max_age_s: int) -> None:
        self._marks: dict[str, Mark] = {}
        self._quotes: dict[str, Quote] = {}
        self._last: dict[str, tuple[Decimal, datetime]] = {}
        self._volumes: dict[str, Decimal] = {}
        self._watchers: dict[str, dict[str, Wants]] = {}
        self._as_of: datetime | None = None
        self._prices: Prices
        self.max_age = timedelta(seconds=max_age_s)

    def hear(self, data: MarketData, now: datetime) -> None:
        """Takes a quote's mid, a trade's price or a bar's close as the mark; a one-sided quote is its side."""
        instrument = instrument_key(data.exchange, data.symbol)
        match data:
            case Quote():
                self._quotes[instrument] = data
                bid, ask = data.bid, data.ask
                if bid <= ZERO or ask <= ZERO:
                    bid = ask = max(bid, ask)
                price = (bid + ask) * _HALF
            case Trade():
                price = bid = ask = data.price
                self._last[instrument] = price, now
                self._volumes[instrument] = add(self._volumes.get(instrument, ZERO), data.size)
            case _:
                price = bid = ask = data.close
                self._last[instrument] = price, now
                self._volumes[instrument] = add(self._volumes.get(instrument, ZERO), data.volume)
        if price > ZERO:
            self._marks[instrument] = Mark(price, bid, ask, now)

    def quote(self, instrument: str, now: datetime) -> Quote | None:
        """The quote in force, or None where there is none or the mark is older than the configured age."""
        return None if self.mark(instrument, now) is None else self._quotes.get(instrument)

    def last(self, instrument: str, now: datetime) -> Decimal | None:
        """The price of the last trade or bar, or None where there was none within the configured age."""
        last = self._last.get(instrument)
        return None if last is None or now - last[1] > self.max_age else last[0]

    def volume(self, instrument: str) -> Decimal:
        """Units traded since the process began, by trades and bars."""
        return self._volumes.get(instrument, ZERO)

    def watch(self, instrument: str, address: str, wants: Wants | None) -> None:
        """Who waits for data of this instrument, and of which; None where it waits no more."""
        if wants is not None:
            self._watchers.setdefault(instrument, {})[address] = wants
        elif instrument in self._watchers:
            self._watchers[instrument].pop(address, None)

    def wanted(self, data: MarketData) -> list[str]:
        """The addresses that wait for exactly this."""
        watchers = self._watchers.get(instrument_key(data.exchange, data.symbol))
        return [address for address, wants in watchers.items() if wants(data)] if watchers else []

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
