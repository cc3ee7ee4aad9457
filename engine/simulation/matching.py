"""How a simulated market answers an order: what fills, at which price, and what is left.

Orders trade only against what the market has shown: the displayed size of a quote, the size of a printed trade, a
fraction of a bar's volume. Whatever one of them offers is given out once, across all orders in arrival order. The
orders themselves are never liquidity for each other.

An order that shows a part of itself trades one part in its turn; the next part stands at the end of the queue, behind
all who waited. What it takes when it arrives it takes whole: nobody sees what is not in the book yet.

What is simple here on purpose: an order at the price of a trade is filled by it, as if it stood first in the queue;
bars are passed over in an instrument that is quoted, because they sum up what the quotes showed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.messages import Bar, MarketData, Quote, Trade
from engine.values import EXACT, ONE, ZERO, Side, TimeInForce

NO_MARKET: Final = "no market"
IOC_REST: Final = "IOC: the rest could not be filled at once"
FOK_KILLED: Final = "FOK: not all of it could be filled at once"

_ALWAYS: Final = Decimal("-Infinity")


class Resting(Struct, frozen=True, kw_only=True):
    """An order as the market sees it. `place` grows with arrival; no `limit_price` means at any price. `display` is how
    much of it is shown at a time: its parts are cut from its whole quantity, so what is filled says where it is."""

    order_id: str
    place: int
    side: Side
    quantity: Decimal
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    filled: Decimal = ZERO
    display: Decimal | None = None

    @property
    def shown(self) -> Decimal:
        """What of it others see, and what may trade in its turn."""
        if self.display is None:
            return self.leaves
        return min(self.leaves, EXACT.subtract(self.display, EXACT.remainder(self.filled, self.display)))

    @property
    def leaves(self) -> Decimal:
        """Units not yet filled."""
        return EXACT.subtract(self.quantity, self.filled)


class Execution(Struct, frozen=True, gc=False):
    """Units traded at one price."""

    quantity: Decimal
    price: Decimal


class Answer(Struct, frozen=True):
    """What meeting the market did to an order: the order after it, its execution, why its rest was cancelled."""

    order: Resting
    execution: Execution | None = None
    canceled: str | None = None

    @property
    def open(self) -> bool:
        """Whether the rest works on."""
        return self.canceled is None and self.order.filled < self.order.quantity

    @property
    def refreshed(self) -> bool:
        """Whether all that it showed is traded: its next part needs a place at the end of the queue."""
        order = self.order
        return self.open and order.display is not None and not EXACT.remainder(order.filled, order.display)


def acceptable(side: Side, limit_price: Decimal | None, price: Decimal) -> bool:
    """Whether an order with this limit may trade at this price."""
    if limit_price is None:
        return True
    return price <= limit_price if side == "BUY" else price >= limit_price


def meet(order: Resting, price: Decimal | None, size: Decimal) -> Answer:
    """The order against the far touch as it is now; None is no market on that side. Fills at the touch, which is
    the better of touch and limit; IOC and FOK orders end here."""
    immediate = order.time_in_force in ("IOC", "FOK")
    if price is None:
        return Answer(order, None, NO_MARKET if immediate else None)
    if size > ZERO and acceptable(order.side, order.limit_price, price):
        leaves = order.leaves
        if leaves <= size:
            return fill(order, leaves, price)
        if order.time_in_force != "FOK":
            answer = fill(order, size, price)
            return replace(answer, canceled=IOC_REST) if immediate else answer
    if not immediate:
        return Answer(order)
    return Answer(order, None, IOC_REST if order.time_in_force == "IOC" else FOK_KILLED)


def fill(order: Resting, quantity: Decimal, price: Decimal) -> Answer:
    """The order with this much more filled. The caller has made sure that it is not more than what is left."""
    after = Resting(
        order_id=order.order_id,
        place=order.place,
        side=order.side,
        quantity=order.quantity,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        filled=EXACT.add(order.filled, quantity),
        display=order.display,
    )
    return Answer(after, Execution(quantity, price))


def price_in_bar(order: Resting, bar: Bar) -> Decimal | None:
    """Where the order trades in this bar: the open if that is acceptable (a gap gives the open's better price),
    else its limit if the bar's range reaches it, else None."""
    limit = order.limit_price
    if limit is None or acceptable(order.side, limit, bar.open):
        return bar.open
    return limit if acceptable(order.side, limit, bar.low if order.side == "BUY" else bar.high) else None


class Ladder:
    """The open orders of one side, so that those a price reaches are found without looking at the others."""

    __slots__ = ("_buys", "_entries")

    def __init__(self, side: Side) -> None:
        self._buys = side == "BUY"
        # (how far a price must come, place): the most aggressive first, so market orders lead.
        self._entries: list[tuple[Decimal, int]] = []

    def add(self, order: Resting) -> None:
        """Puts an order in."""
        insort(self._entries, (self._key(order.limit_price), order.place))

    def remove(self, order: Resting) -> None:
        """Takes out an order that is in."""
        del self._entries[bisect_left(self._entries, (self._key(order.limit_price), order.place))]

    def reached(self, price: Decimal) -> list[int]:
        """The places of the orders that may trade at this price, in no particular order."""
        if not self._entries or self._entries[0][0] > (key := self._key(price)):
            return []
        return [place for _, place in self._entries[: bisect_right(self._entries, key, key=lambda entry: entry[0])]]

    def _key(self, price: Decimal | None) -> Decimal:
        if price is None:
            return _ALWAYS
        # Unlike the minus sign, this does not round to the context's digits.
        return price.copy_negate() if self._buys else price


class Book:
    """One instrument: the last quote, what of it is not yet consumed, and the orders that rest.

    `participation` is the fraction of a bar's volume that may be filled, rounded down to a multiple of `lot` units.
    """

    __slots__ = (
        "_buys",
        "_lot",
        "_orders",
        "_participation",
        "_places",
        "_sells",
        "ask",
        "ask_left",
        "bid",
        "bid_left",
    )

    def __init__(self, participation: Decimal = ONE, lot: Decimal = ONE) -> None:
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.bid_left = ZERO
        self.ask_left = ZERO
        self._participation = participation
        self._lot = lot
        self._orders: dict[int, Resting] = {}
        self._places: dict[str, int] = {}
        self._buys = Ladder("BUY")
        self._sells = Ladder("SELL")

    def __len__(self) -> int:
        return len(self._orders)

    def __repr__(self) -> str:
        return f"<Book {self.bid_left}@{self.bid} {self.ask_left}@{self.ask}, {len(self)} orders>"

    def arrive(self, order: Resting) -> Answer:
        """A new order (or a replaced one, with its new place) meets the quote; its rest stays if it may."""
        answer = self._meet(order, order.leaves)
        if answer.open:
            self._add(answer.order)
        return answer

    def rest(self, order: Resting) -> None:
        """Puts an order back that rested before; it waits for the next market data."""
        self._add(order)

    def cancel(self, order_id: str) -> Resting | None:
        """Takes an order out; None where it does not rest here."""
        place = self._places.get(order_id)
        return None if place is None else self._remove(self._orders[place])

    def refresh(self, order_id: str, place: int) -> None:
        """The next part of an order that shows parts stands here from now on."""
        order = self.cancel(order_id)
        if order is not None:
            self._add(replace(order, place=place))

    def hear(self, data: MarketData) -> list[Answer]:
        """What new market data does to the orders that rest, in arrival order; only those it changed. For each answer
        that is `refreshed`, the order wants a new place."""
        if isinstance(data, Quote):
            return self._quoted(data)
        if isinstance(data, Trade):
            return self._traded(data)
        return self._barred(data)

    def _quoted(self, quote: Quote) -> list[Answer]:
        """What the last quote had left is gone. A side without a price or a size is no market."""
        self.bid = quote.bid if quote.bid > ZERO and quote.bid_size > ZERO else None
        self.ask = quote.ask if quote.ask > ZERO and quote.ask_size > ZERO else None
        self.bid_left, self.ask_left = quote.bid_size, quote.ask_size
        buys = [] if self.ask is None else self._buys.reached(self.ask)
        sells = [] if self.bid is None else self._sells.reached(self.bid)
        queue = self._in_turn(buys, sells)
        return [
            self._changed(self._meet(order, order.shown), queue)
            for order in queue
            if (self.ask_left if order.side == "BUY" else self.bid_left) > ZERO
        ]

    def _traded(self, trade: Trade) -> list[Answer]:
        """A print at or through an order's limit fills it, at the price of the print, from the size of the print."""
        left, price = trade.size, trade.price
        answers = []
        if price > ZERO:
            queue = self._in_turn(self._buys.reached(price), self._sells.reached(price))
            for order in queue:
                if left <= ZERO:
                    break
                quantity = min(order.shown, left)
                left = EXACT.subtract(left, quantity)
                answers.append(self._changed(fill(order, quantity, price), queue))
        return answers

    def _barred(self, bar: Bar) -> list[Answer]:
        if self.bid is not None or self.ask is not None or bar.open <= ZERO or bar.low <= ZERO:
            return []
        left = EXACT.multiply(bar.volume, self._participation)
        left = EXACT.multiply(EXACT.divide_int(left, self._lot), self._lot)
        answers = []
        queue = self._in_turn(self._buys.reached(bar.low), self._sells.reached(bar.high))
        for order in queue:
            if left <= ZERO:
                break
            price = price_in_bar(order, bar)
            if price is not None:
                quantity = min(order.shown, left)
                left = EXACT.subtract(left, quantity)
                answers.append(self._changed(fill(order, quantity, price), queue))
        return answers

    def _meet(self, order: Resting, most: Decimal) -> Answer:
        """Up to `most` of it against the far side of the quote; what it takes is gone from the quote."""
        if order.side == "BUY":
            answer = meet(order, self.ask, self.ask_left if order.display is None else min(self.ask_left, most))
            if answer.execution is not None:
                self.ask_left = EXACT.subtract(self.ask_left, answer.execution.quantity)
        else:
            answer = meet(order, self.bid, self.bid_left if order.display is None else min(self.bid_left, most))
            if answer.execution is not None:
                self.bid_left = EXACT.subtract(self.bid_left, answer.execution.quantity)
        return answer

    def _in_turn(self, *places: Iterable[int]) -> list[Resting]:
        return [self._orders[place] for place in sorted(place for some in places for place in some)]

    def _changed(self, answer: Answer, queue: list[Resting]) -> Answer:
        """What is in the book from now on; the next part of an order that shows parts is behind all others."""
        order = answer.order
        if answer.open:
            self._orders[order.place] = order
            if order.display is not None and answer.refreshed:
                queue.append(order)
        else:
            self._remove(order)
        return answer

    def _add(self, order: Resting) -> None:
        self._orders[order.place] = order
        self._places[order.order_id] = order.place
        (self._buys if order.side == "BUY" else self._sells).add(order)

    def _remove(self, order: Resting) -> Resting:
        (self._buys if order.side == "BUY" else self._sells).remove(order)
        del self._places[order.order_id]
        return self._orders.pop(order.place)
