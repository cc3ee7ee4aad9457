"""Kills of a scope, regimes and stopped strategies in a world: what persons do by chance, and what must hold then."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from engine.commands import Kill, Resume, Ticket
from engine.config import Limits
from engine.control_commands import DeclareRegime, Rearm, Regime
from engine.control_settings import ControlSettings, RegimeSettings, Repeats
from engine.controls import Controls
from engine.desk import Desk
from engine.ledger import Position

ZERO = Decimal(0)
NAMES = {"symbol": ("AAA", "XSIM:BBB", "CCC"), "venue": ("alpha", "beta")}


def settings(supervised: bool) -> ControlSettings:
    """What config.toml says of the controls: nothing, or that a strategy may act on an instrument so often."""
    return ControlSettings(repeats=Repeats(executions=6, seconds=20)) if supervised else ControlSettings()


def regimes(chance: Random) -> dict[str, RegimeSettings]:
    """What the regimes mean: what they do by default, or that nothing is cancelled and nothing sent that adds risk."""
    if chance.random() < 0.6:
        return {}
    return {"EMERGENCY": RegimeSettings(allow_new_risk=False)}


# what persons do


def declared(chance: Random) -> Any:
    """A regime, for the most part one that lets trade; by a client, who may not declare a laxer one, or a person."""
    name: Any = chance.choices(("NORMAL", "CAUTION", "EMERGENCY"), (4, 2, 2))[0]
    kind = chance.choice((Regime, DeclareRegime, DeclareRegime))
    return kind(regime=name, reason="test", by="test")


def kill(chance: Random, subscribers: tuple[str, ...], strategies: tuple[str, ...]) -> Kill:
    """A kill of one subscriber, strategy, symbol or venue."""
    names = NAMES | {"subscriber": subscribers, "strategy": (*strategies, "direct", "rebalance")}
    scope: Any = chance.choice(tuple(names))
    return Kill(reason="test", by="test", scope=scope, name=chance.choice(names[scope]))


def loosened(desk: Desk) -> list[Any]:
    """What ends everything that is in force."""
    found: list[Any] = [Resume(reason="the end", by="test")]
    controls = desk.controls or Controls()
    for name in controls.kills:
        scope: Any = name.partition("/")[0]
        found.append(Resume(reason="the end", by="test", scope=scope, name=name.partition("/")[2]))
    if controls.regime is not None:
        found.append(DeclareRegime(regime="NORMAL", reason="the end", by="test"))
    return found + rearmed(desk)


def rearmed(desk: Desk) -> list[Any]:
    """What lets every stopped strategy act again."""
    stopped = () if desk.controls is None else desk.controls.stopped
    names = [name.partition(" ") for name in stopped]
    return [Rearm(strategy_id=one, instrument=other, reason="test", by="test") for one, _, other in names]


# what must hold


def stops(desk: Desk | None, ticket: Ticket) -> str:
    """The kill that this order falls under, or ''."""
    if desk is None:
        return ""
    if desk.killed:
        return "all is killed"
    mine = {
        f"subscriber/{ticket.subscriber_id}",
        f"strategy/{ticket.strategy_id}",
        f"symbol/{ticket.symbol}",
        f"symbol/{ticket.instrument}",
        f"venue/{ticket.venue}",
    }
    found = mine & set(desk.controls.kills if desk.controls is not None else ())
    return f"{found} killed" if found else ""


def forbids(desk: Desk | None) -> bool:
    """Whether the regime lets nothing through that adds risk."""
    regime = None if desk is None or desk.controls is None else desk.controls.regime
    return regime is not None and not regime.settings.allow_new_risk


def adds(held: Position | None, ticket: Ticket, quantity: Decimal, working: bool) -> bool:
    """Whether so much of this order does more than reduce what is held; with what works on its side, or alone."""
    if held is None or not held.quantity:
        return True
    if (held.quantity > ZERO) == (ticket.side == "BUY"):
        return True
    beside = ZERO if not working else held.working_buy if ticket.side == "BUY" else held.working_sell
    return quantity + beside > abs(held.quantity)


def under(limits: Limits, desk: Desk | None) -> Limits:
    """The limits that the regime leaves of these."""
    regime = None if desk is None or desk.controls is None else desk.controls.regime
    if regime is None:
        return limits
    by = {
        "max_order_quantity": regime.settings.quantity_factor,
        "max_order_notional": regime.settings.notional_factor,
        "max_position_notional": regime.settings.notional_factor,
    }
    known = {name: getattr(limits, name) for name in by}
    return replace(limits, **{name: value * by[name] for name, value in known.items() if value is not None})


def acts(desk: Desk | None, ticket: Ticket) -> bool:
    """Whether the ticket's strategy may act on its instrument: nobody has stopped it there."""
    stopped = () if desk is None or desk.controls is None else desk.controls.stopped
    return f"{ticket.strategy_id} {ticket.instrument}" not in stopped
