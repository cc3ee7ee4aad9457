"""What clients send and are answered: requests, commands, subscribers, cash, market data, outcomes.

Every message is a frozen struct tagged by its `type` that forbids unknown fields. Shape is checked by decoding
(`engine.intake`); what a shape allows and sense forbids is in each message's `problem`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from engine.config import Limits
from engine.instructions import PLAIN_TIMES, PLAIN_TYPES, PRICED, TRIGGERED, Instructions, Membership, senseless
from engine.methods import Allocation, misfit
from engine.plan import ExecutionPlan
from engine.refusal import Problem
from engine.sanity import limit_problems
from engine.values import (
    EXCHANGE_PATTERN,
    ID_PATTERN,
    REQUEST_PATTERN,
    SYMBOL_PATTERN,
    ZERO,
    Currency,
    Exchange,
    ExchangeLater,
    Id,
    IdLater,
    Intent,
    Number,
    OrderType,
    PlainType,
    Side,
    SubscriberStatus,
    Symbol,
    SymbolLater,
    Time,
    TimeInForce,
)

INTENT_PREFIX = "intent:"
"""What the signal ids of order intents begin with; no other request's may."""
BLOCK = "block-"
"""What the id of a block begins with, which stands for a subscriber's in the orders that it works for its members."""
Text = Annotated[str, Meta(max_length=500)]


class Message(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, tag=True, tag_field="type"):
    """What every message is: immutable, tagged with its own name, strict."""


