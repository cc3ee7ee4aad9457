"""What the desk does about the controls: kills and resumes by scope, regimes, restrictions, overrides."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from actors import regimes
from actors.turn import Turn
from engine.commands import CancelOrder, Kill, Resume
from engine.control_commands import DeclareRegime, EndOverride, GrantOverride, Rearm, Regime, Restrict, StopExecution
from engine.control_events import (
    ExecutionRearmed,
    ExecutionStopped,
    OverrideEnded,
    OverrideGranted,
    RegimeDeclared,
    Restricted,
)
from engine.control_settings import UNCHANGED, RegimeName, RegimeSettings, laxer, meaning
from engine.controls import SOFT
from engine.events import InputRefused, Killed, Resumed
from engine.messages import Outcome
from engine.order import Order
from engine.values import ID_PATTERN

if TYPE_CHECKING:
    from actors.desk import DeskActor

MAX_EACH: Final = 1000
"""Restrictions, and overrides, that a desk holds: each change writes all of them."""
MAX_OVERRIDE: Final = timedelta(hours=24)
_named: Final = re.compile(ID_PATTERN).match


def kill(actor: DeskActor, message: Kill, turn: Turn) -> None:
    """Always accepted. Nothing of this scope is decided or sent from here on, and what is open is cancelled."""
    scope, name = message.scope, message.name
    if scope != "firm" and not _named(name):
        _refuse(turn, "BAD_TEXT", f"name: say which {scope} is killed")
        return
    known = actor.desk.killed if scope == "firm" else f"{scope}/{name}" in actor.controls.kills
    if not known:
        turn.record(Killed(at=turn.now, reason=message.reason, by=message.by, scope=scope, name=name))
    orders = [address for address in turn.residents("order") if _within(turn.peek(address), scope, name)]
    about = "" if scope == "firm" else f" {scope} {name}"
    for address in orders:
        turn.tell(address, CancelOrder(reason=f"killed{about}: {message.reason}"))
    _accept(turn, f"killed{about}; {len(orders)} open orders are being cancelled")


def _within(order: Order | None, scope: str, name: str) -> bool:
    """Whether an order is of this scope."""
    if scope == "firm":
        return True
    if order is None:
        return False
    ticket = order.ticket
    if scope == "symbol":
        return name in (ticket.symbol, ticket.instrument)
    return name == {"subscriber": ticket.subscriber_id, "strategy": ticket.strategy_id, "venue": ticket.venue}[scope]


def resume(actor: DeskActor, message: Resume, turn: Turn) -> None:
    """Ends the kill of this scope, and of no other."""
    scope, name = message.scope, message.name
    if not message.reason.strip():
        _refuse(turn, "MISSING_REASON", "reason: say why trading may go on")
    elif scope == "firm":
        if actor.desk.killed:
            turn.record(Resumed(at=turn.now, reason=message.reason, by=message.by))
        _accept(turn, "trading is on")
    elif f"{scope}/{name}" not in actor.controls.kills:
        _refuse(turn, "NOT_IN_FORCE", f"name: {scope} {name} is not killed")
    else:
        turn.record(Resumed(at=turn.now, reason=message.reason, by=message.by, scope=scope, name=name))
        _accept(turn, f"{scope} {name} may trade")


def ask_regime(actor: DeskActor, message: Regime, turn: Turn) -> None:
    """A client declares a regime: a stricter one is taken from anyone, a laxer one in the name of a person only."""
    problem = message.problem()
    if problem is not None:
        _refuse(turn, *problem)
        return
    was, before = _regime(actor)
    if laxer(was, before, message.regime, meaning(turn.rules.config.regimes, message.regime)):
        persons = turn.rules.config.admin.persons
        if message.by not in persons:
            named = ", ".join(sorted(persons)) or "nobody"
            reason = (
                f"by: {message.by} may not declare {message.regime}, which is laxer than {was}: [admin] persons names "
                f"{named}; a person may declare it over the admin socket"
            )
            excerpt = f"{message.regime} by {message.by}: {message.reason}"[:500]
            refused = InputRefused(
                at=turn.now, subject=actor.address, code="LAXER_REGIME", reason=reason, excerpt=excerpt
            )
            turn.record(refused)
            _refuse(turn, "LAXER_REGIME", reason)
            return
    _declare(actor, message, turn)


def declare(actor: DeskActor, message: DeclareRegime, turn: Turn) -> None:
    """A person declares a regime, whatever is in force."""
    if message.reason.strip():
        _declare(actor, message, turn)
    else:
        _refuse(turn, "MISSING_REASON", "reason: say why the regime changes")


def _declare(actor: DeskActor, message: Regime | DeclareRegime, turn: Turn) -> None:
    """What the regime means is taken from the configuration now, and holds until the next is declared."""
    settings = meaning(turn.rules.config.regimes, message.regime)
    changes, sheds = (message.regime, settings) != _regime(actor), settings.cancel_working
    if changes:
        turn.record(
            RegimeDeclared(at=turn.now, regime=message.regime, settings=settings, reason=message.reason, by=message.by)
        )
    looked = regimes.tell_all(turn, f"regime {message.regime}: {message.reason}") if changes or sheds else 0
    text = f"; {looked} open orders are looked at, and those that add risk cancelled" if sheds else ""
    _accept(turn, f"the regime is {message.regime}{text}")


def _regime(actor: DeskActor) -> tuple[RegimeName, RegimeSettings]:
    """The regime in force, and what it changes."""
    found = actor.controls.regime
    return ("NORMAL", UNCHANGED) if found is None else (found.name, found.settings)


def restrict(actor: DeskActor, message: Restrict, turn: Turn) -> None:
    """Puts a symbol on the restricted list, for all or for one, or takes it off; open orders go on."""
    symbol, whom = message.symbol, message.subscriber_id
    name = f"{symbol} {whom}".strip()
    listed = actor.controls.restricted
    if not message.reason.strip():
        _refuse(turn, "MISSING_REASON", "reason: say why the restricted list changes")
    elif not _named(symbol) or (whom and not _named(whom)):
        _refuse(turn, "BAD_TEXT", "symbol: a symbol such as AAPL or XNAS:AAPL, and a subscriber's id or none")
    elif not message.active and name not in listed:
        _refuse(turn, "NOT_IN_FORCE", f"symbol: the desk has not restricted {name}; the configuration may have")
    elif message.active and name not in listed and len(listed) >= MAX_EACH:
        _refuse(turn, "TOO_MANY", f"symbol: {MAX_EACH} are restricted already; put lasting ones into the configuration")
    else:
        if message.active != (name in listed):
            turn.record(
                Restricted(
                    at=turn.now,
                    symbol=symbol,
                    subscriber_id=whom,
                    active=message.active,
                    reason=message.reason,
                    by=message.by,
                )
            )
        _accept(turn, f"{name} is {'restricted' if message.active else 'not restricted any more'}")


def stop(actor: DeskActor, message: StopExecution, turn: Turn) -> None:
    """A strategy acted too often on an instrument: stopped there, once, for all who follow it."""
    if f"{message.strategy_id} {message.instrument}" not in actor.controls.stopped:
        turn.record(
            ExecutionStopped(
                at=turn.now, strategy_id=message.strategy_id, instrument=message.instrument, reason=message.reason
            )
        )
        turn.alarm("REPEATED_EXECUTION", message.strategy_id, message.reason)


def rearm(actor: DeskActor, message: Rearm, turn: Turn) -> None:
    """A person lets a stopped strategy act again; its count begins anew."""
    strategy, instrument = message.strategy_id, message.instrument
    if not message.reason.strip():
        _refuse(turn, "MISSING_REASON", "reason: say why it may act again")
    elif f"{strategy} {instrument}" not in actor.controls.stopped:
        _refuse(turn, "NOT_IN_FORCE", f"strategy: {strategy} is not stopped on {instrument}")
    else:
        turn.watch.repeats.forget((strategy, instrument))
        turn.record(
            ExecutionRearmed(
                at=turn.now, strategy_id=strategy, instrument=instrument, reason=message.reason, by=message.by
            )
        )
        _accept(turn, f"{strategy} may act on {instrument} again")


def grant(actor: DeskActor, message: GrantOverride, turn: Turn) -> None:
    """Lets orders pass one soft check until a time; only for whom or what is named, never for everybody."""
    refusal = _ungrantable(actor, message, turn)
    if refusal is not None:
        _refuse(turn, *refusal)
        return
    for override in actor.controls.overrides.values():
        if override.expires_at <= turn.now:
            ended = OverrideEnded(at=turn.now, override_id=override.override_id, reason="expired", by="the engine")
            turn.record(ended)
    override_id = f"OV-{turn.sequence:x}-{len(turn.events)}"
    turn.record(
        OverrideGranted(
            at=turn.now,
            override_id=override_id,
            code=message.code,
            subscriber_id=message.subscriber_id,
            strategy_id=message.strategy_id,
            symbol=message.symbol,
            reason=message.reason,
            by=message.by,
            expires_at=message.expires_at,
        )
    )
    _accept(turn, f"override {override_id} of {message.code} until {message.expires_at.isoformat()}")


def _ungrantable(actor: DeskActor, message: GrantOverride, turn: Turn) -> tuple[str, str] | None:
    names = [name for name in (message.subscriber_id, message.strategy_id, message.symbol) if name]
    if not message.reason.strip():
        return "MISSING_REASON", "reason: say why the check may be passed"
    if message.code not in SOFT:
        return "NOT_SOFT", f"code: {message.code[:64]} may not be overridden; those that may: {', '.join(SOFT)}"
    if not names or not all(map(_named, names)):
        return "BAD_TEXT", "subscriber: name a subscriber, a strategy or a symbol that the override is for"
    if not turn.now < message.expires_at <= turn.now + MAX_OVERRIDE:
        return "BAD_TIME", f"expires_at: must be within the next {MAX_OVERRIDE}, got {message.expires_at.isoformat()}"
    if sum(one.expires_at > turn.now for one in actor.controls.overrides.values()) >= MAX_EACH:
        return "TOO_MANY", f"code: {MAX_EACH} overrides are in force already; end some"
    return None


def end(actor: DeskActor, message: EndOverride, turn: Turn) -> None:
    """Takes an override back before it expires."""
    if message.override_id not in actor.controls.overrides:
        _refuse(turn, "NOT_IN_FORCE", f"override_id: there is no override {message.override_id[:64]}")
        return
    turn.record(OverrideEnded(at=turn.now, override_id=message.override_id, reason=message.reason, by=message.by))
    _accept(turn, f"override {message.override_id} has ended")


def _accept(turn: Turn, text: str) -> None:
    turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=text))


def _refuse(turn: Turn, code: str, reason: str) -> None:
    status: Any = "INVALID"
    turn.reply(Outcome(request_id=None, status=status, code=code, reason=reason))
