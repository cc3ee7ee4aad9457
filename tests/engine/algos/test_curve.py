"""A volume curve is learnt from what there is, holes and oddities apart; where it must be flat, it says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.algos.contract import PARTS
from engine.algos.curve import Curve, Observed, learn, of_bars, of_trades, shape
from engine.messages import Bar, Trade
from engine.sessions import Session

D = Decimal
OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
U = (40, 20, 10, 30)


def session(day: int = 0, hours: float = 1) -> Session:
    opened = OPEN + timedelta(days=day)
    return Session(opened, opened + hours * HOUR)


def day(number: int, volumes: tuple[int | None, ...], length: timedelta = QUARTER) -> list[Observed]:
    opened = OPEN + timedelta(days=number)
    return [
        Observed(opened + QUARTER * index, length, D(volume))
        for index, volume in enumerate(volumes)
        if volume is not None
    ]


def weights(curve: Curve) -> list[int]:
    """Each bucket's weight in thousandths, rounded."""
    return [round((after - before) * 1000 / PARTS) for before, after in pairwise(curve.parts)]


SESSIONS = [session(number) for number in range(5)]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (day(0, U), [400, 200, 100, 300]),
        # A day of ten times the volume has the same shape.
        (day(0, U) + day(1, (400, 200, 100, 300)), [400, 200, 100, 300]),
        # A block trade on one day of three moves nothing.
        (day(0, U) + day(1, U) + day(2, (40, 2000, 10, 30)), [400, 200, 100, 300]),
        # A hole does not make what the day does have look larger.
        (day(0, U) + day(1, (400, None, 100, 300)), [400, 200, 100, 300]),
        # What no day has is what lies between its neighbours.
        (day(0, (40, None, 20, 10)), [400, 300, 200, 100]),
        (day(0, (40, 30, None, None)), [308, 231, 231, 231]),
        # A day with too little of it says nothing.
        (day(0, U) + day(1, (None, None, 10, None)), [400, 200, 100, 300]),
        # What lies outside of every session is not of the day.
        (
            [*day(0, U), Observed(OPEN - HOUR, QUARTER, D(9999)), Observed(OPEN + HOUR, QUARTER, D(9999))],
            [400, 200, 100, 300],
        ),
        # Nothing traded is an observation, not a hole.
        (day(0, (40, 0, 20, 40)), [400, 0, 200, 400]),
    ],
)
def test_a_curve_is_learnt(observed: list[Observed], expected: list[int]) -> None:
    curve = learn(observed, SESSIONS)
    assert weights(curve) == pytest.approx(expected, abs=1)
    assert curve.reason.startswith("learnt from ")


@pytest.mark.parametrize(
    ("observed", "sessions", "min_days", "why"),
    [
        ([], SESSIONS, 1, "0 days have volume in half of their buckets, and 1 are needed"),
        (day(0, U), [], 1, "no session is known"),
        (day(0, U), SESSIONS, 3, "1 days have volume in half of their buckets, and 3 are needed"),
        (day(0, (0, 0, 0, 0)), SESSIONS, 1, "0 days have volume"),
        (day(0, U, timedelta(days=1)), SESSIONS, 1, "4 intervals are longer than a bucket"),
    ],
)
def test_where_nothing_can_be_learnt_the_curve_is_flat_and_says_why(
    observed: list[Observed], sessions: list[Session], min_days: int, why: str
) -> None:
    curve = learn(observed, sessions, min_days=min_days)
    assert curve.parts == ()
    assert why in curve.reason


def test_a_half_day_has_another_shape_and_is_left_out() -> None:
    sessions = [session(0), session(1, 0.5), session(2)]
    curve = learn(day(0, U) + day(1, (50, 50)) + day(2, U), sessions)
    assert weights(curve) == [400, 200, 100, 300]
    assert curve.reason == "learnt from 2 days in 4 buckets of 15 minutes"


def test_bars_count_once_by_when_they_began_and_trades_when_they_were() -> None:
    def bar(minutes: int, volume: int) -> Bar:
        one = D(1)
        at = OPEN + timedelta(minutes=minutes)
        return Bar(exchange="XNAS", symbol="AAPL", open=one, high=one, low=one, close=one, volume=D(volume), at=at)

    bars = [bar(15, 7), bar(15, 40), bar(30, 20), bar(45, 10), bar(60, 30)]
    assert weights(learn(of_bars(bars, QUARTER), SESSIONS)) == [400, 200, 100, 300]
    trades = [
        Trade(exchange="XNAS", symbol="AAPL", price=D(1), size=D(volume), at=OPEN + QUARTER * index)
        for index, volume in enumerate((*U, 5))
    ]
    assert weights(learn(of_trades(trades), SESSIONS)) == [400, 200, 100, 300]


CURVE = learn(day(0, U), SESSIONS)


@pytest.mark.parametrize(
    ("start", "length", "count", "expected"),
    [
        (0, 60, 4, [0, 400, 600, 700, 1000]),
        (0, 30, 2, [0, 667, 1000]),
        (0, 30, 4, [0, 333, 667, 833, 1000]),
        # The window begins in a bucket, or before the open when nothing is traded.
        (7.5, 15, 2, [0, 667, 1000]),
        (-15, 30, 2, [0, 0, 1000]),
        (45, 30, 2, [0, 1000, 1000]),
    ],
)
def test_a_window_has_its_part_of_the_curve(start: float, length: int, count: int, expected: list[int]) -> None:
    begin = OPEN + timedelta(minutes=start)
    table, reason = shape(CURVE, session(), begin, begin + timedelta(minutes=length), count)
    assert [round(value * 1000 / PARTS) for value in table] == expected
    assert reason == "volume curve learnt from 1 days in 4 buckets of 15 minutes"


@pytest.mark.parametrize(
    ("curve", "known", "start", "why"),
    [
        (None, session(), 0, "none was learnt"),
        (learn([], SESSIONS), session(), 0, "0 days"),
        (CURVE, None, 0, "no session"),
        (CURVE, session(), 60, "expects no volume in the window"),
    ],
)
def test_a_window_without_a_curve_is_flat_and_says_why(
    curve: Curve | None, known: Session | None, start: int, why: str
) -> None:
    begin = OPEN + timedelta(minutes=start)
    table, reason = shape(curve, known, begin, begin + HOUR, 4)
    assert table == ()
    assert reason.startswith("flat volume curve: ")
    assert why in reason


@given(
    days=st.lists(st.lists(st.none() | st.integers(0, 10**12), min_size=4, max_size=4), max_size=5),
    start=st.integers(-30, 80),
    minutes=st.integers(1, 120),
    count=st.integers(1, 50),
)
def test_whatever_was_observed_a_window_rises_from_nothing_to_the_whole(
    days: list[list[int | None]], start: int, minutes: int, count: int
) -> None:
    observed = [one for number, volumes in enumerate(days) for one in day(number, tuple(volumes))]
    curve = learn(observed, SESSIONS)
    assert not curve.parts or (curve.parts[0] == 0 and curve.parts[-1] == PARTS and len(curve.parts) == 5)
    assert learn(reversed(observed), SESSIONS) == curve
    begin = OPEN + timedelta(minutes=start)
    table, reason = shape(curve, session(), begin, begin + timedelta(minutes=minutes), count)
    assert reason
    if table:
        assert len(table) == count + 1
        assert table[0] == 0
        assert table[-1] == PARTS
        assert list(table) == sorted(table)
