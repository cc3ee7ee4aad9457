"""The desk: the kill switch and the alarms. One in each partition, always in memory."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec.structs import replace

from actors.actor import Actor
from actors.turn import Turn
from engine.commands import CancelOrder, Kill, Resume
from engine.desk import Desk
from engine.events import AlarmRaised, Killed, Resumed
from engine.messages import Outcome


class DeskActor(Actor):
    """`desk/main`: kill is always accepted and cancels what is open; resume needs a reason."""

    __slots__ = ()
    kind = "desk"
    PARTS: ClassVar[Any] = {"": Desk}
    resident = True

    @property
    def desk(self) -> Desk:
        """The switches as they are."""
        desk: Desk = self.parts.get("", Desk())
        return desk

    def _kill(self, message: Kill, turn: Turn) -> None:
        if not self.desk.killed:
            turn.record(Killed(at=turn.now, reason=message.reason, by=message.by))
        orders = turn.residents("order")
        for address in orders:
            turn.tell(address, CancelOrder(reason=f"killed: {message.reason}"))
        text = f"killed; {len(orders)} open orders are being cancelled"
        turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=text))

    def _resume(self, message: Resume, turn: Turn) -> None:
        if not message.reason.strip():
            text = "reason: say why trading may go on"
            turn.reply(Outcome(request_id=None, status="INVALID", code="MISSING_REASON", reason=text))
            return
        if self.desk.killed:
            turn.record(Resumed(at=turn.now, reason=message.reason, by=message.by))
        turn.reply(Outcome(request_id=None, status="ACCEPTED", reason="trading is on"))

    def _alarm(self, message: AlarmRaised, turn: Turn) -> None:
        turn.record(message)

    def _killed(self, event: Killed) -> None:
        self.put("", replace(self.desk, killed=True, reason=event.reason, by=event.by, since=event.at))

    def _resumed(self, event: Resumed) -> None:
        self.put("", replace(self.desk, killed=False, reason=event.reason, by=event.by, since=event.at))

    def _alarmed(self, _: AlarmRaised) -> None:
        self.put("", replace(self.desk, alarms=self.desk.alarms + 1))

    RECEIVE: ClassVar[Any] = {Kill: _kill, Resume: _resume, AlarmRaised: _alarm}
    APPLY: ClassVar[Any] = {Killed: _killed, Resumed: _resumed, AlarmRaised: _alarmed}
