"""What the world is told of an event: its data type, its subject, and the message of the distribution contract.

One event makes at most one message. Its id is the event's place in the journal, so that a message sent again is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Raw, Struct, json

from engine import blocks as b
from engine import control_events as c
from engine import events as e
from engine import target_events as t
from engine import target_reports
from engine import work as w
from engine.commands import Ticket
from engine.distributed import (
    BlockReport,
    Distribution,
    ExecutionDistributed,
    ExecutionJob,
    ExecutionReport,
    FillNotification,
    JobDecision,
    JobOrder,
    Metadata,
    OrderUpdate,
    SettlementUpdate,
    VenueStatus,
)
from engine.identity import subject_token
from engine.target_reports import TargetReport

DATA_TYPES: Final = (
    "order_update",
    "fill_notification",
    "execution_report",
    "settlement_update",
    "tca_result",
    "venue_status",
)


class Told(Struct, frozen=True, gc=False):
    """What one event tells: the data type, whom and what about, and the data."""

    data_type: str
    subscriber_id: str
    symbol: str
    state: str
    venue: str
    data: Any


def _update(
    event: Any,
    status: str,
    filled: Decimal | None = None,
    venue_order_id: str | None = None,
    reason: str | None = None,
) -> Told:
    order_id = event.order_id
    data = OrderUpdate(
        order_id=order_id,
        subscriber_id=event.subscriber_id,
        instrument_id=event.symbol,
        exchange=event.exchange,
        status=status,
        filled=filled,
        venue_order_id=venue_order_id,
        reason=reason,
    )
    return Told("order_update", event.subscriber_id, event.symbol, status, order_id[: order_id.index("-")], data)


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


def _settled(event: b.BlockSettled) -> Told:
    tally = event.tally
    average = tally.average_price
    data = BlockReport(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.block_id,
        exchange=event.exchange,
        instrument_id=event.symbol,
        order_id=event.order_id,
        side=event.side,
        status=event.status,
        reason=event.reason,
        filled=tally.quantity,
        average_price=average,
        commission=tally.commission,
        members=len(event.parts),
    )
    return Told("execution_report", event.block_id, event.symbol, event.status, "", data)


def _targets(event: t.TargetsDecided) -> Told:
    data = target_reports.decided(event, tuple(map(_job_order, event.tickets)))
    refused = event.status != "DENIED" and any(line.status == "REFUSED" for line in event.tickers)
    return Told("execution_report", event.subscriber_id, "-", "PARTIAL" if refused else event.status, "", data)


def _aim(event: t.AimEvent, data: TargetReport | None) -> Told | None:
    return None if data is None else Told("execution_report", event.subscriber_id, event.symbol, data.status, "", data)


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


def _control(status: str, about: str, event: Any) -> Told:
    """A control that concerns no venue: what about, by whom where it was a person, and why."""
    by = f" by {event.by}" if hasattr(event, "by") else ""
    return _status("all", status, f"{about.strip()}{by}", event.reason)


def _switch(event: e.Killed | e.Resumed, status: str) -> Told:
    """Of a scope, the code says which; what is told of a venue goes under its own name."""
    if event.scope == "firm":
        return _status("all", status, None, event.reason)
    whose = event.name if event.scope == "venue" else "all"
    return _status(whose, status, f"{event.scope.upper()} {event.name}", event.reason)


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
    w.WorkStarted: lambda v: _update(v, "WORKING", reason=v.reason),
    w.WorkStopped: lambda v: _update(v, "PENDING_CANCEL", reason=v.reason),
    w.WorkAmended: lambda v: _update(v, "REPLACED"),
    w.WorkConstrained: lambda v: _update(
        v, "PAUSED" if v.paused else "CONSTRAINED" if v.most else "WORKING", reason=v.reason
    ),
    w.WorkEnded: lambda v: _update(v, v.status, filled=v.filled, reason=v.reason),
    e.FillBooked: _fill,
    e.RequestDenied: _denied,
    t.TargetsDecided: _targets,
    t.TargetSteered: lambda v: _aim(v, target_reports.steered(v, tuple(map(_job_order, v.tickets)))),
    t.TargetReached: lambda v: _aim(v, target_reports.reached(v)),
    t.TargetFailed: lambda v: _aim(v, target_reports.failed(v)),
    e.CashMoved: _moved,
    e.VenueUp: lambda v: _status(v.venue, "UP", None, None),
    e.VenueDown: lambda v: _status(v.venue, "DOWN", None, v.reason),
    e.VenueStatusChanged: lambda v: _status(v.venue, v.status, None, v.reason),
    e.Killed: lambda v: _switch(v, "KILLED"),
    e.Resumed: lambda v: _switch(v, "RESUMED"),
    b.BlockSettled: _settled,
    c.RegimeDeclared: lambda v: _status("all", v.regime, "REGIME", v.reason),
    c.Restricted: lambda v: _control("RESTRICTED" if v.active else "UNRESTRICTED", f"{v.symbol} {v.subscriber_id}", v),
    c.ExecutionStopped: lambda v: _control("REPEATED_EXECUTION", f"{v.strategy_id} {v.instrument}", v),
    c.ExecutionRearmed: lambda v: _control("REARMED", f"{v.strategy_id} {v.instrument}", v),
    c.OverrideGranted: lambda v: _control("OVERRIDE", f"{v.code} {v.override_id} until {v.expires_at.isoformat()}", v),
    c.OverrideEnded: lambda v: _control("OVERRIDE_ENDED", v.override_id, v),
    c.OverrideUsed: lambda v: _control("OVERRIDE_USED", f"{v.code} {v.override_id} for {v.request_id}", v),
    e.AlarmRaised: lambda v: _status(v.about, "ALARM", v.code, v.reason),
}

_encode: Final = json.Encoder().encode
_PRIORITY: Final = {"fill_notification": 1, "order_update": 2, "venue_status": 1}
_WORKFLOWS: Final = {"fill_notification": ("portfolio_management", "reporting_analytics")}
_TO_RISK: Final = frozenset({"DENIED", "PARTIAL", "FAILED"})
"""States of execution reports that tell of something which was asked for and is not done."""
_HERE: Final[Any] = Raw(b"\0")
"""Holds a place in an envelope: JSON has no such byte of its own."""
_QUOTED: Final[Any] = Raw(b'"\0"')
MAX_KEPT: Final = 50_000
"""Subjects, and envelopes, that stay ready; past it all of them are made anew."""


class Distributor:
    """Turns journaled events into (subject, body, message id). One for a partition: it knows the constant parts.

    Of an envelope only the id, the time and the data are new in each message, so the rest is encoded once for each
    data type, symbol, state and venue, and kept: what remains is a quarter of the work.
    """

    def __init__(self, prefix: str, partition: int, service: str) -> None:
        self._prefix = prefix
        self._partition = partition
        self._service = service
        self._subjects: dict[tuple[str, ...], bytes] = {}
        self._envelopes: dict[tuple[str, str, str, str], list[bytes]] = {}
        self._sequence = -1
        self._ids = b""
        self._at: datetime | None = None
        self._time = b""

    def distribute(self, sequence: int, index: int, event: e.Event) -> tuple[bytes, bytes, bytes] | None:
        """The message of one event, or None where the world is told nothing."""
        tell = _TELL.get(event.__class__)
        if tell is None:
            return self._job(sequence, index, event) if event.__class__ is e.RequestAccepted else None
        told = tell(event)
        if told is None:
            return None
        if event.at is not self._at:
            # The events of a batch have the same time.
            self._at, self._time = event.at, _encode(event.at)
        event_id = self._id(sequence, index)
        opening, between, before, after = self._envelopes.get(
            (told.data_type, told.symbol, told.state, told.venue)
        ) or self._envelope(told)
        body = b"".join((opening, event_id, between, self._time, before, _encode(told.data), after))
        return self._subject(told.data_type, told.subscriber_id, told.symbol), body, event_id

    def _id(self, sequence: int, index: int) -> bytes:
        if sequence != self._sequence:
            self._sequence, self._ids = sequence, f"{self._partition}:{sequence}:".encode()
        return b"%b%d" % (self._ids, index)

    def _envelope(self, told: Told) -> list[bytes]:
        """What of such a message stands before its id, before its time, before its data, and after."""
        kind, symbol, state, venue = told.data_type, told.symbol, told.state, told.venue
        distribution = Distribution(
            f"execution/{kind}",
            f"{symbol}.{kind}.{state}",
            ("risk_management",) if kind == "execution_report" and state in _TO_RISK else _WORKFLOWS.get(kind, ()),
            _PRIORITY.get(kind, 3),
            "at_least_once",
        )
        metadata = Metadata(self._service, venue, kind == "fill_notification", True, ())
        whole = ExecutionDistributed(_QUOTED, _HERE, distribution, _HERE, metadata)
        parts = _encode(whole).split(b"\0")
        if len(self._envelopes) >= MAX_KEPT:
            self._envelopes.clear()
        self._envelopes[kind, symbol, state, venue] = parts
        return parts

    def _subject(self, *names: str) -> bytes:
        """`<prefix>.out.<names>`, each one token."""
        subject = self._subjects.get(names)
        if subject is None:
            if len(self._subjects) >= MAX_KEPT:
                self._subjects.clear()
            subject = self._subjects[names] = f"{self._prefix}.out.{'.'.join(map(subject_token, names))}".encode()
        return subject

    def _job(self, sequence: int, index: int, event: Any) -> tuple[bytes, bytes, bytes]:
        figures = event.figures
        event_id = self._id(sequence, index)
        job = ExecutionJob(
            event_id=event_id.decode(),
            job_id=event.job_id,
            request_id=event.request_id,
            subscriber_id=event.subscriber_id,
            signal_id=event.signal_id,
            strategy_id=event.strategy_id,
            orders=tuple(map(_job_order, event.tickets)),
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
        return self._subject("job", event.subscriber_id), _encode(job), event_id


def _job_order(ticket: Ticket) -> JobOrder:
    return JobOrder(
        order_id=ticket.order_id,
        exchange=ticket.exchange,
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=ticket.quantity,
        order_type=ticket.order_type,
        limit_price=ticket.limit_price,
        time_in_force=ticket.time_in_force,
        leverage=ticket.leverage,
        short_sale=ticket.short_sale,
    )
