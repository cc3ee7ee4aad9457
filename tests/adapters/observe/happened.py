"""Events of an order's life, made for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from actors.journal import Batch
from engine import events as e
from engine.commands import Fill, Ticket
from engine.specification import Specification
from engine.work import WorkEnded, WorkStarted

AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
D = Decimal


def ticket(number: int = 1, **changes: Any) -> Ticket:
    """An approved order for 10 AAPL at the market."""
    fields: dict[str, Any] = {
        "order_id": f"paper-{number:08x}-0000-8000-8000-000000000000",
        "subscriber_id": "alice",
        "account": "PA-1",
        "venue": "paper",
        "exchange": "XNAS",
        "symbol": "AAPL",
        "currency": "USD",
        "multiplier": D(1),
        "side": "BUY",
        "quantity": D(10),
        "order_type": "MARKET",
        "time_in_force": "DAY",
        "reserve_price": D(150),
        "request_id": f"r-{number}",
        "signal_id": f"s-{number}",
        "strategy_id": "momentum",
        "approved_at": AT,
    }
    return Ticket(**{**fields, **changes})


def about(of: Ticket, after_s: float = 0.0) -> dict[str, Any]:
    """What every event of an order has."""
    return {
        "at": AT + timedelta(seconds=after_s),
        "order_id": of.order_id,
        "subscriber_id": of.subscriber_id,
        "exchange": of.exchange,
        "symbol": of.symbol,
    }


def started(of: Ticket) -> e.OrderStarted:
    """The order's first event."""
    return e.OrderStarted(**about(of), ticket=of)


def filled(of: Ticket, after_s: float = 0.004, status: Any = "FILLED") -> e.OrderFilled:
    """A fill of all of it."""
    fill = Fill(
        execution_id="x-1",
        order_id=of.order_id,
        venue=of.venue,
        exchange=of.exchange,
        symbol=of.symbol,
        currency=of.currency,
        multiplier=of.multiplier,
        side=of.side,
        quantity=of.quantity,
        price=D("150.01"),
        commission=D(1),
        at=AT,
    )
    return e.OrderFilled(**about(of, after_s), fill=fill, status=status, filled=of.quantity)


def worked(of: Ticket) -> WorkStarted:
    """The first event of an order that is worked at our side."""
    spec = Specification(side=of.side, quantity=of.quantity, kind="MARKET", order_type="MARKET", time_in_force="DAY",
                         tick_size=D("0.01"), lot_size=D(1))  # fmt: skip
    return WorkStarted(**about(of), ticket=of, spec=spec, reason="TWAP")


def work_over(of: Ticket, status: Any) -> WorkEnded:
    """And its last."""
    return WorkEnded(**about(of, 1), status=status, filled=D(0))


def denied(code: str = "OFF_LOT") -> e.RequestDenied:
    """A refusal."""
    return e.RequestDenied(
        at=AT,
        key="intent/k-1",
        fingerprint="[]",
        request_id="k-1",
        signal_id="intent:k-1",
        strategy_id="intent",
        subscriber_id="bob",
        exchange="XNYS",
        symbol="IBM",
        code=code,
        reason="quantity: 7.5 is not a multiple of lot_size 1",
    )


def alarm() -> e.AlarmRaised:
    """What a person has to look at."""
    return e.AlarmRaised(at=AT, code="ORDER_UNKNOWN", about="order/paper-1", reason="no word")


def batch(sequence: int, *events: e.Event, after_s: float = 0.0) -> Batch:
    """A committed batch of these events."""
    return Batch(
        sequence=sequence,
        at=AT + timedelta(seconds=after_s),
        events=[("order/x", event) for event in events],
        states={},
        left=[],
        taken=0,
        outgoing=[],
        cursors={},
        keys={},
    )
