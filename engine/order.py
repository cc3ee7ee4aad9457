"""An order: its state, the fold of its events, and how long it waits before it asks.

`engine.transitions` says which report is legal when, `engine.hearing` turns a report into events, `after` folds an
event into the state. Nothing else changes an order.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from engine import events as e
from engine.commands import Ticket
from engine.gate import Venue
from engine.messages import ExecutionCommand
from engine.values import EXACT, ZERO, OrderStatus, add, multiply, subtract
from engine.working import Work

TERMINAL: Final = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED"})
AWAITING: Final = frozenset({"SUBMITTING", "PENDING_CANCEL", "PENDING_REPLACE"})
"""The venue owes an answer: silence is asked about, never taken for one."""
MAX_ASKS: Final = 3
"""How often the venue is asked before an order it does not know, or a count that does not agree, is an alarm."""


class Replacement(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The quantity and price that the venue was asked for and has not yet answered."""

    command_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    reserve_price: Decimal
    former_reserve_price: Decimal


class Order(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The state of an order. `working` units are reserved with the subscriber at `reserve_price` each."""

    ticket: Ticket
    status: OrderStatus
    quantity: Decimal
    limit_price: Decimal | None = None
    working: Decimal
    reserve_price: Decimal
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    venue_order_id: str | None = None
    executions: tuple[str, ...] = ()
    replacement: Replacement | None = None
    cancelling: bool = False
    """A cancel was asked for and not refused: an order that turns up only later is cancelled then."""
    asks: int = 0
    misses: int = 0
    waiting_since: datetime | None = None
    reason: str = ""
    updated_at: datetime
    work: Work | None = None
    """How it is worked, where that is done at our side (`engine.work`): then no venue has this order."""

    @property
    def leaves(self) -> Decimal:
        """Units not yet filled; zero once the order is over."""
        return ZERO if self.status in TERMINAL else subtract(self.quantity, self.filled)

    @property
    def reserved(self) -> Decimal:
        """The notional that risk counts for the working units."""
        return multiply(multiply(self.working, self.reserve_price), self.ticket.multiplier)

    @property
    def average_price(self) -> Decimal | None:
        """Of what is filled, or None."""
        return self.notional / self.filled if self.filled else None

    @property
    def open(self) -> bool:
        """Whether anything may still happen at the venue."""
        return self.status not in TERMINAL

    @property
    def at_venue(self) -> bool:
        """Whether a venue has (or is to have) this order, rather than we or a block."""
        return self.work is None and not self.ticket.in_block

    @property
    def heard_of(self) -> bool:
        """Whether the venue ever showed that it has this order."""
        return self.venue_order_id is not None or bool(self.executions)


def about(order: Order, at: datetime) -> dict[str, Any]:
    """The fields that every event of this order carries."""
    ticket = order.ticket
    return {
        "at": at,
        "order_id": ticket.order_id,
        "subscriber_id": ticket.subscriber_id,
        "exchange": ticket.exchange,
        "symbol": ticket.symbol,
    }


def unmodifiable(order: Order | None, command: ExecutionCommand, venue: Venue | None) -> tuple[str, str] | None:
    """Why an order cannot be modified as commanded, as code and sentence; None where it can."""
    if order is None:
        return "UNKNOWN_ORDER", f"order_id: there is no order {command.order_id}"
    order_id = order.ticket.order_id
    if order.status not in ("WORKING", "PARTIALLY_FILLED"):
        return "NOT_MODIFIABLE", f"order_id: {order_id} is {order.status}; only a working order can be modified"
    if venue is None or not venue.modifies:
        return "VENUE_CANNOT", f"order_id: venue {order.ticket.venue} does not modify orders; cancel it instead"
    if command.quantity is not None and command.quantity <= order.filled:
        return "BELOW_FILLED", f"quantity: {order.filled} of {order_id} is filled already, got {command.quantity}"
    if command.limit_price is not None and order.limit_price is None:
        return "UNEXPECTED_PRICE", f"limit_price: {order_id} is a {order.ticket.order_type} order and takes none"
    return None


def completes(order: Order, command: ExecutionCommand) -> bool:
    """Whether this replacement asks for no more than is filled: the rest is to be cancelled, the order is FILLED.

    As FIX has it (4.2, appendix D, D11 and D12): an OrderQty at or below CumQty is amended to CumQty, and "filled"
    takes precedence over "canceled". It needs no venue that modifies orders, only one that cancels. A new limit price
    in the same command has nothing left to apply to.
    """
    quantity = command.quantity
    working = order.status in ("WORKING", "PARTIALLY_FILLED")
    return working and quantity is not None and bool(order.filled) and quantity <= order.filled


def completion(order: Order, command_id: str, at: datetime) -> tuple[e.ReplaceRequested, e.CancelRequested]:
    """The events of a replacement that `completes`: the total becomes what is filled, by a cancel of the rest.

    `engine.hearing` ends the order FILLED when the venue confirms the cancel and counts as much filled as we do; a
    venue that does not say what it counts leaves it CANCELED, so that a fill which comes later still finds it open to
    be booked. Fills that come before the cancel are booked as always, the last one ending it FILLED.
    """
    common = about(order, at)
    return (
        e.ReplaceRequested(
            **common,
            command_id=command_id,
            quantity=order.filled,
            limit_price=order.limit_price,
            reserve_price=order.reserve_price,
        ),
        e.CancelRequested(**common, reason=f"amended to the {order.filled} that are filled", command_id=command_id),
    )


def patience(order: Order, ack_s: int, settle_s: int) -> int | None:
    """Seconds after `waiting_since` at which the venue is to be asked (again), or None where nothing is awaited."""
    if order.waiting_since is None:
        return None
    if order.asks == 0 and order.misses == 0:
        return ack_s
    # Once a person has been told, asking goes on at a slower pace: an order that turns up is still adopted.
    return settle_s if order.asks <= MAX_ASKS else settle_s * 10


def resting(order: Order) -> OrderStatus:
    """The status of an order that the venue works and nothing is pending on."""
    if order.filled >= order.quantity:
        return "FILLED"
    return "PARTIALLY_FILLED" if order.filled else "WORKING"


# The fold.


def after(order: Order | None, event: e.OrderEvent) -> Order:
    """The order's state after an event."""
    if event.__class__ is e.OrderStarted:
        return _begin(event)
    if order is None:
        raise ValueError(f"{event.order_id}: {type(event).__name__} of an order that was never started")
    state: Order = _AFTER[event.__class__](order, event)
    return state


def _begin(event: Any) -> Order:
    ticket: Ticket = event.ticket
    return Order(
        ticket=ticket,
        status="SUBMITTING",
        quantity=ticket.quantity,
        limit_price=ticket.limit_price,
        working=ticket.quantity,
        reserve_price=ticket.reserve_price,
        waiting_since=event.at,
        updated_at=event.at,
    )


def _after_accepted(order: Order, event: e.OrderAccepted) -> Order:
    calm = order.status in ("SUBMITTING", "UNKNOWN", "WORKING", "PARTIALLY_FILLED")
    if order.status == "UNKNOWN" and order.replacement is not None:
        # The order is found; what became of the replacement is still to be answered.
        order, calm = replace(order, status="PENDING_REPLACE", waiting_since=event.at), False
    return replace(
        order,
        status=resting(order) if calm else order.status,
        venue_order_id=event.venue_order_id or order.venue_order_id,
        asks=0,
        misses=0,
        waiting_since=None if calm else order.waiting_since,
        updated_at=event.at,
    )


def _after_filled(order: Order, event: e.OrderFilled) -> Order:
    fill = event.fill
    over = event.status == "FILLED"
    held = ZERO if over else subtract(order.working, fill.quantity)
    # A fill that overtook the acknowledgement is not the acknowledgement.
    unanswered = order.venue_order_id is None and event.status == "PARTIALLY_FILLED"
    return replace(
        order,
        status=event.status,
        filled=event.filled,
        notional=EXACT.fma(fill.quantity, fill.price, order.notional),
        commission=add(order.commission, fill.commission),
        executions=(*order.executions, fill.execution_id),
        # A late fill of an order that is over finds nothing reserved any more.
        working=max(ZERO, held),
        quantity=event.filled if over else order.quantity,
        replacement=None if over else order.replacement,
        waiting_since=order.waiting_since if event.status in AWAITING or unanswered else None,
        updated_at=event.at,
    )


def _after_closed(order: Order, event: e.OrderClosed) -> Order:
    return replace(
        order,
        status=event.status,
        # A replacement that was never answered may have been taken: fills up to it can still come.
        quantity=order.quantity if order.replacement is None else max(order.quantity, order.replacement.quantity),
        working=ZERO,
        replacement=None,
        asks=0,
        waiting_since=None,
        reason=event.reason,
        updated_at=event.at,
    )


def _after_cancel_requested(order: Order, event: e.CancelRequested) -> Order:
    return replace(
        order,
        status="PENDING_CANCEL",
        cancelling=True,
        reason=event.reason,
        asks=min(order.asks, 1),  # a question that is still open stays open
        misses=0,
        waiting_since=event.at,
        updated_at=event.at,
    )


def _after_replace_requested(order: Order, event: e.ReplaceRequested) -> Order:
    """Until the venue answers, the worse of both is reserved."""
    leaves = subtract(max(order.quantity, event.quantity), order.filled)
    return replace(
        order,
        status="PENDING_REPLACE",
        replacement=Replacement(
            command_id=event.command_id,
            quantity=event.quantity,
            limit_price=event.limit_price,
            reserve_price=event.reserve_price,
            former_reserve_price=order.reserve_price,
        ),
        working=leaves,
        reserve_price=max(order.reserve_price, event.reserve_price),
        asks=min(order.asks, 1),  # a question that is still open stays open
        misses=0,
        waiting_since=event.at,
        updated_at=event.at,
    )


def _settled(order: Order, quantity: Decimal, limit_price: Decimal | None, reserve: Decimal, at: datetime) -> Order:
    changed = replace(
        order, quantity=quantity, limit_price=limit_price, replacement=None, updated_at=at, asks=0, misses=0
    )
    status = resting(changed) if order.status != "PENDING_CANCEL" else "PENDING_CANCEL"
    over = changed.filled >= quantity
    # Without a venue's id, the acknowledgement is still to come.
    since = order.waiting_since if status == "PENDING_CANCEL" else at if order.venue_order_id is None else None
    return replace(
        changed,
        status="FILLED" if over else status,
        quantity=changed.filled if over else quantity,
        working=ZERO if over else subtract(quantity, changed.filled),
        reserve_price=reserve,
        waiting_since=None if over else since,
    )


def _after_replaced(order: Order, event: e.OrderReplaced) -> Order:
    reserve = order.reserve_price if order.replacement is None else order.replacement.reserve_price
    return _settled(order, event.quantity, event.limit_price, reserve, event.at)


def _after_refused(order: Order, event: e.AmendRefused) -> Order:
    if event.what == "CANCEL" and not order.heard_of and order.replacement is None:
        # Refused because the venue does not know the order: that it works would be a guess.
        return replace(order, status="SUBMITTING", asks=0, misses=0, waiting_since=event.at, updated_at=event.at)
    if event.what == "CANCEL":
        order = replace(order, cancelling=False)
    if event.what == "CANCEL" and order.replacement is not None:
        return replace(order, status="PENDING_REPLACE", asks=0, waiting_since=event.at, updated_at=event.at)
    reserve = order.reserve_price if order.replacement is None else order.replacement.former_reserve_price
    return _settled(replace(order, status="WORKING"), order.quantity, order.limit_price, reserve, event.at)


def _after_asked(order: Order, event: e.OrderAsked) -> Order:
    return replace(order, asks=order.asks + 1, waiting_since=event.at, updated_at=event.at)


def _after_missed(order: Order, event: e.OrderMissed) -> Order:
    return replace(order, misses=order.misses + 1, waiting_since=event.at, updated_at=event.at)


def _after_lost(order: Order, event: e.OrderLost) -> Order:
    return replace(
        order, status="UNKNOWN", asks=MAX_ASKS + 1, waiting_since=event.at, reason=event.reason, updated_at=event.at
    )


def _after_resent(order: Order, event: e.OrderResent) -> Order:
    # Asked still: if the first sending was taken after all, there may be more to know than its acknowledgement.
    return replace(order, status="SUBMITTING", asks=1, misses=0, waiting_since=event.at, updated_at=event.at)


def _unchanged(order: Order, event: e.ReportImpossible) -> Order:
    return order


_AFTER: Final[dict[type, Any]] = {
    e.OrderAccepted: _after_accepted,
    e.OrderFilled: _after_filled,
    e.OrderClosed: _after_closed,
    e.CancelRequested: _after_cancel_requested,
    e.ReplaceRequested: _after_replace_requested,
    e.OrderReplaced: _after_replaced,
    e.AmendRefused: _after_refused,
    e.OrderAsked: _after_asked,
    e.OrderMissed: _after_missed,
    e.OrderLost: _after_lost,
    e.OrderResent: _after_resent,
    e.ReportImpossible: _unchanged,
}

FOLDED: Final = tuple(_AFTER)
"""The events that `after` folds, beside the one that starts an order."""
