"""Moves what the write-ahead log holds into the database, beside the commits instead of within one of them.

SQLite would do it in the commit that finds a thousand pages in the log, and that commit's orders would wait for it.
A second connection does it here. What commits add meanwhile, a last short pass between two commits moves: only a log
that is moved whole is begun again from its start, and a log that is begun again costs a third of one that grows.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Final

import aiosqlite

from adapters.store.connect import hop

EVERY_BYTES: Final = 12 << 20
"""Of rows committed since the last time: about 32 MB of log."""


class Checkpointer:
    """Starts a checkpoint when enough was committed; one at a time. `failed` is why the last could not be done."""

    def __init__(
        self, writer: aiosqlite.Connection, beside: aiosqlite.Connection, every_bytes: int = EVERY_BYTES
    ) -> None:
        self._writer = writer
        self._beside = beside
        self._every = every_bytes
        self._since = 0
        self._task: asyncio.Task[None] | None = None
        self.failed: sqlite3.Error | None = None

    def committed(self, size: int) -> None:
        """Counts what a commit wrote, in bytes."""
        self._since += size
        if self._since >= self._every and self._task is None:
            self._since = 0
            self._task = asyncio.get_running_loop().create_task(self._run(), name="checkpoint")

    async def _run(self) -> None:
        try:
            await hop(self._beside, checkpoint)
            # What was committed meanwhile is little, and in the writer's own thread nothing is added to it.
            await hop(self._writer, checkpoint)
        except sqlite3.Error as error:
            self.failed = error
        finally:
            self._task = None

    async def stop(self) -> None:
        """Waits for a checkpoint under way."""
        if self._task is not None:
            await self._task


def checkpoint(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Moves what can be moved without waiting for anybody. Returns (busy, pages in the log, pages moved)."""
    found: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return found
