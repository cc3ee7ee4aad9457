"""How often something happened within sliding windows: what duplicates, repeats and message throttles are judged by.

It is one partition's memory and no state: after a restart it is counted again from the journal (`actors.windows`).
What a window led to (a strategy that is stopped) is state, and the desk's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from datetime import datetime, timedelta


class Sliding:
    """Counts by key over the seconds before now. The length of the window is asked with, so that it may change."""

    __slots__ = ("_counts", "_happened")

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}
        self._happened: deque[tuple[datetime, Hashable]] = deque()

    def count(self, key: Hashable, now: datetime, seconds: int) -> int:
        """How often `key` was added in the `seconds` before now."""
        happened, counts = self._happened, self._counts
        start = now - timedelta(seconds=seconds)
        while happened and happened[0][0] <= start:
            _, old = happened.popleft()
            left = counts[old] - 1
            if left:
                counts[old] = left
            else:
                del counts[old]
        return counts.get(key, 0)

    def add(self, key: Hashable, now: datetime) -> None:
        """It happened once more."""
        self._counts[key] = self._counts.get(key, 0) + 1
        self._happened.append((now, key))

    def forget(self, key: Hashable) -> None:
        """As if it had never happened."""
        if self._counts.pop(key, None) is not None:
            self._happened = deque(one for one in self._happened if one[1] != key)


class Watch:
    """The windows of one partition."""

    __slots__ = ("alarms", "duplicates", "repeats", "signals", "throttles")

    def __init__(self) -> None:
        self.duplicates = Sliding()
        """By the whole order."""
        self.repeats = Sliding()
        """Signals acted on, by strategy and instrument."""
        self.signals = Sliding()
        """Orders, by strategy, instrument and signal: so that a signal counts once for all who follow it."""
        self.throttles = {scope: Sliding() for scope in ("subscriber", "strategy", "venue", "firm")}
        self.alarms = Sliding()
        """By code and whom it is about, so that a storm of refusals is one alarm."""
