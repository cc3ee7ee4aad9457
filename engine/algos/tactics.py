"""What each algorithm would like to do now. None of them minds quantity, price bound, window or cap: `bounds` does.

Each takes the state, its tactic, the progress, the market and the time, and returns a `Wish`. What it does is paced by
the wish's `due`, before which it is not asked again, so that a venue which rejects is not sent to in a loop.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.algos import slices
from engine.algos.bounds import PAUSE, left, room
from engine.algos.chance import draw, vary
from engine.algos.contract import (
    Adaptive,
    Iceberg,
    Intended,
    Market,
    Participate,
    Progress,
    Scheduled,
    Sniper,
    Wish,
    Works,
)
from engine.algos.grid import steps_in
from engine.algos.pricing import far, far_size, inside, near, to_price, to_take
from engine.values import ZERO, add, multiply, subtract

TAKING: Final = Decimal("0.5")
"""From this urgency on, slices take instead of joining."""
INSIDE: Final = 500
"""From this aggression (thousandths) on, an adaptive child betters its own side by a tick."""
CROSSING: Final = 800
"""And from this on it takes."""
REVIEWS: Final = 3
"""How often an adaptive order looks at its pace in the time of one of its children."""
_MICROSECOND, _MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
_LONGEST_REVIEW = timedelta(seconds=30)
_THOUSAND = Decimal(1000)
NOTHING: Final = Wish()


def thousandths(ratio: Decimal) -> int:
    """A ratio in thousandths, rounded down."""
    return int(multiply(ratio, _THOUSAND))


def take(works: Works, progress: Progress, market: Market, now: datetime, step: int | None = None) -> Wish:
    """All that is left, at the far side; what rests is priced there too."""
    side = works.parent.side
    return Wish(
        places=(Intended(left(works, progress), far(side, market)),),
        reprices=to_take(side, progress, market),
        step=step,
        due=now + PAUSE,
    )


def scheduled(works: Works, tactic: Scheduled, progress: Progress, market: Market, now: datetime) -> Wish:
    """What the schedule has released and is neither filled nor working; what earlier slices left resting takes."""
    parent = works.parent
    if now >= works.closing:
        return take(works, progress, market, now, tactic.count)
    seed, start, end = parent.seed, parent.start, works.closing
    step = slices.released(tactic, seed, start, end, now)
    due = slices.moment(tactic, seed, start, end, step)
    lots = steps_in(parent.quantity, parent.lot_size)
    target = multiply(Decimal(slices.cumulative(tactic, seed, lots, step)), parent.lot_size)
    quantity = subtract(subtract(target, progress.filled), progress.working)
    places = (Intended(quantity, _price(works, market)),) if quantity > ZERO else ()
    reprices = to_take(parent.side, progress, market) if progress.children else ()
    return Wish(places=places, reprices=reprices, step=step, due=due)


def participate(works: Works, tactic: Participate, progress: Progress, market: Market, now: datetime) -> Wish:
    """A child whenever the market's volume allows one of the size, at most one in the time that a child may rest."""
    free = room(works, progress, market)
    places: tuple[Intended, ...] = ()
    if free > ZERO:
        clip = _clip(works, tactic.clip, tactic.even)
        if free >= clip or free >= left(works, progress):
            places = (Intended(free, _price(works, market)),)
    reprices = to_take(works.parent.side, progress, market) if progress.children else ()
    return Wish(places=places, reprices=reprices, due=now + _patience(works)) if places or reprices else NOTHING


def iceberg(works: Works, tactic: Iceberg, progress: Progress, market: Market, now: datetime) -> Wish:
    """One child, at the limit or joining the market, and another when it is gone."""
    parent = works.parent
    if tactic.complete and now >= works.closing:
        return take(works, progress, market, now)
    price = near(parent.side, market) if parent.limit_price is None else parent.limit_price
    if price is None:
        return NOTHING
    if progress.children:
        reprices = to_price(progress, price)
        return Wish(reprices=reprices, due=now + PAUSE) if reprices else NOTHING
    peak = _clip(works, tactic.peak, tactic.even)
    rest = left(works, progress)
    intended = Intended(rest, price, "DAY", peak) if tactic.native else Intended(min(peak, rest), price)
    # The next one comes after a time that varies too: a refresh at once shows what it belongs to.
    delay = 250 + draw(parent.seed, "refresh", works.placed) % 751
    return Wish(places=(intended,), due=now + delay * _MILLISECOND)


