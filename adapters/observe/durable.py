"""How far the journal has come, for who must not show what a crash could still undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.journal import Batch


class Durable:
    """An observer of the engine that knows the last durable batch, and lets others wait for one."""

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence
        self._waiting: list[asyncio.Future[None]] = []

    def __call__(self, batches: list[Batch]) -> None:
        """Takes batches that have become durable."""
        self.sequence = batches[-1].sequence
        if self._waiting:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()

    async def reached(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Returns when the condition holds, looked at again after every commit; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self.changed()

    async def changed(self) -> None:
        """Returns after the next commit."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
