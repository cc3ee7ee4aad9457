"""The controls over all of trading, asked from a subscriber's turn after risk.

Asked only where something is in force or configured; nobody else pays for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

from actors import windows
from actors.turn import Turn
from engine import controls as c
from engine.aims import Aim
from engine.commands import Ticket
from engine.control_commands import StopExecution
from engine.control_events import OverrideUsed
from engine.control_settings import NO_CONTROLS, ControlSettings
from engine.figures import Figures
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.risk import CHECKS, check
from engine.weighed import UNTIL, Weights, weighed


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
    acts: tuple[str, str]
    """The strategy, and the instrument it acts on."""
    same: Hashable
    """What makes two orders the same."""
    replaces: str = ""
    """The order that it takes the place of, if any."""
    in_block: bool = False
    """Whether its order is a part of a block."""


def asked(
    what: ExecutionRequest | Ticket | Aim,
    subscriber_id: str,
    venue: str,
    figures: Figures,
    replaces: str = "",
    in_block: bool = False,
) -> Asked:
    """What is asked for by a request, by an aim, or by the ticket of an order that is to be replaced."""
    instrument = f"{what.exchange}:{what.symbol}"
    return Asked(
        request_id=what.request_id,
        subscriber_id=subscriber_id,
        strategy_id=what.strategy_id,
        signal_id=what.signal_id,
        exchange=what.exchange,
        symbol=what.symbol,
        venue=venue,
        figures=figures,
        acts=(what.strategy_id, instrument),
        same=(subscriber_id, instrument, figures.side, figures.quantity, figures.limit_price),
        replaces=replaces,
        in_block=in_block,
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
    """Why an order may not be placed, None where it may; and what the controls that count found, if they were asked."""

    refusal: Refusal | None
    weights: Weights | None = None


def judge(asked: Asked, turn: Turn) -> Verdict:
    """Whether a sized order may be placed, by risk's checks and the controls'; if so, it is counted."""
    verdict = judged(asked, (), turn)
    if verdict.refusal is None:
        windows.count(asked, turn)
    return verdict


def judged(asked: Asked, beside: Sequence[Asked], turn: Turn) -> Verdict:
    """What `judge` says, with these orders of the same turn as if they were placed; nothing is counted."""
    controls, settings = in_force(turn) or c.NOTHING, turn.rules.controls
    figures, whose = asked.figures, (asked.subscriber_id, asked.exchange, asked.symbol)
    weights = None if settings is None else windows.weigh(asked, beside, settings, controls.regime, turn)
    if (
        check(figures) is None
        and (weights is None or weights.passes)
        and c.restricted(controls, settings or NO_CONTROLS, *whose) is None
        and c.new_risk(controls.regime, figures.reduces) is None
        and not (controls.stopped and not asked.replaces)
    ):
        # Most orders pass: nobody needs the sentences that are made below.
        return Verdict(None, weights)
    return Verdict(_refused(asked, weights, controls, settings or NO_CONTROLS, turn), weights)


def foresee(asked: Asked, beside: Sequence[Asked], turn: Turn) -> Verdict:
    """What `judged` says of an order that is not to be placed yet: nobody is told, and no override is used."""
    controls, settings = in_force(turn) or c.NOTHING, turn.rules.controls
    whose = asked.subscriber_id, asked.strategy_id, asked.exchange, asked.symbol, turn.now
    weights = None if settings is None else windows.weigh(asked, beside, settings, controls.regime, turn)
    found = _refusals(asked, weights, controls, settings or NO_CONTROLS, None)
    return Verdict(next((one for one in found if c.waived(controls, one.code, *whose) is None), None), weights)


def _refused(
    asked: Asked, weights: Weights | None, controls: c.Controls, settings: ControlSettings, turn: Turn
) -> Refusal | None:
    """The first thing that speaks against an order and is not overridden; what is overridden is recorded."""
    used: list[tuple[Refusal, c.Override]] = []
    for refusal in _refusals(asked, weights, controls, settings, turn):
        override = c.waived(
            controls, refusal.code, asked.subscriber_id, asked.strategy_id, asked.exchange, asked.symbol, turn.now
        )
        if override is None:
            alarm(refusal, asked, turn)
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
    asked: Asked, weights: Weights | None, controls: c.Controls, settings: ControlSettings, turn: Turn | None
) -> Iterator[Refusal]:
    """Everything that speaks against an order, the first first; asked for one at a time. Without a turn nothing follows
    from it: a strategy that acts too often is not stopped."""
    figures = asked.figures
    for row in CHECKS:
        if row.fails(figures):
            yield Refusal(row.code, row.sentence(figures))
    whose = asked.subscriber_id, asked.exchange, asked.symbol
    if (refusal := c.restricted(controls, settings, *whose)) is not None:
        yield refusal
    if (refusal := c.new_risk(controls.regime, figures.reduces)) is not None:
        yield refusal
    strategy, instrument = asked.acts
    stop = None if asked.replaces else controls.stopped.get(f"{strategy} {instrument}")
    if stop is not None:
        yield Refusal("REPEATED_EXECUTION", f"strategy_id: {stop.reason}; {UNTIL}")
    for code, passes, text in () if weights is None else weighed(weights, figures, asked.subscriber_id, strategy):
        if passes:
            continue
        if code == "REPEATED_EXECUTION" and turn is not None:
            reason = text.removeprefix("strategy_id: ").removesuffix(f"; {UNTIL}")
            turn.tell("desk/main", StopExecution(strategy_id=strategy, instrument=instrument, reason=reason))
        yield Refusal(code, text)


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
    if turn.watch.untold(refusal.code, asked.strategy_id if refusal.code in c.LIMITS else about, turn.now):
        turn.alarm(refusal.code, about, refusal.reason)
