"""Gross limits of a strategy and of all: executed and working together, counted at once and after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.working import Working
from engine import control_events as c
from engine import reports as r
from engine.control_commands import Regime
from engine.control_settings import ControlSettings, Gross
from engine.messages import ExecutionCommand, ExecutionPlan
from tests.actors.bench import Bench, D, request


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    for name in ("alice", "bob"):
        bench.join(name, cash="1000000")
    return bench


def configure(bench: Bench, **gross: Any) -> None:
    controls = ControlSettings(gross=Gross(**gross))
    bench.configure(controls=controls)


def ask(bench: Bench, number: int, owner: str = "alice", **fields: Any) -> Any:
    """Ten units at 100, so 1000, unless it says otherwise."""
    return bench.ask(f"subscriber/{owner}", request(number, owner, **fields))


def fill(bench: Bench, order: str, quantity: int, price: int = 100) -> None:
    bench.tell(
        f"order/{order}",
        r.Filled(
            client_order_id=order,
            execution_id=f"{order}-{quantity}",
            quantity=D(quantity),
            price=D(price),
            commission=D(0),
            at=bench.now,
        ),
    )


def test_what_works_counts_at_once_for_all_who_trade(bench: Bench) -> None:
    configure(bench, firm=D(2500))
    bench.post("subscriber/alice", request(1), request(2))
    bench.post("subscriber/bob", request(3, "bob"))
    bench.settle()
    assert len(bench.sent(r.SubmitOrder)) == 2
    refused = ask(bench, 4, "bob")
    assert refused.code == "MAX_FIRM_GROSS"
    assert refused.reason == "gross: firm executed 0 USD today and works 2000, this order 1000, limit 2500"
    assert ask(bench, 5, "bob", quantity="5").status == "ACCEPTED"


def test_a_strategy_has_its_own_limit_and_others_go_on(bench: Bench) -> None:
    configure(bench, strategy=D(1000), strategies={"value": D(2000)})
    assert ask(bench, 1).status == "ACCEPTED"
    assert ask(bench, 2, "bob").code == "MAX_STRATEGY_GROSS"
    assert ask(bench, 3, strategy_id="value", quantity="20").status == "ACCEPTED"
    assert ask(bench, 4, strategy_id="value", quantity="1").code == "MAX_STRATEGY_GROSS"


def test_what_is_executed_goes_on_counting_that_day_and_what_is_cancelled_does_not(bench: Bench) -> None:
    configure(bench, firm=D(1000))
    order = ask(bench, 1).orders[0]
    fill(bench, order, 4, price=90)
    assert "executed 360 USD today and works 600," in ask(bench, 2).reason
    bench.tell(f"order/{order}", r.Canceled(client_order_id=order, reason="x", at=bench.now))
    assert "executed 360 USD today and works 0," in ask(bench, 3).reason
    assert ask(bench, 4, quantity="6").status == "ACCEPTED"
    assert [(event.strategy_id, event.notional) for event in bench.events(c.TradeCounted)] == [("momentum", D(360))]


def test_a_new_day_begins_with_nothing(bench: Bench) -> None:
    configure(bench, firm=D(1000))
    fill(bench, ask(bench, 1).orders[0], 10)
    assert ask(bench, 2).code == "MAX_FIRM_GROSS"
    bench.wait(24 * 3600)
    bench.open()
    assert ask(bench, 3).status == "ACCEPTED"


def test_after_a_restart_it_is_as_it_was(bench: Bench) -> None:
    configure(bench, firm=D(1000))
    fill(bench, ask(bench, 1).orders[0], 4)
    bench.restart()
    bench.open()
    configure(bench, firm=D(1000))
    assert "executed 400 USD today and works 600," in ask(bench, 2).reason


def test_what_works_when_a_limit_is_configured_counts(bench: Bench) -> None:
    ask(bench, 1)
    configure(bench, firm=D(1500))
    assert "works 1000," in ask(bench, 2).reason


def test_a_replacement_takes_the_place_of_its_order(bench: Bench) -> None:
    configure(bench, firm=D(1500))
    order = ask(bench, 1, limit_price="100").orders[0]
    bench.tell(f"order/{order}", r.Accepted(client_order_id=order, venue_order_id="V", at=bench.now))
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")

    def modify(number: int, quantity: int) -> Any:
        command = ExecutionCommand(
            command_id=f"c-{number}", subscriber_id="alice", plan=plan, order_id=order, quantity=D(quantity)
        )
        return bench.ask("subscriber/alice", command)

    assert modify(1, 16).code == "MAX_FIRM_GROSS"
    assert modify(2, 15).status == "ACCEPTED"
    assert "works 1500," in ask(bench, 2, quantity="1").reason


def test_what_only_reduces_passes(bench: Bench) -> None:
    fill(bench, ask(bench, 1).orders[0], 10)
    configure(bench, firm=D(1))
    assert ask(bench, 2, quantity="1").code == "MAX_FIRM_GROSS"
    assert ask(bench, 3, side="SELL").status == "ACCEPTED"


def test_a_regime_lowers_gross_limits(bench: Bench) -> None:
    configure(bench, firm=D(2000))
    bench.ask("desk/main", Regime(regime="CAUTION", reason="volatile", by="ann"))
    assert ask(bench, 1).status == "ACCEPTED"
    assert ask(bench, 2, quantity="1").reason.endswith("limit 1000")


def test_where_no_limit_is_configured_no_trade_is_counted(bench: Bench) -> None:
    fill(bench, ask(bench, 1).orders[0], 10)
    assert bench.events(c.TradeCounted) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0, 1, 10, 250])), max_size=40))
def test_sums_are_those_of_what_each_order_was_last_set_to(moves: list[tuple[int, int]]) -> None:
    working = Working()
    last: dict[int, int] = {}
    for number, notional in moves:
        working.set(f"o-{number}", f"s-{number % 2}", "USD", D(notional))
        last[number] = notional
    assert working.sum("firm", "USD") == sum(last.values())
    assert working.sum("strategy/s-1", "USD") == sum(value for number, value in last.items() if number % 2)
    assert all(working.of(f"o-{number}") == value for number, value in last.items())


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 10, 250]), st.sampled_from([0, 7])), max_size=30))
def test_what_was_executed_counts_as_working_until_it_is_taken(moves: list[tuple[int, int, int]]) -> None:
    working = Working()
    last: dict[int, int] = {}
    for number, notional, executed in moves:
        working.set(f"o-{number}", "s", "USD", D(notional), D(executed))
        last[number] = notional
    executed_in_all = sum(executed for _, _, executed in moves)
    assert working.sum("firm", "USD") == working.sum("strategy/s", "USD") == sum(last.values()) + executed_in_all
    assert working.take() is bool(executed_in_all)
    assert working.sum("firm", "USD") == working.sum("strategy/s", "USD") == sum(last.values())
    assert working.take() is False


def test_fills_of_one_batch_are_one_event_and_count_at_once(bench: Bench) -> None:
    configure(bench, firm=D(2500))
    orders = [ask(bench, number).orders[0] for number in (1, 2)]
    for order in orders:
        filled = r.Filled(client_order_id=order, execution_id=order, quantity=D(10), price=D(100),
                          commission=D(0), at=bench.now)  # fmt: skip
        bench.post(f"order/{order}", filled)
    bench.post("subscriber/bob", request(3, "bob"))
    bench.settle()
    assert [event.notional for event in bench.events(c.TradeCounted)] == [D(2000)]
    assert len(bench.sent(r.SubmitOrder)) == 2
    assert "executed 2000 USD today and works 0," in ask(bench, 4).reason
