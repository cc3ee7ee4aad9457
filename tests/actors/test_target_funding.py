"""Targets of one set pay for each other: buys that lack the cash wait until the set's sells have brought it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine import reports as r
from engine import target_events as t
from engine.commands import Kill
from engine.messages import CashMovement
from engine.rules import Rules
from engine.work import WorkStarted
from tests.actors.aiming import aapl, aim, ask, cancelled, failures, fill, newest, positions, sent, target, works
from tests.actors.bench import AT, Bench, D, request
from tests.actors.test_target_plans import fill_all, run, twap


def all_in(bench: Bench, **limits: object) -> None:
    """Alice has all her money in 1000 AAPL at 100."""
    bench.join("alice", cash="100000", **limits)
    fill(bench, ask(bench, request(1, quantity="1000")).orders[0], 1000)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    all_in(bench)
    return bench


def switch(number: int = 1, future: str = "100", apple: str = "500", **more: object) -> object:
    """Half of AAPL into FUT, of which one is worth 500."""
    return positions(number, target("FUT", future), target("AAPL", apple), **more)


def future_fills(bench: Bench, quantity: int) -> None:
    bench.now = bench.now.replace(microsecond=bench.now.microsecond + 1)
    order = newest(bench)
    bench.tell(
        f"order/{order}",
        r.Filled(
            client_order_id=order,
            execution_id=f"F-{bench.now.microsecond}",
            quantity=D(quantity),
            price=D(50),
            commission=D(0),
            at=bench.now,
        ),
    )


def test_a_buy_that_lacks_the_cash_is_sent_when_the_sell_has_brought_it(bench: Bench) -> None:
    answer = ask(bench, switch())
    assert answer.status == "ACCEPTED"
    assert answer.reason == "XNAS:FUT waits for what is still to be sold (INSUFFICIENT_CASH)"
    (order,) = answer.orders
    assert (sent(bench)[1:], aim(bench, "FUT").lacks) == (["SELL 500"], "INSUFFICIENT_CASH")
    future, _ = bench.events(t.TargetsDecided)[0].tickers
    assert (future.status, future.code) == ("WORKING", None)
    assert "BUY 100 (OPEN_LONG); waits for what is still to be sold: cash: 0 less 0.0 reserved" in future.sentence
    fill(bench, order, 499)
    assert sent(bench)[1:] == ["SELL 500"]
    fill(bench, order, 1)
    assert (sent(bench)[1:], aim(bench, "FUT").lacks) == (["SELL 500", "BUY 100"], "")
    future_fills(bench, 100)
    assert (failures(bench), aim(bench), aim(bench, "FUT")) == ([], None, None)
    assert sorted(reached.symbol for reached in bench.events(t.TargetReached)) == ["AAPL", "FUT"]


def test_waiting_for_cash_survives_a_restart(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    works(bench, order)
    bench.restart()
    bench.open()
    fill(bench, order, 500)
    assert sent(bench)[1:] == ["SELL 500", "BUY 100"]


def test_when_the_sell_ends_without_bringing_enough_the_buy_is_reported_failed(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    fill(bench, order, 100)
    cancelled(bench, order)
    assert failures(bench) == ["AAPL ORDER_CANCELED", "FUT INSUFFICIENT_CASH"]
    assert (sent(bench)[1:], aim(bench), aim(bench, "FUT")) == (["SELL 500"], None, None)


def test_a_sell_that_brings_less_than_the_buy_needs_fails_it_with_the_figures(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    bench.quote("FUT", "51")
    fill(bench, order, 500)
    assert failures(bench) == ["FUT INSUFFICIENT_CASH"]
    assert "50000" in bench.events(t.TargetFailed)[0].reason


def test_what_the_sells_could_never_pay_is_refused_at_once(bench: Bench) -> None:
    answer = ask(bench, switch(future="101"))
    assert answer.reason == "1 of 2 tickers refused: XNAS:FUT INSUFFICIENT_CASH"
    refused, _ = bench.events(t.TargetsDecided)[0].tickers
    assert refused.sentence.endswith("even with what the set's other targets will bring")
    answer = ask(bench, switch(2, future="101", all_or_none=True))
    assert (answer.status, answer.code) == ("DENIED", "INSUFFICIENT_CASH")


def test_all_or_none_takes_a_set_that_pays_for_itself(bench: Bench) -> None:
    assert ask(bench, switch(all_or_none=True)).status == "ACCEPTED"


def test_without_a_sell_in_the_set_a_buy_is_refused_as_ever(bench: Bench) -> None:
    ask(bench, request(2, side="SELL", quantity="500", limit_price="110"))
    assert ask(bench, positions(1, target("FUT", "1"))).code == "INSUFFICIENT_CASH"


def test_a_limit_of_leverage_is_waited_for_too() -> None:
    bench = Bench()
    bench.open()
    all_in(bench, max_leverage=D(1))
    answer = ask(bench, switch())
    assert answer.reason == "XNAS:FUT waits for what is still to be sold (MAX_LEVERAGE)"
    fill(bench, answer.orders[0], 500)
    assert sent(bench)[1:] == ["SELL 500", "BUY 100"]


def test_a_newer_set_that_does_not_sell_any_more_fails_what_waited(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    works(bench, order)
    ask(bench, aapl(2, "1000"))
    assert failures(bench) == ["FUT INSUFFICIENT_CASH"]
    cancelled(bench, order)
    assert (aim(bench), sent(bench)[1:]) == (None, ["SELL 500"])


def test_closing_everything_ends_what_waited_without_a_trace(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    works(bench, order)
    answer = ask(bench, positions(2, scope="ALL"))
    assert (len(answer.orders), aim(bench, "FUT")) == (1, None)
    fill(bench, order, 500)
    fill(bench, answer.orders[0], 500)
    assert (sent(bench)[1:], failures(bench)) == (["SELL 500", "SELL 500"], [])


def test_a_kill_fails_what_waited(bench: Bench) -> None:
    (order,) = ask(bench, switch()).orders
    works(bench, order)
    bench.ask("desk/main", Kill(reason="x", by="ann"))
    cancelled(bench, order)
    assert failures(bench) == ["AAPL ORDER_CANCELED", "FUT KILLED"]


def test_who_waited_first_is_paid_first(bench: Bench) -> None:
    bench.partition.turn.rules = wider(bench)
    bench.quote("MSFT", "50")
    (order,) = ask(bench, positions(1, target("FUT", "100"), target("MSFT", "1000"), target("AAPL", "0"))).orders
    fill(bench, order, 500)
    assert sent(bench)[1:] == ["SELL 1000", "BUY 100"]
    assert aim(bench, "MSFT").lacks == "INSUFFICIENT_CASH"
    fill(bench, order, 500)
    assert sent(bench)[3:] == ["BUY 1000"]


def test_what_cannot_be_paid_yet_keeps_smaller_ones_waiting_behind_it(bench: Bench) -> None:
    bench.partition.turn.rules = wider(bench)
    bench.quote("MSFT", "50")
    (order,) = ask(bench, positions(1, target("FUT", "100"), target("MSFT", "1"), target("AAPL", "0"))).orders
    fill(bench, order, 400)
    assert sent(bench)[1:] == ["SELL 1000"]
    fill(bench, order, 600)
    assert sent(bench)[2:] == ["BUY 100", "BUY 1"]


def test_each_of_those_that_are_paid_at_once_counts_once_in_the_order_rate() -> None:
    bench = Bench()
    bench.open()
    all_in(bench, max_orders_per_second=D(4))
    bench.partition.turn.rules = wider(bench)
    bench.quote("MSFT", "50")
    bench.quote("IBM", "50")
    bench.wait(2)
    wanted = target("FUT", "50"), target("MSFT", "200"), target("IBM", "300"), target("AAPL", "0")
    (order,) = ask(bench, positions(1, *wanted)).orders
    fill(bench, order, 1000)
    assert (failures(bench), sent(bench)[2:]) == ([], ["BUY 50", "BUY 300", "BUY 200"])


def wider(bench: Bench) -> Rules:
    """The rules, with more that is allowed."""
    config = bench.partition.turn.rules.config
    symbols = config.allow.symbols | {"MSFT", "IBM"}
    return Rules(replace(config, allow=replace(config.allow, symbols=symbols)), {})


def test_training_says_what_would_wait_and_changes_nothing(bench: Bench) -> None:
    answer = ask(bench, switch(mode="TRAINING"))
    assert answer.orders == ()
    future, _ = bench.events(t.TargetsDecided)[0].tickers
    assert "waits for what is still to be sold" in future.sentence
    assert (aim(bench), aim(bench, "FUT"), sent(bench)[1:]) == (None, None, [])


def test_one_plan_for_all_has_half_of_its_window_for_the_sells_and_half_for_the_buys(bench: Bench) -> None:
    ask(bench, switch(plan=twap()))
    for _ in range(0, 900, 10):
        run(bench, 10, fills=False)
        bench.quote("FUT", "50")
        fill_all(bench)
    assert sent(bench)[1:] == ["SELL 100"] * 5 + ["BUY 20"] * 5
    assert (failures(bench), aim(bench), aim(bench, "FUT")) == ([], None, None)
    sells, buys = (started.works for started in bench.events(WorkStarted))
    assert sells is not None
    assert buys is not None
    assert sells.end <= AT + timedelta(minutes=5, seconds=1)
    assert buys.end <= AT + timedelta(minutes=10, seconds=1)


def test_what_needs_nothing_of_the_sells_leaves_them_the_whole_window(bench: Bench) -> None:
    ask(bench, CashMovement(movement_id="m-1", subscriber_id="alice", currency="USD", amount=D(60000)))
    ask(bench, switch(plan=twap()))
    ends = [started.works.end for started in bench.events(WorkStarted) if started.works is not None]
    assert len(ends) == 2
    assert min(ends) >= AT + timedelta(minutes=10)


def test_a_plan_works_the_sell_and_then_the_buy_within_the_window_of_each(bench: Bench) -> None:
    short = twap(max_execution_window_minutes=5)
    asked = positions(1, target("FUT", "100", plan=twap()), target("AAPL", "500", plan=short))
    (parent,) = ask(bench, asked).orders
    assert parent.startswith("work-")
    for seconds in range(0, 900, 10):
        run(bench, 10, fills=False)
        bench.quote("FUT", "50")
        fill_all(bench)
        paid = sum(order.side == "SELL" for order in bench.sent(r.SubmitOrder)) == 5
        assert paid or aim(bench, "FUT").lacks, seconds
    assert sent(bench)[1:] == ["SELL 100"] * 5 + ["BUY 20"] * 5
    assert (failures(bench), aim(bench), aim(bench, "FUT")) == ([], None, None)
    started = bench.events(WorkStarted)[-1]
    assert started.works is not None
    assert started.works.end <= AT + timedelta(minutes=10, seconds=1)
