"""The tables: what each holds, how it is keyed, and why.

States are kept as JSON, so that a person can read them; the columns that one asks by are projections of them in views:
`orders`, `trades`, `decisions`, `positions`, `cash`. (A generated column, even a virtual one, is computed by every
INSERT: with them a commit cost half as much again.) Every key that grows with orders is itself growing, so that rows
are appended and a commit touches few pages. `idempotency` is keyed by key first: one signal to ten thousand
subscribers is then one place in the tree instead of ten thousand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from adapters.store.errors import StoreUnreadable
from engine.distribute import DATA_TYPES

VERSION: Final = 1
APPLICATION: Final = 0x54524457
"""SQLite's application id of our files: 'TRDW'."""
PAGE_BYTES: Final = 8192
"""An order's state is about a kilobyte: in a smaller page it would need a page of its own."""
OLDEST_SQLITE: Final = (3, 35, 0)

TRADE: Final = (
    "timestamp",
    "ticker",
    "direction",
    "size",
    "price",
    "order_id",
    "strategy_id",
    "profile_version_id",
    "regime_id",
    "universe_id",
    "decision_id",
    "subscriber_id",
    "exchange",
    "venue",
    "execution_id",
    "commission",
    "currency",
    "multiplier",
    "realized",
)
"""The columns of a trade after its id, in the order of its body."""

DECISION: Final = ("kind", "subscriber_id", "request_id", "signal_id", "strategy_id", "code")
"""The columns of a decision after its place in the journal, in the order of its body."""


def _listed(names: Iterable[str]) -> str:
    return ",\n        ".join(f"json_extract(body, '$[{at}]') AS {name}" for at, name in enumerate(names))


def _fields(names: str, otherwise: str = "", within: str = "") -> str:
    found = {name: f"json_extract(state, '$.{within}{name}')" for name in names.split()}
    values = {name: f"coalesce({value}, {otherwise})" if otherwise else value for name, value in found.items()}
    return ",\n        ".join(f"{value} AS {name}" for name, value in values.items())


_TICKET: Final = (
    "subscriber_id strategy_id signal_id request_id account "
    "venue exchange symbol currency side order_type time_in_force"
)

TABLES: Final = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Every event of a batch: msgpack of [[address, event], ...]. `hash` chains the entries (adapters/store/chain.py).
CREATE TABLE journal(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL);

-- The last state of each actor but orders, a row a part.
CREATE TABLE actors(
    address TEXT NOT NULL, part TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY(address, part)
) WITHOUT ROWID;

