"""Controls meet target positions: an order that a target is due is an order like any other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine import events as e
from engine.commands import Kill
from engine.control_commands import GrantOverride, Regime, Restrict
from engine.control_events import ExecutionStopped, OverrideUsed
from engine.control_settings import ControlSettings, Duplicates, Gross, Repeats, Throttle, Throttles
from engine.target_events import TargetsDecided
from tests.actors.aiming import aapl, ask, fill, positions, sent, target, trading
from tests.actors.bench import AT, Bench, D


@pytest.mark.parametrize(
    "message",
    [
        Kill(reason="odd", by="ann", scope="symbol", name="AAPL"),
        Kill(reason="odd", by="ann", scope="subscriber", name="alice"),
        Restrict(symbol="AAPL", active=True, reason="insider", by="ann"),
        Regime(regime="EMERGENCY", reason="crash", by="ann"),
    ],
)
def test_what_is_stopped_is_no_target_s_order(message: Any) -> None:
    bench = trading()
    bench.tell("desk/main", message)
    ask(bench, aapl(1, "10"))
    assert sent(bench) == []
    assert bench.events(e.OrderStarted) == []
    assert bench.events(e.DeadLettered) == []


def configure(bench: Bench, **controls: Any) -> None:
    bench.configure(controls=ControlSettings(**controls))


def refused(bench: Bench) -> list[str | None]:
    return [ticker.code for event in bench.events(TargetsDecided) for ticker in event.tickers]


def test_orders_of_one_set_count_against_each_other() -> None:
    bench = trading()
    configure(bench, gross=Gross(firm=D(1500)))
    answer = ask(bench, positions(1, target("AAPL", "10"), target("FUT", "2")))  # 1000 each
    assert (answer.status, sent(bench)) == ("ACCEPTED", ["BUY 10"])
    assert refused(bench) == [None, "MAX_FIRM_GROSS"]


def test_messages_of_one_set_count_against_each_other() -> None:
    bench = trading()
    configure(bench, throttles=Throttles(venue=Throttle(messages=1)))
    ask(bench, positions(1, target("AAPL", "10"), target("FUT", "2")))
    assert refused(bench) == [None, "THROTTLED_VENUE"]
    bench.wait(1)
    assert ask(bench, aapl(2, "20")).status == "ACCEPTED"


def test_what_a_refused_set_did_not_place_is_counted_nowhere() -> None:
    bench = trading()
    configure(
        bench,
        gross=Gross(firm=D(1500)),
        duplicates=Duplicates(seconds=60),
        throttles=Throttles(firm=Throttle(messages=1, seconds=60)),
    )
    assert ask(bench, positions(1, target("AAPL", "10"), target("ZZZ", "2"), all_or_none=True)).status == "DENIED"
    assert ask(bench, positions(2, target("AAPL", "10"), target("FUT", "2"), all_or_none=True)).status == "DENIED"
    assert ask(bench, aapl(3, "10")).status == "ACCEPTED"
    assert ask(bench, aapl(4, "25")).code == "THROTTLED_FIRM"


def test_a_set_in_training_is_judged_and_stops_nobody() -> None:
    bench = trading()
    configure(bench, repeats=Repeats(executions=1, seconds=60))
    bench.ask("desk/main", overriding("MAX_ORDER_QUANTITY"))
    bench.join("alice", allow_short=True, max_leverage=D(3), max_order_quantity=D(5))
    assert ask(bench, aapl(1, "10", mode="TRAINING")).status == "ACCEPTED"
    assert bench.events(OverrideUsed) == []
    assert ask(bench, aapl(2, "4")).status == "ACCEPTED"
    assert ask(bench, aapl(3, "8", mode="TRAINING")).code == "REPEATED_EXECUTION"
    assert bench.events(ExecutionStopped) == []
    assert ask(bench, aapl(4, "8")).code == "REPEATED_EXECUTION"
    assert len(bench.events(ExecutionStopped)) == 1


def test_a_buy_that_waits_for_cash_is_counted_when_it_is_sent() -> None:
    bench = Bench()
    bench.open()
    bench.join("alice", cash="100000")
    (bought,) = ask(bench, aapl(1, "1000")).orders
    fill(bench, bought, 1000)
    configure(bench, duplicates=Duplicates(seconds=60), throttles=Throttles(firm=Throttle(messages=2, seconds=60)))
    (sold,) = ask(bench, positions(2, target("FUT", "100"), target("AAPL", "500"))).orders
    fill(bench, sold, 500)
    assert sent(bench) == ["BUY 1000", "SELL 500", "BUY 100"]


def test_a_buy_that_could_not_be_sent_later_either_does_not_wait() -> None:
    bench = Bench()
    bench.open()
    bench.join("alice", cash="100000")
    fill(bench, ask(bench, aapl(1, "1000")).orders[0], 1000)
    bench.tell("desk/main", Restrict(symbol="FUT", active=True, reason="insider", by="ann"))
    answer = ask(bench, positions(2, target("FUT", "100"), target("AAPL", "500")))
    assert answer.reason == "1 of 2 tickers refused: XNAS:FUT RESTRICTED"


def overriding(code: str) -> GrantOverride:
    later = AT + timedelta(hours=1)
    return GrantOverride(code=code, subscriber_id="alice", reason="agreed", by="bea", expires_at=later)
