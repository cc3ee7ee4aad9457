"""The log: structlog set up for people or for programs, and the lines of an order's life.

Lines go to stderr. Order lines are written once a batch is durable, in detail up to a number per second; what is
beyond is counted and summed up in one line, so that a busy engine spends its time on orders.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson
import structlog

from actors.journal import Batch
from engine import control_events as c
from engine import events as e
from engine import target_events as t
from engine.messages import INTENT_PREFIX

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LINES_PER_SECOND: Final = 200
"""Order lines written in detail; a line costs 10 to 40 µs, counting one 0.1 µs."""
WARNINGS_PER_SECOND: Final = 50
"""The same for what a person has to look at, so that a flood of orders cannot hide it, nor it flood the log."""
MAX_REMEMBERED: Final = 20_000
"""Orders whose key and type are at hand for their later lines; the oldest go first."""

_state: dict[str, Any] = {"level": "info", "format": "console"}


def configure(level: str, form: str) -> None:
    """Sets structlog up: `form` is "console" or "json", `level` one of LEVELS. May be called again at any time."""
    _state.update(level=level, format=form)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    if form == "json":
        render: list[Any] = [
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
        factory = structlog.BytesLoggerFactory(file=sys.stderr.buffer)
    else:
        render = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=24,
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,  # Variables may hold passwords, and fill screens.
            )
        ]
        factory = structlog.PrintLoggerFactory(file=sys.stderr)
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=False,  # Or a level set later would not reach loggers in use.
    )


def _dumps(value: Any, **_: Any) -> bytes:
    """One line of JSON; what orjson does not know (Decimal, Path) as text."""
    return orjson.dumps(value, default=str)


def set_level(level: str) -> str:
    """Another level from now on; returns the one before. Raises ValueError for a level that there is not."""
    if level not in LEVELS:
        raise ValueError(f"level: expected one of {', '.join(LEVELS)}, got {level!r}")
    before = str(_state["level"])
    configure(level, _state["format"])
    return before


def level_number() -> int:
    """The level in force, as `logging` counts it."""
    return LEVELS[_state["level"]]


class _Known(NamedTuple):
    """What later events of an order do not say again."""

    key: str
    order_type: str
    side: str
    quantity: Any


class OrderLog:
    """An observer that writes the lines of orders. `later(seconds, call)` has the sum of left-out lines written."""

    def __init__(
        self,
        log: Any | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] | None = None,
        lines_per_second: int = LINES_PER_SECOND,
    ) -> None:
        self._log = structlog.get_logger() if log is None else log
        self._clock = clock
        self._later = later or (lambda delay, call: asyncio.get_running_loop().call_later(delay, call))
        self._allowed = lines_per_second
        self._second = 0
        self._lines = self._warnings = 0
        self._left_out: Counter[str] = Counter()
        self._known: dict[str, _Known] = {}

    def __call__(self, batches: list[Batch]) -> None:
        """Takes batches that have become durable."""
        level = level_number()
        if level > logging.WARNING:
            return
        lines = _LINES if level <= logging.INFO else _WARNINGS
        for batch in batches:
            for _, event in batch.events:
                line = lines.get(event.__class__)
                if line is not None:
                    self._write(line, event)

    def _write(self, line: _Line, event: Any) -> None:
        if event.__class__ is e.OrderStarted:
            self._remember(event)
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._lines = self._warnings = 0
        if line.warn:
            self._warnings += 1
            if self._warnings <= WARNINGS_PER_SECOND:
                self._log.warning(line.text, **line.fields(event, self._known))
                return
        else:
            self._lines += 1
            if self._lines <= self._allowed:
                self._log.info(line.text, **line.fields(event, self._known))
                self._forget(event)
                return
            self._forget(event)
        if not self._left_out:
            self._later(1.0, self.flush)
        self._left_out[line.text] += 1

    def _remember(self, event: e.OrderStarted) -> None:
        known, ticket = self._known, event.ticket
        if len(known) >= MAX_REMEMBERED:
            del known[next(iter(known))]
        known[event.order_id] = _Known(_key(ticket.signal_id), ticket.order_type, ticket.side, ticket.quantity)

    def _forget(self, event: Any) -> None:
        kind = event.__class__
        if kind is e.OrderClosed or (kind is e.OrderFilled and event.status == "FILLED"):
            self._known.pop(event.order_id, None)

    def flush(self) -> None:
        """Writes how many lines were left out since the last time, and of what."""
        if self._left_out:
            by_kind = {text.lower().replace(" ", "_"): count for text, count in self._left_out.most_common()}
            total = sum(self._left_out.values())
            self._left_out.clear()
            self._log.info("Lines left out", left_out=total, **by_kind)


def _key(signal_id: str) -> str:
    """The idempotency key as the client knows it."""
    return signal_id.removeprefix(INTENT_PREFIX)


_Fields = Callable[[Any, dict[str, _Known]], dict[str, Any]]


class _Line(NamedTuple):
    """How an event reads in the log."""

    text: str
    fields: _Fields
    warn: bool = False


def _accepted(event: e.RequestAccepted, _: dict[str, _Known]) -> dict[str, Any]:
    ticket = event.tickets[0]
    return {
        "idempotency_key": _key(event.signal_id),
        "subscriber_id": event.subscriber_id,
        "exchange": ticket.exchange,
        "symbol": ticket.symbol,
        "side": ticket.side,
        "qty": str(ticket.quantity),
        "type": ticket.order_type,
    }


def _denied(event: e.RequestDenied, _: dict[str, _Known]) -> dict[str, Any]:
    return {
        "idempotency_key": _key(event.signal_id),
        "subscriber_id": event.subscriber_id,
        "exchange": event.exchange,
        "symbol": event.symbol,
        "status": "DENIED",
        "code": event.code,
        "reason": event.reason,
    }


def _order(status: str | None = None, *more: str) -> _Fields:
    """The fields of an order's event: what every line has, then `more` of the event's own."""

    def fields(event: Any, known: dict[str, _Known]) -> dict[str, Any]:
        found = known.get(event.order_id)
        about: dict[str, Any] = {"idempotency_key": found.key} if found is not None else {}
        about |= {
            "order_id": event.order_id,
            "subscriber_id": event.subscriber_id,
            "exchange": event.exchange,
            "symbol": event.symbol,
        }
        if found is not None:
            about |= {"side": found.side, "qty": str(found.quantity), "type": found.order_type}
        about["status"] = status or event.status
        for name in more:
            value = getattr(event, name)
            about[name] = value if value is None or value.__class__ is str else str(value)
        return about

    return fields


def _filled(event: e.OrderFilled, known: dict[str, _Known]) -> dict[str, Any]:
    fill = event.fill
    about = _order(None, "filled")(event, known)
    about |= {"fill_qty": str(fill.quantity), "price": str(fill.price), "execution_id": fill.execution_id}
    return about


def _these(*names: str) -> _Fields:
    return lambda event, _: {name: getattr(event, name) for name in names}


def _target(*more: str) -> _Fields:
    """The fields of a target that ended, then `more` of the event's own."""
    told = _these("subscriber_id", "signal_id", "exchange", "symbol", *more)
    return lambda event, known: {
        **told(event, known),
        "target": str(event.target),
        "position": str(event.position),
    }


