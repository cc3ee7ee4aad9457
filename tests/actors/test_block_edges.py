"""Blocks where little goes as it should: more is filled than was wanted, somebody never answers, time runs out."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from engine import blocks as b
from engine import events as e
from engine import reports as r
from engine.commands import Subscribe
from engine.control_settings import ControlSettings, Throttle, Throttles
from engine.identity import partition_of
from engine.messages import Subscription
from engine.methods import Equal, FixedQuantity, Multiplier
from engine.plan import ExecutionPlan
from tests.actors.bench import AT, Bench, D, request, subscriber
from tests.actors.together import accept, fill, follow, held, parts, signal, submitted


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


def over(bench: Bench, order_id: str, **known: Any) -> None:
    """The venue cancels an order by itself and does not say what was filled of it."""
    bench.tell(f"order/{order_id}", r.Canceled(client_order_id=order_id, reason="venue", at=bench.now, **known))


PLAN = ExecutionPlan(
    plan_id="EXP_20260105_143000_00001",
    preferred_execution_style="TWAP",
    max_execution_window_minutes=10,
    chunk_count_hint=3,
)


@pytest.mark.parametrize("settled", [True, False])
def test_what_is_filled_beyond_what_was_wanted_is_booked_for_all_who_ordered(bench: Bench, settled: bool) -> None:
    """A child that the venue cancelled was filled all the same, and said so after others had taken its place."""
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    signal(bench, plan=PLAN)
    bench.settle()
    (first,) = bench.sent(r.SubmitOrder)
    accept(bench, first.client_order_id)
    over(bench, first.client_order_id)
    number, left = 1, 30
    for _ in range(60):
        for order in bench.sent(r.SubmitOrder)[number:]:
            number, left = number + 1, left - int(order.quantity)
            if left == 0 and not settled:
                fill(bench, first.client_order_id, "6", "100", 99)
            fill(bench, order.client_order_id, str(order.quantity), "100", number)
        bench.wait(15)
    assert left == 0
    if settled:
        fill(bench, first.client_order_id, "6", "100", 99)
    assert held(bench, "alice") == (12, 0, 0, 98800)
    assert held(bench, "bob") == (24, 0, 0, 97600)
    assert "BLOCK_OVERFILLED" in list(bench.alarms())
    assert {part.status for part in parts(bench).values()} == {"FILLED"}
    assert bench.events(e.DeadLettered) == []


def test_what_the_venue_made_larger_is_booked(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    accept(bench, order_id)
    bench.tell(
        f"order/{order_id}", r.Replaced(client_order_id=order_id, quantity=D(36), limit_price=None, at=bench.now)
    )
    fill(bench, order_id, "36", "100", 1)
    assert held(bench, "alice")[:3] == (12, 0, 0)
    assert held(bench, "bob")[:3] == (24, 0, 0)


def test_fills_off_every_grid_are_shared_to_the_last_digit(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    accept(bench, order_id)
    fill(bench, order_id, "12.5", "100.000000000001", 1, "-0.0000000000001")
    over(bench, order_id)
    fill(bench, order_id, "17", "100.0000000000015", 2)
    assert held(bench, "alice")[0] + held(bench, "bob")[0] == D("29.5")
    paid = 200000 - Fraction(held(bench, "alice")[3]) - Fraction(held(bench, "bob")[3])
    first, second = Fraction("12.5") * Fraction("100.000000000001"), 17 * Fraction("100.0000000000015")
    assert paid == first + second - Fraction("0.0000000000001")
    assert bench.events(e.DeadLettered) == []


def test_a_block_is_a_message_that_throttles_count_and_stop(bench: Bench) -> None:
    one = ControlSettings(throttles=Throttles(venue=Throttle(messages=1), firm=Throttle(messages=1)))
    turn = bench.partition.turn
    turn.rules = turn.rules.with_config(replace(turn.rules.config, controls=one))
    for name in ("alice", "bob"):
        follow(bench, name, Multiplier(D(1)))
    signal(bench)
    signal(bench, 2)
    assert submitted(bench).quantity == 20
    assert [event.code for event in bench.events(e.RequestDenied)] == ["THROTTLED_VENUE"] * 2


def loses(bench: Bench, child: str) -> None:
    """The venue is asked about a child, again and again, and does not know it; its parent's time runs out."""
    for _ in range(20):
        bench.tell(f"order/{child}", r.NotFound(client_order_id=child, at=bench.now))
        bench.wait(40)


@pytest.mark.parametrize("filled", [0, 20, 30])
@pytest.mark.parametrize("crash", [False, True])
def test_what_a_lost_child_may_fill_stays_reserved_until_that_is_known(bench: Bench, filled: int, crash: bool) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    signal(bench, plan=replace(PLAN, chunk_count_hint=1))
    bench.settle()
    (first,) = bench.sent(r.SubmitOrder)
    loses(bench, first.client_order_id)
    (ended,) = bench.events(b.BlockSettled)
    assert ended.status == "EXPIRED"
    assert "may still be filled" in ended.reason
    assert held(bench, "alice")[:2] == (0, 10)
    if crash:
        bench.restart()
        bench.open()
    if filled:
        fill(bench, first.client_order_id, str(filled), "100")
    over(bench, first.client_order_id, filled=D(filled))
    bench.ask("subscriber/alice", request(5, "alice", quantity="0.5"))
    bench.ask("subscriber/bob", request(5, "bob", quantity="0.5"))
    assert held(bench, "alice")[0] + held(bench, "bob")[0] == filled
    assert held(bench, "alice")[1:3] == held(bench, "bob")[1:3] == (0, 0)
    assert {part.status for part in parts(bench).values()} == {"FILLED" if filled == 30 else "EXPIRED"}


