"""A decision in words: every check that was made and none that was not, with what decided."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.commands import Kill
from engine.control_commands import GrantOverride, Regime, Restrict
from engine.control_events import OverrideUsed
from engine.controls import RegimeChange
from engine.events import RequestAccepted, RequestDenied
from engine.explaining import CONTROLS, Explanation, before, explained
from engine.idempotency import fingerprint
from engine.messages import ExecutionPlan
from engine.risk import CHECKS, PRE_CHECKS
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
