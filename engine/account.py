"""The fold of a subscriber's events: which parts of its state an event changes, and to what.

Parts: '' the profile, `position/<instrument>`, `cash/<currency>`, `subscription/<strategy>`, `target/<instrument>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from engine import events as e
from engine import ledger
from engine import target_events as t
from engine.commands import Fill, Ticket
from engine.control_events import OverrideUsed
from engine.ledger import Balance, Position
from engine.messages import Subscription
from engine.subscriber import changes
from engine.values import multiply

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


def _held(parts: Parts, part: str, what: Ticket | Fill) -> Position:
    held: Position | None = parts.get(part)
    return ledger.flat(what.exchange, what.symbol, what.currency, what.multiplier) if held is None else held


def _accepted(parts: Parts, event: e.RequestAccepted) -> Iterable[Change]:
    return _reserved(parts, event.tickets).items()


def _reserved(parts: Parts, tickets: Iterable[Ticket]) -> dict[str, Position]:
    changed: dict[str, Position] = {}
    for ticket in tickets:
        part = f"position/{ticket.exchange}:{ticket.symbol}"
        notional = multiply(multiply(ticket.quantity, ticket.reserve_price), ticket.multiplier)
        held = changed.get(part) or _held(parts, part, ticket)
        changed[part] = ledger.reserve(held, ticket.side, ticket.quantity, notional)
    return changed


def _nothing(parts: Parts, event: Any) -> Iterable[Change]:
    """A decision that is kept, and changes no state."""
    return ()


def _reservation_changed(parts: Parts, event: e.ReservationChanged) -> Iterable[Change]:
    part = f"position/{event.exchange}:{event.symbol}"
    return ((part, ledger.release(parts[part], event.side, event.working, event.reserved)),)


def _fill_booked(parts: Parts, event: e.FillBooked) -> Iterable[Change]:
    fill = event.fill
    part = f"position/{fill.exchange}:{fill.symbol}"
    held = _held(parts, part, fill)
    if event.working or event.reserved:
        held = ledger.release(held, fill.side, event.working, event.reserved)
    paid = ledger.settle(balance(parts, fill.currency), fill)
    return (part, ledger.book(held, fill)), (f"cash/{fill.currency}", paid)


def _saved(parts: Parts, event: e.SubscriberSaved) -> Iterable[Change]:
    change = changes(parts.get(""), subscriptions(parts), event.subscriber, event.source)
    if change is None:
        return ()
    changed: list[Change] = [("", change.profile)]
    changed.extend((f"subscription/{followed.strategy_id}", followed) for followed in change.subscriptions)
    changed.extend((f"subscription/{strategy}", None) for strategy in change.dropped)
    for currency, amount in change.opening.items():
        changed.append((f"cash/{currency}", ledger.move(balance(parts, currency), amount)))
    return changed


def _cash_moved(parts: Parts, event: e.CashMoved) -> Iterable[Change]:
    if not event.amount:
        return ()
    return ((f"cash/{event.currency}", ledger.move(balance(parts, event.currency), event.amount)),)


def _day_opened(parts: Parts, event: e.DayOpened) -> Iterable[Change]:
    return ((f"cash/{event.currency}", ledger.open_day(balance(parts, event.currency), event.day, event.equity)),)


def _status_changed(parts: Parts, event: e.SubscriberStatusChanged) -> Iterable[Change]:
    return (("", replace(parts[""], status=event.status)),)


def _targets_decided(parts: Parts, event: t.TargetsDecided) -> Iterable[Change]:
    yield from _reserved(parts, event.tickets).items()
    for aim in event.aims:
        yield f"target/{aim.instrument}", aim
    for instrument in event.settled:
        yield f"target/{instrument}", None


def _target_steered(parts: Parts, event: t.TargetSteered) -> Iterable[Change]:
    yield from _reserved(parts, event.tickets).items()
    yield f"target/{event.exchange}:{event.symbol}", event.aim


def _target_reached(parts: Parts, event: t.TargetReached) -> Iterable[Change]:
    return ((f"target/{event.exchange}:{event.symbol}", None),)


def _target_failed(parts: Parts, event: t.TargetFailed) -> Iterable[Change]:
    return ((f"target/{event.exchange}:{event.symbol}", event.aim),)


FOLD: Final[dict[type, Callable[[Parts, Any], Iterable[Change]]]] = {
    e.RequestAccepted: _accepted,
    e.RequestDenied: _nothing,
    e.CommandDecided: _nothing,
    OverrideUsed: _nothing,
    e.InputRefused: _nothing,
    e.ReservationChanged: _reservation_changed,
    e.FillBooked: _fill_booked,
    e.SubscriberSaved: _saved,
    e.CashMoved: _cash_moved,
    e.DayOpened: _day_opened,
    e.SubscriberStatusChanged: _status_changed,
    t.TargetsDecided: _targets_decided,
    t.TargetSteered: _target_steered,
    t.TargetReached: _target_reached,
    t.TargetFailed: _target_failed,
}
"""What each event changes, each part once."""
