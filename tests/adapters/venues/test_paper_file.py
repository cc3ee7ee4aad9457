"""The paper venue says nothing before it is on disk, and believes only the disk, whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.venues.paper import PaperVenue
from adapters.venues.paper_file import Count, read_counts
from engine.reports import (
    Accepted,
    Canceled,
    CancelVenueOrder,
    Filled,
    Replaced,
    ReplaceVenueOrder,
    SessionDown,
    SessionUp,
    Snapshot,
)
from tests.adapters.venues.conftest import Open
from tests.adapters.venues.desk import Desk, order, quote

D = Decimal
ROOT = Path(__file__).parents[3]


@pytest.mark.anyio
async def test_what_is_reported_is_in_the_file_already(path: Path) -> None:
    """Looked at from another connection, at the very moment of the report."""
    venue = PaperVenue("paper", path)
    seen: list[Filled] = []
    ended: list[str] = []

    def deliver(reports: list[Any]) -> None:
        counts = read_counts(path)
        for report in reports:
            if isinstance(report, Accepted):
                assert report.client_order_id in counts
            if isinstance(report, Filled):
                assert counts[report.client_order_id].filled == report.quantity
                seen.append(report)
            if isinstance(report, Canceled):
                assert counts[report.client_order_id].status == "CANCELED"
                ended.append(report.client_order_id)

    await venue.start(deliver)
    venue.on_market(quote(size="1000"))
    try:
        for number in range(0, 60, 3):
            venue.submit([order(f"{number + step:03}") for step in range(3)])
            await asyncio.sleep(0)
        venue.submit([order("z", limit="1"), CancelVenueOrder(client_order_id="z")])
    finally:
        await venue.stop()
    assert (len(seen), ended) == (60, ["z"])


CHILD = """
import asyncio, sys
from pathlib import Path
from adapters.venues.paper import PaperVenue
from engine.reports import Filled
from tests.adapters.venues.desk import order, quote

async def main():
    def deliver(reports):
        for report in reports:
            if isinstance(report, Filled):
                print(report.client_order_id, report.execution_id, flush=False)
        sys.stdout.flush()
    venue = PaperVenue("paper", Path(sys.argv[1]))
    await venue.start(deliver)
    first = int(sys.argv[2])
    while True:
        venue.on_market(quote(size="1000"))
        venue.submit([order(f"{number:09}") for number in range(first, first + 20)])
        first += 20
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_nothing_reported_is_lost_when_the_process_is_killed(open_desk: Open, path: Path) -> None:
    reported: dict[str, str] = {}
    for first in (0, 1_000_000, 2_000_000):
        with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
            [sys.executable, "-c", CHILD, str(path), str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(300)]
            child.kill()
            lines += [line for line in child.stdout if line.endswith("\n")]
        for line in lines:
            name, execution = line.split()
            assert reported.setdefault(execution, name) == name
    counts = read_counts(path)
    assert len(reported) >= 900
    assert len(reported) == len(set(reported.values()))
    for name in reported.values():
        assert counts[name] == Count("FILLED", D(10), D(10), 1)
    desk = await open_desk()
    for name in [*reported.values()][::100]:
        assert (await desk.asks(name)).status == "FILLED"
    assert await desk.venue.counts() == counts  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_ids_go_on_after_a_restart_and_even_in_a_new_file(open_desk: Open, tmp_path: Path) -> None:
    ids = []
    for life, name in enumerate(("old", "old", "new")):
        desk = await open_desk(tmp_path / name)
        await desk.show()
        desk.submit(order(f"{life}"))
        accepted, fill = await desk.hears(f"{life}", Accepted, Filled)
        ids.append((accepted.venue_order_id, fill.execution_id))
        await desk.close()
    for kind in zip(*ids, strict=True):
        assert list(kind) == sorted(set(kind))


@pytest.mark.anyio
async def test_numbers_grow_even_if_the_clock_is_set_back(open_desk: Open, path: Path) -> None:
    desk = await open_desk()
    await desk.show()
    desk.submit(order("a"))
    before = await desk.hears("a", Accepted, Filled)
    await desk.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE orders SET number = number + 1000000000000000")
        connection.execute("UPDATE executions SET number = number + 1000000000000000")
    await desk.start()
    await desk.show()
    desk.submit(order("b"))
    after = await desk.hears("b", Accepted, Filled)
    assert int(after[0].venue_order_id[6:]) == int(before[0].venue_order_id[6:]) + 1000000000000001
    assert int(after[1].execution_id[6:]) == int(before[1].execution_id[6:]) + 1000000000000001


@pytest.mark.anyio
async def test_a_file_that_fails_is_a_session_lost_until_it_works_again(desk: Desk, path: Path) -> None:
    await desk.show()
    desk.submit(order("a", limit="9"))
    await desk.hears("a", Accepted)
    rename(path, "executions", "elsewhere")
    desk.submit(order("b"))
    await desk.until(lambda: isinstance(desk.reports[-1], SessionDown))
    assert "executions" in desk.reports[-1].reason  # type: ignore[union-attr]
    desk.submit(order("c"))
    rename(path, "elsewhere", "executions")
    await desk.until(lambda: isinstance(desk.reports[-1], SessionUp))
    assert [desk.about("b"), desk.about("c")] == [[], []]
    assert (await desk.asks("a")).status == "WORKING"
    await desk.show()
    desk.submit(order("b"))
    await desk.hears("b", Accepted, Filled)


def rename(path: Path, table: str, to: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {to}")


def not_a_database(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")


@pytest.mark.anyio
@pytest.mark.parametrize(("spoil", "said"), [(not_a_database, "not a database"), (of_another_version, "version 7")])
async def test_a_file_of_another_kind_is_refused_at_the_start(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(tmp_path / "paper.sqlite")
    with pytest.raises(sqlite3.DatabaseError, match=said):
        await PaperVenue("paper", tmp_path / "paper.sqlite").start(lambda reports: None)


@pytest.mark.anyio
async def test_an_order_stands_in_the_file_as_it_was_last(desk: Desk, path: Path) -> None:
    desk.submit(order("a", limit="9"), ReplaceVenueOrder(client_order_id="a", quantity=D(7)))
    *_, replaced = await desk.hears("a", Accepted, Replaced)
    assert replaced.limit_price == D(9)
    assert read_counts(path) == {"a": Count("WORKING", D(7), D(0), 0)}
    assert (await desk.venue.counts())["a"].quantity == 7  # type: ignore[attr-defined]
    assert isinstance(await desk.asks("a"), Snapshot)


@pytest.mark.anyio
async def test_nothing_is_written_for_market_data_alone(desk: Desk, path: Path) -> None:
    def size() -> int:
        return path.with_name(path.name + "-wal").stat().st_size

    before = size()
    for _ in range(1000):
        await desk.show()
    await desk.asks("unknown")
    assert size() == before


@pytest.mark.anyio
async def test_a_receiver_that_fails_ends_the_venue_loudly(path: Path) -> None:
    loop = asyncio.get_running_loop()
    told: list[Any] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    def deliver(reports: list[Any]) -> None:
        if reports[0].__class__ is Accepted:
            raise RuntimeError("not today")

    venue = PaperVenue("paper", path)
    await venue.start(deliver)
    venue.submit([order("a", limit="9")])
    with pytest.raises(RuntimeError, match="not today"):
        await venue.stop()
    loop.set_exception_handler(None)
    assert [str(error) for error in told] == ["not today"]
    assert read_counts(path)["a"].status == "WORKING"
