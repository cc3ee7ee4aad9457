"""What the paper venue does itself where it is told to: stops, and orders that show a part of themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.instructions import Instructions
from engine.native import Native
from engine.reports import Accepted, Canceled, CancelVenueOrder, Filled, Rejected, Replaced, ReplaceVenueOrder
from tests.adapters.venues.conftest import Open
from tests.adapters.venues.desk import Desk, filled, order

D = Decimal
ALL: Any = frozenset({"STOP", "STOP_LIMIT", "display_quantity"})


def stop(name: str, price: str, side: str = "SELL", **other: Any) -> Any:
    kind = "STOP_LIMIT" if "limit" in other else "STOP"
    return order(name, side, order_type=kind, native=Native(stop_price=D(price)), **other)


def iceberg(name: str, quantity: str, shown: str, side: str = "SELL", limit: str = "10") -> Any:
    native = Native(told=Instructions(display_quantity=D(shown)))
    return order(name, side, quantity, limit, native=native, time_in_force="GTC")


@pytest.mark.anyio
async def test_a_stop_waits_for_its_price_and_is_a_market_order_then(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    await desk.show()
    desk.submit(stop("a", "9.50"), stop("b", "9.50", limit="9.80"))
    await desk.hears("a", Accepted)
    await desk.show(bid="9.51", ask="9.60")
    await desk.show(bid="9.50", ask="9.60")
    assert filled(await desk.hears("a", Accepted, Filled)) == [("10", "9.50")]
    await desk.hears("b", Accepted)
    await desk.show(bid="9.80", ask="9.90")
    assert filled(await desk.hears("b", Accepted, Filled)) == [("10", "9.80")]


@pytest.mark.anyio
async def test_a_stop_that_the_market_has_passed_is_filled_at_once(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    await desk.show()
    desk.submit(stop("a", "9.99"))
    assert filled(await desk.hears("a", Accepted, Filled)) == [("10", "9.99")]


@pytest.mark.anyio
async def test_a_stop_waits_on_after_a_crash_and_fires_once(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    await desk.show()
    desk.submit(stop("a", "9.50", quantity="150"), stop("b", "9.40"))
    await desk.hears("b", Accepted)
    await desk.crash()
    await desk.show(bid="9.50", ask="9.60")
    await desk.until(lambda: len(desk.about("a")) == 1)
    assert filled(desk.about("a")) == [("100", "9.50")]
    # It has fired: what is left of it is a market order now, after another crash too.
    await desk.crash()
    await desk.show(bid="9.70", ask="9.80")
    await desk.until(lambda: len(desk.about("a")) == 1)
    assert filled(desk.about("a")) == [("50", "9.70")]
    assert desk.about("b") == []


@pytest.mark.anyio
async def test_a_stop_that_waits_can_be_cancelled_and_replaced(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    await desk.show()
    desk.submit(stop("a", "9.50"), stop("b", "9.50"))
    desk.submit(CancelVenueOrder(client_order_id="a"), ReplaceVenueOrder(client_order_id="b", quantity=D(4)))
    await desk.hears("a", Accepted, Canceled)
    await desk.hears("b", Accepted, Replaced)
    await desk.show(bid="9.40", ask="9.60")
    assert filled(await desk.hears("b", Accepted, Replaced, Filled)) == [("4", "9.40")]
    assert len(desk.about("a")) == 2


async def _sold(desk: Desk, size: str) -> dict[str, str]:
    """What each order is filled of by a bid of this size; there is no bid after it."""
    before = len(desk.reports)
    await desk.show(bid="10", ask="11", size=size)
    await desk.show(bid="0", ask="11")
    marker = f"m{before}"
    desk.submit(order(marker, limit="1"))
    await desk.hears(marker, Accepted)
    found: dict[str, str] = {}
    for report in desk.reports[before:]:
        if isinstance(report, Filled):
            told = found.get(report.client_order_id)
            found[report.client_order_id] = str(report.quantity) if told is None else f"{told} {report.quantity}"
    return found


@pytest.mark.anyio
async def test_a_part_that_is_gone_is_refreshed_behind_those_who_waited(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    desk.submit(iceberg("a", "100", "30"), order("b", "SELL", "50", "10", time_in_force="GTC"))
    await desk.hears("b", Accepted)
    assert await _sold(desk, "20") == {"a": "20"}
    # The rest of the part, all of the other, and then the next part.
    assert await _sold(desk, "70") == {"a": "10 10", "b": "50"}
    desk.submit(order("c", "SELL", "5", "10", time_in_force="GTC"))
    await desk.hears("c", Accepted)
    assert await _sold(desk, "22") == {"a": "20", "c": "2"}
    await desk.crash()
    # It stands behind, also after a crash.
    assert await _sold(desk, "10") == {"c": "3", "a": "7"}
    assert (await desk.asks("a")).filled == 67


@pytest.mark.anyio
async def test_what_it_takes_when_it_arrives_is_not_limited_to_what_it_would_show(open_desk: Open) -> None:
    desk = await open_desk(natives=ALL)
    await desk.show(bid="10", ask="11", size="80")
    desk.submit(iceberg("a", "100", "30"))
    assert filled(await desk.hears("a", Accepted, Filled)) == [("80", "10")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (order("a", native=Native(told=Instructions(display_quantity=D(1)))), "display_quantity"),
        (iceberg("a", "10", "11"), "display_quantity"),
        (stop("a", "0"), "stop_price"),
        (order("a", "SELL", order_type="STOP"), "VENUE_CANNOT: stop_price"),
        (order("a", native=Native(stop_price=D(9))), "VENUE_CANNOT: stop_price"),
        (stop("a", "9", limit_price=D(9)), "limit_price"),
    ],
    ids=["market iceberg", "shows more than it has", "stop at nothing", "no stop", "stop of another type", "limit"],
)
async def test_what_makes_no_sense_is_rejected(open_desk: Open, bad: Any, word: str) -> None:
    desk = await open_desk(natives=ALL)
    desk.submit(bad)
    (rejected,) = await desk.hears("a", Rejected)
    assert rejected.reason.startswith(f"{word}: ")
