"""What goes out on `exec.out.>`: the envelope of the distribution contract, its data by data type, and jobs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.messages import Provenance
from engine.values import ZERO, Side


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


class BlockReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Data of an execution_report: an order of a block is over, and what filled is its members' at the average price.

    `subscriber_id` is the block's id. Each member's own part is told in fill_notifications of its own.
    """

    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    exchange: str
    instrument_id: str
    order_id: str
    side: Side
    status: str
    reason: str
    filled: Decimal
    average_price: Decimal | None = None
    commission: Decimal
    members: int


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
    short_sale: bool = False


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
