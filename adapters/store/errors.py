"""What can be wrong with a store, each with a sentence for a person; SQLite's own errors end here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class StoreError(Exception):
    """The store cannot be used."""


class StoreLocked(StoreError):
    """Another process writes to this store."""


class StoreUnreadable(StoreError):
    """The store is not there, not ours, of another version or another partition, or may not be read."""


class StoreCorrupt(StoreError):
    """The file is damaged: what it says cannot be believed."""


class QueryTooLong(StoreError):
    """A query took longer than a query may."""


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is damaged."""
    # An extended code has the primary one in its low byte; text that is none is sqlite3's own error, without a code.
    code = getattr(error, "sqlite_errorcode", None)
    return "decode" in str(error) if code is None else code & 0xFF in _BROKEN


def described(error: sqlite3.Error) -> str:
    """An error of SQLite with the name that its documentation knows it by."""
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises SQLite's errors as ours, with the file that they are about."""
    try:
        yield
    except sqlite3.Error as error:
        if is_corrupt(error):
            raise StoreCorrupt(f"{path} is damaged: {described(error)}. Restore it from a backup.") from error
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise QueryTooLong(f"the query on {path} took too long and was ended; ask for less at once") from error
        if not path.exists():
            raise StoreUnreadable(f"there is no store at {path}: {described(error)}") from error
        raise StoreUnreadable(f"{path} cannot be used: {described(error)}") from error
