"""Mail between partitions: numbered, kept until acknowledged, repeated until then, taken once.

The sender's side of partition n is `post/<n>`, in every other partition; the same actor takes what partition n
sends. An acknowledgement that is lost costs a repetition, and a repetition is dropped by its number.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from msgspec import Raw
from msgspec.structs import replace

from actors.actor import Actor
from actors.turn import Turn
from engine.commands import Recover, Tick
from engine.desk import Posted, PostedMail
from engine.events import MailAcknowledged, MailPosted, MailTaken
from engine.post import Envelope, Post, PostReceived

REPEAT_AFTER: Final = timedelta(seconds=1)
WINDOW: Final = 256
"""Envelopes that are repeated at once."""


class PostActor(Actor):
    """`post/<partition>`: what goes to that partition and comes from it."""

    __slots__ = ()
    kind = "post"
    PARTS: ClassVar[Any] = {"": Posted, "m": PostedMail}
    resident = True
    timed = True

    @property
    def posted(self) -> Posted:
        """How far the mail has come."""
        posted: Posted = self.parts.get("", Posted())
        return posted

    @property
    def due(self) -> datetime | None:
        since = self.posted.waiting_since
        return None if since is None else since + REPEAT_AFTER

    def _post(self, message: Post, turn: Turn) -> None:
        body = bytes(message.message).decode()
        event = MailPosted(at=turn.now, sequence=self.posted.sent + 1, to=message.to, cause=message.cause, message=body)
        turn.record(event)
        self._send(event.sequence, turn)

    def _send(self, sequence: int, turn: Turn) -> None:
        mail: PostedMail = self.parts[f"m/{sequence:016d}"]
        turn.tell(
            f"mailbox/{mail.to}",
            Envelope(
                to=mail.to,
                sender=turn.partition,
                sequence=sequence,
                cause=mail.cause,
                message=Raw(mail.message.encode()),
            ),
        )

    def _envelope(self, message: Envelope, turn: Turn) -> None:
        if message.sequence == self.posted.received + 1:
            turn.record(MailTaken(at=turn.now, sequence=message.sequence))
            turn.redeliver(message.to, bytes(message.message))
        received = PostReceived(partition=turn.partition, sequence=self.posted.received)
        turn.tell(f"mailbox/post/{self.id}", received)

    def _received(self, message: PostReceived, turn: Turn) -> None:
        if self.posted.acknowledged < message.sequence <= self.posted.sent:
            turn.record(MailAcknowledged(at=turn.now, sequence=message.sequence))

    def _repeat(self, _: Tick | Recover, turn: Turn) -> None:
        posted = self.posted
        first = posted.acknowledged + 1
        for sequence in range(first, min(posted.sent, posted.acknowledged + WINDOW) + 1):
            self._send(sequence, turn)
        if first <= posted.sent:
            turn.record(MailAcknowledged(at=turn.now, sequence=posted.acknowledged))

    def _mail_posted(self, event: MailPosted) -> None:
        self.put(f"m/{event.sequence:016d}", PostedMail(to=event.to, cause=event.cause, message=event.message))
        posted = self.posted
        self.put("", replace(posted, sent=event.sequence, waiting_since=posted.waiting_since or event.at))

    def _mail_taken(self, event: MailTaken) -> None:
        self.put("", replace(self.posted, received=event.sequence))

    def _mail_acknowledged(self, event: MailAcknowledged) -> None:
        posted = self.posted
        for sequence in range(posted.acknowledged + 1, event.sequence + 1):
            self.drop(f"m/{sequence:016d}")
        waiting = event.at if event.sequence < posted.sent else None
        self.put("", replace(posted, acknowledged=event.sequence, waiting_since=waiting))

    RECEIVE: ClassVar[Any] = {
        Post: _post,
        Envelope: _envelope,
        PostReceived: _received,
        Tick: _repeat,
        Recover: _repeat,
    }
    APPLY: ClassVar[Any] = {MailPosted: _mail_posted, MailTaken: _mail_taken, MailAcknowledged: _mail_acknowledged}
