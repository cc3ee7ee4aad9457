"""When actors want a Tick: a heap of due times, most of which nobody waits for any more when they come up."""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import Final

SPARE: Final = 10_000
"""Entries that nobody waits for any more may stay this many; past it they are cleared out."""


class Timers:
    """The due time of each address, one at most."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime] = {}

    def set(self, address: str, due: datetime | None) -> None:
        """From now on this address is due then, or never."""
        if due is None:
            self._due.pop(address, None)
        elif self._due.get(address) != due:
            self._due[address] = due
            heapq.heappush(self._heap, (due, address))
            if len(self._heap) > 2 * len(self._due) + SPARE:
                # Most orders end long before their timers ring.
                self._heap = [(due, address) for address, due in self._due.items()]
                heapq.heapify(self._heap)

    @property
    def next_due(self) -> datetime | None:
        """When the earliest rings."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def ring(self, now: datetime) -> list[str]:
        """Takes out the addresses that are due, the earliest first."""
        rung = []
        while (due := self.next_due) is not None and due <= now:
            _, address = heapq.heappop(self._heap)
            del self._due[address]
            rung.append(address)
        return rung
