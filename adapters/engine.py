"""One partition wired to the world: store, bus, venues, market data. The daemon runs it; tests run it in process.

What leaves the partition leaves here, after the commit that it waited for: answers to the bus, orders to the venues,
mail to other partitions, events to the publisher.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from msgspec import json

from actors.journal import Batch, Mail
from actors.loop import Loop
from actors.market import Market
from actors.partition import Partition
from actors.windows import Recall, reach
from adapters.bus.door import Door
from adapters.bus.frames import PublishBuffer
from adapters.bus.publisher import Publisher
from adapters.bus.pull import Pull
from adapters.bus.server import ENGINE_INBOX
from adapters.bus.streams import StreamError, ensure, plans, state, stream_name
from adapters.bus.wire import Wire, WireError
from adapters.market.sessions import sessions
from adapters.market.volumes import VolumesError, curves
from adapters.settings import subscriber as subscriber_setting
from adapters.store.store import Store
from adapters.venues.build import build
from adapters.venues.paper import PaperVenue
from adapters.venues.port import Report
from engine.algos.curve import Curve
from engine.commands import Introduce, MarketMoved
from engine.config import Config, instrument
from engine.distribute import Distributor
from engine.identity import partition_of, subject_token
from engine.messages import MarketData
from engine.rules import Rules
from engine.sessions import Session

DRAIN_S: Final = 5.0
"""How long a drain waits for the bus; what is not published by then is published after the next start."""
FLUSH_S: Final = 1.0
"""Positions on the bus are written with the next batch, or after this long."""
STREAMS_AGAIN_S: Final = 0.5

KEYS_KEPT: Final = timedelta(days=7)
"""How long an idempotency key is remembered after its orders are over: as long as EXEC_IN keeps a message."""
PURGED_AT_ONCE: Final = 1_000

_encode: Final = json.Encoder().encode


class Observer(Protocol):
    """Who is shown what became durable: logs, metrics, live tails."""

    def __call__(self, batches: list[Batch]) -> None: ...


class Engine:
    """A partition with its adapters. `start`, then `run` until `drain`."""

    def __init__(self, config: Config, data: Path, url: str | list[str], on_error: Callable[[Exception], None]) -> None:
        self.config = config
        self.data = data
        self.log = structlog.get_logger()
        service = config.service
        self.prefix = config.nats.prefix
        self.number = service.partition
        self.market = Market(config.market.max_age_s)
        self.rules = Rules(config, self._sessions(config), self._curves(config))
        self.partition = Partition(self.rules, self.market, service.partition, service.partitions)
        self.store = Store(data, service.partition)
        self.control = Wire(url, name=f"{service.name}-control", on_error=on_error, inbox_prefix=ENGINE_INBOX)
        self.bulk = Wire(url, name=f"{service.name}-bulk", on_error=on_error, inbox_prefix=ENGINE_INBOX)
        self.loop = Loop(self.partition, self.store, self._release, lambda: datetime.now(UTC))
        self.door = Door(
            self.prefix, service.partition, service.partitions, self._arrived, self.market, self._on_market
        )
        self.publisher = Publisher(
            self.bulk,
            self.prefix,
            service.partition,
            Distributor(self.prefix, service.partition, service.name),
            self.store.entries,
            self.partition.consumed,
            on_error,
        )
        self.venues: dict[str, PaperVenue] = {}
        self.observers: list[Observer] = []
        self.draining = False
        self._asks: dict[str, asyncio.Future[Any]] = {}
        self._on_error = on_error
        self._pull: Pull | None = None
        self._warming: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._done = asyncio.Event()

    def _sessions(self, config: Config) -> dict[str, list[Session]]:
        codes = {exchange.calendar for exchange in config.exchanges.values()}
        codes |= {instrument.calendar for instrument in config.instruments.values() if instrument.calendar}
        return sessions(codes, datetime.now(UTC), self.data / "calendars.json")

    def _curves(self, config: Config) -> dict[str, Curve]:
        calendars = {}
        for name in config.market.volumes:
            exchange, _, symbol = name.partition(":")
            spec = instrument(config, exchange, symbol)
            if spec is None:
                raise VolumesError(f'market.volumes."{name}": no exchange {exchange} is configured')
            calendars[name] = spec.calendar
        return curves(config.market.volumes, calendars)

    # start and stop

    async def run(self, ready: Callable[[], None]) -> None:
        """Recovers, takes up work, and goes on until `drain`. Raises JournalFailed where the disk cannot be trusted."""
        try:
            await self._run(ready)
        finally:
            # Each has threads or sockets that would keep the process alive.
            for venue in self.venues.values():
                await venue.stop()
            await self.control.close()
            await self.bulk.close()
            await self.store.close()

    async def _run(self, ready: Callable[[], None]) -> None:
        start = await self.store.start()
        self.partition.start(start, datetime.now(UTC))
        since = reach(self.partition.turn, datetime.now(UTC))
        if since is not None:
            recall = Recall(self.partition.turn)
            async for entry in self.store.since(since):
                recall.take(entry)
        self._introduce()
        await self.control.connect()
        await self.bulk.connect()
        await ensure(self.control, plans(self.prefix))
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.control.watch(on_reconnect=self._reconnected)
            loop = tasks.create_task(self.loop.run())
            publishing = tasks.create_task(self.publisher.run(start.cursors, start.sequence), name="publisher")
            flushing = tasks.create_task(self._flush(), name="flush")
            await self._open_venues()
            await self._listen(start.cursors)
            ready()
            await self._done.wait()
            await self._finish()
            publishing.cancel()
            flushing.cancel()
            await loop

    def _reconnected(self) -> None:
        """A server that comes back may have lost its store: the streams are made again, the journal fills them."""
        if not self.draining:
            self._tasks.create_task(self._ensure(), name="streams")

    async def _ensure(self) -> None:
        while self.control.connected and not self.draining:
            try:
                await ensure(self.control, plans(self.prefix))
                return
            except (WireError, StreamError) as error:
                self._on_error(error)
                await asyncio.sleep(STREAMS_AGAIN_S)

    def drain(self) -> None:
        """Takes nothing more in, finishes what is under way, and ends `run`."""
        self.draining = True
        self._done.set()

    def _introduce(self) -> None:
        """Subscribers of the configuration; what the bus said of them since wins."""
        for name, raw in self.config.subscribers.items():
            if partition_of(name, self.config.service.partitions) == self.number:
                self.partition.post(
                    [Mail(f"subscriber/{name}", Introduce(subscriber=subscriber_setting("config", name, raw)))]
                )

    async def _open_venues(self) -> None:
        for name, settings in self.config.venues.items():
            venue = build(name, settings, self.data, self.rules)
            self.venues[name] = venue
            await venue.start(partial(self._reported, name))

    async def _listen(self, cursors: Any) -> None:
        prefix = self.prefix
        await self.bulk.listen(f"{prefix}.market.>", self.door.quoted)
        await self.control.listen(f"{prefix}.mailbox.>", self.door.mailed)
        await self.control.listen(f"{prefix}.ask.>", self._asked)
        stream = stream_name(prefix, "IN")
        # The position belongs to one life of the stream: what was made anew is read from its beginning.
        found = await state(self.control, stream)
        position = cursors.get(f"{stream}@{found.created}", 0)
        self._pull = Pull(self.bulk, stream, position + 1, self._stored, on_error=self._on_error, created=found.created)
        if found.last_sequence > position:
            # Decided before there are prices, what waited here would be denied for want of them.
            self._warming = self._tasks.create_task(self._warm_up(self._pull), name="warm up")
        else:
            await self._pull.start()

    async def _warm_up(self, pull: Pull) -> None:
        await asyncio.sleep(self.config.market.warm_up_s)
        await pull.start()

    async def _finish(self) -> None:
        """Takes nothing more in, and lets what is under way come to its end."""
        if self._warming is not None:
            self._warming.cancel()
        if self._pull is not None:
            await self._pull.stop()
        await self.loop.settle()
        for venue in self.venues.values():
            await venue.stop()
        await self.loop.settle()
        if not await self.publisher.drain(DRAIN_S):
            behind = self.publisher.latest - self.publisher.sequence
            self.log.warning("publishing_postponed", batches=behind, until="the next start")
        await self.loop.stop()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self.loop.flush()
            if self._pull is not None and not self.partition.full:
                self._pull.resume()
            await self.store.purge(datetime.now(UTC) - KEYS_KEPT, PURGED_AT_ONCE)

    # what comes in

    def _arrived(self, mail: Mail) -> bool:
        if self.partition.full:
            return False
        self.loop.post((mail,))
        return True

    def _asked(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        if self.draining:
            return
        answer = self.door.asked(subject, reply, headers, payload)
        if answer is not None and reply.startswith(b"_INBOX."):
            buffer = PublishBuffer()
            buffer.pub(reply, answer)
            self.control.publish(buffer)

    def _stored(self, sequence: int, _: int, subject: str, headers: bytes | None, payload: bytes) -> None:
        """A message of the input stream: its position is durable with the batch that takes its mail."""
        assert self._pull is not None
        self.door.stored(subject, headers, payload)
        self.partition.consumed(f"{stream_name(self.prefix, 'IN')}@{self._pull.created}", sequence)
        if self.partition.full:
            self._pull.pause()

    def _on_market(self, data: MarketData) -> None:
        if wanted := self.market.wanted(data):
            self.loop.post([Mail(address, MarketMoved(data=data)) for address in wanted])
        for venue in self.venues.values():
            venue.on_market(data)

    def _reported(self, venue: str, reports: list[Report]) -> None:
        mail = [
            Mail(
                f"order/{order_id}" if (order_id := getattr(report, "client_order_id", "")) else f"venue/{venue}",
                report,
            )
            for report in reports
        ]
        self.loop.post(mail)

    # what leaves

    def _release(self, batches: list[Batch]) -> None:
        """Everything here was caused by something that is on disk now."""
        buffer = PublishBuffer()
        orders: dict[str, list[Any]] = {}
        for batch in batches:
            for letter in batch.outgoing:
                message = letter.message
                kind, _, name = letter.to.partition("/")
                if kind == "reply":
                    buffer.pub(name.encode(), _encode(message))
                elif kind == "port":
                    orders.setdefault(name, []).append(message)
                elif kind == "local":
                    self._answer_locally(name, message)
                else:
                    where, _, who = name.partition("/")
                    buffer.pub(f"{self.prefix}.mailbox.{where}.{subject_token(who)}".encode(), _encode(message))
        for name, messages in orders.items():
            self.venues[name].submit(messages)
        if len(buffer):
            self.control.publish(buffer)
        self.publisher.feed(batches)
        for observer in self.observers:
            observer(batches)

    # the admin socket's way in

    async def ask(self, to: str, message: Any, timeout_s: float = 10.0) -> Any:
        """Tells an actor and returns its answer once that is durable."""
        number = str(id(message))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asks[number] = future
        self.loop.post((Mail(to, message, f"local/{number}"),))
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            del self._asks[number]

    def _answer_locally(self, number: str, outcome: Any) -> None:
        future = self._asks.get(number)
        if future is not None and not future.done():
            future.set_result(outcome)
