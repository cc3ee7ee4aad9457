"""What holds for every algorithm, enforced here and nowhere else, whatever an algorithm wishes.

Completion: filled, working and new units never exceed the order's, and children are whole lots. Price: no child has a
price past the bound, and none is a market order where there is a bound. Window: nothing is placed at its end or
after, and what is open is cancelled then. Participation: filled, working and new units never exceed the part of the
market's volume. Ending: min_fill_ratio decides what an end is called.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Final

from msgspec.structs import replace

from engine.algos.contract import (
    Action,
    Cancel,
    Child,
    Decision,
    Ending,
    Finish,
    Intended,
    Market,
    Place,
    Progress,
    Replace,
    Wish,
    Works,
)
from engine.algos.grid import ceiled, floored
from engine.values import ONE, ZERO, Side, add, is_multiple, minus, multiply, subtract

MAX_OPEN: Final = 16
"""Children that may be open at once; an algorithm that wishes for more waits."""
PAUSE: Final = timedelta(seconds=1)
"""After a child that was rejected, or expired with nothing filled; doubled with each more in a row."""
MAX_DOUBLINGS: Final = 4
Actions = tuple[Action, ...]
_RATIO = Context(prec=6, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])


def price_bound(
    side: Side, tick: Decimal, arrival: Decimal | None, max_slippage_pct: Decimal | None, limit: Decimal | None
) -> Decimal | None:
    """The worst price a child may have, on the tick's passive side, or None where there is no bound.

    `max_slippage_pct` is a fraction (0.01 is one per cent) of the arrival price, which must be known with it. A
    purchase may have no price left: the bound is then zero.
    """
    bounds = [] if limit is None else [limit]
    if max_slippage_pct is not None and arrival is not None:
        slip = multiply(arrival, max_slippage_pct)
        bounds.append(add(arrival, slip) if side == "BUY" else subtract(arrival, slip))
    if not bounds:
        return None
    if side == "BUY":
        return floored(min(bounds), tick)
    # A sale for nothing is no sale, so the lowest price is one tick.
    return max(tick, ceiled(max(bounds), tick))


def within(works: Works, price: Decimal | None) -> Decimal | None:
    """The price, on the tick's passive side and not past the bound; None (any price) is the bound itself."""
    bound, tick = works.bound, works.parent.tick_size
    if price is None:
        return bound
    if works.parent.side == "BUY":
        price = price if is_multiple(price, tick) else floored(price, tick)
        return price if bound is None or price < bound else bound
    price = price if is_multiple(price, tick) else ceiled(price, tick)
    return price if bound is None or price > bound else bound


def left(works: Works, progress: Progress) -> Decimal:
    """Units neither filled nor working, below zero where too many are."""
    return subtract(subtract(works.parent.quantity, progress.filled), progress.working)


def room(works: Works, progress: Progress, market: Market) -> Decimal:
    """Units that may still be placed, by the order's quantity and by the participation cap."""
    free = left(works, progress)
    if works.participation is not None:
        if market.volume is None:
            return ZERO
        allowed = multiply(works.participation, market.volume)
        free = min(free, subtract(subtract(allowed, progress.filled), progress.working))
    return free


def foremost(works: Works, progress: Progress, now: datetime) -> Decision | None:
    """What has to be done whatever the algorithm would like, or None where it may say."""
    parent, over = works.parent, works.stopped or now >= works.end
    if not progress.working and not progress.children:
        if subtract(parent.quantity, progress.filled) < parent.lot_size:
            return Decision(works, (_finish(works, progress, ""),))
        if over:
            return Decision(works, (_finish(works, progress, "the window has ended"),))
    elif over:
        return Decision(works, _withdraw(progress))
    elif left(works, progress) < ZERO:
        return Decision(works, _shed(progress, minus(left(works, progress))), works.end)
    if now < parent.start:
        return Decision(works, (), min(parent.start, works.end))
    return None


def strays(works: Works, progress: Progress) -> tuple[tuple[Child, Decimal], ...]:
    """The open children past the bound (it was drawn closer since), and the price they must have instead."""
    bound = works.bound
    if bound is None:
        return ()
    return tuple((child, bound) for child in progress.children if not child.pending and _past(works, child))