-- The state of the actor `order/<order_id>`. A row stays when its order is done, so that a late fill finds its order.
CREATE TABLE order_states(order_id TEXT PRIMARY KEY, open INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX open_orders ON order_states(order_id) WHERE open;
CREATE VIEW orders AS SELECT order_id, open, state,
        {_fields(_TICKET, within="ticket.")},
        {_fields("status quantity limit_price venue_order_id reason updated_at")},
        {_fields("filled notional commission", otherwise="'0'")},
        round(CAST(json_extract(state, '$.notional') AS REAL) / CAST(json_extract(state, '$.filled') AS REAL), 8)
            AS average_price
    FROM order_states;

-- Every fill that was booked. A body is a list, a third of the size of a document with names.
CREATE TABLE trade_bodies(trade_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE VIEW trades AS SELECT trade_id, body,
        {_listed(TRADE)}
    FROM trade_bodies;

-- Where in the journal each answer to a request stands, and what it can be found by.
CREATE TABLE decision_places(
    seq INTEGER NOT NULL, idx INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(seq, idx)
) WITHOUT ROWID;
CREATE VIEW decisions AS SELECT seq, idx, body,
        {_listed(DECISION)}
    FROM decision_places;

CREATE TABLE idempotency(
    subscriber_id TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, outcome TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY(key, subscriber_id)
) WITHOUT ROWID;

-- What batches left undelivered, in the order of delivery; mostly empty.
CREATE TABLE mail(number INTEGER PRIMARY KEY, address TEXT NOT NULL, sender TEXT NOT NULL, message TEXT NOT NULL);

CREATE TABLE cursors(name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE VIEW positions AS SELECT substr(address, 12) AS subscriber_id,
        {_fields("exchange symbol currency multiplier")},
        {_fields("quantity cost realized commission", otherwise="'0'")},
        {_fields("working_buy working_sell reserved_buy reserved_sell", otherwise="'0'")}
    FROM actors
    WHERE address >= 'subscriber/' AND address < 'subscriber0' AND part >= 'position/' AND part < 'position0';
CREATE VIEW cash AS SELECT substr(address, 12) AS subscriber_id,
        {_fields("currency day")},
        {_fields("amount commission day_equity", otherwise="'0'")}
    FROM actors
    WHERE address >= 'subscriber/' AND address < 'subscriber0' AND part >= 'cash/' AND part < 'cash0';

-- The three tables of the distribution service. Ids are text that grows: a random one would dirty a page a row.
CREATE TABLE execution_topics(
    id TEXT PRIMARY KEY,
    topic_name TEXT NOT NULL UNIQUE CHECK(length(topic_name) <= 200),
    data_type TEXT NOT NULL CHECK(length(data_type) <= 50),
    partitions INTEGER NOT NULL DEFAULT 1,
    retention_policy TEXT DEFAULT '7d' CHECK(length(retention_policy) <= 50),
    latency_requirement_ms INTEGER DEFAULT 100,
    enabled INTEGER DEFAULT 1,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
CREATE TABLE execution_subscriptions(
    id TEXT PRIMARY KEY,
    subscription_id TEXT NOT NULL UNIQUE CHECK(length(subscription_id) <= 100),
    topic_name TEXT NOT NULL CHECK(length(topic_name) <= 200),
    subscriber_workflow TEXT NOT NULL CHECK(length(subscriber_workflow) <= 100),
    filters TEXT CHECK(filters IS NULL OR json_valid(filters)),
    delivery_guarantee TEXT DEFAULT 'at_least_once' CHECK(length(delivery_guarantee) <= 20),
    status TEXT DEFAULT 'active' CHECK(length(status) <= 20),
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
CREATE TABLE distribution_audit(
    id TEXT PRIMARY KEY,
    event_id TEXT NOT NULL CHECK(length(event_id) <= 100),
    topic_name TEXT NOT NULL CHECK(length(topic_name) <= 200),
    routing_key TEXT NOT NULL CHECK(length(routing_key) <= 200),
    delivery_status TEXT NOT NULL CHECK(length(delivery_status) <= 20),
    delivery_time_ms REAL,
    retry_count INTEGER DEFAULT 0,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
"""


def engine_version() -> str:
    """The version of this program, as installed."""
    try:
        return version("tradewright")
    except PackageNotFoundError:
        return "not installed"


def create(connection: sqlite3.Connection, partition: int, now: datetime) -> None:
    """Makes the tables in an empty file, in one transaction: after a crash there is all of it, or nothing."""
    # The page size counts only before anything is written, the journal mode not within a transaction.
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    meta = (
        ("schema", VERSION),
        ("partition", partition),
        ("created", now.astimezone(UTC).isoformat()),
        ("engine", engine_version()),
        ("sequence", 0),
    )
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
    topics = ((f"T{at:016x}", f"execution/{kind}", kind.upper()) for at, kind in enumerate(DATA_TYPES))
    connection.executemany("INSERT INTO execution_topics(id, topic_name, data_type) VALUES (?, ?, ?)", topics)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty, as SQLite leaves it before the first transaction."""
    (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return bool(count == 0 and application == 0)


def check(connection: sqlite3.Connection, path: Path, partition: int | None = None) -> None:
    """Raises StoreUnreadable unless the file is ours, of this version, and of this partition if one is given."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        raise StoreUnreadable(f"{path} is a SQLite file, but not a store of tradewright")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise StoreUnreadable(f"{path} has schema {found}, made by a later tradewright; this one reads {VERSION}")
    if found < VERSION:
        raise StoreUnreadable(
            f"{path} has schema {found}, and this tradewright reads only {VERSION}: use the one that made it"
        )
    if partition is None:
        return
    (owner,) = connection.execute("SELECT value FROM meta WHERE name = 'partition'").fetchone()
    if owner != partition:
        raise StoreUnreadable(f"{path} is the store of partition {owner}, not of {partition}")


def check_sqlite() -> None:
    """Raises StoreUnreadable where Python was built with a SQLite that lacks what the schema needs."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StoreUnreadable(f"SQLite {sqlite3.sqlite_version} is too old for the store: {needed} or newer is needed")
