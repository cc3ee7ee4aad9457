"""The paper venue: real market data, no real money. A venue, not a shortcut.

It stands outside the partition with a durable memory of its own, so that a restarted engine asks it as it would ask
a broker, and reports nothing before its own file has it. Orders and market data are taken in the order in which they
arrive, a group at a time: answered in memory, written in one commit, then reported. Quotes are not kept in the file:
after a restart orders wait for the next one.

What it decides where venues differ: an order keeps its place in the queue until it is replaced, then it goes to the
end; a replacement to what is filled already, or less, leaves the order filled; a replacement without a limit price
keeps the one the order has; a DAY order without `expires_at` stays like a GTC order. An order submitted again is
answered with what was reported of it before.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from adapters.venues.paper_exchange import MOST_OPEN, PaperExchange, Spec, capabilities
from adapters.venues.paper_file import Count, PaperFile, Start, read_counts
from adapters.venues.paper_order import tell_again
from adapters.venues.port import Deliver
from engine.config import Native
from engine.messages import MarketData
from engine.reports import SessionDown, SessionUp, VenueOrder
from engine.simulation.commission import FREE, Schedule

MOST_AT_ONCE: Final = 512
"""Messages answered in one go, so that a flood does not hold up the rest of the process."""
MOST_MARKET_WAITING: Final = 100_000
"""With this many messages waiting, market data is dropped (and counted in `market_dropped`)."""
REOPEN_AFTER_S: Final = 1.0
_LONGEST_TIMER_S: Final = 3600.0
"""A wall clock may be set, so no timer trusts it for longer than this."""


class PaperVenue:
    """Fills orders against the market data it is handed.

    `latency_ms` passes between `submit` and an order's arrival. `spec` gives an instrument's lot, to which what a bar
    offers (`participation` of its volume) is rounded down; without it, a lot is one unit.
    An order past `most_open` open ones is rejected. `natives` is what it does itself beyond plain orders; what is not
    among them it rejects, and the engine does it.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        commission: Schedule = FREE,
        latency_ms: int = 0,
        spec: Spec | None = None,
        participation: Decimal = Decimal("0.1"),
        most_open: int = MOST_OPEN,
        natives: frozenset[Native] = frozenset(),
    ) -> None:
        self.name = name
        self.capabilities = capabilities(natives)
        self.market_dropped = 0
        self._file = PaperFile(path)
        self._terms = (commission, spec, participation, most_open, natives)
        self._latency_s = latency_ms / 1000
        self._exchange: PaperExchange
        self._inbox: deque[Any] = deque()
        self._delayed: deque[tuple[float, Sequence[VenueOrder]]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timed: datetime | None = None
        self._up = self._stopping = False

    def __repr__(self) -> str:
        state = f"up, {len(self._exchange.orders)} open orders" if self._up else "down"
        return f"<PaperVenue {self.name} {state}>"

    async def start(self, deliver: Deliver) -> None:
        """Opens the file and takes up what is open in it. Raises sqlite3.Error or OSError where it cannot."""
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._take_up(await self._file.open())
        self._stopping, self._up = False, True
        self._task = self._loop.create_task(self._run(), name=f"venue/{self.name}")
        self._task.add_done_callback(self._ended)

    def submit(self, messages: Sequence[VenueOrder]) -> None:
        """Takes a batch in. While the session is down it is lost, as it would be with a broker."""
        if not self._up or self._stopping:
            return
        if not self._latency_s:
            self._inbox.extend(messages)
            self._wake.set()
            return
        self._delayed.append((self._loop.time() + self._latency_s, tuple(messages)))
        if len(self._delayed) == 1:
            self._loop.call_at(self._delayed[0][0], self._arrive)

    def on_market(self, message: MarketData) -> None:
        """Takes market data in: from its turn on, this is the market."""
        if not self._up or self._stopping:
            return
        if len(self._inbox) >= MOST_MARKET_WAITING:
            self.market_dropped += 1
            return
        self._inbox.append(message)
        self._wake.set()

    async def stop(self) -> None:
        """Answers what has been submitted, delivers it, and closes the file. Raises what ended the venue before."""
        self._stopping = True
        self._take_in(len(self._delayed))
        self._wake.set()
        try:
            if self._task is not None:
                await self._task
        finally:
            self._task, self._up = None, False
            self._inbox.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._timed = None
            await self._file.close()

    async def counts(self) -> dict[str, Count]:
        """Every order the venue ever took, by client order id, as its file has it."""
        return await anyio.to_thread.run_sync(read_counts, self._file.path)

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
                return
            except (sqlite3.Error, OSError) as error:
                # What is in memory may be ahead of the file now, and only the file counts.
                self._up = False
                self._deliver([SessionDown(venue=self.name, reason=f"{self._file.path}: {error}", at=_now())])
            if not await self._reopen():
                return

    async def _serve(self) -> None:
        self._deliver([SessionUp(venue=self.name, capabilities=self.capabilities, at=_now())])
        while self._inbox or not self._stopping:
            if not self._inbox:
                await self._wake.wait()
            self._wake.clear()
            await self._answer()

    async def _answer(self) -> None:
        """One group: answered, written, reported."""
        inbox, exchange = self._inbox, self._exchange
        messages = [inbox.popleft() for _ in range(min(len(inbox), MOST_AT_ONCE))]
        unsure = exchange.unsure(messages)
        known = await self._file.statuses(unsure) if unsure else {}
        group = exchange.answer(messages, known, _now())
        recall = group.repeated + group.asked
        if group.touched or recall:
            found = await self._file.write(group.orders(), group.executions, recall)
            exchange.settle(group)
            if recall:
                group.reports += tell_again(self.name, found, group.repeated, group.asked, group.now)
        else:
            # Market data that changed nothing is no reason to keep the loop from others.
            await asyncio.sleep(0)
        if group.reports:
            self._deliver(group.reports)
        self._set_timer()

    async def _reopen(self) -> bool:
        """Tries until the file works again; whether it does, and not the venue is stopped before."""
        while not self._stopping:
            self._inbox.clear()
            self._delayed.clear()
            try:
                await self._file.close()
                self._take_up(await self._file.open())
                self._up = True
                return True
            except (sqlite3.Error, OSError):
                self._wake.clear()
                try:
                    async with asyncio.timeout(REOPEN_AFTER_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        return False

    def _take_up(self, start: Start) -> None:
        """Believes the file: its open orders rest again, numbers go on where they were."""
        # A new file starts at the time in microseconds, so that ids never come again even if a file is thrown away.
        epoch = time.time_ns() // 1000
        self._exchange = PaperExchange(self.name, start, epoch, *self._terms)
        self._set_timer()

    def _set_timer(self) -> None:
        """Wakes the venue when the next order expires."""
        due = self._exchange.due
        if due == self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timed = None, due
        if due is not None:
            wait_s = min(max((due - _now()).total_seconds(), 0.001), _LONGEST_TIMER_S)
            self._timer = self._loop.call_later(wait_s, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = self._timed = None
        self._wake.set()

    def _arrive(self) -> None:
        """What has been on its way for long enough is here."""
        now = self._loop.time()
        self._take_in(sum(due <= now for due, _ in self._delayed))
        self._wake.set()
        if self._delayed:
            self._loop.call_at(self._delayed[0][0], self._arrive)

    def _take_in(self, batches: int) -> None:
        for _ in range(batches):
            self._inbox.extend(self._delayed.popleft()[1])

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._up = False
        if not task.cancelled() and (error := task.exception()) is not None:
            message = f"the paper venue {self.name} has ended"
            self._loop.call_exception_handler({"message": message, "exception": error, "task": task})


def _now() -> datetime:
    return datetime.now(UTC)
