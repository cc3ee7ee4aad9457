"""Target positions: a set is decided once, ticker by ticker or all together."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine import events as e
from engine import reports as r
from engine import target_events as t
from engine.commands import Kill, SetStatus
from engine.config import Allow
from engine.rules import Rules
from engine.target_messages import Target, TargetPositions
from tests.actors.aiming import (
    aapl,
    aim,
    ask,
    cancels,
    fill,
    held,
    hold,
    plan,
    positions,
    sends,
    sent,
    target,
    trading,
    works,
)
from tests.actors.bench import AT, Bench, D, request


@pytest.fixture
def bench() -> Bench:
    return trading()


# once


def test_a_target_becomes_the_order_that_is_missing(bench: Bench) -> None:
    hold(bench, 1, 4)
    (order,) = sends(bench, 1, "10")
    assert sent(bench)[1:] == ["BUY 6"]
    works(bench, order)
    fill(bench, order, 2)
    assert aim(bench).children[0].leaves == D(4)
    fill(bench, order, 4)
    (reached,) = bench.events(t.TargetReached)
    assert (held(bench), reached.position, aim(bench)) == (10, 10, None)
    assert bench.stored("subscriber/alice", "target/XNAS:AAPL") is None


def test_a_set_is_decided_once_over_a_restart(bench: Bench) -> None:
    first = ask(bench, aapl(1, "10"))
    bench.restart()
    bench.open()
    again = ask(bench, replace(aapl(1, "10.0"), request_id="another"))
    assert (again.status, again.original) == ("EXISTS", first)
    assert sent(bench) == ["BUY 10"]


def test_the_same_key_for_another_target_is_a_conflict(bench: Bench) -> None:
    ask(bench, aapl(1, "10"))
    answer = ask(bench, aapl(1, "11"))
    assert answer.status == "CONFLICT"
    assert answer.reason.startswith("targets.XNAS:AAPL.quantity")


def test_a_target_that_is_met_is_accepted_with_no_order(bench: Bench) -> None:
    hold(bench, 1, 10)
    answer = ask(bench, aapl(1, "10"))
    assert (answer.status, answer.orders, answer.reason) == (
        "ACCEPTED",
        (),
        "NOOP: every position is where it should be",
    )
    (decided,) = bench.events(t.TargetsDecided)
    assert (decided.status, decided.tickers[0].status, aim(bench)) == ("NOOP", "NOOP", None)


def test_the_arithmetic_of_every_ticker_is_in_the_decision(bench: Bench) -> None:
    ask(bench, positions(1, target("AAPL", weight="0.05"), target("FUT", weight="-0.01")))
    (decided,) = bench.events(t.TargetsDecided)
    apple, future = decided.tickers
    assert apple.sentence == (
        "target 50 (equity 100000 USD x 0.05 / 100 = 50, floored to lot 1: 50); held 0; 50 missing: BUY 50 (OPEN_LONG)"
    )
    assert "/ 50 / 10 = 2, floored to lot 1: 2, short); held 0; -2 missing: SELL 2 (OPEN_SHORT)" in future.sentence
    assert apple.orders == (decided.tickets[0].order_id,)
    assert apple.figures[0].notional == D(5000)


def test_training_decides_and_sends_nothing(bench: Bench) -> None:
    (order,) = sends(bench, 1, "10")
    works(bench, order)
    answer = ask(bench, aapl(2, "0", mode="TRAINING"))
    assert (answer.status, answer.orders) == ("ACCEPTED", ())
    assert answer.reason.startswith("TRAINING: ACCEPTED")
    assert bench.events(t.TargetsDecided)[1].tickers[0].sentence.endswith(f"cancel {order}")
    assert (sent(bench), cancels(bench), aim(bench).signal_id) == (["BUY 10"], [], "t-1")


def test_all_closes_what_is_not_named(bench: Bench) -> None:
    hold(bench, 1, 10)
    ask(bench, positions(1, target("FUT", "1"), scope="ALL"))
    assert sent(bench)[1:] == ["SELL 10", "BUY 1"]


def test_named_leaves_what_is_not_named(bench: Bench) -> None:
    hold(bench, 1, 10)
    ask(bench, positions(1, target("FUT", "1")))
    assert sent(bench)[1:] == ["BUY 1"]


def test_a_limit_price_makes_limit_orders(bench: Bench) -> None:
    ask(bench, positions(1, target("AAPL", "5", limit_price=D(99)), time_in_force="DAY"))
    (order,) = bench.sent(r.SubmitOrder)
    assert (order.order_type, order.limit_price, order.time_in_force) == ("LIMIT", D(99), "DAY")
    assert order.expires_at is not None


# refused


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("EXCHANGE_NOT_ALLOWED", positions(1, Target(exchange="XLON", symbol="AAPL", quantity=D(1)))),
        ("SYMBOL_NOT_ALLOWED", positions(1, target("MSFT", "1"))),
        ("OFF_LOT", aapl(1, "1.5")),
        ("WEIGHTS_ABOVE_LIMIT", positions(1, target("AAPL", weight="2"), target("FUT", weight="-1.1"))),
        ("MAX_LEVERAGE", aapl(1, "5000")),
        ("PLAN_CONFLICT", aapl(1, "1", plan=replace(plan(), must_complete_immediately=True), time_in_force="CLS")),
        ("STALE_REQUEST", aapl(1, "1", expires_at=AT)),
    ],
)
def test_a_set_of_which_nothing_can_be_done_is_denied_with_a_code(
    bench: Bench, code: str, asked: TargetPositions
) -> None:
    answer = ask(bench, asked)
    assert (answer.status, answer.orders) == ("DENIED", ())
    assert answer.code == code
    assert (sent(bench), aim(bench)) == ([], None)
    assert bench.events(t.TargetsDecided)[0].code == answer.code
    assert ask(bench, asked).original == answer


def test_each_ticker_stands_for_itself_unless_all_or_none(bench: Bench) -> None:
    mixed = target("AAPL", "10"), target("MSFT", "1"), target("FUT", "100000")
    answer = ask(bench, positions(1, *mixed, all_or_none=True))
    assert (answer.code, sent(bench)) == ("SYMBOL_NOT_ALLOWED", [])
    answer = ask(bench, positions(2, *mixed))
    assert (answer.status, len(answer.orders)) == ("ACCEPTED", 1)
    assert answer.reason == "2 of 3 tickers refused: XNAS:MSFT SYMBOL_NOT_ALLOWED, XNAS:FUT MAX_LEVERAGE"
    assert [line.code for line in bench.events(t.TargetsDecided)[1].tickers] == [
        None,
        "SYMBOL_NOT_ALLOWED",
        "MAX_LEVERAGE",
    ]


def test_risk_counts_the_orders_of_the_set_before(bench: Bench) -> None:
    """Each fits alone, both together do not."""
    answer = ask(bench, positions(1, target("AAPL", "2000"), target("FUT", "300")))
    assert answer.reason == "1 of 2 tickers refused: XNAS:FUT MAX_LEVERAGE"
    bench.join("bob", cash="100000", allow_short=True, max_leverage=D(3))
    alone = bench.ask("subscriber/bob", replace(positions(1, target("FUT", "300")), subscriber_id="bob"))
    assert alone.reason is None


def test_the_order_rate_counts_the_orders_of_the_set(bench: Bench) -> None:
    bench.join("alice", max_orders_per_second=D(1))
    answer = ask(bench, positions(1, target("AAPL", "1"), target("FUT", "1")))
    assert answer.reason == "1 of 2 tickers refused: XNAS:FUT ORDER_RATE"
    assert ask(bench, request(1)).code == "ORDER_RATE"


@pytest.mark.parametrize("asked", [aapl(1, "10"), aapl(1, "0"), positions(1, scope="ALL")])
def test_who_may_not_trade_has_no_targets(bench: Bench, asked: TargetPositions) -> None:
    assert bench.ask("subscriber/eve", replace(asked, subscriber_id="eve")).code == "UNKNOWN_SUBSCRIBER"
    ask(bench, SetStatus(status="PAUSED", reason="x", by="ann"))
    assert ask(bench, asked).code == "SUBSCRIBER_PAUSED"
    bench.ask("desk/main", Kill(reason="x", by="ann"))
    assert ask(bench, replace(asked, signal_id="t-9")).code == "KILLED"


def test_sets_that_come_together_are_decided_in_as_many_batches_as_their_order_ids_need(bench: Bench) -> None:
    names = [f"S{number}" for number in range(1000)]
    allow = Allow(symbols=frozenset(names), exchanges=frozenset({"XNAS"}))
    config = replace(bench.partition.turn.rules.config, allow=allow)
    bench.partition.turn.rules = Rules(config, {})
    for name in names:
        bench.quote(name, "1")
    everything = positions(1, *(target(name, "1") for name in names))
    for number in range(6):
        bench.join(f"owner-{number}")
    for number in range(6):
        bench.post(f"subscriber/owner-{number}", replace(everything, subscriber_id=f"owner-{number}"))
    bench.settle()
    assert bench.events(e.DeadLettered) == []
    assert len(bench.sent(r.SubmitOrder)) == 6000
