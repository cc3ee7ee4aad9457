"""The contract of the venue port: what holds at every venue, whatever it is.

A module of tests takes it over with a class of its own and a fixture `desk`:

    class TestMyVenue(VenueContract): ...
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.instructions import Instructions
from engine.native import Native
from engine.reports import (
    Accepted,
    Canceled,
    CancelRejected,
    CancelVenueOrder,
    Expired,
    Filled,
    NotFound,
    Reconcile,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceVenueOrder,
    SessionUp,
    Snapshot,
)
from tests.adapters.venues.desk import Desk, filled, order

D = Decimal
ENDS = (Rejected, Canceled, Expired)


@pytest.mark.anyio
class VenueContract:
    """Tests that any venue has to pass."""

    async def test_the_session_is_up_before_anything_else(self, desk: Desk) -> None:
        assert isinstance(desk.reports[0], SessionUp)
        assert desk.reports[0].venue == desk.venue.name
        assert desk.reports[0].capabilities == desk.venue.capabilities

    async def test_an_order_is_accepted_then_filled(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a"), order("b", "SELL"))
        accepted, fill = await desk.hears("a", Accepted, Filled)
        assert filled([fill]) == [("10", "10.01")]
        assert accepted.venue_order_id == fill.venue_order_id != ""
        assert fill.at.tzinfo is not None
        assert filled(await desk.hears("b", Accepted, Filled)) == [("10", "9.99")]
        assert (await desk.asks("a")).status == "FILLED"

    async def test_a_limit_order_waits_until_the_market_reaches_it(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a", limit="9.50"))
        await desk.hears("a", Accepted)
        await desk.show("9.40", "9.51")
        assert (await desk.asks("a")).status == "WORKING"
        await desk.show("9.40", "9.45")
        assert filled(await desk.hears("a", Accepted, Snapshot, Filled)) == [("10", "9.45")]

    async def test_what_is_not_displayed_is_filled_later(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("a"))
        await desk.hears("a", Accepted, Filled)
        await desk.show(ask="10.02", size="5")
        await desk.hears("a", Accepted, Filled, Filled)
        snapshot = await desk.asks("a")
        assert (snapshot.status, snapshot.quantity, snapshot.filled) == ("WORKING", 10, 9)
        await desk.show(ask="10.03", size="5")
        await desk.until(lambda: filled(desk.about("a"))[-1:] == [("1", "10.03")])
        assert (await desk.asks("a")).status == "FILLED"

    async def test_a_second_submit_of_an_order_makes_no_second_order(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a"), order("a"))
        desk.submit(order("a"))
        await desk.until(lambda: len(desk.about("a")) >= 6)
        assert [type(report) for report in desk.about("a")] == [Accepted, Filled] * 3
        assert len({report.execution_id for report in desk.about("a") if isinstance(report, Filled)}) == 1
        assert (await desk.asks("a")).filled == 10

    async def test_a_second_submit_is_told_how_the_order_ended(self, desk: Desk) -> None:
        desk.submit(order("a", limit="9"), CancelVenueOrder(client_order_id="a"), order("b", quantity="0"))
        await desk.hears("a", Accepted, Canceled)
        (rejected,) = await desk.hears("b", Rejected)
        desk.submit(order("a", limit="9"), order("b"))
        again = await desk.hears("a", Accepted, Canceled, Accepted, Canceled)
        assert again[:2] == again[2:]
        assert await desk.hears("b", Rejected, Rejected) == [rejected, rejected]

    async def test_a_cancel_ends_an_order(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("a"))
        await desk.hears("a", Accepted, Filled)
        desk.submit(CancelVenueOrder(client_order_id="a"))
        await desk.hears("a", Accepted, Filled, Canceled)
        await desk.show()
        snapshot = await desk.asks("a")
        assert (snapshot.status, snapshot.filled) == ("CANCELED", 4)

    async def test_what_is_over_or_unknown_cannot_be_cancelled_or_replaced(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a"))
        await desk.hears("a", Accepted, Filled)
        for name in ("a", "unknown"):
            desk.submit(CancelVenueOrder(client_order_id=name), ReplaceVenueOrder(client_order_id=name, quantity=D(20)))
        *_, cancel, replace = await desk.hears("a", Accepted, Filled, CancelRejected, ReplaceRejected)
        assert cancel.reason == replace.reason == "the order is FILLED"
        cancel, replace = await desk.hears("unknown", CancelRejected, ReplaceRejected)
        assert cancel.reason == replace.reason == "the order is not known"

    async def test_a_replaced_order_has_its_new_quantity_and_price(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a", limit="9.50"))
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(20), limit_price=D("9.60")))
        *_, replaced = await desk.hears("a", Accepted, Replaced)
        assert (replaced.quantity, replaced.limit_price) == (20, D("9.60"))
        snapshot = await desk.asks("a")
        assert (snapshot.quantity, snapshot.limit_price) == (20, D("9.60"))
        await desk.show("9.50", "9.55")
        await desk.until(lambda: filled(desk.about("a")) == [("20", "9.55")])

    async def test_an_order_replaced_to_a_price_the_market_has_is_filled(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a", limit="9.50"))
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(10), limit_price=D("10.01")))
        assert filled(await desk.hears("a", Accepted, Replaced, Filled)) == [("10", "10.01")]

    async def test_an_order_replaced_to_what_is_filled_is_over(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("a"))
        await desk.hears("a", Accepted, Filled)
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(3)))
        *_, replaced = await desk.hears("a", Accepted, Filled, Replaced)
        assert replaced.quantity == 4
        await desk.show()
        snapshot = await desk.asks("a")
        assert (snapshot.status, snapshot.quantity, snapshot.filled) == ("FILLED", 4, 4)

    @pytest.mark.parametrize(
        ("quantity", "limit"), [("0", "9"), ("-1", "9"), ("10", "0"), ("10", "-9"), ("NaN", "9"), ("10", "NaN")]
    )
    async def test_an_order_cannot_be_replaced_by_nonsense(self, desk: Desk, quantity: str, limit: str) -> None:
        desk.submit(order("a", limit="9.50"))
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(quantity), limit_price=D(limit)))
        *_, refused = await desk.hears("a", Accepted, ReplaceRejected)
        assert ":" in refused.reason
        assert (await desk.asks("a")).limit_price == D("9.50")

    async def test_what_an_ioc_order_does_not_get_at_once_is_cancelled(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("a", time_in_force="IOC"), order("b", limit="9", time_in_force="IOC"))
        reports = await desk.hears("a", Accepted, Filled, Canceled)
        assert reports[-1].filled == reports[1].quantity, "an end says how much was filled before it"
        assert filled(reports) == [("4", "10.01")]
        assert reports[-1].reason
        await desk.hears("b", Accepted, Canceled)

    async def test_an_ioc_order_without_a_market_is_cancelled(self, desk: Desk) -> None:
        desk.submit(order("a", time_in_force="IOC"))
        *_, canceled = await desk.hears("a", Accepted, Canceled)
        assert canceled.reason == "no market"

    async def test_a_fok_order_is_filled_whole_or_not_at_all(self, desk: Desk) -> None:
        await desk.show(size="10")
        desk.submit(order("a", quantity="11", time_in_force="FOK"), order("b", time_in_force="FOK"))
        await desk.hears("a", Accepted, Canceled)
        assert filled(await desk.hears("b", Accepted, Filled)) == [("10", "10.01")]

    async def test_a_day_order_expires(self, desk: Desk) -> None:
        soon = datetime.now(UTC) + timedelta(milliseconds=60)
        desk.submit(order("a", limit="9", expires_at=soon))
        desk.submit(order("b", limit="9", expires_at=soon, time_in_force="GTC"))
        *_, expired = await desk.hears("a", Accepted, Expired)
        assert expired.at >= soon
        await desk.show("8.90", "8.95")
        assert filled(await desk.hears("b", Accepted, Filled)) == [("10", "8.95")]
        snapshot = await desk.asks("a")
        assert (snapshot.status, snapshot.filled) == ("EXPIRED", 0)

    async def test_a_day_order_expires_after_a_restart_too(self, desk: Desk) -> None:
        desk.submit(order("a", limit="9", expires_at=datetime.now(UTC) + timedelta(milliseconds=120)))
        await desk.hears("a", Accepted)
        await desk.crash()
        await desk.hears("a", Expired)

    async def test_after_a_crash_the_venue_knows_what_it_reported(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("a", time_in_force="GTC"), order("b", limit="9"), order("c", "SELL", "3"))
        desk.submit(order("d", limit="9"), CancelVenueOrder(client_order_id="d"))
        await desk.hears("d", Accepted, Canceled)
        before = {name: [r for r in desk.about(name) if isinstance(r, Filled)] for name in "abcd"}
        await desk.crash()
        names = ("a", "b", "c", "d", "e")
        desk.submit(Reconcile(client_order_ids=names))
        await desk.hears("e", NotFound)
        status = {}
        for name in "abcd":
            *executions, snapshot = desk.about(name)
            assert executions == before[name]
            status[name] = snapshot.status, str(snapshot.filled)
        assert status == {"a": ("WORKING", "4"), "b": ("WORKING", "0"), "c": ("FILLED", "3"), "d": ("CANCELED", "0")}

    async def test_after_a_crash_open_orders_work_on_in_their_order(self, desk: Desk) -> None:
        await desk.show(size="4")
        desk.submit(order("b", time_in_force="GTC"), order("a", limit="9.50"), order("c", limit="9.50"))
        await desk.hears("c", Accepted)
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(10), limit_price=D("9.50")))
        await desk.hears("a", Accepted, Replaced)
        await desk.crash()
        desk.submit(order("d", limit="9.50"))
        await desk.hears("d", Accepted)
        await desk.show("9.40", "9.50", "24")
        await desk.show("9.40", "9.50", "10")
        assert filled(await desk.hears("b", Filled)) == [("6", "9.50")]
        assert filled(await desk.hears("c", Filled)) == [("10", "9.50")]
        assert filled(await desk.hears("a", Filled, Filled)) == [("8", "9.50"), ("2", "9.50")]
        assert filled(await desk.hears("d", Accepted, Filled)) == [("8", "9.50")]

    async def test_after_a_crash_a_replaced_order_is_still_replaced(self, desk: Desk) -> None:
        desk.submit(order("a", limit="9.50"))
        await desk.hears("a", Accepted)
        desk.submit(ReplaceVenueOrder(client_order_id="a", quantity=D(20), limit_price=D("9.60")))
        await desk.hears("a", Accepted, Replaced)
        await desk.crash()
        await desk.show("9.50", "9.55")
        assert filled(await desk.hears("a", Filled)) == [("20", "9.55")]

    async def test_a_second_submit_after_a_crash_makes_no_second_order(self, desk: Desk) -> None:
        await desk.show()
        desk.submit(order("a"))
        before = await desk.hears("a", Accepted, Filled)
        await desk.crash()
        await desk.show()
        desk.submit(order("a"))
        assert await desk.hears("a", Accepted, Filled) == before
        assert (await desk.asks("a")).filled == 10

    async def test_execution_ids_are_given_out_once(self, desk: Desk) -> None:
        seen: dict[str, str] = {}
        for life in range(3):
            if life:
                await desk.crash()
            await desk.show(size="1000")
            names = [f"{life}-{number:03}" for number in range(50)]
            desk.submit(*(order(name) for name in names))
            for name in names:
                _, fill = await desk.hears(name, Accepted, Filled)
                assert seen.setdefault(fill.execution_id, name) == name
        assert len(seen) == 150

    async def test_all_that_was_submitted_is_answered_before_the_venue_stops(self, desk: Desk) -> None:
        await desk.show(size="100000")
        desk.submit(*(order(f"{number:05}") for number in range(2000)))
        await desk.venue.stop()
        fills = [report for report in desk.reports if isinstance(report, Filled)]
        assert len(fills) == 2000
        # Stopped is not for ever, and a stopped venue takes nothing.
        desk.submit(order("late"))
        await desk.start()
        assert isinstance(await desk.asks("late"), NotFound)
        assert (await desk.asks("01999")).status == "FILLED"

    async def test_an_order_that_nobody_knows_is_not_found(self, desk: Desk) -> None:
        desk.submit(order("b", limit="9"))
        for name in ("a", "b-", "z"):
            assert isinstance(await desk.asks(name), NotFound)

    @pytest.mark.parametrize(
        ("bad", "word"),
        [
            ({"quantity": D(0)}, "quantity"),
            ({"quantity": D(-5)}, "quantity"),
            ({"quantity": D("NaN")}, "quantity"),
            ({"quantity": D("Infinity")}, "quantity"),
            ({"order_type": "STOP"}, "VENUE_CANNOT: order_type"),
            ({"time_in_force": "GTD"}, "VENUE_CANNOT: time_in_force"),
            ({"native": Native(stop_price=D(9))}, "VENUE_CANNOT: stop_price"),
            ({"native": Native(told=Instructions(display_quantity=D(1)))}, "VENUE_CANNOT: display_quantity"),
            ({"native": Native(told=Instructions(reduce_only=True))}, "VENUE_CANNOT: reduce_only"),
            ({"native": Native(told=Instructions(post_only=True))}, "VENUE_CANNOT: post_only"),
            ({"native": Native(min_quantity=D(5)), "time_in_force": "IOC"}, "VENUE_CANNOT: min_quantity"),
            ({"native": Native(algorithm="VWAP")}, "VENUE_CANNOT: algorithm"),
            ({"side": "HOLD"}, "side"),
            ({"limit_price": D(9)}, "limit_price"),
            ({"order_type": "LIMIT"}, "limit_price"),
            ({"order_type": "LIMIT", "limit_price": D(0)}, "limit_price"),
            ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expires_at"),
        ],
        ids=str,
    )
    async def test_a_bad_order_is_rejected_with_the_reason(self, desk: Desk, bad: dict[str, Any], word: str) -> None:
        await desk.show()
        desk.submit(order("a", **bad), order("b"))
        (rejected,) = await desk.hears("a", Rejected)
        assert rejected.reason.startswith(f"{word}: ")
        snapshot = await desk.asks("a")
        assert (snapshot.status, snapshot.reason, snapshot.filled) == ("REJECTED", rejected.reason, 0)
        await desk.hears("b", Accepted, Filled)

    async def test_reports_of_an_order_come_in_its_order(self, desk: Desk) -> None:
        await desk.show(size="37")
        names = [f"{number:03}" for number in range(200)]
        desk.submit(*(order(name, ("BUY", "SELL")[number % 2]) for number, name in enumerate(names)))
        desk.submit(*(CancelVenueOrder(client_order_id=name) for name in names[::3]))
        for _ in range(40):
            await desk.show(size="100")
        for name in names:
            await desk.asks(name)
            reports = desk.about(name)
            kinds = [type(report) for report in reports]
            assert kinds[0] is Accepted
            assert kinds.count(Accepted) == 1
            assert sum(kind in ENDS for kind in kinds) <= 1
            end = next((place for place, kind in enumerate(kinds) if kind in ENDS), len(kinds))
            executions = {r.execution_id: r.quantity for r in reports[:end] if isinstance(r, Filled)}
            assert {r.execution_id for r in reports[end:] if isinstance(r, Filled)} <= set(executions)
            assert sum(executions.values()) == reports[kinds.index(Snapshot)].filled
