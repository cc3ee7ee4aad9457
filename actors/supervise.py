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
from engine.weighed import UNTIL, Weighed

THROTTLED: Final = {scope: f"THROTTLED_{scope.upper()}" for scope in ("subscriber", "strategy", "venue", "firm")}
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


class Verdict(NamedTuple):
    """Why an order may not be placed, None where it may; and the figures of the controls, as far as they were asked."""

    refusal: Refusal | None
    weighed: tuple[Weighed, ...] = ()


def judge(asked: Asked, turn: Turn) -> Verdict:
    """Whether a sized order may be placed, by risk's checks and the controls'; if so, it is counted."""
    verdict = judged(asked, (), turn)
    if verdict.refusal is None:
        windows.count(asked, turn)
    return verdict


def judged(asked: Asked, beside: Sequence[Asked], turn: Turn) -> Verdict:
    """What `judge` says, with these orders of the same turn as if they were placed; nothing is counted."""
    controls, settings = in_force(turn) or c.NOTHING, turn.rules.controls or NO_CONTROLS
    used: list[tuple[Refusal, c.Override]] = []
    weighed: tuple[Weighed, ...] = ()
    for found in _found(asked, beside, controls, settings, turn):
        if isinstance(found, tuple):
            weighed = found
            continue
        override = c.waived(
            controls, found.code, asked.subscriber_id, asked.strategy_id, asked.exchange, asked.symbol, turn.now
        )
        if override is None:
            alarm(found, asked, turn)
            return Verdict(found, weighed)
        used.append((found, override))
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
    return Verdict(None, weighed)


def _found(
    asked: Asked, beside: Sequence[Asked], controls: c.Controls, settings: ControlSettings, turn: Turn
) -> Iterator[Refusal | tuple[Weighed, ...]]:
    """Everything that speaks against an order, the first first; asked for one at a time. Risk comes first, then what
    the controls weighed is told."""
    figures = asked.figures
    for check in CHECKS:
        if check.fails(figures):
            yield Refusal(check.code, check.sentence(figures))
    weighed = tuple(_weigh(asked, beside, controls, settings, turn))
    yield weighed
    whose = asked.subscriber_id, asked.exchange, asked.symbol
    if (refusal := c.restricted(controls, settings, *whose)) is not None:
        yield refusal
    if (refusal := c.new_risk(controls.regime, figures.reduces)) is not None:
        yield refusal
    strategy, instrument = asked.acts
    stop = None if asked.replaces else controls.stopped.get(f"{strategy} {instrument}")
    if stop is not None:
        yield Refusal("REPEATED_EXECUTION", f"strategy_id: {stop.reason}; {UNTIL}")
    for one in weighed:
        if one.fails:
            reason = one.sentence()
            if one.code == "REPEATED_EXECUTION":
                stopped = reason.removeprefix("strategy_id: ").removesuffix(f"; {UNTIL}")
                turn.tell("desk/main", StopExecution(strategy_id=strategy, instrument=instrument, reason=stopped))
            yield Refusal(one.code, reason)


def _weigh(
    asked: Asked, beside: Sequence[Asked], controls: c.Controls, settings: ControlSettings, turn: Turn
) -> Iterator[Weighed]:
    """The figures of every control that is configured, in the order in which they are judged."""
    watch, now, figures = turn.watch, turn.now, asked.figures
    most, same = settings.repeats, settings.duplicates
    if most is not None and not asked.replaces:
        yield Weighed(
            code="REPEATED_EXECUTION",
            whose=f"{asked.strategy_id} acted on {asked.acts[1]}",
            found=watch.repeats.count(asked.acts, now, most.seconds),
            most=most.executions,
            seconds=most.seconds,
            # For another who follows it, this signal was acted on before.
            known=watch.signals.count((*asked.acts, asked.signal_id), now, most.seconds) > 0,
        )
    if same is not None and not asked.replaces:
        price = "the market" if figures.limit_price is None else figures.limit_price
        yield Weighed(
            code="DUPLICATE_ORDER",
            whose=f"{figures.side} {figures.quantity} {asked.acts[1]} at {price}",
            found=watch.duplicates.count(asked.order, now, same.seconds)
            + sum(one.order == asked.order for one in beside),
            most=same.allowed,
            seconds=same.seconds,
        )
    for scope, name, throttle in windows.scopes(asked, settings):
        yield Weighed(
            code=THROTTLED[scope],
            whose=name,
            found=watch.throttles[scope].count(name, now, throttle.seconds)
            + sum(scope != "venue" or one.venue == name for one in beside),
            most=c.paced(throttle.messages, controls.regime),
            seconds=throttle.seconds,
        )
    if settings.gross is not None and not figures.reduces:
        yield from gross.weigh(asked, beside, controls.regime, turn)


def alarm(refusal: Refusal, asked: Asked, turn: Turn) -> None:
    """A person is told of what a control refuses, once a minute; of risk's limits the first of a strategy's orders."""
    if refusal.code not in c.ALARMING:
        return
    about = {
        "THROTTLED_STRATEGY": asked.strategy_id,
        "THROTTLED_VENUE": asked.venue,
        "THROTTLED_FIRM": "all",
        "MAX_STRATEGY_GROSS": asked.strategy_id,
        "MAX_FIRM_GROSS": "all",
    }.get(refusal.code, asked.subscriber_id)
    key = refusal.code, asked.strategy_id if refusal.code in c.LIMITS else about
    if not turn.watch.alarms.count(key, turn.now, ALARM_S):
        turn.watch.alarms.add(key, turn.now)
        turn.alarm(refusal.code, about, refusal.reason)
