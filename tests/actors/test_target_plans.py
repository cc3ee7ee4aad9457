"""Targets with a plan: each order that steering makes is worked by it, and its constraints hold over all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine import reports as r
from engine import target_events as t
from engine.commands import Kill
from engine.config import Allow
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from engine.rules import Rules
from engine.work import WorkStarted, WorkStopped
from tests.actors.aiming import (
    aapl,
    aim,
    ask,
    cancelled,
    cancels,
    fill,
    hear,
    held,
    hold,
    newest,
    plan,
    positions,
    sends,
    sent,
    target,
    trading,
    works,
)
from tests.actors.bench import AT, Bench, D
from tests.actors.test_work import order


@pytest.fixture
def bench() -> Bench:
    return trading()


def twap(**fields: Any) -> ExecutionPlan:
    """Five equal slices in ten minutes, crossing at once."""
    known = {
        "preferred_execution_style": "TWAP",
        "max_execution_window_minutes": 10,
        "chunk_count_hint": 5,
        "chunk_distribution": "UNIFORM",
        "execution_urgency": D("0.8"),
    }
    return replace(plan(), **(known | fields))


def run(bench: Bench, seconds: int, fills: bool = True) -> None:
    """Time passes, and the venue fills what comes (or cancels what is to be cancelled)."""
    for _ in range(seconds // 10):
        bench.wait(10)
        bench.quote("AAPL", "100")
        if fills:
            fill_all(bench)


def fill_all(bench: Bench) -> None:
    for message in bench.sent(r.SubmitOrder):
        found = bench.part(f"order/{message.client_order_id}")
        if found is not None and found.open and found.status != "PENDING_CANCEL":
            works(bench, message.client_order_id)
            fill(bench, message.client_order_id, int(message.quantity - found.filled))


def confirm_cancels(bench: Bench) -> None:
    for name in cancels(bench):
        if bench.part(f"order/{name}") is not None and bench.part(f"order/{name}").open:
            cancelled(bench, name)


def test_a_target_is_worked_by_its_set_s_plan_until_it_is_reached(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    assert parent.startswith("work-")
    assert [child.order_id for child in aim(bench).children] == [parent]
    (started,) = bench.events(WorkStarted)
    (line,) = bench.events(t.TargetsDecided)[0].tickers
    assert f"BUY 100 (OPEN_LONG); worked: {started.reason}" in line.sentence
    run(bench, 300)
    assert (sent(bench)[0], 0 < held(bench) < 100) == ("BUY 20", True)
    assert aim(bench).children[0].leaves == 100 - held(bench) == order(bench, parent).working
    run(bench, 360)
    (reached,) = bench.events(t.TargetReached)
    assert (held(bench), reached.position, aim(bench), sent(bench)) == (100, 100, None, ["BUY 20"] * 5)


def test_a_target_s_own_plan_takes_the_place_of_the_set_s(bench: Bench) -> None:
    immediate = replace(plan(), must_complete_immediately=True)
    answer = ask(bench, positions(1, target("AAPL", "100", plan=immediate), target("FUT", "1"), plan=twap()))
    first, second = answer.orders
    assert (first.startswith("work-"), second.startswith("work-")) == (False, True)
    assert next(message.time_in_force for message in bench.sent(r.SubmitOrder)) == "IOC"


def test_what_is_closed_because_it_is_not_named_is_worked_by_the_plan_too(bench: Bench) -> None:
    hold(bench, 1, 100)
    (parent,) = ask(bench, positions(1, scope="ALL", plan=twap())).orders
    assert parent.startswith("work-")
    run(bench, 660)
    assert (held(bench), aim(bench)) == (0, None)


def test_a_newer_target_stops_a_parent_and_sends_nothing_that_its_children_could_make_too_much(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    run(bench, 300)
    before = held(bench)
    bench.wait(120)
    bench.quote("AAPL", "100")
    open_child = newest(bench)
    works(bench, open_child)
    assert before + 20 <= 100
    assert sends(bench, 2, str(before + 10)) == []
    assert [stopped.order_id for stopped in bench.events(WorkStopped)] == [parent]
    assert cancels(bench) == [open_child]
    count = len(sent(bench))
    fill(bench, open_child, 4)
    assert len(sent(bench)) == count
    cancelled(bench, open_child)
    assert sent(bench)[count:] == ["BUY 6"]
    fill(bench, newest(bench), 6)
    assert (held(bench), aim(bench)) == (before + 10, None)


def test_a_newer_target_of_the_same_plan_keeps_the_parent_and_works_the_rest(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    (rest,) = sends(bench, 2, "150", plan=twap())
    assert bench.events(WorkStopped) == []
    run(bench, 660)
    assert (order(bench, parent).filled, order(bench, rest).filled, held(bench)) == (100, 50, 150)
    assert aim(bench) is None


def test_a_restart_in_the_middle_of_a_plan_loses_nothing(bench: Bench) -> None:
    sends(bench, 1, "100", plan=twap())
    run(bench, 300)
    bench.restart()
    bench.open()
    run(bench, 360)
    assert (held(bench), aim(bench), len(bench.events(t.TargetReached))) == (100, None, 1)


def test_a_plan_whose_time_is_over_fails_the_target_with_what_was_missed(bench: Bench) -> None:
    bounded = twap(max_slippage_pct=D("0.01"), min_fill_ratio=D("0.5"))
    (parent,) = sends(bench, 1, "100", plan=bounded)
    for _ in range(70):
        bench.wait(10)
        bench.quote("AAPL", "105")
        confirm_cancels(bench)
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.order_id, failed.position) == ("ORDER_EXPIRED", parent, 0)
    assert "min_fill_ratio" in failed.reason
    assert aim(bench) is None


def test_a_plan_s_bound_is_measured_from_when_the_set_was_decided(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    bounded = replace(plan(), max_slippage_pct=D("0.01"))
    assert sends(bench, 2, "4", plan=bounded) == []
    bench.quote("AAPL", "150")
    cancelled(bench, first)
    later = bench.sent(r.SubmitOrder)[-1]
    assert (later.quantity, later.order_type, later.limit_price) == (4, "LIMIT", D("101.00"))


def test_a_plan_s_window_is_over_for_all_of_its_orders_at_once(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4", plan=twap())
    bench.wait(190)
    bench.quote("AAPL", "100")
    cancelled(bench, first)
    started = bench.events(WorkStarted)[-1]
    assert started.works is not None
    assert started.works.end <= AT + timedelta(minutes=10, seconds=1)


def test_what_waited_until_the_plan_s_window_was_over_is_not_sent(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4", plan=twap())
    bench.wait(600)
    bench.quote("AAPL", "100")
    cancelled(bench, first)
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.signal_id, sent(bench)) == ("TIME_OVER", "t-2", ["BUY 10"])


def test_what_waited_until_the_day_was_over_is_not_sent(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4", time_in_force="DAY")
    bench.wait(24 * 3600)
    bench.quote("AAPL", "100")
    cancelled(bench, first)
    assert [(failed.code, failed.signal_id) for failed in bench.events(t.TargetFailed)] == [("TIME_OVER", "t-2")]


def test_training_says_how_it_would_be_worked_and_sends_nothing(bench: Bench) -> None:
    answer = ask(bench, aapl(1, "100", mode="TRAINING", plan=twap()))
    (line,) = bench.events(t.TargetsDecided)[0].tickers
    assert (answer.orders, sent(bench), bench.events(WorkStarted), aim(bench)) == ((), [], [], None)
    assert "worked: TWAP until" in line.sentence


def test_a_plan_that_cannot_be_kept_refuses_its_ticker_and_with_all_or_none_the_set(bench: Bench) -> None:
    bench.quote("AAPL", "100")
    bench.wait(61)
    bench.quote("FUT", "50")
    bounded = replace(plan(), max_slippage_pct=D("0.01"))
    both = target("AAPL", "10", limit_price=D(99), plan=bounded), target("FUT", "1")
    answer = ask(bench, positions(1, *both, all_or_none=True))
    assert (answer.code, sent(bench)) == ("NO_REFERENCE_PRICE", [])
    answer = ask(bench, positions(2, *both))
    assert (answer.reason, sent(bench)) == ("1 of 2 tickers refused: XNAS:AAPL NO_REFERENCE_PRICE", ["BUY 1"])


def test_drift_and_the_least_order_hold_with_a_plan(bench: Bench) -> None:
    hold(bench, 1, 98)
    assert ask(bench, aapl(1, "100", plan=twap(), drift_quantity=D(2))).reason.startswith("NOOP")
    assert ask(bench, aapl(2, "100", plan=twap(), min_order_quantity=D(3))).reason.startswith("NOOP")
    assert (bench.events(WorkStarted), aim(bench)) == ([], None)


def test_a_flip_closes_by_the_plan_and_opens_by_the_plan(bench: Bench) -> None:
    bench.open(closes_first=True)
    hold(bench, 1, 50)
    sends(bench, 1, "-50", plan=twap())
    run(bench, 660)
    parents = [started.ticket for started in bench.events(WorkStarted)]
    assert [(ticket.side, ticket.quantity) for ticket in parents] == [("SELL", 50), ("SELL", 50)]
    ends = [started.works.end for started in bench.events(WorkStarted) if started.works is not None]
    assert ends[0] <= AT + timedelta(minutes=5, seconds=1)
    assert ends[1] <= AT + timedelta(minutes=10, seconds=1)
    assert (held(bench), aim(bench)) == (-50, None)


def test_a_kill_ends_the_parents_and_fails_their_targets(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    bench.wait(10)
    bench.ask("desk/main", Kill(reason="x", by="ann"))
    confirm_cancels(bench)
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.order_id, order(bench, parent).status, aim(bench)) == (
        "ORDER_CANCELED",
        parent,
        "CANCELED",
        None,
    )


def test_a_child_that_the_venue_rejects_is_the_parent_s_matter(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    run(bench, 20, fills=False)
    hear(bench, newest(bench), r.Rejected, reason="no")
    assert [child.order_id for child in aim(bench).children] == [parent]
    assert bench.events(t.TargetFailed) == []


@pytest.mark.parametrize("terms", [{"limit_price": D(101)}, {"limit_price": None}])
def test_orders_under_other_terms_do_not_stay_for_a_newer_target(bench: Bench, terms: dict[str, Any]) -> None:
    (first,) = ask(bench, positions(1, target("AAPL", "10", limit_price=D(99)))).orders
    works(bench, first)
    assert ask(bench, positions(2, target("AAPL", "10", **terms))).orders == ()
    assert cancels(bench) == [first]
    cancelled(bench, first)
    again = bench.sent(r.SubmitOrder)[-1]
    assert (again.quantity, again.limit_price) == (10, terms["limit_price"])


def test_a_plan_is_part_of_what_is_asked(bench: Bench) -> None:
    own = positions(1, target("AAPL", "10", plan=twap()))
    ask(bench, own)
    other = positions(1, target("AAPL", "10", plan=twap(chunk_count_hint=6)))
    answer = ask(bench, other)
    assert answer.code == "CONFLICT"
    assert answer.reason.startswith("targets.XNAS:AAPL.plan.chunk_count_hint")
    assert ask(bench, own).status == "EXISTS"


def test_a_parent_that_is_made_larger_than_its_target_is_cancelled_before_it_sends_more(bench: Bench) -> None:
    (parent,) = sends(bench, 1, "100", plan=twap())
    fill_all(bench)
    command = ExecutionCommand(
        command_id="c-1",
        subscriber_id="alice",
        plan=replace(plan(), action="MODIFY_ORDER"),
        order_id=parent,
        quantity=D(130),
    )
    assert ask(bench, command).status == "ACCEPTED"
    assert order(bench, parent).status == "CANCELED"
    assert bench.part("venue/test", f"parent/{parent}") is None
    assert sent(bench) == ["BUY 20", "BUY 16"]
    assert [child.leaves for child in aim(bench).children] == [80]


def test_a_parent_whose_start_waited_its_turn_is_worked_like_any_other(bench: Bench) -> None:
    """So many that they wait behind other mail: each is loaded, started and asked again when its time has come."""
    names = [f"S{number}" for number in range(150)]
    allow = Allow(symbols=frozenset(names), exchanges=frozenset({"XNAS"}))
    config = replace(bench.partition.turn.rules.config, allow=allow)
    bench.partition.turn.rules = Rules(config, {})
    for name in names:
        bench.quote(name, "1")
    answer = ask(bench, positions(1, *(target(name, "100") for name in names), plan=twap()))
    assert len(answer.orders) == 150
    assert [name for name in answer.orders if bench.part(f"order/{name}") is None] == []
    bench.wait(30)
    for name in names:
        bench.quote(name, "1")
    bench.wait(600)
    assert {order(bench, name).status for name in answer.orders} <= {"EXPIRED", "WORKING"}
