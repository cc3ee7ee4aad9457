"""What the partition asks of the store: where to go on, states of actors, answers to keys. Each in one step.

sqlite3 gives Python's lock away and takes it back at every row, so the rows are put together within SQLite: what was
asked for goes in as one JSON list, what was found comes out as one value, and what is not there costs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from msgspec import json

from actors.journal import Key, Loaded, Prior, Start
from actors.memory import RESTLESS
from engine.messages import Outcome

_FIELD, _ROW = b"\x1f", b"\x1e"
"""Control characters, which JSON escapes and no id holds."""


def _joined(*columns: str) -> str:
    return f"CAST(group_concat({' || char(31) || '.join(columns)}, char(30)) AS BLOB)"


_PARTS: Final = _joined("actors.address", "actors.part", "actors.state")
_ORDERS: Final = _joined("order_id", "state")
_KEYS: Final = _joined("i.subscriber_id", "i.key", "i.fingerprint", "i.outcome")

_FIND: Final = f"""
SELECT
    (SELECT {_PARTS} FROM json_each(CAST(? AS TEXT)) AS asked CROSS JOIN actors ON actors.address = asked.value),
    (SELECT {_ORDERS} FROM json_each(CAST(? AS TEXT)) AS asked CROSS JOIN order_states ON order_id = asked.value),
    (SELECT {_KEYS} FROM json_each(CAST(? AS TEXT)) AS asked CROSS JOIN idempotency AS i
        ON i.key = json_extract(asked.value, '$[1]') AND i.subscriber_id = json_extract(asked.value, '$[0]'))
"""
_START: Final = f"""
SELECT
    max((SELECT value FROM meta WHERE name = 'sequence'), coalesce((SELECT max(seq) FROM journal), 0)),
    (SELECT {_PARTS} FROM json_each(?) AS kind CROSS JOIN actors
        ON actors.address >= kind.value || '/' AND actors.address < kind.value || '0'),
    (SELECT {_ORDERS} FROM order_states INDEXED BY open_orders WHERE open)
"""

_outcome: Final = json.Decoder(Outcome).decode

Found = bytes | None


def find(connection: sqlite3.Connection, addresses: bytes, orders: bytes, keys: bytes) -> tuple[Found, Found, Found]:
    """What is known of these addresses, order ids and [subscriber_id, key]s (JSON lists), for `loaded`."""
    found: tuple[Found, Found, Found] = connection.execute(_FIND, (addresses, orders, keys)).fetchone()
    return found


def loaded(parts: Found, orders: Found, keys: Found) -> Loaded:
    """What `find` found, taken apart."""
    priors: dict[Key, Prior] = {}
    for subscriber_id, key, fingerprint, outcome in _rows(keys):
        priors[subscriber_id.decode(), key.decode()] = Prior(fingerprint.decode(), _outcome(outcome))
    return Loaded(_states(parts, orders), priors)


def start(connection: sqlite3.Connection) -> Start:
    """What was durable when the process began."""
    sequence, parts, orders = connection.execute(_START, (json.encode(RESTLESS).decode(),)).fetchone()
    mail = connection.execute(
        "SELECT number, address, CAST(message AS BLOB), sender FROM mail ORDER BY number"
    ).fetchall()
    cursors = dict(connection.execute("SELECT name, position FROM cursors").fetchall())
    return Start(sequence, _states(parts, orders), mail, cursors)


def last_before(connection: sqlite3.Connection, at: str) -> int:
    """The last batch before a time, looked for from the end; 0 for none."""
    query = "SELECT seq FROM journal WHERE at < ? ORDER BY seq DESC LIMIT 1"
    found: tuple[int] | None = connection.execute(query, (at,)).fetchone()
    return 0 if found is None else found[0]


def _states(parts: Found, orders: Found) -> dict[str, dict[str, bytes]]:
    states: dict[str, dict[str, bytes]] = {}
    for address, part, state in _rows(parts):
        states.setdefault(address.decode(), {})[part.decode()] = state
    for order_id, state in _rows(orders):
        states[f"order/{order_id.decode()}"] = {"": state}
    return states


def _rows(joined: Found) -> Iterator[list[bytes]]:
    if joined:
        for row in joined.split(_ROW):
            yield row.split(_FIELD)
