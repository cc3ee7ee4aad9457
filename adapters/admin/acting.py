"""Methods that act. Whatever changes a state is told to its actor and answered once that is on disk."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import structlog
from msgspec import Meta
from msgspec.structs import asdict

from adapters.admin.context import Context
from adapters.admin.protocol import INVALID_PARAMS, NOT_FOUND, REFUSED, NoParams, Params, Peer, RpcError
from adapters.admin.reload import Change, apply, compare
from adapters.observe.log import set_level
from adapters.settings import SettingsError
from adapters.store.backup import backup as copy_store
from engine.commands import CancelOrder, Kill, Resume, SetStatus, Unbury
from engine.controls import Scope
from engine.identity import partition_in

CANCELS_AT_ONCE: Final = 256
_ORDER_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,15}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch

Reason = Annotated[str, Meta(max_length=500)]


# orders


class Cancel(Params, frozen=True):
    """Which order, and why."""

    order_id: str
    reason: Reason = "asked for"


async def cancel(context: Context, params: Cancel, peer: Peer) -> dict[str, Any]:
    """Asks the venue to cancel an open order."""
    order_id = params.order_id
    if not _ORDER_ID(order_id):
        raise RpcError(INVALID_PARAMS, f"order_id: {order_id[:64]!r} is no order id; `orders` lists them")
    home = partition_in(order_id)
    if home != context.engine.number:
        raise RpcError(NOT_FOUND, f"order {order_id} belongs to partition {home}; this is {context.engine.number}")
    if await context.look(context.reader.order(order_id)) is None:
        raise RpcError(NOT_FOUND, f"there is no order {order_id}; `orders` lists them")
    message = CancelOrder(reason=f"{params.reason} ({peer.by}, admin)")
    await context.ask(f"order/{order_id}", message)
    return {"order_id": order_id, "status": "PENDING_CANCEL"}


class CancelAll(Params, frozen=True):
    """Which open orders: all, or those of a subscriber, a symbol or both."""

    subscriber: str | None = None
    symbol: str | None = None
    reason: Reason = "asked for"


async def cancel_all(context: Context, params: CancelAll, peer: Peer) -> dict[str, Any]:
    """Asks the venues to cancel all open orders, or those of a subscriber or a symbol."""
    found = [
        address
        for address, actor in context.engine.partition.actors.items()
        if actor.kind == "order" and _matches(actor.parts.get(""), params)
    ]
    message = CancelOrder(reason=f"{params.reason} ({peer.by}, admin)")
    refused: list[dict[str, str]] = []

    async def one(address: str) -> None:
        try:
            await context.ask(address, CancelOrder(reason=message.reason))
        except RpcError as error:
            refused.append({"order_id": address[6:], "reason": str(error)})

    for first in range(0, len(found), CANCELS_AT_ONCE):
        await asyncio.gather(*(one(address) for address in found[first : first + CANCELS_AT_ONCE]))
    return {"found": len(found), "cancelling": len(found) - len(refused), "refused": refused}


def _matches(order: Any, params: CancelAll) -> bool:
    if order is None or not order.open:
        return False
    ticket = order.ticket
    return params.subscriber in (None, ticket.subscriber_id) and params.symbol in (None, ticket.symbol)


# switches


class Switch(Params, frozen=True):
    """Why, kept for good; of one subscriber, strategy, symbol or venue, or of all where none is named."""

    reason: Reason
    subscriber: str | None = None
    strategy: str | None = None
    symbol: str | None = None
    venue: str | None = None

    def scope(self) -> tuple[Scope, str]:
        """What is switched; raises RpcError where that is more than one thing."""
        scopes: tuple[Scope, ...] = ("subscriber", "strategy", "symbol", "venue")
        named = [(scope, name) for scope in scopes if (name := getattr(self, scope)) is not None]
        if len(named) > 1:
            raise RpcError(INVALID_PARAMS, f"{named[1][0]}: name one of {', '.join(scopes)} at a time, or none for all")
        return named[0] if named else ("firm", "")


async def kill(context: Context, params: Switch, peer: Peer) -> dict[str, Any]:
    """Stops trading, all or of one scope: refuses every request and cancels what is open. Survives a restart."""
    scope, name = params.scope()
    outcome = await context.ask("desk/main", Kill(reason=params.reason, by=peer.by, scope=scope, name=name))
    return {"state": "KILLED", "said": f"{outcome.reason}{await _unheard_of(context, scope, name)}"}


async def _unheard_of(context: Context, scope: Scope, name: str) -> str:
    """What a person should hear who killed a name that nothing here has: it holds, and may be misspelt."""
    rules = context.engine.rules
    if scope == "venue":
        unknown = name not in rules.venues
    elif scope == "symbol":
        unknown = rules.symbols.isdisjoint((name, name.partition(":")[2]))
    else:
        unknown = scope != "firm" and not await context.parts(f"{scope}/{name}")
    return f". No {scope} {name} is known here: look whether that is its name" if unknown else ""


async def resume(context: Context, params: Switch, peer: Peer) -> dict[str, Any]:
    """Trades again after a kill of the same scope."""
    scope, name = params.scope()
    outcome = await context.ask("desk/main", Resume(reason=params.reason, by=peer.by, scope=scope, name=name))
    return {"state": "RUNNING", "said": outcome.reason}


class Whom(Params, frozen=True):
    """A subscriber or a venue, and why."""

    subscriber: str | None = None
    venue: str | None = None
    reason: Reason = ""


async def pause(context: Context, params: Whom, peer: Peer) -> dict[str, Any]:
    """Takes no more orders of a subscriber, or sends no more to a venue; open orders go on."""
    return await _set_status(context, params, "PAUSED", peer)


async def activate(context: Context, params: Whom, peer: Peer) -> dict[str, Any]:
    """Ends the pause of a subscriber or a venue."""
    return await _set_status(context, params, "ACTIVE", peer)


async def _set_status(context: Context, params: Whom, status: str, peer: Peer) -> dict[str, Any]:
    if (params.subscriber is None) == (params.venue is None):
        raise RpcError(INVALID_PARAMS, "name a subscriber or a venue: subscriber=… or venue=…")
    if params.venue is not None:
        context.venue(params.venue)
        address = f"venue/{params.venue}"
    else:
        context.ours(params.subscriber or "", "subscriber")
        address = f"subscriber/{params.subscriber}"
    await context.ask(address, SetStatus(status=status, reason=params.reason, by=peer.by))
    return {"address": address, "status": status}


# dead letters


class Letter(Params, frozen=True):
    """Which, as `dead_letters` lists it."""

    letter_id: str


async def replay(context: Context, params: Letter, peer: Peer) -> dict[str, Any]:
    """Delivers a dead letter again, and releases its actor where that is quarantined."""
    return await _unbury(context, params.letter_id, True, peer)


async def drop(context: Context, params: Letter, peer: Peer) -> dict[str, Any]:
    """Forgets a dead letter, and releases its actor where that is quarantined. The journal still has it."""
    return await _unbury(context, params.letter_id, False, peer)


async def _unbury(context: Context, letter_id: str, again: bool, peer: Peer) -> dict[str, Any]:
    outcome = await context.ask("dead/letters", Unbury(letter_id=letter_id, by=peer.by, replay=again))
    return {"letter_id": letter_id, "said": outcome.reason}


# the daemon


async def drain(context: Context, _: NoParams, peer: Peer) -> dict[str, Any]:
    """Takes nothing more in, finishes what is under way, and ends the daemon."""
    # After the answer is out, or the connection would be gone before it.
    asyncio.get_running_loop().call_later(0.05, context.stop, f"drain asked for by {peer.by}")
    return {"state": "DRAINING"}


class Reload(Params, frozen=True):
    """`dry_run`: only say what would change."""

    dry_run: bool = False


async def reload(context: Context, params: Reload, peer: Peer) -> dict[str, Any]:
    """Takes limits and allowlists from config.toml again: all of it, or nothing."""
    try:
        found = compare(context.config_path, context.engine.config)
    except SettingsError as error:
        problems = [{"key": p.key, "found": p.found, "expected": p.expected} for p in error.problems]
        raise RpcError(REFUSED, f"{error}\nNothing was changed.", refusal="BAD_CONFIG", problems=problems) from None
    if found.at_start:
        keys = ", ".join(change.key for change in found.at_start)
        raise RpcError(
            REFUSED,
            f"{context.config_path} also changes what only a restart can take up: {keys}. Nothing was changed; put"
            " those back and reload, or restart.",
            refusal="RESTART_NEEDED",
            changes=_shown(found.at_start),
        )
    if found.live and not params.dry_run:
        apply(context.engine, found.config)
        structlog.get_logger().warning(
            "Configuration reloaded", by=peer.by, **{change.key: change.after for change in found.live}
        )
    return {"applied": bool(found.live) and not params.dry_run, "changes": _shown(found.live)}


def _shown(changes: list[Change]) -> list[dict[str, Any]]:
    return [change._asdict() for change in changes]


class Level(Params, frozen=True):
    """How much is logged from now on."""

    level: Literal["debug", "info", "warning", "error"]


async def log_level(context: Context, params: Level, peer: Peer) -> dict[str, Any]:
    """Logs more, or less, until the next start."""
    before = set_level(params.level)
    structlog.get_logger().warning("Log level set", level=params.level, before=before, by=peer.by)
    return {"level": params.level, "before": before}


class Backup(Params, frozen=True):
    """A new file, on the daemon's machine; its folder must be there."""

    path: str


async def backup(context: Context, params: Backup, peer: Peer) -> dict[str, Any]:
    """Copies the store, as of one moment, to a new file while the engine runs."""
    target = Path(params.path)
    if not target.is_absolute():
        raise RpcError(INVALID_PARAMS, f"path: must be absolute, got {params.path!r}")
    if not target.parent.is_dir():
        raise RpcError(INVALID_PARAMS, f"path: there is no folder {target.parent}")
    try:
        found = await context.look(copy_store(context.engine.data, target))
    except OSError as error:
        raise RpcError(REFUSED, f"{target} cannot be written: {error.strerror or error}", refusal="IO_ERROR") from None
    structlog.get_logger().info("Backup made", path=str(target), by=peer.by)
    return asdict(found)
