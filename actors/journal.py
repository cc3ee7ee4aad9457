"""The contract between the partition and what makes its batches durable.

A batch is everything that one run of the mailboxes did. A journal makes batches durable as ONE transaction, or
not at all; whoever awaited `commit` may then, and only then, let out what the batches hold back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from msgspec import Struct, msgpack

from engine.events import Event
from engine.messages import Outcome

_pack: Final = msgpack.Encoder().encode


class Mail(Struct, frozen=True, gc=False):  # made nine times an order: a quarter of a named tuple's cost
    """A message on its way to an actor. `sender` is an address, or '' for the outside that expects no answer."""

    to: str
    message: Any
    sender: str = ""


class Prior(NamedTuple):
    """What was asked under an idempotency key, and what it was answered."""

    fingerprint: str
    outcome: Outcome


Key = tuple[str, str]
"""(subscriber_id, idempotency key)."""


class Batch(Struct):
    """What one run did: recorded events, changed parts of states, mail in and out, positions consumed."""

    sequence: int
    at: datetime
    events: list[tuple[str, Event]]
    """(address, event) in the order recorded; an event's id is `<partition>:<sequence>:<index>`."""
    states: dict[tuple[str, str], Struct | None]
    """(address, part) -> the part's new value, None where it is gone."""
    left: list[tuple[int, Mail]]
    """Mail that is new in this batch and not yet delivered, numbered in the order of delivery (table `mail`)."""
    taken: int
    """Mail up to this number has been delivered: its rows go."""
    outgoing: list[Mail]
    """What leaves the partition once the batch is durable."""
    cursors: dict[str, int]
    """Positions of the bus that this batch consumed or saw published, by name."""
    keys: dict[Key, Prior]
    """Idempotency keys that this batch answered."""
    _packed: bytes = b""

    @property
    def packed(self) -> bytes:
        """The events in msgpack, as the journal and the frames have them: encoded once for both."""
        if not self._packed:
            self._packed = _pack(self.events)
        return self._packed


class Loaded(NamedTuple):
    """What `load` found: the parts of each address (an unknown address has none), and keys answered before."""

    parts: Mapping[str, Mapping[str, bytes]]
    priors: Mapping[Key, Prior]


class Start(NamedTuple):
    """Where a partition goes on from."""

    sequence: int
    """Of the last durable batch; 0 for none."""
    restless: Mapping[str, Mapping[str, bytes]]
    """The parts of every actor that is not at rest: open orders, venues, the desk, strategies' timers."""
    undelivered: Sequence[tuple[int, str, bytes, str]]
    """(number, to, message as JSON, sender) in the order of delivery."""
    cursors: Mapping[str, int]


class Entry(NamedTuple):
    """A journal entry: one batch and what happened in it, as (address, event)."""

    sequence: int
    at: datetime
    events: list[tuple[str, Event]]
    packed: bytes
    """`events` in msgpack."""


class Journal(Protocol):
    """Keeps batches. One partition writes; `load` sees every batch whose commit returned."""

    async def start(self) -> Start:
        """What was durable when the process began."""

    async def load(self, addresses: Sequence[str], keys: Sequence[Key]) -> Loaded:
        """States of actors and answers to keys, in one look."""

    async def commit(self, batches: Sequence[Batch]) -> None:
        """Makes these consecutive batches durable together; raises `JournalFailed` when that is in doubt."""


class JournalFailed(Exception):
    """A commit failed or its outcome is unknown: the process must stop and believe only what is on disk."""
