"""An order at the paper venue, and what the venue says of one: what is wrong with it, how it ended, what is on file.

A `Group` is what a group of messages came to: the rows to make durable, and the reports to deliver after that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, cast

from msgspec import Struct, json

from adapters.venues.paper_file import ExecutionRow, Known, OrderRow
from adapters.venues.port import Report
from engine.instructions import PRICED, RESTING
from engine.native import Native, undeclared
from engine.reports import Accepted, Canceled, Capabilities, Expired, Filled, NotFound, Rejected, Snapshot, SubmitOrder
from engine.simulation.matching import Resting
from engine.values import EXACT, ZERO, instrument_key, read_number

Status = Literal["WORKING", "FILLED", "CANCELED", "REJECTED", "EXPIRED"]

_encode: Final = json.Encoder().encode
_decode_terms: Final = json.Decoder(SubmitOrder, dec_hook=read_number).decode


class PaperOrder(Struct, kw_only=True):
    """An order at the venue. `place` is where it stands in the queue; `notional` includes the multiplier."""

    number: int
    place: int
    terms: SubmitOrder
    instrument: str
    quantity: Decimal
    limit_price: Decimal | None
    accepted_at: str
    status: Status = "WORKING"
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    reason: str = ""

    def resting(self) -> Resting:
        """The order as its book sees it."""
        terms = self.terms
        return Resting(
            order_id=terms.client_order_id,
            place=self.place,
            side=terms.side,
            quantity=self.quantity,
            time_in_force=terms.time_in_force,
            limit_price=self.limit_price,
            filled=self.filled,
            display=None if terms.native is None else terms.native.display_quantity,
        )

    @property
    def stop_price(self) -> Decimal | None:
        """What the order still waits for: it stands in no queue before, and its place is its number."""
        native = self.terms.native
        return None if native is None or self.place != self.number else native.stop_price


class Group:
    """What a group of messages came to."""

    __slots__ = ("asked", "at", "executions", "now", "repeated", "reports", "touched")

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.at = now.isoformat()
        self.reports: list[Report] = []
        self.touched: dict[int, PaperOrder] = {}
        self.executions: list[Any] = []
        """Rows of `executions`, their values end to end."""
        self.repeated: list[str] = []
        """Orders that were submitted again."""
        self.asked: list[str] = []
        """Orders that a Reconcile asked about."""

    def orders(self) -> list[Any]:
        """Rows of `orders`, their values end to end."""
        rows: list[Any] = []
        for order in self.touched.values():
            limit = order.limit_price
            rows += (
                order.number,
                order.terms.client_order_id,
                order.place,
                order.status,
                str(order.quantity),
                None if limit is None else str(limit),
                str(order.filled),
                order.reason,
                order.accepted_at,
                self.at,
                _encode(order.terms),
            )
        return rows


def problem(order: SubmitOrder, can: Capabilities, now: datetime) -> str:
    """Why the venue does not take this order, or nothing. Nobody has checked it before: a venue trusts no one."""
    if lacks := undeclared(can, order.order_type, order.time_in_force, order.native):
        return f"VENUE_CANNOT: {lacks}"
    if order.side not in ("BUY", "SELL"):
        return f"side: {order.side} is not known here"
    if reason := bad_amounts(order.order_type, order.quantity, order.limit_price):
        return reason
    if order.native is not None and (reason := _bad_native(order, order.native)):
        return reason
    expires_at = order.expires_at
    if order.time_in_force == "DAY" and expires_at is not None:
        if expires_at.tzinfo is None:
            return f"expires_at: {expires_at} has no offset"
        if expires_at <= now:
            return f"expires_at: {expires_at} has passed"
    return ""


def _bad_native(order: SubmitOrder, native: Native) -> str:
    stop, shown = native.stop_price, native.display_quantity
    if stop is not None and (not stop.is_finite() or stop <= ZERO):
        return f"stop_price: must be above zero, got {stop}"
    if shown is None:
        return ""
    if not shown.is_finite() or not ZERO < shown <= order.quantity:
        return f"display_quantity: must be above zero and at most {order.quantity}, got {shown}"
    if order.limit_price is None or order.time_in_force not in RESTING:
        what = f"{order.order_type} {order.time_in_force}"
        return f"display_quantity: a {what} order never rests at a price"
    return ""


def bad_amounts(order_type: str, quantity: Decimal, limit_price: Decimal | None) -> str:
    """Why these cannot be an order's quantity and limit, or nothing."""
    if not quantity.is_finite() or quantity <= ZERO:
        return f"quantity: must be above zero, got {quantity}"
    if order_type not in PRICED:
        return "" if limit_price is None else f"limit_price: a {order_type} order takes none, got {limit_price}"
    if limit_price is None:
        return f"limit_price: a {order_type} order needs one"
    if not limit_price.is_finite() or limit_price <= ZERO:
        return f"limit_price: must be above zero, got {limit_price}"
    return ""


