"""What is on its way: orders to venues, reports to engines, mail between partitions; late, doubled, lost, overtaken.

Reports about one order keep their order where a real session would keep it: only what a venue says by `overtaken`
(an acknowledgement behind a fill, a fill behind a cancel) may arrive after what was said later.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.simulation.traits import Tally, Traits


class Parcel(NamedTuple):
    """A message, where it goes and when it arrives; `number` keeps ties in the order of sending."""

    due: datetime
    number: int
    kind: str
    """`order` (to a venue), `report` (to an engine), `session`, or `mailbox` (to a partition)."""
    node: int
    venue: str
    message: Any


class Wires:
    """Everything under way in a world."""

    def __init__(self, chance: Random, traits: Traits, tally: Tally) -> None:
        self.chance = chance
        self.traits = traits
        self.tally = tally
        self.calm = False
        self._parcels: list[Parcel] = []
        self._lanes: dict[tuple[int, str, str], datetime] = {}
        self._sessions: dict[tuple[int, str], datetime] = {}
        self._count = 0

    def session(self, now: datetime, node: int, venue: str, message: Any) -> None:
        """A session came up or was lost; no report of a session arrives before it."""
        due = self._sessions[node, venue] = max(now + self.delay(), self._sessions.get((node, venue), now))
        self.send(due, "session", node, venue, message)

    def delay(self) -> timedelta:
        """How long a message takes: mostly a moment, sometimes seconds."""
        chance = self.chance
        if self.calm:
            return timedelta(milliseconds=20)
        if chance.random() < self.traits.slow:
            self.tally.add("wire: slow message")
            return timedelta(milliseconds=chance.randint(2_000, 20_000))
        return timedelta(milliseconds=chance.choice((0, 1, 30, 200)))

    def send(self, due: datetime, kind: str, node: int, venue: str, message: Any) -> None:
        """Puts a message on its way, to arrive at `due`."""
        self._count += 1
        heapq.heappush(self._parcels, Parcel(due, self._count, kind, node, venue, message))

    def report(self, now: datetime, node: int, venue: str, message: Any, overtaken: bool) -> None:
        """A venue's report: in the order of its client order id, unless it is `overtaken`."""
        lane = (node, venue, message.client_order_id)
        due = max(now + self.delay(), self._lanes.get(lane, now), self._sessions.get((node, venue), now))
        if overtaken:
            due += timedelta(milliseconds=self.chance.choice((100, 1_000, 4_000, 10_000)))
        else:
            self._lanes[lane] = due
        # What was overtaken by the end of its order is not lost with a session: venues send it again.
        self.send(due, "late" if overtaken else "report", node, venue, message)
        if not self.calm and self.chance.random() < 0.05 * self.traits.hostility:
            self.tally.add(f"wire: repeated {type(message).__name__}")
            again = self.delay() if "execution_id" in message.__struct_fields__ else timedelta()
            self.send(due + again, "report", node, venue, message)

    def mailbox(self, now: datetime, node: int, message: Any) -> None:
        """Mail to a partition: lost, doubled and out of order as the world likes."""
        chance, lossy = self.chance, 0.0 if self.calm else self.traits.mail_loss
        if chance.random() < lossy:
            self.tally.add("mail: lost")
            return
        self.send(now + self.delay(), "mailbox", node, "", message)
        if chance.random() < lossy:
            self.tally.add("mail: doubled")
            self.send(now + self.delay(), "mailbox", node, "", message)

    def arrived(self, now: datetime) -> Parcel | None:
        """The next message that has arrived by now, in order of arrival."""
        return heapq.heappop(self._parcels) if self._parcels and self._parcels[0].due <= now else None

    @property
    def next_due(self) -> datetime | None:
        """When the next message arrives."""
        return self._parcels[0].due if self._parcels else None

    def cut(self, node: int, venue: str, reports: float, orders: float) -> set[str]:
        """A session is lost: each message under way is lost with the given chance; of reports, the latest of an order.
        Says of which client order ids a report is gone."""
        kept: list[Parcel] = []
        gone: set[str] = set()
        for parcel in sorted(self._parcels):
            here = parcel.node == node and parcel.venue == venue
            if here and parcel.kind == "session":
                continue
            if here and parcel.kind == "report":
                name = parcel.message.client_order_id
                if name in gone or self.chance.random() < reports:
                    gone.add(name)
                    self.tally.add("session: report lost")
                    continue
            if here and parcel.kind == "order" and self.chance.random() < orders:
                self.tally.add("session: order message lost")
                continue
            kept.append(parcel)
        self._parcels = kept
        heapq.heapify(self._parcels)
        return gone