def lawful(works: Works, wish: Wish, progress: Progress, market: Market, now: datetime) -> Decision:
    """The wish as a decision that keeps every bound; `now` is within the window."""
    actions: list[Action] = []
    for child, price in wish.reprices:
        lawful_price = within(works, price)
        if not child.pending and lawful_price is not None and ZERO < lawful_price != child.limit_price:
            actions.append(Replace(child_id=child.child_id, quantity=child.quantity, limit_price=lawful_price))
    placed = works.placed
    if wish.places:
        free, rest = room(works, progress, market), left(works, progress)
        for intended in wish.places:
            place = _place(works, intended, free, rest)
            if place is None or placed - works.placed + len(progress.children) >= MAX_OPEN:
                continue
            free, rest = subtract(free, place.quantity), subtract(rest, place.quantity)
            placed += 1
            actions.append(place)
    step = works.step if wish.step is None else wish.step
    due, futile = wish.due, works.futile
    if placed != works.placed:
        futile = futile + 1 if works.placed and not progress.working and progress.filled == works.seen else 0
        if futile:
            pause = now + PAUSE * (1 << min(futile, MAX_DOUBLINGS))
            due = pause if due is None else max(due, pause)
    if due is not None and due > now:
        # What must be complete wakes up for that, whatever it waits for.
        due = min(due, works.closing if now < works.closing else works.end)
    if placed != works.placed:
        works = replace(works, step=step, placed=placed, due=due, seen=progress.filled, futile=futile)
    elif actions or step != works.step:
        works = replace(works, step=step, due=due)
    return Decision(works, tuple(actions), wake(works, due, now))


def wake(works: Works, due: datetime | None, now: datetime) -> datetime:
    """When to ask again at the latest: when it is due, when it begins to close, or when it ends."""
    if due is not None and now < due:
        return due
    return works.closing if now < works.closing else works.end


def _place(works: Works, intended: Intended, free: Decimal, rest: Decimal) -> Place | None:
    """The child, of at most `free` units; where less than the venue takes would be left of `rest`, with that too."""
    lot, least = works.parent.lot_size, works.parent.min_quantity
    quantity = floored(min(intended.quantity, free), lot)
    if least and ZERO < quantity < rest < add(free, lot) and subtract(rest, quantity) < least:
        quantity = floored(free, lot)
    if quantity < least:
        return None
    price = within(works, intended.price)
    if quantity <= ZERO or (price is not None and price <= ZERO):
        return None
    display = intended.display
    if display is not None:
        display = max(lot, floored(display, lot))
        display = None if display >= quantity else display
    return Place(
        quantity=quantity,
        order_type="MARKET" if price is None else "LIMIT",
        limit_price=price,
        time_in_force=intended.time_in_force,
        display_quantity=display,
    )


def _past(works: Works, child: Child) -> bool:
    price, bound = child.limit_price, works.bound
    if price is None or bound is None:
        return False
    return price > bound if works.parent.side == "BUY" else price < bound


def _shed(progress: Progress, excess: Decimal) -> Actions:
    """Cancels of the newest children until what they leave covers the excess."""
    actions: list[Action] = []
    for child in reversed(progress.children):
        if excess <= ZERO:
            break
        excess = subtract(excess, subtract(child.quantity, child.filled))
        if not child.pending:
            actions.append(Cancel(child_id=child.child_id))
    return tuple(actions)


def _withdraw(progress: Progress) -> Actions:
    return tuple(Cancel(child_id=child.child_id) for child in progress.children if not child.pending)


def _finish(works: Works, progress: Progress, why: str) -> Finish:
    """How it ended, in one word and a sentence."""
    parent, filled, least = works.parent, progress.filled, works.min_fill_ratio
    text = f"{filled} of {parent.quantity} filled"
    ending: Ending = "PARTIAL"
    if subtract(parent.quantity, filled) < parent.lot_size:
        ending = "FILLED"
        if filled < parent.quantity:
            text += f", the rest is less than a lot of {parent.lot_size}"
    # An exact comparison: the ratio itself may have no end.
    elif least is not None and filled < multiply(least, parent.quantity):
        ending = "SHORTFALL"
        # Rounded down, so that what misses the ratio by little does not read as if it met it.
        text += f", a ratio of {_RATIO.divide(filled, parent.quantity):f}: min_fill_ratio {least} can no longer be met"
    elif least is not None and least < ONE:
        text += f", which min_fill_ratio {least} accepts"
    return Finish(ending=ending, filled=filled, reason=f"{why}: {text}" if why else text)
