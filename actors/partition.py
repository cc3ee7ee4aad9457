"""The partition: every actor of one engine, their mailboxes, and the runs that turn mail into batches.

Nothing here awaits. `actors.loop` feeds it, makes its batches durable and lets out what they held back; the
simulation does the same with a clock of its own.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from msgspec import json

from actors.actor import Actor
from actors.approvals import MAX_ORDERS
from actors.gross import executed
from actors.journal import Batch, Key, Loaded, Mail, Prior, Start
from actors.market import Market
from actors.registry import KEYED, STARTS, group_of, key_of, kind_of
from actors.timers import Timers
from actors.turn import Turn, outside
from engine.codec import decode_message
from engine.commands import Bury, Recover, Tick
from engine.messages import Outcome
from engine.rules import Rules

MAX_TURNS: Final = 512
MAX_BATCH: Final = timedelta(milliseconds=5)
TURNS_A_LOOK: Final = 16
"""Turns between two looks at the clock: looking costs a fifth of a short turn."""
MAX_MAIL: Final = 200_000
"""Undelivered messages that a partition holds; past it the door refuses."""
MAX_RESIDENT: Final = 20_000
"""Actors at rest that stay in memory; past it the longest untouched leave."""
MAX_KNOWN: Final = 50_000
"""Answers to idempotency keys that stay in memory."""
MAX_FAILURES: Final = 3
MAX_FRONT: Final = 16
"""A turn that tells more than this (a signal to all followers) has them wait behind other mail."""
MAX_CASCADE: Final = 4096
"""Turns that one delivered message may lead to at once."""


class Partition:
    """One shared-nothing engine. Drive it with `post`, `wanting`/`admit`, `run` and `committed`, in that order."""

    def __init__(self, rules: Rules, market: Market, number: int = 0, partitions: int = 1) -> None:
        self.number = number
        self.actors: dict[str, Actor] = {}
        self.turn = Turn(number, partitions, rules, market, self.actors)
        self.mail: deque[Mail] = deque()
        self._front: list[Mail] = []
        self._parked: dict[str, int] = {}
        self.quarantined: set[str] = set()
        self.counts: dict[str, int] = {}
        """Turns by message type, and failures: what the metrics show."""
        self._known = self.turn._known
        self._known_since: deque[tuple[int, Key]] = deque()
        self._absent: set[Key] = set()
        self._durable = 0
        self._taken = 0
        self._numbered = 0
        self._cursors: dict[str, int] = {}
        self._timers = Timers()
        self._moved: dict[str, Actor] = {}
        """Timed actors that this batch changed."""
        self._finished: deque[tuple[int, Actor]] = deque()
        """Actors that were done (or not begun), and the batch at whose commit those that still are leave memory."""
        self._evict_above = MAX_RESIDENT

    # what comes in

    def start(self, start: Start, now: datetime) -> None:
        """Goes on from what was durable: loads what is not at rest, takes up its mail, asks what was waited for."""
        self.turn.sequence = self._durable = start.sequence
        self.turn.now = now
        for address, parts in start.restless.items():
            self._hydrate(address, parts)
        for number, to, raw, sender in start.undelivered:
            letter = Mail(to, decode_message(raw), sender)
            self._numbered = number
            if sender and not outside(sender):
                self._park((letter,))
            else:
                self.mail.append(letter)
        self._taken = self._numbered - len(start.undelivered)
        self._cursors.update(start.cursors)
        for address in ("desk/main", "dead/letters", "door/in", *map("venue/{}".format, self.turn.rules.venues)):
            if address not in self.actors:
                self._hydrate(address, {})
        self._read_quarantine()
        for address, actor in self.actors.items():
            if actor.timed or actor.kind == "venue":
                self.mail.append(Mail(address, Recover()))

    def post(self, mail: Iterable[Mail]) -> None:
        """Takes messages from outside."""
        self.mail.extend(mail)

    def consumed(self, cursor: str, position: int) -> None:
        """Everything of this bus cursor up to here was posted, or sent: durable with the next batch."""
        self._cursors[cursor] = position

    @property
    def durable(self) -> int:
        """The last batch that is durable."""
        return self._durable

    @property
    def has_cursors(self) -> bool:
        """Whether positions on the bus wait to be written."""
        return bool(self._cursors)

    @property
    def full(self) -> bool:
        """Whether the door has to refuse."""
        return len(self.mail) >= MAX_MAIL

    def wanting(self) -> tuple[list[str], list[Key]]:
        """The addresses and idempotency keys that have to be loaded before the next run can deliver its mail."""
        addresses: dict[str, None] = {}
        keys: dict[Key, None] = {}
        actors, known, absent = self.actors, self._known, self._absent
        for mail in islice(self.mail, MAX_TURNS):
            if mail.to not in actors:
                addresses[mail.to] = None
            if mail.message.__class__ in KEYED:
                if getattr(mail.message, "group", None) is not None and (its := group_of(mail)) not in actors:
                    addresses[its] = None
                if (key := key_of(mail)) is not None and key not in known and key not in absent:
                    keys[key] = None
        return list(addresses), list(keys)

    def admit(self, addresses: Sequence[str], keys: Sequence[Key], loaded: Loaded) -> None:
        """Brings what was loaded into memory; an address that the store does not know is a new actor."""
        for address in addresses:
            if address not in self.actors:
                actor = self._hydrate(address, loaded.parts.get(address, {}))
                if actor.timed and actor.done:
                    self._finished.append((self.turn.sequence + 1, actor))
        for key in keys:
            prior = loaded.priors.get(key)
            if prior is None:
                self._absent.add(key)
            elif key not in self._known:
                self._remember(key, prior)

    def _hydrate(self, address: str, parts: Any) -> Actor:
        kind = kind_of(address)
        actor = self.actors[address] = kind(address, kind.decode(parts) if parts else {})
        actor.touched = self._durable
        if parts and kind.timed:
            self._timers.set(address, actor.due)
        return actor

    def _remember(self, key: Key, prior: Prior) -> None:
        self._known[key] = prior
        self._known_since.append((self.turn.sequence, key))

    # the run

    def run(self, now: datetime, clock: Callable[[], datetime] | None = None) -> Batch | None:
        """Delivers mail until there is none, or none that can be delivered, or the batch is full.

        What a turn tells is delivered before other mail, so that a request's consequences are in its own batch.
        `clock` ends a batch that takes too long. Returns the batch, or None where nothing happened.
        """
        mail, actors, turn, told = self.mail, self.actors, self.turn, self.turn.told
        mail.extend(Mail(address, Tick()) for address in self._timers.ring(now) if address in actors)
        if not mail and not self._cursors:
            return None
        batch = self._begin(now)
        end = now + MAX_BATCH
        turns = looked = 0
        while mail and turns < MAX_TURNS and turn._orders < MAX_ORDERS:
            letter = mail[0]
            actor = actors.get(letter.to)
            if actor is None or (letter.message.__class__ in KEYED and self._unseen(letter)):
                break
            mail.popleft()
            if self._taken < self._numbered:
                self._taken += 1
            if self._parked and letter.to in self._parked:
                self._unpark(letter)
            self._deliver(actor, letter, batch)
            turns += 1
            if told:
                turns += self._cascade(batch)
            if clock is not None and turns - looked >= TURNS_A_LOOK:
                looked = turns
                if clock() > end:
                    break
        return self._end(batch)

    def _cascade(self, batch: Batch) -> int:
        """Delivers what the last turn told, and what that tells, and so on; parks what cannot be delivered now."""
        told, front, actors, parked = self.turn.told, self._front, self.actors, self._parked
        turns = 0
        while True:
            if told:
                if len(told) > MAX_FRONT:
                    self._park(told)
                else:
                    front.extend(reversed(told))
                told.clear()
            if not front:
                return turns
            letter = front.pop()
            to, kind = letter.to, letter.message.__class__
            actor = actors.get(to)
            if actor is None and kind in STARTS:
                actor = self._hydrate(to, {})
            if actor is None or to in parked or turns > MAX_CASCADE or (kind in KEYED and self._unseen(letter)):
                self._park((letter,))
                continue
            turns += 1
            self._deliver(actor, letter, batch)

    def _park(self, letters: Iterable[Mail]) -> None:
        """Mail for the back of the queue. While some waits for an address, later mail for it waits behind."""
        parked = self._parked
        for letter in letters:
            parked[letter.to] = parked.get(letter.to, 0) + 1
            self.mail.append(letter)

    def _unpark(self, letter: Mail) -> None:
        if letter.sender and not outside(letter.sender):
            left = self._parked[letter.to] - 1
            if left:
                self._parked[letter.to] = left
            else:
                del self._parked[letter.to]

    def _unseen(self, letter: Mail) -> bool:
        key = key_of(letter)
        return key is not None and key not in self._known and key not in self._absent

    def _begin(self, now: datetime) -> Batch:
        turn = self.turn
        turn.begin(now)
        batch = Batch(
            sequence=turn.sequence,
            at=now,
            events=[],
            states={},
            left=[],
            taken=0,
            outgoing=[],
            cursors=self._cursors,
            keys={},
        )
        self._cursors = {}
        turn.events = batch.events
        turn.outgoing = batch.outgoing
        return batch

    def _end(self, batch: Batch) -> Batch | None:
        traded = executed(batch.events, self.turn)
        if traded is not None:
            self._deliver(self.actors[traded.to], traded, batch)
        numbered = self._numbered - self._taken
        for letter in islice(self.mail, numbered, None):
            self._numbered += 1
            batch.left.append((self._numbered, letter))
        batch.taken = self._taken
        for actor in self._moved.values():
            # Once a batch, not once a turn: of what an order waited for in between, nothing is left.
            if actor.done:
                self._timers.set(actor.address, None)
                self._finished.append((batch.sequence, actor))
            else:
                self._timers.set(actor.address, actor.due)
        self._moved.clear()
        if batch.events or batch.left or batch.outgoing or batch.cursors or batch.states:
            return batch
        self.turn.sequence -= 1
        return None

    def _deliver(self, actor: Actor, letter: Mail, batch: Batch) -> None:
        turn = self.turn
        turn._actor = actor
        turn.sender = letter.sender
        if self.quarantined and actor.address in self.quarantined:
            self._bury(letter, f"{actor.address} is quarantined", "", batch)
            return
        message = letter.message
        marks = len(turn.events), len(turn.outgoing)
        try:
            actor.RECEIVE[message.__class__](actor, message, turn)
        except Exception as error:  # noqa: BLE001 - a turn is atomic: whatever it raised, nothing of it remains
            self._undo(actor, batch, marks)
            self._failed(actor, letter, error, batch)
            return
        actor.failures = 0
        changes = actor.changes
        if changes:
            address, parts, states = actor.address, actor.parts, batch.states
            for part in changes:
                states[address, part] = parts.get(part)
            changes.clear()
            actor.touched = batch.sequence
            if actor.timed:
                self._moved[address] = actor
            elif actor.kind == "dead":
                self._read_quarantine()
        elif actor.ticking:
            self._moved[actor.address] = actor
        if turn.keys:
            for key, prior in turn.keys:
                batch.keys[key] = prior
                self._absent.discard(key)
                self._known_since.append((batch.sequence, key))
            turn.keys.clear()

    def _undo(self, actor: Actor, batch: Batch, marks: tuple[int, int]) -> None:
        changed = list(actor.changes)
        actor.undo()
        for part in changed:
            if (actor.address, part) in batch.states:
                batch.states[actor.address, part] = actor.parts.get(part)
        del batch.events[marks[0] :]
        del batch.outgoing[marks[1] :]
        self.turn.told.clear()
        for key, _ in self.turn.keys:
            del self._known[key]
            self._absent.add(key)
        self.turn.keys.clear()

    def _failed(self, actor: Actor, letter: Mail, error: Exception, batch: Batch) -> None:
        actor.failures += 1
        said = f"{type(error).__name__}: {error}"
        if actor.kind == "dead":
            raise error
        quarantine = actor.failures >= MAX_FAILURES and not actor.resident
        self._bury(letter, said, traceback.format_exc(limit=-8), batch, quarantine)

    def _read_quarantine(self) -> None:
        self.quarantined = {part[2:] for part in self.actors["dead/letters"].parts if part.startswith("q/")}

    def _bury(self, letter: Mail, said: str, trace: str, batch: Batch, quarantine: bool = False) -> None:
        number = f"{batch.sequence:012d}-{len(batch.events):05d}"  # in text order as in time
        self.counts["dead letters"] = self.counts.get("dead letters", 0) + 1
        bury = Bury(
            letter_id=number,
            address=letter.to,
            sender=letter.sender,
            message=json.encode(letter.message).decode(),
            error=said,
            traceback=trace,
            quarantine=quarantine,
        )
        if outside(letter.sender):
            request = getattr(letter.message, "request_id", None)
            reason = f"the engine failed on this message and keeps it as dead letter {number}: {said}"
            batch.outgoing.append(
                Mail(letter.sender, Outcome(request_id=request, status="DENIED", code="INTERNAL", reason=reason))
            )
        self._deliver(self.actors["dead/letters"], Mail("dead/letters", bury), batch)

    # what has become durable

    def committed(self, batch: Batch) -> None:
        """This batch is durable: what is done may leave memory, and what has long been at rest."""
        self._durable = batch.sequence
        actors, finished = self.actors, self._finished
        while finished and finished[0][0] <= batch.sequence:
            _, actor = finished.popleft()
            if actor.done and actor.touched <= batch.sequence and actors.get(actor.address) is actor:
                del actors[actor.address]
        if len(actors) > self._evict_above:
            self._evict()
        known, since = self._known, self._known_since
        while len(since) > MAX_KNOWN and since[0][0] <= batch.sequence:
            known.pop(since.popleft()[1], None)

    def _evict(self) -> None:
        """Lets the longest untouched actors go that are at rest, durable and not waited for."""
        waiting = {letter.to for letter in self.mail}
        idle = [
            actor
            for actor in self.actors.values()
            if not (actor.resident or actor.timed) and actor.touched <= self._durable and actor.address not in waiting
        ]
        idle.sort(key=lambda actor: actor.touched)
        for actor in idle[: max(len(idle) - MAX_RESIDENT * 9 // 10, 0)]:
            del self.actors[actor.address]
        self._evict_above = len(self.actors) + MAX_RESIDENT // 10

    # timers

    @property
    def next_due(self) -> datetime | None:
        """When the earliest timer rings."""
        return self._timers.next_due
