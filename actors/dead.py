"""Dead letters: messages whose turn failed, kept with the reason until a person replays or drops them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from actors.actor import Actor
from actors.turn import Turn
from engine.commands import Bury, Unbury
from engine.desk import DeadLetter, Quarantine
from engine.events import ActorQuarantined, DeadLettered, DeadLetterTaken
from engine.messages import Outcome

MAX_LETTERS: Final = 10_000
"""Past it the oldest goes; the journal still has it."""


class DeadLettersActor(Actor):
    """`dead/letters`: a part a letter (`l/<id>`) and a part a quarantined actor (`q/<address>`)."""

    __slots__ = ()
    kind = "dead"
    PARTS: ClassVar[Any] = {"l": DeadLetter, "q": Quarantine}
    resident = True

    def _bury(self, message: Bury, turn: Turn) -> None:
        turn.record(
            DeadLettered(
                at=turn.now,
                letter_id=message.letter_id,
                address=message.address,
                sender=message.sender,
                message=message.message,
                error=message.error,
                traceback=message.traceback,
            )
        )
        if message.quarantine:
            turn.record(ActorQuarantined(at=turn.now, address=message.address, error=message.error))
            turn.alarm("QUARANTINED", message.address, f"three turns in a row failed, the last with {message.error}")

    def _unbury(self, message: Unbury, turn: Turn) -> None:
        letter: DeadLetter | None = self.parts.get(f"l/{message.letter_id}")
        if letter is None:
            reason = f"letter_id: there is no dead letter {message.letter_id}"
            turn.reply(Outcome(request_id=None, status="INVALID", code="UNKNOWN_LETTER", reason=reason))
            return
        turn.record(DeadLetterTaken(at=turn.now, letter_id=message.letter_id, by=message.by))
        if message.replay:
            turn.redeliver(letter.address, letter.message.encode())
        verb = "replayed" if message.replay else "dropped"
        turn.reply(Outcome(request_id=None, status="ACCEPTED", reason=f"dead letter {letter.letter_id} {verb}"))

    def _dead_lettered(self, event: DeadLettered) -> None:
        letters = [part for part in self.parts if part.startswith("l/")]
        if len(letters) >= MAX_LETTERS:
            self.drop(letters[0])
        self.put(
            f"l/{event.letter_id}",
            DeadLetter(
                letter_id=event.letter_id,
                address=event.address,
                sender=event.sender,
                message=event.message,
                error=event.error,
                traceback=event.traceback,
                at=event.at,
            ),
        )

    def _quarantined(self, event: ActorQuarantined) -> None:
        self.put(f"q/{event.address}", Quarantine(address=event.address, error=event.error, at=event.at))

    def _taken(self, event: DeadLetterTaken) -> None:
        letter: DeadLetter = self.parts[f"l/{event.letter_id}"]
        self.drop(f"l/{event.letter_id}")
        if f"q/{letter.address}" in self.parts:
            self.drop(f"q/{letter.address}")

    RECEIVE: ClassVar[Any] = {Bury: _bury, Unbury: _unbury}
    APPLY: ClassVar[Any] = {DeadLettered: _dead_lettered, ActorQuarantined: _quarantined, DeadLetterTaken: _taken}
