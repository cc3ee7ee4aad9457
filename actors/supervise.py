"""The controls over all of trading, asked from a subscriber's turn after risk, and what orders are counted for them.

Asked only where something is in force or configured; nobody else pays for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from actors import gross, windows
from actors.turn import Turn
from engine import controls as c
from engine.commands import Ticket
from engine.control_commands import StopExecution
from engine.control_events import OverrideUsed
from engine.control_settings import NO_CONTROLS, ControlSettings
from engine.figures import Figures
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.risk import CHECKS
from engine.values import instrument_key

ALARM_S: Final = 60
"""How long a refusal of the same kind about the same is no new alarm, in seconds."""


class Asked(NamedTuple):
    """What an order is asked for: by whom, on which strategy's signal, where it would go, and its figures."""

    request_id: str
    subscriber_id: str
    strategy_id: str
    signal_id: str
    exchange: str
    symbol: str
    venue: str
    figures: Figures
    replaces: str = ""
    """The order that it takes the place of, if any."""
    in_block: bool = False
    """Whether its order is a part of a block."""

    @property
    def acts(self) -> tuple[str, str]:
        """The strategy, and the instrument it acts on."""
        return self.strategy_id, instrument_key(self.exchange, self.symbol)

    @property
    def order(self) -> Hashable:
        """What makes two orders the same."""
        figures = self.figures
        return self.subscriber_id, self.acts[1], figures.side, figures.quantity, figures.limit_price


def asked(
    what: ExecutionRequest | Ticket,
    subscriber_id: str,
    venue: str,
    figures: Figures,
    replaces: str = "",
    in_block: bool = False,
) -> Asked:
    """What is asked for by a request, or by the ticket of an order that is to be replaced."""
    return Asked(
        what.request_id,
        subscriber_id,
        what.strategy_id,
        what.signal_id,
        what.exchange,
        what.symbol,
        venue,
        figures,
        replaces,
        in_block,
    )


def in_force(turn: Turn) -> c.Controls | None:
    """What the desk has in force, None for nothing."""
    desk = turn.peek("desk/main")
    return None if desk is None else desk.controls


def regime(turn: Turn) -> c.RegimeInForce | None:
    """The regime, None for NORMAL."""
    controls = in_force(turn)
    return None if controls is None else controls.regime


def asks(turn: Turn) -> bool:
    """Whether orders have to be judged here at all."""
    return turn.rules.controls is not None or in_force(turn) is not None


def stopped(ticket: Ticket, turn: Turn) -> Refusal | None:
    """The kill, of all or of a scope, that an approved order falls under, or None."""
    desk = turn.peek("desk/main")
    if desk is not None and desk.killed:
        return Refusal("KILLED", f"killed by {desk.by}: {desk.reason}")
    return killed(ticket, ticket.subscriber_id, ticket.venue, turn)


def killed(what: Any, subscriber_id: str, venue: str, turn: Turn) -> Refusal | None:
    """The kill of a scope that a request or a ticket falls under, or None."""
    controls = in_force(turn)
    if controls is None:
        return None
    return c.killed(controls, subscriber_id, what.strategy_id, what.exchange, what.symbol, venue)


def judge(asked: Asked, turn: Turn) -> Refusal | None:
    """Why a sized order may not be placed, by risk's checks or the controls'; else None, and it is counted."""
    refusal = judged(asked, (), turn)
    if refusal is None:
        windows.count(asked, turn)
    return refusal


def judged(asked: Asked, beside: Sequence[Asked], turn: Turn) -> Refusal | None:
    """What `judge` says, with these orders of the same turn as if they were placed; nothing is counted."""
    controls, settings = in_force(turn) or c.NOTHING, turn.rules.controls or NO_CONTROLS
    used: list[tuple[Refusal, c.Override]] = []
    for refusal in _refusals(asked, beside, controls, settings, turn):
        override = c.waived(
            controls, refusal.code, asked.subscriber_id, asked.strategy_id, asked.exchange, asked.symbol, turn.now
        )
        if override is None:
            _alarm(refusal, asked, turn)
            return refusal
        used.append((refusal, override))
    for refusal, override in used:
        turn.record(
            OverrideUsed(
                at=turn.now,
                subscriber_id=asked.subscriber_id,
                request_id=asked.request_id,
                override_id=override.override_id,
                code=refusal.code,
                refusal=refusal.reason,
                by=override.by,
                reason=override.reason,
            )
        )
    return None


