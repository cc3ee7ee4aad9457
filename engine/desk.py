"""The switches and records that concern all of trading: the kill switch, dead letters, mail between partitions."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Desk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kill switch, and how many alarms were raised."""

    killed: bool = False
    reason: str = ""
    by: str = ""
    since: datetime | None = None
    alarms: int = 0


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
