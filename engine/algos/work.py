"""An algorithm at work: one decision, and what may be changed from outside while it works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from engine.algos import tactics
from engine.algos.bounds import foremost, lawful, price_bound, strays
from engine.algos.contract import (
    Adaptive,
    Decision,
    Iceberg,
    Market,
    Participate,
    Progress,
    Scheduled,
    Sniper,
    Tactic,
    Wish,
    Works,
)
from engine.algos.start import acceptable, participation_at

# Each takes the tactic it stands beside, which a mapping's type cannot say.
_WISH: Final[dict[type, Callable[[Works, Any, Progress, Market, datetime], Wish]]] = {
    Scheduled: tactics.scheduled,
    Participate: tactics.participate,
    Iceberg: tactics.iceberg,
    Sniper: tactics.sniper,
    Adaptive: tactics.adaptive,
}


def decide(works: Works, progress: Progress, market: Market, now: datetime) -> Decision:
    """What to do now: the state from now on, actions on children, and when to ask again at the latest.

    To be asked when the wake-up is due, when a child changes (filled, answered, refused, gone) and, for every
    algorithm but TWAP, VWAP and IS, when the market changes. Asking more often does no harm. `market.volume` is
    needed by POV only. After a `Finish` there is nothing more to ask.
    """
    decision = foremost(works, progress, now)
    if decision is not None:
        return decision
    if works.bound is not None and progress.children:
        astray = strays(works, progress)
        if astray:
            return lawful(works, Wish(reprices=astray, due=works.due), progress, market, now)
    due = works.due
    if due is not None and now < due:
        return Decision(works, (), due)
    tactic = works.tactic
    return lawful(works, _WISH[tactic.__class__](works, tactic, progress, market, now), progress, market, now)


def amended(
    works: Works,
    quantity: Decimal | None = None,
    limit_price: Decimal | None = None,
    urgency: Decimal | None = None,
) -> Works:
    """The same work with another quantity (whole lots), limit price or urgency (0 to 1); the price bound follows.

    The next decision cancels what is too much and brings children inside the bound. Slices stay where they are in
    time, and what they add up to changes. With the urgency goes what was made of it: a sniper's price, a POV's part
    of the volume.
    """
    parent, tactic = works.parent, works.tactic
    if quantity is not None:
        parent = replace(parent, quantity=quantity)
    if limit_price is not None:
        parent = replace(parent, limit_price=limit_price)
        if isinstance(tactic, Sniper):
            tactic = replace(tactic, worst=limit_price)
    bound = price_bound(parent.side, parent.tick_size, parent.arrival_price, works.max_slippage_pct, parent.limit_price)
    works = replace(works, parent=parent, tactic=tactic, bound=bound)
    return works if urgency is None else _urgent(works, tactic, urgency)


def _urgent(works: Works, tactic: Tactic, urgency: Decimal) -> Works:
    parent, participation = works.parent, works.participation
    if isinstance(tactic, Sniper):
        worst = acceptable(parent, works.bound, urgency)
        tactic = replace(tactic, worst=tactic.worst if worst is None else worst)
    if participation is not None and participation == participation_at(works.urgency):
        participation = participation_at(urgency)
    return replace(works, tactic=tactic, urgency=urgency, participation=participation)


def urged(works: Works, low: Decimal | None, high: Decimal | None) -> Works:
    """The same work with the urgency that its plan asked for brought within these bounds, or as it was asked for where
    there are none; the same object where that changes nothing.

    Where what rests at the venue would now be priced otherwise, the algorithm is asked at once and not when it is due.
    """
    asked = works.urgency if works.asked is None else works.asked
    urgency = asked if low is None else max(asked, low)
    urgency = urgency if high is None else min(urgency, high)
    was = works.urgency
    if urgency == was:
        return works
    works = replace(amended(works, urgency=urgency), asked=None if urgency == asked else asked)
    reprices = isinstance(works.tactic, Adaptive) or was < tactics.TAKING <= urgency
    return replace(works, due=None) if reprices else works


def stopped(works: Works, now: datetime) -> Works:
    """The same work with its window ended now: the next decisions cancel what is open, then finish."""
    return replace(works, end=min(works.end, now), closing=min(works.closing, now), stopped=True)
