"""Whether a store is what its journal says: the chain of hashes holds, and the events, folded, give its states."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct, ValidationError, json

from adapters.store import schema
from adapters.store.chain import ENTRIES, GENESIS, link
from adapters.store.connect import FILE
from adapters.store.errors import StoreCorrupt, StoreUnreadable, translated
from adapters.store.reader import decoded
from engine.events import Event
from engine.values import read_number

MAX_PROBLEMS: Final = 20

Fold = Callable[[str, Mapping[str, Any], Event], Mapping[str, Any]]
"""(address, parts, event) -> the parts after it."""
States = dict[str, Mapping[str, Any]]


class Verification(Struct, frozen=True, kw_only=True):
    """What was looked at and what was wrong, at most the first few of it; sound where nothing was."""

    entries: int
    events: int
    states: int
    head: str
    """The hash of the last entry, in hexadecimal: what an auditor writes down."""
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems


class _Problems(list[str]):
    """Collects the first problems and then stops the search."""

    def add(self, text: str) -> None:
        self.append(text)
        if len(self) >= MAX_PROBLEMS:
            raise _EnoughError


class _EnoughError(Exception):
    """There are problems enough."""


def verify(folder: Path, fold: Fold) -> Verification:
    """Looks at the whole store in a folder, as of one moment; blocks for as long as the journal is long.

    Raises StoreUnreadable where there is no store. What is damaged is a problem in the answer, not an exception.
    """
    path = folder / FILE
    if not path.is_file():
        raise StoreUnreadable(f"there is no store at {path}")
    counts = {"entries": 0, "events": 0, "states": 0}
    head = [GENESIS]
    problems = _Problems()
    with translated(path):
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    try:
        with translated(path):
            schema.check(connection, path)
            connection.execute("BEGIN")
            _damage(connection, problems)
            states = _folded(connection, path, fold, counts, head, problems)
            _compare(connection, states, counts, problems)
    except _EnoughError:
        problems.append("there may be more")
    except StoreCorrupt as error:
        problems.append(str(error))
    finally:
        connection.close()
    return Verification(**counts, head=head[0].hex(), problems=tuple(problems))


def _damage(connection: sqlite3.Connection, problems: _Problems) -> None:
    for (text,) in connection.execute("PRAGMA quick_check(5)"):
        if text != "ok":
            problems.add(text)


def _folded(
    connection: sqlite3.Connection,
    path: Path,
    fold: Fold,
    counts: dict[str, int],
    head: list[bytes],
    problems: _Problems,
) -> States:
    """The states that the journal gives; its chain is checked on the way."""
    states: States = {}
    for sequence, at, body, stored in connection.execute(ENTRIES):
        counts["entries"] += 1
        if link(head[0], sequence, at, body) != stored:
            problems.add(f"journal entry {sequence}: its hash does not follow from its content and the entry before it")
        # The stored hash is what later entries were chained to: one broken entry is one problem, not all after it.
        head[0] = stored
        for index, (address, event) in enumerate(decoded(path, sequence, body)):
            counts["events"] += 1
            try:
                states[address] = fold(address, states.get(address, {}), event)
            except Exception as error:  # noqa: BLE001 - whatever an event does to a state it does not fit is a finding
                problems.add(f"journal entry {sequence}, event {index}: {address} cannot take it: {error!r}")
    return states


def _compare(connection: sqlite3.Connection, states: States, counts: dict[str, int], problems: _Problems) -> None:
    """Every stored state is one that the journal gives, and the other way round."""
    missing = {(address, part) for address, parts in states.items() for part in parts}
    for address, part, raw in _stored(connection):
        counts["states"] += 1
        expected = states.get(address, {}).get(part)
        name = f"{address} {part}".strip()
        if expected is None:
            problems.add(f"{name}: stored, but not in the journal")
            continue
        missing.discard((address, part))
        try:
            found = json.decode(raw, type=type(expected), dec_hook=read_number)
        except (ValidationError, ValueError) as error:
            problems.add(f"{name}: cannot be read: {error}")
            continue
        if found != expected:
            problems.add(f"{name}: stored as {found!r}, the journal gives {expected!r}")
    for address, part in sorted(missing):
        problems.add(f"{address} {part}".strip() + ": in the journal, but not stored")


def _stored(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    yield from connection.execute("SELECT address, part, state FROM actors")
    yield from connection.execute("SELECT 'order/' || order_id, '', state FROM order_states")
