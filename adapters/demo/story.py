"""The demo's course: set up, play the days, kill and restart in the middle, settle, count.

What happens here happens from outside: the daemon is a process, and this is another one that knows its URL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final

from adapters.audit import Audit, Pair, audit
from adapters.bus.port import free_port
from adapters.child import COMMAND, Daemon
from adapters.demo import cast
from adapters.demo.feed import Feed
from adapters.demo.momentum import Breakout, Move, step
from adapters.demo.outside import Outside
from adapters.demo.profit import profit
from adapters.demo.show import Facts, Show
from engine.messages import Bar, MarketData, Quote

ASKS_PER_SECOND: Final = 20
KILL_AT: Final = 0.5
IN_FLIGHT: Final = 5
SETTLE_S: Final = 15.0
LEADER: Final = "100"


class Story:
    """One demo in a folder. `play` does it all and returns the facts."""

    def __init__(self, folder: Path, seconds: float, show: Show, command: Sequence[str] = COMMAND) -> None:
        port = free_port()
        config = folder / "config.toml"
        config.write_text(cast.configuration(port))
        self.data = folder / "data"
        self.daemon = Daemon(config, self.data, command)
        self._show = show
        self._seconds = seconds
        self._outside: Outside
        self._feed: Feed
        self._quotes: dict[str, Quote] = {}
        self._strategy: dict[str, Breakout] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers: Iterator[int] = count()
        self._down = False
        self._killed: tuple[float, float, str] = (0.0, 0.0, "")
        self._part = 0.0

    async def play(self) -> Facts:
        """Everything; the daemon has ended when this returns."""
        try:
            return await self._play()
        finally:
            for task in self._tasks:
                task.cancel()
            self.daemon.kill()

    async def _play(self) -> Facts:
        self.daemon.start()
        loading = asyncio.get_running_loop().run_in_executor(None, cast.days)
        ready = await self.daemon.ready()
        self._outside = Outside(self.daemon.client_url)
        self._feed = Feed(self.daemon.client_url, self._quotes.values)
        await self._outside.connect()
        await asyncio.gather(*map(self._outside.save, cast.subscribers()))
        days = await loading
        self._show.say(f"The daemon was ready after {ready:.2f} s; {cast.SUBSCRIBERS} subscribers are known")
        began = time.monotonic()
        background = [self._start(self._feed.run()), self._start(self._asks()), self._start(self._tell())]
        await self._days(days)
        background[1].cancel()
        await self._settle()
        background[0].cancel()
        background[2].cancel()
        played = time.monotonic() - began
        await self._outside.close()
        await self.daemon.stop()
        return await asyncio.get_running_loop().run_in_executor(None, self._facts, played, len(days))

    # the days

    async def _days(self, days: list[list[Bar]]) -> None:
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), 0.0
        for number, day in enumerate(days):
            self._part = number / len(days)
            moves = [(bar, move) for bar in day if (move := self._move(bar)) is not None]
            self._trade_at(day)
            if self._killed[2] == "" and self._part >= KILL_AT and len(moves) > 1:
                down = loop.time()
                await self._kill(moves)
                pause += loop.time() - down
            else:
                for bar, move in moves:
                    self._start(self._signal(bar, move))
            await asyncio.sleep(began + pause + self._seconds * (number + 1) / len(days) - loop.time())

    def _move(self, bar: Bar) -> Move | None:
        self._strategy[bar.symbol], move = step(self._strategy.get(bar.symbol, Breakout()), bar.close)
        return move

    def _trade_at(self, day: list[Bar]) -> None:
        """This day's bars and quotes are the market from here on."""
        messages: list[MarketData] = []
        for bar in day:
            message, quote = cast.with_quote(bar)
            messages += (message, quote)
            self._quotes[f"{bar.exchange}:{bar.symbol}"] = quote
        self._feed.publish(messages)

    async def _signal(self, bar: Bar, move: Move) -> None:
        terms: dict[str, Any] = {"side": "BUY", "quantity": LEADER} if move == "ENTER" else {"intent": "CLOSE"}
        signal_id = f"{bar.symbol}-{bar.at:%Y%m%d}"
        await self._outside.signal(signal_id, exchange=bar.exchange, symbol=bar.symbol, **terms)

    # beside the days

    async def _asks(self) -> None:
        while True:
            if not self._down:
                self._start(self._ask())
            await asyncio.sleep(1 / ASKS_PER_SECOND)

    async def _ask(self) -> None:
        number = next(self._numbers)
        exchange, _, symbol = list(self._quotes)[number % len(self._quotes)].partition(":")
        # Every round a little is sold of what the rounds before bought; sometimes of what nobody has.
        side = "SELL" if number // cast.SUBSCRIBERS % 3 == 2 else "BUY"
        symbol = "TSLA" if number % 40 == 39 else symbol
        name = cast.name(number * 7 % cast.SUBSCRIBERS)
        await self._outside.ask(name, f"ask-{number}", exchange=exchange, symbol=symbol, side=side, quantity="2")

    async def _tell(self) -> None:
        while True:
            heard = self._outside.heard
            counts = {
                "signals": len(self._outside.signals),
                "orders": heard["job"],
                "fills": heard["fill_notification"],
                "denied": heard["execution_report"],
            }
            what = "Killed, restarting" if self._down else "Playing"
            self._show.at(what, self._part, counts)
            await asyncio.sleep(0.1)

    # the kill

    async def _kill(self, moves: list[tuple[Bar, Move]]) -> None:
        """SIGKILL with the day's signals on their way to two hundred subscribers each, and asks unanswered."""
        self._down = self._feed.eager = True
        signals = [self._start(self._signal(bar, move)) for bar, move in moves]
        for _ in range(IN_FLIGHT):
            self._start(self._ask())
        await asyncio.wait(signals, return_when=asyncio.FIRST_COMPLETED)
        self._start(self._ask())
        await asyncio.sleep(0.002)
        unanswered = self._outside.pending
        self.daemon.kill()
        killed = time.monotonic()
        self._killed = (0.0, 0.0, f"{len(moves)} signals to {cast.SUBSCRIBERS} subscribers and {unanswered} asks")
        self._show.say(f"kill -9 with {self._killed[2]} in flight; starting again")
        self.daemon.start()
        ready = await self.daemon.ready()
        await self._ask()
        recovered = time.monotonic() - killed
        self._down = self._feed.eager = False
        self._killed = (ready, recovered, self._killed[2])
        self._show.say(f"Ready again after {ready:.2f} s, the next request answered {recovered:.2f} s after the kill")

    # the end

    async def _settle(self) -> None:
        """Until all that was sent is answered and nothing new is heard of."""
        self._part = 1.0
        end = time.monotonic() + SETTLE_S
        mine = {task for task in self._tasks if task.get_name() == "request"}
        if mine:
            await asyncio.wait(mine, timeout=SETTLE_S)
        quiet, before = 0, -1
        while quiet < 10 and time.monotonic() < end:
            heard = self._outside.heard.total()
            quiet = quiet + 1 if heard == before else 0
            before = heard
            await asyncio.sleep(0.05)

    def _acknowledged(self) -> Iterator[Pair]:
        for signal in self._outside.signals:
            for number in range(cast.SUBSCRIBERS):
                yield cast.name(number), signal
        for signal, (subscriber, _) in self._outside.asked.items():
            yield subscriber, signal

    def _facts(self, played: float, days: int) -> Facts:
        found: Audit = audit(self.data, self._acknowledged())
        outside = self._outside
        ready, recovered, in_flight = self._killed
        marks: dict[str, Decimal] = {
            instrument: (quote.bid + quote.ask) / 2 for instrument, quote in self._quotes.items()
        }
        return Facts(
            played_s=played,
            days=days,
            subscribers=cast.SUBSCRIBERS,
            signals=len(outside.signals),
            asks=len(outside.asked),
            heard=dict(outside.heard),
            repeated=outside.repeated,
            repeated_events=outside.repeated_events,
            latencies=outside.latencies,
            ready_s=ready,
            recovered_s=recovered,
            in_flight=in_flight,
            audit=found,
            profit=profit(self.data, marks),
        )

    def _start(self, work: Any) -> asyncio.Task[None]:
        name = "request" if work.__name__ in ("_signal", "_ask") else work.__name__
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with suppress(asyncio.CancelledError):
            task.result()
