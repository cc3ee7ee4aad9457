"""A decision in words: every check that was made and none that was not, with what decided."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine import reports as r
from engine.commands import Kill
from engine.control_commands import GrantOverride, Regime, Restrict
from engine.control_events import OverrideUsed
from engine.control_settings import ControlSettings, Duplicates, Gross, Repeats, Throttle, Throttles
from engine.controls import RegimeChange
from engine.events import RequestAccepted, RequestDenied
from engine.explaining import CONTROLS, Explanation, before, explained
from engine.explaining_targets import explained_set, explained_step
from engine.idempotency import fingerprint
from engine.messages import ExecutionPlan
from engine.risk import CHECKS, PRE_CHECKS
from engine.target_events import TargetFailed, TargetReached, TargetsDecided, TargetSteered
from engine.work import WorkStarted
from tests.actors.aiming import ask, fill, hear, hold, positions, target, trading
from tests.actors.bench import AT, Bench, request

D = Decimal


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice", max_order_quantity=D(100), collar_bps=D(500))
    return bench


def decided(bench: Bench, number: int = 1, **fields: Any) -> Explanation:
    """A request decided by the engine, and its explanation from what was recorded."""
    bench.ask("subscriber/alice", request(number, **fields))
    found = [*bench.events(RequestAccepted), *bench.events(RequestDenied)]
    (event,) = [event for event in found if event.request_id == f"r-{number}"]
    return explained(event, None, [one for one in bench.events(OverrideUsed) if one.request_id == f"r-{number}"])


def failed(found: Explanation) -> list[str]:
    return [row.check for row in found.checks if row.result == "fail"]


def test_what_was_accepted_passed_every_check_and_says_where_it_went(bench: Bench) -> None:
    found = decided(bench, limit_price="99.5")
    assert [row.check for row in found.checks] == [
        *(name for name, _ in PRE_CHECKS),
        *(check.name for check in CHECKS),
        *(name for name, _ in CONTROLS),
    ]
    assert {row.result for row in found.checks} == {"pass"}
    assert (found.status, found.code, found.regime, found.sizing) == (
        "ACCEPTED",
        None,
        "NORMAL",
        "10, floored to lot 1: 10",
    )
    assert found.plan is None
    (order,) = found.orders
    assert (order.venue, order.account) == ("test", "alice")
    assert order.order == "BUY 10 XNAS:AAPL LIMIT at 99.5 GTC, counted at 99.5"


def test_what_was_refused_after_sizing_shows_the_figures_of_all_checks(bench: Bench) -> None:
    found = decided(bench, quantity="101", limit_price="200")
    assert (found.status, found.code) == ("DENIED", "MAX_ORDER_QUANTITY")
    assert failed(found) == ["order quantity", "price collar"]
    row = next(row for row in found.checks if row.check == "order quantity")
    assert row.found == found.reason == "max_order_quantity: quantity 101, limit 100"
    assert not {row.check for row in found.checks} & {name for name, _ in CONTROLS}
    assert found.orders == ()


def test_what_was_refused_before_sizing_shows_what_was_reached(bench: Bench) -> None:
    found = decided(bench, symbol="MSFT")
    assert failed(found) == ["symbol allowed"]
    assert found.checks[-1].found == found.reason
    assert found.sizing is None


def test_a_kill_of_a_scope_comes_after_the_checks_before_sizing(bench: Bench) -> None:
    bench.ask("desk/main", Kill(reason="odd", by="ann", scope="symbol", name="AAPL"))
    found = decided(bench)
    assert [row.check for row in found.checks] == [*(name for name, _ in PRE_CHECKS), "kill of a scope"]
    assert failed(found) == ["kill of a scope"]


def test_a_control_that_refused_ends_the_list(bench: Bench) -> None:
    bench.ask("desk/main", Regime(regime="EMERGENCY", reason="crash", by="ann"))
    found = decided(bench)
    assert failed(found) == ["regime"]
    assert [row.check for row in found.checks[-2:]] == ["restricted list", "regime"]
    assert found.checks[-1].found == found.reason


def test_what_passed_under_an_override_says_whose(bench: Bench) -> None:
    later = bench.now + timedelta(hours=1)
    bench.ask("desk/main", Restrict(symbol="AAPL", active=True, reason="insider", by="ann"))
    for code in ("RESTRICTED", "MAX_ORDER_QUANTITY"):
        grant = GrantOverride(code=code, subscriber_id="alice", reason="agreed", by="bea", expires_at=later)
        bench.ask("desk/main", grant)
    found = decided(bench, quantity="101")
    assert found.status == "ACCEPTED"
    rows = {row.check: row.found for row in found.checks if row.result == "overridden"}
    assert set(rows) == {"order quantity", "restricted list"}
    assert rows["order quantity"].startswith("max_order_quantity: quantity 101, limit 100; override OV-")
    assert rows["restricted list"].endswith("by bea: agreed")


def configure(bench: Bench, **controls: Any) -> None:
    turn = bench.partition.turn
    turn.rules = turn.rules.with_config(replace(turn.rules.config, controls=ControlSettings(**controls)))


EVERY: dict[str, Any] = {
    "duplicates": Duplicates(seconds=10),
    "repeats": Repeats(executions=5, seconds=60),
    "throttles": Throttles(**{scope: Throttle(messages=9) for scope in ("subscriber", "strategy", "venue", "firm")}),
    "gross": Gross(firm=D(5000), strategy=D(2000)),
}


def test_every_control_shows_its_figures_in_what_passed_and_what_did_not(bench: Bench) -> None:
    configure(bench, **EVERY)
    decided(bench, 1, limit_price="99")
    found = decided(bench, 2)
    assert [row.found for row in found.checks[-10:]] == [
        "on no list for this subscriber",
        "NORMAL; the order may add to risk",
        "strategy_id: momentum acted on XNAS:AAPL by 1 signals within 60 s, limit 5",
        "quantity: BUY 10 XNAS:AAPL at the market was placed 0 times within 10 s, allowed 1",
        "subscriber: alice sent 1 messages within 1 s, limit 9",
        "strategy: momentum sent 1 messages within 1 s, limit 9",
        "venue: test sent 1 messages within 1 s, limit 9",
        "firm: all sent 1 messages within 1 s, limit 9",
        "gross: strategy/momentum executed 0 USD today and works 990, this order 1000, limit 2000",
        "gross: firm executed 0 USD today and works 990, this order 1000, limit 5000",
    ]
    refused = decided(bench, 3, quantity="5")
    assert (refused.code, failed(refused)) == ("MAX_STRATEGY_GROSS", ["gross of the strategy"])
    rows = {row.check: row.found for row in refused.checks}
    assert rows["gross of the strategy"] == refused.reason
    assert rows["messages of the firm"] == "firm: all sent 2 messages within 1 s, limit 9"


def test_where_nothing_is_configured_no_figure_is_kept(bench: Bench) -> None:
    found = decided(bench)
    assert [event.weights for event in bench.events(RequestAccepted)] == [None]
    assert {row.found for row in found.checks[-8:]} == {"passed: not configured"}


def test_a_plan_is_told_field_by_field_with_how_it_is_worked(bench: Bench) -> None:
    plan = ExecutionPlan(
        plan_id="EXP_20260105_143000_abcde", preferred_execution_style="TWAP", max_execution_window_minutes=10
    )
    bench.ask("subscriber/alice", request(1, plan=plan))
    (event,), (started,) = bench.events(RequestAccepted), bench.events(WorkStarted)
    found = explained(event, None, (), started)
    assert found.worked is not None
    assert found.worked.startswith("TWAP until 2026-01-05T14:40:00")
    told = {one.field: one.how for one in found.translation}
    assert told["plan.max_execution_window_minutes"] == "emulated"
    assert told["plan.preferred_execution_style"] == "hint used"


def test_what_the_venue_does_itself_is_told_too(bench: Bench) -> None:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", must_complete_immediately=True)
    found = decided(bench, plan=plan, limit_price="100", time_in_force="FOK")
    assert found.worked is None
    assert "plan.must_complete_immediately" in {one.field for one in found.translation}


def test_a_set_of_targets_is_told_ticker_by_ticker() -> None:
    bench = trading()
    configure(bench, gross=Gross(firm=D(5000)))
    hold(bench, 1, 10)
    bench.ask("subscriber/alice", request(2, limit_price="99", quantity="5"))
    tickers = target("AAPL", "30"), target("FUT", weight="0.05"), target("ZZZ", "3")
    ask(bench, positions(3, *tickers, drift_quantity=D(2)))
    (event,) = bench.events(TargetsDecided)
    found = explained_set(event, None, ())
    assert (found.status, found.mode, len(found.tickers)) == ("ACCEPTED", "PRODUCTION", 3)
    aapl, fut, zzz = found.tickers
    assert (aapl.current, aapl.working, aapl.target, aapl.delta, aapl.tolerance) == ("10", "5", "30", "15", "2")
    assert aapl.orders[0].order.startswith("BUY 15 XNAS:AAPL MARKET GTC")
    assert {row.result for row in aapl.checks} == {"pass"}
    assert aapl.checks[-1].found.endswith("executed 1000 USD today and works 495, this order 1500, limit 5000")
    assert "x 0.05" in fut.sentence
    assert (fut.code, fut.checks[-1].result) == ("MAX_FIRM_GROSS", "fail")
    assert fut.checks[-1].found.endswith("works 1995, this order 5000, limit 5000")
    assert (zzz.code, zzz.checks[-1].check, zzz.checks[-1].result) == ("SYMBOL_NOT_ALLOWED", "symbol allowed", "fail")


def test_what_became_of_a_set_is_told_as_well() -> None:
    bench = trading()
    (order,) = ask(bench, positions(1, target("AAPL", "10"))).orders
    fill(bench, order, 10)
    (reached,) = bench.events(TargetReached)
    found = explained_step(reached, None, ())
    assert (found.status, found.tickers[0].sentence) == ("DONE", "target 10; held 10")
    (other,) = ask(bench, positions(2, target("AAPL", "30"))).orders
    hear(bench, other, r.Rejected, reason="halted")
    (gone,) = bench.events(TargetFailed)
    found = explained_step(gone, None, ())
    assert (found.status, found.code, found.tickers[0].sentence) == (
        "FAILED",
        "ORDER_REJECTED",
        "target 30; held 10: pursued no more",
    )


def test_what_was_sent_later_for_a_target_is_told_with_its_checks() -> None:
    bench = trading()
    bench.open(closes_first=True)
    configure(bench, **EVERY)
    hold(bench, 1, 10)
    (order,) = ask(bench, positions(2, target("AAPL", "-5"))).orders
    fill(bench, order, 10)
    found = [explained_step(event, None, ()) for event in bench.events(TargetSteered)]
    (ticker,) = next(one.tickers for one in found if one.tickers[0].orders)
    assert ticker.orders[0].order.startswith("SELL short 5 XNAS:AAPL")
    assert ticker.checks[-1].found.startswith("gross: firm executed 1000 USD today and works 1000, this order 500")


def test_a_plan_that_is_not_supported_met_no_check() -> None:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", execution_urgency=D("0.5"))
    event = RequestDenied(
        at=AT,
        key="signal/s",
        fingerprint=fingerprint(request(1, plan=plan)),
        request_id="r",
        signal_id="s",
        strategy_id="m",
        subscriber_id="alice",
        exchange="XNAS",
        symbol="AAPL",
        code="PLAN_UNSUPPORTED",
        reason="plan.x: no",
    )
    found = explained(event, None, ())
    assert [(row.check, row.result) for row in found.checks] == [("plan", "fail")]
    assert found.plan == "plan_id EXP_20260105_143000_abcde, execution_urgency 0.5"


def change(name: Any, minutes: int) -> RegimeChange:
    return RegimeChange(name=name, reason="x", by="ann", at=AT + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("minutes", "same", "name"),
    [(0, False, None), (1, False, None), (1, True, "CAUTION"), (2, False, "CAUTION"), (9, False, "NORMAL")],
)
def test_the_regime_in_force_is_the_last_declared_before(minutes: int, same: bool, name: str | None) -> None:
    found = before([change("CAUTION", 1), change("NORMAL", 3)], AT + timedelta(minutes=minutes), same)
    assert (found and found.name) == name


def test_the_limits_shown_are_those_of_the_regime(bench: Bench) -> None:
    bench.ask("desk/main", Regime(regime="CAUTION", reason="volatile", by="ann"))
    found = decided(bench, quantity="51")
    assert found.reason == "max_order_quantity: quantity 51, limit 50"
