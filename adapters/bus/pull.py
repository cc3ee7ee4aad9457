"""Reading a stream from a position on, into a function, as fast as the reader allows and no faster.

The consumer on the server is a throw-away: no acknowledgements, no durable state. The position belongs to the reader,
who commits it with what the messages caused; after any trouble a new consumer starts behind the last message delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from adapters.bus.streams import API, SECOND_NS, StreamError, ask, state
from adapters.bus.wire import Listening, Wire, WireError

StreamSink: TypeAlias = Callable[[int, int, str, bytes | None, bytes], None]
"""Takes stream sequence, time stored (ns since the epoch), subject, header block and payload. It must not block."""

HEARTBEAT_S: Final = 2
EXPIRES_S: Final = 30
INACTIVE_S: Final = 120
RETRY_S: Final = 0.5
ACK_TOKENS: Final = 9
"""Tokens of an acknowledgement subject; newer servers and other domains put two more in front of the stream's name."""


class Pull:
    """One reader of one stream. At most `batch` messages are on their way to it at any time.

    `pause()` stops asking for more, so at most `batch` messages still come. `next_sequence` is where a reader would go
    on, and `created` tells which stream that is a position in: keep both. If the stream turns out to be another, or to
    have lost its end, reading goes on at what is new in it, and `on_reset(next_sequence)` is called before.
    """

    def __init__(
        self, wire: Wire, stream: str, from_sequence: int, sink: StreamSink, batch: int = 512, *,
        on_error: Callable[[Exception], None], on_reset: Callable[[int], None] | None = None, created: str = "",
    ) -> None:  # fmt: skip
        self._wire = wire
        self._stream = stream
        self._sink = sink
        self._batch = batch
        self._on_error = on_error
        self._on_reset = on_reset
        self.next_sequence = max(1, from_sequence)
        self.created = created
        self._consumer = b""
        self._consumer_sequence = 0
        self._asked = 0
        self._paused = False
        self._heard_at = 0.0
        self._wake = asyncio.Event()
        self._inbox = wire.inbox()
        self._listening: Listening | None = None
        self._task: asyncio.Task[None] | None = None
        wire.watch(on_disconnect=self._abandon, on_reconnect=self._wake.set)

    def __repr__(self) -> str:
        flags = "paused" if self._paused else "reading" if self._consumer else "waiting for the server"
        return f"<Pull {self._stream} at {self.next_sequence} {flags}>"

    async def start(self) -> None:
        """Begin to deliver."""
        self._listening = await self._wire.listen(self._inbox, self._arrived)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"pull {self._stream}")

    async def stop(self) -> None:
        """Deliver nothing more."""
        self._wire.unwatch(self._abandon, self._wake.set)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._listening is not None:
            await self._listening.stop()
        if self._consumer and self._wire.connected:
            with contextlib.suppress(StreamError, WireError):
                await ask(self._wire, f"CONSUMER.DELETE.{self._stream}.{self._consumer.decode()}")

    def pause(self) -> None:
        """Ask for no more until `resume()`."""
        self._paused = True

    def resume(self) -> None:
        """Go on asking."""
        self._paused = False
        self._ask_for_more()

    async def _run(self) -> None:
        """Keep a living consumer; everything else happens as messages arrive."""
        while True:
            self._wake.clear()
            if self._wire.connected:
                if self._consumer and self._asked and time.monotonic() - self._heard_at > 2.5 * HEARTBEAT_S:
                    self._abandon()  # No message and no heartbeat: the consumer is gone.
                if not self._consumer:
                    await self._begin()
                self._ask_for_more()  # Again, in case the wire had no room for it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S if self._consumer else RETRY_S):
                    await self._wake.wait()

    async def _begin(self) -> None:
        try:
            await self._find_position()
            name = f"reader-{secrets.token_hex(6)}"
            await ask(self._wire, f"CONSUMER.CREATE.{self._stream}.{name}", {
                "stream_name": self._stream,
                "config": {
                    "name": name, "ack_policy": "none", "deliver_policy": "by_start_sequence", "mem_storage": True,
                    "opt_start_seq": self.next_sequence, "inactive_threshold": INACTIVE_S * SECOND_NS,
                },
            })  # fmt: skip
        except (StreamError, WireError) as error:
            self._on_error(error)
            return
        self._consumer, self._consumer_sequence, self._asked = name.encode(), 0, 0
        self._heard_at = time.monotonic()
        self._ask_for_more()

    async def _find_position(self) -> None:
        found = await state(self._wire, self._stream)
        position, end = self.next_sequence, found.last_sequence + 1
        if self.created and found.created == self.created:
            position = min(position, end)  # The same stream: if it lost its end, what follows is new.
        elif self.created or position > end:
            position = 1  # Another stream: nothing in it has been read.
        self.created = found.created
        if position != self.next_sequence:
            self.next_sequence = position
            if self._on_reset is not None:
                self._on_reset(position)

    def _abandon(self) -> None:
        self._consumer = b""
        self._asked = 0
        self._wake.set()

    def _ask_for_more(self) -> None:
        """Top up what is on its way, half a batch at a time at least, so that requests stay few."""
        wanted = self._batch - self._asked
        if self._paused or not self._consumer or wanted * 2 < self._batch:
            return
        body = b'{"batch":%d,"expires":%d,"idle_heartbeat":%d}' % (
            wanted, EXPIRES_S * SECOND_NS, HEARTBEAT_S * SECOND_NS)  # fmt: skip
        subject = f"{API}.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer.decode()}".encode()
        if self._wire.publish_many([b"PUB %b %b %d\r\n%b\r\n" % (subject, self._inbox.encode(), len(body), body)]):
            if not self._asked:
                self._heard_at = time.monotonic()
            self._asked += wanted

    def _arrived(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        if subject == self._inbox:
            self._told(headers or b"")
            return
        words = reply.split(b".")
        extra = 0 if len(words) == ACK_TOKENS else 2
        if words[3 + extra] != self._consumer:
            return  # A message of a consumer given up meanwhile.
        self._consumer_sequence += 1
        if int(words[6 + extra]) != self._consumer_sequence:
            self._abandon()  # One was lost on the way to us.
            return
        sequence = int(words[5 + extra])
        self.next_sequence = sequence + 1
        self._asked -= 1
        self._heard_at = time.monotonic()
        try:
            self._sink(sequence, int(words[7 + extra]), subject, headers, payload)
        finally:
            self._ask_for_more()

    def _told(self, headers: bytes) -> None:
        """A status of a request: `100` a heartbeat, `408` it expired with so many not delivered, others its end."""
        status = headers[9:12]
        self._heard_at = time.monotonic()
        if status == b"100":
            return
        pending = headers.partition(b"Nats-Pending-Messages:")[2].split(b"\r\n", 1)[0].strip()
        if status == b"408" and pending:
            self._asked = max(0, self._asked - int(pending))
            self._ask_for_more()
        else:
            self._abandon()


async def pull(
    wire: Wire, stream: str, from_sequence: int, sink: StreamSink, batch: int = 512, *,
    on_error: Callable[[Exception], None], on_reset: Callable[[int], None] | None = None, created: str = "",
) -> Pull:  # fmt: skip
    """Start reading `stream` at `from_sequence` into `sink`; the reader returned can be paused and stopped."""
    reader = Pull(wire, stream, from_sequence, sink, batch, on_error=on_error, on_reset=on_reset, created=created)
    await reader.start()
    return reader
