"""The door: what arrives on a subject becomes mail for an actor, or a refusal that is kept and answered.

Nothing here awaits: the wire hands each message over as it is parsed, and a full engine says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import json
from msgspec.structs import replace

from actors.journal import Mail
from actors.market import Market
from actors.turn import home_of
from engine import intake
from engine.codec import decode_message
from engine.commands import RefuseInput
from engine.identity import name_in, partition_of
from engine.messages import (
    CashMovement,
    ExecutionCommand,
    ExecutionRequest,
    MarketData,
    OrderIntent,
    Outcome,
    Subscriber,
)
from engine.post import Envelope, PostReceived
from engine.refusal import Refusal
from engine.target_messages import TargetPositions

VERBS: Final = ("request", "signal", "intent", "command", "targets", "subscriber", "cash")
_encode: Final = json.Encoder().encode
_PACKED: Final = b"application/msgpack"


class Door:
    """Reads what comes in under `<prefix>.in` and `<prefix>.ask`, and market data."""

    def __init__(
        self,
        prefix: str,
        partition: int,
        partitions: int,
        post: Callable[[Mail], bool],
        market: Market,
        on_market: Callable[[MarketData], None],
    ) -> None:
        self._skip = len(prefix) + 1
        self._partition = partition
        self._partitions = partitions
        self._post = post
        self._market = market
        self._on_market = on_market
        self.counts: dict[str, int] = {}

    def asked(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> bytes | None:
        """A request-reply message. Returns the answer where it is refused at once, None where the engine answers."""
        # An answer to any other subject would be sent with the engine's rights, on a client's behalf.
        mail = self._read(subject, "reply/" + reply.decode() if reply.startswith(b"_INBOX.") else "", headers, payload)
        if mail is None or self._post(mail):
            return None
        reason = "the engine holds as many undelivered messages as it may; try again"
        return _encode(Outcome(request_id=None, status="DENIED", code="OVERLOADED", reason=reason))

    def stored(self, subject: str, headers: bytes | None, payload: bytes) -> None:
        """A message of the input stream; nobody waits for an answer."""
        mail = self._read(subject, "", headers, payload)
        if mail is not None:
            self._post(mail)

    def quoted(self, subject: str, _: bytes, headers: bytes | None, payload: bytes) -> None:
        """Market data. What cannot be read is counted and dropped: the next one replaces it anyway."""
        verb = subject[self._skip :].split(".", 2)[1]
        data = intake.read(verb, payload, _packed(headers)) if verb in ("quote", "trade", "bar") else None
        if data is None or data.__class__ is Refusal:
            self.counts["market_data_refused"] = self.counts.get("market_data_refused", 0) + 1
            return
        self._market.hear(data, datetime.now(UTC))
        self._on_market(data)

    def mailed(self, subject: str, _: bytes, headers: bytes | None, payload: bytes) -> None:
        """Mail from another partition's post; all partitions hear it, the one that the address lives in takes it."""
        kind, token = subject[self._skip :].split(".")[1:]
        name = name_in(token)
        here = int(name) if kind == "post" else home_of(kind, f"{kind}/{name}", self._partitions, -1)
        if here != self._partition:
            return
        message = decode_message(payload)
        if isinstance(message, Envelope):
            self._post(Mail(f"post/{message.sender}", message))
        elif isinstance(message, PostReceived):
            self._post(Mail(f"post/{message.partition}", message))

    def _read(self, subject: str, sender: str, headers: bytes | None, payload: bytes) -> Mail | None:
        """The mail that a message becomes; None where it is another partition's."""
        parts = subject[self._skip :].split(".")
        try:
            _, verb, token = parts
            name = name_in(token)
        except ValueError:
            if parts[1:] == ["regime"]:
                return self._regime(subject, sender, headers, payload)
            return self._refuse(subject, "BAD_SUBJECT", "expected <prefix>.<in or ask>.<verb>.<id>", payload, sender)
        if partition_of(name, self._partitions) != self._partition:
            return None
        if verb not in VERBS:
            reason = f"verb: expected one of {', '.join(VERBS)}, got {verb[:32]}"
            return self._refuse(subject, "UNKNOWN_VERB", reason, payload, sender)
        message = intake.read(verb, payload, headers is not None and _packed(headers))
        if message.__class__ is not Refusal:
            message = _READ[verb](name, message)
        if message.__class__ is Refusal:
            return self._refuse(subject, message.code, message.reason, payload, sender)
        kind = "strategy/" if verb == "signal" else "subscriber/"
        return Mail(kind + name, message, sender)

    def _regime(self, subject: str, sender: str, headers: bytes | None, payload: bytes) -> Mail:
        """A regime is nobody's own: every partition takes it."""
        message = intake.read("regime", payload, headers is not None and _packed(headers))
        if message.__class__ is Refusal:
            return self._refuse(subject, message.code, message.reason, payload, sender)
        return Mail("desk/main", message, sender)

    def _refuse(self, subject: str, code: str, reason: str, payload: bytes, sender: str) -> Mail:
        excerpt = payload[:200].decode("utf-8", "backslashreplace")
        return Mail("door/in", RefuseInput(subject=subject[:200], code=code, reason=reason, excerpt=excerpt), sender)


def _packed(headers: bytes | None) -> bool:
    return headers is not None and _PACKED in headers


def _mismatch(field: str, body: str | None, subject: str) -> Refusal:
    return Refusal("SUBJECT_MISMATCH", f"{field}: {body} in the message, {subject} in the subject")


def _request(name: str, message: ExecutionRequest) -> Any:
    if message.subscriber_id is None:
        message = replace(message, subscriber_id=name)
        problem = message.problem()
        return message if problem is None else Refusal(*problem)
    return message if message.subscriber_id == name else _mismatch("subscriber_id", message.subscriber_id, name)


def _signal(name: str, message: ExecutionRequest) -> Any:
    if message.subscriber_id is not None:
        return _mismatch("subscriber_id", message.subscriber_id, "none")
    return message if message.strategy_id == name else _mismatch("strategy_id", message.strategy_id, name)


def _intent(name: str, message: OrderIntent) -> Any:
    if message.subscriber_id not in (name, "default"):
        return _mismatch("subscriber_id", message.subscriber_id, name)
    request = message.request(name, datetime.now(UTC))
    problem = request.problem()
    return request if problem is None else Refusal(*problem)


def _command(name: str, message: ExecutionCommand) -> Any:
    if message.subscriber_id != name:
        return _mismatch("subscriber_id", message.subscriber_id, name)
    if message.request is not None and message.request.subscriber_id != name:
        return _mismatch("request.subscriber_id", message.request.subscriber_id, name)
    return message


def _targets(name: str, message: TargetPositions) -> Any:
    return message if message.subscriber_id == name else _mismatch("subscriber_id", message.subscriber_id, name)


def _subscriber(name: str, message: Subscriber) -> Any:
    return message if message.subscriber_id == name else _mismatch("subscriber_id", message.subscriber_id, name)


def _cash(name: str, message: CashMovement) -> Any:
    if message.subscriber_id not in (None, name):
        return _mismatch("subscriber_id", message.subscriber_id, name)
    return message


_READ: Final[dict[str, Callable[[str, Any], Any]]] = {
    "request": _request,
    "signal": _signal,
    "intent": _intent,
    "command": _command,
    "targets": _targets,
    "subscriber": _subscriber,
    "cash": _cash,
}
