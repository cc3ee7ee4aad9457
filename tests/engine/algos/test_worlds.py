"""Every algorithm in random markets: whatever fills, is refused or is silent, no bound is ever passed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.algos.contract import Algorithm, Finish, Place
from engine.algos.start import Begun, Known, begin
from engine.algos.work import amended, decide, stopped
from engine.messages import ExecutionPlan
from engine.values import Side
from tests.engine.algos.world import MAX_CHILDREN, START, D, World, begun, parent, places, plan, quote

ALGORITHMS = get_args(Algorithm)
RATIOS = st.none() | st.decimals(0, 1, places=3)
STEPS = 30

PLANS = st.builds(
    ExecutionPlan,
    plan_id=st.sampled_from(["EXP_20260105_143000_abcde", "EXP_20260105_143000_zzzzz"]),
    execution_urgency=RATIOS,
    visibility_preference=RATIOS,
    max_slippage_pct=st.none() | st.decimals(0, 1, places=4) | st.decimals("0", "0.01", places=4),
    must_complete_immediately=st.booleans(),
    max_execution_window_minutes=st.none() | st.integers(1, 120),
    chunk_count_hint=st.none() | st.integers(1, 200) | st.integers(1, 10_000),
    chunk_distribution=st.sampled_from([None, "UNIFORM", "WEIGHTED"]),
    min_fill_ratio=RATIOS,
)
PARENTS = st.builds(
    parent,
    side=st.sampled_from(["BUY", "SELL"]),
    quantity=st.sampled_from(["5", "100", "1000", "12345"]),
    lot=st.sampled_from(["1", "5", "0.01"]),
    least=st.sampled_from(["0", "0", "7"]),
    arrival=st.sampled_from(["100", "99.995", "0.013"]),
    limit=st.sampled_from([None, None, "100.00", "99.995", "101"]),
    seed=st.text(max_size=5),
)


@given(
    algorithm=st.sampled_from(ALGORITHMS),
    order=PARENTS,
    chosen=PLANS,
    native=st.booleans(),
    data=st.data(),
    randoms=st.randoms(use_true_random=False),
)
def test_no_algorithm_ever_passes_a_bound(
    algorithm: Algorithm, order: Any, chosen: ExecutionPlan, native: bool, data: st.DataObject, randoms: Any
) -> None:
    answer = begin(chosen, algorithm, order, Known(native_iceberg=native))
    if not isinstance(answer, Begun):
        assert answer.code in {"OFF_LOT", "NO_PRICE_IN_BOUND"}
        return
    world = World(answer.works, randoms.randrange)
    for _ in range(STEPS):
        world.step()
        if world.finish is not None:
            break
        change = randoms.randrange(20)
        if change == 0:
            world.works = amended(world.works, quantity=order.lot_size * (1 + randoms.randrange(2000)))
        elif change == 1:
            world.works = amended(world.works, limit_price=D(9900 + randoms.randrange(200)) / 100)
        elif change == 2:
            world.works = amended(world.works, urgency=D(randoms.randrange(1001)) / 1000)
        elif change == 3 and not randoms.randrange(5):
            world.works = stopped(world.works, world.now)
    finish = world.finish or world.run_down()
    assert finish.filled == world.filled
    assert world.filled <= max(order.quantity, world.works.parent.quantity, world.filled)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(side=st.sampled_from(["BUY", "SELL"]), seed=st.text(max_size=8))
def test_a_venue_that_rejects_everything_is_not_asked_in_a_loop(algorithm: str, side: Side, seed: str) -> None:
    works = begun(plan(max_execution_window_minutes=10), parent(side, seed=seed), algorithm)
    world = World(works, lambda n: 0, quote(volume="1000000"))
    for _ in range(2000):
        before = world.count
        world.ask()
        for child in list(world.children):
            world.gone(child.child_id)
        if world.finish is not None:
            break
        # Asked again at once it waits, so that a rejection is not answered by another child.
        again = decide(world.works, world.progress, world.market, world.now)
        assert not list(places(again.actions)) or world.count == before
        assert world.wake is not None
        world.now = world.wake
    assert world.finish is not None
    assert world.count <= MAX_CHILDREN


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(side=st.sampled_from(["BUY", "SELL"]), quantity=st.integers(1, 5000), seed=st.text(max_size=8))
def test_in_a_kind_market_every_algorithm_completes_by_its_wake_ups_alone(
    algorithm: str, side: Side, quantity: int, seed: str
) -> None:
    chosen = plan(max_execution_window_minutes=60, max_slippage_pct="0.01", min_fill_ratio="1")
    world = World(
        begun(chosen, parent(side, str(quantity), seed=seed), algorithm), lambda n: 0, quote(volume="10000000")
    )
    for _ in range(3000):
        world.ask()
        for child in list(world.children):
            world.fill(child.child_id, child.quantity)
        if world.finish is not None:
            break
        if not world.asked and world.filled < quantity:
            assert world.wake is not None
            world.now = world.wake
    assert world.finish == Finish(ending="FILLED", filled=D(quantity), reason=f"{quantity} of {quantity} filled")


def test_the_same_seed_gives_the_same_children_and_another_gives_others() -> None:
    def children(seed: str) -> list[tuple[timedelta, Decimal]]:
        world = World(begun(plan(max_execution_window_minutes=60), parent(seed=seed), "TWAP"), lambda n: 0, quote())
        found: list[tuple[timedelta, Decimal]] = []
        while world.finish is None:
            world.ask()
            for child in list(world.children):
                found.append((world.now - START, child.quantity))
                world.fill(child.child_id, child.quantity)
            world.now = world.wake or world.now
        return found

    assert children("a") == children("a")
    assert children("a") != children("b")
    assert sum(quantity for _, quantity in children("a")) == 1000


def test_there_is_a_world_for_every_action_the_contract_knows() -> None:
    chosen = plan(max_execution_window_minutes=10, execution_urgency="0", min_fill_ratio="0.5")
    world = World(begun(chosen, parent(), "TWAP"), lambda n: 0, quote())
    world.ask()
    world.now += timedelta(minutes=2)
    world.ask()
    world.run_down()
    assert {type(action).__name__ for action in world.log} == {"Place", "Replace", "Cancel", "Finish"}
    assert isinstance(world.log[0], Place)
