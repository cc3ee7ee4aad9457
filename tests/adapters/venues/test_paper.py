"""What the paper venue promises beyond the contract: nothing is said before it is on disk, whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.venues.paper import PaperVenue
from adapters.venues.paper_file import Count, read_counts
from engine.config import InstrumentSpec
from engine.messages import Bar, Quote
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
from engine.simulation.commission import Schedule
from tests.adapters.venues.desk import Desk, filled, order

pytestmark = pytest.mark.anyio

D = Decimal
ROOT = Path(__file__).parents[3]


async def show(venue: Any, data: Any) -> None:
    venue.on_market(data)


def desk_of(path: Path, **settings: Any) -> Desk:
    return Desk(lambda: PaperVenue("paper", path, **settings), show)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "paper.sqlite"


@pytest.fixture
async def desk(path: Path) -> AsyncIterator[Desk]:
    desk = desk_of(path)
    await desk.start()
    yield desk
    await desk.close()


async def test_what_is_reported_is_in_the_file_already(path: Path) -> None:
    """Looked at from another connection, at the very moment of the report."""
    venue = PaperVenue("paper", path)
    seen, ended = [], asyncio.Event()

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
                ended.set()

    await venue.start(deliver)
    await show(venue, quote_of("1000"))
    for number in range(0, 60, 3):
        venue.submit([order(f"{number + step:03}") for step in range(3)])
        await asyncio.sleep(0)
    venue.submit([order("z", limit="1"), CancelVenueOrder(client_order_id="z")])
    async with asyncio.timeout(10):
        await ended.wait()
    assert len(seen) == 60
    await venue.stop()


def quote_of(size: str) -> Quote:
    return Quote(
        exchange="XNAS",
        symbol="AAPL",
        bid=D("9.99"),
        ask=D("10.01"),
        bid_size=D(size),
        ask_size=D(size),
        at=datetime.now(UTC),
    )


CHILD = """
import asyncio, sys
from pathlib import Path
from adapters.venues.paper import PaperVenue
from engine.reports import Filled
from tests.adapters.venues.desk import order
from tests.adapters.venues.test_paper import quote_of

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
        venue.on_market(quote_of("1000"))
        venue.submit([order(f"{number:09}") for number in range(first, first + 20)])
        first += 20
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


async def test_nothing_reported_is_lost_when_the_process_is_killed(path: Path) -> None:
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
    desk = desk_of(path)
    await desk.start()
    for name in [*reported.values()][::100]:
        assert (await desk.asks(name)).status == "FILLED"
    assert await desk.venue.counts() == counts  # type: ignore[attr-defined]
    await desk.close()


async def test_ids_go_on_after_a_restart_and_even_in_a_new_file(tmp_path: Path) -> None:
    ids = []
    for life, name in enumerate(("old", "old", "new")):
        desk = desk_of(tmp_path / name)
        await desk.start()
        await desk.show()
        desk.submit(order(f"{life}"))
        accepted, fill = await desk.hears(f"{life}", Accepted, Filled)
        ids.append((accepted.venue_order_id, fill.execution_id))
        await desk.close()
    for kind in zip(*ids, strict=True):
        assert list(kind) == sorted(set(kind))


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


@pytest.mark.parametrize(("spoil", "said"), [(not_a_database, "not a database"), (of_another_version, "version 7")])
async def test_a_file_of_another_kind_is_refused_at_the_start(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(tmp_path / "paper.sqlite")
    with pytest.raises(sqlite3.DatabaseError, match=said):
        await PaperVenue("paper", tmp_path / "paper.sqlite").start(lambda reports: None)


async def test_commission_is_charged_per_order_and_goes_on_after_a_crash(path: Path) -> None:
    desk = desk_of(path, commission=Schedule(per_share=D("0.1"), minimum=D(1)))
    await desk.start()
    charged: list[str] = []
    for size in ("4", "8", "8"):
        await desk.show(size=size)
        if not charged:
            desk.submit(order("a", quantity="20", time_in_force="GTC"))
        await desk.until(lambda: isinstance((desk.about("a") or [None])[-1], Filled))
        charged.append(str(desk.about("a")[-1].commission))
        await desk.crash()
    assert charged == ["1.00", "0.20", "0.80"]
    await desk.close()


async def test_latency_passes_before_an_order_arrives(path: Path) -> None:
    desk = desk_of(path, latency_ms=40)
    await desk.start()
    loop = asyncio.get_running_loop()
    await desk.show(ask="10")
    started = loop.time()
    desk.submit(order("a"), order("b"))
    await desk.show(ask="11")
    for name in "ab":
        assert filled(await desk.hears(name, Accepted, Filled)) == [("10", "11")]
    assert 0.04 <= loop.time() - started < 5
    await desk.close()


async def test_bars_fill_a_share_of_their_volume_in_whole_lots(path: Path) -> None:
    spec = InstrumentSpec(
        exchange="XNAS",
        symbol="AAPL",
        currency="USD",
        tick_size=D("0.01"),
        lot_size=D(5),
        min_quantity=D(5),
        min_notional=D(0),
        multiplier=D(1),
        calendar="XNAS",
    )
    desk = desk_of(path, spec=lambda exchange, symbol: spec, participation=D("0.5"))
    await desk.start()
    desk.submit(order("a", quantity="20"))
    await desk.hears("a", Accepted)
    bar = Bar(
        exchange="XNAS",
        symbol="AAPL",
        open=D(10),
        high=D(12),
        low=D(9),
        close=D(11),
        volume=D(29),
        at=datetime.now(UTC),
    )
    await show(desk.venue, bar)
    assert filled(await desk.hears("a", Accepted, Filled)) == [("10", "10")]
    await desk.close()


async def test_market_data_in_one_instrument_is_not_a_market_in_another(desk: Desk) -> None:
    await desk.show(symbol="MSFT")
    desk.submit(order("a", time_in_force="IOC"))
    *_, canceled = await desk.hears("a", Accepted, Canceled)
    assert canceled.reason == "no market"


async def test_a_flood_is_answered_in_order_and_in_full(desk: Desk) -> None:
    """More messages than one group takes, submitted out of their ids' order."""
    await desk.show(size="1000000")
    names = [f"{number * 7919 % 5000:05}" for number in range(5000)]
    desk.submit(*(order(name) for name in names))
    await desk.until(lambda: sum(isinstance(report, Filled) for report in desk.reports) == 5000)
    assert [report.client_order_id for report in desk.reports if isinstance(report, Accepted)] == names
    executions = [int(report.execution_id[6:]) for report in desk.reports if isinstance(report, Filled)]
    assert executions == list(range(executions[0], executions[0] + 5000))


async def test_an_order_stands_in_the_file_as_it_was_last(desk: Desk, path: Path) -> None:
    desk.submit(order("a", limit="9"), ReplaceVenueOrder(client_order_id="a", quantity=D(7)))
    *_, replaced = await desk.hears("a", Accepted, Replaced)
    assert replaced.limit_price == D(9)
    assert read_counts(path) == {"a": Count("WORKING", D(7), D(0), 0)}
    assert (await desk.venue.counts())["a"].quantity == 7  # type: ignore[attr-defined]
    assert isinstance(await desk.asks("a"), Snapshot)


async def test_nothing_is_written_for_market_data_alone(desk: Desk, path: Path) -> None:
    def size() -> int:
        return path.with_name(path.name + "-wal").stat().st_size

    before = size()
    for _ in range(1000):
        await desk.show()
    await desk.asks("unknown")
    assert size() == before
