"""What orders are counted for in sliding windows (`actors.watch`): throttles, duplicates, repeats.

They are counted again from the journal when a process begins, so that a restart is no way around them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors import gross
from actors.journal import Entry
from actors.turn import Turn
from engine.blocks import BlockFormed
from engine.commands import Ticket
from engine.control_events import ExecutionRearmed
from engine.control_settings import NO_CONTROLS, ControlSettings, Throttle, longest_window
from engine.controls import RegimeInForce, grossed, paced
from engine.desk import Desk
from engine.events import Event, OrderStarted, ReplaceRequested, RequestAccepted
from engine.order import Order
from engine.refusal import Refusal
from engine.target_events import TargetsDecided, TargetSteered
from engine.values import ZERO
from engine.weighed import Most, Terms, Weights

if TYPE_CHECKING:
    from decimal import Decimal

    from actors.supervise import Asked


def scopes(asked: Ticket, settings: ControlSettings) -> Iterator[tuple[str, str, Throttle]]:
    """(scope, name, throttle) of each throttle that an approved order falls under."""
    throttles = settings.throttles
    for scope, name, throttle in (
        ("subscriber", asked.subscriber_id, throttles.subscriber),
        ("strategy", asked.strategy_id, throttles.strategy),
        ("venue", asked.venue, throttles.venue),
        ("firm", "all", throttles.firm),
    ):
        if throttle is not None:
            yield scope, name, throttle


class Standing:
    """The limits that all orders are judged by, worked out once for a configuration and a regime."""

    __slots__ = ("gross", "regime", "settings", "strategies", "terms")

    def __init__(self, settings: ControlSettings, regime: RegimeInForce | None) -> None:
        self.settings = settings
        self.regime = regime
        throttles, gross, repeats, same = settings.throttles, settings.gross, settings.repeats, settings.duplicates

        def most(throttle: Throttle | None) -> Most | None:
            return None if throttle is None else (paced(throttle.messages, regime), throttle.seconds)

        def limit(of: Decimal | None) -> Decimal | None:
            return None if of is None else grossed(of, regime)

        self.terms = Terms(
            repeats=None if repeats is None else (repeats.executions, repeats.seconds),
            duplicates=None if same is None else (same.allowed, same.seconds),
            subscriber=most(throttles.subscriber),
            strategy=most(throttles.strategy),
            venue=most(throttles.venue),
            firm=most(throttles.firm),
            gross=None if gross is None else limit(gross.firm),
        )
        self.gross = None if gross is None else limit(gross.strategy)
        self.strategies = {} if gross is None else {name: grossed(of, regime) for name, of in gross.strategies.items()}


def _standing(settings: ControlSettings, regime: RegimeInForce | None, turn: Turn) -> Standing:
    found: Standing | None = turn.watch.standing
    if found is None or found.settings is not settings or found.regime is not regime:
        found = turn.watch.standing = Standing(settings, regime)
    return found


def weigh(
    asked: Asked, beside: Sequence[Asked], settings: ControlSettings, regime: RegimeInForce | None, turn: Turn
) -> Weights:
    """What the controls that count find of an order, with those `beside` it as if they were placed."""
    standing, watch, now = _standing(settings, regime, turn), turn.watch, turn.now
    throttles, figures = watch.throttles, asked.figures
    terms = standing.terms
    repeats = duplicates = subscriber = strategy = venue = firm = 0
    acted = bool(asked.replaces)
    if not acted and terms.repeats is not None:
        seconds = terms.repeats[1]
        acted = watch.signals.count((*asked.acts, asked.signal_id), now, seconds) > 0
        repeats = watch.repeats.count(asked.acts, now, seconds)
    if terms.duplicates is not None and not asked.replaces:
        duplicates = watch.duplicates.count(asked.same, now, terms.duplicates[1])
    if terms.subscriber is not None:
        subscriber = throttles["subscriber"].count(asked.subscriber_id, now, terms.subscriber[1])
    if terms.strategy is not None:
        strategy = throttles["strategy"].count(asked.strategy_id, now, terms.strategy[1])
    if terms.venue is not None:
        venue = throttles["venue"].count(asked.venue, now, terms.venue[1])
    if terms.firm is not None:
        firm = throttles["firm"].count("all", now, terms.firm[1])
    for one in beside:
        duplicates += one.same == asked.same
        subscriber, strategy, firm = subscriber + 1, strategy + 1, firm + 1
        venue += one.venue == asked.venue
    if settings.gross is None or figures.reduces:
        return Weights(terms, asked.venue, repeats, acted, duplicates, subscriber, strategy, venue, firm)
    found = gross.weigh(asked, beside, settings.gross, turn)
    return Weights(
        terms,
        asked.venue,
        repeats,
        acted,
        duplicates,
        subscriber,
        strategy,
        venue,
        firm,
        figures.notional or ZERO,
        found.executed,
        found.works,
        standing.strategies.get(asked.strategy_id, standing.gross),
        found.executed_by_all,
        found.works_of_all,
    )


def left(ticket: Ticket, turn: Turn) -> int | None:
    """How many messages of an approved order the throttles let through now, None where there are none."""
    return min((more for _, more in _left(ticket, turn)), default=None)


def full(ticket: Ticket, turn: Turn) -> Refusal | None:
    """The throttle that lets no message of an approved order through now, or None."""
    for scope, more in _left(ticket, turn):
        if more <= 0:
            reason = f"{scope}: its throttle lets no more messages through now"
            return Refusal(f"THROTTLED_{scope.upper()}", reason)
    return None


def _left(ticket: Ticket, turn: Turn) -> Iterator[tuple[str, int]]:
    """How many messages more each throttle lets through."""
    settings = turn.rules.controls
    if settings is None:
        return
    desk: Desk | None = turn.peek("desk/main")
    regime = None if desk is None or desk.controls is None else desk.controls.regime
    for scope, name, throttle in scopes(ticket, settings):
        count = turn.watch.throttles[scope].count(name, turn.now, throttle.seconds)
        yield scope, paced(throttle.messages, regime) - count


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
        _order(asked.same, asked.acts, asked.signal_id, turn.now, settings, turn)


def _message(who: Asked | Ticket, at: datetime, settings: ControlSettings, turn: Turn) -> None:
    throttles, windows = settings.throttles, turn.watch.throttles
    if throttles.subscriber is not None:
        windows["subscriber"].add(who.subscriber_id, at)
    if who.in_block:
        return  # No message to a venue: the block's is, once for all of them.
    if throttles.strategy is not None:
        windows["strategy"].add(who.strategy_id, at)
    if throttles.venue is not None:
        windows["venue"].add(who.venue, at)
    if throttles.firm is not None:
        windows["firm"].add("all", at)


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
            case BlockFormed():
                for ticket in event.orders:
                    _message(ticket, event.at, self._settings, self._turn)
            case OrderStarted():
                self._tickets[event.order_id] = event.ticket
                if event.ticket.parent:
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
