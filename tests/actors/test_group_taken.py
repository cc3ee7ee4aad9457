"""Which orders a group takes, and what risk counts of them."""

from __future__ import annotations

import pytest

from engine import reports as r
from engine.events import RequestDenied
from engine.grouping import JoinGroup
from engine.instructions import Membership
from tests.actors.bench import Bench, D
from tests.actors.linked import Desk, exits, floor


@pytest.fixture
def bench() -> Bench:
    return floor()


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def test_a_group_that_had_a_fill_takes_no_more_orders(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.fills("profit", 1, "110")
    outcome = desk.ask("late", "OCO", side="SELL", limit_price="120")
    assert (outcome.status, outcome.code) == ("DENIED", "GROUP_CLOSED")
    assert len(bench.events(RequestDenied)) == 1
    assert desk.ask("other", "OUO", side="SELL", limit_price="120").code == "GROUP_MISMATCH"
    assert desk.reserved


def test_a_closed_group_that_is_not_in_memory_denies_a_request_all_the_same(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.fills("profit", 100, "110")
    bench.restart()
    bench.open()
    assert bench.part("group/alice/g") is None
    outcome = desk.ask("late", "OCO", side="SELL", limit_price="120")
    assert (outcome.status, outcome.code) == ("DENIED", "GROUP_CLOSED")


def test_what_was_accepted_for_a_closed_group_is_rejected_and_never_sent(desk: Desk, bench: Bench) -> None:
    exits(desk, "OCO")
    desk.fills("profit", 100, "110")
    desk.place("late", "OTO", "CHILD", group="h", side="SELL", limit_price="120")
    sent = len(bench.sent(r.SubmitOrder))
    joins = JoinGroup(
        membership=Membership(group_id="g", kind="OCO"),
        order_id=desk.orders["late"],
        quantity=D(100),
        instrument="XNAS:AAPL",
        side="SELL",
    )
    bench.tell("group/alice/g", joins)
    assert (desk.status("late"), desk.order("late").reason[:12]) == ("REJECTED", "GROUP_CLOSED")
    assert (len(bench.sent(r.SubmitOrder)), desk.reserved) == (sent, True)


def test_what_cannot_be_counted_against_each_other_is_refused(desk: Desk, bench: Bench) -> None:
    desk.place("high", "OUO", side="SELL", limit_price="110")
    assert desk.ask("other", "OUO", side="SELL", symbol="FUT", quantity="1").code == "GROUP_MISMATCH"
    desk.place("entry", "BRACKET", "PARENT", group="h", limit_price="100")
    same = desk.ask("same", "BRACKET", "CHILD", group="h", limit_price="90")
    assert (same.code, (same.reason or "")[:5]) == ("GROUP_MISMATCH", "side:")
    desk.place("apple", "OCO", group="i", side="SELL", limit_price="110")
    desk.place("future", "OCO", group="i", side="BUY", symbol="FUT", quantity="1", limit_price="40")
    assert len(bench.part("group/alice/i").members) == 2


def test_one_who_may_not_sell_short_may_have_exits_for_all_that_is_held(bench: Bench) -> None:
    bench.join("alice", allow_short=False, collar_bps=5000)
    desk = Desk(bench)
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    assert desk.reserved
    assert desk.ask("more", "BRACKET", "CHILD", side="SELL", quantity="101", limit_price="120").code == (
        "SHORT_NOT_ALLOWED"
    )
    assert desk.ask("alone", "OCO", group="h", side="SELL", limit_price="120").code == "SHORT_NOT_ALLOWED"
    desk.fills("entry", 100)
    desk.cancels_group()
    desk.cancelled("profit")
    desk.place("high", "OCO", group="i", side="SELL", limit_price="120")
    desk.place("low", "OCO", group="i", side="SELL", order_type="STOP", stop_price=D("90"))
    assert desk.ask("third", "OCO", group="j", side="SELL", limit_price="120").code == "SHORT_NOT_ALLOWED"
    assert desk.reserved