def _refusals(
    asked: Asked, beside: Sequence[Asked], controls: c.Controls, settings: ControlSettings, turn: Turn
) -> Iterator[Refusal]:
    """Everything that speaks against an order, the first first; asked for one at a time."""
    figures = asked.figures
    for check in CHECKS:
        if check.fails(figures):
            yield Refusal(check.code, check.sentence(figures))
    whose = asked.subscriber_id, asked.exchange, asked.symbol
    if (refusal := c.restricted(controls, settings, *whose)) is not None:
        yield refusal
    if (refusal := c.new_risk(controls.regime, figures.reduces)) is not None:
        yield refusal
    if not asked.replaces:
        if (refusal := _repeated(asked, controls, settings, turn)) is not None:
            yield refusal
        if (refusal := _duplicate(asked, beside, settings, turn)) is not None:
            yield refusal
    yield from _throttled(asked, beside, controls, settings, turn)
    if settings.gross is not None and not figures.reduces:
        yield from gross.exceeded(asked, beside, controls.regime, turn)


def _repeated(asked: Asked, controls: c.Controls, settings: ControlSettings, turn: Turn) -> Refusal | None:
    strategy, instrument = asked.acts
    stop = controls.stopped.get(f"{strategy} {instrument}")
    if stop is not None:
        return Refusal("REPEATED_EXECUTION", f"strategy_id: {stop.reason}; stopped until a person re-arms it")
    most = settings.repeats
    if most is None:
        return None
    if turn.watch.signals.count((*asked.acts, asked.signal_id), turn.now, most.seconds):
        return None  # This signal was acted on already, for another who follows it.
    if turn.watch.repeats.count(asked.acts, turn.now, most.seconds) < most.executions:
        return None
    reason = f"{strategy} acted on {instrument} by {most.executions} signals within {most.seconds} s, limit reached"
    turn.tell("desk/main", StopExecution(strategy_id=strategy, instrument=instrument, reason=reason))
    return Refusal("REPEATED_EXECUTION", f"strategy_id: {reason}; stopped until a person re-arms it")


def _duplicate(asked: Asked, beside: Sequence[Asked], settings: ControlSettings, turn: Turn) -> Refusal | None:
    most = settings.duplicates
    if most is None:
        return None
    found = turn.watch.duplicates.count(asked.order, turn.now, most.seconds)
    found += sum(one.order == asked.order for one in beside)
    if found < most.allowed:
        return None
    figures = asked.figures
    price = "the market" if figures.limit_price is None else figures.limit_price
    text = f"quantity: {figures.side} {figures.quantity} {asked.acts[1]} at {price} was placed {found} times within "
    return Refusal("DUPLICATE_ORDER", f"{text}{most.seconds} s, allowed {most.allowed}")


def _throttled(
    asked: Asked, beside: Sequence[Asked], controls: c.Controls, settings: ControlSettings, turn: Turn
) -> Iterator[Refusal]:
    for scope, name, throttle in windows.scopes(asked, settings):
        most = c.paced(throttle.messages, controls.regime)
        found = turn.watch.throttles[scope].count(name, turn.now, throttle.seconds)
        found += sum(scope != "venue" or one.venue == name for one in beside)
        if found >= most:
            text = f"{scope}: {name} sent {found} messages within {throttle.seconds} s, limit {most}"
            yield Refusal(f"THROTTLED_{scope.upper()}", text)


def _alarm(refusal: Refusal, asked: Asked, turn: Turn) -> None:
    """A person is told of what a control refuses, once a minute; of risk's own refusals its client is told."""
    if refusal.code not in c.ALARMING:
        return
    about = {
        "THROTTLED_STRATEGY": asked.strategy_id,
        "THROTTLED_VENUE": asked.venue,
        "THROTTLED_FIRM": "all",
        "MAX_STRATEGY_GROSS": asked.strategy_id,
        "MAX_FIRM_GROSS": "all",
    }.get(refusal.code, asked.subscriber_id)
    key = refusal.code, about
    if not turn.watch.alarms.count(key, turn.now, ALARM_S):
        turn.watch.alarms.add(key, turn.now)
        turn.alarm(refusal.code, about, refusal.reason)
