"""The door's record: what came in and was no message. The decoding itself is `engine.intake`."""

from __future__ import annotations

from typing import Any, ClassVar

from actors.actor import Actor
from actors.turn import Turn
from engine.commands import RefuseInput
from engine.events import InputRefused
from engine.messages import Outcome


class DoorActor(Actor):
    """`door/in`: keeps an audit entry of every refused input and answers whoever waits."""

    __slots__ = ()
    kind = "door"
    PARTS: ClassVar[Any] = {}
    resident = True

    def _refuse(self, message: RefuseInput, turn: Turn) -> None:
        turn.record(
            InputRefused(
                at=turn.now,
                subject=message.subject,
                code=message.code,
                reason=message.reason,
                excerpt=message.excerpt,
            )
        )
        turn.reply(Outcome(request_id=None, status="INVALID", code=message.code, reason=message.reason))

    def _refused(self, _: InputRefused) -> None:
        """An audit entry changes no state."""

    RECEIVE: ClassVar[Any] = {RefuseInput: _refuse}
    APPLY: ClassVar[Any] = {InputRefused: _refused}
