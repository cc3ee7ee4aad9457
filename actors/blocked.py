"""The order that a block works for its members, and how theirs end with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors import supervise, windows
from actors.turn import Turn
from actors.worked import Prepared, prefix, prepare
from engine import reports as r
from engine.blocks import Gathered
from engine.commands import StartOrder, Ticket
from engine.config import InstrumentSpec
from engine.controls import waived
from engine.idempotency import key_of
from engine.refusal import Refusal
from engine.sizing import Sized, Sizing
from engine.values import ZERO, OrderStatus, Side

Made = tuple[Ticket, Any]
"""An order of the block and what starts it."""


def order(
    block_id: str,
    gathered: Gathered,
    spec: InstrumentSpec | None,
    side: Side,
    short: bool,
    quantity: Decimal,
    leg: int,
    turn: Turn,
) -> Made | Refusal:
    """An order of the block. What it may cost is reserved by its members, and counted with them."""
    request, settings = gathered.request, turn.rules.config.blocks
    venue = turn.routed(request.exchange, request.symbol)
    if spec is None or venue is None:
        return Refusal("NO_ROUTE", "exchange: no venue is routed for it any more")
    if (stale := _stale(gathered, spec, turn)) is not None:
        return stale
    if settings.max_quantity is not None and quantity > settings.max_quantity:
        return Refusal(
            "BLOCK_TOO_LARGE", f"quantity: {quantity} in all is above blocks.max_quantity {settings.max_quantity}"
        )
    worked: Prepared | None = None
    if request.plan is not None or not request.plain:
        sizing = Sizing(method="quantity", base=quantity, raw=quantity, lot=spec.lot_size, quantity=quantity)
        prepared = prepare(request, block_id, Sized(side, quantity, sizing), venue, spec, ZERO, turn)
        if isinstance(prepared, Refusal):
            return prepared
        worked = prepared
    ends = turn.rules.session_end(spec.calendar, turn.now) if request.time_in_force == "DAY" else None
    ticket = Ticket(
        order_id=turn.order_id(prefix(worked, venue.name), block_id, key_of(request), leg),
        subscriber_id=block_id,
        account=settings.accounts.get(venue.name, block_id),
        venue=venue.name,
        exchange=request.exchange,
        symbol=request.symbol,
        currency=spec.currency,
        multiplier=spec.multiplier,
        side=side,
        quantity=quantity,
        order_type=request.order_type,
        limit_price=request.limit_price,
        time_in_force=request.time_in_force,
        reserve_price=ZERO,
        expires_at=ends,
        short_sale=short,
        request_id=request.request_id,
        signal_id=request.signal_id,
        strategy_id=request.strategy_id,
        provenance=request.provenance,
        approved_at=turn.now,
    )
    if worked is not None:
        ticket = worked.shape(ticket)
        if worked.here:
            return ticket, worked.start(ticket)
    # Members were judged as if each were the one message, in their own partitions; what is worked here waits.
    full = windows.full(ticket, turn)
    if full is not None and not _waived(full, ticket, turn):
        return full
    return ticket, StartOrder(ticket=ticket)


def _stale(gathered: Gathered, spec: InstrumentSpec, turn: Turn) -> Refusal | None:
    """Why what was approved for the members is not for now any more, or None: mail may have waited."""
    expires_at = gathered.request.expires_at
    if expires_at is not None and turn.now >= expires_at:
        return Refusal("STALE_REQUEST", f"expires_at: {expires_at.isoformat()} passed before the block was complete")
    end = turn.rules.session_end(spec.calendar, gathered.at)
    if end is not None and turn.now >= end:
        return Refusal("STALE_REQUEST", f"the session was over at {end.isoformat()}, before the block was complete")
    return None


def _waived(refusal: Refusal, ticket: Ticket, turn: Turn) -> bool:
    controls = supervise.in_force(turn)
    whose = ticket.subscriber_id, ticket.strategy_id, ticket.exchange, ticket.symbol, turn.now
    return controls is not None and waived(controls, refusal.code, *whose) is not None


def closing(order_id: str, status: OrderStatus, reason: str, turn: Turn) -> Any:
    """How a member's order ends that the block did not fill: as the block's own."""
    if status == "REJECTED":
        return r.Rejected(client_order_id=order_id, reason=reason, at=turn.now)
    if status == "EXPIRED":
        return r.Expired(client_order_id=order_id, at=turn.now)
    return r.Canceled(client_order_id=order_id, reason=reason, at=turn.now)
