"""What is written beside the commits: delivery audits, workflow subscriptions, and the removal of old keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from msgspec import json

Position = tuple[str, str]
"""(key, subscriber_id): where a removal of old keys has come to."""


class AuditRow(NamedTuple):
    """One delivery, as `distribution_audit` has it."""

    event_id: str
    topic_name: str
    routing_key: str
    delivery_status: str
    delivery_time_ms: float | None = None
    retry_count: int = 0


class WorkflowSubscription(NamedTuple):
    """A workflow's subscription to a topic, as `execution_subscriptions` has it; `filters` is JSON."""

    subscription_id: str
    topic_name: str
    subscriber_workflow: str
    filters: str | None = None
    delivery_guarantee: str = "at_least_once"
    status: str = "active"


_AUDIT: Final = """
INSERT INTO distribution_audit
    SELECT printf('A%016x', ? + key), json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
        json_extract(value, '$[5]'), ?
    FROM json_each(CAST(? AS TEXT))
"""
_SUBSCRIBE: Final = """
INSERT INTO execution_subscriptions VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (subscription_id) DO UPDATE SET topic_name = excluded.topic_name,
    subscriber_workflow = excluded.subscriber_workflow, filters = excluded.filters,
    delivery_guarantee = excluded.delivery_guarantee, status = excluded.status
"""
_END_OF_LOOK: Final = """
SELECT key, subscriber_id FROM idempotency WHERE (key, subscriber_id) > (?, ?)
ORDER BY key, subscriber_id LIMIT 1 OFFSET ?
"""
_PURGE: Final = """
DELETE FROM idempotency WHERE (key, subscriber_id) > (?, ?) AND (key, subscriber_id) <= (?, ?) AND at < ?
    AND NOT EXISTS (
        SELECT 1 FROM json_each(outcome, '$.orders') AS named JOIN order_states ON order_id = named.value
        WHERE open
    )
"""
_LAST: Final = ("\U0010ffff", "")


def audit(connection: sqlite3.Connection, rows: Sequence[AuditRow], at: str) -> None:
    """Adds rows to `distribution_audit`, all or none."""
    if rows:
        first = _next(connection, "distribution_audit")
        connection.execute(_AUDIT, (first, at, json.encode(rows)))


def subscribe(connection: sqlite3.Connection, subscription: WorkflowSubscription, at: str) -> None:
    """Adds or replaces a subscription."""
    id_ = f"S{_next(connection, 'execution_subscriptions'):016x}"
    connection.execute(_SUBSCRIBE, (id_, *subscription, at))


def purge(connection: sqlite3.Connection, position: Position, before: str, rows: int) -> tuple[Position, int]:
    """Looks at `rows` keys after a position; removes those older than `before` whose orders are done.

    Returns where to go on, and how many were removed. There is no index by time, which every order would pay for.
    """
    end: Any = connection.execute(_END_OF_LOOK, (*position, rows - 1)).fetchone()
    removed = connection.execute(_PURGE, (*position, *(end or _LAST), before)).rowcount
    return end or ("", ""), removed


def _next(connection: sqlite3.Connection, table: str) -> int:
    """The number after the largest id: one letter and 16 hexadecimal digits."""
    (last,) = connection.execute(f"SELECT max(id) FROM {table}").fetchone()
    return int(last[1:], 16) + 1 if last else 1
