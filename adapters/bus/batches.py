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

Done: TypeAlias = Callable[[bool], None]
"""Is told, once, whether all of a batch is stored."""


class PublishError(Exception):
    """Why a batch was not acknowledged."""


class _Batch:
    """A batch that is out: how many answers are missing, until when, and who waits for them."""

    __slots__ = ("answers", "done", "size", "timer", "token")

    def __init__(self, token: str, size: int, answers: int, done: Done) -> None:
        self.token = token
        self.size = size
        self.answers = answers
        self.done = done
        self.timer: asyncio.TimerHandle | None = None


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
        self._name = secrets.token_hex(4)
        self._count = 0
        self._listening: Listening | None = None
        wire.watch(on_disconnect=self._disconnected)

    @property
    def in_flight(self) -> int:
        """Messages published and not yet acknowledged or given up."""
        return sum(batch.size for batch in self._out.values())

    async def start(self) -> None:
        """Begin to listen for acknowledgements."""
        self._loop = asyncio.get_running_loop()
        self._listening = await self._wire.listen(f"{self._inbox.decode()}.>", self._answered)

    async def stop(self) -> None:
        """Listen no more; batches still out are answered False."""
        self._wire.unwatch(self._disconnected)
        self._disconnected()
        if self._listening is not None:
            await self._listening.stop()

    def send(self, messages: Sequence[Message], done: Done, *, headers: bytes = b"") -> None:
        """Publish messages of ONE stream; `done(True)` only when the server has stored all, or had them already.

        `done` may be called before this returns. On False all that is known is that a beginning of the batch, perhaps
        empty, perhaps whole, is stored: publish the same messages again, the stream drops those it has by their ids.
        `headers` are further header lines, each ended by CRLF, for every message. Batches under way at the same time
        are stored in the order of the calls as long as none fails; where order matters beyond that, send one after
        the other.
        """
        if not messages:
            done(True)
            return
        token = f"{self._name}{self._count}"
        self._count += 1
        batched = self._want_batched and self._wire.server_version >= BATCHED_SINCE
        buffer = self._batch(token, messages, headers) if batched else self._singles(token, messages, headers)
        size = len(messages)
        batch = self._out[token] = _Batch(token, size, 1 if batched else size, done)
        if self._wire.publish(buffer):
            batch.timer = self._loop.call_later(self._timeout_s, self._late, batch)
        else:
            self._end(batch, False)

    async def publish_batch(self, messages: Sequence[Message], *, headers: bytes = b"") -> bool:
        """`send`, and wait for its end."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.send(messages, lambda result: None if stored.done() else stored.set_result(result), headers=headers)
        return await stored

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
        if batch is None or payload.startswith(b'{"type":"ack"'):
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
                self._end(batch, True)

    def _late(self, batch: _Batch) -> None:
        self._fail(batch, f"{batch.size} messages not acknowledged within {self._timeout_s:g} s")

    def _fail(self, batch: _Batch, reason: str) -> None:
        self._on_error(PublishError(reason))
        self._end(batch, False)

    def _end(self, batch: _Batch, stored: bool) -> None:
        del self._out[batch.token]
        if batch.timer is not None:
            batch.timer.cancel()
        batch.done(stored)

    def _disconnected(self) -> None:
        # Their answers will never come; say so now rather than at the timeout.
        for batch in list(self._out.values()):
            self._end(batch, False)
