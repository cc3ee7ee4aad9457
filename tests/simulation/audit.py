"""What must hold of one partition after every step, whatever happens: each rule says what it saw when it is broken.

The audit folds the journal on its own, beside the engine, and compares; it believes no count that the engine keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from actors.journal import Batch, Key, Mail
from actors.partition import Partition
from actors.registry import fold
from engine import events as e
from engine import reports as r
from engine import target_events as t
from engine.blocks import BlockEvent, BlockFormed
from engine.commands import Ticket
from engine.desk import Desk
from engine.messages import Outcome
from engine.order import TERMINAL, Order
from engine.work import WorkEnded, WorkMoved
from tests.simulation import aims, blocks, controls, limits
from tests.simulation.broken import must
from tests.simulation.disk import Disk
from tests.simulation.groups import Groups
from tests.simulation.moves import legal
from tests.simulation.parents import Parents
from tests.simulation.traits import Tally

ZERO = Decimal(0)
States = dict[str, dict[str, Any]]

POISON = "POISON"
"""The code of a message to the door that makes its turn fail after everything else was done."""


class Audit:
    """The independent memory of one partition, live (all that ran) and durable (all that was committed)."""

    def __init__(self, number: int, tally: Tally, requests: dict[str, Any]) -> None:
        self.number = number
        self.tally = tally
        self.requests = requests
        self.live: States = {}
        self.durable: States = {}
        self.fills: set[tuple[str, str]] = set()
        """(venue, execution id) of every durable booking."""
        self.allowed: dict[tuple[str, str], int] = {}
        """(what, client order id) -> how often the durable journal lets that message out."""
        self.left: dict[tuple[str, str], int] = {}
        self.outcomes: dict[Key, Outcome] = {}
        self.jobs: dict[str, str] = {}
        """order id -> (subscriber, key) of every durable order."""
        self.told: list[tuple[str, str, tuple[str, ...]]] = []
        """(strategy, signal id, followers) of every durable signal."""
        self.impossible: list[e.ReportImpossible] = []
        self.alarms: list[e.AlarmRaised] = []
        self.parents = Parents(tally)
        self.blocks = blocks.Judge(tally)
        self.groups = Groups(tally)
        self._sequence = 0
        self._keys: set[Key] = set()
        self._signals: list[tuple[int, str, str, tuple[str, ...]]] = []

    # a batch that ran

    def ran(self, batch: Batch, partition: Partition) -> None:
        """Folds a batch that is not durable yet, and compares with what the actors say."""
        must(batch.sequence == self._sequence + 1, f"batch {batch.sequence} follows {self._sequence}")
        self._sequence = batch.sequence
        killed_at_first = self._killed()
        changed: dict[tuple[str, str], Any] = {}
        for address, event in batch.events:
            self._check(address, event, partition)
            parts = self.live.get(address, {})
            after = fold(address, parts, event)
            for part in parts.keys() | after.keys():
                if parts.get(part) is not after.get(part):
                    changed[address, part] = after.get(part)
            self._moved(parts, after, event)
            self.live[address] = after
            self.parents.after(event, self.live)
            self.groups.after(address, event)
            if isinstance(event, BlockEvent):
                self.blocks.heard(event, after)
                if isinstance(event, BlockFormed):
                    self._formed(event, after[""].request, partition)
            if isinstance(event, e.SignalReceived):
                followers = tuple(part[2:] for part in after)
                self._signals.append((batch.sequence, event.strategy_id, event.signal_id, followers))
        self._same(batch, changed, partition)
        if killed_at_first and not any(isinstance(event, e.Resumed) for _, event in batch.events):
            new = r.SubmitOrder | r.ReplaceVenueOrder
            sent = [letter for letter in batch.outgoing if isinstance(letter.message, new)]
            must(not sent, f"sent while killed: {sent}")
        for letter in batch.outgoing:
            if isinstance(letter.message, r.ReplaceVenueOrder):
                self.parents.in_time(letter.message.client_order_id, batch.at, "repriced")
        for key in batch.keys:
            must(key not in self._keys, f"the key {key} was decided twice")
            self._keys.add(key)

    def _same(self, batch: Batch, changed: dict[tuple[str, str], Any], partition: Partition) -> None:
        """The fold of the journal, the batch's states and the actors in memory say the same."""
        for name, value in changed.items():
            must(name in batch.states, f"{name} changed, and the batch does not have it")
            must(batch.states[name] == value, f"{name}: the state {batch.states[name]} is not the fold {value}")
        for (address, part), value in batch.states.items():
            must(self.live.get(address, {}).get(part) == value, f"{address} {part!r}: a state without an event")
            actor = partition.actors.get(address)
            same = actor is not None and actor.parts.get(part) == value
            must(same, f"{address} {part!r}: the actor has another state than the batch")

    @property
    def desk(self) -> Desk | None:
        """What is in force, None for nothing ever."""
        desk: Desk | None = self.live.get("desk/main", {}).get("")
        return desk

    def _killed(self) -> bool:
        return self.desk is not None and self.desk.killed

    def _free(self, ticket: Ticket, what: str) -> None:
        """No kill, and no stop of its strategy, keeps this order from being approved."""
        stops = controls.stops(self.desk, ticket)
        must(not stops, f"{ticket.order_id} was {what} while {stops}")
        must(controls.acts(self.desk, ticket), f"{ticket.order_id} was {what}, and its strategy is stopped there")

    # one event

    def _check(self, address: str, event: e.Event, partition: Partition) -> None:
        check = _CHECKS.get(type(event))
        if check is not None:
            check(self, address, event, partition)

    def _accepted(self, address: str, event: e.RequestAccepted, partition: Partition) -> None:
        for ticket in event.tickets:
            self._free(ticket, "accepted")
        asked = self.requests.get(event.request_id)
        market = partition.turn.market
        limits.judge(self.live[address], self.live, event, asked, partition.turn.rules, market, self.groups)
        self.groups.accepted(event, asked)
        self.parents.accepted(
            event.tickets, event.key, event.at, asked, market.mark(event.tickets[0].instrument, event.at)
        )

    def _formed(self, event: BlockFormed, asked: Any, partition: Partition) -> None:
        for ticket in event.orders:
            mark = partition.turn.market.mark(ticket.instrument, event.at)
            self.parents.accepted((ticket,), event.block_id, event.at, asked, mark)

    def _aimed(self, address: str, event: t.TargetsDecided | t.TargetSteered, partition: Partition) -> None:
        if isinstance(event, t.TargetsDecided):
            must(event.status == "DENIED" or not self._killed(), f"{event.key} was accepted while killed")
            self.tally.add(f"targets: {event.mode} {event.status}")
        else:
            must(not event.tickets or not self._killed(), f"{event.signal_id} sent while killed")
            self.tally.add("targets: a later wave" if event.tickets else "targets: an order moved")
            before = self.live[address].get(f"target/{event.exchange}:{event.symbol}")
            if before is not None and before.lacks and event.tickets:
                self.tally.add("targets: paid by others")
        for ticket in event.tickets:
            self._free(ticket, "approved for a target")
        aims.judge(self.live.get(address, {}), self.live, event, partition.turn.rules, partition.turn.market)
        self.parents.aimed(event, partition.turn.market)

    def _ended(self, address: str, event: t.TargetReached | t.TargetFailed, partition: Partition) -> None:
        failed = isinstance(event, t.TargetFailed)
        self.tally.add(f"targets: FAILED {event.code}" if isinstance(event, t.TargetFailed) else "targets: DONE")
        aim = self.live[address][f"target/{event.exchange}:{event.symbol}"]
        off = abs(event.position - aim.target)
        held = self.live[address].get(f"position/{aim.instrument}")
        near = off <= aim.tolerance or off < aim.least
        must(failed or near, f"{event} is not where {aim} says")
        works = held is not None and (held.working_buy or held.working_sell)
        must(failed or not works, f"{event}, and {held} may still move")

    def _sent(self, address: str, event: e.ChildSent, partition: Partition) -> None:
        venue, order = self.live[address][""], self.live[f"order/{event.client_order_id}"][""]
        ticket = order.ticket
        stops = controls.stops(self.desk, ticket)
        must(not stops, f"{event.client_order_id} was sent while {stops}")
        owner, forbids = ticket.owner, controls.forbids(self.desk) and not event.resend
        if forbids and ticket.for_block:
            must(blocks.closes(self.live[owner], ticket), f"{event.client_order_id} was sent in {self.desk}: {order}")
        elif forbids and owner in self.live:
            held = self.live[owner].get(f"position/{ticket.instrument}")
            risk = controls.adds(held, ticket, order.quantity, working=False)
            must(not risk, f"{event.client_order_id} adds to {held}, and was sent in {self.desk}: {order}")
            self.tally.add("regime: an order that reduces is sent")
        must(venue.up and not venue.paused, f"{event.client_order_id} was sent to {venue}")
        if event.resend:
            safe = venue.capabilities.deduplicates
            must(safe, f"{event.client_order_id} was sent again to a venue that counts it twice")

    def _dead(self, address: str, event: e.DeadLettered, partition: Partition) -> None:
        must(POISON in event.message, f"a turn failed: {event.address} {event.message}\n{event.traceback}")
        self.tally.add("turn: failed half-way")

    def _refused(self, address: str, event: e.InputRefused, partition: Partition) -> None:
        must(event.code != POISON, "an event of a turn that failed is in the journal")

    def _started(self, address: str, event: e.OrderStarted, partition: Partition) -> None:
        must(not self.live.get(address), f"{address} was started twice")

    def _booked(self, address: str, event: e.FillBooked, partition: Partition) -> None:
        known = (event.fill.venue, event.fill.execution_id)
        must(known not in self.fills, f"{known} was booked twice")
        self.fills.add(known)

    def _moved(self, before: dict[str, Any], after: dict[str, Any], event: e.Event) -> None:
        """An order's step: legal, no gap in what is filled, nothing below zero, nothing above the order."""
        order, was = after.get(""), before.get("")
        if not isinstance(order, Order):
            return
        old, name = "NEW" if was is None else was.status, order.ticket.order_id
        step = f"{type(event).__name__} {old} -> {order.status}"
        must(legal(type(event), old, order.status), f"{name}: {step}")
        self.tally.add(f"step: {step}")
        gained = order.filled - (ZERO if was is None else was.filled)
        told = event.fill.quantity if isinstance(event, e.OrderFilled) else getattr(event, "filled", ZERO)
        told = ZERO if isinstance(event, e.OrderClosed | WorkEnded) else told
        must(gained == told, f"{name}: filled grew by {gained}, the event says {told}")
        most = order.quantity if order.replacement is None else max(order.quantity, order.replacement.quantity)
        # `parents` judges those that are worked at our side.
        must(order.work is not None or order.filled <= most, f"{name}: {order.filled} of {most} is filled")
        must(len(set(order.executions)) == len(order.executions), f"{name}: an execution counts twice")
        must(order.working >= ZERO and order.reserved >= ZERO, f"{name}: {order.working} is working")
        if order.status in TERMINAL:
            lost = ZERO if order.work is None else sum((child.working for child in order.work.children), ZERO)
            must(order.working == lost and order.replacement is None, f"{name}: over, and still works {order}")
        elif order.status in ("WORKING", "PARTIALLY_FILLED"):
            whole = order.replacement is None and order.working == order.quantity - order.filled
            whole = whole or order.work is not None
            must(whole, f"{name}: {order.working} working of {order.quantity}, {order.replacement}")

    # what is durable

    def committed(self, batch: Batch) -> None:
        """A batch is on disk: it allows what leaves, and counts for good."""
        for (address, part), value in batch.states.items():
            row = self.durable.setdefault(address, {})
            if value is None:
                row.pop(part, None)
            else:
                row[part] = value
        for address, event in batch.events:
            for what in _ALLOWS.get(type(event), ()):
                self._allow(what, address[6:] if address.startswith("order/") else event.client_order_id)
            match event:
                case e.RequestAccepted():
                    for ticket in event.tickets:
                        self.jobs[ticket.order_id] = f"{event.subscriber_id} {event.key}"
                case BlockFormed():
                    for leg, ticket in enumerate(event.orders):
                        self.jobs[ticket.order_id] = f"{event.block_id} {event.signal_id} {leg}"
                case t.TargetsDecided() | t.TargetSteered():
                    for ticket in event.tickets:
                        name = ticket.order_id
                        self.jobs[name] = f"{event.subscriber_id} targets/{event.signal_id} {name}"
                case WorkMoved():
                    for leg, piece in enumerate(event.placed):
                        self.jobs[piece.order_id] = f"{event.subscriber_id} {piece.order_id} {leg}"
                case e.ReportImpossible():
                    self.impossible.append(event)
                case e.AlarmRaised():
                    self.alarms.append(event)
        self.told += [row[1:] for row in self._signals if row[0] == batch.sequence]
        for key, prior in batch.keys.items():
            must(key not in self.outcomes, f"the key {key} has two outcomes")
            self.outcomes[key] = prior.outcome

    def _allow(self, what: str, name: str) -> None:
        self.allowed[what, name] = self.allowed.get((what, name), 0) + 1

    def leaves(self, letter: Mail, disk: Disk) -> None:
        """A message goes out: its cause is durable, and it goes out no more often than it was caused."""
        message = letter.message
        what = type(message).__name__
        if what in ("SubmitOrder", "CancelVenueOrder", "ReplaceVenueOrder"):
            known = (what, message.client_order_id)
            self.left[known] = self.left.get(known, 0) + 1
            must(self.left[known] <= self.allowed.get(known, 0), f"{known} left before its cause was durable")
            must(message.client_order_id in self.jobs, f"{known} belongs to no job")
        elif isinstance(message, Outcome):
            self._answered(message, disk)

    def _answered(self, outcome: Outcome, disk: Disk) -> None:
        """What is answered about a key is what is durable under it."""
        if outcome.status in ("EXISTS", "CONFLICT"):
            wanted = outcome.original
        elif outcome.orders and outcome.code is None and outcome.request_id is not None:
            wanted = outcome
        else:
            return
        must(any(prior.outcome == wanted for prior in disk.keys.values()), f"{outcome} is not what is durable")

    def crashed(self) -> None:
        """Only what is durable was ever true."""
        self.live = {address: dict(parts) for address, parts in self.durable.items()}
        self._keys = set(self.outcomes)
        self._signals.clear()
        self.parents.withdrawn.clear()
        self.parents.chased.clear()

    def booted(self, partition: Partition, disk: Disk, sequence: int) -> None:
        """What was hydrated, and what is on disk, equals the fold of the durable journal."""
        self._sequence = sequence
        for address, actor in partition.actors.items():
            must(actor.parts == self.durable.get(address, {}), f"{address} was hydrated as {actor.parts}")
        for address, parts in self.durable.items():
            must(disk.decoded(address) == parts, f"{address} does not read back as it was written")
        booked = [event.fill for _, _, _, event in disk.events if isinstance(event, e.FillBooked)]
        self.fills = {(fill.venue, fill.execution_id) for fill in booked}
        self.groups.remember(((address, event) for _, _, address, event in disk.events), self.requests)
        self.parents.remember((address, event) for _, _, address, event in disk.events)
        self.verify(disk)

    def verify(self, disk: Disk) -> None:
        """The whole journal, folded from the beginning, is what the disk has as states."""
        states: States = {}
        for _, _, address, event in disk.events:
            states[address] = fold(address, states.get(address, {}), event)
        for address, parts in states.items():
            must(parts == self.durable.get(address, {}), f"{address}: the journal folds to {parts}")

    # everything at rest

    def remembered(self, partition: Partition) -> None:
        """What is open is in memory: else no timer rings for it, and nobody asks what became of it."""
        for address, parts in self.live.items():
            if address.startswith("order/") and "" in parts and parts[""].open:
                must(address in partition.actors, f"{address} is {parts[''].status}, and not in memory")

    def reservations(self) -> None:
        """What subscribers have working and reserved is the sum over their open orders."""
        for address, parts in self.live.items():
            order = parts.get("") if address.startswith("order/work-") else None
            if order is not None and order.open and not order.cancelling:
                stops = controls.stops(self.desk, order.ticket)
                must(not stops, f"{address} is {order.status} and goes on, while {stops}")
        self.parents.at_rest(self.live)
        self.groups.at_rest(self.live, self.parents.closed_at)
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for address, parts in self.live.items():
            if address.startswith("order/") and "" in parts:
                order: Order = parts[""]
                ticket = order.ticket
                if ticket.parent:
                    continue  # Its parent holds the reservation.
                row = sums.setdefault((ticket.subscriber_id, ticket.instrument), [ZERO] * 4)
                side = 0 if ticket.side == "BUY" else 2
                row[side] += order.working
                row[side + 1] += order.reserved
        for address, parts in self.live.items():
            if not address.startswith("subscriber/"):
                continue
            for part, held in parts.items():
                if part.startswith("position/"):
                    row = sums.get((address[11:], part[9:]), [ZERO] * 4)
                    have = [held.working_buy, held.reserved_buy, held.working_sell, held.reserved_sell]
                    must(have == row, f"{address} {part}: reserved {have}, its open orders {row}")


_CHECKS: dict[type, Callable[..., None]] = {
    e.RequestAccepted: Audit._accepted,
    t.TargetsDecided: Audit._aimed,
    t.TargetSteered: Audit._aimed,
    t.TargetReached: Audit._ended,
    t.TargetFailed: Audit._ended,
    e.ChildSent: Audit._sent,
    e.DeadLettered: Audit._dead,
    e.InputRefused: Audit._refused,
    e.OrderStarted: Audit._started,
    e.FillBooked: Audit._booked,
}
_ALLOWS: dict[type, tuple[str, ...]] = {
    e.ChildSent: ("SubmitOrder",),
    e.CancelRequested: ("CancelVenueOrder",),
    e.ReplaceRequested: ("ReplaceVenueOrder",),
}
