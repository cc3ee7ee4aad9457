"""What orders are counted for in sliding windows (`actors.watch`): throttles, duplicates, repeats.

They are counted again from the journal when a process begins, so that a restart is no way around them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors.journal import Entry
from actors.turn import Turn
from engine.commands import Ticket
from engine.control_events import ExecutionRearmed
from engine.control_settings import NO_CONTROLS, ControlSettings, Throttle, longest_window
from engine.controls import paced
from engine.desk import Desk
from engine.events import Event, OrderStarted, ReplaceRequested, RequestAccepted
from engine.order import Order
from engine.target_events import TargetsDecided, TargetSteered

if TYPE_CHECKING:
    from decimal import Decimal

    from actors.supervise import Asked


def scopes(asked: Asked | Ticket, settings: ControlSettings) -> Iterator[tuple[str, str, Throttle]]:
    """(scope, name, throttle) of each throttle that an order falls under. An order in a block is no message to a venue:
    the block's is, once for all of them."""
    throttles = settings.throttles
    if asked.in_block:
        if throttles.subscriber is not None:
            yield "subscriber", asked.subscriber_id, throttles.subscriber
        return
    for scope, name, throttle in (
        ("subscriber", asked.subscriber_id, throttles.subscriber),
        ("strategy", asked.strategy_id, throttles.strategy),
        ("venue", asked.venue, throttles.venue),
        ("firm", "all", throttles.firm),
    ):
        if throttle is not None:
            yield scope, name, throttle


def left(ticket: Ticket, turn: Turn) -> int | None:
    """How many messages of an approved order the throttles let through now, None where there are none."""
    settings, found = turn.rules.controls, None
    if settings is None:
        return None
    desk: Desk | None = turn.peek("desk/main")
    regime = None if desk is None or desk.controls is None else desk.controls.regime
    for scope, name, throttle in scopes(ticket, settings):
        most = paced(throttle.messages, regime)
        more = most - turn.watch.throttles[scope].count(name, turn.now, throttle.seconds)
        found = more if found is None else min(found, more)
    return found


def sent(ticket: Ticket, turn: Turn) -> None:
    """An approved order sends a message more than it was counted for: a child, or another price of one."""
    settings = turn.rules.controls
    if settings is not None:
        _message(ticket, turn.now, settings, turn)


def count(asked: Asked, turn: Turn) -> None:
    """An order that was judged is placed: it counts in every window from now on."""
    settings = turn.rules.controls
    if settings is None:
        return
    _message(asked, turn.now, settings, turn)
    if not asked.replaces:
        _order(asked.order, asked.acts, asked.signal_id, turn.now, settings, turn)


def _message(who: Asked | Ticket, at: datetime, settings: ControlSettings, turn: Turn) -> None:
    for scope, name, _ in scopes(who, settings):
        turn.watch.throttles[scope].add(name, at)


def _order(
    same: Hashable, acts: tuple[str, str], signal_id: str, at: datetime, settings: ControlSettings, turn: Turn
) -> None:
    watch = turn.watch
    if settings.duplicates is not None:
        watch.duplicates.add(same, at)
    if settings.repeats is not None:
        signal = (*acts, signal_id)
        if not watch.signals.count(signal, at, settings.repeats.seconds):
            watch.signals.add(signal, at)
            watch.repeats.add(acts, at)


# after a start


def reach(turn: Turn, now: datetime) -> datetime | None:
    """From when on the journal has to be counted again, None where no window is configured."""
    settings = turn.rules.controls
    seconds = 0 if settings is None else longest_window(settings)
    return now - timedelta(seconds=seconds) if seconds else None


class Recall:
    """Counts again what the journal says was sent, entry by entry."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._settings = turn.rules.controls or NO_CONTROLS
        self._tickets: dict[str, Ticket] = {}

    def take(self, entry: Entry) -> None:
        """Counts one entry; they come in order."""
        for _, event in entry.events:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case RequestAccepted():
                for ticket in event.tickets:
                    self._placed(ticket, event.figures.limit_price, event.at)
            case TargetsDecided() | TargetSteered():
                for ticket in event.tickets:
                    self._placed(ticket, ticket.limit_price, event.at)
            case OrderStarted():
                self._tickets[event.order_id] = event.ticket
                if event.ticket.parent or event.ticket.for_block:
                    _message(event.ticket, event.at, self._settings, self._turn)
            case ReplaceRequested():
                order: Order | None = self._turn.peek(f"order/{event.order_id}")
                known = self._tickets.get(event.order_id) if order is None else order.ticket
                if known is not None:
                    _message(known, event.at, self._settings, self._turn)
            case ExecutionRearmed():
                self._turn.watch.repeats.forget((event.strategy_id, event.instrument))

    def _placed(self, ticket: Ticket, price: Decimal | None, at: datetime) -> None:
        _message(ticket, at, self._settings, self._turn)
        acts = ticket.strategy_id, ticket.instrument
        same = ticket.subscriber_id, acts[1], ticket.side, ticket.quantity, price
        _order(same, acts, ticket.signal_id, at, self._settings, self._turn)
