"""Methods that look at the engine itself: status, health, metrics, actors, dead letters. They change nothing."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

from msgspec import Meta
from msgspec.structs import asdict

from adapters.admin.context import Context
from adapters.admin.protocol import NOT_FOUND, NoParams, Params, Peer, RpcError
from adapters.observe.metrics import EngineCollector, open_orders, uncommitted
from engine.desk import Desk
from engine.gate import Venue

MAX_LAG_BATCHES: Final = 1000
MAX_UNCOMMITTED: Final = 32
MAX_PARTS: Final = 1000

Limit = Annotated[int, Meta(ge=1, le=1000)]


def _desk(context: Context) -> Desk:
    desk = context.engine.partition.actors.get("desk/main")
    return Desk() if desk is None else desk.parts.get("", Desk())


def _venues(context: Context) -> list[dict[str, Any]]:
    found = []
    for name in context.engine.rules.venues:
        actor = context.engine.partition.actors.get(f"venue/{name}")
        venue = (None if actor is None else actor.parts.get("")) or Venue(name=name, reason="not connected yet")
        state = "PAUSED" if venue.paused else "UP" if venue.up else "DOWN"
        found.append({"venue": name, "state": state, "sent": venue.sent, "reason": venue.reason})
    return found


async def status(context: Context, _: NoParams, peer: Peer) -> dict[str, Any]:
    """What runs here and how it is doing, in one look."""
    engine, desk, tally = context.engine, _desk(context), context.tally
    partition = engine.partition
    lag = tally.publish_lag_s(engine.publisher.sequence, context.now)
    return {
        "service": engine.config.service.name,
        "version": engine.config.service.version,
        "state": "DRAINING" if engine.draining else "KILLED" if desk.killed else "RUNNING",
        "killed": {"reason": desk.reason, "by": desk.by, "since": desk.since} if desk.killed else None,
        "regime": "NORMAL" if desk.controls is None or desk.controls.regime is None else desk.controls.regime.name,
        "killed_scopes": sorted(desk.controls.kills) if desk.controls is not None else [],
        "started_at": context.started_at,
        "up_seconds": int((context.now - context.started_at).total_seconds()),
        "partition": f"{engine.number} of {engine.config.service.partitions}",
        "nats": "connected" if engine.control.connected and engine.bulk.connected else "disconnected",
        "venues": _venues(context),
        "open_orders": dict(open_orders(engine)),
        "closed_orders": dict(tally.closed),
        "batch": context.durable.sequence,
        "uncommitted_batches": uncommitted(engine, context.durable.sequence),
        "mailbox_depth": len(partition.mail),
        "actors_in_memory": len(partition.actors),
        "publish_lag": {"batches": engine.publisher.latest - engine.publisher.sequence, "seconds": round(lag, 3)},
        "alarms": desk.alarms,
        "dead_letters": len(_letters(context)),
        "quarantined": sorted(partition.quarantined),
        "data": str(engine.data),
        "metrics_url": context.metrics_url,
    }


async def health(context: Context, _: NoParams, peer: Peer) -> dict[str, Any]:
    """Whether all is well: a list of checks, each with what it found."""
    engine, desk = context.engine, _desk(context)
    behind = engine.publisher.latest - engine.publisher.sequence
    waiting = uncommitted(engine, context.durable.sequence)
    checks = [
        ("nats", engine.control.connected and engine.bulk.connected, "the connections to NATS"),
        ("store", waiting <= MAX_UNCOMMITTED, f"{waiting} batches wait for the disk"),
        ("publisher", behind <= MAX_LAG_BATCHES, f"{behind} batches wait to be published"),
        ("kill_switch", not desk.killed, desk.reason if desk.killed else "off"),
        ("regime", *_regime(desk)),
        ("actors", not engine.partition.quarantined, f"{len(engine.partition.quarantined)} are quarantined"),
        ("intake", not engine.draining, "draining" if engine.draining else "open"),
        *((f"venue {v['venue']}", v["state"] == "UP", v["reason"] or v["state"]) for v in _venues(context)),
    ]
    well = all(ok for _, ok, _ in checks)
    found = [{"check": name, "ok": bool(ok), "found": text} for name, ok, text in checks]
    return {"status": "ok" if well else "degraded", "checks": found}


def _regime(desk: Desk) -> tuple[bool, str]:
    """Whether the regime is NORMAL and nothing of a scope is killed, and what there is instead."""
    if desk.controls is None:
        return True, "NORMAL"
    regime, kills = desk.controls.regime, sorted(desk.controls.kills)
    name = "NORMAL" if regime is None else f"{regime.name}: {regime.reason}"
    return regime is None and not kills, f"{name}; killed: {', '.join(kills)}" if kills else name


async def metrics(context: Context, _: NoParams, peer: Peer) -> dict[str, Any]:
    """The numbers that Prometheus is given, by name; those with labels as {label: number}."""
    found: dict[str, Any] = {}
    for family in EngineCollector(context.engine, context.tally).collect():
        name = family.name.removeprefix("tradewright_")
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            own = sample.name.removeprefix("tradewright_").removesuffix("_total")
            key = own if family.type == "histogram" else name
            if sample.labels:
                found.setdefault(key, {})[",".join(sample.labels.values())] = sample.value
            else:
                found[key] = sample.value
    return found


# actors


class Actors(Params, frozen=True):
    """`kind`: list these; left out, count all by kind."""

    kind: str | None = None
    limit: Limit = 100


async def actors(context: Context, params: Actors, peer: Peer) -> Any:
    """Actors in memory: how many of each kind, or those of one kind with their mail."""
    partition = context.engine.partition
    mail = Counter(letter.to for letter in partition.mail)
    if params.kind is None:
        kinds = Counter(actor.kind for actor in partition.actors.values())
        waiting: Counter[str] = Counter()
        for address, number in mail.items():
            waiting[address.partition("/")[0]] += number
        return [{"kind": kind, "actors": number, "mail": waiting[kind]} for kind, number in sorted(kinds.items())]
    found = [actor for actor in partition.actors.values() if actor.kind == params.kind][: params.limit]
    return [
        {
            "address": actor.address,
            "parts": len(actor.parts),
            "mail": mail[actor.address],
            "changed_in_batch": actor.touched,
            "failures": actor.failures,
            "quarantined": actor.address in partition.quarantined,
            "due": actor.due,
        }
        for actor in found
    ]


class OneActor(Params, frozen=True):
    """An address such as `subscriber/alice`."""

    address: str


async def actor(context: Context, params: OneActor, peer: Peer) -> dict[str, Any]:
    """One actor: its state part by part, and its mailbox."""
    partition = context.engine.partition
    parts = await context.parts(params.address)
    if not parts and params.address not in partition.actors:
        raise RpcError(NOT_FOUND, f"there is no actor {params.address!r}; `actors` lists those in memory")
    mail = [letter for letter in partition.mail if letter.to == params.address]
    found = partition.actors.get(params.address)
    return {
        "address": params.address,
        "in_memory": found is not None,
        "quarantined": params.address in partition.quarantined,
        "due": None if found is None else found.due,
        "mailbox": {
            "depth": len(mail),
            "first": [{"type": type(m.message).__name__, "sender": m.sender} for m in mail[:20]],
        },
        "parts": len(parts),
        "state": dict(list(parts.items())[:MAX_PARTS]),
    }


def _letters(context: Context) -> list[Any]:
    dead = context.engine.partition.actors.get("dead/letters")
    return [] if dead is None else [value for part, value in dead.parts.items() if part.startswith("l/")]


class Letters(Params, frozen=True):
    """`full`: with the message and the traceback."""

    limit: Limit = 50
    full: bool = False


async def dead_letters(context: Context, params: Letters, peer: Peer) -> list[dict[str, Any]]:
    """Messages whose turn failed, newest first, until they are replayed or dropped."""
    rows = []
    for letter in _letters(context)[: -params.limit - 1 : -1]:
        row = asdict(letter)
        if not params.full:
            del row["message"], row["traceback"]
        rows.append({**row, "quarantined": letter.address in context.engine.partition.quarantined})
    return rows
