"""The volume curve: how a trading day's volume spreads over it, learnt from bars or trades, for VWAP.

Days are compared by time since the open, each as shares of its own volume, so that a heavy day counts as one day. A
bucket's weight is the median over the days that have it, so that one block trade moves nothing; a day's share is
scaled by the part of the curve that it has, so that a hole in the data does not make the rest look larger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from msgspec import Struct

from engine.algos.contract import PARTS
from engine.algos.slices import UNIT, interpolate
from engine.messages import Bar, Trade
from engine.sessions import Session
from engine.values import DERIVED, ZERO

PASSES: Final = 3
"""How often the holes are filled by the curve that came of filling them before."""
_TWO = Decimal(2)
_MICROSECOND = timedelta(microseconds=1)


class Observed(NamedTuple):
    """Units traded from `start`, in an interval of that length."""

    start: datetime
    length: timedelta
    volume: Decimal


class Curve(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Cumulative parts of a day's volume at each bucket's end, after a 0 at the open; empty: flat, unknown.

    `reason` says in a sentence what it was learnt from, or why it is flat.
    """

    bucket_minutes: int
    parts: tuple[int, ...] = ()
    reason: str


def of_bars(bars: Iterable[Bar], length: timedelta) -> list[Observed]:
    """Bars of one length as observations; of several that end at once, the last counts."""
    return [Observed(at - length, length, volume) for at, volume in {bar.at: bar.volume for bar in bars}.items()]


def of_trades(trades: Iterable[Trade]) -> list[Observed]:
    """Trades as observations."""
    return [Observed(trade.at, timedelta(0), trade.size) for trade in trades]


def learn(
    observed: Iterable[Observed], sessions: Sequence[Session], bucket_minutes: int = 15, min_days: int = 1
) -> Curve:
    """The curve of the sessions (ascending); flat, and why, where fewer than `min_days` can be used.

    Only sessions of the commonest length count, as a half day has another shape, and of these the days with volume
    in at least half of their buckets. Intervals longer than a bucket say nothing of it and are left out.
    """
    bucket = timedelta(minutes=bucket_minutes)
    lengths = Counter(session.closes_at - session.opens_at for session in sessions)
    if not lengths:
        return _flat(bucket_minutes, "no session is known")
    length = lengths.most_common(1)[0][0]
    opens = [session.opens_at for session in sessions if session.closes_at - session.opens_at == length]
    count = -(-length // bucket)
    days: dict[int, dict[int, Decimal]] = {}
    too_long = 0
    for start, interval, volume in observed:
        if interval > bucket:
            too_long += 1
            continue
        day = bisect_right(opens, start) - 1
        if day >= 0 and start < opens[day] + length:
            held = days.setdefault(day, {})
            index = (start - opens[day]) // bucket
            held[index] = DERIVED.add(held.get(index, ZERO), volume)
    usable = [held for _, held in sorted(days.items()) if 2 * len(held) >= count and any(held.values())]
    if len(usable) < max(1, min_days):
        why = f"{len(usable)} days have volume in half of their buckets, and {max(1, min_days)} are needed"
        return _flat(bucket_minutes, f"{too_long} intervals are longer than a bucket" if too_long else why)
    weights = [DERIVED.divide(Decimal(1), Decimal(count))] * count
    for _ in range(PASSES):
        weights = _medians(usable, weights)
    unseen = count - len({index for held in usable for index in held})
    reason = f"learnt from {len(usable)} days in {count} buckets of {bucket_minutes} minutes"
    if unseen:
        reason += f", {unseen} of them without data and filled from their neighbours"
    return Curve(bucket_minutes=bucket_minutes, parts=_cumulative(weights), reason=reason)


def shape(
    curve: Curve | None, session: Session | None, start: datetime, end: datetime, count: int
) -> tuple[tuple[int, ...], str]:
    """Cumulative parts of the volume expected in a window at `count` equal steps of it (`count` + 1 values), and why.

    Empty, for a flat one, where there is no curve, no session to lay it on, or no volume expected in the window.
    """
    if curve is None:
        return (), "flat volume curve: none was learnt"
    if not curve.parts:
        return (), f"flat volume curve: {curve.reason}"
    if session is None:
        return (), "flat volume curve: no session is known to lay it on"
    bucket = timedelta(minutes=curve.bucket_minutes) // _MICROSECOND
    window = (end - start) // _MICROSECOND
    first = (start - session.opens_at) // _MICROSECOND
    # In UNITs of a bucket since the open; before it nothing is traded.
    marks = [max(0, first * count + window * step) * UNIT // (bucket * count) for step in range(count + 1)]
    values = [interpolate(curve.parts, mark) for mark in marks]
    total = values[-1] - values[0]
    if not total:
        return (), "flat volume curve: the one learnt expects no volume in the window"
    return tuple((value - values[0]) * PARTS // total for value in values), f"volume curve {curve.reason}"


def _flat(bucket_minutes: int, reason: str) -> Curve:
    return Curve(bucket_minutes=bucket_minutes, reason=reason)


def _medians(days: list[dict[int, Decimal]], before: list[Decimal]) -> list[Decimal]:
    """A weight for each bucket: the median of the days' shares, each day's volume set against what it covers."""
    shares: list[list[Decimal]] = [[] for _ in before]
    for held in days:
        covered = total = ZERO
        for index, volume in held.items():
            covered, total = DERIVED.add(covered, before[index]), DERIVED.add(total, volume)
        scale = DERIVED.divide(covered, total)
        for index, volume in held.items():
            shares[index].append(DERIVED.multiply(volume, scale))
    known = {index: _median(sorted(values)) for index, values in enumerate(shares) if values}
    filled = [_between(known, index) for index in range(len(before))]
    total = sum(filled, ZERO)
    # Where every median is nothing (each day trades in other buckets), what was believed before stands.
    return [DERIVED.divide(value, total) for value in filled] if total else before


def _median(values: list[Decimal]) -> Decimal:
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return DERIVED.divide(DERIVED.add(values[middle - 1], values[middle]), _TWO)


def _between(known: dict[int, Decimal], index: int) -> Decimal:
    """The bucket's weight, or a straight line between the nearest that are known."""
    if index in known:
        return known[index]
    below = max((other for other in known if other < index), default=None)
    above = min((other for other in known if other > index), default=None)
    if below is None or above is None:
        return known[above if below is None else below]  # type: ignore[index] # One of them is known.
    rise = DERIVED.subtract(known[above], known[below])
    slope = DERIVED.divide(rise, Decimal(above - below))
    return DERIVED.add(known[below], DERIVED.multiply(slope, Decimal(index - below)))


def _cumulative(weights: list[Decimal]) -> tuple[int, ...]:
    total, parts = ZERO, [0]
    for weight in weights[:-1]:
        total = DERIVED.add(total, weight)
        parts.append(min(PARTS, int(DERIVED.multiply(total, Decimal(PARTS)))))
    return (*parts, PARTS)
