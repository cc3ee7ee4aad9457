"""What the world is told of an event: its data type, its subject, and the message of the distribution contract.

One event makes at most one message. Its id is the event's place in the journal, so that a message sent again is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec import Struct, json

from engine import events as e
from engine.identity import subject_token
from engine.messages import Provenance
from engine.values import ZERO, Side

DATA_TYPES: Final = (
    "order_update",
    "fill_notification",
    "execution_report",
    "settlement_update",
    "tca_result",
    "venue_status",
)


class Distribution(Struct, frozen=True, gc=False):
    """How a message is routed, as the distribution contract has it."""

    topic: str
    routing_key: str
    target_workflows: tuple[str, ...]
    priority: int
    delivery_guarantee: str


class Metadata(Struct, frozen=True, gc=False):
    """Where a message comes from and how it is to be treated."""

    source_service: str
    execution_venue: str
    latency_sensitive: bool
    audit_required: bool
    compliance_flags: tuple[str, ...]


class ExecutionDistributed(Struct, frozen=True, gc=False, tag=True, tag_field="type"):
    """The envelope of everything on `exec.out.>` but jobs. `event_id` is `<partition>:<batch>:<index>`."""

    event_id: str
    timestamp: datetime
    distribution: Distribution
    data: Any
    metadata: Metadata


class OrderUpdate(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Data of an order_update: what the order is now."""

    order_id: str
    subscriber_id: str
    instrument_id: str
    exchange: str
    status: str
    filled: Decimal | None = None
    venue_order_id: str | None = None
    reason: str | None = None


class FillNotification(Struct, frozen=True, gc=False, kw_only=True):
    """Data of a fill_notification: the contract's fields, then what the ledger made of it."""

    order_id: str
    fill_id: str
    instrument_id: str
    quantity: Decimal
    price: Decimal
    venue: str
    execution_time: datetime
    commission: Decimal
    subscriber_id: str
    exchange: str
    side: Side
    currency: str
    trade_id: str
    position: Decimal
    realized: Decimal
    provenance: Provenance


class ExecutionReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Data of an execution_report: a request that was refused, and why."""

    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    instrument_id: str
    exchange: str
    status: str
    code: str
    reason: str


class SettlementUpdate(Struct, frozen=True, kw_only=True):
    """Data of a settlement_update: money that moved other than by a trade."""

    subscriber_id: str
    currency: str
    amount: Decimal
    reason: str


class VenueStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Data of a venue_status: a session, a switch or an alarm."""

    venue: str
    status: str
    code: str | None = None
    reason: str | None = None


