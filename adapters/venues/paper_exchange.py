"""What the paper venue decides: its open orders and their books, in memory, a group of messages at a time.

Nothing here waits or writes. A `Group` comes out with the rows to make durable and the reports to deliver after that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any, Final, Literal

from msgspec.structs import replace

from adapters.venues.paper_file import Start
from adapters.venues.paper_order import Group, PaperOrder, bad_amounts, ending, not_open, problem, restored
from engine.config import InstrumentSpec, Native
from engine.messages import MarketData
from engine.reports import (
    Accepted,
    CancelRejected,
    CancelVenueOrder,
    Capabilities,
    Filled,
    Reconcile,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceVenueOrder,
    SubmitOrder,
)
from engine.simulation.commission import FREE, Schedule, cost
from engine.simulation.matching import Answer, Book
from engine.simulation.stops import Stops
from engine.values import EXACT, ONE, ZERO, OrderType, instrument_key

Spec = Callable[[str, str], InstrumentSpec | None]

MOST_OPEN: Final = 1_000_000
_FEW_EXPIRIES: Final = 1_000
CAPABILITIES: Final = Capabilities(
    order_types=frozenset({"MARKET", "LIMIT"}),
    times_in_force=frozenset({"DAY", "GTC", "IOC", "FOK"}),
    modify=True,
    deduplicates=True,
)
_ABOUT_ONE: Final = (SubmitOrder, CancelVenueOrder, ReplaceVenueOrder)


def capabilities(natives: frozenset[Native]) -> Capabilities:
    """What the venue can do where it does these things itself."""
    stops: frozenset[OrderType] = frozenset(kind for kind in ("STOP", "STOP_LIMIT") if kind in natives)
    types = CAPABILITIES.order_types | stops
    return replace(CAPABILITIES, order_types=types, display_quantity="display_quantity" in natives)


class PaperExchange:
    """The open orders, their books, and the numbers given out. A file without numbers starts at `epoch`; the rest
    is as in `PaperVenue`."""

    def __init__(
        self,
        venue: str,
        start: Start,
        epoch: int,
        schedule: Schedule = FREE,
        spec: Spec | None = None,
        participation: Decimal = ONE,
        most_open: int = MOST_OPEN,
        natives: frozenset[Native] = frozenset(),
    ) -> None:
        self._venue = venue
        self.capabilities = capabilities(natives)
        self._schedule = schedule
        self._free = schedule == FREE
        self._spec = spec
        self._participation = participation
        self._most_open = most_open
        self.orders: dict[str, PaperOrder] = {}
        self._books: dict[str, Book] = {}
        self._stops: dict[str, Stops] = {}
        self._expiries: list[tuple[datetime, str]] = []
        self._number = start.order or epoch
        self._execution = start.execution or epoch
        self._newest = start.newest
        for row in start.open.orders:
            order = restored(row, start.open.executions.get(row.number, ()))
            self.orders[row.client_order_id] = order
            if order.stop_price is None or not self._waits(order, datetime.fromisoformat(order.accepted_at)):
                self._book(order).rest(order.resting())
            self._watch(order)

    @property
    def due(self) -> datetime | None:
        """When the next order expires, if it is still open then."""
        return self._expiries[0][0] if self._expiries else None

    def unsure(self, messages: Iterable[Any]) -> list[str]:
        """Ids meant by these messages that are not open and may be in the file: those above all known ones are not."""
        return [
            message.client_order_id
            for message in messages
            if isinstance(message, _ABOUT_ONE)
            and message.client_order_id <= self._newest
            and message.client_order_id not in self.orders
        ]

    def answer(self, messages: Iterable[Any], known: Mapping[str, str], now: datetime) -> Group:
        """Takes messages in their order. `known`: the status of those `unsure` orders that the file has."""
        group = Group(now)
        self._expire(group)
        for message in messages:
            match message:
                case SubmitOrder():
                    self._submit(message, known, group)
                case CancelVenueOrder():
                    self._cancel(message, known, group)
                case ReplaceVenueOrder():
                    self._replace(message, known, group)
                case Reconcile():
                    group.asked += message.client_order_ids
                case _:
                    self._hear(message, group)
        return group

    def settle(self, group: Group) -> None:
        """The group is durable: orders that are over are the file's to remember."""
        for order in group.touched.values():
            if order.status != "WORKING":
                del self.orders[order.terms.client_order_id]
        if len(self._expiries) > _FEW_EXPIRIES + 2 * len(self.orders):
            # What is sorted is a heap.
            self._expiries = sorted(entry for entry in self._expiries if entry[1] in self.orders)

    def _submit(self, message: SubmitOrder, known: Mapping[str, str], group: Group) -> None:
        name = message.client_order_id
        if name in self.orders or name in known:
            group.repeated.append(name)
            return
        if name > self._newest:
            self._newest = name
        self._number += 1
        order = PaperOrder(
            number=self._number,
            place=self._number,
            terms=message,
            instrument=instrument_key(message.exchange, message.symbol),
            quantity=message.quantity,
            limit_price=message.limit_price,
            accepted_at=group.at,
        )
        self.orders[name] = order
        group.touched[order.number] = order
        reason = problem(message, self.capabilities, group.now)
        if not reason and len(self.orders) > self._most_open:
            reason = f"more than {self._most_open} orders are open"
        if reason:
            order.status, order.reason = "REJECTED", reason
            group.reports.append(Rejected(client_order_id=name, reason=reason, at=group.now))
            return
        group.reports.append(
            Accepted(client_order_id=name, venue_order_id=f"{self._venue}-{order.number}", at=group.now)
        )
        if order.stop_price is None:
            self._settle(order, self._book(order).arrive(order.resting()), group)
        elif not self._waits(order, group.now):
            self._fire(order, group)
        if order.status == "WORKING":
            self._watch(order)

    def _waits(self, order: PaperOrder, since: datetime) -> bool:
        """Whether an order waits for its stop price, which the market has not reached."""
        stop, terms = order.stop_price, order.terms
        if stop is None:
            return False
        self._book(order)
        return not self._stops[order.instrument].arrive(
            terms.client_order_id, terms.order_type, terms.side, stop, since
        )

    def _fire(self, order: PaperOrder, group: Group) -> None:
        """Its stop price is reached: it arrives in the book now."""
        self._number += 1
        order.place = self._number
        group.touched[order.number] = order
        self._settle(order, self._book(order).arrive(order.resting()), group)

    def _withdraw(self, order: PaperOrder) -> None:
        """Takes an order from wherever it waits."""
        name = order.terms.client_order_id
        if order.stop_price is None:
            self._book(order).cancel(name)
        else:
            self._stops[order.instrument].remove(name)

    def _cancel(self, message: CancelVenueOrder, known: Mapping[str, str], group: Group) -> None:
        name = message.client_order_id
        order = self.orders.get(name)
        if order is None or order.status != "WORKING":
            reason = not_open(known.get(name) if order is None else order.status)
            group.reports.append(CancelRejected(client_order_id=name, reason=reason, at=group.now))
            return
        self._withdraw(order)
        self._end(order, "CANCELED", "cancelled as asked", group)

    def _replace(self, message: ReplaceVenueOrder, known: Mapping[str, str], group: Group) -> None:
        name = message.client_order_id
        order = self.orders.get(name)
        if order is None or order.status != "WORKING":
            reason = not_open(known.get(name) if order is None else order.status)
            group.reports.append(ReplaceRejected(client_order_id=name, reason=reason, at=group.now))
            return
        limit = order.limit_price if message.limit_price is None else message.limit_price
        if reason := bad_amounts(order.terms.order_type, message.quantity, limit):
            group.reports.append(ReplaceRejected(client_order_id=name, reason=reason, at=group.now))
            return
        waits = order.stop_price is not None
        if not waits:
            self._book(order).cancel(name)
            self._number += 1
            order.place = self._number
        order.quantity = max(message.quantity, order.filled)
        order.limit_price = limit
        group.touched[order.number] = order
        group.reports.append(Replaced(client_order_id=name, quantity=order.quantity, limit_price=limit, at=group.now))
        if order.filled == order.quantity:
            order.status = "FILLED"
        elif not waits:
            self._settle(order, self._book(order).arrive(order.resting()), group)

    def _hear(self, data: MarketData, group: Group) -> None:
        key = instrument_key(data.exchange, data.symbol)
        book = self._books.get(key)
        if book is None:
            book = self._books[key] = self._new_book(data.exchange, data.symbol)
        stops = self._stops[key]
        for answer in book.hear(data):
            order = self.orders[answer.order.order_id]
            self._settle(order, answer, group)
            if answer.order.display is not None and answer.refreshed:
                self._number += 1
                order.place = self._number
                book.refresh(answer.order.order_id, order.place)
        for name in stops.hear(data):
            self._fire(self.orders[name], group)

    def _settle(self, order: PaperOrder, answer: Answer, group: Group) -> None:
        """Takes over what the book did to an order."""
        execution = answer.execution
        if execution is not None:
            self._execution += 1
            quantity, price = execution.quantity, execution.price
            order.filled = answer.order.filled
            commission = self._charge(order, quantity, price)
            group.touched[order.number] = order
            group.executions += (
                self._execution,
                order.number,
                str(quantity),
                str(price),
                str(commission),
                group.at,
            )
            group.reports.append(
                Filled(
                    client_order_id=order.terms.client_order_id,
                    venue_order_id=f"{self._venue}-{order.number}",
                    execution_id=f"{self._venue}-{self._execution}",
                    quantity=quantity,
                    price=price,
                    commission=commission,
                    at=group.now,
                )
            )
            if order.filled == order.quantity:
                order.status = "FILLED"
        if answer.canceled is not None:
            self._end(order, "CANCELED", answer.canceled, group)

    def _charge(self, order: PaperOrder, quantity: Decimal, price: Decimal) -> Decimal:
        """The execution's share: what the order costs now, less what it was charged before."""
        if self._free:
            return ZERO
        order.notional = EXACT.fma(EXACT.multiply(quantity, price), order.terms.multiplier, order.notional)
        before, order.commission = order.commission, cost(self._schedule, order.filled, order.notional)
        return EXACT.subtract(order.commission, before)

    def _end(self, order: PaperOrder, status: Literal["CANCELED", "EXPIRED"], reason: str, group: Group) -> None:
        order.status, order.reason = status, reason
        group.touched[order.number] = order
        group.reports.append(ending(order.terms.client_order_id, status, reason, order.filled, group.now))

    def _expire(self, group: Group) -> None:
        while self._expiries and self._expiries[0][0] <= group.now:
            name = heappop(self._expiries)[1]
            order = self.orders.get(name)
            if order is not None and order.status == "WORKING":
                self._withdraw(order)
                self._end(order, "EXPIRED", "the day is over", group)

    def _watch(self, order: PaperOrder) -> None:
        terms = order.terms
        if terms.time_in_force == "DAY" and terms.expires_at is not None:
            heappush(self._expiries, (terms.expires_at, terms.client_order_id))

    def _book(self, order: PaperOrder) -> Book:
        book = self._books.get(order.instrument)
        if book is None:
            book = self._books[order.instrument] = self._new_book(order.terms.exchange, order.terms.symbol)
        return book

    def _new_book(self, exchange: str, symbol: str) -> Book:
        self._stops[instrument_key(exchange, symbol)] = Stops()
        spec = None if self._spec is None else self._spec(exchange, symbol)
        return Book(self._participation, ONE if spec is None or spec.lot_size <= ZERO else spec.lot_size)
