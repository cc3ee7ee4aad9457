"""What an actor is: an address, parts of state, RECEIVE to decide and APPLY to change.

What receives never changes state itself: it records events, and what applies folds them, now and at every replay. Both
are tables from a message's or event's class to a method, so that a test can see that nothing is left unhandled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct, json

from engine.values import read_number

if TYPE_CHECKING:
    from actors.turn import Turn

Receive = Callable[[Any, Any, "Turn"], None]
Apply = Callable[[Any, Any], None]


class Actor:
    """One address and its state: named parts, each a frozen struct and a row of its own in the store."""

    kind: ClassVar[str]
    RECEIVE: ClassVar[Mapping[type, Receive]]
    """Decides about a message: records events and tells others, through the turn. Raising undoes the whole turn."""
    APPLY: ClassVar[Mapping[type, Apply]]
    """Folds an event into the state; the same at every replay."""
    PARTS: ClassVar[Mapping[str, type]]
    """The struct of each part by the part's name up to its first '/'; '' is the actor's main part."""
    timed: ClassVar[bool] = False
    ticking: ClassVar[bool] = False
    """Whether a Tick that changes nothing may be followed by another, so that its timer is set again."""
    resident: ClassVar[bool] = False
    """Whether actors of this kind are loaded at the start and never evicted."""

    __slots__ = ("address", "changes", "failures", "id", "parts", "touched")

    def __init__(self, address: str, parts: dict[str, Any]) -> None:
        self.address = address
        self.id = address[len(self.kind) + 1 :]
        self.parts = parts
        self.changes: dict[str, Any] = {}
        """What each part changed in the turn under way was before it: the way back if the turn fails."""
        self.touched = 0
        """The batch that last changed this actor: it may leave memory once that is durable."""
        self.failures = 0

    def __repr__(self) -> str:
        return f"<{self.address} {self.parts.get('')!r}>"

    def apply(self, event: Any) -> None:
        """Folds an event into the state, outside of a turn."""
        self.APPLY[event.__class__](self, event)

    def put(self, part: str, value: Struct) -> None:
        """Gives a part a new value (only from `apply`)."""
        parts, changes = self.parts, self.changes
        if part not in changes:
            changes[part] = parts.get(part)
        parts[part] = value

    def drop(self, part: str) -> None:
        """Removes a part (only from `apply`)."""
        self.changes.setdefault(part, self.parts.pop(part))

    def undo(self) -> None:
        """Brings the parts back to what they were when the turn began."""
        for part, was in self.changes.items():
            if was is None:
                self.parts.pop(part, None)
            else:
                self.parts[part] = was
        self.changes.clear()

    @property
    def due(self) -> datetime | None:
        """When this actor wants a Tick, for kinds that are `timed`."""
        return None

    @property
    def done(self) -> bool:
        """Whether nothing more is expected of this actor, so that it may leave memory at once."""
        return False

    @classmethod
    def decode(cls, parts: Mapping[str, bytes]) -> dict[str, Any]:
        """The parts as structs, from their stored JSON."""
        return {part: _decoder(cls.PARTS[part.partition("/")[0]]).decode(raw) for part, raw in parts.items()}


_decoders: dict[type, json.Decoder[Any]] = {}


def _decoder(kind: type) -> json.Decoder[Any]:
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = json.Decoder(kind, dec_hook=read_number)
    return found