class JobOrder(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One order of a job."""

    order_id: str
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None = None
    time_in_force: str
    leverage: Decimal | None = None


class JobDecision(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The figures a job was decided with, in the instrument's currency."""

    reference: Decimal | None = None
    notional: Decimal | None = None
    position: Decimal = ZERO
    position_after: Decimal = ZERO
    cash: Decimal = ZERO
    equity: Decimal | None = None
    leverage: Decimal | None = None
    sizing: str


class ExecutionJob(Struct, frozen=True, gc=False, kw_only=True, tag=True, tag_field="type"):
    """One for each (subscriber, signal): the orders that a request became."""

    event_id: str
    job_id: str
    request_id: str
    subscriber_id: str
    signal_id: str
    strategy_id: str
    orders: tuple[JobOrder, ...]
    decision: JobDecision
    provenance: Provenance
    at: datetime


class Told(NamedTuple):
    """What one event tells: the data type, whom and what about, and the data."""

    data_type: str
    subscriber_id: str
    symbol: str
    state: str
    venue: str
    data: Any


def _update(event: Any, status: str, **more: Any) -> Told:
    data = OrderUpdate(
        order_id=event.order_id,
        subscriber_id=event.subscriber_id,
        instrument_id=event.symbol,
        exchange=event.exchange,
        status=status,
        **more,
    )
    return Told("order_update", event.subscriber_id, event.symbol, status, event.order_id.partition("-")[0], data)


def _fill(event: e.FillBooked) -> Told:
    fill = event.fill
    data = FillNotification(
        order_id=fill.order_id,
        fill_id=fill.execution_id,
        instrument_id=fill.symbol,
        quantity=fill.quantity,
        price=fill.price,
        venue=fill.venue,
        execution_time=fill.at,
        commission=fill.commission,
        subscriber_id=event.subscriber_id,
        exchange=fill.exchange,
        side=fill.side,
        currency=fill.currency,
        trade_id=event.trade_id,
        position=event.position,
        realized=event.realized,
        provenance=event.provenance,
    )
    return Told("fill_notification", event.subscriber_id, fill.symbol, "booked", fill.venue, data)


def _denied(event: e.RequestDenied) -> Told:
    data = ExecutionReport(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.subscriber_id,
        instrument_id=event.symbol,
        exchange=event.exchange,
        status="DENIED",
        code=event.code,
        reason=event.reason,
    )
    return Told("execution_report", event.subscriber_id, event.symbol, "DENIED", "", data)


def _moved(event: e.CashMoved) -> Told | None:
    if not event.amount:
        return None
    data = SettlementUpdate(
        subscriber_id=event.subscriber_id, currency=event.currency, amount=event.amount, reason=event.reason
    )
    return Told("settlement_update", event.subscriber_id, event.currency, "moved", "", data)


def _status(venue: str, status: str, code: str | None, reason: str | None) -> Told:
    data = VenueStatus(venue=venue, status=status, code=code, reason=reason)
    return Told("venue_status", venue, "-", status, venue, data)


_TELL: Final[dict[type, Callable[[Any], Told | None]]] = {
    e.OrderAccepted: lambda v: _update(v, "WORKING", venue_order_id=v.venue_order_id),
    e.OrderFilled: lambda v: _update(v, v.status, filled=v.filled),
    e.OrderClosed: lambda v: _update(v, v.status, filled=v.filled, reason=v.reason),
    e.CancelRequested: lambda v: _update(v, "PENDING_CANCEL", reason=v.reason),
    e.ReplaceRequested: lambda v: _update(v, "PENDING_REPLACE"),
    e.OrderReplaced: lambda v: _update(v, "REPLACED"),
    e.AmendRefused: lambda v: _update(v, f"{v.what}_REFUSED", reason=v.reason),
    e.OrderLost: lambda v: _update(v, "UNKNOWN", reason=v.reason),
    e.OrderResent: lambda v: _update(v, "SUBMITTING", reason="sent again under the same id"),
    e.FillBooked: _fill,
    e.RequestDenied: _denied,
    e.CashMoved: _moved,
    e.VenueUp: lambda v: _status(v.venue, "UP", None, None),
    e.VenueDown: lambda v: _status(v.venue, "DOWN", None, v.reason),
    e.VenueStatusChanged: lambda v: _status(v.venue, v.status, None, v.reason),
    e.Killed: lambda v: _status("all", "KILLED", None, v.reason),
    e.Resumed: lambda v: _status("all", "RESUMED", None, v.reason),
    e.AlarmRaised: lambda v: _status(v.about, "ALARM", v.code, v.reason),
}

_encode: Final = json.Encoder().encode
_PRIORITY: Final = {"fill_notification": 1, "order_update": 2, "venue_status": 1}
_WORKFLOWS: Final = {"fill_notification": ("portfolio_management", "reporting_analytics")}


class Distributor:
    """Turns journaled events into (subject, body, message id). One for a partition: it knows the constant parts."""

    def __init__(self, prefix: str, partition: int, service: str) -> None:
        self._prefix = prefix
        self._partition = partition
        self._service = service

    def distribute(self, sequence: int, index: int, event: e.Event) -> tuple[bytes, bytes, bytes] | None:
        """The message of one event, or None where the world is told nothing."""
        event_id = f"{self._partition}:{sequence}:{index}"
        if event.__class__ is e.RequestAccepted:
            return self._job(event_id, event)
        tell = _TELL.get(event.__class__)
        if tell is None or (told := tell(event)) is None:
            return None
        kind, subscriber_id, symbol, state, venue, data = told
        body = ExecutionDistributed(
            event_id,
            event.at,
            Distribution(
                f"execution/{kind}",
                f"{symbol}.{kind}.{state}",
                _WORKFLOWS.get(kind, ()),
                _PRIORITY.get(kind, 3),
                "at_least_once",
            ),
            data,
            Metadata(self._service, venue, kind == "fill_notification", True, ()),
        )
        subject = f"{self._prefix}.out.{kind}.{subject_token(subscriber_id)}.{subject_token(symbol)}"
        return subject.encode(), _encode(body), event_id.encode()

    def _job(self, event_id: str, event: Any) -> tuple[bytes, bytes, bytes]:
        figures = event.figures
        job = ExecutionJob(
            event_id=event_id,
            job_id=event.job_id,
            request_id=event.request_id,
            subscriber_id=event.subscriber_id,
            signal_id=event.signal_id,
            strategy_id=event.strategy_id,
            orders=tuple(
                JobOrder(
                    order_id=ticket.order_id,
                    exchange=ticket.exchange,
                    symbol=ticket.symbol,
                    side=ticket.side,
                    quantity=ticket.quantity,
                    order_type=ticket.order_type,
                    limit_price=ticket.limit_price,
                    time_in_force=ticket.time_in_force,
                    leverage=ticket.leverage,
                )
                for ticket in event.tickets
            ),
            decision=JobDecision(
                reference=figures.reference,
                notional=figures.notional,
                position=figures.position,
                position_after=figures.after,
                cash=figures.cash,
                equity=figures.equity,
                leverage=figures.leverage,
                sizing=event.sizing.sentence(),
            ),
            provenance=event.tickets[0].provenance,
            at=event.at,
        )
        subject = f"{self._prefix}.out.job.{subject_token(event.subscriber_id)}"
        return subject.encode(), _encode(job), event_id.encode()
