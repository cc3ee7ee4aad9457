"""What happened: past tense, frozen, journaled before it is told. Folding them gives every state.

Events of an order carry what a distributor needs to route them, so that nobody has to look an order up.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.commands import Fill, Ticket
from engine.controls import Scope
from engine.messages import Outcome, Provenance, Subscriber
from engine.reports import Capabilities
from engine.risk import Figures
from engine.sizing import Sizing
from engine.specification import Honoured
from engine.values import ZERO, OrderStatus, Side, SubscriberStatus
from engine.weighed import Weights


class Event(
    Struct,
    frozen=True,
    gc=False,  # immutable values make no cycles; that the collector need not know of them saves a tenth of all time
    forbid_unknown_fields=True,
    kw_only=True,
    tag=True,
    tag_field="type",
    omit_defaults=True,
):
    """What every event is. `at` is the time of the batch that it happened in."""

    at: datetime


# of a subscriber


class SubscriberSaved(Event, frozen=True, kw_only=True):
    """A subscriber was made known or changed; its opening cash counts only the first time."""

    subscriber: Subscriber
    source: Literal["bus", "config"] = "bus"


class SubscriberStatusChanged(Event, frozen=True, kw_only=True):
    """A person paused, activated or closed a subscriber."""

    subscriber_id: str
    status: SubscriberStatus
    reason: str
    by: str


class CashMoved(Event, frozen=True, kw_only=True):
    """Money came in (or went out, where negative) other than by a trade."""

    subscriber_id: str
    currency: str
    amount: Decimal
    reason: str
    key: str
    fingerprint: str
    outcome: Outcome


class DayOpened(Event, frozen=True, kw_only=True):
    """A subscriber's equity when its first decision of a day (UTC) was made: what its daily loss is measured from."""

    subscriber_id: str
    currency: str
    day: str
    equity: Decimal


class RequestAccepted(Event, frozen=True, kw_only=True):
    """A request became approved orders, which count as working from now on: the execution job."""

    job_id: str
    key: str
    fingerprint: str
    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    tickets: tuple[Ticket, ...]
    sizing: Sizing
    figures: Figures
    weights: Weights | None = None
    honoured: tuple[Honoured, ...] = ()
    """What became of what was asked beyond a plain order; of one worked at our side, `WorkStarted` says that."""


class RequestDenied(Event, frozen=True, kw_only=True):
    """A request was refused, for this reason and with these figures: no order."""

    key: str
    fingerprint: str
    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    exchange: str
    symbol: str
    code: str
    reason: str
    sizing: Sizing | None = None
    figures: Figures | None = None
    weights: Weights | None = None


class CommandDecided(Event, frozen=True, kw_only=True):
    """A client's command on an order was answered."""

    subscriber_id: str
    key: str
    fingerprint: str
    outcome: Outcome


class ReservationChanged(Event, frozen=True, kw_only=True):
    """An order gave back units and notional that it had reserved (or took more, where negative)."""

    subscriber_id: str
    order_id: str
    exchange: str
    symbol: str
    side: Side
    working: Decimal
    reserved: Decimal


class FillBooked(Event, frozen=True, kw_only=True):
    """A fill entered the ledger: position, cash and realized P&L moved, and its part of the reservation is gone."""

    trade_id: str
    subscriber_id: str
    strategy_id: str
    provenance: Provenance
    fill: Fill
    working: Decimal
    reserved: Decimal
    realized: Decimal
    position: Decimal


# of a strategy


class Subscribed(Event, frozen=True, kw_only=True):
    """A subscriber follows this strategy from now on, or no longer."""

    strategy_id: str
    subscriber_id: str
    active: bool
    shares: bool = False


class SignalReceived(Event, frozen=True, kw_only=True):
    """A strategy's signal was told to its active subscribers."""

    strategy_id: str
    request_id: str
    signal_id: str
    subscribers: int


# of an order


class OrderEvent(Event, frozen=True, kw_only=True):
    """What every event of an order carries."""

    order_id: str
    subscriber_id: str
    exchange: str
    symbol: str


class OrderStarted(OrderEvent, frozen=True, kw_only=True):
    """The order exists and is on its way to the venue."""

    ticket: Ticket


class OrderAccepted(OrderEvent, frozen=True, kw_only=True):
    """The venue works the order."""

    venue_order_id: str


class OrderFilled(OrderEvent, frozen=True, kw_only=True):
    """The venue executed some or all of the order."""

    fill: Fill
    status: OrderStatus
    filled: Decimal


