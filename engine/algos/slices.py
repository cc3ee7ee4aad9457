"""A schedule without a list: the cumulative quantity and the moment of each slice, computed when it is needed.

All in integers. Cumulative sizes, not sizes, are randomised, each by at most a quarter of a slice, so that slices are
never negative and sum to the whole; moments are put off by less than half a slice, so that they stay in order.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

from engine.algos.chance import draw
from engine.algos.contract import PARTS, Scheduled

UNIT = 1 << 32
"""A slice, in the fixed-point numbers that positions between slices have."""
_MICROSECOND = timedelta(microseconds=1)


def weighted(parts: int, whole: int, tilt: int) -> tuple[int, int]:
    """The fraction of the quantity due at `parts` of `whole`, as numerator and denominator.

    With f = parts / whole and w = tilt / 1000 it is f + w f (1 - f): a density that falls from 1 + w to 1 - w.
    """
    if not tilt:
        return parts, whole
    return parts * (1000 * whole + tilt * (whole - parts)), 1000 * whole * whole


def interpolate(table: tuple[int, ...], at: int) -> int:
    """The value of a table between its points, `at` in UNITs from its first; the last value past its end."""
    index, rest = divmod(at, UNIT)
    if index >= len(table) - 1:
        return table[-1]
    low = table[index]
    return low + (table[index + 1] - low) * rest // UNIT


def cumulative(scheduled: Scheduled, seed: str, lots: int, step: int) -> int:
    """How many of `lots` are released when `step` slices are."""
    count = scheduled.count
    if step >= count:
        return lots
    if step <= 0:
        return 0
    at = step * UNIT
    if not scheduled.even:
        at += (draw(seed, "slice", step) >> 32) // 2 - UNIT // 4
    if scheduled.shape:
        return lots * interpolate(scheduled.shape, at) // PARTS
    parts, whole = weighted(at, count * UNIT, scheduled.tilt)
    return lots * parts // whole


def moment(scheduled: Scheduled, seed: str, start: datetime, end: datetime, step: int) -> datetime:
    """When slice `step` (from 0) is released: the first at once; from `count` on, `end`."""
    if step >= scheduled.count:
        return end
    return start + _MICROSECOND * _offset(scheduled, seed, (end - start) // _MICROSECOND, step)


def released(scheduled: Scheduled, seed: str, start: datetime, end: datetime, now: datetime) -> int:
    """How many slices are released at `now`."""
    window = (end - start) // _MICROSECOND
    elapsed = (now - start) // _MICROSECOND
    if elapsed < 0:
        return 0
    if elapsed >= window:
        return scheduled.count
    # The last slice whose unrandomised offset, floored to a microsecond, is not past: only its own may still be.
    if scheduled.clock:
        index = bisect_right(scheduled.clock, ((elapsed + 1) * PARTS - 1) // window) - 1
    else:
        index = ((elapsed + 1) * scheduled.count - 1) // window
    index = min(index, scheduled.count - 1)
    return index + (_offset(scheduled, seed, window, index) <= elapsed)


def _offset(scheduled: Scheduled, seed: str, window: int, step: int) -> int:
    """Microseconds from the start to slice `step`."""
    at = step * UNIT
    if step:
        at += draw(seed, "slice", step) % (UNIT // 2)
    if scheduled.clock:
        return window * interpolate(scheduled.clock, at) // PARTS
    return window * at // (scheduled.count * UNIT)


def inverse(table: tuple[int, ...], count: int) -> tuple[int, ...]:
    """The parts of the window at which a cumulative table reaches each of `count` equal parts (`count` + 1 values)."""
    steps = len(table) - 1
    marks = [0]
    for step in range(1, count):
        target = PARTS * step // count
        index = min(bisect_right(table, target), steps) - 1
        low, high = table[index], table[index + 1]
        rest = (target - low) * PARTS // (high - low) if high > low else 0
        marks.append(min(PARTS, (index * PARTS + rest) // steps))
    return (*marks, PARTS)
