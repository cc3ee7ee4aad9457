"""A venue that follows a script of chance: it fills before it acknowledges, stays silent, repeats itself, loses its
session, and answers truthfully when it is asked. It counts orders by client order id, as a venue would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from engine import reports as r
from engine.native import undeclared
from tests.simulation.aims import CLOSES_FIRST
from tests.simulation.broken import must
from tests.simulation.traits import Tally, Traits

ZERO = Decimal(0)
CENT = Decimal("0.01")


@dataclass
class VenueOrder:
    """An order as the venue has it."""

    sent: r.SubmitOrder
    venue_order_id: str
    quantity: Decimal
    limit: Decimal | None
    status: str = "WORKING"
    filled: Decimal = ZERO
    executions: list[r.Filled] = field(default_factory=list)
    reason: str = ""


class ScriptedVenue:
    """One venue of one partition. `say(report, lane)` carries a report to the engine; see `Wires`."""

    def __init__(self, name: str, chance: Random, traits: Traits, tally: Tally, say: Callable[..., None]) -> None:
        self.name = name
        self.chance = chance
        self.traits = traits
        self.tally = tally
        self.say = say
        self.calm = False
        self.price: Callable[[str], Decimal] = lambda _: Decimal(100)
        self.orders: dict[str, list[VenueOrder]] = {}
        self.overfills: set[str] = set()
        self.contradicted: set[str] = set()
        self.lost: set[str] = set()
        """Client order ids of which a report was lost with a session."""
        self._count = 0
        self._blind_until = datetime.min.replace(tzinfo=UTC)
        """Until then its lookup does not see its orders."""
        can_modify = chance.random() < 0.85
        self.capabilities = r.Capabilities(
            order_types=frozenset({"MARKET", "LIMIT"}),
            times_in_force=frozenset({"DAY", "GTC", "IOC", "FOK"}),
            modify=can_modify,
            deduplicates=chance.random() < 0.5,
            closes_first=name.startswith(CLOSES_FIRST),
        )
        tally.add("venue de-duplicates" if self.capabilities.deduplicates else "venue does not de-duplicate")
        tally.add("venue modifies" if can_modify else "venue does not modify")

    def _whim(self, name: str, probability: float) -> bool:
        if not self.calm and self.chance.random() < probability * self.traits.hostility:
            self.tally.add(f"venue: {name}")
            return True
        return False

    def _number(self) -> int:
        self._count += 1
        return self._count

    @property
    def next_expiry(self) -> datetime | None:
        """When the first of its working orders is over."""
        ends = [order.sent.expires_at for known in self.orders.values() for order in known if order.status == "WORKING"]
        return min((end for end in ends if end is not None), default=None)

    def _answer(self, report: Any, overtaken: bool = False) -> None:
        """An answer to something the engine asked for: the only thing that silence can swallow."""
        if not self._whim(f"no {type(report).__name__}", self.traits.silence):
            self.say(report, overtaken)

    # what arrives

    def hear(self, message: r.VenueOrder, now: datetime) -> None:
        """Takes a message from the engine."""
        match message:
            case r.SubmitOrder():
                self._submit(message, now)
            case r.CancelVenueOrder():
                self._cancel(message, now)
            case r.ReplaceVenueOrder():
                self._replace(message, now)
            case r.Reconcile():
                self._reconcile(message, now)

    def _submit(self, sent: r.SubmitOrder, now: datetime) -> None:
        lacks = undeclared(self.capabilities, sent.order_type, sent.time_in_force, sent.native)
        must(not lacks, f"{self.name} is sent {sent}: {lacks}")
        known = self.orders.get(sent.client_order_id)
        if known is not None and self.capabilities.deduplicates:
            self.tally.add("venue: dropped a repeated order")
            if known[-1].status == "WORKING":
                self._answer(self._accepted(known[-1], now))
            return
        order = VenueOrder(sent, f"V{self._number()}", sent.quantity, sent.limit_price)
        self.orders.setdefault(sent.client_order_id, []).append(order)
        if self._whim("rejects", 0.08):
            self._end(order, "REJECTED", "no")
            self._answer(r.Rejected(client_order_id=sent.client_order_id, reason="no", at=now))
            if self._whim("fills what it rejected", 0.15):
                self._fill(order, now, late=True)
            return
        overtaken = self._whim("fill overtakes acknowledgement", 0.15)
        if overtaken:
            self._fill(order, now)
        self._answer(self._accepted(order, now), overtaken)
        if sent.time_in_force in ("IOC", "FOK"):
            self._immediate(order, now)
        elif order.status == "WORKING" and (sent.order_type == "MARKET" or self.chance.random() < 0.2):
            self._fill(order, now)

    def _accepted(self, order: VenueOrder, now: datetime) -> r.Accepted:
        return r.Accepted(client_order_id=order.sent.client_order_id, venue_order_id=order.venue_order_id, at=now)

    def _immediate(self, order: VenueOrder, now: datetime) -> None:
        if order.status != "WORKING":
            return
        if order.sent.time_in_force == "FOK":
            if self.chance.random() < 0.6:
                self._fill(order, now, whole=True)
        elif self.chance.random() < 0.7:
            self._fill(order, now)
        if order.status == "WORKING":
            self._end(order, "CANCELED", f"{order.sent.time_in_force} rest")
            self.tally.add("venue: immediate rest cancelled")
            self.say(self._canceled(order, "rest", now))

    def _cancel(self, message: r.CancelVenueOrder, now: datetime) -> None:
        name = message.client_order_id
        order = self.orders.get(name, [None])[-1]
        if order is None or order.status != "WORKING" or self._whim("refuses a cancel", 0.1):
            why = "unknown order" if order is None else order.status
            self.tally.add(f"venue: cancel rejected, {why}")
            self._answer(r.CancelRejected(client_order_id=name, reason=why, at=now))
            return
        if self._whim("fills as the cancel arrives", 0.2):
            self._fill(order, now, late=self.chance.random() < 0.5)
        if order.status == "WORKING":
            self._end(order, "CANCELED", "asked")
            self._answer(self._canceled(order, "asked", now))

    def _replace(self, message: r.ReplaceVenueOrder, now: datetime) -> None:
        name = message.client_order_id
        order = self.orders.get(name, [None])[-1]
        possible = order is not None and order.status == "WORKING" and message.quantity > order.filled
        if order is None or not possible or self._whim("refuses a replacement", 0.15):
            self.tally.add("venue: replacement rejected")
            self._answer(r.ReplaceRejected(client_order_id=name, reason="no", at=now))
            return
        order.quantity, order.limit = message.quantity, message.limit_price
        self.tally.add("venue: replaced")
        report = r.Replaced(client_order_id=name, quantity=order.quantity, limit_price=order.limit, at=now)
        overtaken = self._whim("fill overtakes replacement", 0.1)
        self._answer(report, overtaken)
        if overtaken:
            self._fill(order, now)

    def _reconcile(self, message: r.Reconcile, now: datetime) -> None:
        if self._whim("never answers", 0.12):
            return
        if self._whim("lookup is behind", 0.3):
            self._blind_until = now + timedelta(seconds=self.chance.choice((10, 40)))
        stale = self._whim("snapshot is overtaken", 0.1)
        for name in message.client_order_ids:
            known = self.orders.get(name)
            if known is None or (now < self._blind_until and not self.calm):
                self.tally.add("venue: does not know the order")
                self.say(r.NotFound(client_order_id=name, at=now), self._whim("not found is overtaken", 0.3))
                continue
            for execution in known[-1].executions:
                self.say(execution)
            self.tally.add(f"venue: snapshot {known[-1].status}")
            self.say(self._snapshot(known[-1], now), stale)

    def _snapshot(self, order: VenueOrder, now: datetime) -> r.Snapshot:
        named = self.calm or self.chance.random() < 0.7
        return r.Snapshot(
            client_order_id=order.sent.client_order_id,
            venue_order_id=order.venue_order_id if named else None,
            status=order.status,  # type: ignore[arg-type]
            quantity=order.quantity,
            limit_price=order.limit,
            filled=order.filled,
            reason=order.reason,
            at=now,
        )

    # what it does by itself

    def live(self, now: datetime) -> None:
        """A moment of the venue's own: fills, expiries, and cancels that nobody asked for."""
        for known in list(self.orders.values()):
            for order in known:
                if order.status == "WORKING":
                    self._work(order, now)
                if order.sent.client_order_id not in self.lost and self._whim("contradicts itself", 0.01):
                    self._contradict(order, now)

    def strike(self, name: str, now: datetime) -> None:
        """Something happens to this order right now, while the engine is in the middle of something with it."""
        order = self.orders[name][-1]
        if order.status != "WORKING":
            return
        what = self.chance.choice(("fills", "expires", "cancels", "cancels", "rejects"))
        if what == "fills" or (what == "rejects" and order.filled):
            self._fill(order, now)
        elif what == "expires":
            self._end(order, "EXPIRED", "early close")
            self.say(r.Expired(client_order_id=name, filled=self._counted(order), at=now))
        elif what == "cancels":
            self._end(order, "CANCELED", "struck")
            self.say(self._canceled(order, "struck", now))
        else:
            self._end(order, "REJECTED", "struck")
            self.say(r.Rejected(client_order_id=name, reason="struck", at=now))
        self.tally.add(f"venue: {what} in the middle of something")

    def _contradict(self, order: VenueOrder, now: datetime) -> None:
        """Says again what was long over, or what cannot be: nothing of it may change an order that is over."""
        name = order.sent.client_order_id
        self.contradicted.add(name)
        live: list[Any] = [
            r.Replaced(client_order_id=name, quantity=order.quantity, limit_price=order.limit, at=now),
            r.ReplaceRejected(client_order_id=name, reason="again", at=now),
            r.CancelRejected(client_order_id=name, reason="again", at=now),
            self._accepted(order, now),
        ]
        over: list[Any] = [
            r.Rejected(client_order_id=name, reason="again", at=now),
            r.Canceled(client_order_id=name, reason="again", filled=order.filled, at=now),
            r.Expired(client_order_id=name, filled=order.filled, at=now),
        ]
        for report in self.chance.sample(live if order.status == "WORKING" or self.traits.crashes else live + over, 2):
            self.say(report)

    def _work(self, order: VenueOrder, now: datetime) -> None:
        name = order.sent.client_order_id
        if order.sent.expires_at is not None and now >= order.sent.expires_at:
            self._end(order, "EXPIRED", "day is over")
            self.tally.add("venue: expired")
            self._answer(r.Expired(client_order_id=name, filled=self._counted(order), at=now))
        elif self.chance.random() < self.traits.fills:
            self._fill(order, now, late=self._whim("late fill", 0.2))
        elif self._whim("cancels unasked", 0.01):
            self._end(order, "CANCELED", "unasked")
            self.say(self._canceled(order, "unasked", now))
        elif not order.filled and self._whim("rejects after it acknowledged", 0.04):
            self._end(order, "REJECTED", "second thoughts")
            self.say(r.Rejected(client_order_id=name, reason="second thoughts", at=now))

    def _canceled(self, order: VenueOrder, reason: str, now: datetime) -> r.Canceled:
        name = order.sent.client_order_id
        return r.Canceled(client_order_id=name, reason=reason, filled=self._counted(order), at=now)

    def _counted(self, order: VenueOrder) -> Decimal | None:
        """How much is filled. Not every venue says so; one that lost a fill on the way has to."""
        if order.sent.client_order_id in self.lost or self.chance.random() < 0.7:
            return order.filled
        return None

    def _end(self, order: VenueOrder, status: str, reason: str) -> None:
        order.status, order.reason = status, reason

    def _fill(self, order: VenueOrder, now: datetime, whole: bool = False, late: bool = False) -> None:
        chance, leaves = self.chance, order.quantity - order.filled
        whole = whole or order.sent.time_in_force == "FOK"
        part = leaves if whole or chance.random() < 0.4 or leaves <= 1 else Decimal(chance.randint(1, int(leaves)))
        over = self.traits.overfills and part == leaves and self._whim("overfills", 0.25)
        if over:
            part += 1
        self.tally.add("venue: fill" if part >= leaves else "venue: partial fill")
        market = self.price(order.sent.symbol)
        execution = r.Filled(
            client_order_id=order.sent.client_order_id,
            venue_order_id=order.venue_order_id,
            execution_id=f"{self.name}-x{self._number()}",
            quantity=part,
            price=order.limit if order.limit is not None and chance.random() < 0.5 else market,
            commission=CENT * chance.randint(-20, 500),
            at=now,
        )
        if over:
            self.overfills.add(execution.execution_id)
        order.filled += part
        order.executions.append(execution)
        if order.filled >= order.quantity:
            order.status = "FILLED"
        self.say(execution, late)
