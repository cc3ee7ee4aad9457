"""The publisher: tells the world what has become durable, in the order of the journal, and knows how far it came.

Each event goes out under its place in the journal as message id, so that what is sent twice is stored once. If the
streams turn out to have lost what they had, it is published again from the journal: SQLite is the truth.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final

from msgspec import json, msgpack

from actors.journal import Batch, Entry
from adapters.bus.batches import BatchPublisher, Message
from adapters.bus.streams import StreamError, last_message_id, stream_name
from adapters.bus.wire import Wire, WireError
from engine.distribute import Distributor
from engine.events import DeadLettered, InputRefused
from engine.identity import subject_token

MAX_WAITING: Final = 5_000
"""Batches held in memory for publishing; past it they are read from the journal again when their turn comes."""
MESSAGES_AT_ONCE: Final = 1_000
RETRY_S: Final = 0.5

_pack: Final = msgpack.Encoder().encode
_encode: Final = json.Encoder().encode


ReadJournal = Callable[[int], AsyncIterator[Entry]]
"""Entries after a sequence, ascending, as the journal has them."""


class Publisher:
    """Publishes one partition's events to the OUT, FRAMES and DEAD streams."""

    def __init__(
        self,
        wire: Wire,
        prefix: str,
        partition: int,
        distributor: Distributor,
        read: ReadJournal,
        published: Callable[[str, int], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._wire = wire
        self._prefix = prefix
        self._partition = partition
        self._distributor = distributor
        self._read = read
        self._published = published
        self._batches = BatchPublisher(wire, on_error=on_error)
        self._on_error = on_error
        self._waiting: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._checked = False
        self._stored: dict[str, tuple[int, ...]] = {}
        """The place of the newest message that a check found in each stream."""
        self._acknowledged: dict[str, int] = {}
        """The last batch of which each stream acknowledged something."""
        self._memory_from = 0
        """Everything durable after this batch is in `_waiting`."""
        self.sequence = 0
        """The last batch whose events the streams have acknowledged."""
        self.latest = 0
        """The last batch that is to be published: the lag is the difference."""
        self.messages = 0
        wire.watch(on_disconnect=self._lost)

    @property
    def idle(self) -> bool:
        """Whether all that is durable is published."""
        return self.sequence >= self.latest

    def feed(self, batches: Iterable[Batch]) -> None:
        """Takes batches that have become durable."""
        for batch in batches:
            if not batch.events:
                continue
            self.latest = batch.sequence
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(Entry(batch.sequence, batch.at, batch.events))
            else:
                self._forget()
        self._wake.set()

    async def drain(self, timeout_s: float) -> bool:
        """Waits until all that is durable is published; False where that takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.idle:
                    self._done.clear()
                    await self._done.wait()
        except TimeoutError:
            return False
        return True

    def _lost(self) -> None:
        self._checked = False

    async def run(self, cursors: Mapping[str, int], latest: int) -> None:
        """Publishes for ever, from the cursor on; `latest` is the journal's last batch."""
        self.sequence, self.latest = cursors.get("published", 0), max(latest, self.latest)
        self._acknowledged = {kind: cursors.get(f"published {kind}", 0) for kind in ("OUT", "DEAD", "FRAMES")}
        self._memory_from = latest
        await self._batches.start()
        while True:
            if self.idle and self._checked:
                self._wake.clear()
                await self._wake.wait()
            try:
                if not self._checked:
                    await self._check()
                entries = await self._next()
                if entries and not await self._publish(entries):
                    self._forget()
                    self._checked = False
                    await asyncio.sleep(RETRY_S)
            except (WireError, StreamError) as error:
                self._on_error(error)
                await asyncio.sleep(RETRY_S)

    async def _check(self) -> None:
        """Goes back to what the streams really have, where one lost what it acknowledged; what they have stays out."""
        for kind, acknowledged in self._acknowledged.items():
            subject = f"{self._prefix}.frames.{self._partition}" if kind == "FRAMES" else ">"
            found = await last_message_id(self._wire, stream_name(self._prefix, kind), subject)
            partition, *place = (found[1] if found is not None else "").split(":")
            if place and partition != str(self._partition):
                continue  # Another partition published last: this stream has not lost its end.
            last = tuple(map(int, place))
            self._stored[kind] = last
            # The batch found may be there in part only, so it is gone through again.
            has = last[0] if last else 0
            if has < acknowledged:
                self._forget()
                self.sequence = min(self.sequence, max(has - 1, 0))
        self._checked = True

    async def _next(self) -> list[Entry]:
        """The next entries: from memory where that has all that follows, else from the journal."""
        entries: list[Entry] = []
        size = 0
        if self.sequence >= self._memory_from:
            while self._waiting and size < MESSAGES_AT_ONCE:
                entry = self._waiting.popleft()
                if entry.sequence > self.sequence:
                    entries.append(entry)
                    size += len(entry.events)
        else:
            async for entry in self._read(self.sequence):
                entries.append(entry)
                size += len(entry.events)
                if size >= MESSAGES_AT_ONCE:
                    break
        if not entries:
            # Batches without events are in no journal.
            self.sequence = max(self.sequence, self._memory_from)
            self._done.set()
        return entries

    def _forget(self) -> None:
        """From here on what is durable by now is read from the journal."""
        self._waiting.clear()
        self._memory_from = self.latest

    async def _publish(self, entries: list[Entry]) -> bool:
        messages, last = self._messages(entries)
        stored = await asyncio.gather(*(self._batches.publish_batch(batch) for batch in messages.values()))
        if not all(stored):
            return False
        self.sequence = entries[-1].sequence
        self.messages += len(messages["OUT"]) + len(messages["DEAD"])
        self._acknowledged |= last
        self._published("published", self.sequence)
        for kind, sequence in last.items():
            self._published(f"published {kind}", sequence)
        if self.idle:
            self._done.set()
        return True

    def _messages(self, entries: list[Entry]) -> tuple[dict[str, list[Message]], dict[str, int]]:
        """What goes to each stream, and the last batch in it. What a check found stored is left out."""
        messages: dict[str, list[Message]] = {"OUT": [], "DEAD": [], "FRAMES": []}
        last: dict[str, int] = {}
        partition = self._partition
        frame_subject = f"{self._prefix}.frames.{partition}".encode()
        out_has, dead_has, frames_has = (self._stored.get(kind, ()) for kind in messages)
        for sequence, _, events in entries:
            for index, (_, event) in enumerate(events):
                message = self._distributor.distribute(sequence, index, event)
                if message is not None:
                    last["OUT"] = sequence
                    if (sequence, index) > out_has:
                        messages["OUT"].append(message)
                elif isinstance(event, _DEAD):
                    last["DEAD"] = sequence
                    if (sequence, index) > dead_has:
                        messages["DEAD"].append(self._dead(sequence, index, event))
            last["FRAMES"] = sequence
            if (sequence,) > frames_has:
                body = _pack([partition, sequence, events])
                messages["FRAMES"].append((frame_subject, body, f"{partition}:{sequence}".encode()))
        return messages, last

    def _dead(self, sequence: int, index: int, event: InputRefused | DeadLettered) -> Message:
        reason = event.code if isinstance(event, InputRefused) else "failed"
        subject = f"{self._prefix}.dead.{subject_token(reason.lower())}"
        return subject.encode(), _encode(event), f"{self._partition}:{sequence}:{index}".encode()


_DEAD: Final = (InputRefused, DeadLettered)
