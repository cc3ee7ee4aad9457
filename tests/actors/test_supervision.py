"""Restricted symbols, overrides, duplicates, repeated executions and throttles, as a subscriber's orders meet them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine import control_events as c
from engine import reports as r
from engine.control_commands import EndOverride, GrantOverride, Rearm, Regime, Restrict
from engine.control_settings import ControlSettings, Duplicates, Repeats, Throttle, Throttles
from engine.events import RequestAccepted
from engine.messages import ExecutionCommand, ExecutionPlan, Subscription
from engine.methods import FixedQuantity
from tests.actors.bench import Bench, D, request


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    follows = Subscription(strategy_id="momentum", allocation=FixedQuantity(value=D(1)))
    for name in ("alice", "bob"):
        bench.join(name, follows, max_order_quantity=D(100))
    return bench


def configure(bench: Bench, **controls: Any) -> None:
    bench.configure(controls=ControlSettings(**controls))


def ask(bench: Bench, number: int, owner: str = "alice", **fields: Any) -> Any:
    return bench.ask(f"subscriber/{owner}", request(number, owner, **fields))


def restrict(bench: Bench, symbol: str, subscriber_id: str = "", active: bool = True, reason: str = "insider") -> Any:
    message = Restrict(symbol=symbol, subscriber_id=subscriber_id, active=active, reason=reason, by="ann")
    return bench.ask("desk/main", message)


def grant(bench: Bench, code: str, **fields: Any) -> Any:
    known = {"subscriber_id": "alice", "reason": "agreed", "by": "ann", "expires_at": bench.now + timedelta(hours=1)}
    return bench.ask("desk/main", GrantOverride(code=code, **(known | fields)))


# restricted


@pytest.mark.parametrize(
    ("symbol", "whom"), [("AAPL", ""), ("XNAS:AAPL", ""), ("AAPL", "alice"), ("XNAS:AAPL", "alice")]
)
def test_a_restricted_symbol_is_refused_until_it_is_not(bench: Bench, symbol: str, whom: str) -> None:
    assert restrict(bench, symbol, whom).status == "ACCEPTED"
    refused = ask(bench, 1)
    assert (refused.code, refused.reason) == ("RESTRICTED", f"symbol: {symbol} is restricted by ann: insider")
    assert ask(bench, 2, symbol="FUT").status == "ACCEPTED"
    assert (ask(bench, 3, "bob").status == "ACCEPTED") is bool(whom)
    bench.restart()
    bench.open()
    assert ask(bench, 4).code == "RESTRICTED"
    assert restrict(bench, symbol, whom, active=False).status == "ACCEPTED"
    assert ask(bench, 5).status == "ACCEPTED"


def test_what_the_configuration_restricts_stays_so(bench: Bench) -> None:
    configure(bench, restricted=frozenset({"FUT"}), restricted_for={"alice": frozenset({"XNAS:AAPL"})})
    assert ask(bench, 1).code == ask(bench, 2, symbol="FUT").code == "RESTRICTED"
    assert ask(bench, 3, "bob").status == "ACCEPTED"
    assert ask(bench, 4, "bob", symbol="FUT").code == "RESTRICTED"
    assert restrict(bench, "FUT", active=False).code == "NOT_IN_FORCE"


@pytest.mark.parametrize(
    ("code", "fields"),
    [("MISSING_REASON", {"reason": " "}), ("BAD_TEXT", {"symbol": "A B"}), ("BAD_TEXT", {"subscriber_id": "a b"})],
)
def test_a_restriction_that_cannot_be_is_refused(bench: Bench, code: str, fields: dict[str, str]) -> None:
    assert restrict(bench, **({"symbol": "AAPL"} | fields)).code == code
    assert bench.events(c.Restricted) == []


def test_a_restriction_twice_is_one_event(bench: Bench) -> None:
    for _ in range(2):
        assert restrict(bench, "AAPL").status == "ACCEPTED"
    assert len(bench.events(c.Restricted)) == 1


# overrides


def test_an_override_lets_pass_what_it_names_and_leaves_a_trail(bench: Bench) -> None:
    restrict(bench, "AAPL")
    assert grant(bench, "RESTRICTED", symbol="AAPL").status == "ACCEPTED"
    assert ask(bench, 1).status == "ACCEPTED"
    assert ask(bench, 2, "bob").code == "RESTRICTED"
    (used,) = bench.events(c.OverrideUsed)
    assert (used.request_id, used.code, used.by, used.refusal) == (
        "r-1",
        "RESTRICTED",
        "ann",
        "symbol: AAPL is restricted by ann: insider",
    )


def test_an_override_of_a_limit_passes_that_limit_only(bench: Bench) -> None:
    assert ask(bench, 1, quantity="101").code == "MAX_ORDER_QUANTITY"
    grant(bench, "MAX_ORDER_QUANTITY")
    assert ask(bench, 2, quantity="101").status == "ACCEPTED"
    assert ask(bench, 3, quantity="100000").code == "INSUFFICIENT_CASH"
    assert [used.request_id for used in bench.events(c.OverrideUsed)] == ["r-2"]


def test_an_override_ends_when_it_expires_or_is_taken_back(bench: Bench) -> None:
    restrict(bench, "AAPL")
    grant(bench, "RESTRICTED")
    bench.wait(3600)
    bench.open()
    assert ask(bench, 1).code == "RESTRICTED"
    grant(bench, "RESTRICTED")
    (override_id,) = bench.part("desk/main").controls.overrides
    assert [event.reason for event in bench.events(c.OverrideEnded)] == ["expired"]
    assert bench.ask("desk/main", EndOverride(override_id=override_id, reason="x", by="bea")).status == "ACCEPTED"
    assert ask(bench, 2).code == "RESTRICTED"
    assert bench.ask("desk/main", EndOverride(override_id=override_id, reason="x", by="bea")).code == "NOT_IN_FORCE"


def test_an_override_survives_a_restart(bench: Bench) -> None:
    restrict(bench, "AAPL")
    grant(bench, "RESTRICTED")
    bench.restart()
    bench.open()
    assert ask(bench, 1).status == "ACCEPTED"


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("NOT_SOFT", {"code": "KILLED"}),
        ("NOT_SOFT", {"code": "KILLED_SYMBOL"}),
        ("NOT_SOFT", {"code": "SHORT_NOT_ALLOWED"}),
        ("NOT_SOFT", {"code": "REPEATED_EXECUTION"}),
        ("NOT_SOFT", {"code": "OFF_TICK"}),
        ("MISSING_REASON", {"reason": ""}),
        ("BAD_TEXT", {"subscriber_id": ""}),
        ("BAD_TEXT", {"symbol": "A B"}),
        ("BAD_TIME", {"hours": 0}),
        ("BAD_TIME", {"hours": 25}),
    ],
)
def test_an_override_that_may_not_be_is_refused(bench: Bench, code: str, fields: dict[str, Any]) -> None:
    if "hours" in fields:
        fields = {"expires_at": bench.now + timedelta(hours=fields["hours"])}
    assert grant(bench, **({"code": "RESTRICTED"} | fields)).code == code
    assert bench.events(c.OverrideGranted) == []


# duplicates


def test_the_same_order_again_within_the_window_is_refused(bench: Bench) -> None:
    configure(bench, duplicates=Duplicates(seconds=10))
    assert ask(bench, 1).status == "ACCEPTED"
    refused = ask(bench, 2)
    assert refused.code == "DUPLICATE_ORDER"
    assert refused.reason == ("quantity: BUY 10 XNAS:AAPL at the market was placed 1 times within 10 s, allowed 1")
    others: list[dict[str, Any]] = [{"quantity": "11"}, {"limit_price": "99"}, {"owner": "bob"}, {"symbol": "FUT"}]
    for number, fields in enumerate(others, 3):
        assert ask(bench, number, **fields).status == "ACCEPTED"
    bench.wait(10)
    assert ask(bench, 9).status == "ACCEPTED"


def test_as_many_of_the_same_order_pass_as_are_allowed(bench: Bench) -> None:
    configure(bench, duplicates=Duplicates(seconds=10, allowed=3))
    codes = [ask(bench, number).code for number in range(5)]
    assert codes == [None, None, None, "DUPLICATE_ORDER", "DUPLICATE_ORDER"]
    assert list(bench.alarms()) == ["DUPLICATE_ORDER"]


def test_the_same_order_is_no_duplicate_where_nothing_is_configured(bench: Bench) -> None:
    assert [ask(bench, number).status for number in range(3)] == ["ACCEPTED"] * 3


# repeated executions


def signal(bench: Bench, number: int, **fields: Any) -> int:
    """How many orders a signal led to."""
    before = len(bench.events(RequestAccepted))
    bench.ask("strategy/momentum", request(number, None, **fields))
    return len(bench.events(RequestAccepted)) - before


def test_a_strategy_that_repeats_itself_is_stopped_until_a_person_rearms_it(bench: Bench) -> None:
    configure(bench, repeats=Repeats(executions=3, seconds=60))
    assert [signal(bench, number) for number in range(5)] == [2, 2, 2, 0, 0]
    assert signal(bench, 5, symbol="FUT") == 2
    (stopped,) = bench.events(c.ExecutionStopped)
    assert (stopped.strategy_id, stopped.instrument) == ("momentum", "XNAS:AAPL")
    assert list(bench.alarms()) == ["REPEATED_EXECUTION"]
    bench.wait(3600)
    bench.restart()
    bench.open()
    assert signal(bench, 6) == 0
    rearm = Rearm(strategy_id="momentum", instrument="XNAS:AAPL", reason="mended", by="ann")
    assert bench.ask("desk/main", replace(rearm, reason=" ")).code == "MISSING_REASON"
    assert bench.ask("desk/main", replace(rearm, instrument="XNAS:FUT")).code == "NOT_IN_FORCE"
    assert bench.ask("desk/main", rearm).status == "ACCEPTED"
    assert signal(bench, 7) == 2


def test_after_a_rearm_the_count_begins_anew(bench: Bench) -> None:
    configure(bench, repeats=Repeats(executions=2, seconds=60))
    assert [signal(bench, number) for number in range(3)] == [2, 2, 0]
    bench.ask("desk/main", Rearm(strategy_id="momentum", instrument="XNAS:AAPL", reason="mended", by="ann"))
    assert [signal(bench, number) for number in range(3, 6)] == [2, 2, 0]


def test_executions_far_apart_are_no_repetition(bench: Bench) -> None:
    configure(bench, repeats=Repeats(executions=2, seconds=10))
    for number in range(5):
        assert signal(bench, number) == 2
        bench.wait(5)
        bench.open()


# throttles


@pytest.mark.parametrize(
    ("scope", "passes"),
    [("subscriber", {"owner": "bob"}), ("strategy", {"strategy_id": "value"}), ("venue", None), ("firm", None)],
)
def test_a_throttle_counts_its_own_scope_over_a_sliding_window(
    bench: Bench, scope: str, passes: dict[str, Any] | None
) -> None:
    configure(bench, throttles=Throttles(**{scope: Throttle(messages=3, seconds=10)}))
    for number in range(3):
        assert ask(bench, number).status == "ACCEPTED"
        bench.wait(3)
    refused = ask(bench, 3)
    assert refused.code == f"THROTTLED_{scope.upper()}"
    assert "sent 3 messages within 10 s, limit 3" in refused.reason
    if passes is not None:
        assert ask(bench, 4, **passes).status == "ACCEPTED"
    else:
        assert ask(bench, 4, "bob", strategy_id="value").code == f"THROTTLED_{scope.upper()}"
    bench.wait(1)
    assert ask(bench, 5).status == "ACCEPTED"
    assert ask(bench, 6).code == f"THROTTLED_{scope.upper()}"


def test_replacements_count_as_messages_and_cancels_always_pass(bench: Bench) -> None:
    configure(bench, throttles=Throttles(firm=Throttle(messages=2, seconds=10)))
    order = ask(bench, 1, limit_price="99").orders[0]
    bench.tell(f"order/{order}", r.Accepted(client_order_id=order, venue_order_id="V", at=bench.now))

    def command(number: int, action: Any, **fields: Any) -> Any:
        plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action=action)
        asked = ExecutionCommand(command_id=f"c-{number}", subscriber_id="alice", plan=plan, order_id=order, **fields)
        return bench.ask("subscriber/alice", asked)

    assert command(1, "MODIFY_ORDER", quantity=D(5)).status == "ACCEPTED"
    bench.tell(f"order/{order}", r.Replaced(client_order_id=order, quantity=D(5), limit_price=D(99), at=bench.now))
    assert command(2, "MODIFY_ORDER", quantity=D(4)).code == "THROTTLED_FIRM"
    assert ask(bench, 2).code == "THROTTLED_FIRM"
    assert command(3, "CANCEL_ORDER").status == "ACCEPTED"


def test_a_regime_slows_throttles_too(bench: Bench) -> None:
    configure(bench, throttles=Throttles(firm=Throttle(messages=4, seconds=10)))
    bench.ask("desk/main", Regime(regime="CAUTION", reason="volatile", by="ann"))
    assert [ask(bench, number).code for number in range(3)] == [None, None, "THROTTLED_FIRM"]


def test_a_storm_of_refusals_is_one_alarm_a_minute(bench: Bench) -> None:
    configure(bench, throttles=Throttles(firm=Throttle(messages=1, seconds=3600)))
    for number in range(5):
        ask(bench, number)
    assert list(bench.alarms()) == ["THROTTLED_FIRM"]
    bench.wait(60)
    ask(bench, 9)
    assert list(bench.alarms()) == ["THROTTLED_FIRM"] * 2
    assert [alarm.code for alarm in bench.part("desk/main", "alarms").latest] == ["THROTTLED_FIRM"] * 2


# short sales


def test_what_opens_or_adds_to_a_short_is_marked(bench: Bench) -> None:
    bench.join("carol", allow_short=True, max_leverage=D(2))
    ask(bench, 1, "carol")
    ask(bench, 2, "carol", side="SELL")
    first, second = bench.sent(r.SubmitOrder)
    assert (first.short_sale, second.short_sale) == (False, True)
    fill = r.Filled(
        client_order_id=first.client_order_id,
        execution_id="x",
        quantity=D(10),
        price=D(100),
        commission=D(0),
        at=bench.now,
    )
    bench.tell(f"order/{first.client_order_id}", fill)
    bench.tell(
        f"order/{second.client_order_id}", r.Canceled(client_order_id=second.client_order_id, reason="", at=bench.now)
    )
    ask(bench, 3, "carol", side="SELL")
    ask(bench, 4, "carol", side="SELL", quantity="1")
    assert [order.short_sale for order in bench.sent(r.SubmitOrder)[2:]] == [False, True]
