"""A market that never falls silent: the last quotes, published again and again by a client that is back at once.

An engine that has just started knows no price, and denies what it cannot check; so the feed connects as soon as
anybody listens, and not when its last connection's patience is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import json

from adapters.bench.raw import Raw, connect
from adapters.market.player import subject
from engine.messages import MarketData

EVERY_S: Final = 0.02
AGAIN_S: Final = 0.002
ANSWER_S: Final = 1.0


class Feed:
    """Publishes what `current` gives, for ever, in `run`; `publish` sends what is new in between."""

    def __init__(self, url: str, current: Callable[[], Iterable[MarketData]]) -> None:
        self._url = url
        self._current = current
        self._raw: Raw | None = None
        self.eager = False
        """Whether quotes are published as fast as it makes sense, for an engine that is starting."""

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        try:
            while True:
                if self.publish(self._current()):
                    await asyncio.sleep(AGAIN_S if self.eager else EVERY_S)
                else:
                    await self._connect()
        finally:
            if self._raw is not None:
                self._raw.close()

    def publish(self, messages: Iterable[MarketData]) -> bool:
        """Sends market data now; False where nobody takes it."""
        raw = self._raw
        if raw is None or not raw.connected:
            return False
        for message in messages:
            raw.publish(subject(message).encode(), json.encode(message))
        return True

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                self._raw = await connect(self._url, _ignore)
        except (OSError, TimeoutError):
            await asyncio.sleep(AGAIN_S)


def _ignore(subject: bytes, reply: bytes, payload: bytes) -> None:
    """It listens to nothing."""
