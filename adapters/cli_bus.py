"""A client of the bus for the command line: sends one message and prints its answer, or shows what is published."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.bus.wire import Wire, WireError
from engine.identity import subject_token

if TYPE_CHECKING:
    from adapters.cli import Fields

CONNECT_S: Final = 5.0
MAX_BYTES: Final = 64 * 1024
_SUBJECT_ID: Final = {"signal": "strategy_id"}
"""The field that a subject ends with, where it is not the subscriber."""


class SubmitError(Exception):
    """It cannot be sent; the text says why and what to do."""


def submit(
    config: Path,
    data: Path,
    verb: str,
    file: Path | None,
    fields: Fields,
    *,
    store: bool,
    as_json: bool,
    timeout_s: float,
) -> int:
    """Sends one message; returns the exit code."""
    try:
        message = compose(verb, fields) if file is None else _read(file)
        target = fields.strategy if verb == "signal" else fields.subscriber
        name = target or message.get(_SUBJECT_ID.get(verb, "subscriber_id"))
        if not isinstance(name, str) or not name:
            which = "--strategy" if verb == "signal" else "--subscriber"
            raise SubmitError(f"whose {verb} is it? Name it with {which}, or in the message")
        way = "in" if store else "ask"
        url, prefix = bus(config, data)
        subject = f"{prefix}.{way}.{verb}.{subject_token(name)}"
        answer = _run(_ask(url, subject, json.dumps(message).encode(), timeout_s))
    except (SubmitError, WireError) as error:
        sys.stderr.write(f"tradewright: {error}\n")
        return 1
    return _report(json.loads(answer), store=store, as_json=as_json)


def _report(answer: dict[str, Any], *, store: bool, as_json: bool) -> int:
    decided = answer.get("original") or answer if answer.get("status") == "EXISTS" else answer
    failed = "error" in answer or (not store and decided.get("status") != "ACCEPTED")
    if as_json:
        print(json.dumps(answer))
        return int(failed)
    from rich.console import Console

    from adapters.admin.render import show

    if store and not failed:
        answer = {"status": "STORED", "stream": answer.get("stream"), "sequence": answer.get("seq")}
    original = answer.pop("original", None)
    shown = {name: value for name, value in answer.items() if value not in (None, [], "Outcome")}
    if original is not None:
        shown["originally"] = original.get("status")
    show(Console(), "outcome", shown)
    return int(failed)


def compose(verb: str, fields: Fields) -> dict[str, Any]:
    """The message that the options make; what is left out is left out. Raises SubmitError."""
    key = fields.key or f"cli-{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
    match verb:
        case "request" | "signal":
            return _trade(verb, fields, key)
        case "intent":
            found = {"idempotency_key": key, "qty": fields.quantity, "type": _type(fields)}
            return _some({**found, **_some_of(fields, "exchange", "symbol", "side", "limit_price")})
        case "cash":
            return {"movement_id": key, **_some_of(fields, "currency", "amount", "reason")}
        case "command":
            return _command(fields, key)
        case "targets":
            return _target(fields, key)
    raise SubmitError(f"a {verb} has too many fields for options: write it as JSON and name the file")


def _trade(verb: str, fields: Fields, key: str) -> dict[str, Any]:
    found = {
        "request_id": key,
        "signal_id": key,
        "strategy_id": fields.strategy or "cli",
        "subscriber_id": fields.subscriber if verb == "request" else None,
        "order_type": _type(fields),
        "time_in_force": fields.time_in_force or "DAY",
        "issued_at": datetime.now(UTC).isoformat(),
        "block": fields.block or None,
    }
    sizes = _some_of(fields, "exchange", "symbol", "side", "intent", "quantity", "notional", "weight", "limit_price")
    return _some({**found, **sizes})


def _target(fields: Fields, key: str) -> dict[str, Any]:
    """A set of one target, in which what is not named stays as it is."""
    found = {
        "request_id": key,
        "signal_id": key,
        "strategy_id": fields.strategy or "cli",
        "subscriber_id": fields.subscriber,
        "mode": "PRODUCTION",
        "scope": "NAMED",
        "targets": [_some_of(fields, "exchange", "symbol", "quantity", "weight", "limit_price")],
        "time_in_force": fields.time_in_force or "DAY",
        "issued_at": datetime.now(UTC).isoformat(),
    }
    return _some(found)


def _command(fields: Fields, key: str) -> dict[str, Any]:
    order_id = fields.cancel or fields.modify
    if order_id is None or (fields.cancel and fields.modify):
        raise SubmitError("a command needs --cancel ORDER_ID or --modify ORDER_ID")
    plan = {
        "plan_id": f"EXP_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}",
        "action": "CANCEL_ORDER" if fields.cancel else "MODIFY_ORDER",
    }
    found = {"command_id": key, "subscriber_id": fields.subscriber, "plan": plan, "order_id": order_id}
    return _some({**found, **_some_of(fields, "quantity", "limit_price")})


def _type(fields: Fields) -> str:
    return fields.order_type or ("MARKET" if fields.limit_price is None else "LIMIT")


def _some_of(fields: Fields, *names: str) -> dict[str, Any]:
    return _some({name: getattr(fields, name) for name in names})


def _some(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if str(file) == "-" else file.read_bytes()
        # Numbers as written: an amount must not pass through binary floating point on its way.
        found = json.loads(raw, parse_float=str)
    except OSError as error:
        raise SubmitError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SubmitError(f"{file} is not JSON: {error}") from None
    if len(raw) > MAX_BYTES:
        raise SubmitError(f"{file} has more than {MAX_BYTES} bytes, the most a message may have")
    if not isinstance(found, dict):
        raise SubmitError(f"{file}: a message is a JSON object")
    return found


def bus(config: Path, data: Path) -> tuple[str | list[str], str]:
    """Where NATS is and what opens its subjects: the configured server, else the daemon's own. Raises SubmitError."""
    from os import environ

    from adapters.settings import SettingsError, load

    try:
        nats = load(config, environ).nats
    except SettingsError as error:
        raise SubmitError(str(error)) from None
    if nats.url:
        return [url.strip() for url in nats.url.split(",")], nats.prefix
    facts = data / "run" / "nats.json"
    try:
        return str(json.loads(facts.read_bytes())["client_url"]), nats.prefix
    except FileNotFoundError:
        raise SubmitError(
            f"no daemon runs on {data.resolve()}: start one with `tradewright run`, or name its folder with --data"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SubmitError(f"{facts} cannot be read: {error}") from None


async def _connected(url: str | list[str]) -> Wire:
    wire = Wire(url, name="tradewright-cli", on_error=lambda error: None)
    try:
        await wire.connect(CONNECT_S)
    except WireError:
        raise SubmitError("NATS does not answer: is the daemon running? See `tradewright status`") from None
    return wire


async def _ask(url: str | list[str], subject: str, body: bytes, timeout_s: float) -> bytes:
    wire = await _connected(url)
    try:
        return await wire.request(subject, body, timeout_s)
    except WireError as error:
        if "no responders" in str(error):
            raise SubmitError("NATS runs, and no engine listens: is the daemon draining or still starting?") from None
        raise SubmitError(
            f"no answer within {timeout_s:g} s; it may still be decided: the same --key asks again"
        ) from None
    finally:
        await wire.close()


# tail


def tail(
    config: Path, data: Path, *, subscriber: str | None, kind: str | None, count: int | None, as_json: bool
) -> int:
    """Shows what is published until Ctrl-C, or until `count` messages came; returns the exit code."""
    try:
        url, prefix = bus(config, data)
        _run(_tail(url, prefix, subscriber, kind, count, as_json))
    except (SubmitError, WireError) as error:
        sys.stderr.write(f"tradewright: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _tail(
    url: str | list[str], prefix: str, subscriber: str | None, kind: str | None, count: int | None, as_json: bool
) -> None:
    wire = await _connected(url)
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    whose = ">" if subscriber is None else f"{subject_token(subscriber)}.>"
    subject = f"{prefix}.out.{kind or '*'}.{whose}"
    if kind == "job":
        subject = f"{prefix}.out.job.{'*' if subscriber is None else subject_token(subscriber)}"
    await wire.listen(subject, lambda _, __, ___, payload: arrived.put_nowait(payload))
    if kind is None and subscriber is not None:
        await wire.listen(f"{prefix}.out.job.{subject_token(subscriber)}", lambda _, __, ___, p: arrived.put_nowait(p))
    show = _as_json if as_json else _lines()
    try:
        # A round trip: from here on the server has the subscription.
        await wire.flush()
        sys.stderr.write(f"following {subject}; Ctrl-C ends\n")
        sys.stderr.flush()
        while count is None or count > 0:
            show(await arrived.get())
            count = None if count is None else count - 1
    finally:
        await wire.close()


def _as_json(payload: bytes) -> None:
    sys.stdout.write(payload.decode() + "\n")
    sys.stdout.flush()


def _lines() -> Any:
    from rich.console import Console

    from adapters.admin.render import published_line

    console = Console()

    def show(payload: bytes) -> None:
        console.print(published_line(json.loads(payload), console.width), no_wrap=True, overflow="ellipsis", crop=True)

    return show


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    return uvloop.run(coroutine)
