"""What crosses the venue port: orders going out, reports coming back, whatever the venue.

A report names the order by our own client order id. `Filled` is known by (venue, execution_id) for good.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.native import Native
from engine.plan import Style
from engine.values import GroupKind, OrderType, Side, TimeInForce


class PortMessage(
    Struct,
    frozen=True,
    gc=False,  # immutable values make no cycles
    forbid_unknown_fields=True,
    kw_only=True,
    tag=True,
    tag_field="type",
    omit_defaults=True,
):
    """What every message across the venue port is."""


class NativeAlgo(Struct, frozen=True, gc=False, kw_only=True):
    """An algorithm that a venue runs itself. `parameters`: what it calls the fields of a plan that it takes."""

    style: Style
    name: str
    parameters: dict[str, str] = {}


class Capabilities(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What a venue declares that it can do. `deduplicates`: a client order id sent twice makes one order.

    `display_quantity`: it shows a part of an order and keeps the rest hidden. `min_quantity`: an IOC order can name
    the least that it has to fill, or nothing of it. `groups`: kinds of group in which it links orders itself.
    `closes_first`: a position has to be closed before the other side of it can be opened.
    """

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    modify: bool
    deduplicates: bool
    display_quantity: bool = False
    post_only: bool = False
    reduce_only: bool = False
    min_quantity: bool = False
    groups: frozenset[GroupKind] = frozenset()
    algos: tuple[NativeAlgo, ...] = ()
    closes_first: bool = False


# to the venue


class SubmitOrder(PortMessage, frozen=True, kw_only=True):
    """A new order. `expires_at` is the session's end for DAY; `short_sale` marks what opens or adds to a short.

    `native` is what is asked beyond a plain order. A venue that cannot do all of it rejects the order, with
    VENUE_CANNOT and the field in the reason (`engine.native.undeclared`).
    """

    client_order_id: str
    account: str
    exchange: str
    symbol: str
    currency: str
    multiplier: Decimal
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    time_in_force: TimeInForce
    expires_at: datetime | None = None
    short_sale: bool = False
    native: Native | None = None


class CancelVenueOrder(PortMessage, frozen=True, kw_only=True):
    """Cancel what is open of an order."""

    client_order_id: str
    venue_order_id: str | None = None


class ReplaceVenueOrder(PortMessage, frozen=True, kw_only=True):
    """Change an order's total quantity and limit price."""

    client_order_id: str
    venue_order_id: str | None = None
    quantity: Decimal
    limit_price: Decimal | None = None


class Reconcile(PortMessage, frozen=True, kw_only=True):
    """Say what is known of these orders: their executions, then a Snapshot or a NotFound for each."""

    client_order_ids: tuple[str, ...]


VenueOrder = SubmitOrder | CancelVenueOrder | ReplaceVenueOrder | Reconcile

# from the venue, about an order


class Accepted(PortMessage, frozen=True, kw_only=True):
    """The venue works the order."""

    client_order_id: str
    venue_order_id: str
    at: datetime


class Rejected(PortMessage, frozen=True, kw_only=True):
    """The venue refused the order."""

    client_order_id: str
    reason: str
    at: datetime


class Filled(PortMessage, frozen=True, kw_only=True):
    """An execution. Commission in the instrument's currency, positive when paid, negative for a rebate."""

    client_order_id: str
    venue_order_id: str | None = None
    execution_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime


class Canceled(PortMessage, frozen=True, kw_only=True):
    """The order's open rest is cancelled, because we asked or because the venue chose to (IOC and FOK rests, too)."""

    client_order_id: str
    reason: str
    filled: Decimal | None = None
    """What the venue counts as filled of it, where it says so: a fill that was missed shows here."""
    at: datetime


class Expired(PortMessage, frozen=True, kw_only=True):
    """The order's time is over."""

    client_order_id: str
    filled: Decimal | None = None
    """What the venue counts as filled of it, where it says so: a fill that was missed shows here."""
    at: datetime


class Replaced(PortMessage, frozen=True, kw_only=True):
    """The order now has this total quantity and limit price."""

    client_order_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    at: datetime


class CancelRejected(PortMessage, frozen=True, kw_only=True):
    """The order could not be cancelled; it is as it was."""

    client_order_id: str
    reason: str
    at: datetime


class ReplaceRejected(PortMessage, frozen=True, kw_only=True):
    """The order could not be replaced; it is as it was."""

    client_order_id: str
    reason: str
    at: datetime


class Snapshot(PortMessage, frozen=True, kw_only=True):
    """What the venue knows of an order it was asked about; its executions were reported before this."""

    client_order_id: str
    venue_order_id: str | None = None
    status: Literal["WORKING", "FILLED", "CANCELED", "REJECTED", "EXPIRED"]
    quantity: Decimal
    limit_price: Decimal | None = None
    filled: Decimal
    reason: str = ""
    at: datetime


class NotFound(PortMessage, frozen=True, kw_only=True):
    """The venue does not know an order it was asked about."""

    client_order_id: str
    at: datetime


OrderReport = (
    Accepted
    | Rejected
    | Filled
    | Canceled
    | Expired
    | Replaced
    | CancelRejected
    | ReplaceRejected
    | Snapshot
    | NotFound
)

# from the venue, about itself


class SessionUp(PortMessage, frozen=True, kw_only=True):
    """The venue can be reached: what is open is to be reconciled."""

    venue: str
    capabilities: Capabilities
    at: datetime


class SessionDown(PortMessage, frozen=True, kw_only=True):
    """The venue cannot be reached."""

    venue: str
    reason: str
    at: datetime
