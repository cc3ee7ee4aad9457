"""Days on which persons step in: a strategy runs wild, a market breaks, a check has to be passed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from engine import control_events as c
from engine import events as e
from engine.commands import Kill, Resume
from engine.control_commands import DeclareRegime, GrantOverride, Rearm, Regime
from engine.control_settings import ControlSettings, Repeats
from engine.explaining import explained
from tests.stories.conftest import D, Floor


def desk(floor: Floor, message: Any) -> str:
    outcome = floor.bench.ask("desk/main", message)
    return str(outcome.code or outcome.status)


def configure(floor: Floor, **controls: Any) -> None:
    turn = floor.bench.partition.turn
    turn.rules = turn.rules.with_config(replace(turn.rules.config, controls=ControlSettings(**controls)))


def test_a_strategy_runs_wild_is_stopped_killed_looked_at_and_let_go_on(floor: Floor) -> None:
    for name in ("alice", "bob"):
        floor.trader(name, follows="momentum")
    floor.trader("carol")
    configure(floor, repeats=Repeats(executions=2, seconds=60))
    resting = floor.order("alice", "BUY", 1, "99", strategy_id="momentum")
    assert [len(floor.signals("momentum")) for _ in range(4)] == [2, 0, 0, 0]
    assert desk(floor, Kill(reason="runs wild", by="ann", scope="strategy", name="momentum")) == "ACCEPTED"
    assert resting.life[-1] == "cancelling"
    floor.crash()
    configure(floor, repeats=Repeats(executions=2, seconds=60))
    assert floor.asks("carol", "BUY", 1, strategy_id="momentum").code == "KILLED_STRATEGY"
    assert floor.asks("carol", "BUY", 1, strategy_id="value").status == "ACCEPTED"
    assert desk(floor, Resume(reason="mended", by="bea", scope="strategy", name="momentum")) == "ACCEPTED"
    assert floor.signals("momentum") == []
    assert desk(floor, Rearm(strategy_id="momentum", instrument="XNAS:AAPL", reason="mended", by="bea")) == "ACCEPTED"
    assert len(floor.signals("momentum")) == 2


def test_a_market_breaks_and_everybody_may_only_leave(floor: Floor) -> None:
    floor.trader("alice", max_order_quantity=D(10))
    held = floor.buys("alice", 10)
    held.fills(10, at="100")
    more, out = floor.buys("alice", 10, limit="90"), floor.sells("alice", 4, limit="110")
    assert desk(floor, Regime(regime="CAUTION", reason="spreads widen", by="ann")) == "ACCEPTED"
    assert floor.asks("alice", "BUY", 6).code == "MAX_ORDER_QUANTITY"
    assert (more.life[-1], out.life[-1]) == ("sent", "sent")
    assert desk(floor, Regime(regime="EMERGENCY", reason="halted", by="ann")) == "ACCEPTED"
    assert (more.life[-1], out.life[-1]) == ("cancelling", "sent")
    floor.crash()
    assert floor.asks("alice", "BUY", 1).code == "REGIME_NO_NEW_RISK"
    assert floor.asks("alice", "SELL", 6).status == "ACCEPTED"
    assert desk(floor, DeclareRegime(regime="NORMAL", reason="reopened", by="ann")) == "ACCEPTED"
    assert floor.asks("alice", "BUY", 10).status == "ACCEPTED"


def test_a_person_lets_one_order_pass_and_it_can_be_told_why(floor: Floor) -> None:
    floor.trader("alice", max_order_quantity=D(10))
    assert floor.asks("alice", "BUY", 15).code == "MAX_ORDER_QUANTITY"
    until = floor.bench.now + timedelta(minutes=5)
    leave = GrantOverride(
        code="MAX_ORDER_QUANTITY", subscriber_id="alice", reason="client order", by="ann", expires_at=until
    )
    assert desk(floor, leave) == "ACCEPTED"
    order = floor.buys("alice", 15)
    order.fills(15, at="100")
    accepted = floor.bench.events(e.RequestAccepted)[-1]
    told = explained(accepted, None, floor.bench.events(c.OverrideUsed))
    (row,) = [row for row in told.checks if row.result != "pass"]
    assert row.found.startswith("max_order_quantity: quantity 15, limit 10; override OV-")
    assert row.found.endswith("by ann: client order")
    floor.bench.wait(300)
    floor.bench.quote("AAPL", "100")
    assert floor.asks("alice", "BUY", 15).code == "MAX_ORDER_QUANTITY"
