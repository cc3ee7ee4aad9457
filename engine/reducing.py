"""What a reduce-only order and its subscriber tell each other: the order looks at the position before it sends."""

from __future__ import annotations

from engine.commands import Command


class AskPosition(Command, frozen=True, kw_only=True):
    """The order has to know what is held, and its subscriber is not in memory: answered by PositionMoved."""

    order_id: str


class PositionMoved(Command, frozen=True, kw_only=True):
    """The position that the order reduces is another by now, or can be looked at."""
