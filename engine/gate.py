"""The last hop before a venue: checks what every order must satisfy, independently of how it was decided.

The gate trusts nobody upstream. It knows the approved ticket, what it let through before, and the switches.
Client order ids grow as texts, so the last one is enough to know that an id was let through already.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from engine.commands import Ticket
from engine.controls import Controls, waived
from engine.controls import killed as killed_in
from engine.controls import new_risk as regime_refuses
from engine.instructions import PRICED
from engine.native import undeclared
from engine.refusal import Refusal
from engine.reports import Capabilities
from engine.values import ZERO, add


class Venue(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the gate of a venue remembers: the session, the person's switch, and the last id let through."""

    name: str
    up: bool = False
    paused: bool = False
    reason: str = ""
    last_order_id: str = ""
    sent: int = 0
    capabilities: Capabilities | None = None

    @property
    def takes(self) -> bool:
        """Whether orders can be sent to it now."""
        return self.up and not self.paused

    @property
    def modifies(self) -> bool:
        """Whether it has said that it can change an order."""
        return self.capabilities is not None and self.capabilities.modify


class Allowance(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the gate knows of an order with children: what was approved, and what is out (filled, or may still be)."""

    quantity: Decimal
    out: Decimal = ZERO


def new_risk(controls: Controls | None, ticket: Ticket, reduces: bool, now: datetime) -> Refusal | None:
    """Why the regime lets this order not out, or None: unless a person has let it pass, it may only reduce what is held
    now."""
    regime = None if controls is None else controls.regime
    refusal = regime_refuses(regime, reduces)
    if controls is None or refusal is None:
        return None
    owner, strategy = ticket.subscriber_id, ticket.strategy_id
    waived_by = waived(controls, refusal.code, owner, strategy, ticket.exchange, ticket.symbol, now)
    return refusal if waived_by is None else None


def late(ticket: Ticket, now: datetime) -> Refusal | None:
    """Why this child may not go out any more, or None: mail may have waited while its parent's time ran out."""
    end = ticket.ends_at
    if end is None or now < end:
        return None
    return Refusal("GATE_WINDOW", f"order {ticket.order_id}: the time of {ticket.parent} was over at {end.isoformat()}")


def check_child(allowance: Allowance | None, ticket: Ticket, quantity: Decimal) -> Refusal | None:
    """Why this child may not go out beside its parent's others, or None. It knows no algorithm and believes none."""
    if allowance is None:
        return Refusal("GATE_PARENT", f"order {ticket.order_id}: no parent {ticket.parent} is approved")
    if add(allowance.out, quantity) > allowance.quantity:
        sentence = f"{quantity} beside {allowance.out} is more than the {allowance.quantity} of {ticket.parent}"
        return Refusal("GATE_PARENT", f"order {ticket.order_id}: {sentence}")
    return None


def check(
    venue: Venue,
    killed: bool,
    ticket: Ticket,
    order_id: str,
    quantity: Decimal,
    limit: Decimal | None,
    resend: bool,
    controls: Controls | None = None,
) -> Refusal | None:
    """Why this order may not go to the venue, or None where it may."""
    if killed:
        return Refusal("KILLED", "the kill switch is on")
    if controls is not None:
        refusal = killed_in(
            controls, ticket.subscriber_id, ticket.strategy_id, ticket.exchange, ticket.symbol, venue.name
        )
        if refusal is not None:
            return refusal
    if venue.paused:
        return Refusal("VENUE_PAUSED", f"venue {venue.name} is paused: {venue.reason}")
    if not venue.up:
        return Refusal("VENUE_DOWN", f"venue {venue.name} is down: {venue.reason}")
    if ticket.venue != venue.name:
        return Refusal("GATE_WRONG_VENUE", f"order {order_id} is approved for {ticket.venue}, not {venue.name}")
    if quantity <= ZERO or quantity > ticket.quantity:
        return Refusal("GATE_QUANTITY", f"order {order_id}: {quantity} is not within the approved {ticket.quantity}")
    if ticket.native is not None and venue.capabilities is not None:
        lacks = undeclared(venue.capabilities, ticket.order_type, ticket.time_in_force, ticket.native)
        if lacks:
            return Refusal("GATE_NATIVE", f"order {order_id}: {lacks}")
    if (limit is None) == (ticket.order_type in PRICED) or (limit is not None and limit <= ZERO):
        return Refusal("GATE_PRICE", f"order {order_id}: limit price {limit} does not fit {ticket.order_type}")
    if limit is not None and ticket.limit_price is not None and worse(ticket, limit):
        return Refusal("GATE_PRICE", f"order {order_id}: {limit} is worse than the approved {ticket.limit_price}")
    if resend:
        if venue.capabilities is None or not venue.capabilities.deduplicates:
            return Refusal("GATE_RESEND", f"order {order_id}: {venue.name} does not de-duplicate, so nothing is resent")
    elif order_id <= venue.last_order_id:
        return Refusal("GATE_DUPLICATE", f"order {order_id} was let through before")
    return None


def worse(ticket: Ticket, limit: Decimal) -> bool:
    """Whether `limit` pays more, or sells for less, than was approved."""
    approved = ticket.limit_price
    return approved is not None and (limit > approved if ticket.side == "BUY" else limit < approved)
