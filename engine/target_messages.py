"""What a client sends to say where its positions should be: TargetPositions (`exec.in.targets.<subscriber_id>`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from engine.messages import INTENT_PREFIX, Message, Provenance
from engine.plan import ExecutionPlan
from engine.refusal import Problem
from engine.values import ZERO, Exchange, Id, Number, Symbol, Time, TimeInForce, instrument_key

TargetMode = Literal["PRODUCTION", "TRAINING"]
"""TRAINING: decided and logged like PRODUCTION, and no order is sent or cancelled."""
TargetScope = Literal["ALL", "NAMED"]
"""ALL: what is not named is to be held no more. NAMED: what is not named is left alone."""
MAX_TARGETS = 1000


class Target(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where one position should be, short below zero: a signed quantity in units, or a signed weight of equity.

    With a `limit_price` its orders are limit orders. A `plan` says how they are worked, in the place of the set's.
    """

    exchange: Exchange
    symbol: Symbol
    quantity: Number | None = None
    weight: Number | None = None
    limit_price: Number | None = None
    plan: ExecutionPlan | None = None

    @property
    def instrument(self) -> str:
        """`exchange:symbol`."""
        return instrument_key(self.exchange, self.symbol)


class TargetPositions(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Where a subscriber's positions should be; a newer one takes the place of an older one, ticker by ticker.

    All targets are quantities, or all are weights. An order below `min_order_quantity` units or `min_order_notional`
    is not worth sending; a position within `drift_quantity` units, or `drift_fraction` of its target, is where it
    should be. Neither keeps a position from being closed: a target of zero is met by zero. `all_or_none`: if one
    ticker is refused, all are. A `plan` says how every order is worked that follows; what it bounds is measured from
    when the set is decided. Idempotent by signal_id, like an ExecutionRequest.
    """

    request_id: Id
    signal_id: Id
    strategy_id: Id
    subscriber_id: Id
    mode: TargetMode
    scope: TargetScope
    targets: Annotated[tuple[Target, ...], Meta(max_length=MAX_TARGETS)]
    all_or_none: bool = False
    min_order_quantity: Number | None = None
    min_order_notional: Number | None = None
    drift_quantity: Number | None = None
    drift_fraction: Number | None = None
    time_in_force: TimeInForce = "DAY"
    plan: ExecutionPlan | None = None
    provenance: Provenance = field(default_factory=Provenance)
    issued_at: Time
    expires_at: Time | None = None

    def problem(self) -> Problem | None:
        """What makes these targets senseless whoever asks, or None."""
        if self.signal_id.startswith(INTENT_PREFIX):
            return "RESERVED_ID", f"signal_id: {INTENT_PREFIX} begins the ids of order intents only"
        if not self.targets and self.scope == "NAMED":
            return "EMPTY_TARGETS", "targets: NAMED needs at least one; to close everything, say ALL"
        for name in ("min_order_quantity", "min_order_notional", "drift_quantity", "drift_fraction"):
            value: Decimal | None = getattr(self, name)
            if value is not None and value < ZERO:
                return "BAD_QUANTITY", f"{name}: must not be negative, got {value}"
        if self.drift_quantity is not None and self.drift_fraction is not None:
            return "BAD_DRIFT", "drift_fraction: at most one of drift_quantity and drift_fraction may be given"
        if self.time_in_force == "GTD":
            return "BAD_EXPIRY", "time_in_force: targets name no end for their orders; say DAY, or GTC with a plan"
        return self._misaimed() or (None if self.plan is None else _unexecutable("plan", self.plan))

    def _misaimed(self) -> Problem | None:
        seen: set[str] = set()
        weights = bool(self.targets) and self.targets[0].weight is not None
        for index, target in enumerate(self.targets):
            named, instrument = f"targets[{index}]", target.instrument
            if instrument in seen:
                return "DUPLICATE_TICKER", f"{named}: {instrument} stands in the targets twice"
            seen.add(instrument)
            if (target.quantity is None) == (target.weight is None):
                return "BAD_SIZE", f"{named}: {instrument} needs exactly one of quantity and weight"
            if (target.weight is not None) != weights:
                return "MIXED_TARGETS", f"{named}: targets are all quantities or all weights, and {instrument} is not"
            if target.limit_price is not None and target.limit_price <= ZERO:
                return "BAD_PRICE", f"{named}.limit_price: must be above zero, got {target.limit_price}"
            if target.plan is not None and (found := _unexecutable(f"{named}.plan", target.plan)) is not None:
                return found
        return None


def _unexecutable(named: str, plan: ExecutionPlan) -> Problem | None:
    """What makes a plan senseless for targets, or None."""
    if plan.action != "EXECUTE_TRADE":
        return "BAD_PLAN", f"{named}.action: the plan of targets is to EXECUTE_TRADE, got {plan.action}"
    found = plan.problem()
    return None if found is None else (found[0], named + found[1].removeprefix("plan"))
