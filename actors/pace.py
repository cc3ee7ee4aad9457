"""How often something happened in the second under way: what order rates are limited by."""

from __future__ import annotations

from datetime import datetime


class Pace:
    """Counts per name and second. It is not state: after a restart a second begins anew."""

    __slots__ = ("_counts", "_now", "_second")

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._second = 0
        self._counts: dict[str, int] = {}

    def rate(self, name: str, now: datetime) -> int:
        """How often `name` was counted in this second."""
        if now is not self._now:
            # All turns of a batch have the same time: which second that is in, is worked out once.
            self._now = now
            second = int(now.timestamp())
            if second != self._second:
                self._second = second
                self._counts.clear()
        return self._counts.get(name, 0)

    def add(self, name: str, now: datetime) -> None:
        """Counts `name` once more."""
        self._counts[name] = self.rate(name, now) + 1
