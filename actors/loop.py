"""The loop that drives a partition: take mail, run, make durable, let out. The only code here that awaits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

from actors.journal import Batch, Journal, Mail
from actors.partition import Partition

Clock = Callable[[], datetime]
Release = Callable[[list[Batch]], None]

MAX_UNCOMMITTED = 64
"""Batches that may wait for their commit; past it the loop waits for the disk."""


class Loop:
    """Runs batches while earlier ones commit. `release` gets every batch once, in order, after it is durable."""

    def __init__(self, partition: Partition, journal: Journal, release: Release, clock: Clock) -> None:
        self.partition = partition
        self.journal = journal
        self.release = release
        self.clock = clock
        self.commit_seconds = 0.0
        self._waiting: deque[Batch] = deque()
        self._wake = asyncio.Event()
        self._to_commit = asyncio.Event()
        self._room = asyncio.Event()
        self._quiet = asyncio.Event()
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._flushing = False
        self._stopping = False

    def post(self, mail: Iterable[Mail]) -> None:
        """Takes messages from outside, from the loop's own thread."""
        self.partition.post(mail)
        self._wake.set()

    @property
    def uncommitted(self) -> int:
        """Batches that are done and not yet durable."""
        return len(self._waiting)

    def flush(self) -> None:
        """Has positions on the bus written that no batch took along."""
        if self.partition.has_cursors:
            self._flushing = True
            self._wake.set()

    async def run(self) -> None:
        """Runs until `stop`; raises JournalFailed where a commit failed, and then nothing more leaves."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commits())
            tasks.create_task(self._runs())

    async def settle(self) -> None:
        """Waits until the mailboxes are empty and everything is durable and released."""
        while self.partition.mail or self._waiting:
            self._quiet.clear()
            await self._quiet.wait()

    async def stop(self) -> None:
        """Settles, writes the positions on the bus, and has `run` end."""
        await self.settle()
        self._stopping = True
        self._wake.set()

    async def _runs(self) -> None:
        partition = self.partition
        while True:
            if not partition.mail and not self._flushing:
                if self._stopping:
                    break
                self._wake.clear()
                self._set_timer()
                await self._wake.wait()
            addresses, keys = partition.wanting()
            if addresses or keys:
                loaded = await self.journal.load(addresses, keys)
                partition.admit(addresses, keys, loaded)
            self._flushing = False
            self._take(partition.run(self.clock(), self.clock))
            while len(self._waiting) >= MAX_UNCOMMITTED:
                self._room.clear()
                await self._room.wait()
            # Let the sockets in between two batches.
            await asyncio.sleep(0)
        self._take(partition.run(self.clock()))
        self._ended = True
        self._to_commit.set()

    def _take(self, batch: Batch | None) -> None:
        if batch is not None:
            self._waiting.append(batch)
            self._to_commit.set()
        elif not self._waiting:
            self._quiet.set()

    async def _commits(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or not self._ended:
            if not self._waiting:
                self._to_commit.clear()
                await self._to_commit.wait()
                continue
            batches = list(self._waiting)
            began = loop.time()
            await self.journal.commit(batches)
            self.commit_seconds = loop.time() - began
            for batch in batches:
                self._waiting.popleft()
                self.partition.committed(batch)
            self.release(batches)
            self._room.set()
            self._quiet.set()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.partition.next_due
        if due is not None:
            wait = max((due - self.clock()).total_seconds(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
