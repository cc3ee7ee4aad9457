"""The desk: the kill switch, the controls and the alarms. One in each partition, always in memory."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors import control_desk, gross
from actors.actor import Actor
from actors.turn import Turn
from engine.commands import Kill, Resume
from engine.control_commands import (
    CountTrades,
    DeclareRegime,
    EndOverride,
    GrantOverride,
    Rearm,
    Regime,
    Restrict,
    StopExecution,
)
from engine.control_events import RegimeDeclared, TradeCounted
from engine.controls import Controls
from engine.desk import Alarm, Alarms, Desk, Regimes, Traded
from engine.events import AlarmRaised, InputRefused
from engine.switching import FOLD, remembered, traded

MAX_ALARMS: Final = 50
"""Alarms that are remembered beside the journal."""


class DeskActor(Actor):
    """`desk/main`: kill is always accepted and cancels what is open; whatever loosens a control needs a reason."""

    __slots__ = ()
    kind = "desk"
    PARTS: ClassVar[Any] = {"": Desk, "regimes": Regimes, "alarms": Alarms, "traded": Traded}
    resident = True

    @property
    def desk(self) -> Desk:
        """The switches as they are."""
        desk: Desk = self.parts.get("", Desk())
        return desk

    @property
    def controls(self) -> Controls:
        """What is in force beside the kill switch."""
        return self.desk.controls or Controls()

    def _alarm(self, message: AlarmRaised, turn: Turn) -> None:
        turn.record(message)

    def _fold(self, event: Any) -> None:
        self.put("", FOLD[event.__class__](self.desk, event))

    def _declared(self, event: RegimeDeclared) -> None:
        self._fold(event)
        self.put("regimes", remembered(self.parts.get("regimes", Regimes()), event))

    def _refused(self, _: InputRefused) -> None:
        """What a client was refused changes nothing."""

    def _traded(self, event: TradeCounted) -> None:
        for part, value in traded(self.parts, event):
            self.put(part, value)

    def _alarmed(self, event: AlarmRaised) -> None:
        self._fold(event)
        alarm = Alarm(at=event.at, code=event.code, about=event.about, reason=event.reason)
        before: Alarms = self.parts.get("alarms", Alarms())
        self.put("alarms", Alarms(latest=(*before.latest, alarm)[-MAX_ALARMS:]))

    RECEIVE: ClassVar[Any] = {
        AlarmRaised: _alarm,
        Kill: control_desk.kill,
        Resume: control_desk.resume,
        Regime: control_desk.ask_regime,
        DeclareRegime: control_desk.declare,
        Restrict: control_desk.restrict,
        StopExecution: control_desk.stop,
        Rearm: control_desk.rearm,
        GrantOverride: control_desk.grant,
        EndOverride: control_desk.end,
        CountTrades: gross.count,
    }
    APPLY: ClassVar[Any] = dict.fromkeys(FOLD, _fold) | {
        RegimeDeclared: _declared,
        AlarmRaised: _alarmed,
        TradeCounted: _traded,
        InputRefused: _refused,
    }
