"""Where a child stands in the market: joining its own side, inside the spread, or taking from the far side."""

from __future__ import annotations

from decimal import Decimal

from engine.algos.contract import Child, Market, Progress
from engine.values import Side, add, subtract

Reprices = tuple[tuple[Child, Decimal], ...]


def near(side: Side, market: Market) -> Decimal | None:
    """The price to join: the best of one's own side."""
    return market.bid if side == "BUY" else market.ask


def far(side: Side, market: Market) -> Decimal | None:
    """The price to take at: the best of the other side."""
    return market.ask if side == "BUY" else market.bid


def far_size(side: Side, market: Market) -> Decimal | None:
    """The units shown on the other side."""
    return market.ask_size if side == "BUY" else market.bid_size


def inside(side: Side, market: Market, tick: Decimal) -> Decimal | None:
    """One tick better than one's own side where the spread has room for it, else the price to join."""
    bid, ask = market.bid, market.ask
    if bid is None or ask is None or subtract(ask, bid) <= tick:
        return near(side, market)
    return add(bid, tick) if side == "BUY" else subtract(ask, tick)


def to_take(side: Side, progress: Progress, market: Market) -> Reprices:
    """The children that rest behind the far side, each with the far side's price; none where that is unknown."""
    price = far(side, market)
    if price is None:
        return ()
    return tuple((child, price) for child in progress.children if _rests(side, child, price))


def to_price(progress: Progress, price: Decimal) -> Reprices:
    """The children that have another price, each with this one."""
    return tuple((child, price) for child in progress.children if child.limit_price not in (None, price))


def _rests(side: Side, child: Child, price: Decimal) -> bool:
    limit = child.limit_price
    return limit is not None and (limit < price if side == "BUY" else limit > price)
