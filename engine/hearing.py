"""What a report means for an order: the events to record. The transition table says whether it means anything."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from engine import events as e
from engine import reports as r
from engine.commands import Fill, Ticket
from engine.order import MAX_ASKS, Order, about, after
from engine.transitions import TABLE
from engine.values import ZERO, OrderStatus, add


def started(ticket: Ticket, at: datetime) -> e.OrderStarted:
    """The event that brings an order into being."""
    return e.OrderStarted(
        at=at,
        order_id=ticket.order_id,
        subscriber_id=ticket.subscriber_id,
        exchange=ticket.exchange,
        symbol=ticket.symbol,
        ticket=ticket,
    )


def hear(order: Order, report: r.OrderReport, at: datetime, resendable: bool = False) -> tuple[e.OrderEvent, ...]:
    """What a report means for this order: the events to record, none where it is stale.

    `resendable`: the order may be sent again if the venue does not know it, as its venue makes one order of a client
    order id however often that is sent, and nobody has stopped trading there.
    """
    row = TABLE[order.status, report.__class__]
    if row.verdict == "stale":
        return ()
    if row.verdict == "impossible":
        if report.__class__ is r.Filled:
            if report.execution_id in order.executions:
                return ()
            if order.ticket.in_block and order.status == "FILLED":
                return _filled(order, report, at)
        return _impossible_and_asked(order, report, row.why, at)
    if report.__class__ is r.NotFound:
        return _not_found(order, at, resendable)
    events: tuple[e.OrderEvent, ...] = _HEAR[report.__class__](order, report, at)
    if events and (order.cancelling or ((order.asks or order.misses) and report.__class__ is not r.Snapshot)):
        return (*events, *_still_wanted(order, events, at))
    return events


def _still_wanted(order: Order, events: tuple[e.OrderEvent, ...], at: datetime) -> tuple[e.OrderEvent, ...]:
    """What these events must not make forgotten: a cancel that came before the venue knew the order, and a question
    that this report was not the answer to."""
    found = order
    for event in events:
        found = after(found, event)
    if found.cancelling and found.status in ("WORKING", "PARTIALLY_FILLED", "PENDING_REPLACE"):
        return (e.CancelRequested(**about(order, at), reason="cancelled before the venue knew the order"),)
    if (order.asks or order.misses) and found.open and found.waiting_since is None:
        return (e.OrderAsked(**about(order, at), reason="the venue was asked, and has not answered"),)
    return ()


def _impossible(order: Order, report: r.OrderReport, why: str, at: datetime) -> e.ReportImpossible:
    return e.ReportImpossible(**about(order, at), report=repr(report), reason=f"{order.status}: {why}")


def _impossible_and_asked(order: Order, report: r.OrderReport, why: str, at: datetime) -> tuple[e.OrderEvent, ...]:
    """Either the venue is wrong or we missed something: it is asked, where the order is open and it was not yet."""
    impossible = _impossible(order, report, why, at)
    if not order.open or order.asks:
        return (impossible,)
    return impossible, e.OrderAsked(**about(order, at), reason="the venue reports what cannot be")


def _accepted(order: Order, report: r.Accepted, at: datetime) -> tuple[e.OrderEvent, ...]:
    ticket = order.ticket
    return (
        e.OrderAccepted(
            at=at,
            order_id=ticket.order_id,
            subscriber_id=ticket.subscriber_id,
            exchange=ticket.exchange,
            symbol=ticket.symbol,
            venue_order_id=report.venue_order_id,
        ),
    )


def _most(order: Order) -> Decimal:
    """What may be filled of an order at most, a replacement that is not answered included."""
    return order.quantity if order.replacement is None else max(order.quantity, order.replacement.quantity)


def _filled(order: Order, report: r.Filled, at: datetime) -> tuple[e.OrderEvent, ...]:
    if report.execution_id in order.executions:
        return ()
    if report.quantity <= ZERO or report.price <= ZERO:
        return (_impossible(order, report, "an execution has a quantity and a price above zero.", at),)
    filled, most = add(order.filled, report.quantity), _most(order)
    if filled > most and not order.ticket.in_block:  # What a block says has happened: it was heard from the venue.
        return _impossible_and_asked(order, report, f"with it {filled} of {most} would be filled.", at)
    ticket = order.ticket
    status: OrderStatus
    if filled >= most:
        status = "FILLED"
    elif order.status == "UNKNOWN" and order.replacement is not None:
        status = "PENDING_REPLACE"
    elif order.status in ("SUBMITTING", "WORKING", "UNKNOWN"):
        status = "PARTIALLY_FILLED"
    else:
        status = order.status
    return (
        e.OrderFilled(
            at=at,
            order_id=ticket.order_id,
            subscriber_id=ticket.subscriber_id,
            exchange=ticket.exchange,
            symbol=ticket.symbol,
            fill=Fill(
                execution_id=report.execution_id,
                order_id=ticket.order_id,
                venue=ticket.venue,
                exchange=ticket.exchange,
                symbol=ticket.symbol,
                currency=ticket.currency,
                multiplier=ticket.multiplier,
                side=ticket.side,
                quantity=report.quantity,
                price=report.price,
                commission=report.commission,
                at=report.at,
            ),
            status=status,
            filled=filled,
        ),
    )


def _closed(status: OrderStatus) -> Any:
    def close(order: Order, report: Any, at: datetime) -> tuple[e.OrderEvent, ...]:
        reason, filled = getattr(report, "reason", ""), getattr(report, "filled", None)
        if filled is not None and filled != order.filled:
            # A fill was missed, or comes later: what the venue is asked for closes the order with all of them.
            said = f"{status} with {filled} filled, of which {order.filled} was heard"
            return (e.OrderAsked(**about(order, at), reason=said),)
        if status == "CANCELED" and filled is not None and _amended_to_filled(order):
            return (e.OrderReplaced(**about(order, at), quantity=order.filled, limit_price=order.limit_price),)
        return (e.OrderClosed(**about(order, at), status=status, reason=reason, filled=order.filled),)

    return close


def _amended_to_filled(order: Order) -> bool:
    """Whether the cancel that is pending is how the order was to be amended to what is filled of it."""
    amended = order.replacement
    return order.cancelling and amended is not None and amended.quantity <= order.filled


def _replaced(order: Order, report: r.Replaced, at: datetime) -> tuple[e.OrderEvent, ...]:
    return (e.OrderReplaced(**about(order, at), quantity=report.quantity, limit_price=report.limit_price),)


def _refused(what: Literal["CANCEL", "REPLACE"]) -> Any:
    def refuse(order: Order, report: Any, at: datetime) -> tuple[e.OrderEvent, ...]:
        refused = e.AmendRefused(**about(order, at), what=what, reason=report.reason)
        if what == "REPLACE":
            return (refused,)
        # An order that cannot be cancelled is often one that is over: the venue is asked what it is.
        return refused, e.OrderAsked(**about(order, at), reason=f"the cancel was refused: {report.reason}")

    return refuse


def _snapshot(order: Order, report: r.Snapshot, at: datetime) -> tuple[e.OrderEvent, ...]:
    """Adopts what the venue knows. Executions came before; where they do not add up, it is asked again."""
    common = about(order, at)
    if report.filled != order.filled:
        if order.asks and order.filled < report.filled <= report.quantity > _most(order):
            # A replacement was taken that was given up here: with it, the executions fit when they are told again.
            taken = e.OrderReplaced(**common, quantity=report.quantity, limit_price=report.limit_price)
            return taken, e.OrderAsked(**common, reason=f"the venue has it for {report.quantity}")
        if order.asks < MAX_ASKS:
            return (
                e.OrderAsked(**common, reason=f"the venue counts {report.filled} filled, the order {order.filled}"),
            )
        if order.status == "UNKNOWN":
            return ()  # A person knows already.
        return (
            _impossible(order, report, f"the venue counts {report.filled} filled, the order {order.filled}.", at),
            e.OrderLost(**common, reason="the venue's executions do not add up to what it says is filled"),
        )
    if report.status == "CANCELED" and _amended_to_filled(order):
        return (e.OrderReplaced(**common, quantity=order.filled, limit_price=order.limit_price),)
    if report.status in ("CANCELED", "REJECTED", "EXPIRED"):
        return (e.OrderClosed(**common, status=report.status, reason=report.reason, filled=order.filled),)
    if order.status in ("WORKING", "PARTIALLY_FILLED") and not order.asks and not order.misses:
        return ()  # Nobody asks any more: what came since is newer.
    asked, terms = order.replacement, (report.quantity, report.limit_price)
    if asked is not None and terms != (asked.quantity, asked.limit_price):
        if order.status in ("PENDING_REPLACE", "UNKNOWN"):
            # The replacement may still be on its way: only the second such answer is believed.
            if not order.misses:
                return (e.OrderMissed(**common),)
            return (e.AmendRefused(**common, what="REPLACE", reason="asked, the venue has the order as it was"),)
    elif asked is not None or terms != (order.quantity, order.limit_price):
        return (e.OrderReplaced(**common, quantity=report.quantity, limit_price=report.limit_price),)
    if order.status == "PENDING_CANCEL":
        return (e.CancelRequested(**common, reason=order.reason),)
    return (e.OrderAccepted(**common, venue_order_id=report.venue_order_id or order.venue_order_id or ""),)


def _not_found(order: Order, at: datetime, resendable: bool) -> tuple[e.OrderEvent, ...]:
    """Not known is not refused. The first such answer starts a settle time (the order may still be on its way, or
    its acknowledgement); the second is believed."""
    common = about(order, at)
    if order.misses == 0:
        return (e.OrderMissed(**common),)
    if resendable and not order.heard_of and not order.cancelling and order.status in _NEVER_HEARD_OF:
        return (e.OrderResent(**common),)
    if order.status == "UNKNOWN":
        return ()
    return (e.OrderLost(**common, reason="asked twice, the venue does not know the order"),)


_NEVER_HEARD_OF: Final = ("SUBMITTING", "UNKNOWN")

_HEAR: Final[dict[type, Any]] = {
    r.Accepted: _accepted,
    r.Rejected: _closed("REJECTED"),
    r.Filled: _filled,
    r.Canceled: _closed("CANCELED"),
    r.Expired: _closed("EXPIRED"),
    r.Replaced: _replaced,
    r.CancelRejected: _refused("CANCEL"),
    r.ReplaceRejected: _refused("REPLACE"),
    r.Snapshot: _snapshot,
}
