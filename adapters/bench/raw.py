"""A NATS client that does nothing but send and receive, so that what is measured is the engine and not its client.

It speaks the protocol's text form over one connection: no reconnection, no queues, no task per message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

OnMessage = Callable[[bytes, bytes, bytes], None]
"""Takes subject, reply subject (b"" for none) and payload."""

HIGH_BYTES: Final = 8 << 20


class Raw(asyncio.Protocol):
    """One connection. `on_message` is called for each message of every subscription, `on_read` after each read."""

    def __init__(self, user: str, password: str, on_message: OnMessage) -> None:
        self._hello = json.dumps(
            {
                "verbose": False,
                "pedantic": False,
                "user": user,
                "pass": password,
                "headers": True,
                "no_responders": True,
            }
        ).encode()
        self.on_message = on_message
        self.on_read: Callable[[], None] = _nothing
        self.lost: Callable[[], None] = _nothing
        self._rest = b""
        self._sid = 0
        self._pongs: list[asyncio.Future[None]] = []
        self._made = False
        self.transport: asyncio.WriteTransport

    @property
    def connected(self) -> bool:
        """Whether what is sent now has a chance to arrive."""
        return self._made and not self.transport.is_closing()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._made = True
        transport.set_write_buffer_limits(high=HIGH_BYTES)
        transport.write(b"CONNECT %b\r\n" % self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        for pong in self._pongs:
            if not pong.done():
                pong.set_exception(ConnectionError("the connection was lost"))
        self.lost()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, find, on_message = 0, data.find, self.on_message
        while (end := find(b"\r\n", at)) >= 0:
            first = data[at]
            if first == 77 or first == 72:  # MSG or HMSG
                words = data[at:end].split()
                size = int(words[-1])
                stop = end + 2 + size
                if stop + 2 > len(data):
                    break
                if first == 77:
                    on_message(words[1], words[3] if len(words) == 5 else b"", data[end + 2 : stop])
                else:
                    reply = words[3] if len(words) == 6 else b""
                    on_message(words[1], reply, data[end + 2 + int(words[-2]) : stop])
                at = stop + 2
                continue
            self._control(data[at:end])
            at = end + 2
        self._rest = data[at:]
        self.on_read()

    def _control(self, line: bytes) -> None:
        if line == b"PING":
            self.transport.write(b"PONG\r\n")
        elif line == b"PONG":
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(None)
        elif line.startswith(b"-ERR"):
            raise ConnectionError(line.decode())

    def subscribe(self, subject: bytes) -> None:
        """Listens to a subject, which may have wildcards."""
        self._sid += 1
        self.transport.write(b"SUB %b %d\r\n" % (subject, self._sid))

    def publish(self, subject: bytes, payload: bytes, reply: bytes = b"") -> None:
        """Sends one message."""
        self.transport.write(b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload))

    async def flush(self) -> None:
        """Waits until the server has taken all that was sent."""
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self.transport.write(b"PING\r\n")
        await pong

    def close(self) -> None:
        """Ends the connection."""
        self.transport.close()


def _nothing() -> None:
    """Takes a call that nobody is interested in."""


async def connect(url: str, on_message: OnMessage) -> Raw:
    """Connects to `nats://user:password@host:port`; raises OSError where nobody answers there."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        lambda: Raw(unquote(parts.username or ""), unquote(parts.password or ""), on_message),
        parts.hostname or "",
        parts.port or 0,
    )
    try:
        await protocol.flush()
    except BaseException:
        protocol.close()
        raise
    return protocol
