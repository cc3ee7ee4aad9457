"""Batches to commit: a subscriber's order from its request to its fill, told in few lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from actors.journal import Batch, Key, Mail, Prior
from engine.commands import Fill, Ticket
from engine.events import Event, FillBooked, OrderFilled, OrderStarted, RequestDenied, Resumed
from engine.identity import order_id
from engine.ledger import Balance, Position
from engine.messages import Outcome, Provenance
from engine.order import Order

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
TEN = Decimal(10)
PRICE = Decimal("150.01")


def batch(
    sequence: int,
    events: list[tuple[str, Event]] | None = None,
    states: dict[tuple[str, str], Struct | None] | None = None,
    *,
    left: list[tuple[int, Mail]] | None = None,
    taken: int = 0,
    cursors: dict[str, int] | None = None,
    keys: dict[Key, Prior] | None = None,
) -> Batch:
    """A batch with something in it."""
    return Batch(
        sequence=sequence,
        at=START + timedelta(milliseconds=sequence),
        events=[("desk/main", resumed(sequence))] if events is None else events,
        states=states or {},
        left=left or [],
        taken=taken,
        outgoing=[],
        cursors=cursors or {},
        keys=keys or {},
    )


def resumed(sequence: int) -> Event:
    """An event that needs nothing around it."""
    return Resumed(at=START + timedelta(milliseconds=sequence), reason=f"batch {sequence}", by="test")


def ticket(number: int, subscriber: str = "alice", symbol: str = "AAPL") -> Ticket:
    """An approved order, `number` orders into a partition's life."""
    return Ticket(
        order_id=order_id("paper", 0, number, subscriber, f"s-{number}", 0),
        subscriber_id=subscriber,
        account="PA-1",
        venue="paper",
        exchange="XNAS",
        symbol=symbol,
        currency="USD",
        multiplier=Decimal(1),
        side="BUY",
        quantity=TEN,
        order_type="MARKET",
        time_in_force="DAY",
        reserve_price=PRICE,
        request_id=f"r-{number}",
        signal_id=f"s-{number}",
        strategy_id="momentum",
        provenance=Provenance(strategy_id="momentum", regime_id="calm", decision_id=f"d-{number}"),
        approved_at=START,
    )


def order(of: Ticket, **changed: Any) -> Order:
    """The state of an order, on its way to the venue unless said otherwise."""
    known: dict[str, Any] = {
        "ticket": of,
        "status": "SUBMITTING",
        "quantity": of.quantity,
        "working": of.quantity,
        "reserve_price": of.reserve_price,
        "updated_at": START,
    }
    return Order(**known | changed)


def filled(of: Ticket) -> Order:
    """The state of an order that is done."""
    return order(of, status="FILLED", working=Decimal(0), filled=TEN, notional=TEN * PRICE, executions=("x-1",))


def fill(of: Ticket) -> Fill:
    """The whole of an order, executed at once."""
    return Fill(
        execution_id=f"x-{of.order_id}",
        order_id=of.order_id,
        venue=of.venue,
        exchange=of.exchange,
        symbol=of.symbol,
        currency=of.currency,
        multiplier=of.multiplier,
        side=of.side,
        quantity=of.quantity,
        price=PRICE,
        commission=Decimal("0.35"),
        at=START,
    )


def started(sequence: int, of: Ticket) -> Batch:
    """The batch in which an order began."""
    name = f"order/{of.order_id}"
    event = OrderStarted(
        at=START, order_id=of.order_id, subscriber_id=of.subscriber_id, exchange="XNAS", symbol=of.symbol, ticket=of
    )
    return batch(
        sequence, [(name, event)], {(name, ""): order(of)}, keys={(of.subscriber_id, of.signal_id): answer(of)}
    )


def answer(of: Ticket) -> Prior:
    """What the request of an order was answered."""
    return Prior(f"f-{of.request_id}", Outcome(request_id=of.request_id, status="ACCEPTED", orders=(of.order_id,)))


def done(sequence: int, of: Ticket) -> Batch:
    """The batch in which an order was filled and booked."""
    name, who = f"order/{of.order_id}", f"subscriber/{of.subscriber_id}"
    told = OrderFilled(
        at=START,
        order_id=of.order_id,
        subscriber_id=of.subscriber_id,
        exchange="XNAS",
        symbol=of.symbol,
        fill=fill(of),
        status="FILLED",
        filled=TEN,
    )
    booked = FillBooked(
        at=START,
        trade_id=f"T0000-{sequence:012x}-0001",
        subscriber_id=of.subscriber_id,
        strategy_id=of.strategy_id,
        provenance=of.provenance,
        fill=fill(of),
        working=TEN,
        reserved=TEN * PRICE,
        realized=Decimal("12.50"),
        position=TEN,
    )
    position = Position(
        exchange="XNAS", symbol=of.symbol, currency="USD", multiplier=Decimal(1), quantity=TEN, cost=TEN * PRICE
    )
    states: dict[tuple[str, str], Struct | None] = {
        (name, ""): filled(of),
        (who, f"position/XNAS:{of.symbol}"): position,
        (who, "cash/USD"): Balance(currency="USD", amount=Decimal("998499.55"), commission=Decimal("0.35")),
    }
    return batch(sequence, [(name, told), (who, booked)], states)


def denied(sequence: int, request_id: str, code: str = "NO_PRICE") -> Batch:
    """A batch in which a request was refused."""
    event = RequestDenied(
        at=START,
        key=request_id,
        fingerprint="f",
        request_id=request_id,
        signal_id="s",
        strategy_id="momentum",
        subscriber_id="alice",
        exchange="XNAS",
        symbol="AAPL",
        code=code,
        reason="because",
    )
    return batch(sequence, [("subscriber/alice", event)])
