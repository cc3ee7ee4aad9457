"""The controls as values: which kill an order falls under, what a regime makes of limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from engine import control_events as c
from engine.config import Config, Limits
from engine.control_settings import (
    ControlSettings,
    Duplicates,
    Gross,
    RegimeSettings,
    Repeats,
    Throttle,
    Throttles,
    longest_window,
    meaning,
    setting_problems,
    shared,
)
from engine.controls import Controls, Override, RegimeInForce, Switched, killed, new_risk, scaled, waived
from engine.distribute import Distributor
from engine.events import Event, Killed, Resumed
from engine.sanity import problems

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
BY = Switched(reason="odd", by="ann", since=AT)


@pytest.mark.parametrize(
    ("kill", "code"),
    [
        ("subscriber/alice", "KILLED_SUBSCRIBER"),
        ("strategy/momentum", "KILLED_STRATEGY"),
        ("symbol/AAPL", "KILLED_SYMBOL"),
        ("symbol/XNAS:AAPL", "KILLED_SYMBOL"),
        ("venue/paper", "KILLED_VENUE"),
        ("subscriber/momentum", None),
        ("strategy/alice", None),
        ("symbol/XLON:AAPL", None),
        ("venue/AAPL", None),
    ],
)
def test_an_order_falls_under_the_kills_of_its_own_names(kill: str, code: str | None) -> None:
    found = killed(Controls(kills={kill: BY}), "alice", "momentum", "XNAS", "AAPL", "paper")
    assert (found and found.code) == code


def _regime(**settings: object) -> RegimeInForce:
    return RegimeInForce(name="CAUTION", settings=RegimeSettings(**settings), reason="x", by="ann", since=AT)  # type: ignore[arg-type]


def test_each_factor_multiplies_its_own_limits_and_no_limit_stays_none() -> None:
    limits = Limits(
        max_order_quantity=D(10),
        max_order_notional=D(100),
        max_position_notional=D(1000),
        max_orders_per_second=D(8),
        max_leverage=D(2),
    )
    regime = _regime(quantity_factor=D("0.5"), notional_factor=D("0.1"), rate_factor=D("0.25"))
    found = scaled(limits, regime)
    assert (found.max_order_quantity, found.max_order_notional, found.max_position_notional) == (D(5), D(10), D(100))
    assert (found.max_orders_per_second, found.max_leverage, found.max_daily_loss) == (D(2), D(2), None)
    assert scaled(limits, None) is limits
    assert scaled(Limits(), regime) == Limits()


def test_no_new_risk_lets_through_what_reduces() -> None:
    closed = _regime(allow_new_risk=False)
    assert new_risk(closed, True) is None
    assert new_risk(_regime(), False) is None
    assert new_risk(None, False) is None
    refusal = new_risk(closed, False)
    assert refusal is not None
    assert refusal.code == "REGIME_NO_NEW_RISK"


def _override(**fields: str) -> Override:
    return Override(
        override_id="1", code="RESTRICTED", reason="x", by="ann", since=AT, expires_at=AT + timedelta(hours=1), **fields
    )


@pytest.mark.parametrize(
    ("override", "code", "minutes", "passes"),
    [
        (_override(), "RESTRICTED", 0, True),
        (_override(), "RESTRICTED", 59, True),
        (_override(), "RESTRICTED", 60, False),
        (_override(), "PRICE_COLLAR", 0, False),
        (_override(subscriber_id="alice", strategy_id="momentum", symbol="AAPL"), "RESTRICTED", 0, True),
        (_override(symbol="XNAS:AAPL"), "RESTRICTED", 0, True),
        (_override(symbol="MSFT"), "RESTRICTED", 0, False),
        (_override(subscriber_id="bob"), "RESTRICTED", 0, False),
        (_override(subscriber_id="alice", strategy_id="value"), "RESTRICTED", 0, False),
    ],
)
def test_an_override_is_for_a_code_for_whom_it_names_and_until_it_expires(
    override: Override, code: str, minutes: int, passes: bool
) -> None:
    now = AT + timedelta(minutes=minutes)
    found = waived(Controls(overrides={"1": override}), code, "alice", "momentum", "XNAS", "AAPL", now)
    assert (found is override) is passes


def test_a_regime_left_out_has_a_meaning_and_normal_has_none() -> None:
    assert meaning({}, "NORMAL") == RegimeSettings()
    assert meaning({}, "EMERGENCY").cancel_working
    assert meaning({"EMERGENCY": RegimeSettings()}, "EMERGENCY") == RegimeSettings()


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (Config(regimes={"NORMAL": RegimeSettings()}), "regimes.NORMAL"),
        (Config(regimes={"PANIC": RegimeSettings()}), "regimes.PANIC"),
        (Config(regimes={"CAUTION": RegimeSettings(rate_factor=D(0))}), "regimes.CAUTION.rate_factor"),
        (Config(regimes={"CAUTION": RegimeSettings(notional_factor=D("1.1"))}), "regimes.CAUTION.notional_factor"),
        (Config(regimes={"CAUTION": RegimeSettings(max_urgency=D("1.1"))}), "regimes.CAUTION.max_urgency"),
        (
            Config(regimes={"CAUTION": RegimeSettings(min_urgency=D("0.6"), max_urgency=D("0.5"))}),
            "regimes.CAUTION.min_urgency",
        ),
        (Config(regimes={"CAUTION": RegimeSettings(cancel_working=True)}), "regimes.CAUTION.cancel_working"),
        (Config(controls=ControlSettings(duplicates=Duplicates(seconds=0))), "controls.duplicates.seconds"),
        (Config(controls=ControlSettings(repeats=Repeats(executions=0, seconds=1))), "controls.repeats.executions"),
        (Config(controls=ControlSettings(gross=Gross(firm=D(0)))), "controls.gross.firm"),
        (Config(controls=ControlSettings(gross=Gross(strategies={"m": D(-1)}))), "controls.gross.strategies.m"),
        (
            Config(controls=ControlSettings(throttles=Throttles(venue=Throttle(messages=1, seconds=3601)))),
            "controls.throttles.venue.seconds",
        ),
    ],
)
def test_what_cannot_be_meant_is_found_by_its_key(config: Config, key: str) -> None:
    assert [problem.key for problem in problems(config)] == [key]


def test_what_a_file_may_leave_out_is_no_problem() -> None:
    assert list(setting_problems(ControlSettings(), {})) == []


TOLD = [
    (Killed(at=AT, reason="odd", by="ann"), "all", "KILLED", None),
    (Killed(at=AT, reason="odd", by="ann", scope="symbol", name="AAPL"), "all", "KILLED", "SYMBOL AAPL"),
    (Resumed(at=AT, reason="odd", by="ann", scope="venue", name="paper"), "paper", "RESUMED", "VENUE paper"),
    (
        c.RegimeDeclared(at=AT, regime="CAUTION", settings=RegimeSettings(), reason="odd", by="ann"),
        "all",
        "CAUTION",
        "REGIME",
    ),
    (c.Restricted(at=AT, symbol="AAPL", active=True, reason="odd", by="ann"), "all", "RESTRICTED", "AAPL by ann"),
    (
        c.Restricted(at=AT, symbol="AAPL", subscriber_id="bo", active=False, reason="odd", by="ann"),
        "all",
        "UNRESTRICTED",
        "AAPL bo by ann",
    ),
    (
        c.ExecutionStopped(at=AT, strategy_id="m", instrument="XNAS:AAPL", reason="odd"),
        "all",
        "REPEATED_EXECUTION",
        "m XNAS:AAPL",
    ),
    (
        c.ExecutionRearmed(at=AT, strategy_id="m", instrument="XNAS:AAPL", reason="odd", by="ann"),
        "all",
        "REARMED",
        "m XNAS:AAPL by ann",
    ),
    (c.OverrideEnded(at=AT, override_id="OV-1", reason="odd", by="ann"), "all", "OVERRIDE_ENDED", "OV-1 by ann"),
]


@pytest.mark.parametrize(("event", "venue", "status", "code"), TOLD)
def test_what_is_switched_is_told_as_a_venue_status(event: Event, venue: str, status: str, code: str | None) -> None:
    told = Distributor("exec", 0, "tradewright").distribute(7, 1, event)
    assert told is not None
    assert told[0].decode() == f"exec.out.venue_status.{venue}.-"
    data = json.decode(told[1])["data"]
    assert (data["venue"], data["status"], data.get("code"), data["reason"]) == (venue, status, code, "odd")


@given(st.integers(1, 5), st.integers(0, 100), st.decimals(1, 1000, places=2))
def test_partitions_share_what_is_for_all_and_never_more(partitions: int, more: int, limit: Decimal) -> None:
    messages = partitions + more
    throttle = Throttle(messages=messages, seconds=7)
    whole = ControlSettings(
        throttles=Throttles(subscriber=throttle, strategy=throttle, venue=throttle, firm=throttle),
        gross=Gross(firm=limit, strategy=limit, strategies={"m": limit}),
        duplicates=Duplicates(seconds=5),
    )
    parts = [shared(whole, number, partitions) for number in range(partitions)]
    for scope in ("strategy", "venue", "firm"):
        mine = [getattr(part.throttles, scope) for part in parts]
        assert sum(one.messages for one in mine) == messages
        assert min(one.messages for one in mine) >= 1
        assert {one.seconds for one in mine} == {7}
    for part in parts:
        assert (part.throttles.subscriber, part.duplicates) == (throttle, whole.duplicates)
    for limits in ([part.gross.firm, part.gross.strategy, part.gross.strategies["m"]] for part in parts if part.gross):
        assert all(one is not None and limit - D("0.01") < one * partitions <= limit for one in limits)
    assert shared(whole, 0, 1) is whole


def test_fewer_messages_than_partitions_cannot_be_shared() -> None:
    controls = ControlSettings(throttles=Throttles(firm=Throttle(messages=2), subscriber=Throttle(messages=1)))
    ((where, found, expected),) = setting_problems(controls, {}, 3)
    assert (where, found, expected) == (
        "controls.throttles.firm.messages",
        "2",
        "at least 3, one for each partition: they share it",
    )


def test_the_longest_window_is_looked_for_everywhere() -> None:
    assert longest_window(ControlSettings()) == 0
    assert (
        longest_window(ControlSettings(duplicates=Duplicates(seconds=5), repeats=Repeats(executions=2, seconds=9))) == 9
    )
    assert longest_window(ControlSettings(throttles=Throttles(venue=Throttle(messages=2, seconds=30)))) == 30
