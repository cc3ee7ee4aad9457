"""Looks after the write-ahead log: gives it room on the disk, and moves what it holds into the database.

SQLite would move it in the commit that finds a thousand pages in the log, and that commit's orders would wait for it.
A second connection does it here. What commits add meanwhile, a last short pass between two commits moves: only a log
that is moved whole is begun again from its start, and a log that is begun again costs a third of one that grows.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Final

from adapters.sqlite import Connection

EVERY_BYTES: Final = 32 << 20
"""Of log, about, since the last time."""
COMMIT_BYTES: Final = 64 << 10
"""Of log that a commit costs beside its rows: a page of each tree that it touches."""
ROWS_FACTOR: Final = 2
"""Bytes of log for a byte of rows."""
ROOM: Final = 1.5
"""Room for the log, as a part of that. A commit that makes the file longer waits for the file system's journal, and
with it for what other processes, such as the NATS server, have written: on ext4 twice as long as one that does not."""
STEP_BYTES: Final = 1 << 20
STEP_EVERY_S: Final = 0.03


class Checkpointer:
    """Starts a checkpoint when enough was committed; one at a time. `failed` is why the last could not be done."""

    def __init__(self, path: Path, writer: Connection, beside: Connection, every_bytes: int = EVERY_BYTES) -> None:
        self._log = path.with_name(path.name + "-wal")
        self._writer = writer
        self._beside = beside
        self._every = every_bytes
        self._since = 0
        self._task: asyncio.Task[None] | None = None
        self.failed: sqlite3.Error | None = None
        self._reserving = asyncio.get_running_loop().create_task(self._reserve(), name="reserve")

    async def _reserve(self) -> None:
        """Gives the log its length, little by little, so that commits hardly wait for it."""
        room = int(self._every * ROOM)
        for _ in range(0, room, STEP_BYTES):
            # In the writer's thread: nobody else may add to the file meanwhile.
            await self._writer.run(lengthen, self._log, room)
            await asyncio.sleep(STEP_EVERY_S)

    def committed(self, size: int) -> None:
        """Counts what a commit wrote: so many bytes of rows."""
        self._since += COMMIT_BYTES + ROWS_FACTOR * size
        if self._since >= self._every and self._task is None:
            self._since = 0
            self._task = asyncio.get_running_loop().create_task(self._run(), name="checkpoint")

    async def _run(self) -> None:
        try:
            await self._beside.run(checkpoint)
            # What was committed meanwhile is little, and in the writer's own thread nothing is added to it.
            await self._writer.run(checkpoint)
        except sqlite3.Error as error:
            self.failed = error
        finally:
            self._task = None

    async def stop(self) -> None:
        """Waits for a checkpoint under way."""
        self._reserving.cancel()
        if self._task is not None:
            await self._task


def checkpoint(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Moves what can be moved without waiting for anybody. Returns (busy, pages in the log, pages moved)."""
    found: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return found


def lengthen(_: sqlite3.Connection, log: Path, room: int) -> None:
    """Adds zeroes at the log's end, which SQLite takes for no frame of its own. Only between two commits."""
    try:
        with log.open("r+b", buffering=0) as file:
            length = file.seek(0, os.SEEK_END)
            file.write(bytes(max(0, min(STEP_BYTES, room - length))))
    except OSError:
        return  # Where there is no room, the commit that needs it will say so.
