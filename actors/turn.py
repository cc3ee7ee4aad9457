"""What an actor can do in its turn: record, tell, reply, and look at what it may know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Raw, json

from actors.actor import Actor
from actors.journal import Key, Mail, Prior
from actors.market import Market
from actors.pace import Pace
from actors.watch import Watch
from actors.working import Working
from engine.codec import decode_message
from engine.events import AlarmRaised, Event
from engine.gate import Venue
from engine.identity import ORDERS_PER_BATCH, order_id, partition_in, partition_of
from engine.messages import Outcome
from engine.post import Post
from engine.rules import Rules

INSIDE = frozenset({"subscriber", "strategy", "order", "venue", "desk", "dead", "door", "post", "group", "block"})
"""Kinds of addresses that are actors; any other address is outside and waits for the commit."""

OUTSIDE = ("reply/", "local/")
"""How addresses of those begin who wait for an answer, outside of every partition."""


class Turn:
    """The one turn under way in a partition. What it gathers counts only if `receive` returns."""

    __slots__ = (
        "_actor",
        "_actors",
        "_known",
        "_orders",
        "_trades",
        "counts",
        "events",
        "keys",
        "market",
        "now",
        "outgoing",
        "pace",
        "partition",
        "partitions",
        "reducing",
        "rules",
        "sender",
        "sequence",
        "today",
        "told",
        "watch",
        "working",
    )

    def __init__(self, partition: int, partitions: int, rules: Rules, market: Market, actors: dict[str, Actor]) -> None:
        self.partition = partition
        self.partitions = partitions
        self.rules = rules
        self.market = market
        self.pace = Pace()
        self.watch = Watch()
        self.working = Working()
        self.reducing: dict[tuple[str, str], dict[str, None]] = {}
        """By subscriber and instrument: the orders that must not fill more than the position holds."""
        self.now: datetime
        self.today = ""
        """The UTC day of `now`, as an ISO date."""
        self.sender = ""
        self.sequence = 0
        self.events: list[tuple[str, Event]] = []
        self.outgoing: list[Mail] = []
        self.told: list[Mail] = []
        self.keys: list[tuple[Key, Prior]] = []
        self._known: dict[Key, Prior] = {}
        self._actors = actors
        self._actor: Actor
        self._orders = 0
        self._trades = ""
        """What the trade ids of this batch begin with."""
        self.counts: dict[str, int] = {}

    def begin(self, now: datetime) -> None:
        """A new batch begins: all of its turns happen at this time."""
        self.now = now
        self.today = now.date().isoformat()
        self.sequence += 1
        self._orders = 0
        self._trades = f"T{self.partition:04x}-{self.sequence:012x}-"

    def record(self, event: Event) -> None:
        """It happened: applied now, in the journal with this batch."""
        actor = self._actor
        actor.APPLY[event.__class__](actor, event)
        self.events.append((actor.address, event))

    def tell(self, to: str, message: Any) -> None:
        """Sends a message. Inside, it is delivered in this batch or the next; outside, after the commit."""
        if to in self._actors and self.partitions == 1:
            # The way of most mail, without a look at the address: what is in memory is inside.
            self.told.append(Mail(to, message, self._actor.address))
            return
        kind = to[: to.index("/")]
        if kind not in INSIDE:
            self.outgoing.append(Mail(to, message, self._actor.address))
        elif self.partitions > 1 and (home := home_of(kind, to, self.partitions, self.partition)) != self.partition:
            post = Post(to=to, cause=self._actor.address, message=Raw(json.encode(message)))
            self.told.append(Mail(f"post/{home}", post, self._actor.address))
        else:
            self.told.append(Mail(to, message, self._actor.address))

    def redeliver(self, to: str, raw: bytes) -> None:
        """Tells a message that was kept as JSON."""
        self.tell(to, decode_message(raw))

    def count(self, name: str) -> None:
        """Counts something worth a metric and not an event."""
        self.counts[name] = self.counts.get(name, 0) + 1

    def reply(self, outcome: Outcome, to: str | None = None) -> None:
        """Answers who waits for it outside (or at `to`); an actor that told a message expects no answer."""
        address = self.sender if to is None else to
        if address.startswith(OUTSIDE):
            self.outgoing.append(Mail(address, outcome, self._actor.address))

    def prior(self, subscriber_id: str, key: str) -> Prior | None:
        """What was asked under this key before, if anything."""
        return self._known.get((subscriber_id, key))

    def answered(self, subscriber_id: str, key: str, fingerprint: str, outcome: Outcome) -> None:
        """Keeps the answer to an idempotency key; the same key is never decided again."""
        prior = Prior(fingerprint, outcome)
        self._known[subscriber_id, key] = prior
        self.keys.append(((subscriber_id, key), prior))

    def order_id(self, venue: str, subscriber_id: str, key: str, leg: int) -> str:
        """A new order id, larger than every one before."""
        number = self._orders
        if number >= ORDERS_PER_BATCH:
            raise OverflowError(f"batch {self.sequence} has no order id left: {ORDERS_PER_BATCH} were handed out")
        self._orders = number + 1
        return order_id(venue, self.partition, self.sequence * ORDERS_PER_BATCH + number, subscriber_id, key, leg)

    def trade_id(self) -> str:
        """A new trade id, larger than every one before: partition, batch and event, in hexadecimal."""
        return f"{self._trades}{len(self.events):04x}"

    def peek(self, address: str, part: str = "") -> Any:
        """A part (the main one) of a resident actor's state, to read; None where it has none."""
        actor = self._actors.get(address)
        return None if actor is None else actor.parts.get(part)

    def routed(self, exchange: str, symbol: str) -> Venue | None:
        """The venue that an instrument's orders go to, as far as it is known; None where none is routed."""
        name = self.rules.route(exchange, symbol)
        if name is None:
            return None
        venue: Venue | None = self.peek(f"venue/{name}")
        return Venue(name=name, reason="not connected yet") if venue is None else venue

    def residents(self, kind: str) -> list[str]:
        """Addresses of all actors of a resident kind (every open order, every venue)."""
        prefix = kind + "/"
        return [address for address in self._actors if address.startswith(prefix)]

    def alarm(self, code: str, about: str, reason: str) -> None:
        """A person has to look at this."""
        self.tell("desk/main", AlarmRaised(at=self.now, code=code, about=about, reason=reason))


def outside(address: str) -> bool:
    """Whether an address is of someone who waits for an answer, outside of every partition."""
    return address.startswith(OUTSIDE)


def home_of(kind: str, address: str, partitions: int, here: int) -> int:
    """The partition an address lives in: subscribers, strategies and blocks by hash, orders where they were made."""
    if kind in ("subscriber", "strategy", "block"):
        return partition_of(address[len(kind) + 1 :], partitions)
    return partition_in(address) if kind == "order" else here
