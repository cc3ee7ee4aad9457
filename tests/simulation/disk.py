"""The journal of a world's partition: the one in memory, and what an audit wants to know of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.journal import Batch, Key, Prior
from actors.memory import MemoryJournal
from actors.registry import KINDS
from engine.events import Event


class Disk(MemoryJournal):
    """`events` is the journal in one list; a crash keeps what was committed."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[int, int, str, Event]] = []
        """(batch, index, address, event)."""
        self.keys: dict[Key, Prior] = {}

    def commit_now(self, batches: Sequence[Batch]) -> None:
        """Makes consecutive batches durable."""
        super().commit_now(batches)
        for batch in batches:
            self.keys.update(batch.keys)
            rows = enumerate(batch.events)
            self.events += [(batch.sequence, index, address, event) for index, (address, event) in rows]

    def decoded(self, address: str) -> dict[str, Any]:
        """The parts of an address, as hydration would see them."""
        found = self.load_now([address], []).parts.get(address, {})
        return KINDS[address.partition("/")[0]].decode(found)
