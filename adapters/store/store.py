"""The journal on disk: a partition's batches, committed one transaction at a time by the one connection that writes.

`Store` implements `actors.journal.Journal`. A commit that fails leaves a store that takes no more: what memory
believes can no longer be trusted, and the process has to start again from what is on disk.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from msgspec import json

from actors.journal import Batch, Entry, JournalFailed, Key, Loaded, Start
from adapters.sqlite import Connection
from adapters.store import looking, side
from adapters.store.chain import link
from adapters.store.checkpoint import EVERY_BYTES, Checkpointer
from adapters.store.connect import FILE, open_store, reading, writing
from adapters.store.errors import described, translated
from adapters.store.lock import FolderLock
from adapters.store.reader import entries_after
from adapters.store.rows import HASH_AT, Row, insertion, moment, rows
from adapters.store.side import AuditRow, WorkflowSubscription

P = ParamSpec("P")
T = TypeVar("T")

SWITCH_INTERVAL_S: Final = 0.00005
"""How long a thread waits for Python's lock before it asks for it. A busy event loop lets go of the lock for moments
too short for a waiting thread to wake up in; at the default of 5 ms, longer than the loop's rounds, the request is
never made and a commit waits for seconds. Measured: 20 µs to 100 µs are alike, 500 µs is ruin."""
FEW_BYTES: Final = 32 << 10
"""Rows of up to so many bytes, those of some eight orders, are written in the event loop's thread."""


class Store:
    """A partition's store in a data folder. `start` opens it, `close` gives it back; it can be used as a context."""

    def __init__(self, folder: Path, partition: int = 0, checkpoint_bytes: int = EVERY_BYTES) -> None:
        self.path = folder / FILE
        self.partition = partition
        self._lock = FolderLock(folder)
        self._checkpoint_bytes = checkpoint_bytes
        self._writer: Connection | None = None
        self._beside: Connection | None = None
        self._reader: Connection | None = None
        self._checkpointer: Checkpointer
        self._hash = b""
        self._purged = ("", "")
        self._failed: str | None = None

    def __repr__(self) -> str:
        state = self._failed or ("open" if self._writer is not None else "closed")
        return f"<Store {self.path} of partition {self.partition}: {state}>"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # open and close

    async def open(self) -> None:
        """Takes the folder's lock and opens the file, made if there is none.

        Raises StoreLocked, StoreUnreadable or StoreCorrupt, and then holds nothing.
        """
        if self._writer is not None:
            return
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self._lock.acquire()
        try:
            self._writer = await writing(self.path)
            with translated(self.path):
                self._hash = await self._writer.run(open_store, self.path, self.partition)
            self._beside = await writing(self.path)
            self._reader = await reading(self.path)
        except BaseException:
            await self.close()
            raise
        self._checkpointer = Checkpointer(self.path, self._writer, self._beside, self._checkpoint_bytes)
        self._failed = None

    async def close(self) -> None:
        """Waits for what is under way, moves the log into the database and lets go of the folder."""
        try:
            if self._writer is not None and self._beside is not None and self._reader is not None:
                await self._checkpointer.stop()
            for connection in (self._reader, self._beside, self._writer):
                if connection is not None:
                    await connection.close()
        finally:
            self._reader = self._beside = self._writer = None
            self._lock.release()

    # the journal

    async def start(self) -> Start:
        """What was durable when the process began; opens the store if that was not done."""
        await self.open()
        with translated(self.path):
            return await self._usable(self._reader).run(looking.start)

    async def load(self, addresses: Sequence[str], keys: Sequence[Key]) -> Loaded:
        """States of actors and answers to keys, in one look at what is committed."""
        reader = self._usable(self._reader)
        orders = [address[6:] for address in addresses if address.startswith("order/")]
        others = [address for address in addresses if not address.startswith("order/")]
        with translated(self.path):
            found = await reader.quick(looking.find, json.encode(others), json.encode(orders), json.encode(keys))
        return looking.loaded(*found)

    async def commit(self, batches: Sequence[Batch]) -> None:
        """Makes these consecutive batches durable together; raises JournalFailed where that is in doubt."""
        self._usable(self._writer)
        if not batches:
            return
        try:
            # States are encoded before anything is awaited: the next batch may run while these are written.
            await self.write(rows(batches))
        except sqlite3.Error as error:
            raise self._fail(f"a commit failed: {described(error)}") from error
        except Exception as error:  # whatever it was, memory is now ahead of the disk
            raise self._fail(f"a batch could not be written: {type(error).__name__}: {error}") from error

    async def write(self, made: list[Row]) -> None:
        """Makes rows durable; where they are few, without waiting for a thread."""
        writer = self._usable(self._writer)
        size = sum(len(value) for row in made for value in row if value.__class__ is bytes)
        await (writer.quick if size <= FEW_BYTES else writer.run)(self._write, made)
        self._checkpointer.committed(size)

    def _write(self, connection: sqlite3.Connection, made: list[Row]) -> None:
        """One statement, in a transaction of its own."""
        values: list[Any] = []
        previous = self._hash
        for row in made:
            if row.seq is not None and row.at is not None and row.body is not None:
                previous = link(previous, row.seq, row.at, row.body)
            values += row
            values.insert(HASH_AT - len(row), previous)
        connection.execute(insertion(len(made)), values)
        self._hash = previous

    def _fail(self, reason: str) -> JournalFailed:
        self._failed = f"{self.path}: {reason}"
        return JournalFailed(self._failed)

    def _usable(self, connection: Connection | None) -> Connection:
        if self._failed is not None:
            raise JournalFailed(self._failed)
        if connection is None:
            raise JournalFailed(f"{self.path} is not open")
        if self._checkpointer.failed is not None:
            raise self._fail(
                f"a checkpoint failed: {described(self._checkpointer.failed)}"
            ) from self._checkpointer.failed
        return connection

    # what else is kept here

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """Committed journal entries after a sequence, ascending, read a few at a time."""
        async for entry in entries_after(self._usable(self._reader), self.path, after):
            yield entry

    async def since(self, at: datetime) -> AsyncIterator[Entry]:
        """Committed journal entries from a time on."""
        with translated(self.path):
            after = await self._usable(self._reader).run(looking.last_before, moment(at))
        async for entry in self.entries(after):
            yield entry

    async def audit(self, rows: Sequence[AuditRow], at: datetime) -> None:
        """Writes what became of deliveries into `distribution_audit`."""
        await self._also(side.audit, rows, moment(at))

    async def subscribe(self, subscription: WorkflowSubscription, at: datetime) -> None:
        """Makes or changes a row of `execution_subscriptions`, known by its subscription_id."""
        await self._also(side.subscribe, subscription, moment(at))

    async def purge(self, before: datetime, rows: int = 1000) -> int:
        """Looks at so many idempotency keys, from where the last call ended, and removes those answered before a time
        none of whose orders is open. Returns how many it removed."""
        self._purged, removed = await self._also(side.purge, self._purged, moment(before), rows)
        return removed

    async def _also(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Other writing than commits: if it fails, nothing of it remains and the partition is none the worse."""
        with translated(self.path):
            return await self._usable(self._writer).run(work, *args, **named)
