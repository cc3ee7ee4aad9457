"""A desk to test venues from: it sends orders, shows market data, and keeps everything that is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.venues.port import Report, Venue
from engine.messages import MarketData, Quote
from engine.reports import Filled, NotFound, Reconcile, SessionUp, Snapshot, SubmitOrder

D = Decimal
DEADLINE_S = 10


class Desk:
    """A venue under test and everything it has reported. `show` hands market data to it."""

    def __init__(self, make: Callable[[], Venue], show: Callable[[Venue, MarketData], Awaitable[None]]) -> None:
        self._make = make
        self._show = show
        self._changed = asyncio.Event()
        self._dropped: list[Venue] = []
        self.reports: list[Report] = []
        self.venue: Venue

    async def start(self) -> None:
        """Opens the venue, for the first time or again."""
        venue = self.venue = self._make()
        self.reports = []

        def deliver(reports: list[Report]) -> None:
            if self.venue is venue:
                self.reports += reports
                self._changed.set()

        await venue.start(deliver)
        await self.until(lambda: any(isinstance(report, SessionUp) for report in self.reports))

    async def crash(self) -> None:
        """Drops the venue without a word and opens it again."""
        self._dropped.append(self.venue)
        await self.start()

    async def close(self) -> None:
        """Leaves nothing running."""
        for venue in (*self._dropped, self.venue):
            await venue.stop()

    async def show(self, bid: str = "9.99", ask: str = "10.01", size: str = "100", symbol: str = "AAPL") -> None:
        """A new quote, the same size on both sides."""
        await self._show(self.venue, quote(bid, ask, size, symbol))

    def submit(self, *orders: Any) -> None:
        """Sends a batch."""
        self.venue.submit(orders)

    def about(self, name: str) -> list[Any]:
        """What was reported of an order, in order."""
        return [report for report in self.reports if getattr(report, "client_order_id", None) == name]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for reports until this holds."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail(f"waited in vain; reported was {self.reports}")

    async def hears(self, name: str, *kinds: type) -> list[Any]:
        """Waits for as many reports of an order: they are exactly of these kinds, in this order."""
        await self.until(lambda: len(self.about(name)) >= len(kinds))
        found = self.about(name)
        assert [type(report) for report in found] == list(kinds), found
        return found

    async def asks(self, name: str) -> Any:
        """What the venue answers when it is asked about an order, after every execution of it."""
        before = len(self.about(name))
        self.submit(Reconcile(client_order_ids=(name,)))
        await self.until(lambda: any(isinstance(r, Snapshot | NotFound) for r in self.about(name)[before:]))
        answers = self.about(name)[before:]
        answer = next(report for report in answers if isinstance(report, Snapshot | NotFound))
        if isinstance(answer, Snapshot):
            told = answers[: answers.index(answer)]
            executions = {report.execution_id: report.quantity for report in told if isinstance(report, Filled)}
            assert sum(executions.values()) == answer.filled, answers
        return answer


def quote(bid: str = "9.99", ask: str = "10.01", size: str = "100", symbol: str = "AAPL") -> Quote:
    """A quote of now, the same size on both sides."""
    return Quote(
        exchange="XNAS",
        symbol=symbol,
        bid=D(bid),
        ask=D(ask),
        bid_size=D(size),
        ask_size=D(size),
        at=datetime.now(UTC),
    )


def order(name: str, side: str = "BUY", quantity: str = "10", limit: str | None = None, **other: Any) -> SubmitOrder:
    """An order in AAPL: at the market, or with a limit."""
    terms: dict[str, Any] = {
        "client_order_id": name,
        "account": "A-1",
        "exchange": "XNAS",
        "symbol": "AAPL",
        "currency": "USD",
        "multiplier": D(1),
        "side": side,
        "quantity": D(quantity),
        "order_type": "MARKET" if limit is None else "LIMIT",
        "limit_price": None if limit is None else D(limit),
        "time_in_force": "DAY",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    }
    return SubmitOrder(**terms | other)


def filled(reports: list[Any]) -> list[tuple[str, str]]:
    """Quantity and price of the executions among reports."""
    return [(str(report.quantity), str(report.price)) for report in reports if isinstance(report, Filled)]
