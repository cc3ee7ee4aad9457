"""What the paper venue does beyond the contract: what it charges, waits for, keeps in mind and refuses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.venues.paper import MOST_MARKET_WAITING, PaperVenue
from adapters.venues.paper_exchange import PaperExchange
from adapters.venues.paper_file import Known, Start
from engine.config import InstrumentSpec
from engine.messages import Bar
from engine.reports import (
    Accepted,
    Canceled,
    CancelVenueOrder,
    Filled,
    Rejected,
    SessionUp,
)
from engine.simulation.commission import Schedule
from tests.adapters.venues.conftest import Open
from tests.adapters.venues.desk import Desk, filled, order, quote

D = Decimal


@pytest.mark.anyio
async def test_commission_is_charged_per_order_and_goes_on_after_a_crash(open_desk: Open) -> None:
    desk = await open_desk(commission=Schedule(per_share=D("0.1"), minimum=D(1)))
    charged: list[str] = []
    for size in ("4", "8", "8"):
        await desk.show(size=size)
        if not charged:
            desk.submit(order("a", quantity="20", time_in_force="GTC"))
        await desk.until(lambda: isinstance((desk.about("a") or [None])[-1], Filled))
        charged.append(str(desk.about("a")[-1].commission))
        await desk.crash()
    assert charged == ["1.00", "0.20", "0.80"]


@pytest.mark.anyio
async def test_latency_passes_before_an_order_arrives(open_desk: Open) -> None:
    desk = await open_desk(latency_ms=40)
    loop = asyncio.get_running_loop()
    await desk.show(ask="10")
    started = loop.time()
    desk.submit(order("a"), order("b"))
    await desk.show(ask="11")
    for name in "ab":
        assert filled(await desk.hears(name, Accepted, Filled)) == [("10", "11")]
    assert 0.04 <= loop.time() - started < 5


@pytest.mark.anyio
async def test_orders_on_their_way_do_not_arrive_with_the_first(open_desk: Open) -> None:
    desk = await open_desk(latency_ms=40)
    loop = asyncio.get_running_loop()
    started = loop.time()
    desk.submit(order("a", limit="9"))
    loop.call_later(0.02, desk.submit, order("b", limit="9"))
    await desk.hears("b", Accepted)
    assert loop.time() - started >= 0.06


@pytest.mark.anyio
async def test_what_is_submitted_while_the_venue_is_down_is_lost(desk: Desk) -> None:
    venue = desk.venue
    assert isinstance(venue, PaperVenue)
    reports: list[Any] = []
    await venue.stop()
    desk.submit(order("a"))
    venue.on_market(quote())
    await venue.start(reports.extend)
    venue.submit([order("b", time_in_force="IOC")])
    await venue.stop()
    kinds = [(type(report), getattr(report, "client_order_id", "")) for report in reports]
    assert kinds == [(SessionUp, ""), (Accepted, "b"), (Canceled, "b")]


@pytest.mark.anyio
async def test_bars_fill_a_share_of_their_volume_in_whole_lots(open_desk: Open) -> None:
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
    desk = await open_desk(spec=lambda exchange, symbol: spec, participation=D("0.5"))
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
    desk.venue.on_market(bar)  # type: ignore[attr-defined]
    assert filled(await desk.hears("a", Accepted, Filled)) == [("10", "10")]


@pytest.mark.anyio
async def test_market_data_in_one_instrument_is_not_a_market_in_another(desk: Desk) -> None:
    await desk.show(symbol="MSFT")
    desk.submit(order("a", time_in_force="IOC"))
    *_, canceled = await desk.hears("a", Accepted, Canceled)
    assert canceled.reason == "no market"


@pytest.mark.anyio
async def test_a_flood_is_answered_in_order_and_in_full(desk: Desk) -> None:
    """More messages than one group takes, submitted out of their ids' order."""
    await desk.show(size="1000000")
    names = [f"{number * 7919 % 5000:05}" for number in range(5000)]
    desk.submit(*(order(name) for name in names))
    await desk.until(lambda: sum(isinstance(report, Filled) for report in desk.reports) == 5000)
    assert [report.client_order_id for report in desk.reports if isinstance(report, Accepted)] == names
    executions = [int(report.execution_id[6:]) for report in desk.reports if isinstance(report, Filled)]
    assert executions == list(range(executions[0], executions[0] + 5000))


@pytest.mark.anyio
async def test_orders_that_are_over_are_not_kept_in_memory(desk: Desk) -> None:
    await desk.show()
    desk.submit(order("a"), order("b", limit="9"), order("c", quantity="0"), order("d", time_in_force="FOK"))
    await desk.hears("d", Accepted, Filled)
    assert repr(desk.venue) == "<PaperVenue paper up, 1 open orders>"
    await desk.venue.stop()
    assert repr(desk.venue) == "<PaperVenue paper down>"


def test_expiries_of_orders_that_are_over_are_not_kept_in_memory() -> None:
    exchange = PaperExchange("paper", Start(Known([], {}), 0, 0, ""), epoch=1)
    now = datetime.now(UTC)
    names = [f"{number:04}" for number in range(1100)]
    exchange.settle(exchange.answer([order(name, limit="9") for name in names], {}, now))
    assert exchange.due is not None
    exchange.settle(exchange.answer([CancelVenueOrder(client_order_id=name) for name in names], {}, now))
    assert exchange.due is None


@pytest.mark.anyio
async def test_past_the_most_open_orders_one_is_rejected(open_desk: Open) -> None:
    desk = await open_desk(most_open=2)
    desk.submit(order("a", limit="9"), order("b", limit="9"), order("c", limit="9"))
    (rejected,) = await desk.hears("c", Rejected)
    assert rejected.reason == "more than 2 orders are open"
    desk.submit(CancelVenueOrder(client_order_id="a"))
    await desk.hears("a", Accepted, Canceled)
    desk.submit(order("d", limit="9"))
    await desk.hears("d", Accepted)


@pytest.mark.anyio
async def test_market_data_past_a_bound_is_dropped_and_orders_are_not(desk: Desk) -> None:
    venue = desk.venue
    assert isinstance(venue, PaperVenue)
    data = quote(size="10")
    for _ in range(MOST_MARKET_WAITING + 5):
        venue.on_market(data)
    assert venue.market_dropped == 5
    desk.submit(order("a"))
    await desk.hears("a", Accepted, Filled)
