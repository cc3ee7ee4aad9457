"""A copy of a store that is in use: of one moment, in small steps, and looked at before it gets its name."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final

from anyio import to_thread
from msgspec import Struct

from adapters.store import schema
from adapters.store.chain import ENTRIES, GENESIS, link
from adapters.store.connect import FILE, reading
from adapters.store.errors import StoreCorrupt, StoreError, translated

PAGES_A_STEP: Final = 256
"""Two megabytes: what commits wait for at most, where the disk is the same."""
PAUSE_S: Final = 0.002


class Backup(Struct, frozen=True, kw_only=True):
    """What was copied: the file, its size, and the last journal entry in it."""

    path: str
    size_bytes: int
    sequence: int
    head: str
    at: datetime | None


async def backup(folder: Path, target: Path, pages: int = PAGES_A_STEP) -> Backup:
    """Copies the folder's store to a new file. Raises StoreError where the copy is not whole, and then leaves none."""
    unfinished = target.with_name(target.name + ".unfinished")
    connection = await reading(folder / FILE)
    try:
        with translated(folder / FILE):
            await connection.run(_copy, unfinished, target, pages)
        found = await to_thread.run_sync(_verified, unfinished)
        size = await to_thread.run_sync(_settle, unfinished, target)
    finally:
        await connection.close()
    return Backup(
        path=str(target),
        size_bytes=size,
        sequence=found[0],
        at=datetime.fromisoformat(found[1]) if found[1] else None,
        head=found[2].hex(),
    )


def _copy(connection: sqlite3.Connection, unfinished: Path, target: Path, pages: int) -> None:
    if target.exists():
        raise StoreError(f"{target} exists already: a backup never writes over one")
    unfinished.unlink(missing_ok=True)
    copy = sqlite3.connect(unfinished, isolation_level=None)
    try:
        # In a transaction of its own the source stands still, however much is committed meanwhile; outside of one,
        # every commit between two steps would have the copy begin again.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM meta").fetchone()
        connection.backup(copy, pages=pages, sleep=PAUSE_S)
        connection.execute("COMMIT")
        # One file that needs no log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        copy.close()


def _verified(path: Path) -> tuple[int, str, bytes]:
    """(sequence, at, hash) of the last entry, after the copy was found whole."""
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            schema.check(connection, path)
            (damage,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if damage != "ok":
                raise StoreCorrupt(f"the copy {path} is not whole: {damage}")
            last = 0, "", GENESIS
            for sequence, at, body, stored in connection.execute(ENTRIES):
                if link(last[2], sequence, at, body) != stored:
                    raise StoreCorrupt(f"the copy {path} has a journal entry {sequence} that is not what was written")
                last = sequence, at, stored
            return last
        finally:
            connection.close()


def _settle(unfinished: Path, target: Path) -> int:
    """Gives the copy its name once it is on disk, and has the name there too. Returns its size in bytes."""
    for path, move in ((unfinished, True), (target.parent, False)):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if move:
            unfinished.rename(target)
    return target.stat().st_size