def not_open(status: str | None) -> str:
    """Why an order cannot be changed: its status, or None where it is not known."""
    return "the order is not known" if status is None else f"the order is {status}"


def ending(name: str, status: str, reason: str, filled: Decimal, at: datetime) -> Canceled | Expired:
    """The report that an order is over with its rest unfilled; it counts what was filled, so that none is missed."""
    if status == "EXPIRED":
        return Expired(client_order_id=name, filled=filled, at=at)
    return Canceled(client_order_id=name, reason=reason, filled=filled, at=at)


def restored(row: OrderRow, executions: Iterable[ExecutionRow]) -> PaperOrder:
    """An open order as the file has it."""
    terms = _decode_terms(row.terms)
    order = PaperOrder(
        number=row.number,
        place=row.place,
        terms=terms,
        instrument=instrument_key(terms.exchange, terms.symbol),
        quantity=Decimal(row.quantity),
        limit_price=None if row.limit_price is None else Decimal(row.limit_price),
        accepted_at=row.accepted_at,
        filled=Decimal(row.filled),
        reason=row.reason,
    )
    for execution in executions:
        value = EXACT.multiply(Decimal(execution.quantity), Decimal(execution.price))
        order.notional = EXACT.fma(value, terms.multiplier, order.notional)
        order.commission = EXACT.add(order.commission, Decimal(execution.commission))
    return order


def tell_again(venue: str, known: Known, repeated: Iterable[str], asked: Iterable[str], now: datetime) -> list[Report]:
    """What the file knows of orders submitted again (as it was reported before) and of orders asked about."""
    rows = {row.client_order_id: row for row in known.orders}
    reports: list[Report] = []
    for name in repeated:
        row = rows[name]
        at = datetime.fromisoformat(row.accepted_at)
        if row.status == "REJECTED":
            reports.append(Rejected(client_order_id=name, reason=row.reason, at=at))
            continue
        reports.append(Accepted(client_order_id=name, venue_order_id=f"{venue}-{row.number}", at=at))
        reports += _executions(venue, row, known)
        if row.status in ("CANCELED", "EXPIRED"):
            changed_at = datetime.fromisoformat(row.changed_at)
            reports.append(ending(name, row.status, row.reason, Decimal(row.filled), changed_at))
    for name in asked:
        if name not in rows:
            reports.append(NotFound(client_order_id=name, at=now))
            continue
        row = rows[name]
        reports += _executions(venue, row, known)
        reports.append(
            Snapshot(
                client_order_id=name,
                venue_order_id=f"{venue}-{row.number}",
                status=cast(Status, row.status),
                quantity=Decimal(row.quantity),
                limit_price=None if row.limit_price is None else Decimal(row.limit_price),
                filled=Decimal(row.filled),
                reason=row.reason,
                at=now,
            )
        )
    return reports


def _executions(venue: str, row: OrderRow, known: Known) -> list[Filled]:
    return [
        Filled(
            client_order_id=row.client_order_id,
            venue_order_id=f"{venue}-{row.number}",
            execution_id=f"{venue}-{execution.number}",
            quantity=Decimal(execution.quantity),
            price=Decimal(execution.price),
            commission=Decimal(execution.commission),
            at=datetime.fromisoformat(execution.at),
        )
        for execution in known.executions.get(row.number, ())
    ]
