"""Orders that wait at a simulated market for their stop price, in no book until it is reached."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from engine.messages import MarketData, Quote
from engine.triggers import Trigger, level, on_market
from engine.values import OrderType, Side


class Stops:
    """The stops of one instrument, in arrival order. What fires is out, and the caller's to send into the book."""

    __slots__ = ("_quote", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, Trigger] = {}
        self._quote: Quote | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def arrive(self, order_id: str, kind: OrderType, side: Side, stop: Decimal, since: datetime) -> bool:
        """Whether a new stop fires at once, at the quote in force; else it waits."""
        trigger: Trigger = level(kind, side, stop, since)
        if self._quote is not None:
            trigger, fires = on_market(trigger, self._quote)
            if fires:
                return True
        self._waiting[order_id] = trigger
        return False

    def remove(self, order_id: str) -> None:
        """Takes a stop out, if it waits here."""
        self._waiting.pop(order_id, None)

    def hear(self, data: MarketData) -> list[str]:
        """The orders that this data fires."""
        if isinstance(data, Quote):
            self._quote = data
        fired: list[str] = []
        for order_id, trigger in list(self._waiting.items()):
            moved, fires = on_market(trigger, data)
            if fires:
                del self._waiting[order_id]
                fired.append(order_id)
            else:
                self._waiting[order_id] = moved
        return fired