_LINES: Final[dict[type, _Line]] = {
    e.RequestAccepted: _Line("Request accepted", _accepted),
    e.RequestDenied: _Line("Request denied", _denied),
    t.TargetsDecided: _Line(
        "Targets decided", _these("subscriber_id", "signal_id", "mode", "status", "code", "reason")
    ),
    t.TargetSteered: _Line("Target steered", _these("subscriber_id", "signal_id", "exchange", "symbol", "sentence")),
    t.TargetReached: _Line("Target reached", _target()),
    t.TargetFailed: _Line("Target failed", _target("code", "reason"), warn=True),
    e.SignalReceived: _Line("Signal received", _these("strategy_id", "signal_id", "subscribers")),
    e.OrderStarted: _Line("Order created", _order("NEW")),
    e.OrderAccepted: _Line("Order working", _order("WORKING", "venue_order_id")),
    e.OrderFilled: _Line("Order filled", _filled),
    e.OrderClosed: _Line("Order closed", _order(None, "filled", "reason")),
    e.CancelRequested: _Line("Cancel requested", _order("PENDING_CANCEL", "reason")),
    e.ReplaceRequested: _Line("Replacement requested", _order("PENDING_REPLACE", "quantity", "limit_price")),
    e.OrderReplaced: _Line("Order replaced", _order("WORKING", "quantity", "limit_price")),
    e.AmendRefused: _Line("Change refused by venue", _order("WORKING", "what", "reason")),
    e.OrderResent: _Line("Order sent again", _order("SUBMITTING")),
    e.OrderLost: _Line("Order unknown to venue", _order("UNKNOWN", "reason"), warn=True),
    e.ReportImpossible: _Line("Impossible report", _order("IMPOSSIBLE", "report", "reason"), warn=True),
    e.ChildStopped: _Line("Order stopped at the gate", _these("venue", "client_order_id", "code", "reason"), warn=True),
    e.SubscriberSaved: _Line("Subscriber saved", lambda event, _: {"subscriber_id": event.subscriber.subscriber_id}),
    e.SubscriberStatusChanged: _Line(
        "Subscriber status changed", _these("subscriber_id", "status", "reason", "by"), warn=True
    ),
    e.CashMoved: _Line(
        "Cash moved",
        lambda event, _: {
            "subscriber_id": event.subscriber_id,
            "currency": event.currency,
            "amount": str(event.amount),
            "reason": event.reason,
        },
    ),
    e.VenueUp: _Line("Venue up", _these("venue")),
    e.VenueDown: _Line("Venue down", _these("venue", "reason"), warn=True),
    e.VenueStatusChanged: _Line("Venue status changed", _these("venue", "status", "reason", "by"), warn=True),
    e.Killed: _Line("Trading killed", _these("reason", "by", "scope", "name"), warn=True),
    e.Resumed: _Line("Trading resumed", _these("reason", "by", "scope", "name"), warn=True),
    c.RegimeDeclared: _Line("Regime declared", _these("regime", "reason", "by"), warn=True),
    c.Restricted: _Line("Restriction", _these("symbol", "subscriber_id", "active", "reason", "by"), warn=True),
    c.ExecutionStopped: _Line("Strategy stopped", _these("strategy_id", "instrument", "reason"), warn=True),
    c.ExecutionRearmed: _Line("Strategy re-armed", _these("strategy_id", "instrument", "reason", "by"), warn=True),
    c.OverrideGranted: _Line("Override granted", _these("override_id", "code", "reason", "by"), warn=True),
    c.OverrideEnded: _Line("Override ended", _these("override_id", "reason", "by"), warn=True),
    c.OverrideUsed: _Line("Override used", _these("override_id", "code", "request_id", "by"), warn=True),
    e.InputRefused: _Line("Input refused", _these("subject", "code", "reason"), warn=True),
    e.DeadLettered: _Line("Message failed", _these("letter_id", "address", "error"), warn=True),
    e.DeadLetterTaken: _Line("Dead letter taken", _these("letter_id", "by"), warn=True),
    e.ActorQuarantined: _Line("Actor quarantined", _these("address", "error"), warn=True),
    e.AlarmRaised: _Line("Alarm", _these("code", "about", "reason"), warn=True),
}
_WARNINGS: Final = {kind: line for kind, line in _LINES.items() if line.warn}
