"""Methods of the controls: restrictions, overrides, stopped strategies, regimes, and why a request was answered so."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from msgspec import Meta
from msgspec.structs import asdict

from adapters.admin.context import Context
from adapters.admin.protocol import NOT_FOUND, NoParams, Params, Peer, RpcError
from adapters.explaining import MAX_DECISIONS, NO_REQUEST, explanations
from engine.control_commands import DeclareRegime, EndOverride, GrantOverride, Rearm, Restrict
from engine.control_settings import ControlSettings, RegimeName
from engine.controls import Controls, SoftCode
from engine.desk import Alarms, Desk

MAX_MINUTES: Final = 24 * 60

Reason = Annotated[str, Meta(max_length=500)]


async def _tell(context: Context, message: Any) -> dict[str, Any]:
    outcome = await context.ask("desk/main", message)
    return {"said": outcome.reason}


async def controls(context: Context, _: NoParams, peer: Peer) -> dict[str, Any]:
    """What is in force over all of trading: kills, regime, restrictions, overrides, stopped strategies, alarms."""
    parts = await context.parts("desk/main")
    desk: Desk = parts.get("", Desk())
    alarms: Alarms = parts.get("alarms", Alarms())
    found = desk.controls or Controls()
    regime = found.regime
    return {
        "killed": {"reason": desk.reason, "by": desk.by, "since": desk.since} if desk.killed else None,
        "regime": "NORMAL" if regime is None else regime.name,
        "declared": None if regime is None else {"reason": regime.reason, "by": regime.by, "since": regime.since},
        "regime_changes": None if regime is None else asdict(regime.settings),
        "kills": _rows("what", found.kills),
        "restricted": [*_rows("symbol", found.restricted), *_configured(context.engine.rules.config.controls)],
        "stopped": _rows("strategy", found.stopped),
        "overrides": [{**asdict(one), "expired": one.expires_at <= context.now} for one in found.overrides.values()],
        "latest_alarms": [asdict(alarm) for alarm in reversed(alarms.latest)],
    }


def _rows(title: str, table: dict[str, Any]) -> list[dict[str, Any]]:
    return [{title: name, **asdict(switched)} for name, switched in table.items()]


def _configured(controls: ControlSettings) -> list[dict[str, Any]]:
    """The restricted list of the configuration, which no person ends but by changing it."""
    names = sorted(controls.restricted)
    names += sorted(f"{symbol} {whose}" for whose, symbols in controls.restricted_for.items() for symbol in symbols)
    return [{"symbol": name, "reason": "[controls] of the configuration", "by": None, "since": None} for name in names]


class Declared(Params, frozen=True):
    """NORMAL, CAUTION or EMERGENCY, and why."""

    regime: RegimeName
    reason: Reason


async def regime(context: Context, params: Declared, peer: Peer) -> dict[str, Any]:
    """Declares a regime; EMERGENCY may cancel what is open. It holds until the next one, over restarts."""
    return await _tell(context, DeclareRegime(regime=params.regime, reason=params.reason, by=_id(peer)))


def _id(peer: Peer) -> str:
    """Who it is as an id may be written: the kernel knows some users by a number only."""
    return peer.by.replace(" ", "-")


class Symbol(Params, frozen=True):
    """`AAPL` or `XNAS:AAPL`, for one subscriber or all, and why."""

    symbol: str
    reason: Reason
    subscriber: str = ""


async def restrict(context: Context, params: Symbol, peer: Peer) -> dict[str, Any]:
    """Puts a symbol on the restricted list: no new orders in it, by all or by one subscriber."""
    return await _restrict(context, params, True, peer)


async def unrestrict(context: Context, params: Symbol, peer: Peer) -> dict[str, Any]:
    """Takes a symbol off the restricted list of the desk; the configuration's own list stays."""
    return await _restrict(context, params, False, peer)


async def _restrict(context: Context, params: Symbol, active: bool, peer: Peer) -> dict[str, Any]:
    message = Restrict(
        symbol=params.symbol, subscriber_id=params.subscriber, active=active, reason=params.reason, by=peer.by
    )
    return await _tell(context, message)


class Leave(Params, frozen=True):
    """Which soft check, for whom or what (at least one; all that are named have to fit), how long, and why."""

    code: SoftCode
    reason: Reason
    minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)]
    subscriber: str = ""
    strategy: str = ""
    symbol: str = ""


async def override(context: Context, params: Leave, peer: Peer) -> dict[str, Any]:
    """Lets orders pass one soft check for some minutes; granted in your name, and kept for good."""
    message = GrantOverride(
        code=params.code,
        subscriber_id=params.subscriber,
        strategy_id=params.strategy,
        symbol=params.symbol,
        reason=params.reason,
        by=peer.by,
        expires_at=context.now + timedelta(minutes=params.minutes),
    )
    return await _tell(context, message)


class Granted(Params, frozen=True):
    """Which, as `controls` lists it, and why."""

    override_id: str
    reason: Reason = ""


async def end_override(context: Context, params: Granted, peer: Peer) -> dict[str, Any]:
    """Takes an override back before it expires."""
    return await _tell(context, EndOverride(override_id=params.override_id, reason=params.reason, by=peer.by))


class Stopped(Params, frozen=True):
    """A strategy that was stopped for repeating itself, the instrument (`XNAS:AAPL`), and why it may go on."""

    strategy: str
    instrument: str
    reason: Reason


async def rearm(context: Context, params: Stopped, peer: Peer) -> dict[str, Any]:
    """Lets a strategy that repeated itself too often act on an instrument again."""
    message = Rearm(strategy_id=params.strategy, instrument=params.instrument, reason=params.reason, by=peer.by)
    return await _tell(context, message)


class Explained(Params, frozen=True):
    """Which request; `subscriber`: only this one's decision on it."""

    request_id: str
    subscriber: str | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_DECISIONS)] = 20


async def explain(context: Context, params: Explained, peer: Peer) -> list[Any]:
    """Why a request or a set of targets was answered as it was: sizing, plan, regime, every check with its figures."""
    found = await context.look(explanations(context.reader, params.request_id, params.subscriber, params.limit))
    if not found:
        raise RpcError(NOT_FOUND, f"there is no decision on request {params.request_id!r}; {NO_REQUEST}")
    return list(found)
