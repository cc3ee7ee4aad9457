"""A bad afternoon: what a regime does to orders that were under way when it came."""

from __future__ import annotations

from datetime import timedelta

from engine import reports as r
from engine.control_commands import DeclareRegime
from engine.plan import ExecutionPlan
from tests.actors.test_work import fill, order
from tests.stories.conftest import Floor, Placed

PATIENT = ExecutionPlan(
    plan_id="EXP_20260105_143000_abcde",
    preferred_execution_style="TWAP",
    max_execution_window_minutes=10,
    chunk_count_hint=5,
)


def worked(floor: Floor, seconds: int) -> None:
    """Time passes, and the venue fills whatever of parents is open there."""
    bench = floor.bench
    for _ in range(seconds // 10):
        bench.now += timedelta(seconds=10)
        bench.quote("AAPL", "100")
        bench.settle()
        for child in bench.sent(r.SubmitOrder):
            if order(bench, child.client_order_id).status == "SUBMITTING":
                fill(bench, child)


def declares(floor: Floor, regime: str) -> str:
    outcome = floor.bench.ask("desk/main", DeclareRegime(regime=regime, reason="a black swan", by="ann"))  # type: ignore[arg-type]
    return str(outcome.status)


def test_in_an_emergency_what_opens_is_cancelled_and_what_closes_is_carried_through(floor: Floor) -> None:
    floor.trader("alice", allow_short=True)
    floor.trader("bob")
    floor.buys("alice", 100).fills(100, at="100")
    leaving = floor.sells("alice", 100, plan=PATIENT)
    entering = floor.buys("bob", 100, plan=PATIENT)
    worked(floor, 150)
    assert (floor.position("alice") < 100, 0 < floor.position("bob") < 100) == (True, True)
    bought = floor.position("bob")
    assert declares(floor, "EMERGENCY") == "ACCEPTED"
    floor.crash()
    worked(floor, 600)
    assert (floor.position("alice"), floor.position("bob")) == (0, bought)
    assert [order(floor.bench, one.name).status for one in (leaving, entering)] == ["FILLED", "CANCELED"]
    assert declares(floor, "NORMAL") == "ACCEPTED"
    again: Placed = floor.buys("bob", 10)
    again.fills(10, at="100")
    assert floor.position("bob") == bought + 10
