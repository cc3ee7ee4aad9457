"""A subscriber: decides each request once, holds to its limits with open orders counted, and never makes up money."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine import events as e
from engine import reports as r
from engine.commands import Introduce, SetStatus
from engine.messages import CashMovement, ExecutionCommand, Subscription
from engine.methods import Allocation, FixedNotional, PercentChange, RiskBased
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D, request, subscriber


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice", cash="1500")
    return bench


def ask(bench: Bench, message: Any) -> Any:
    return bench.ask("subscriber/alice", message)


def execute(message: Any, number: int = 1) -> ExecutionCommand:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde")
    return ExecutionCommand(command_id=f"c-{number}", subscriber_id="alice", plan=plan, request=message)


# once


def test_a_request_is_accepted_with_its_order(bench: Bench) -> None:
    answer = ask(bench, request(1))
    assert (answer.status, len(answer.orders)) == ("ACCEPTED", 1)
    assert bench.sent(r.SubmitOrder)[0].client_order_id == answer.orders[0]


def test_the_same_request_again_gives_the_first_outcome_and_no_order(bench: Bench) -> None:
    first = ask(bench, request(1))
    again = ask(bench, replace(request(1), request_id="another"))
    assert (again.status, again.orders, again.original) == ("EXISTS", first.orders, first)
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_the_same_key_for_something_else_is_a_conflict_that_names_the_field(bench: Bench) -> None:
    ask(bench, request(1))
    answer = ask(bench, request(1, quantity="11"))
    assert answer.status == "CONFLICT"
    assert answer.reason.startswith("quantity")
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_a_denial_is_an_outcome_for_good_too(bench: Bench) -> None:
    first = ask(bench, request(1, quantity="100"))
    assert first.code == "INSUFFICIENT_CASH"
    bench.tell("subscriber/alice", CashMovement(movement_id="m-1", currency="USD", amount=D(100000)))
    assert ask(bench, request(1, quantity="100")).original == first


def test_a_request_is_decided_once_over_a_restart(bench: Bench) -> None:
    first = ask(bench, request(1))
    bench.restart()
    bench.open()
    assert ask(bench, request(1)).original == first
    assert len(bench.sent(r.SubmitOrder)) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_a_command_to_execute_is_its_request_and_decided_once(bench: Bench, restart: bool) -> None:
    first = ask(bench, execute(request(1)))
    if restart:
        bench.restart()
        bench.open()
    assert ask(bench, execute(request(1))).original == first
    assert ask(bench, execute(request(1), 2)).original == first
    assert ask(bench, request(1)).original == first
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_a_group_that_is_not_there_cannot_be_cancelled(bench: Bench) -> None:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="CANCEL_GROUP")
    command = ExecutionCommand(command_id="c-1", subscriber_id="alice", plan=plan, group_id="g")
    assert ask(bench, command).code == "UNKNOWN_GROUP"


# limits, with open orders counted


def test_two_orders_cannot_spend_the_same_cash(bench: Bench) -> None:
    assert ask(bench, request(1)).status == "ACCEPTED"
    assert ask(bench, request(2)).code == "INSUFFICIENT_CASH"


def test_a_position_cannot_be_sold_twice(bench: Bench) -> None:
    order = ask(bench, request(1)).orders[0]
    fill = r.Filled(
        client_order_id=order, execution_id="x-1", quantity=D(10), price=D(100), commission=D(0), at=bench.now
    )
    bench.tell(f"order/{order}", fill)
    assert ask(bench, request(2, side="SELL")).status == "ACCEPTED"
    assert ask(bench, request(3, side="SELL", quantity="1")).code == "SHORT_NOT_ALLOWED"
    assert ask(bench, request(4, side=None, quantity=None, intent="CLOSE")).code == "NOTHING_TO_CLOSE"


def test_an_order_in_the_same_batch_counts(bench: Bench) -> None:
    bench.post("subscriber/alice", request(1), request(2))
    bench.settle()
    assert [event.code for event in bench.events(e.RequestDenied)] == ["INSUFFICIENT_CASH"]


def test_without_a_live_price_nothing_is_bought(bench: Bench) -> None:
    bench.wait(61)
    assert ask(bench, request(1)).code == "NO_REFERENCE_PRICE"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SYMBOL_NOT_ALLOWED", request(1, symbol="MSFT")),
        ("EXCHANGE_NOT_ALLOWED", request(1, exchange="XLON")),
        ("NOT_SUBSCRIBED", request(1, owner=None)),
        ("OFF_TICK", request(1, limit_price="100.001")),
        ("OFF_LOT", request(1, quantity="1.5")),
    ],
)
def test_denials_have_a_code(bench: Bench, code: str, message: Any) -> None:
    assert ask(bench, message).code == code


def test_a_multiplier_counts_in_cash_and_position(bench: Bench) -> None:
    assert ask(bench, request(1, symbol="FUT", quantity="4")).code == "INSUFFICIENT_CASH"
    assert ask(bench, request(2, symbol="FUT", quantity="2")).status == "ACCEPTED"
    assert bench.part("subscriber/alice", "position/XNAS:FUT").reserved_buy == D(1000)


# who it is


def test_who_is_not_known_may_nothing(bench: Bench) -> None:
    assert bench.ask("subscriber/eve", request(1, "eve")).code == "UNKNOWN_SUBSCRIBER"
    moved = CashMovement(movement_id="m-1", currency="USD", amount=D(1))
    assert bench.ask("subscriber/eve", moved).code == "UNKNOWN_SUBSCRIBER"


@pytest.mark.parametrize("status", ["PAUSED", "CLOSED"])
def test_who_is_not_active_may_nothing(bench: Bench, status: str) -> None:
    ask(bench, SetStatus(status=status, reason="x", by="ann"))
    assert ask(bench, request(1)).code == f"SUBSCRIBER_{status}"
    bench.restart()
    bench.open()
    assert ask(bench, request(2)).code == f"SUBSCRIBER_{status}"


def test_a_status_that_is_none_is_refused(bench: Bench) -> None:
    assert ask(bench, SetStatus(status="ASLEEP", reason="x", by="ann")).code == "BAD_STATUS"


def test_an_upsert_changes_limits_and_never_money(bench: Bench) -> None:
    bench.tell("subscriber/alice", subscriber("alice", cash="999999", max_order_quantity=D(1)))
    assert bench.part("subscriber/alice", "cash/USD").amount == D(1500)
    assert ask(bench, request(1)).code == "MAX_ORDER_QUANTITY"


def test_limits_read_back_after_a_restart(bench: Bench) -> None:
    bench.tell("subscriber/alice", subscriber("alice", max_order_quantity=D(1)))
    bench.restart()
    bench.open()
    assert ask(bench, request(1)).code == "MAX_ORDER_QUANTITY"


def test_the_bus_wins_over_the_configuration(bench: Bench) -> None:
    bench.tell("subscriber/alice", Introduce(subscriber=subscriber("alice", max_order_quantity=D(1))))
    assert ask(bench, request(1)).status == "ACCEPTED"


def test_the_configuration_counts_until_the_bus_says_otherwise(bench: Bench) -> None:
    bench.tell("subscriber/bob", Introduce(subscriber=subscriber("bob", max_order_quantity=D(1))))
    bench.tell("subscriber/bob", Introduce(subscriber=subscriber("bob", max_order_quantity=D(5))))
    assert bench.ask("subscriber/bob", request(1, "bob", quantity="3")).status == "ACCEPTED"


# money


def test_a_movement_counts_once(bench: Bench) -> None:
    moved = CashMovement(movement_id="m-1", currency="USD", amount=D("-0.01"))
    assert [ask(bench, moved).status for _ in range(2)] == ["ACCEPTED", "EXISTS"]
    assert bench.part("subscriber/alice", "cash/USD").amount == D("1499.99")


def test_a_movement_of_nothing_is_refused(bench: Bench) -> None:
    assert ask(bench, CashMovement(movement_id="m-1", currency="USD", amount=D(0))).code == "BAD_QUANTITY"


def test_a_movement_in_another_currency_opens_a_balance(bench: Bench) -> None:
    ask(bench, CashMovement(movement_id="m-1", currency="EUR", amount=D(5)))
    assert bench.part("subscriber/alice", "cash/EUR").amount == D(5)


# how a signal is sized


def follows(bench: Bench, allocation: Allocation, **limits: Any) -> None:
    bench.join("bob", Subscription(strategy_id="momentum", allocation=allocation), cash="100000", **limits)


def signal(bench: Bench, number: int, **fields: Any) -> Any:
    return bench.ask("subscriber/bob", request(number, None, **fields))


def ticket(bench: Bench) -> Any:
    return bench.events(e.RequestAccepted)[-1].tickets[0]


def test_a_signal_is_sized_by_the_distance_of_its_stop(bench: Bench) -> None:
    follows(bench, RiskBased(value=D("0.01")))
    assert signal(bench, 1, stop_price=D(95)).status == "ACCEPTED"
    assert (ticket(bench).quantity, ticket(bench).order_type) == (200, "MARKET")
    assert signal(bench, 2, limit_price="99", stop_price=D("94")).status == "ACCEPTED"
    assert ticket(bench).quantity == 200
    assert signal(bench, 3).code == "MISSING_STOP"
    assert signal(bench, 4, stop_price=D(101)).code == "BAD_STOP"


def test_a_signal_changes_a_position_by_a_part_of_what_is_held(bench: Bench) -> None:
    follows(bench, PercentChange(value=D("0.5")))
    assert signal(bench, 1).code == "NO_EFFECT"
    order = bench.ask("subscriber/bob", request(2, "bob", quantity="40")).orders[0]
    fill = r.Filled(
        client_order_id=order, execution_id="x-1", quantity=D(40), price=D(100), commission=D(0), at=bench.now
    )
    bench.tell(f"order/{order}", fill)
    assert signal(bench, 3).status == "ACCEPTED"
    assert ticket(bench).quantity == 20
    follows(bench, PercentChange(value=D("-0.5")))
    assert [signal(bench, number, side="SELL").status for number in (4, 5)] == ["ACCEPTED", "ACCEPTED"]
    assert signal(bench, 6, side="SELL").code == "SIZE_TOO_SMALL"
    assert bench.part("subscriber/bob", "position/XNAS:AAPL").working_sell == 40


def test_the_allocation_s_leverage_is_the_order_s(bench: Bench) -> None:
    follows(bench, FixedNotional(value=D(1000), leverage=D(2)), max_leverage=D(3))
    assert signal(bench, 1, leverage=D(5)).status == "ACCEPTED"
    assert (ticket(bench).quantity, ticket(bench).leverage) == (20, 2)
    follows(bench, FixedNotional(value=D(1000)), max_leverage=D(3))
    assert signal(bench, 2, leverage=D(3)).status == "ACCEPTED"
    assert (ticket(bench).quantity, ticket(bench).leverage) == (30, 3)


@pytest.mark.parametrize(("owner", "stop", "code"), [("bob", "95", "UNEXPECTED_PRICE"), (None, "-1", "BAD_PRICE")])
def test_only_a_signal_has_a_protective_stop(owner: str | None, stop: str, code: str) -> None:
    problem = request(1, owner, stop_price=D(stop)).problem()
    assert problem is not None
    assert problem[0] == code
    assert request(1, None, stop_price=D(95)).problem() is None
