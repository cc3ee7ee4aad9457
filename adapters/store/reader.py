"""Questions to a store, for people and tools: read-only, bounded in rows and in time, exact in their answers.

A reader may look while the daemon writes, in the same process or in another; each answer is of one moment.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Concatenate, Final, Literal, NamedTuple, ParamSpec, Self, TypeVar, Union

from msgspec import Struct, convert, json, msgpack

from actors.journal import Entry
from adapters.sqlite import Connection
from adapters.store import schema
from adapters.store.connect import FILE, reading
from adapters.store.errors import StoreCorrupt, translated
from engine.codec import EVENTS
from engine.events import Event
from engine.ledger import Balance, Position
from engine.order import Order
from engine.values import Side, read_number

MAX_ROWS: Final = 1000
"""The most that one question is answered with."""
QUERY_S: Final = 5.0
ENTRIES_AT_ONCE: Final = 32
_OPCODES_PER_LOOK: Final = 1_000_000
"""How often a query looks at the clock, in steps of SQLite's machine: some tens of milliseconds."""

P = ParamSpec("P")
T = TypeVar("T")
Where = dict[str, Any]

_events: Final = msgpack.Decoder(list[tuple[str, Union[EVENTS]]], dec_hook=read_number).decode  # type: ignore[valid-type]  # noqa: UP007 - made from a tuple
_order: Final = json.Decoder(Order, dec_hook=read_number).decode
_position: Final = json.Decoder(Position, dec_hook=read_number).decode
_balance: Final = json.Decoder(Balance, dec_hook=read_number).decode


class Trade(Struct, frozen=True, kw_only=True):
    """A booked fill."""

    trade_id: str
    timestamp: datetime
    ticker: str
    direction: Side
    size: Decimal
    price: Decimal
    order_id: str
    strategy_id: str | None
    profile_version_id: str | None
    regime_id: str | None
    universe_id: str | None
    decision_id: str | None
    subscriber_id: str
    exchange: str
    venue: str
    execution_id: str
    commission: Decimal
    currency: str
    multiplier: Decimal
    realized: Decimal


class Held(NamedTuple):
    """A position and whose it is."""

    subscriber_id: str
    position: Position


class Purse(NamedTuple):
    """A cash balance and whose it is."""

    subscriber_id: str
    balance: Balance


class Decision(NamedTuple):
    """How a request was answered: the event, with its figures, and its place in the journal."""

    sequence: int
    place: int
    """Among the entry's events."""
    event: Event