class Provenance(Struct, frozen=True, gc=False, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Where a decision came from; carried from the request to the trade."""

    strategy_id: Id | None = None
    profile_version_id: Id | None = None
    regime_id: Id | None = None
    universe_id: Id | None = None
    decision_id: Id | None = None


class ExecutionRequest(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A decision to trade, for one subscriber (its id in the subject) or, as a signal, for a strategy's subscribers."""

    request_id: IdLater
    signal_id: IdLater
    strategy_id: IdLater
    subscriber_id: IdLater | None = None
    exchange: ExchangeLater
    symbol: SymbolLater
    side: Side | None = None
    intent: Intent | None = None
    quantity: Number | None = None
    notional: Number | None = None
    weight: Number | None = None
    leverage: Number | None = None
    order_type: OrderType
    limit_price: Number | None = None
    stop_price: Number | None = None
    time_in_force: TimeInForce
    plan: ExecutionPlan | None = None
    provenance: Provenance = field(default_factory=Provenance)
    issued_at: Time
    expires_at: Time | None = None
    """When the request is stale; for GTD also how long its order is good."""
    instructions: Instructions | None = None
    group: Membership | None = None
    block: bool = False
    """Of a signal: its followers' orders are worked as one, and its fills shared among them."""

    def problem(self) -> Problem | None:
        """What makes this request senseless whoever asks, or None."""
        whose = "0" if self.subscriber_id is None else self.subscriber_id
        texts = (self.request_id, self.signal_id, self.strategy_id, whose, self.exchange, self.symbol)
        if not _in_grammar("\n".join(texts)):
            return "BAD_TEXT", _misspelt(texts)
        if self.signal_id.startswith(INTENT_PREFIX) and self.strategy_id != "intent":
            return "RESERVED_ID", f"signal_id: {INTENT_PREFIX} begins the ids of order intents only"
        if (self.side is None) == (self.intent is None):
            return "BAD_SIDE", "exactly one of side and intent must be given"
        kind = self.order_type
        if kind in PRICED:
            if self.limit_price is None:
                return "MISSING_PRICE", f"limit_price: a {kind} order needs one"
            if self.limit_price <= ZERO:
                return "BAD_PRICE", f"limit_price: must be above zero, got {self.limit_price}"
        elif self.limit_price is not None:
            return "UNEXPECTED_PRICE", f"limit_price: a {kind} order takes none, got {self.limit_price}"
        if self.stop_price is not None and kind not in TRIGGERED:
            if self.subscriber_id is not None:
                return "UNEXPECTED_PRICE", f"stop_price: a {kind} order takes none, got {self.stop_price}"
            # Of a signal it is where the position will be stopped out, which risk_based sizes by.
            if self.stop_price <= ZERO:
                return "BAD_PRICE", f"stop_price: must be above zero, got {self.stop_price}"
        for name in ("quantity", "notional", "weight", "leverage"):
            value = getattr(self, name)
            if value is not None and value <= ZERO:
                return "BAD_QUANTITY", f"{name}: must be above zero, got {value}"
        sizes = (self.quantity is not None) + (self.notional is not None) + (self.weight is not None)
        if sizes > 1:
            return "BAD_SIZE", "at most one of quantity, notional and weight may be given"
        if sizes == 0 and self.intent != "CLOSE" and self.subscriber_id is not None:
            return "MISSING_SIZE", "one of quantity, notional and weight must be given"
        # As `plain` has it, without a call: this is asked of every request.
        if (
            kind not in PLAIN_TYPES
            or self.time_in_force not in PLAIN_TIMES
            or self.instructions is not None
            or self.group is not None
        ):
            found = senseless(self)
            if found is not None:
                return found
        if self.block and (found := self._block_problem()) is not None:
            return found
        return None if self.plan is None else self._plan_problem(self.plan)

    @property
    def plain(self) -> bool:
        """Whether this is an order of the old school: MARKET or LIMIT, DAY, GTC, IOC or FOK, and nothing else."""
        return (
            self.instructions is None
            and self.group is None
            and self.order_type in PLAIN_TYPES
            and self.time_in_force in PLAIN_TIMES
        )

    def _block_problem(self) -> Problem | None:
        if self.subscriber_id is not None:
            return "BAD_BLOCK", "block: is for a strategy's signal; a request of one subscriber is one order anyway"
        if self.time_in_force in ("GTC", "GTD"):
            # Fills are allocated on the day they are made: what everyone's average is must not wait for weeks.
            return "BAD_BLOCK", f"time_in_force: a block is settled within its session, so {self.time_in_force} is none"
        if self.group is not None:
            return "BAD_BLOCK", "group: an order of a group is one subscriber's own, so it cannot be in a block"
        if self.instructions is not None and self.instructions.reduce_only:
            return "BAD_BLOCK", "instructions.reduce_only: is about one subscriber's position, use intent CLOSE"
        return None

    def _plan_problem(self, plan: ExecutionPlan) -> Problem | None:
        if plan.action != "EXECUTE_TRADE":
            return "BAD_PLAN", f"plan.action: the plan of a request is to EXECUTE_TRADE, got {plan.action}"
        return plan.problem()


_in_grammar: Final = re.compile(REQUEST_PATTERN).fullmatch
_TEXTS: Final = (
    ("request_id", ID_PATTERN),
    ("signal_id", ID_PATTERN),
    ("strategy_id", ID_PATTERN),
    ("subscriber_id", ID_PATTERN),
    ("exchange", EXCHANGE_PATTERN),
    ("symbol", SYMBOL_PATTERN),
)


def _misspelt(texts: tuple[str, ...]) -> str:
    """The first of a request's texts that is not what it may be, as msgspec would say it."""
    for text, (name, pattern) in zip(texts, _TEXTS, strict=True):
        if not re.match(pattern, text):
            return f"{name}: Expected `str` matching regex {pattern!r}"
    raise AssertionError(f"none of {texts} is wrong alone")


class OrderIntent(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The paper execution service's order, in that service's own words: its `type` is the order type."""

    idempotency_key: Id
    subscriber_id: Id = "default"
    exchange: Exchange
    symbol: Symbol
    side: Side
    qty: Number
    order_type: PlainType = field(name="type")
    limit_price: Number | None = None
    client_ts_utc: Time | None = None

    def request(self, subscriber_id: str, now: datetime) -> ExecutionRequest:
        """The same as an ExecutionRequest: good till cancelled, its key in a name space of its own."""
        return ExecutionRequest(
            request_id=self.idempotency_key,
            signal_id=INTENT_PREFIX + self.idempotency_key,
            strategy_id="intent",
            subscriber_id=subscriber_id,
            exchange=self.exchange,
            symbol=self.symbol,
            side=self.side,
            quantity=self.qty,
            order_type=self.order_type,
            limit_price=self.limit_price,
            time_in_force="GTC",
            issued_at=now if self.client_ts_utc is None else self.client_ts_utc,
        )


class ExecutionCommand(Message, frozen=True, kw_only=True, omit_defaults=True):
    """An ExecutionPlan and what it acts on: an order to cancel or modify, or a request to execute."""

    command_id: Id
    subscriber_id: Id
    plan: ExecutionPlan
    order_id: Id | None = None
    group_id: Id | None = None
    request: ExecutionRequest | None = None
    quantity: Number | None = None
    limit_price: Number | None = None

    def problem(self) -> Problem | None:
        """What makes this command senseless whoever asks, or None."""
        action = self.plan.action
        found = self.plan.problem()
        if found is not None:
            return found
        if action == "EXECUTE_TRADE":
            if self.request is None or self.order_id is not None or self.group_id is not None:
                return "BAD_COMMAND", "request: EXECUTE_TRADE needs one, and no order_id or group_id"
            if self.request.plan is not None and self.request.plan != self.plan:
                return "BAD_COMMAND", "request.plan: differs from the command's own plan; leave it out"
            return self.request.problem()
        if action in ("CANCEL_ORDER", "MODIFY_ORDER") and (self.order_id is None or self.request is not None):
            return "BAD_COMMAND", f"order_id: {action} needs one, and no request"
        if action == "CANCEL_GROUP":
            if self.group_id is None or self.order_id is not None or self.request is not None:
                return "BAD_COMMAND", "group_id: CANCEL_GROUP needs one, and no order_id or request"
        elif self.group_id is not None:
            return "BAD_COMMAND", f"group_id: {action} takes none"
        if action == "MODIFY_ORDER":
            if self.quantity is None and self.limit_price is None:
                return "BAD_COMMAND", "quantity: MODIFY_ORDER needs a new quantity, a new limit_price or both"
            for name in ("quantity", "limit_price"):
                value = getattr(self, name)
                if value is not None and value <= ZERO:
                    return "BAD_QUANTITY", f"{name}: must be above zero, got {value}"
        elif self.quantity is not None or self.limit_price is not None:
            return "BAD_COMMAND", f"quantity: {action} takes neither a quantity nor a limit_price"
        return None


class Subscription(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """That a subscriber follows a strategy, and how its orders are sized."""

    strategy_id: Id
    allocation: Allocation
    active: bool = True


class Subscriber(Message, frozen=True, kw_only=True):
    """Who trades: status, opening cash, accounts by venue, subscriptions and limits. An upsert never moves money."""

    subscriber_id: Id
    status: SubscriberStatus = "ACTIVE"
    cash: dict[Currency, Number] = field(default_factory=dict)
    accounts: dict[str, Id] = field(default_factory=dict)
    subscriptions: tuple[Subscription, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def problem(self) -> Problem | None:
        """What makes this subscriber senseless, or None."""
        if self.subscriber_id.startswith(BLOCK):
            return "RESERVED_ID", f"subscriber_id: {BLOCK} begins the ids of blocks only, got {self.subscriber_id}"
        names = [subscription.strategy_id for subscription in self.subscriptions]
        if len(set(names)) != len(names):
            return "DUPLICATE_SUBSCRIPTION", "subscriptions: a strategy may stand in them once"
        for subscription in self.subscriptions:
            wrong = misfit(subscription.allocation)
            if wrong is not None:
                return "BAD_QUANTITY", f"subscriptions: allocation of {subscription.strategy_id}, {wrong}"
        for currency, amount in self.cash.items():
            if amount < ZERO:
                return "BAD_QUANTITY", f"cash: opening balance in {currency} must not be negative, got {amount}"
        for key, found, expected in limit_problems(self.limits):
            return "BAD_LIMIT", f"{key}: expected {expected}, got {found}"
        return None


class CashMovement(Message, frozen=True, kw_only=True):
    """Money that comes in or goes out other than by a trade; idempotent by movement_id."""

    movement_id: Id
    subscriber_id: Id | None = None
    currency: Currency
    amount: Number
    reason: Text = ""


class Quote(Message, frozen=True, kw_only=True):
    """The best bid and offer of an instrument, with displayed sizes in units."""

    exchange: Exchange
    symbol: Symbol
    bid: Number
    ask: Number
    bid_size: Number
    ask_size: Number
    at: Time


class Trade(Message, frozen=True, kw_only=True):
    """A trade that the market printed."""

    exchange: Exchange
    symbol: Symbol
    price: Number
    size: Number
    at: Time


class Bar(Message, frozen=True, kw_only=True):
    """Open, high, low, close and volume of an interval that ended at `at`."""

    exchange: Exchange
    symbol: Symbol
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    at: Time


MarketData = Quote | Trade | Bar

OutcomeStatus = Literal["ACCEPTED", "DENIED", "EXISTS", "CONFLICT", "INVALID"]


class Outcome(Message, frozen=True, kw_only=True):
    """What became of a request: the answer to an ask, durable before it is sent."""

    request_id: str | None
    status: OutcomeStatus
    code: str | None = None
    reason: str | None = None
    orders: tuple[str, ...] = ()
    original: Outcome | None = None
