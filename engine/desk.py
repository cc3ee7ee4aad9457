"""The switches and records that concern all of trading: the kill switch, dead letters, mail between partitions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from engine.controls import Controls, RegimeChange


class Desk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kill switch, how many alarms were raised, and what else is in force (None: nothing)."""

    killed: bool = False
    reason: str = ""
    by: str = ""
    since: datetime | None = None
    alarms: int = 0
    controls: Controls | None = None


class Regimes(Struct, frozen=True, kw_only=True):
    """The latest changes of the regime, the oldest first: what was in force when an order was decided."""

    changes: tuple[RegimeChange, ...] = ()


class Traded(Struct, frozen=True, kw_only=True):
    """What was executed on a day: of a strategy in one currency, or of all."""

    day: str
    notional: Decimal


class Alarm(Struct, frozen=True, kw_only=True):
    """Something that a person had to look at."""

    at: datetime
    code: str
    about: str
    reason: str


class Alarms(Struct, frozen=True, kw_only=True):
    """The latest alarms, the oldest first."""

    latest: tuple[Alarm, ...] = ()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message whose turn failed. `message` is its JSON."""

    letter_id: str
    address: str
    sender: str
    message: str
    error: str
    traceback: str
    at: datetime


class Quarantine(Struct, frozen=True, kw_only=True):
    """An actor whose mail is kept back."""

    address: str
    error: str
    at: datetime


class Posted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the mail with another partition has come: the last sequence sent, and the last received."""

    sent: int = 0
    acknowledged: int = 0
    received: int = 0
    waiting_since: datetime | None = None


class PostedMail(Struct, frozen=True, kw_only=True):
    """A message to another partition that is not acknowledged. `message` is its JSON."""

    to: str
    cause: str
    message: str
