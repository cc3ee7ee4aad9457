"""How a store is opened: the settings of each kind of connection, and the look at the file that opening costs."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from adapters.sqlite import Connection
from adapters.store import schema
from adapters.store.chain import GENESIS, link
from adapters.store.errors import StoreCorrupt, StoreUnreadable, translated
from adapters.store.rows import BATCH

FILE: Final = "store.sqlite"
CHECKED_ENTRIES: Final = 32
"""The journal's last entries, whose hashes are computed again at every start."""
CACHE_KIB: Final = 16 << 10


async def writing(path: Path) -> Connection:
    """The one connection that commits; makes the file's tables where there are none."""
    connection = _connected(path, f"file:{quote(str(path))}?mode=rwc")
    try:
        with translated(path):
            await connection.run(_prepare_writer)
    except BaseException:
        await connection.close()
        raise
    return connection


def _prepare_writer(connection: sqlite3.Connection) -> None:
    # Deleted rows need no zeroes written over them: it is the same disk that the journal is on, for good.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA busy_timeout = 5000")
    # Checkpoints are made in adapters/store/checkpoint.py, not by the commit that finds the log long.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA synchronous = FULL")


async def reading(path: Path, cache_kib: int = 8 << 10) -> Connection:
    """A connection that can only read; it sees what is committed when a statement begins."""
    connection = _connected(path, f"file:{quote(str(path))}?mode=ro")
    try:
        with translated(path):
            await connection.run(_prepare_reader, path, cache_kib)
    except BaseException:
        await connection.close()
        raise
    return connection


def _prepare_reader(connection: sqlite3.Connection, path: Path, cache_kib: int) -> None:
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA busy_timeout = 5000")
    schema.check(connection, path)


def _connected(path: Path, uri: str) -> Connection:
    schema.check_sqlite()
    with translated(path):
        return Connection(uri, uri=True)


def open_store(connection: sqlite3.Connection, path: Path, partition: int) -> bytes:
    """Makes the tables or checks them, prepares the commits, and returns the hash of the journal's last entry."""
    if schema.is_new(connection):
        schema.create(connection, partition, datetime.now(UTC))
    schema.check(connection, path, partition)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnreadable(f"{path} cannot have a write-ahead log (journal mode {mode}): is it on a network disk?")
    connection.executescript(BATCH)
    return last_hash(connection, path)


def last_hash(connection: sqlite3.Connection, path: Path) -> bytes:
    """The hash that the next entry follows, after the last entries were found to follow each other."""
    rows = connection.execute(
        "SELECT seq, at, body, hash FROM journal ORDER BY seq DESC LIMIT ?", (CHECKED_ENTRIES + 1,)
    ).fetchall()
    rows.reverse()
    if len(rows) <= CHECKED_ENTRIES:
        previous = GENESIS
    else:
        previous = rows.pop(0)[3]
    for seq, at, body, hash_ in rows:
        if link(previous, seq, at, body) != hash_:
            raise StoreCorrupt(f"{path}: journal entry {seq} is not what was written. Restore the store from a backup.")
        previous = hash_
    return previous
