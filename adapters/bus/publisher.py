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
_LIST_OF_3: Final = b"\x93"


ReadJournal = Callable[[int], AsyncIterator[Entry]]
"""Entries after a sequence, ascending, as the journal has them."""


class _Round:
    """What is out: one batch of messages to each stream, and where the journal stands when all are stored."""

    __slots__ = ("last", "left", "messages", "sequence", "stored")

    def __init__(self, sequence: int, last: dict[str, int], batches: int, messages: int) -> None:
        self.sequence = sequence
        self.last = last
        self.left = batches
        self.messages = messages
        self.stored = True


class Publisher:
    """Publishes one partition's events to the OUT, FRAMES and DEAD streams.

    One round is out at a time, so that what a stream has is always a beginning of the journal. The next is sent at the
    moment the streams have acknowledged the last; `run` is there for what goes wrong, and for what memory cannot hold.
    """

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
        self._round: _Round | None = None
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._checked = False
        """Whether it is known what the streams have."""
        self._losses = 0
        """How often the connection was lost: what was found out before one counts no longer."""
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
                self._waiting.append(Entry(batch.sequence, batch.at, batch.events, batch.packed))
            else:
                self._forget()
        self._push()

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
        self._losses += 1
        self._checked = False
        self._wake.set()

    async def run(self, cursors: Mapping[str, int], latest: int) -> None:
        """Publishes for ever, from the cursor on; `latest` is the journal's last batch."""
        self.sequence, self.latest = cursors.get("published", 0), max(latest, self.latest)
        self._acknowledged = {kind: cursors.get(f"published {kind}", 0) for kind in ("OUT", "DEAD", "FRAMES")}
        self._memory_from = latest
        await self._batches.start()
        while True:
            self._wake.clear()
            try:
                if self._round is None and not self._checked:
                    await self._check()
                self._push()
                if self._round is None and self._checked and self._behind:
                    await self._catch_up()
            except (WireError, StreamError) as error:
                self._on_error(error)
                await asyncio.sleep(RETRY_S)
                continue
            if self._round is not None or (self._checked and not self._behind):
                await self._wake.wait()
            if not self._checked:
                await asyncio.sleep(RETRY_S)

    @property
    def _behind(self) -> bool:
        """Whether the next entries are no longer in memory."""
        return self.sequence < self._memory_from

    def _push(self) -> None:
        """Sends what has become durable since the last round, unless that is still out or something is to be mended."""
        while self._round is None and self._checked and not self._behind and self._waiting:
            entries: list[Entry] = []
            size = 0
            while self._waiting and size < MESSAGES_AT_ONCE:
                entry = self._waiting.popleft()
                if entry.sequence > self.sequence:
                    entries.append(entry)
                    size += len(entry.events)
            if entries:
                self._send(entries)

    async def _catch_up(self) -> None:
        """Sends the next entries as the journal has them."""
        entries: list[Entry] = []
        size = 0
        async for entry in self._read(self.sequence):
            entries.append(entry)
            size += len(entry.events)
            if size >= MESSAGES_AT_ONCE:
                break
        if not self._checked:
            return
        if entries:
            self._send(entries)
        else:
            # Batches without events are in no journal.
            self.sequence = max(self.sequence, self._memory_from)
            self._done.set()

    def _send(self, entries: list[Entry]) -> None:
        messages, last = self._messages(entries)
        told = len(messages["OUT"]) + len(messages["DEAD"])
        self._round = _Round(entries[-1].sequence, last, len(messages), told)
        for batch in messages.values():
            self._batches.send(batch, self._answered)

    def _answered(self, stored: bool) -> None:
        """A stream has its batch, or may have it in part only."""
        out = self._round
        assert out is not None
        out.left -= 1
        out.stored = out.stored and stored
        if out.left:
            return
        self._round = None
        if not out.stored:
            self._forget()
            self._checked = False
            self._wake.set()
            return
        self.sequence = out.sequence
        self.messages += out.messages
        self._acknowledged |= out.last
        self._published("published", out.sequence)
        for kind, sequence in out.last.items():
            self._published(f"published {kind}", sequence)
        if self.idle:
            self._done.set()
        if self._behind:
            self._wake.set()
        else:
            self._push()

    async def _check(self) -> None:
        """Goes back to what the streams really have, where one lost what it acknowledged; what they have stays out."""
        losses = self._losses
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
        self._checked = losses == self._losses

    def _forget(self) -> None:
        """From here on what is durable by now is read from the journal."""
        self._waiting.clear()
        self._memory_from = self.latest

    def _messages(self, entries: list[Entry]) -> tuple[dict[str, list[Message]], dict[str, int]]:
        """What goes to each stream, and the last batch in it. What a check found stored is left out."""
        messages: dict[str, list[Message]] = {"OUT": [], "DEAD": [], "FRAMES": []}
        last: dict[str, int] = {}
        partition = self._partition
        frame_subject = f"{self._prefix}.frames.{partition}".encode()
        out_has, dead_has, frames_has = (self._stored.get(kind, ()) for kind in messages)
        for sequence, _, events, packed in entries:
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
                body = _LIST_OF_3 + _pack(partition) + _pack(sequence) + packed
                messages["FRAMES"].append((frame_subject, body, f"{partition}:{sequence}".encode()))
        return messages, last

    def _dead(self, sequence: int, index: int, event: InputRefused | DeadLettered) -> Message:
        reason = event.code if isinstance(event, InputRefused) else "failed"
        subject = f"{self._prefix}.dead.{subject_token(reason.lower())}"
        return subject.encode(), _encode(event), f"{self._partition}:{sequence}:{index}".encode()


_DEAD: Final = (InputRefused, DeadLettered)
