"""When children were last asked to end: a cancel that the venue refused is asked for again, and not at once.

The memory of one process and no state: after a restart it is asked for at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from engine.algos.contract import Action, Cancel
from engine.working import Piece

PAUSE: Final = timedelta(seconds=1)


class Again:
    """The children of one order that were asked to end, and when."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: dict[str, datetime] = {}

    def due(self, actions: Sequence[Action], children: Sequence[Piece], now: datetime) -> tuple[Action, ...]:
        """The actions without cancels of `children` (the open ones) that were asked for within the pause."""
        if not any(isinstance(one, Cancel) for one in actions):
            return tuple(actions)
        asked, names = self._asked, {child.order_id for child in children}
        # A clock that was set back is no reason to wait for it.
        recent = {name: at for name, at in asked.items() if name in names and now - PAUSE < at <= now}
        kept = tuple(one for one in actions if not isinstance(one, Cancel) or one.child_id not in recent)
        self._asked = recent | {one.child_id: now for one in kept if isinstance(one, Cancel)}
        return kept
