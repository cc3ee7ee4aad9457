"""What works, by strategy and by all, in each currency: sums that gross limits count beside what was executed.

One partition's memory and no state: it is what its open orders have reserved, and is summed up from them again when it
is first asked for after a start, or after the limits have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from engine.order import Order
from engine.values import ZERO, add, minus, subtract


class Working:
    """Notional reserved by open orders. Each order's is set, never added, so that saying it twice changes nothing."""

    __slots__ = ("_limits", "_orders", "_sums", "_uncounted")

    def __init__(self) -> None:
        self._limits: Any = None
        self._orders: dict[str, Decimal] = {}
        self._sums: dict[tuple[str, str], Decimal] = {}
        self._uncounted: dict[tuple[str, str], Decimal] = {}

    def current(self, limits: Any) -> bool:
        """Whether it was summed up under these limits."""
        return self._limits is limits

    def begin(self, limits: Any, orders: Iterable[Order]) -> None:
        """Sums up anew, from all open orders."""
        self._limits = limits
        self._orders.clear()
        self._uncounted.clear()
        self._sums.clear()
        for order in orders:
            ticket = order.ticket
            self.set(ticket.order_id, ticket.strategy_id, ticket.currency, order.reserved)

    def set(self, order_id: str, strategy_id: str, currency: str, notional: Decimal, executed: Decimal = ZERO) -> None:
        """An order has reserved this much from now on; nothing where it is over. What was `executed` of it besides is
        not counted as that before `take`."""
        change = subtract(notional, self._orders.pop(order_id, ZERO))
        if notional:
            self._orders[order_id] = notional
        if executed:
            change = add(change, executed)
            key = strategy_id, currency
            self._uncounted[key] = add(self._uncounted.get(key, ZERO), executed)
        if change:
            self._add(strategy_id, currency, change)

    def take(self) -> bool:
        """What was executed counts as working no more; whether there was anything."""
        if not self._uncounted:
            return False
        for (strategy_id, currency), notional in self._uncounted.items():
            self._add(strategy_id, currency, minus(notional))
        self._uncounted.clear()
        return True

    def _add(self, strategy_id: str, currency: str, change: Decimal) -> None:
        sums = self._sums
        for key in ((f"strategy/{strategy_id}", currency), ("firm", currency)):
            total = add(sums.get(key, ZERO), change)
            if total:
                sums[key] = total
            else:
                sums.pop(key, None)

    def of(self, order_id: str) -> Decimal:
        """What one order has reserved."""
        return self._orders.get(order_id, ZERO)

    def sum(self, name: str, currency: str) -> Decimal:
        """What works of `firm`, or of `strategy/<id>`."""
        return self._sums.get((name, currency), ZERO)
