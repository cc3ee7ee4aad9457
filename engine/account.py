"""The fold of a subscriber's events: which parts of its state an event changes, and to what.

Parts: '' the profile, `position/<instrument>`, `cash/<currency>`, `subscription/<strategy>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from engine import events as e
from engine import ledger
from engine.ledger import Balance, Position
from engine.messages import Subscription
from engine.subscriber import changes
from engine.values import EXACT

Parts = Mapping[str, Any]
Change = tuple[str, Struct | None]
"""A part and its new value, None where it is dropped."""


def position(parts: Parts, exchange: str, symbol: str, currency: str, multiplier: Decimal) -> Position:
    """The position in an instrument, flat where there is none yet."""
    held: Position | None = parts.get(f"position/{exchange}:{symbol}")
    return ledger.flat(exchange, symbol, currency, multiplier) if held is None else held


def balance(parts: Parts, currency: str) -> Balance:
    """The cash in a currency, nothing where there is none yet."""
    return parts.get(f"cash/{currency}") or Balance(currency=currency)


def subscriptions(parts: Parts) -> dict[str, Subscription]:
    """The subscriptions by strategy."""
    return {part[13:]: value for part, value in parts.items() if part.startswith("subscription/")}


def _accepted(parts: Parts, event: e.RequestAccepted) -> Iterable[Change]:
    for ticket in event.tickets:
        held = position(parts, ticket.exchange, ticket.symbol, ticket.currency, ticket.multiplier)
        notional = EXACT.multiply(EXACT.multiply(ticket.quantity, ticket.reserve_price), ticket.multiplier)
        yield f"position/{ticket.instrument}", ledger.reserve(held, ticket.side, ticket.quantity, notional)


def _nothing(parts: Parts, event: Any) -> Iterable[Change]:
    """A decision that is kept, and changes no state."""
    return ()


def _reservation_changed(parts: Parts, event: e.ReservationChanged) -> Iterable[Change]:
    part = f"position/{event.exchange}:{event.symbol}"
    yield part, ledger.release(parts[part], event.side, event.working, event.reserved)


def _fill_booked(parts: Parts, event: e.FillBooked) -> Iterable[Change]:
    fill = event.fill
    held = position(parts, fill.exchange, fill.symbol, fill.currency, fill.multiplier)
    if event.working or event.reserved:
        held = ledger.release(held, fill.side, event.working, event.reserved)
    yield f"position/{fill.exchange}:{fill.symbol}", ledger.book(held, fill)
    yield f"cash/{fill.currency}", ledger.settle(balance(parts, fill.currency), fill)


def _saved(parts: Parts, event: e.SubscriberSaved) -> Iterable[Change]:
    change = changes(parts.get(""), subscriptions(parts), event.subscriber, event.source)
    if change is None:
        return
    yield "", change.profile
    for subscription in change.subscriptions:
        yield f"subscription/{subscription.strategy_id}", subscription
    for strategy in change.dropped:
        yield f"subscription/{strategy}", None
    for currency, amount in change.opening.items():
        yield f"cash/{currency}", ledger.move(balance(parts, currency), amount)


def _cash_moved(parts: Parts, event: e.CashMoved) -> Iterable[Change]:
    if event.amount:
        yield f"cash/{event.currency}", ledger.move(balance(parts, event.currency), event.amount)


def _day_opened(parts: Parts, event: e.DayOpened) -> Iterable[Change]:
    yield f"cash/{event.currency}", ledger.open_day(balance(parts, event.currency), event.day, event.equity)


def _status_changed(parts: Parts, event: e.SubscriberStatusChanged) -> Iterable[Change]:
    yield "", replace(parts[""], status=event.status)


FOLD: Final[dict[type, Callable[[Parts, Any], Iterable[Change]]]] = {
    e.RequestAccepted: _accepted,
    e.RequestDenied: _nothing,
    e.CommandDecided: _nothing,
    e.InputRefused: _nothing,
    e.ReservationChanged: _reservation_changed,
    e.FillBooked: _fill_booked,
    e.SubscriberSaved: _saved,
    e.CashMoved: _cash_moved,
    e.DayOpened: _day_opened,
    e.SubscriberStatusChanged: _status_changed,
}
"""What each event changes; a change is made before the next one is asked for."""
