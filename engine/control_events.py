"""What happened to the controls: each is an event with a person and a reason, told on `exec.out.venue_status`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from engine.control_settings import RegimeName, RegimeSettings
from engine.events import Event


class RegimeDeclared(Event, frozen=True, kw_only=True):
    """A regime is in force from now on, and this is what it changes."""

    regime: RegimeName
    settings: RegimeSettings
    reason: str
    by: str


class Restricted(Event, frozen=True, kw_only=True):
    """A symbol may not be traded any more (or may again, where not `active`), by all or by one subscriber."""

    symbol: str
    subscriber_id: str = ""
    active: bool
    reason: str
    by: str


class ExecutionStopped(Event, frozen=True, kw_only=True):
    """A strategy acted on an instrument too often: it is stopped there until a person re-arms it."""

    strategy_id: str
    instrument: str
    reason: str


class ExecutionRearmed(Event, frozen=True, kw_only=True):
    """A person let a stopped strategy act on an instrument again."""

    strategy_id: str
    instrument: str
    reason: str
    by: str


class OverrideGranted(Event, frozen=True, kw_only=True):
    """A person let pass one soft check until a time."""

    override_id: str
    code: str
    subscriber_id: str = ""
    strategy_id: str = ""
    symbol: str = ""
    reason: str
    by: str
    expires_at: datetime


class OverrideEnded(Event, frozen=True, kw_only=True):
    """An override was taken back, or cleared away after it had expired."""

    override_id: str
    reason: str
    by: str


class OverrideUsed(Event, frozen=True, kw_only=True):
    """An order passed a check under an override: which check, what it would have been refused with, whose leave."""

    subscriber_id: str
    request_id: str
    override_id: str
    code: str
    refusal: str
    by: str
    reason: str


class TradeCounted(Event, frozen=True, kw_only=True):
    """So much was executed on this day (UTC) for a strategy; recorded only where gross limits are configured."""

    day: str
    strategy_id: str
    currency: str
    notional: Decimal