class Reader:
    """A read-only connection to the store in a folder. Open it with `await Reader.open(folder)`; close it."""

    def __init__(self, path: Path, connection: Connection, query_s: float = QUERY_S) -> None:
        self.path = path
        self.query_s = query_s
        """How long a question may take."""
        self._connection = connection

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Opens the folder's store to read. Raises StoreUnreadable where there is none of ours."""
        path = folder / FILE
        return cls(path, await reading(path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Gives the connection back."""
        await self._connection.close()

    async def meta(self) -> dict[str, Any]:
        """What is known of the store itself: schema, partition, created, engine, sequence."""
        return await self._ask(_meta)

    async def order(self, order_id: str) -> Order | None:
        """One order, or None."""
        found = await self.orders(order_id=order_id)
        return found[0] if found else None

    async def orders(self, *, before: str | None = None, limit: int = 100, **where: Any) -> list[Order]:
        """Orders, newest first, that have these values in these columns (`status="WORKING"`, `open=True`, …)."""
        rows = await self._ask(_select, "orders", "order_id", "state", where, before, limit)
        return [_order(state) for _, state in rows]

    async def trades(self, *, before: str | None = None, limit: int = 100, **where: Any) -> list[Trade]:
        """Trades, newest first, that have these values in these columns."""
        rows = await self._ask(_select, "trades", "trade_id", "body", where, before, limit)
        return [_trade(trade_id, body) for trade_id, body in rows]

    async def positions(self, subscriber_id: str | None = None, limit: int = MAX_ROWS) -> list[Held]:
        """Positions of a subscriber, or of all."""
        rows = await self._ask(_parts, "position", subscriber_id, limit)
        return [Held(address[11:], _position(state)) for address, state in rows]

    async def cash(self, subscriber_id: str | None = None, limit: int = MAX_ROWS) -> list[Purse]:
        """Cash balances of a subscriber, or of all."""
        rows = await self._ask(_parts, "cash", subscriber_id, limit)
        return [Purse(address[11:], _balance(state)) for address, state in rows]

    async def decisions(self, *, limit: int = 20, oldest: bool = False, **where: Any) -> list[Decision]:
        """Answers to requests (`request_id="r-1"`, `code="NO_PRICE"`, …), newest or oldest first, as they were made."""
        decided: list[Decision] = []
        entry: tuple[int, list[tuple[str, Event]]] = (0, [])
        for sequence, place in await self._ask(_decisions, where, limit, "ASC" if oldest else "DESC"):
            if entry[0] != sequence:
                # One entry at a time: it holds a whole batch, of which one event is wanted.
                entry = sequence, decoded(self.path, sequence, await self._ask(_body, sequence))
            decided.append(Decision(sequence, place, entry[1][place][1]))
        return decided

    async def rows(self, table: str, limit: int = 100) -> list[dict[str, Any]]:
        """The last rows of one of the distribution service's tables, as they are, newest first."""
        return await self._ask(_rows, table, limit)

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """Journal entries after a sequence, ascending, read a few at a time."""
        async for entry in entries_after(self._connection, self.path, after):
            yield entry

    async def _ask(
        self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        with translated(self.path):
            return await self._connection.run(
                _in_time, self.query_s, lambda connection: question(connection, *args, **named)
            )


async def entries_after(connection: Connection, path: Path, after: int) -> AsyncIterator[Entry]:
    """Journal entries after a sequence, ascending, over a connection that is open."""
    while True:
        with translated(path):
            found = await connection.run(_entries, after)
        for sequence, at, body in found:
            yield Entry(sequence, datetime.fromisoformat(at), decoded(path, sequence, body), body)
            after = sequence
        if len(found) < ENTRIES_AT_ONCE:
            return


def decoded(path: Path, sequence: int, body: bytes) -> list[tuple[str, Event]]:
    """The events of a journal entry. Raises StoreCorrupt where the body is none."""
    try:
        return _events(body)
    except ValueError as error:
        raise StoreCorrupt(f"{path}: journal entry {sequence} cannot be read: {error}") from error


def _in_time(connection: sqlite3.Connection, seconds: float, question: Callable[[sqlite3.Connection], T]) -> T:
    """Runs a question, and ends it where it takes too long: not every column has an index."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, _OPCODES_PER_LOOK)
    try:
        return question(connection)
    finally:
        connection.set_progress_handler(None, 0)


def _bounded(limit: int) -> int:
    return max(0, min(limit, MAX_ROWS))


def _conditions(connection: sqlite3.Connection, table: str, where: Where) -> tuple[list[str], list[Any]]:
    """`column = ?` for every column asked for; a name that is no column is a ValueError, never SQL."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for name in where:
        if name not in columns or name in ("state", "body"):
            raise ValueError(f"{table} have no {name!r}; they have {', '.join(sorted(columns - {'state', 'body'}))}")
    return [f"{name} IS ?" for name in where], list(where.values())


def _select(
    connection: sqlite3.Connection, table: str, key: str, column: str, where: Where, before: str | None, limit: int
) -> list[tuple[str, str]]:
    conditions, values = _conditions(connection, table, where)
    if where.get("open"):
        # The index on open orders serves only the condition that it was made with.
        conditions.append("open")
    if before is not None:
        conditions.append(f"{key} < ?")
        values.append(before)
    clause = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {key}, {column} FROM {table} {clause} ORDER BY {key} DESC LIMIT ?"
    return connection.execute(query, (*values, _bounded(limit))).fetchall()


def _parts(connection: sqlite3.Connection, name: str, subscriber_id: str | None, limit: int) -> list[tuple[str, str]]:
    whose = "address >= 'subscriber/' AND address < 'subscriber0'" if subscriber_id is None else "address = ?"
    query = f"SELECT address, state FROM actors WHERE {whose} AND part >= '{name}/' AND part < '{name}0' LIMIT ?"
    values = () if subscriber_id is None else (f"subscriber/{subscriber_id}",)
    return connection.execute(query, (*values, _bounded(limit))).fetchall()


def _decisions(
    connection: sqlite3.Connection, where: Where, limit: int, order: Literal["ASC", "DESC"]
) -> list[tuple[int, int]]:
    conditions, values = _conditions(connection, "decisions", where)
    clause = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT seq, idx FROM decisions {clause} ORDER BY seq {order}, idx {order} LIMIT ?"
    return connection.execute(query, (*values, _bounded(limit))).fetchall()


def _body(connection: sqlite3.Connection, sequence: int) -> bytes:
    found: tuple[bytes] | None = connection.execute("SELECT body FROM journal WHERE seq = ?", (sequence,)).fetchone()
    return b"" if found is None else found[0]


def _rows(connection: sqlite3.Connection, table: str, limit: int) -> list[dict[str, Any]]:
    if table not in ("execution_topics", "execution_subscriptions", "distribution_audit"):
        raise ValueError(f"there is no table {table!r} to read rows of")
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT ?", (_bounded(limit),))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _meta(connection: sqlite3.Connection) -> dict[str, Any]:
    return dict(connection.execute("SELECT name, value FROM meta").fetchall())


def _entries(connection: sqlite3.Connection, after: int) -> list[tuple[int, str, bytes]]:
    query = "SELECT seq, at, body FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
    return connection.execute(query, (after, ENTRIES_AT_ONCE)).fetchall()


def _trade(trade_id: str, body: str) -> Trade:
    return convert({"trade_id": trade_id, **dict(zip(schema.TRADE, json.decode(body), strict=True))}, Trade)
