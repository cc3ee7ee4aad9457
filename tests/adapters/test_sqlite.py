"""A SQLite connection whose quick work is done in place, and never beside what its thread does."""

from __future__ import annotations

import asyncio
import sqlite3
from threading import Event

from adapters.sqlite import Connection


async def test_work_that_is_cancelled_while_it_waits_does_not_hide_what_is_under_way() -> None:
    connection = Connection(":memory:")
    goes_on = Event()

    def slow(_: sqlite3.Connection) -> None:
        goes_on.wait(10)

    under_way = asyncio.ensure_future(connection.run(slow))
    waiting = asyncio.ensure_future(connection.run(slow))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not connection.idle
    goes_on.set()
    await under_way
    assert connection.idle
    await connection.close()
