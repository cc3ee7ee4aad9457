"""What each algorithm does in a market that can be followed by eye."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from engine.algos.contract import Action, Finish, Market, Place, Replace, Scheduled
from engine.algos.start import Known
from engine.algos.work import amended, decide
from engine.values import Side
from tests.engine.algos.world import START, D, World, begun, parent, plan, quote

SECOND = timedelta(seconds=1)
UNIFORM: dict[str, Any] = {"max_execution_window_minutes": 10, "chunk_count_hint": 5, "chunk_distribution": "UNIFORM"}


def world(algorithm: str, market: Market, known: Known | None = None, order: Any = None, **fields: Any) -> World:
    works = begun(plan(**fields), order or parent(quantity="100"), algorithm, known)
    return World(works, lambda n: 0, market)


def said(actions: tuple[Action, ...] | list[Action]) -> list[str]:
    """Actions in few words: `20 @ 99.99 DAY`, `c1 -> 100.01`."""
    words = []
    for action in actions:
        if isinstance(action, Place):
            price = "market" if action.limit_price is None else f"@ {action.limit_price}"
            shown = "" if action.display_quantity is None else f" showing {action.display_quantity}"
            words.append(f"{action.quantity} {price} {action.time_in_force}{shown}")
        elif isinstance(action, Replace):
            words.append(f"{action.child_id} -> {action.limit_price}")
        elif isinstance(action, Finish):
            words.append(action.ending)
        else:
            words.append(f"cancel {action.child_id}")
    return words


def test_five_even_slices_of_a_hundred_are_twenty_each() -> None:
    slices = world("TWAP", quote(), **UNIFORM)
    found = []
    while slices.finish is None:
        found.extend(said(slices.ask().actions))
        for child in list(slices.children):
            slices.fill(child.child_id, child.quantity)
        slices.now = slices.wake or slices.now
    assert found == [*["20 @ 100.01 DAY"] * 5, "FILLED"]


def test_a_patient_slice_joins_and_takes_when_the_next_is_due() -> None:
    slices = world("TWAP", quote(), **UNIFORM, execution_urgency="0.2")
    assert said(slices.ask().actions) == ["20 @ 99.99 DAY"]
    assert slices.wake is not None
    slices.now = slices.wake
    assert said(slices.ask().actions) == ["c1 -> 100.01", "20 @ 99.99 DAY"]
    # Pending: nothing more is asked for it until the venue answered.
    slices.now = slices.wake
    assert said(slices.ask().actions) == ["c2 -> 100.01", "20 @ 99.99 DAY"]


def test_a_slice_that_was_slept_through_is_caught_up_in_one_child() -> None:
    slices = world("TWAP", quote(), **UNIFORM)
    slices.ask()
    slices.now = slices.works.closing - SECOND
    assert said(slices.ask().actions) == ["80 @ 100.01 DAY"]


def test_shortly_before_the_end_everything_takes() -> None:
    slices = world("TWAP", quote(), **UNIFORM, execution_urgency="0", max_slippage_pct="0.0001")
    slices.ask()
    slices.now = slices.works.closing
    assert said(slices.ask().actions) == ["c1 -> 100.01", "80 @ 100.01 DAY"]
    slices.market = quote("100.00", "100.02")
    slices.answer("c1", accepted=True)
    slices.now += SECOND
    # The market has left, and the bound has not.
    assert said(slices.ask().actions) == []
    assert said([slices.run_down()]) == ["PARTIAL"]
    assert said(slices.log[-3:]) == ["cancel c1", "cancel c2", "PARTIAL"]


def test_a_slice_without_a_market_is_a_market_order_unless_there_is_a_bound() -> None:
    assert said(world("TWAP", Market(), **UNIFORM).ask().actions) == ["20 market DAY"]
    assert said(world("TWAP", Market(), **UNIFORM, max_slippage_pct="0.01").ask().actions) == ["20 @ 101.00 DAY"]


def test_participation_keeps_up_with_the_volume_and_never_passes_it() -> None:
    part = world(
        "POV", quote(volume="0"), Known(participation=D("0.1")), chunk_count_hint=5, chunk_distribution="UNIFORM"
    )
    found = []
    for volume in (100, 199, 200, 399, 450, 5000):
        part.market = quote(volume=str(volume))
        found.append(said(part.ask().actions))
        for child in list(part.children):
            part.fill(child.child_id, child.quantity)
        part.now += 31 * SECOND
    # Children of twenty and more; nothing of the 10 that 100 would allow.
    assert found == [[], [], ["20 @ 100.01 DAY"], [], ["25 @ 100.01 DAY"], ["55 @ 100.01 DAY"]]


def test_a_participating_child_that_rests_too_long_takes() -> None:
    part = world("POV", quote(volume="1000"), Known(participation=D("0.05")), execution_urgency="0")
    assert said(part.ask().actions) == ["50 @ 99.99 DAY"]
    part.now += 29 * SECOND
    assert said(part.ask().actions) == []
    part.now += SECOND
    assert said(part.ask().actions) == ["c1 -> 100.01"]


def test_an_iceberg_shows_one_child_after_another_and_follows_the_market() -> None:
    ice = world("ICEBERG", quote(), chunk_count_hint=4, chunk_distribution="UNIFORM")
    assert said(ice.ask().actions) == ["25 @ 99.99 DAY"]
    ice.now += SECOND
    ice.market = quote("100.00", "100.02")
    assert said(ice.ask().actions) == ["c1 -> 100.00"]
    ice.answer("c1", accepted=True)
    ice.fill("c1", D(25))
    assert said(ice.ask().actions) == []
    ice.now += SECOND
    assert said(ice.ask().actions) == ["25 @ 100.00 DAY"]


def test_an_icebergs_sizes_vary_and_so_do_the_times_between_them() -> None:
    ice = world("ICEBERG", quote(), order=parent(quantity="10000"), chunk_count_hint=20)
    sizes, waits = set(), set()
    while ice.finish is None:
        ice.ask()
        for child in list(ice.children):
            sizes.add(child.quantity)
            waits.add((ice.wake or ice.now) - ice.now)
            ice.fill(child.child_id, child.quantity)
        ice.now = ice.wake or ice.now
    assert len(sizes) > 10
    assert len(waits) > 10
    assert all(375 <= size <= 625 for size in sorted(sizes)[1:])


def test_an_iceberg_at_a_limit_rests_there_and_one_by_the_venue_is_one_order() -> None:
    ice = world(
        "ICEBERG",
        quote(),
        Known(native_iceberg=True),
        parent(limit="99.50"),
        chunk_count_hint=4,
        chunk_distribution="UNIFORM",
    )
    assert said(ice.ask().actions) == ["1000 @ 99.50 DAY showing 250"]
    ice.now += SECOND
    ice.market = quote("99.90", "99.95")
    assert said(ice.ask().actions) == []


@pytest.mark.parametrize(
    ("market", "expected"),
    [
        (quote("99.97", "99.99", "20"), ["20 @ 99.99 IOC"]),
        (quote("99.97", "99.99", "500"), ["100 @ 99.99 IOC"]),
        (quote("99.97", "99.99", "19"), []),
        (quote("100.00", "100.02", "500"), []),
        (Market(bid=D(99)), []),
        (Market(ask=D(99)), []),
    ],
)
def test_a_sniper_waits_for_enough_at_an_acceptable_price(market: Market, expected: list[str]) -> None:
    assert said(world("SNIPER", market, chunk_count_hint=5).ask().actions) == expected


def test_a_sniper_that_must_complete_takes_at_the_end_and_another_does_not() -> None:
    far = quote("100.50", "100.52")
    for ratio, expected in (("0.5", ["100 @ 100.52 DAY"]), (None, [])):
        hidden = world("SNIPER", far, min_fill_ratio=ratio, max_slippage_pct="0.01", execution_urgency="0")
        assert said(hidden.ask().actions) == []
        assert hidden.wake == hidden.works.closing
        hidden.now = hidden.works.closing
        assert said(hidden.ask().actions) == expected


def test_a_sniper_takes_at_another_limit_once_it_has_one() -> None:
    hidden = world("SNIPER", quote("100.50", "100.52"), order=parent(limit="100"))
    assert said(hidden.ask().actions) == []
    hidden.works = amended(hidden.works, limit_price=D("100.60"))
    assert said(hidden.ask().actions) == ["500 @ 100.52 IOC"]


def test_a_seller_does_all_of_it_on_the_other_side() -> None:
    def first(algorithm: str, market: Market, **fields: Any) -> list[str]:
        return said(world(algorithm, market, order=parent("SELL", "100"), **fields).ask().actions)

    even: dict[str, Any] = {"chunk_count_hint": 5, "chunk_distribution": "UNIFORM"}
    assert first("TWAP", quote(), **even) == ["20 @ 99.99 DAY"]
    assert first("TWAP", quote(), **even, execution_urgency="0") == ["20 @ 100.01 DAY"]
    assert first("SNIPER", quote("100.01", "100.03"), chunk_count_hint=5) == ["100 @ 100.01 IOC"]
    assert first("SNIPER", quote("99.98", "100.00"), chunk_count_hint=5) == []
    assert first("ADAPTIVE", quote(), **even, execution_urgency="0") == ["20 @ 100.01 DAY"]


@pytest.mark.parametrize(
    ("side", "urgency", "visibility", "minutes", "expected"),
    [
        ("BUY", "0", "0", 0, "20 @ 99.99 DAY"),
        # Visible enough, or urgent enough, to better its own side by a tick.
        ("BUY", "0.5", "0.5", 0, "20 @ 100.00 DAY"),
        ("BUY", "0.45", "1", 0, "20 @ 100.00 DAY"),
        ("BUY", "0.5", "0", 0, "20 @ 99.99 DAY"),
        ("BUY", "0.9", "0.5", 0, "20 @ 100.02 DAY"),
        # The same patient order, late: after half of its time it is behind by half, and catches up.
        ("BUY", "0", "0.5", 8, "20 @ 100.00 DAY"),
        ("BUY", "0", "0.5", 14.5, "70 @ 100.02 DAY"),
        ("SELL", "0", "0.5", 14.5, "70 @ 99.99 DAY"),
    ],
)
def test_an_adaptive_order_is_more_aggressive_when_it_is_urgent_visible_or_late(
    side: Side, urgency: str, visibility: str, minutes: float, expected: str
) -> None:
    fields: dict[str, Any] = {"chunk_count_hint": 5, "chunk_distribution": "UNIFORM"}
    works = begun(
        plan(**fields, execution_urgency=urgency, visibility_preference=visibility), parent(side, "100"), "ADAPTIVE"
    )
    moving = World(works, lambda n: 0, quote("99.99", "100.02"))
    moving.now = START + timedelta(minutes=minutes)
    assert said(moving.ask().actions) == [expected]


def test_where_the_spread_is_a_tick_there_is_nothing_inside_it() -> None:
    moving = world("ADAPTIVE", quote("99.99", "100.00"), chunk_count_hint=5, chunk_distribution="UNIFORM")
    assert said(moving.ask().actions) == ["20 @ 99.99 DAY"]


def test_an_adaptive_child_moves_with_the_clock() -> None:
    moving = world("ADAPTIVE", quote("99.99", "100.02"), chunk_count_hint=5, execution_urgency="0")
    seen = []
    while moving.finish is None and moving.now < moving.works.closing:
        seen.extend(said(moving.ask().actions))
        for child_id in list(moving.asked):
            moving.answer(child_id, accepted=True)
        moving.now = moving.wake or moving.now
    assert [words.split()[-1] if "->" in words else words.split()[2] for words in seen] == ["99.99", "100.00", "100.02"]


@pytest.mark.parametrize("algorithm", ["POV", "ICEBERG", "SNIPER", "ADAPTIVE"])
def test_without_a_market_an_order_that_needs_one_waits(algorithm: str) -> None:
    waiting = world(algorithm, Market())
    assert waiting.ask().actions == ()
    assert waiting.wake is not None


def test_nothing_to_do_is_the_same_object() -> None:
    works = begun(plan(**UNIFORM), parent(quantity="100"), "TWAP")
    slices = World(works, lambda n: 0, quote())
    works = slices.ask().works
    assert decide(works, slices.progress, quote(), START + SECOND).works is works


def test_a_schedule_of_the_longest_hint_stays_small_enough_to_be_a_state() -> None:
    works = begun(plan(chunk_count_hint=10_000), parent(quantity="1000000"), "IS")
    assert isinstance(works.tactic, Scheduled)
    assert works.tactic.count == 500
    twap = begun(plan(chunk_count_hint=10_000), parent(quantity="1000000"), "TWAP")
    assert twap.tactic == Scheduled(count=10_000)
    assert replace(twap, step=3).step == 3


def test_a_schedule_is_asked_once_a_slice() -> None:
    slices = world(
        "TWAP", quote(), order=parent(quantity="10000"), max_execution_window_minutes=60, chunk_count_hint=100
    )
    asked = 0
    while slices.finish is None:
        slices.ask()
        asked += 1
        for child in list(slices.children):
            slices.fill(child.child_id, child.quantity)
        slices.now = slices.wake or slices.now
    assert slices.count == 100
    assert asked == 101
