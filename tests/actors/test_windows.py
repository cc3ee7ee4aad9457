"""A restart is no way around a window: what was sent before it counts after it. Partitions share what is for all."""

from __future__ import annotations

from typing import Any

import pytest

from engine import reports as r
from engine.control_commands import Rearm
from engine.control_settings import ControlSettings, Duplicates, Gross, Repeats, Throttle, Throttles
from engine.messages import ExecutionCommand, ExecutionPlan, Subscription
from engine.methods import FixedQuantity
from tests.actors.aiming import positions, target
from tests.actors.bench import Bench, D, request
from tests.actors.test_work import fill, placed, twap


def trading(number: int = 0, partitions: int = 1, **controls: Any) -> Bench:
    """Alice and Bob, who follow a strategy, under these controls."""
    bench = Bench(number, partitions)
    bench.configure(controls=ControlSettings(**controls))
    bench.open()
    follows = Subscription(strategy_id="momentum", allocation=FixedQuantity(value=D(1)))
    for name in ("alice", "bob"):
        bench.join(name, follows, cash="1000000")
    return bench


def again(bench: Bench) -> None:
    bench.wait(1)
    bench.restart()
    bench.open()


def ask(bench: Bench, number: int, **fields: Any) -> Any:
    return bench.ask("subscriber/alice", request(number, **fields))


def command(bench: Bench, number: int, order: str, quantity: int) -> Any:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")
    return bench.ask(
        "subscriber/alice",
        ExecutionCommand(
            command_id=f"c-{number}", subscriber_id="alice", plan=plan, order_id=order, quantity=D(quantity)
        ),
    )


@pytest.mark.parametrize("scope", ["subscriber", "strategy", "venue", "firm"])
def test_messages_of_every_kind_count_after_a_restart(scope: str) -> None:
    bench = trading(throttles=Throttles(**{scope: Throttle(messages=6, seconds=600)}))
    resting = ask(bench, 1, limit_price="99").orders[0]
    bench.tell(f"order/{resting}", r.Accepted(client_order_id=resting, venue_order_id="V", at=bench.now))
    assert command(bench, 1, resting, 9).status == "ACCEPTED"
    bench.tell(f"order/{resting}", r.Replaced(client_order_id=resting, quantity=D(9), limit_price=D(99), at=bench.now))
    assert bench.ask("subscriber/alice", positions(2, target("FUT", "1"), strategy_id="momentum")).status == "ACCEPTED"
    placed(bench, 3, plan=twap())  # a parent, and its first child
    fill(bench, bench.sent(r.SubmitOrder)[-1])
    again(bench)
    assert ask(bench, 4).status == "ACCEPTED"
    again(bench)
    refused = ask(bench, 5)
    assert refused.code == f"THROTTLED_{scope.upper()}"
    assert "sent 6 messages within 600 s, limit 6" in refused.reason
    bench.wait(600)
    bench.open()
    assert ask(bench, 6).status == "ACCEPTED"


def test_what_left_the_window_before_the_restart_counts_no_more() -> None:
    bench = trading(throttles=Throttles(firm=Throttle(messages=2, seconds=10)))
    ask(bench, 1)
    bench.wait(9)
    ask(bench, 2)
    again(bench)
    assert ask(bench, 3).status == "ACCEPTED"
    assert ask(bench, 4).code == "THROTTLED_FIRM"


def test_a_duplicate_is_one_after_a_restart_too() -> None:
    bench = trading(duplicates=Duplicates(seconds=60))
    ask(bench, 1)
    ask(bench, 2, limit_price="99")
    again(bench)
    assert ask(bench, 3).code == ask(bench, 4, limit_price="99").code == "DUPLICATE_ORDER"
    assert ask(bench, 5, limit_price="98").status == "ACCEPTED"


def test_repeats_go_on_counting_and_a_rearm_stays_one() -> None:
    bench = trading(repeats=Repeats(executions=2, seconds=600))

    def acts(number: int) -> bool:
        before = len(bench.sent(r.SubmitOrder))
        bench.ask("strategy/momentum", request(number, None))
        return len(bench.sent(r.SubmitOrder)) > before

    assert acts(1)
    again(bench)
    assert acts(2)
    again(bench)
    assert not acts(3)
    bench.ask("desk/main", Rearm(strategy_id="momentum", instrument="XNAS:AAPL", reason="mended", by="ann"))
    again(bench)
    assert [acts(4), acts(5), acts(6)] == [True, True, False]


def test_where_no_window_is_configured_nothing_is_read_again() -> None:
    bench = trading(gross=Gross(firm=D(10)))
    ask(bench, 1)
    bench.journal.since_now = None  # type: ignore[method-assign,assignment]
    again(bench)


def test_partitions_together_let_through_what_is_configured() -> None:
    controls: dict[str, Any] = {
        "throttles": Throttles(firm=Throttle(messages=5, seconds=60), subscriber=Throttle(messages=4))
    }
    passed = 0
    for number in range(2):
        bench = trading(number, 2, **controls)
        codes = [ask(bench, at).code for at in range(5)]
        passed += codes.count(None)
        assert codes[-1] == "THROTTLED_FIRM"
    assert passed == 5


def test_gross_limits_are_shared_too() -> None:
    passed = []
    for number in range(2):
        bench = trading(number, 2, gross=Gross(firm=D(5000)))
        passed.append([ask(bench, at).code for at in range(4)].count(None))
    assert passed == [2, 2]