def sniper(works: Works, tactic: Sniper, progress: Progress, market: Market, now: datetime) -> Wish:
    """Take at once what the far side shows, where that is enough at an acceptable price."""
    if tactic.complete and now >= works.closing:
        return take(works, progress, market, now)
    side = works.parent.side
    price, size = far(side, market), far_size(side, market)
    if price is None or size is None or progress.working:
        return NOTHING
    if price > tactic.worst if side == "BUY" else price < tactic.worst:
        return NOTHING
    rest = left(works, progress)
    if size < min(tactic.clip, rest) or not _reachable(works, price):
        return NOTHING
    return Wish(places=(Intended(min(rest, size), price, "IOC"),), due=now + PAUSE)


def adaptive(works: Works, tactic: Adaptive, progress: Progress, market: Market, now: datetime) -> Wish:
    """One child at a time, ahead of the pace by at most that child; its price by how urgent and how late it is.

    Aggression in thousandths is the urgency, twice the part of the order that is behind the pace, and up to a tenth
    more for a visible order or less for a hidden one. Who is behind and takes, catches up in one child.
    """
    parent = works.parent
    if now >= works.closing:
        return take(works, progress, market, now)
    window = (works.closing - parent.start) // _MICROSECOND
    lots = steps_in(parent.quantity, parent.lot_size)
    parts, whole = slices.weighted((now - parent.start) // _MICROSECOND, window, tactic.tilt)
    due_lots = lots * parts // whole
    behind = max(0, due_lots - steps_in(progress.filled, parent.lot_size)) * 1000 // lots
    level = thousandths(works.urgency) + 2 * behind + thousandths(works.visibility) // 5 - 100
    price = _price_at(works, market, level)
    due = now + max(PAUSE, min(_LONGEST_REVIEW, window // (tactic.count * REVIEWS) * _MICROSECOND))
    if price is None:
        return Wish(due=due)
    if progress.children:
        return Wish(reprices=to_price(progress, price), due=due)
    clip = _clip(works, multiply(Decimal(max(1, lots // tactic.count)), parent.lot_size), tactic.even)
    ahead = add(multiply(Decimal(due_lots), parent.lot_size), clip)
    wanted = subtract(subtract(ahead, progress.filled), progress.working)
    if level < CROSSING:
        wanted = min(wanted, clip)
    return Wish(places=(Intended(wanted, price),) if wanted > ZERO else (), due=due)


def _price(works: Works, market: Market) -> Decimal | None:
    """Where a slice goes by the order's urgency."""
    side = works.parent.side
    return near(side, market) if works.urgency < TAKING else far(side, market)


def _price_at(works: Works, market: Market, level: int) -> Decimal | None:
    """Where an adaptive child goes by its aggression in thousandths."""
    side = works.parent.side
    if level >= CROSSING:
        return far(side, market)
    return inside(side, market, works.parent.tick_size) if level >= INSIDE else near(side, market)


def _reachable(works: Works, price: Decimal | None) -> bool:
    """Whether the bound allows taking at the far side's price, as far as that is known."""
    bound = works.bound
    return price is None or bound is None or (price <= bound if works.parent.side == "BUY" else price >= bound)


def _clip(works: Works, size: Decimal, even: bool) -> Decimal:
    """The size of the next child, randomised unless it is to be even."""
    lot = works.parent.lot_size
    lots = max(1, steps_in(size, lot))
    return multiply(Decimal(lots if even else vary(lots, works.parent.seed, works.placed)), lot)


def _patience(works: Works) -> timedelta:
    """How long a child may rest: 30 seconds where nothing is urgent, one where all is."""
    return PAUSE + (1000 - thousandths(works.urgency)) * 29 * _MILLISECOND
