"""When an order that waits for a price is released: stops, orders if touched, stops that trail the market.

What fires. A sale looks at the bid and at prints, a purchase at the offer and at prints, because that is where it
would trade. A stop fires where the market is at its price or worse (a sale: at or below), an order if touched where it
is at its price or better. A quote's side without a price or a size is no market and fires nothing.

What counts. The quote in force counts whenever it was made; prints and bars count only from `since` on. The first bar
after that may have begun before it, so of that one only the close counts; later ones count with their range. Bars are
taken to be of one interval, one after the other.

What trails. A stop follows the best price since it was placed: the bid (a sale) or the offer (a purchase) of quotes
once there was one, prints and bars before. A print alone must not drag the stop of a quoted instrument across the
spread. A bar's far end is compared with the stop as it was before the bar, since its order within is not known. The
stop is kept exact, not rounded: it is compared with prices and never sent, so it is neither looser nor tighter than
asked.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from engine.messages import Bar, MarketData, Quote, Trade
from engine.refusal import Refusal
from engine.values import ZERO, OrderType, Side, add, multiply, subtract


class Level(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="Level"):
    """A price that stays. `falling`: fires at or below it, else at or above."""

    side: Side
    price: Decimal
    falling: bool
    since: datetime
    bars_from: datetime | None = None


class Trail(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="Trail"):
    """A price that follows the market by `amount` or by `pct` (a ratio) of the best price seen, and never goes back."""

    side: Side
    amount: Decimal | None = None
    pct: Decimal | None = None
    best: Decimal
    quoted: bool = False
    since: datetime
    bars_from: datetime | None = None

    @property
    def falling(self) -> bool:
        """A sale's stop is below the market, and fires when that falls."""
        return self.side == "SELL"

    @property
    def price(self) -> Decimal:
        """The stop in force, exact."""
        distance = self.amount if self.pct is None else multiply(self.best, self.pct)
        if distance is None:
            raise ValueError("a trail has an amount or a pct")
        return subtract(self.best, distance) if self.falling else add(self.best, distance)


Trigger = Level | Trail


def level(kind: OrderType, side: Side, stop: Decimal, now: datetime) -> Level:
    """The trigger of a STOP, STOP_LIMIT, MARKET_IF_TOUCHED or LIMIT_IF_TOUCHED order."""
    touched = kind in ("MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED")
    return Level(side=side, price=stop, falling=(side == "SELL") != touched, since=now)


def trail(
    side: Side, amount: Decimal | None, pct: Decimal | None, quote: Quote | None, last: Decimal | None, now: datetime
) -> Trail | Refusal:
    """The trigger of a trailing stop, from the quote in force or else the last print. NO_MARKET where there is neither,
    BAD_TRAIL where the stop would start at nothing or below."""
    near = None if quote is None else near_side(quote, side)
    best = last if near is None else near
    if best is None or best <= ZERO:
        sentence = f"instructions: no quote, trade or bar of the instrument is live for the stop of a {side} to trail"
        return Refusal("NO_MARKET", sentence)
    found = Trail(side=side, amount=amount, pct=pct, best=best, quoted=near is not None, since=now)
    if found.price <= ZERO:
        return Refusal("BAD_TRAIL", f"instructions.trail_amount: {amount} is not less than the market, {best}")
    return found


def near_side(quote: Quote, side: Side) -> Decimal | None:
    """The price of the quote that an order of this side would trade at: a sale the bid, a purchase the offer."""
    price, size = (quote.bid, quote.bid_size) if side == "SELL" else (quote.ask, quote.ask_size)
    return price if price > ZERO and size > ZERO else None


def on_market(trigger: Trigger, data: MarketData) -> tuple[Trigger, bool]:
    """The trigger after this data, the same object where nothing changed, and whether it fires."""
    if data.__class__ is Quote:
        return _quoted(trigger, data)
    if data.at < trigger.since:
        return trigger, False
    if isinstance(data, Trade):
        return _printed(trigger, data.price)
    return _barred(trigger, data) if isinstance(data, Bar) else (trigger, False)


def reached(trigger: Trigger, price: Decimal) -> bool:
    """Whether a market at this price is at or through the trigger."""
    return price <= trigger.price if trigger.falling else price >= trigger.price


def _quoted(trigger: Trigger, quote: Quote) -> tuple[Trigger, bool]:
    price = near_side(quote, trigger.side)
    if price is None:
        return trigger, False
    if isinstance(trigger, Trail):
        if not trigger.quoted:
            trigger = replace(trigger, quoted=True)
        trigger = _followed(trigger, price)
    return trigger, reached(trigger, price)


def _printed(trigger: Trigger, price: Decimal) -> tuple[Trigger, bool]:
    if price <= ZERO:
        return trigger, False
    if isinstance(trigger, Trail) and not trigger.quoted:
        trigger = _followed(trigger, price)
    return trigger, reached(trigger, price)


def _barred(trigger: Trigger, bar: Bar) -> tuple[Trigger, bool]:
    if min(bar.low, bar.close) <= ZERO:
        return trigger, False
    whole = trigger.bars_from is not None and bar.at > trigger.bars_from
    if trigger.bars_from is None:
        trigger = replace(trigger, bars_from=bar.at)
    if whole:
        if reached(trigger, bar.low if trigger.falling else bar.high):
            return trigger, True
        if isinstance(trigger, Trail) and not trigger.quoted:
            trigger = _followed(trigger, bar.high if trigger.falling else bar.low)
    return _printed(trigger, bar.close)


def _followed(trigger: Trail, price: Decimal) -> Trail:
    """The trail after a price: it moves in the order's favour or not at all."""
    better = price > trigger.best if trigger.falling else price < trigger.best
    return replace(trigger, best=price) if better else trigger
