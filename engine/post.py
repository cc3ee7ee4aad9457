"""What partitions tell each other: mail that is numbered, kept until it is acknowledged, and taken once."""

from __future__ import annotations

from msgspec import Raw

from engine.commands import Command


class Post(Command, frozen=True, kw_only=True):
    """Send this message to an address in another partition, until it is acknowledged."""

    to: str
    cause: str
    message: Raw


class Envelope(Command, frozen=True, kw_only=True):
    """A message from another partition: `sequence` counts what that partition posted to this one."""

    to: str
    sender: int
    sequence: int
    cause: str
    message: Raw


class PostReceived(Command, frozen=True, kw_only=True):
    """Another partition has everything up to this sequence."""

    partition: int
    sequence: int
