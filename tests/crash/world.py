"""A daemon, a market, clients that repeat themselves, and the count of what came of it all."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

from adapters.audit import Audit, Pair, audit
from adapters.bench.rig import children
from adapters.bus.port import free_port
from adapters.bus.pull import pull
from adapters.bus.wire import Wire
from adapters.child import COMMAND, Daemon, until
from adapters.demo import cast
from adapters.demo.feed import Feed
from adapters.demo.outside import Outside
from adapters.store.reader import Reader
from engine.distribute import Distributor
from engine.messages import Quote

SUBSCRIBERS: Final = 20
SETTLE_S: Final = 20.0
INSTRUMENTS: Final = (("XNAS", "AAPL", 150), ("XNAS", "MSFT", 30), ("XNYS", "IBM", 200))


def hooked(step: str) -> list[str]:
    """The command of a daemon that crashes at a step."""
    return [sys.executable, "-m", "tests.crash.hooked", step, "run"]


class World:
    """One data folder over several lives of the daemon. Use it as a context."""

    def __init__(self, folder: Path, seed: int = 0, command: Sequence[str] = COMMAND) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(cast.configuration(free_port()) + "[market]\nwarm_up_s = 0\n")
        self.data = folder / "data"
        self.random = random.Random(seed)
        self.daemon = Daemon(self.config, self.data, command)
        self.outside: Outside
        self._quoting: asyncio.Task[None]
        self._work: set[asyncio.Task[None]] = set()
        self._number = 0

    async def __aenter__(self) -> Self:
        self.daemon.start()
        await self.daemon.ready()
        self.outside = Outside(self.daemon.client_url)
        await self.outside.connect()
        feed = Feed(self.daemon.client_url, self._quotes)
        feed.eager = True
        self._quoting = asyncio.get_running_loop().create_task(feed.run())
        await asyncio.gather(*map(self.outside.save, cast.subscribers(SUBSCRIBERS)))
        return self

    async def __aexit__(self, *_: object) -> None:
        work = {self._quoting, *self._work}
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await self.outside.close()
        self.daemon.kill()

    # what is asked

    def load(self, signals: int, asks: int) -> None:
        """Signals and asks, all under way from here on, each repeated until it is answered."""
        for number in range(signals + asks):
            self._number += 1
            exchange, symbol, _ = self.random.choice(INSTRUMENTS)
            terms: dict[str, Any] = {
                "exchange": exchange,
                "symbol": symbol,
                "side": "BUY",
                "quantity": str(self.random.randint(1, 9)),
            }
            name = f"n-{self._number}"
            if number < signals:
                if number % 2:
                    terms |= {"block": True, "time_in_force": "DAY"}
                work = self.outside.signal(name, **terms)
            else:
                work = self.outside.ask(cast.name(self.random.randrange(SUBSCRIBERS)), name, **terms)
            task = asyncio.get_running_loop().create_task(work)
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def answered(self) -> None:
        """Until everything asked is answered."""
        await until(lambda: not self._work, SETTLE_S, "requests answered")

    async def taken(self) -> None:
        """Until everything asked is answered, or there is no daemon any more to answer."""
        await until(lambda: not self._work or self.daemon.code is not None, SETTLE_S, "requests answered")

    def _quotes(self) -> list[Quote]:
        return [_quote(*instrument, self.random) for instrument in INSTRUMENTS]

    # what goes wrong

    async def restart(self, command: Sequence[str] = COMMAND) -> None:
        """Another life on the same folder."""
        self.daemon = Daemon(self.config, self.data, command)
        self.daemon.start()
        await self.daemon.ready()

    @property
    def nats_pid(self) -> int | None:
        """The process id of the embedded NATS server."""
        return next(iter(children(self.daemon.pid)), None) if self.daemon.pid else None

    def kill_nats(self) -> None:
        """SIGKILL for the NATS server alone."""
        with suppress(ProcessLookupError):
            if pid := self.nats_pid:
                os.kill(pid, signal.SIGKILL)

    def arm(self) -> None:
        """From here on the step that was built in is fatal."""
        (self.data / "armed").touch()

    # what came of it

    def acknowledged(self) -> Iterator[Pair]:
        """Whom a decision was promised."""
        for name in self.outside.signals:
            for number in range(SUBSCRIBERS):
                yield cast.name(number), name
        for name, (subscriber, _) in self.outside.asked.items():
            yield subscriber, name

    async def settled(self) -> Audit:
        """Waits until all is answered and the books agree; returns the last count, agreeing or not."""
        await self.answered()
        end = asyncio.get_running_loop().time() + SETTLE_S
        while True:
            found = await asyncio.to_thread(audit, self.data, list(self.acknowledged()))
            if (found.clean and not found.open_orders) or asyncio.get_running_loop().time() > end:
                return found
            await asyncio.sleep(0.05)

    async def unpublished(self) -> set[str]:
        """Events of the journal that EXEC_OUT does not have, once it has been given the time to get them."""
        expected = await expected_events(self.data)
        wire = Wire(self.daemon.engine_url, name="reader", on_error=lambda _: None, inbox_prefix="_ENGINE")
        await wire.connect()
        found: dict[str, bytes] = {}

        def take(_: int, __: int, subject: str, headers: bytes | None, payload: bytes) -> None:
            event_id = (headers or b"").partition(b"Nats-Msg-Id: ")[2].partition(b"\r\n")[0].decode()
            assert found.setdefault(event_id, payload) == payload, f"{event_id} was published with two contents"

        reader = await pull(wire, "EXEC_OUT", 1, take, on_error=lambda _: None)
        try:
            await until(lambda: expected <= found.keys(), SETTLE_S, "all events in EXEC_OUT")
        except TimeoutError:
            pass
        finally:
            await reader.stop()
            await wire.close()
        return expected - found.keys()


async def expected_events(data: Path) -> set[str]:
    """Ids of everything that the journal says the world is told."""
    distributor = Distributor("exec", 0, "tradewright")
    async with await Reader.open(data) as reader:
        return {
            message[2].decode()
            async for sequence, _, events, _ in reader.entries(0)
            for index, (_, event) in enumerate(events)
            if (message := distributor.distribute(sequence, index, event)) is not None
        }


def _quote(exchange: str, symbol: str, price: int, chance: random.Random) -> Quote:
    middle = Decimal(price) + Decimal(chance.randint(-50, 50)) / 100
    size = Decimal(chance.choice((5, 50, 500)))
    cent = Decimal("0.01")
    return Quote(
        exchange=exchange, symbol=symbol, bid=middle - cent, ask=middle + cent, bid_size=size, ask_size=size,
        at=datetime.now(UTC),
    )  # fmt: skip
