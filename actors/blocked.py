"""The order that a block works for its members, and how theirs end with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from actors.turn import Turn
from actors.worked import Prepared, prepare
from engine import reports as r
from engine.commands import StartOrder, Ticket
from engine.config import InstrumentSpec
from engine.idempotency import key_of
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.sizing import Sized, Sizing
from engine.values import ZERO, OrderStatus, Side
from engine.work import PREFIX

Made = tuple[Ticket, Any]
"""An order of the block and what starts it."""


def order(
    block_id: str,
    request: ExecutionRequest,
    spec: InstrumentSpec | None,
    side: Side,
    short: bool,
    quantity: Decimal,
    leg: int,
    turn: Turn,
) -> Made | Refusal:
    """An order of the block. What it may cost is reserved by its members, and counted with them."""
    venue = turn.routed(request.exchange, request.symbol)
    if spec is None or venue is None:
        return Refusal("NO_ROUTE", "exchange: no venue is routed for it any more")
    settings = turn.rules.config.blocks
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
        order_id=turn.order_id(PREFIX if worked and worked.here else venue.name, block_id, key_of(request), leg),
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
    if worked is None:
        return ticket, StartOrder(ticket=ticket)
    ticket = worked.shape(ticket)
    return ticket, worked.start(ticket) if worked.here else StartOrder(ticket=ticket)


def closing(order_id: str, status: OrderStatus, reason: str, turn: Turn) -> Any:
    """How a member's order ends that the block did not fill: as the block's own."""
    if status == "REJECTED":
        return r.Rejected(client_order_id=order_id, reason=reason, at=turn.now)
    if status == "EXPIRED":
        return r.Expired(client_order_id=order_id, at=turn.now)
    return r.Canceled(client_order_id=order_id, reason=reason, at=turn.now)