# Somebody never answers.

STRATEGY = next(f"strategy-{n}" for n in range(9) if partition_of(f"strategy-{n}", 2) == 0)
SIGNAL = next(f"s-{n}" for n in range(9) if partition_of(b.block_id(STRATEGY, f"s-{n}"), 2) == 0)
HERE, THERE = (next(f"trader-{n}" for n in range(9) if partition_of(f"trader-{n}", 2) == p) for p in (0, 1))


@pytest.fixture
def here() -> Bench:
    """The first of two partitions: a follower of a strategy, and another one in the second, which is away."""
    here = Bench(0, 2)
    here.open()
    followed = Subscription(strategy_id=STRATEGY, allocation=FixedQuantity(D(10)))
    here.join(HERE, followed)
    here.tell(f"strategy/{STRATEGY}", Subscribe(subscriber_id=THERE, active=True))
    return here


def ask(here: Bench, **fields: Any) -> None:
    known = {"strategy_id": STRATEGY, "signal_id": SIGNAL, "block": True, "time_in_force": "DAY", **fields}
    here.tell(f"strategy/{STRATEGY}", request(1, None, **known))


def test_a_block_goes_on_without_who_does_not_answer(here: Bench) -> None:
    ask(here)
    here.wait(29)
    assert here.sent(r.SubmitOrder) == []
    here.wait(2)
    assert submitted(here).quantity == 10


@pytest.mark.parametrize(
    ("seconds", "fields", "word"),
    [
        (60 * 60 * 10, {}, "session was over"),
        (60, {"expires_at": AT + timedelta(seconds=20)}, "expires_at: "),
    ],
)
@pytest.mark.parametrize("plan", [None, PLAN])
def test_what_was_approved_for_another_time_is_not_sent(
    here: Bench, seconds: int, fields: Any, word: str, plan: ExecutionPlan | None
) -> None:
    """The process was away while its members' orders waited for each other."""
    ask(here, plan=plan, **fields)
    here.restart()
    here.now += timedelta(seconds=seconds)
    here.open()
    here.wait(1)
    assert here.sent(r.SubmitOrder) == []
    (part,) = parts(here).values()
    assert (part.status, part.reason[:15]) == ("REJECTED", "STALE_REQUEST: ")
    assert word in part.reason


def test_what_another_partition_approved_is_held_to_the_throttles_of_the_blocks(here: Bench) -> None:
    one = ControlSettings(throttles=Throttles(venue=Throttle(messages=1, seconds=3600)))
    here.partition.turn.rules = here.partition.turn.rules.with_config(
        replace(here.partition.turn.rules.config, controls=one)
    )
    ask(here)
    here.ask(f"subscriber/{HERE}", request(7, HERE))
    here.wait(31)
    (part,) = parts(here).values()
    assert part.reason.startswith("THROTTLED_VENUE: venue: ")


def test_a_thousand_followers_are_one_order(bench: Bench) -> None:
    for number in range(1000):
        follow(bench, f"s{number}", Equal())
    signal(bench, quantity="4000")
    order_id = submitted(bench).client_order_id
    accept(bench, order_id)
    fill(bench, order_id, "1500", "100.01", 1, "7.77")
    over(bench, order_id)
    got = [held(bench, f"s{number}") for number in range(1000)]
    assert sum(quantity for quantity, *_ in got) == 1500
    assert {quantity for quantity, *_ in got} == {1, 2}
    assert {(working, reserved) for _, working, reserved, _ in got} == {(0, 0)}
    assert 100_000_000 - sum(cash for *_, cash in got) == 1500 * D("100.01") + D("7.77")


def test_nobody_is_named_as_a_block_is() -> None:
    """Its fills would be taken for a block's, and booked for nobody."""
    problem = subscriber("block-trader").problem()
    assert problem is not None
    assert problem[0] == "RESERVED_ID"
    assert subscriber("blocks").problem() is None


def test_the_messages_of_a_worked_block_count_after_a_restart_as_before(bench: Bench) -> None:
    many = ControlSettings(throttles=Throttles(firm=Throttle(messages=9, seconds=3600)))
    turn = bench.partition.turn
    turn.rules = turn.rules.with_config(replace(turn.rules.config, controls=many))
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench, plan=PLAN)
    before = turn.watch.throttles["firm"].count("all", bench.now, 3600)
    assert before == 2
    bench.restart()
    assert bench.partition.turn.watch.throttles["firm"].count("all", bench.now, 3600) == before
