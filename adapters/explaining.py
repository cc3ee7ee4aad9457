"""`explain`: decisions on a request as the store has them, in words; with a daemon or without one."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

from msgspec import json

from actors.block import BlockActor
from adapters.store.reader import Reader
from engine.blocks import address_of, order_of
from engine.control_events import OverrideUsed, RegimeDeclared
from engine.controls import RegimeChange
from engine.desk import Regimes
from engine.events import Event, RequestAccepted, RequestDenied
from engine.explaining import Explanation, before, explained
from engine.explaining_blocks import part_of, shared
from engine.explaining_targets import Step, explained_set, explained_step
from engine.target_events import TargetsDecided
from engine.work import PREFIX, WorkStarted

MAX_ENTRIES: Final = 100
"""Batches in which the start of an accepted order is looked for: it is mail of that batch."""
NO_REQUEST: Final = "`attach decisions` lists them, and what was INVALID, which is no request"
MAX_DECISIONS: Final = 100
"""A signal is decided once for each who follows it."""


async def explanations(
    reader: Reader, request_id: str, subscriber: str | None = None, limit: int = 20
) -> list[Explanation]:
    """Every decision on a request, oldest first: what became of a set of targets follows on how it was decided."""
    where = {"request_id": request_id} | ({} if subscriber is None else {"subscriber_id": subscriber})
    found = await reader.decisions(limit=limit, oldest=True, **where)
    regimes = await reader._ask(_regimes)
    told = []
    entry: tuple[int, list[tuple[str, Event]]] = (0, [])
    for sequence, place, event in found:
        if not isinstance(event, RequestAccepted | RequestDenied | TargetsDecided | Step):
            continue
        if entry[0] != sequence:
            entry = sequence, await _events(reader, sequence)
        earlier = [one for _, one in entry[1][:place]]
        used = [
            one
            for one in earlier
            if isinstance(one, OverrideUsed)
            and (one.request_id, one.subscriber_id) == (event.request_id, event.subscriber_id)
        ]
        regime = _regime(regimes, event, earlier)
        if isinstance(event, TargetsDecided):
            told.append(explained_set(event, regime, used))
        elif isinstance(event, Step):
            told.append(explained_step(event, regime, used))
        else:
            told.append(
                explained(event, regime, used, await _started(reader, sequence, event), *await _together(reader, event))
            )
    return told


async def _started(reader: Reader, sequence: int, event: RequestAccepted | RequestDenied) -> WorkStarted | None:
    """How an order is worked at our side, from the same batch or one soon after it."""
    names = {ticket.order_id for ticket in event.tickets} if isinstance(event, RequestAccepted) else set()
    if not any(name.startswith(f"{PREFIX}-") for name in names):
        return None
    looked = 0
    async for entry in reader.entries(sequence - 1):
        for _, found in entry.events:
            if isinstance(found, WorkStarted) and found.order_id in names:
                return found
        looked += 1
        if looked >= MAX_ENTRIES:
            break
    return None


async def _together(reader: Reader, event: RequestAccepted | RequestDenied) -> tuple[str | None, str | None]:
    """Who shared a total, and what block an order is a part of and how that was shared."""
    ticket = next((one for one in event.tickets if one.in_block), None) if isinstance(event, RequestAccepted) else None
    sizing = event.sizing
    if ticket is None and (sizing is None or sizing.method != "share"):
        return None, None
    signal = event.strategy_id, event.signal_id
    parts = BlockActor.decode(await reader._ask(_parts, address_of(*signal)))
    share = shared(signal, event.subscriber_id, sizing, parts) if sizing and sizing.method == "share" else None
    if ticket is None:
        return share, None
    order = order_of(parts, ticket)
    whole = None if order is None else await reader.order(order.ticket.order_id)
    return share, part_of(ticket, parts, await reader.order(ticket.order_id), whole)


def _parts(connection: sqlite3.Connection, address: str) -> dict[str, bytes]:
    return dict(connection.execute("SELECT part, state FROM actors WHERE address = ?", (address,)))


def _regime(regimes: Regimes, event: Event, earlier: list[Event]) -> RegimeChange | None:
    """The change before a decision: of the same batch if one came first there, else of a time before it."""
    same = any(isinstance(one, RegimeDeclared) for one in earlier)
    return before(regimes.changes, event.at, same)


async def _events(reader: Reader, sequence: int) -> list[tuple[str, Event]]:
    async for entry in reader.entries(sequence - 1):
        return entry.events
    return []


def _regimes(connection: sqlite3.Connection) -> Regimes:
    query = "SELECT state FROM actors WHERE address = 'desk/main' AND part = 'regimes'"
    row = connection.execute(query).fetchone()
    return Regimes() if row is None else json.decode(row[0], type=Regimes)


def run_explain(folder: Path, request_id: str, subscriber: str | None, as_json: bool) -> int:
    """Prints why a request was answered as it was; returns the exit code."""
    import anyio

    from adapters.store.errors import StoreError

    async def ask() -> list[Explanation]:
        async with await Reader.open(folder) as reader:
            return await explanations(reader, request_id, subscriber, MAX_DECISIONS)

    try:
        found = anyio.run(ask)
    except (StoreError, ValueError) as error:
        return _complain(str(error))
    if not found:
        whose = "" if subscriber is None else f" for subscriber {subscriber}"
        return _complain(f"there is no decision on request {request_id!r}{whose} in {folder}; {NO_REQUEST}")
    if as_json:
        sys.stdout.write(json.encode(found).decode() + "\n")
    else:
        _show(json.decode(json.encode(found)))
    return 0


def _show(found: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from adapters.admin.render_explain import explained_for_a_person

    console = Console()
    console.print(explained_for_a_person(found, console.width))


def _complain(text: str) -> int:
    sys.stderr.write(f"tradewright: {text}\n")
    return 1
