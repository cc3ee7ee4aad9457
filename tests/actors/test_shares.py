"""A total that is shared over those who follow a strategy: Interactive Brokers' examples, and what has no share."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine import blocks as b
from engine import events as e
from engine import reports as r
from engine.commands import SetStatus
from engine.methods import Allocation, AvailableEquity, Equal, FixedQuantity, NetLiquidation, Ratio
from tests.actors.bench import Bench, D, request
from tests.actors.together import fill, follow, held, signal, submitted


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize(
    ("methods", "cash", "total", "expected"),
    [
        ((Equal(),) * 3, ("100000",) * 3, "30", [10, 10, 10]),
        ((NetLiquidation(),) * 3, ("25000", "50000", "100000"), "70", [10, 20, 40]),
        ((AvailableEquity(),) * 3, ("25000", "50000", "100000"), "70", [10, 20, 40]),
        ((Ratio(value=D(4)), Ratio(value=D(2)), Ratio(value=D(1))), ("100000",) * 3, "70", [40, 20, 10]),
    ],
)
def test_a_total_is_shared_over_the_followers(
    bench: Bench, block: bool, methods: tuple[Allocation, ...], cash: tuple[str, ...], total: str, expected: list[int]
) -> None:
    for index, (method, money) in enumerate(zip(methods, cash, strict=True)):
        follow(bench, f"s{index}", method, cash=money)
    signal(bench, quantity=total, block=block)
    tickets = {event.subscriber_id: event.tickets[0].quantity for event in bench.events(e.RequestAccepted)}
    assert [tickets[f"s{index}"] for index in range(3)] == expected
    sent = [order.quantity for order in bench.sent(r.SubmitOrder)]
    assert sent == [sum(expected)] if block else sorted(sent) == sorted(expected)
    sentence = bench.events(e.RequestAccepted)[0].sizing.sentence()
    assert "by largest remainder" in sentence


def test_interactive_brokers_six_accounts_of_400(bench: Bench) -> None:
    for index in range(6):
        follow(bench, f"s{index}", Equal())
    signal(bench, quantity="400")
    order = submitted(bench)
    assert order.quantity == 400
    fill(bench, order.client_order_id, "400", "20")
    assert sorted(held(bench, f"s{index}")[0] for index in range(6)) == [66, 66, 67, 67, 67, 67]


def test_those_with_a_size_of_their_own_are_beside_the_group(bench: Bench) -> None:
    follow(bench, "alice", Equal())
    follow(bench, "bob", FixedQuantity(D(7)))
    signal(bench, quantity="30", block=False)
    tickets = {event.subscriber_id: event.tickets[0].quantity for event in bench.events(e.RequestAccepted)}
    assert tickets == {"alice": 30, "bob": 7}


def test_who_may_not_trade_has_no_share(bench: Bench) -> None:
    follow(bench, "alice", Equal())
    follow(bench, "bob", Equal())
    bench.tell("subscriber/bob", SetStatus(status="PAUSED", reason="test", by="test"))
    signal(bench, quantity="30")
    assert submitted(bench).quantity == 30
    assert [event.code for event in bench.events(e.RequestDenied)] == ["SUBSCRIBER_PAUSED"]


@pytest.mark.parametrize(
    ("methods", "fields", "code"),
    [
        ((Equal(), Ratio(value=D(1))), {}, "MIXED_METHODS"),
        ((Equal(), Equal()), {"quantity": None, "notional": D(1000)}, "MISSING_SIZE"),
        ((Equal(), Equal()), {"quantity": D("10.5")}, "OFF_LOT"),
    ],
)
def test_a_total_that_cannot_be_shared_is_denied_to_each(
    bench: Bench, methods: tuple[Allocation, ...], fields: Any, code: str
) -> None:
    for index, method in enumerate(methods):
        follow(bench, f"s{index}", method)
    bench.tell("strategy/momentum", replace(request(1, None, time_in_force="DAY"), **fields))
    assert [event.code for event in bench.events(e.RequestDenied)] == [code, code]
    assert bench.sent(r.SubmitOrder) == []


def test_a_close_of_everything_needs_no_total(bench: Bench) -> None:
    follow(bench, "alice", Equal())
    bench.ask("subscriber/alice", request(9, "alice", "BUY", "10"))
    fill(bench, submitted(bench).client_order_id, "10", "100", 90)
    signal(bench, side=None, intent="CLOSE", quantity=None)
    assert [order.side for order in bench.sent(r.SubmitOrder)] == ["BUY", "SELL"]


def test_a_follower_whose_method_changes_joins_or_leaves_the_group(bench: Bench) -> None:
    follow(bench, "alice", Equal())
    follow(bench, "alice", FixedQuantity(D(3)))
    signal(bench, quantity="30", block=False)
    assert bench.events(b.BlockOpened) == []
    follow(bench, "alice", Equal())
    signal(bench, 2, quantity="30", block=False)
    assert [ticket.quantity for event in bench.events(e.RequestAccepted) for ticket in event.tickets] == [3, 30]
