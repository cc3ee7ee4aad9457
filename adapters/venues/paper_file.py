"""The paper venue's memory: its orders and executions in a SQLite file of its own, durable before they are reported.

Rows go in with a handful of multi-row statements per commit. sqlite3 gives the GIL away and takes it back around
every step, so a step per row would leave the writing thread waiting for the event loop, row after row.
Every key grows, `client_order_id` included as long as the engine's ids do, so that a commit touches few pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import json

from adapters.sqlite import Connection
from engine.values import EXACT, ZERO

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    # `place` orders the queue, `terms` is the SubmitOrder as it came, in JSON. Times are RFC 3339.
    """CREATE TABLE orders(
        number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL,
        status TEXT NOT NULL, quantity TEXT NOT NULL, limit_price TEXT, filled TEXT NOT NULL, reason TEXT NOT NULL,
        accepted_at TEXT NOT NULL, changed_at TEXT NOT NULL, terms BLOB NOT NULL) STRICT""",
    # What is open is found at a start without a look at what is not.
    "CREATE INDEX open_orders ON orders(place) WHERE status = 'WORKING'",
    """CREATE TABLE executions(
        number INTEGER PRIMARY KEY, order_number INTEGER NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL,
        commission TEXT NOT NULL, at TEXT NOT NULL) STRICT""",
    "CREATE INDEX executions_of ON executions(order_number, number)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
ORDER_COLUMNS: Final = 11
EXECUTION_COLUMNS: Final = 6
_MOST_ROWS: Final = 256
FEW_ORDERS: Final = 8
"""So many are written in the event loop's thread."""


def _many(statement: str, columns: int, after: str = "") -> dict[int, str]:
    """The statement for 1, 2, 4 ... rows: few enough for sqlite3 to keep all of them prepared."""
    row = f"({','.join('?' * columns)})"
    sizes = [1 << power for power in range(_MOST_ROWS.bit_length())]
    return {size: f"{statement} VALUES {','.join([row] * size)} {after}" for size in sizes}


_ORDERS: Final = _many(
    "INSERT INTO orders",
    ORDER_COLUMNS,
    """ON CONFLICT(number) DO UPDATE SET place = excluded.place, status = excluded.status,
    quantity = excluded.quantity, limit_price = excluded.limit_price, filled = excluded.filled,
    reason = excluded.reason, changed_at = excluded.changed_at""",
)
_EXECUTIONS: Final = _many("INSERT INTO executions", EXECUTION_COLUMNS)
_THESE: Final = "client_order_id IN (SELECT value FROM json_each(?))"
_OF: Final = """SELECT order_number, executions.number, executions.quantity, price, commission, at
    FROM executions JOIN orders ON orders.number = order_number WHERE {} ORDER BY executions.number"""


class OrderRow(NamedTuple):
    """A row of `orders`."""

    number: int
    client_order_id: str
    place: int
    status: str
    quantity: str
    limit_price: str | None
    filled: str
    reason: str
    accepted_at: str
    changed_at: str
    terms: bytes


class ExecutionRow(NamedTuple):
    """A row of `executions`."""

    order_number: int
    number: int
    quantity: str
    price: str
    commission: str
    at: str


class Known(NamedTuple):
    """Orders, and their executions by order number."""

    orders: list[OrderRow]
    executions: dict[int, list[ExecutionRow]]


class Start(NamedTuple):
    """What a venue finds in its file: what is open, the last numbers given out, the greatest client order id."""

    open: Known
    order: int
    execution: int
    newest: str


class Count(NamedTuple):
    """What the file says of one order. `filled` is the sum of its executions, counted by `executions`."""

    status: str
    quantity: Decimal
    filled: Decimal
    executions: int


class PaperFile:
    """The one writing connection. All methods raise sqlite3.Error or OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: Connection | None = None

    async def open(self) -> Start:
        """Opens the file, or makes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = Connection(str(self.path))
        try:
            return await self._connection.run(_open)
        except BaseException:
            await self.close()
            raise

    async def statuses(self, client_order_ids: Sequence[str]) -> dict[str, str]:
        """The status of each of these orders that the file knows."""
        ids = json.encode(client_order_ids).decode()
        query = f"SELECT client_order_id, status FROM orders WHERE {_THESE}"
        return await self._open_one.quick(lambda connection: dict(connection.execute(query, (ids,)).fetchall()))

    async def write(self, orders: list[Any], executions: list[Any], recall: Sequence[str]) -> Known:
        """Makes these rows (their values end to end) durable in one commit; then what is known of `recall`."""
        connection = self._open_one
        few = len(orders) <= FEW_ORDERS * ORDER_COLUMNS and not recall
        return await (connection.quick if few else connection.run)(_write, orders, executions, recall)

    async def close(self) -> None:
        """Closes the file; the write-ahead log goes into it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    @property
    def _open_one(self) -> Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError(f"{self.path} is not open")
        return self._connection


def _open(connection: sqlite3.Connection) -> Start:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute("COMMIT")
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the paper venue's file has version {version}, expected {SCHEMA_VERSION}")
    orders = connection.execute("SELECT * FROM orders WHERE status = 'WORKING' ORDER BY place").fetchall()
    newest = connection.execute(
        "SELECT (SELECT max(number) FROM orders), (SELECT max(number) FROM executions),"
        " (SELECT max(client_order_id) FROM orders)"
    ).fetchone()
    executions = connection.execute(_OF.format("status = 'WORKING'")).fetchall()
    # A replaced order's place may be the greatest number given out.
    order = max([newest[0] or 0, *(row[2] for row in orders)])
    return Start(_known(orders, executions), order, newest[1] or 0, newest[2] or "")


def _write(connection: sqlite3.Connection, orders: list[Any], executions: list[Any], recall: Sequence[str]) -> Known:
    if orders or executions:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _insert(connection, _ORDERS, ORDER_COLUMNS, orders)
            _insert(connection, _EXECUTIONS, EXECUTION_COLUMNS, executions)
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if not recall:
        return Known([], {})
    ids = (json.encode(recall).decode(),)
    found = connection.execute(f"SELECT * FROM orders WHERE {_THESE}", ids).fetchall()
    return _known(found, connection.execute(_OF.format(_THESE), ids).fetchall())


def _insert(connection: sqlite3.Connection, statements: dict[int, str], columns: int, values: list[Any]) -> None:
    first, rows = 0, len(values) // columns
    while rows:
        size = min(1 << rows.bit_length() - 1, _MOST_ROWS)
        after = first + size * columns
        connection.execute(statements[size], values[first:after])
        first, rows = after, rows - size


def _known(orders: Iterable[Any], executions: Iterable[Any]) -> Known:
    by_order: dict[int, list[ExecutionRow]] = {}
    for row in executions:
        by_order.setdefault(row[0], []).append(ExecutionRow._make(row))
    return Known([OrderRow._make(row) for row in orders], by_order)


def read_counts(path: Path) -> dict[str, Count]:
    """Every order in a paper venue's file by client order id, read without disturbing the venue. Raises
    sqlite3.OperationalError where there is no such file."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        filled: dict[int, tuple[Decimal, int]] = {}
        for number, quantity in connection.execute("SELECT order_number, quantity FROM executions"):
            total, count = filled.get(number, (ZERO, 0))
            filled[number] = (EXACT.add(total, Decimal(quantity)), count + 1)
        rows = connection.execute("SELECT number, client_order_id, status, quantity FROM orders ORDER BY number")
        return {
            name: Count(status, Decimal(quantity), *filled.get(number, (ZERO, 0)))
            for number, name, status, quantity in rows
        }
