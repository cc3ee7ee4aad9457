"""Any message as JSON and back: what stored mail, dead letters and mail between partitions are decoded with."""

from __future__ import annotations

from typing import Any, Final, Union

from msgspec import json

import engine.control_commands
import engine.control_events
import engine.post
import engine.reducing  # noqa: F401 - their classes are found among the subclasses
from engine import blocks, commands, events, grouping, messages, reports, target_events
from engine.values import read_number
from engine.work import FOLDED


def _concrete(base: type) -> list[type]:
    children: list[type] = base.__subclasses__()
    return [kind for child in children for kind in (child, *_concrete(child))]


MESSAGES: Final[tuple[type, ...]] = (
    *_concrete(messages.Message),
    *_concrete(commands.Command),
    *_concrete(reports.PortMessage),
    events.AlarmRaised,
)
_SHARED: Final = frozenset({events.OrderEvent, blocks.BlockEvent, target_events.TargetEvent, target_events.AimEvent})
"""What several events have in common, and no event itself."""
EVENTS: Final[tuple[type, ...]] = tuple(kind for kind in _concrete(events.Event) if kind not in _SHARED)
assert {grouping.GroupMoved, *blocks.FOLD, *FOLDED} <= set(EVENTS)

_decoder: Final = json.Decoder(Union[MESSAGES], dec_hook=read_number)  # noqa: UP007 - made from a tuple


encode_message: Final = json.Encoder().encode
"""Any message as JSON."""


def decode_message(raw: bytes) -> Any:
    """The message that this JSON is; raises msgspec.ValidationError where it is none."""
    return _decoder.decode(raw)
