"""The fold of the desk's events: what is in force after each, and the latest changes of the regime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from engine import control_events as c
from engine import events as e
from engine.controls import NOTHING, Controls, Override, RegimeChange, RegimeInForce, Switched
from engine.desk import Desk, Regimes, Traded
from engine.values import ZERO, add

MAX_CHANGES: Final = 1000
"""Changes of the regime that are remembered beside the journal."""


def _killed(desk: Desk, event: e.Killed) -> Desk:
    if event.scope == "firm":
        return replace(desk, killed=True, reason=event.reason, by=event.by, since=event.at)
    found = _in_force(desk)
    return _with(desk, kills={**found.kills, f"{event.scope}/{event.name}": _switched(event)})


def _resumed(desk: Desk, event: e.Resumed) -> Desk:
    if event.scope == "firm":
        return replace(desk, killed=False, reason=event.reason, by=event.by, since=event.at)
    return _with(desk, kills=_without(_in_force(desk).kills, f"{event.scope}/{event.name}"))


def _alarmed(desk: Desk, _: e.AlarmRaised) -> Desk:
    return replace(desk, alarms=desk.alarms + 1)


def _declared(desk: Desk, event: c.RegimeDeclared) -> Desk:
    regime = None
    if event.regime != "NORMAL":
        regime = RegimeInForce(
            name=event.regime, settings=event.settings, reason=event.reason, by=event.by, since=event.at
        )
    return _with(desk, regime=regime)


def _restricted(desk: Desk, event: c.Restricted) -> Desk:
    found, name = _in_force(desk).restricted, f"{event.symbol} {event.subscriber_id}".strip()
    return _with(desk, restricted={**found, name: _switched(event)} if event.active else _without(found, name))


def _stopped(desk: Desk, event: c.ExecutionStopped) -> Desk:
    stop = Switched(reason=event.reason, by="", since=event.at)
    return _with(desk, stopped={**_in_force(desk).stopped, f"{event.strategy_id} {event.instrument}": stop})


def _rearmed(desk: Desk, event: c.ExecutionRearmed) -> Desk:
    return _with(desk, stopped=_without(_in_force(desk).stopped, f"{event.strategy_id} {event.instrument}"))


def _granted(desk: Desk, event: c.OverrideGranted) -> Desk:
    override = Override(
        override_id=event.override_id,
        code=event.code,
        subscriber_id=event.subscriber_id,
        strategy_id=event.strategy_id,
        symbol=event.symbol,
        reason=event.reason,
        by=event.by,
        since=event.at,
        expires_at=event.expires_at,
    )
    return _with(desk, overrides={**_in_force(desk).overrides, event.override_id: override})


def _ended(desk: Desk, event: c.OverrideEnded) -> Desk:
    return _with(desk, overrides=_without(_in_force(desk).overrides, event.override_id))


def remembered(regimes: Regimes, event: c.RegimeDeclared) -> Regimes:
    """The history with one more change."""
    change = RegimeChange(name=event.regime, reason=event.reason, by=event.by, at=event.at)
    return Regimes(changes=(*regimes.changes, change)[-MAX_CHANGES:])


def traded(parts: Mapping[str, Any], event: c.TradeCounted) -> Iterator[tuple[str, Traded]]:
    """The parts of the day's trading that an execution adds to, and what they become."""
    for part in (strategy_part(event.strategy_id, event.currency), firm_part(event.currency)):
        yield part, Traded(day=event.day, notional=add(traded_on(parts.get(part), event.day), event.notional))


def traded_on(part: Traded | None, day: str) -> Decimal:
    """What was executed on this day, of a part that may be of an earlier one."""
    return part.notional if part is not None and part.day == day else ZERO


def strategy_part(strategy_id: str, currency: str) -> str:
    """The part in which a strategy's executions are counted."""
    return f"traded/strategy/{strategy_id}/{currency}"


def firm_part(currency: str) -> str:
    """The part in which all executions are counted."""
    return f"traded/firm/{currency}"


def _in_force(desk: Desk) -> Controls:
    return desk.controls or NOTHING


def _with(desk: Desk, **changed: Any) -> Desk:
    controls = replace(_in_force(desk), **changed)
    return replace(desk, controls=None if controls == NOTHING else controls)


def _without(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


def _switched(event: Any) -> Switched:
    return Switched(reason=event.reason, by=event.by, since=event.at)


FOLD: Final[dict[type, Callable[[Desk, Any], Desk]]] = {
    e.Killed: _killed,
    e.Resumed: _resumed,
    e.AlarmRaised: _alarmed,
    c.RegimeDeclared: _declared,
    c.Restricted: _restricted,
    c.ExecutionStopped: _stopped,
    c.ExecutionRearmed: _rearmed,
    c.OverrideGranted: _granted,
    c.OverrideEnded: _ended,
}
"""What the desk is after each event."""
