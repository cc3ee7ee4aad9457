"""A SQLite connection for an event loop: quick work in place, long work in a thread of the connection's own.

To hand work to a thread and to hear of its end wakes two threads up, and both then want Python's lock. That takes
longer than a commit of a few rows on a good disk; such work holds up the loop for less time than waiting for it would.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SLOW_S: Final = 0.005
"""After work that took so long, the next goes to the thread: a slow disk must not hold up the loop."""
CACHED_STATEMENTS: Final = 256
"""Kept prepared: there is one for each number of rows that goes into a commit."""


class Connection:
    """One connection. Pieces of work are done one after another, in the order in which they were asked for."""

    def __init__(self, database: str, *, uri: bool = False) -> None:
        # Transactions are said, never implied. Work is in one thread at a time, though not always the same.
        self.raw = sqlite3.connect(
            database,
            uri=uri,
            isolation_level=None,
            cached_statements=CACHED_STATEMENTS,
            check_same_thread=False,
        )
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._under_way: tuple[Future[Any], ...] = ()
        """All that was asked of the thread: the last may be cancelled while one before it is still being done."""
        self._took_s = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way in the thread."""
        return all(future.done() for future in self._under_way)

    async def run(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Does a piece of work in the thread. Who is cancelled meanwhile leaves it under way, if it has begun."""
        future = self._thread.submit(partial(work, self.raw, *args, **named))
        self._under_way = (*(one for one in self._under_way if not one.done()), future)
        return await asyncio.wrap_future(future)

    async def quick(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Does a piece of work here and now; in the thread where that has something under way or the disk is slow."""
        began = time.perf_counter()
        try:
            if self._took_s < SLOW_S and self.idle:
                return work(self.raw, *args, **named)
            return await self.run(work, *args, **named)
        finally:
            self._took_s = time.perf_counter() - began

    async def close(self) -> None:
        """Ends the connection after what is under way."""
        try:
            await self.quick(sqlite3.Connection.close)
        finally:
            self._thread.shutdown(wait=False)
