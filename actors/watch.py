"""How often something happened within sliding windows: what duplicates, repeats and message throttles are judged by.

It is one partition's memory and no state: after a restart it is counted again from the journal (`actors.windows`).
What a window led to (a strategy that is stopped) is state, and the desk's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Any, Final

ALARM_S: Final = 60
"""How long what was told a person is not told again, in seconds."""


class Sliding:
    """Counts by key over the seconds before now. The length of the window is asked with, so that it may change."""

    __slots__ = ("_counts", "_happened", "_now", "_seconds")

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._seconds = 0
        self._counts: dict[Hashable, int] = {}
        self._happened: deque[tuple[datetime, Hashable]] = deque()

    def count(self, key: Hashable, now: datetime, seconds: int) -> int:
        """How often `key` was added in the `seconds` before now."""
        counts = self._counts
        if now is self._now and seconds == self._seconds:
            # All turns of a batch have the same time: what has left the window by then has left it.
            return counts.get(key, 0)
        self._now, self._seconds = now, seconds
        happened, start = self._happened, now - timedelta(seconds=seconds)
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

    __slots__ = ("alarms", "duplicates", "repeats", "signals", "standing", "throttles")

    def __init__(self) -> None:
        self.duplicates = Sliding()
        """By the whole order."""
        self.repeats = Sliding()
        """Signals acted on, by strategy and instrument."""
        self.signals = Sliding()
        """Orders, by strategy, instrument and signal: so that a signal counts once for all who follow it."""
        self.throttles = {scope: Sliding() for scope in ("subscriber", "strategy", "venue", "firm")}
        self.standing: Any = None
        """The limits as they stand (`actors.windows`), kept until they change."""
        self.alarms = Sliding()
        """By code and whom it is about, so that a storm of refusals is one alarm."""

    def untold(self, code: str, about: str, now: datetime) -> bool:
        """Whether a person was not told of this lately; from here on it counts as told."""
        told = self.alarms.count((code, about), now, ALARM_S) > 0
        if not told:
            self.alarms.add((code, about), now)
        return not told
