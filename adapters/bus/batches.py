"""Publishing many messages to a stream for one acknowledgement.

A batch goes out in one write and is stored in order, without a gap, up to the first message that fails: the server's
fast-ingest protocol (ADR-50, gap mode "fail"), where the reply subject of each message carries its place in the batch.
Servers that do not have it acknowledge each message.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from adapters.bus.frames import PublishBuffer
from adapters.bus.streams import BATCHED_SINCE
from adapters.bus.wire import Listening, Wire

Message: TypeAlias = tuple[bytes, bytes, bytes]
"""Subject, payload, and the `Nats-Msg-Id` by which the stream knows the message if it comes again."""

FLOW: Final = 500
"""How many messages the server stores before it reports progress; the most it allows."""
MESSAGES_IN_FLIGHT: Final = 20_000
"""Unacknowledged messages allowed: far below the 100,000 at which the server drops what a stream is sent."""


class PublishError(Exception):
    """Why a batch was not acknowledged."""


class _Batch:
    """A batch that is out: how many answers are missing, and who waits for them."""

    __slots__ = ("answers", "done", "size")

    def __init__(self, size: int, answers: int, done: asyncio.Future[bool]) -> None:
        self.size = size
        self.answers = answers
        self.done = done


class BatchPublisher:
    """Publishes batches over one wire and collects what the server says about them. `start()` first."""

    def __init__(
        self, wire: Wire, *, on_error: Callable[[Exception], None], timeout_s: float = 10.0, batched: bool = True
    ) -> None:
        self._wire = wire
        self._on_error = on_error
        self._timeout_s = timeout_s
        self._want_batched = batched
        self._inbox = wire.inbox().encode()
        self._token_at = self._inbox.count(b".") + 1
        self._out: dict[str, _Batch] = {}
        self._room = asyncio.Condition()
        self._in_flight = 0
        self._count = 0
        self._listening: Listening | None = None
        wire.watch(on_disconnect=self._disconnected)

    @property
    def in_flight(self) -> int:
        """Messages published and not yet acknowledged or given up."""
        return self._in_flight

    async def start(self) -> None:
        """Begin to listen for acknowledgements."""
        self._listening = await self._wire.listen(f"{self._inbox.decode()}.>", self._answered)

    async def stop(self) -> None:
        """Listen no more; batches still out are answered False."""
        self._wire.unwatch(self._disconnected)
        self._disconnected()
        if self._listening is not None:
            await self._listening.stop()

    async def publish_batch(self, messages: Sequence[Message], *, headers: bytes = b"") -> bool:
        """Publish messages of ONE stream; True only when the server has stored all of them, or had them already.

        On False all that is known is that a beginning of the batch, perhaps empty, perhaps whole, is stored: publish
        the same messages again, the stream drops those it has by their ids. `headers` are further header lines, each
        ended by CRLF, for every message. Batches under way at the same time are stored in the order of the calls as
        long as none fails; where order matters beyond that, await one before the next.
        """
        if not messages:
            return True
        size = len(messages)
        async with self._room:
            # A batch larger than the limit goes alone.
            await self._room.wait_for(lambda: self._in_flight == 0 or self._in_flight + size <= MESSAGES_IN_FLIGHT)
            self._in_flight += size
        token = f"{secrets.token_hex(4)}{self._count}"
        self._count += 1
        try:
            return await self._send(token, messages, headers)
        finally:
            self._out.pop(token, None)
            async with self._room:
                self._in_flight -= size
                self._room.notify_all()

    async def _send(self, token: str, messages: Sequence[Message], headers: bytes) -> bool:
        batched = self._want_batched and self._wire.server_version >= BATCHED_SINCE
        buffer = self._batch(token, messages, headers) if batched else self._singles(token, messages, headers)
        size = len(messages)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._out[token] = _Batch(size, 1 if batched else size, done)
        if not self._wire.publish(buffer):
            return False
        try:
            async with asyncio.timeout(self._timeout_s):
                return await done
        except TimeoutError:
            self._on_error(PublishError(f"{size} messages not acknowledged within {self._timeout_s:g} s"))
            return False

    def _batch(self, token: str, messages: Sequence[Message], headers: bytes) -> PublishBuffer:
        buffer, last = PublishBuffer(), len(messages)
        hpub = buffer.hpub
        reply = b"%b.%b.%d.fail." % (self._inbox, token.encode(), FLOW)
        for place, (subject, payload, message_id) in enumerate(messages, 1):
            step = 2 if place == last else 0 if place == 1 else 1  # 0 opens the batch, 1 adds, 2 adds and commits.
            block = b"NATS/1.0\r\nNats-Msg-Id: %b\r\n%b\r\n" % (message_id, headers)
            hpub(subject, block, payload, b"%b%d.%d.$FI" % (reply, place, step))
        return buffer

    def _singles(self, token: str, messages: Sequence[Message], headers: bytes) -> PublishBuffer:
        buffer, reply = PublishBuffer(), b"%b.%b" % (self._inbox, token.encode())
        for subject, payload, message_id in messages:
            buffer.hpub(subject, b"NATS/1.0\r\nNats-Msg-Id: %b\r\n%b\r\n" % (message_id, headers), payload, reply)
        return buffer

    def _answered(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        batch = self._out.get(subject.split(".", self._token_at + 1)[self._token_at])
        if batch is None or batch.done.done() or payload.startswith(b'{"type":"ack"'):
            return
        if not payload:
            self._fail(batch, "no stream takes this subject")
            return
        answer = json.loads(payload)
        if error := answer.get("error"):
            self._fail(batch, f"refused: {error.get('description', error)}")
        elif answer.get("type") == "gap":
            self._fail(batch, f"the server missed messages {answer['last_seq']} to {answer['seq'] - 1}")
        elif answer.get("count", batch.size) != batch.size:
            self._fail(batch, f"only {answer['count']} of {batch.size} messages were stored")
        else:
            batch.answers -= 1
            if batch.answers == 0:
                batch.done.set_result(True)

    def _fail(self, batch: _Batch, reason: str) -> None:
        self._on_error(PublishError(reason))
        batch.done.set_result(False)

    def _disconnected(self) -> None:
        # Their answers will never come; say so now rather than at the timeout.
        for batch in self._out.values():
            if not batch.done.done():
                batch.done.set_result(False)
