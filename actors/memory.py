"""A journal in memory that keeps the contract of the one on disk, and fails on request: for tests and simulation.

What is committed is encoded and decoded again on its way back, so that nothing survives a restart by being the same
object. Each operation exists twice: `load` for a loop, `load_now` for a simulation that has no loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import json

from actors.journal import Batch, Entry, JournalFailed, Key, Loaded, Prior, Start
from actors.registry import KINDS
from engine.messages import Outcome
from engine.order import TERMINAL

RESTLESS: Final = tuple(
    sorted(kind for kind, actor in KINDS.items() if actor.resident or (actor.timed and kind != "order"))
)
"""Kinds of actors that every start loads, besides the orders that are open."""

_outcome: Final = json.Decoder(Outcome).decode
_status: Final = json.Decoder(dict[str, object]).decode


class MemoryJournal:
    """Implements `actors.journal.Journal`. What was committed is this object; a process is what lies between starts."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        """Everything durable, to fold."""
        self._parts: dict[str, dict[str, bytes]] = {}
        self._priors: dict[Key, tuple[str, bytes]] = {}
        self._mail: dict[int, tuple[str, bytes, str]] = {}
        self._cursors: dict[str, int] = {}
        self._failing: Literal["before", "after"] | None = None
        self._failed: str | None = None
        self._life = 0

    def __repr__(self) -> str:
        return f"<MemoryJournal of {len(self.batches)} batches: {self._failed or 'in order'}>"

    # faults

    def fail_next(self, when: Literal["before", "after"] = "before") -> None:
        """The next commit raises JournalFailed: before anything is durable, or after all of it is."""
        self._failing = when

    def crash(self) -> None:
        """The process ends: commits under way fail and leave nothing, as does everything until the next start."""
        self._failed = "the process crashed"
        self._failing = None
        self._life += 1

    # the journal, without a loop

    def start_now(self) -> Start:
        """What is durable; ends a failure, as a new process does."""
        self._failed = None
        restless = {
            address: dict(parts)
            for address, parts in self._parts.items()
            if parts and (address.partition("/")[0] in RESTLESS or self._is_open(address, parts))
        }
        mail = [(number, *self._mail[number]) for number in sorted(self._mail)]
        return Start(self.batches[-1].sequence if self.batches else 0, restless, mail, dict(self._cursors))

    def load_now(self, addresses: Sequence[str], keys: Sequence[Key]) -> Loaded:
        """States of actors and answers to keys."""
        self._check()
        parts = {address: dict(self._parts[address]) for address in addresses if self._parts.get(address)}
        priors = {}
        for key in keys:
            if key in self._priors:
                fingerprint, outcome = self._priors[key]
                priors[key] = Prior(fingerprint, _outcome(outcome))
        return Loaded(parts, priors)

    def commit_now(self, batches: Sequence[Batch]) -> None:
        """Makes the batches durable together, or raises JournalFailed."""
        self._check()
        failing, self._failing = self._failing, None
        if failing == "before":
            raise self._fail("the disk failed before anything was written")
        try:
            encoded = [_encoded(batch) for batch in batches]
        except Exception as error:  # what cannot be encoded cannot be kept, whatever it is
            raise self._fail(f"a batch could not be written: {type(error).__name__}: {error}") from error
        last = self.batches[-1].sequence if self.batches else 0
        for batch in batches:
            if batch.sequence <= last:
                raise self._fail(f"batch {batch.sequence} came after batch {last}")
            last = batch.sequence
        for batch, states in zip(batches, encoded, strict=True):
            self._keep(batch, *states)
        if failing == "after":
            raise self._fail("the disk failed after everything was written")

    def entries_now(self, after: int) -> Iterator[Entry]:
        """Each batch after a sequence that has events."""
        for batch in self.batches:
            if batch.sequence > after and batch.events:
                yield Entry(batch.sequence, batch.at, batch.events, batch.packed)

    def since_now(self, at: datetime) -> Iterator[Entry]:
        """Each batch of this time or a later one that has events."""
        return (entry for entry in self.entries_now(0) if entry.at >= at)

    # the journal

    async def start(self) -> Start:
        """What was durable when the process began."""
        return self.start_now()

    async def load(self, addresses: Sequence[str], keys: Sequence[Key]) -> Loaded:
        """States of actors and answers to keys, in one look."""
        self._check()
        await asyncio.sleep(0)
        return self.load_now(addresses, keys)

    async def commit(self, batches: Sequence[Batch]) -> None:
        """Makes these batches durable together. Others get their turn first, so that a crash can come between."""
        self._check()
        life = self._life
        await asyncio.sleep(0)
        if life != self._life:
            raise JournalFailed("the process crashed")
        self.commit_now(batches)

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """What `entries_now` gives."""
        for entry in self.entries_now(after):
            yield entry

    async def since(self, at: datetime) -> AsyncIterator[Entry]:
        """What `since_now` gives."""
        for entry in self.since_now(at):
            yield entry

    # inside

    def _keep(
        self,
        batch: Batch,
        states: dict[tuple[str, str], bytes | None],
        mail: dict[int, tuple[str, bytes, str]],
        keys: dict[Key, tuple[str, bytes]],
    ) -> None:
        self.batches.append(batch)
        for (address, part), state in states.items():
            parts = self._parts.setdefault(address, {})
            if state is None:
                parts.pop(part, None)
            else:
                parts[part] = state
        self._mail.update(mail)
        for number in [number for number in self._mail if number <= batch.taken]:
            del self._mail[number]
        self._priors.update(keys)
        self._cursors.update(batch.cursors)

    def _is_open(self, address: str, parts: dict[str, bytes]) -> bool:
        return address.startswith("order/") and _status(parts[""])["status"] not in TERMINAL

    def _check(self) -> None:
        if self._failed is not None:
            raise JournalFailed(self._failed)

    def _fail(self, reason: str) -> JournalFailed:
        self._failed = reason
        return JournalFailed(reason)


def _encoded(
    batch: Batch,
) -> tuple[dict[tuple[str, str], bytes | None], dict[int, tuple[str, bytes, str]], dict[Key, tuple[str, bytes]]]:
    states = {name: None if state is None else json.encode(state) for name, state in batch.states.items()}
    mail = {number: (letter.to, json.encode(letter.message), letter.sender) for number, letter in batch.left}
    keys = {key: (prior.fingerprint, json.encode(prior.outcome)) for key, prior in batch.keys.items()}
    return states, mail, keys
