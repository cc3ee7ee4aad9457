"""A market that never falls silent: the last quotes, published again and again by a client that is back at once.

An engine that has just started knows no price, and denies what it cannot check; so the feed connects as soon as
anybody listens, and not when its last connection's patience is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec import json

from adapters.bus.frames import PublishBuffer
from adapters.bus.wire import Wire, WireError
from adapters.market.player import subject
from engine.messages import MarketData

EVERY_S: Final = 0.02
AGAIN_S: Final = 0.002
LEAVE_S: Final = 1.0


class Feed:
    """Publishes what `current` gives, for ever, in `run`; `publish` sends what is new in between."""

    def __init__(self, url: str, current: Callable[[], Iterable[MarketData]]) -> None:
        self._url = url
        self._current = current
        self._wire: Wire | None = None
        self.eager = False
        """Whether quotes are published as fast as it makes sense, for an engine that is starting."""

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        try:
            while True:
                if not self.publish(self._current()):
                    await self._connect()
                    continue
                await asyncio.sleep(AGAIN_S if self.eager else EVERY_S)
        finally:
            await self._close()

    def publish(self, messages: Iterable[MarketData]) -> bool:
        """Sends market data now; False where nobody takes it."""
        if self._wire is None or not self._wire.connected:
            return False
        buffer = PublishBuffer()
        for message in messages:
            buffer.pub(subject(message).encode(), json.encode(message))
        try:
            return not len(buffer) or self._wire.publish(buffer)
        except RuntimeError:
            return False  # The socket is closed, and the wire has not noticed yet.

    async def _connect(self) -> None:
        await self._close()
        parts = urlsplit(self._url)
        try:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
            self._wire = Wire(self._url, name="market", on_error=_forget)
            await self._wire.connect(1.0)
        except (OSError, WireError):
            self._wire = None
            await asyncio.sleep(AGAIN_S)

    async def _close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await leave(wire)


async def leave(wire: Wire) -> None:
    """Closes a wire whose server may be gone. Saying goodbye may fail then, or wait for ever, whatever cancels it."""
    closing = asyncio.get_running_loop().create_task(wire.close())
    await asyncio.wait([closing], timeout=LEAVE_S)
    if not closing.cancel() and not closing.cancelled():
        closing.exception()  # Looked at, so that nobody is told.


def _forget(_: Exception) -> None:
    """It connects again anyway."""
