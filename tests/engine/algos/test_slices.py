"""A schedule computed slice by slice is a schedule: in order, never negative, and as much as was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.algos.contract import PARTS, Scheduled
from engine.algos.slices import cumulative, inverse, moment, released

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
FRONT = (0, 500_000_000, 800_000_000, 900_000_000, PARTS)


def tables(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Cumulative tables of this many steps, flat pieces among them."""
    inner = st.lists(st.integers(0, PARTS), min_size=count - 1, max_size=count - 1)
    return st.just(()) | inner.map(lambda marks: (0, *sorted(marks), PARTS))


SCHEDULES = st.integers(1, 40).flatmap(
    lambda count: st.builds(
        Scheduled,
        count=st.just(count),
        even=st.booleans(),
        tilt=st.integers(0, 1000),
        shape=tables(count),
        clock=tables(count),
    )
)
SEEDS = st.text(max_size=6)
WINDOWS = st.integers(1, 10**11).map(lambda count: timedelta(microseconds=count))


def sizes(scheduled: Scheduled, lots: int, seed: str = "seed") -> list[int]:
    marks = [cumulative(scheduled, seed, lots, step) for step in range(scheduled.count + 1)]
    return [after - before for before, after in pairwise(marks)]


@pytest.mark.parametrize(
    ("scheduled", "lots", "expected"),
    [
        (Scheduled(count=5, even=True), 100, [20, 20, 20, 20, 20]),
        (Scheduled(count=3, even=True), 100, [33, 33, 34]),
        (Scheduled(count=4, even=True), 2, [0, 1, 0, 1]),
        (Scheduled(count=1), 7, [7]),
        # Weights fall from 2 to 0 over the window: 7/16, 5/16, 3/16, 1/16.
        (Scheduled(count=4, even=True, tilt=1000), 1600, [700, 500, 300, 100]),
        (Scheduled(count=4, even=True, tilt=500), 1600, [550, 450, 350, 250]),
        (Scheduled(count=4, even=True, shape=FRONT), 1000, [500, 300, 100, 100]),
    ],
)
def test_slices_have_the_sizes_that_were_asked_for(scheduled: Scheduled, lots: int, expected: list[int]) -> None:
    assert sizes(scheduled, lots) == expected


def test_sizes_vary_by_at_most_half_a_slice_unless_they_are_to_be_even() -> None:
    varied = sizes(Scheduled(count=100), 100_000)
    assert len(set(varied)) > 50
    assert all(499 <= size <= 1501 for size in varied)
    assert sizes(Scheduled(count=100), 100_000, "other") != varied


@given(scheduled=SCHEDULES, lots=st.integers(0, 10**20), seed=SEEDS)
def test_slices_are_never_negative_and_sum_to_the_whole(scheduled: Scheduled, lots: int, seed: str) -> None:
    found = sizes(scheduled, lots, seed)
    assert min(found) >= 0
    assert sum(found) == lots


@given(scheduled=SCHEDULES, window=WINDOWS, seed=SEEDS)
def test_moments_are_in_order_and_within_the_window(scheduled: Scheduled, window: timedelta, seed: str) -> None:
    end = START + window
    moments = [moment(scheduled, seed, START, end, step) for step in range(scheduled.count + 1)]
    assert moments == sorted(moments)
    assert moments[0] == START
    assert moments[-1] == end


@given(scheduled=SCHEDULES, window=WINDOWS, seed=SEEDS, data=st.data())
def test_as_many_are_released_as_have_had_their_moment(
    scheduled: Scheduled, window: timedelta, seed: str, data: st.DataObject
) -> None:
    end = START + window
    moments = [moment(scheduled, seed, START, end, step) for step in range(scheduled.count)]
    exact = st.sampled_from(moments)
    somewhere = st.integers(-5, window // timedelta(microseconds=1) + 5).map(
        lambda n: START + timedelta(microseconds=n)
    )
    now = data.draw(exact | somewhere)
    assert released(scheduled, seed, START, end, now) == sum(at <= now for at in moments)


def test_a_table_turned_around_says_when_equal_parts_are_reached() -> None:
    # Half of the volume comes in the first quarter, so the second of two slices begins there.
    assert inverse(FRONT, 2) == (0, 250_000_000, PARTS)
    assert inverse((0, PARTS), 4) == (0, 250_000_000, 500_000_000, 750_000_000, PARTS)


@given(table=tables(12).filter(bool), count=st.integers(1, 50))
def test_a_table_turned_around_rises_from_nothing_to_the_whole(table: tuple[int, ...], count: int) -> None:
    clock = inverse(table, count)
    assert len(clock) == count + 1
    assert clock[0] == 0
    assert clock[-1] == PARTS
    assert list(clock) == sorted(clock)


def test_chance_is_the_same_in_every_version() -> None:
    assert sizes(Scheduled(count=8), 1000, "EXP_20260105_143000_abcde") == [116, 136, 122, 110, 156, 119, 137, 104]
