"""Targets at their edges: what comes together, what comes late, what comes from others, what cannot be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from engine import events as e
from engine import reports as r
from engine import target_events as t
from engine.config import Allow, InstrumentSettings
from engine.messages import CashMovement, ExecutionCommand
from engine.rules import Rules
from tests.actors.aiming import (
    aapl,
    aim,
    ask,
    cancelled,
    cancels,
    failures,
    fill,
    hear,
    held,
    hold,
    newest,
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


def configured(bench: Bench, **settings: Decimal) -> None:
    """AAPL with other lots and minimums."""
    config = bench.partition.turn.rules.config
    instruments = config.instruments | {"XNAS:AAPL": InstrumentSettings(**settings)}
    bench.partition.turn.rules = Rules(replace(config, instruments=instruments), {})


# together


def test_two_sets_of_one_batch_are_decided_one_after_the_other(bench: Bench) -> None:
    bench.post("subscriber/alice", aapl(1, "10"), aapl(2, "4"))
    bench.settle()
    assert [event.signal_id for event in bench.events(t.TargetsDecided)] == ["t-1", "t-2"]
    (first,) = bench.sent(r.SubmitOrder)
    assert cancels(bench) == [first.client_order_id]
    fill(bench, first.client_order_id, 10)
    assert sent(bench) == ["BUY 10", "SELL 6"]


def test_the_same_set_twice_in_one_batch_is_decided_once(bench: Bench) -> None:
    bench.post("subscriber/alice", aapl(1, "10"), aapl(1, "10"), aapl(1, "11"))
    bench.settle()
    assert (len(bench.events(t.TargetsDecided)), sent(bench)) == (1, ["BUY 10"])


def test_a_decision_that_was_not_durable_never_was(bench: Bench) -> None:
    bench.post("subscriber/alice", aapl(1, "10"))
    bench.run()
    bench.restart()
    bench.open()
    assert (sent(bench), bench.events(t.TargetsDecided)) == ([], [])
    assert len(sends(bench, 1, "10")) == 1
    assert sent(bench) == ["BUY 10"]


def test_a_ticker_in_another_case_is_another_ticker(bench: Bench) -> None:
    answer = ask(bench, positions(1, target("AAPL", "10"), target("aapl", "-10")))
    assert (answer.reason, sent(bench)) == ("1 of 2 tickers refused: XNAS:aapl SYMBOL_NOT_ALLOWED", ["BUY 10"])


# late


def test_a_third_set_comes_while_the_cancels_of_the_second_are_pending(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    assert sends(bench, 2, "-5") == [newest(bench)]
    short = newest(bench)
    works(bench, short)
    assert sends(bench, 3, "12") == [newest(bench)]
    assert (cancels(bench), sent(bench)) == ([first, short], ["BUY 10", "SELL 5", "BUY 2"])
    fill(bench, first, 10)
    fill(bench, short, 3)
    cancelled(bench, short)
    assert sent(bench)[3:] == ["BUY 3"]
    fill(bench, newest(bench), 3)
    fill(bench, bench.sent(r.SubmitOrder)[2].client_order_id, 2)
    assert (held(bench), aim(bench), failures(bench)) == (12, None, [])


def test_a_fill_after_the_end_is_made_up_for(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    cancelled(bench, first)
    assert sent(bench) == ["BUY 10", "BUY 4"]
    fill(bench, first, 2)
    last = bench.sent(r.SubmitOrder)[1].client_order_id
    assert cancels(bench) == [first, last]
    cancelled(bench, last)
    assert sent(bench)[2:] == ["BUY 2"]
    fill(bench, newest(bench), 2)
    assert (held(bench), aim(bench)) == (4, None)


def test_from_short_to_long_and_back_to_nothing_closing_first(bench: Bench) -> None:
    bench.open(closes_first=True)
    hold(bench, 1, -10)
    sends(bench, 1, "5")
    closing = newest(bench)
    works(bench, closing)
    fill(bench, closing, 6)
    assert sends(bench, 2, "0") == []
    fill(bench, closing, 4)
    assert (sent(bench)[1:], held(bench), aim(bench)) == (["BUY 10"], 0, None)


# closing everything


def test_closing_everything_is_not_over_before_the_orders_of_others_are(bench: Bench) -> None:
    hold(bench, 1, 10)
    other = ask(bench, request(2, quantity="5", limit_price="99")).orders[0]
    works(bench, other)
    (closing,) = ask(bench, positions(1, scope="ALL")).orders
    fill(bench, closing, 10)
    assert (cancels(bench), bench.events(t.TargetReached)) == ([], [])
    fill(bench, other, 5)
    assert sent(bench)[2:] == ["SELL 10", "SELL 5"]
    fill(bench, newest(bench), 5)
    assert (held(bench), len(bench.events(t.TargetReached))) == (0, 1)


def test_closing_nothing_is_nothing_to_do(bench: Bench) -> None:
    answer = ask(bench, positions(1, scope="ALL"))
    assert (answer.status, answer.reason) == ("ACCEPTED", "NOOP: every position is where it should be")


def test_closing_everything_takes_back_what_was_on_its_way_though_its_symbol_is_no_longer_allowed(
    bench: Bench,
) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    config = bench.partition.turn.rules.config
    allow = Allow(symbols=frozenset({"FUT"}), exchanges=frozenset({"XNAS"}))
    bench.partition.turn.rules = Rules(replace(config, allow=allow), {})
    assert ask(bench, positions(2, scope="ALL")).status == "ACCEPTED"
    assert cancels(bench) == [first]
    cancelled(bench, first)
    assert (aim(bench), sent(bench)) == (None, ["BUY 10"])


# sizes


@pytest.mark.parametrize(
    ("settings", "before", "wanted", "orders"),
    [
        ({"lot_size": D(10)}, 0, "40", ["BUY 40"]),
        ({"lot_size": D(10)}, 7, "40", ["BUY 30"]),
        ({"lot_size": D(10)}, 7, "0", []),
        ({"lot_size": D(10)}, 17, "0", ["SELL 10"]),
        ({"lot_size": D(10)}, 7, "-40", ["SELL 40"]),
        ({"min_quantity": D(5)}, 7, "10", []),
        ({"min_quantity": D(5)}, 4, "10", ["BUY 6"]),
        ({"min_quantity": D(5)}, 4, "0", []),
        ({"min_notional": D(501)}, 5, "10", []),
        ({"min_notional": D(501)}, 4, "10", ["BUY 6"]),
    ],
)
def test_orders_are_whole_lots_and_none_is_too_small(
    bench: Bench, settings: dict[str, Decimal], before: int, wanted: str, orders: list[str]
) -> None:
    if before:
        hold(bench, 1, before)
    configured(bench, **settings)
    ask(bench, aapl(1, wanted))
    assert sent(bench)[bool(before) :] == orders
    assert failures(bench) == []


def test_weights_at_the_limit_pass_and_above_it_nothing_does(bench: Bench) -> None:
    asked = positions(1, target("AAPL", weight="2"), target("FUT", weight="-1"))
    assert ask(bench, asked).status == "ACCEPTED"
    above = positions(2, target("AAPL", weight="2"), target("FUT", weight="-1.0001"))
    assert ask(bench, above).code == "WEIGHTS_ABOVE_LIMIT"


# people


def resized(bench: Bench, quantity: int) -> str:
    """An order for ten of a target works, and a person makes it this large: the order."""
    (order,) = ask(bench, positions(1, target("AAPL", "10", limit_price=D(99)))).orders
    works(bench, order)
    command = ExecutionCommand(
        command_id="c-1",
        subscriber_id="alice",
        plan=replace(plan(), action="MODIFY_ORDER"),
        order_id=order,
        quantity=D(quantity),
    )
    assert ask(bench, command).status == "ACCEPTED"
    hear(bench, order, r.Replaced, quantity=D(quantity), limit_price=D(99))
    return str(order)


def test_an_order_that_a_person_makes_smaller_is_made_up_for(bench: Bench) -> None:
    resized(bench, 6)
    assert sent(bench) == ["BUY 10", "BUY 4"]


def test_an_order_that_a_person_makes_larger_is_cancelled_for_its_target(bench: Bench) -> None:
    order = resized(bench, 16)
    cancelled(bench, order)
    assert (cancels(bench), sent(bench)) == ([order], ["BUY 10", "BUY 10"])
    assert bench.events(e.DeadLettered) == []


def test_money_that_comes_in_pays_for_what_waits() -> None:
    bench = Bench()
    bench.open()
    bench.join("alice", cash="100000")
    fill(bench, ask(bench, request(1, quantity="1000")).orders[0], 1000)
    (order,) = ask(bench, positions(1, target("FUT", "100"), target("AAPL", "500"))).orders
    works(bench, order)
    ask(bench, CashMovement(movement_id="m-1", subscriber_id="alice", currency="USD", amount=D(60000)))
    assert sent(bench)[1:] == ["SELL 500", "BUY 100"]
    assert bench.now >= AT
