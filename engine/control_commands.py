"""What persons and clients say to the desk about the controls, and what the desk tells subscribers of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from engine.commands import Command
from engine.control_settings import RegimeName
from engine.messages import Message, Text
from engine.values import Id


class Regime(Message, frozen=True, kw_only=True):
    """A client declares a regime, for a reason, on `exec.in.regime` or `exec.ask.regime`.

    It may be no laxer than what is in force, unless it is in the name of a person whom the configuration names.
    """

    regime: RegimeName
    reason: Text
    by: Id

    def problem(self) -> tuple[str, str] | None:
        """What makes this senseless, or None."""
        return None if self.reason.strip() else ("MISSING_REASON", "reason: say why the regime changes")


class DeclareRegime(Command, frozen=True, kw_only=True):
    """A person declares a regime, over the admin socket: any regime, for a reason."""

    regime: RegimeName
    reason: str
    by: str


class FollowRegime(Command, frozen=True, kw_only=True):
    """A regime was declared: see to these orders of yours as it says."""

    order_ids: tuple[str, ...]
    reason: str


class Constrain(Command, frozen=True, kw_only=True):
    """Send nothing more while you are `paused`, and no child of more than `most` units: so says the regime, which
    may have changed your urgency too."""

    paused: bool
    most: Decimal | None = None
    reason: str


class Restrict(Command, frozen=True, kw_only=True):
    """Nobody, or not this subscriber, may trade this symbol (`AAPL`, `XNAS:AAPL`); or they may again."""

    symbol: str
    subscriber_id: str = ""
    active: bool
    reason: str
    by: str


class StopExecution(Command, frozen=True, kw_only=True):
    """This strategy acted on this instrument more often than it may: stop it there."""

    strategy_id: str
    instrument: str
    reason: str


class Rearm(Command, frozen=True, kw_only=True):
    """Let a strategy that was stopped act on this instrument again."""

    strategy_id: str
    instrument: str
    reason: str
    by: str


class GrantOverride(Command, frozen=True, kw_only=True):
    """Let orders of whom or what is named pass the soft check with this code until a time."""

    code: str
    subscriber_id: str = ""
    strategy_id: str = ""
    symbol: str = ""
    reason: str
    by: str
    expires_at: datetime


class EndOverride(Command, frozen=True, kw_only=True):
    """Take an override back."""

    override_id: str
    reason: str
    by: str


class CountTrades(Command, frozen=True, kw_only=True):
    """So much was executed, each of a strategy in a currency: it counts for the gross limits of the day."""

    trades: tuple[tuple[str, str, Decimal], ...]