class OrderClosed(OrderEvent, frozen=True, kw_only=True):
    """The order ended unfilled or partly filled: CANCELED, REJECTED or EXPIRED."""

    status: OrderStatus
    reason: str
    filled: Decimal


class CancelRequested(OrderEvent, frozen=True, kw_only=True):
    """The venue was asked to cancel."""

    reason: str
    command_id: str = ""


class ReplaceRequested(OrderEvent, frozen=True, kw_only=True):
    """The venue was asked for another total quantity and limit price."""

    command_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    reserve_price: Decimal


class OrderReplaced(OrderEvent, frozen=True, kw_only=True):
    """The order has this total quantity and limit price from now on."""

    quantity: Decimal
    limit_price: Decimal | None = None


class AmendRefused(OrderEvent, frozen=True, kw_only=True):
    """The venue refused the cancel or the replacement; the order is as it was."""

    what: Literal["CANCEL", "REPLACE"]
    reason: str


class OrderAsked(OrderEvent, frozen=True, kw_only=True):
    """The venue was asked what it knows of the order, for this reason."""

    reason: str


class OrderMissed(OrderEvent, frozen=True, kw_only=True):
    """The venue does not know the order, or its replacement; it is asked again after a settle time before anything is
    made of that."""


class OrderLost(OrderEvent, frozen=True, kw_only=True):
    """The venue does not know an order that was sent: nothing is assumed, a person is told. State UNKNOWN."""

    reason: str


class OrderResent(OrderEvent, frozen=True, kw_only=True):
    """The order is sent again under the same id, to a venue that was asked, knows nothing of it and de-duplicates."""


class ReportImpossible(OrderEvent, frozen=True, kw_only=True):
    """A venue said what cannot be true of the order; the report is kept, a person is told."""

    report: str
    reason: str


# of a venue


class ChildSent(Event, frozen=True, kw_only=True):
    """The last-hop gate let this order through to the venue."""

    venue: str
    client_order_id: str
    resend: bool = False
    parent: str = ""
    quantity: Decimal = ZERO
    """Of a child: what of its parent is out with it."""


class ChildStopped(Event, frozen=True, kw_only=True):
    """The last-hop gate stopped this order."""

    venue: str
    client_order_id: str
    code: str
    reason: str


class VenueUp(Event, frozen=True, kw_only=True):
    """The venue's session is up; its open orders are being reconciled."""

    venue: str
    capabilities: Capabilities


class VenueDown(Event, frozen=True, kw_only=True):
    """The venue's session is down: no new orders are sent."""

    venue: str
    reason: str


class VenueStatusChanged(Event, frozen=True, kw_only=True):
    """A person paused or activated the venue."""

    venue: str
    status: str
    reason: str
    by: str


# of the whole


class Killed(Event, frozen=True, kw_only=True):
    """All trading was stopped, or that of a subscriber, strategy, symbol or venue."""

    reason: str
    by: str
    scope: Scope = "firm"
    name: str = ""


class Resumed(Event, frozen=True, kw_only=True):
    """Trading may go on, or that of a subscriber, strategy, symbol or venue."""

    reason: str
    by: str
    scope: Scope = "firm"
    name: str = ""


class InputRefused(Event, frozen=True, kw_only=True):
    """Something came in that is not a message: what, why, and how it began."""

    subject: str
    code: str
    reason: str
    excerpt: str


class DeadLettered(Event, frozen=True, kw_only=True):
    """A message whose turn failed: nothing of the turn remains; it can be replayed."""

    letter_id: str
    address: str
    sender: str
    message: str
    error: str
    traceback: str


class DeadLetterTaken(Event, frozen=True, kw_only=True):
    """A dead letter was replayed or dropped by a person."""

    letter_id: str
    by: str


class ActorQuarantined(Event, frozen=True, kw_only=True):
    """Three turns of this actor failed in a row: its mail is kept back until a person releases it."""

    address: str
    error: str


class AlarmRaised(Event, frozen=True, kw_only=True):
    """Something that a person has to look at."""

    code: str
    about: str
    reason: str


# of the mail between partitions


class MailPosted(Event, frozen=True, kw_only=True):
    """A message to another partition is kept until it is acknowledged."""

    sequence: int
    to: str
    cause: str
    message: str


class MailTaken(Event, frozen=True, kw_only=True):
    """A message from another partition was taken, once."""

    sequence: int


class MailAcknowledged(Event, frozen=True, kw_only=True):
    """The other partition has everything up to this sequence."""

    sequence: int
