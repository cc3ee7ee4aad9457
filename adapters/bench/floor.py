"""The floor: what the same work costs with no engine between, measured by `python -m adapters.bench.floor`.

First the engine runs in this process under the usual load, and everything that it makes durable, answers, sends and
publishes is kept. Then a hollow engine does the same again: it takes the same number of asks from the same generator,
puts the recorded rows into SQLite by the same statements in the same transactions, answers with the recorded
answers, and publishes the recorded messages to the same streams. Nothing is decided and nothing is encoded.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop
from msgspec import Struct, json, msgpack

from actors.journal import Batch
from adapters.bench.load import Job, Result
from adapters.bench.rig import generate
from adapters.bus.batches import BatchPublisher, Message
from adapters.bus.frames import PublishBuffer
from adapters.bus.server import ENGINE_INBOX, EmbeddedServer
from adapters.bus.streams import ensure, plans
from adapters.bus.wire import Wire
from adapters.engine import Engine
from adapters.settings import load
from adapters.store.rows import rows
from adapters.store.store import SWITCH_INTERVAL_S, Store
from adapters.venues.paper_file import PaperFile
from engine.distribute import Distributor
from engine.events import RequestAccepted

MESSAGES_AT_ONCE: Final = 4_000


class Order(Struct):
    """What the floor is asked for."""

    config: str
    folder: str
    orders: int
    subscribers: int
    window: int


class Floor(Struct):
    """Orders per second with the engine in this process, and without it; SQLite alone, the same rows."""

    engine: float
    hollow: float
    sqlite: float


class Commit(Struct):
    """One recorded commit: its rows, and what left after it."""

    made: Any
    answers: list[bytes]
    out: list[Message]
    frames: list[Message]


class Recorder:
    """Stands between the loop and the store, and between the venue and its file, and keeps what passes."""

    def __init__(self, engine: Engine) -> None:
        self.commits: list[list[Batch]] = []
        self.venue: list[tuple[list[Any], list[Any]]] = []
        self._journal = engine.loop.journal
        engine.loop.journal = self

    async def commit(self, batches: Sequence[Batch]) -> None:
        """Keeps and commits."""
        self.commits.append(list(batches))
        await self._journal.commit(batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def listen(self, file: Any) -> None:
        """Keeps what a venue writes to its file from here on."""
        write = file.write

        async def kept(orders: list[Any], executions: list[Any], recall: Sequence[str]) -> Any:
            self.venue.append((orders, executions))
            return await write(orders, executions, recall)

        file.write = kept

    def clear(self) -> None:
        """Forgets what was only preparation."""
        self.commits.clear()
        self.venue.clear()


async def record(order: Order, folder: Path, url: str, client_url: str) -> tuple[Recorder, Result]:
    """One run of the whole engine in this process."""
    engine = Engine(load(Path(order.config), {}), folder, url, _raise)
    recorder = Recorder(engine)
    up = asyncio.Event()
    running = asyncio.get_running_loop().create_task(engine.run(up.set))
    await asyncio.wait([running, asyncio.ensure_future(up.wait())], return_when=asyncio.FIRST_COMPLETED)
    await generate(Job(url=client_url, kind="subscribers", subscribers=order.subscribers))
    recorder.clear()
    recorder.listen(engine.venues["paper"]._file)
    result = await generate(_load(order, client_url))
    engine.drain()
    await running
    return recorder, result


def prepared(recorder: Recorder) -> list[Commit]:
    """The recorded commits with everything encoded that an engine would encode."""
    distributor, pack = Distributor("exec", 0, "bench"), msgpack.Encoder().encode
    commits = []
    for batches in recorder.commits:
        made = Commit(rows(batches), [], [], [])
        for batch in batches:
            made.answers += [json.encode(mail.message) for mail in batch.outgoing if mail.to.startswith("reply/")]
            for index, (_, event) in enumerate(batch.events):
                message = distributor.distribute(batch.sequence, index, event)
                if message is not None:
                    made.out.append(message)
            if batch.events:
                body = pack([0, batch.sequence, batch.events])
                made.frames.append((b"exec.frames.0", body, b"0:%d" % batch.sequence))
        commits.append(made)
    return commits


class Hollow:
    """An engine without actors: asks are counted, and what was recorded happens again as they arrive."""

    def __init__(self, order: Order, folder: Path, url: str, commits: list[Commit], venue: list[Any]) -> None:
        self._commits, self._venue = commits, venue
        self._store = Store(folder)
        self._file = PaperFile(folder / "venue-paper.sqlite")
        self._control = Wire(url, name="control", on_error=_raise, inbox_prefix=ENGINE_INBOX)
        self._bulk = Wire(url, name="bulk", on_error=_raise, inbox_prefix=ENGINE_INBOX)
        self._replies: list[bytes] = []
        self._wake = asyncio.Event()
        self._published: asyncio.Queue[Commit] = asyncio.Queue()

    async def run(self, ready: asyncio.Event) -> None:
        """Does all of it once."""
        await self._store.open()
        await self._file.open()
        await self._control.connect()
        await self._bulk.connect()
        await ensure(self._control, plans("exec"))
        self._batches = BatchPublisher(self._bulk, on_error=_raise)
        await self._batches.start()
        await self._control.listen("exec.ask.>", self._asked)
        ready.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit())
            tasks.create_task(self._trade())
            tasks.create_task(self._publish())

    async def close(self) -> None:
        """Gives everything back."""
        await self._control.close()
        await self._bulk.close()
        await self._store.close()
        await self._file.close()

    def _asked(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        self._replies.append(reply)
        self._wake.set()

    async def _commit(self) -> None:
        for commit in self._commits:
            while len(self._replies) < len(commit.answers):
                self._wake.clear()
                await self._wake.wait()
            await self._store.write(commit.made)
            buffer = PublishBuffer()
            for reply, answer in zip(self._replies, commit.answers, strict=False):
                buffer.pub(reply, answer)
            del self._replies[: len(commit.answers)]
            self._control.publish(buffer)
            self._published.put_nowait(commit)

    async def _trade(self) -> None:
        for orders, executions in self._venue:
            await self._file.write(orders, executions, ())

    async def _publish(self) -> None:
        left = len(self._commits)
        while left:
            taken = [await self._published.get()]
            while not self._published.empty() and sum(len(commit.out) for commit in taken) < MESSAGES_AT_ONCE:
                taken.append(self._published.get_nowait())
            left -= len(taken)
            await asyncio.gather(
                self._batches.publish_batch([message for commit in taken for message in commit.out]),
                self._batches.publish_batch([message for commit in taken for message in commit.frames]),
            )


async def replay(order: Order, folder: Path, url: str, client_url: str, recorder: Recorder) -> Result:
    """The recorded run again, without the engine."""
    hollow = Hollow(order, folder, url, prepared(recorder), recorder.venue)
    ready = asyncio.Event()
    running = asyncio.get_running_loop().create_task(hollow.run(ready))
    await asyncio.wait([running, asyncio.ensure_future(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    result = await generate(_load(order, client_url))
    await running
    await hollow.close()
    return result


async def inserts(folder: Path, recorder: Recorder) -> float:
    """Orders per second that SQLite alone takes: the store's rows and the venue's, one file after the other."""
    commits = prepared(recorder)
    store, file = Store(folder), PaperFile(folder / "venue-paper.sqlite")
    await store.open()
    await file.open()
    began = time.perf_counter()
    for commit in commits:
        await store.write(commit.made)
    for orders, executions in recorder.venue:
        await file.write(orders, executions, ())
    taken = time.perf_counter() - began
    await store.close()
    await file.close()
    return _accepted(recorder) / taken


def _accepted(recorder: Recorder) -> int:
    return sum(
        event.__class__ is RequestAccepted
        for batches in recorder.commits
        for batch in batches
        for _, event in batch.events
    )


def _load(order: Order, url: str) -> Job:
    run = f"{time.time_ns():x}"
    return Job(
        url=url, kind="closed", orders=order.orders, subscribers=order.subscribers, window=order.window, run=run,
        seconds=3600,
    )  # fmt: skip


def _raise(error: Exception) -> None:
    raise error


def _folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir(mode=0o700)
    return path


async def measure(order: Order) -> Floor:
    """The engine here, then the hollow one, then SQLite alone, each in a folder and with a NATS server of its own."""
    parent = Path(order.folder)
    results: list[Result] = []
    recorder: Recorder | None = None
    for name in ("engine", "hollow"):
        folder = _folder(parent, name)
        server = EmbeddedServer(folder, on_event=lambda *_, **__: None, port=0)
        await server.start()
        try:
            if recorder is None:
                recorder, result = await record(order, folder, server.url, server.client_url)
            else:
                gc.collect()
                gc.freeze()
                result = await replay(order, folder, server.url, server.client_url, recorder)
            results.append(result)
        finally:
            await server.stop()
    assert recorder is not None
    alone = await inserts(_folder(parent, "sqlite"), recorder)
    engine, hollow = (result.filled / result.seconds for result in results)
    return Floor(engine, hollow, alone)


def main() -> None:
    """Reads an Order, prints the Floor."""
    order = json.decode(sys.stdin.buffer.read(), type=Order)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(20_000, 50, 100)
    sys.stdout.buffer.write(json.encode(uvloop.run(measure(order))) + b"\n")


if __name__ == "__main__":
    main()
