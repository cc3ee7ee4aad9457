"""What must hold of orders that are worked at our side: their children never exceed them in quantity, price or time.

Everything is counted again: from the children's own states, from what the venues have, from the market that was heard
and from what the client asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from engine import events as e
from engine import target_events as t
from engine import work as w
from engine.commands import Ticket
from engine.instructions import TRAILING, TRIGGERED
from engine.messages import ExecutionRequest, MarketData, Quote
from engine.order import Order
from tests.simulation import trails
from tests.simulation.broken import must
from tests.simulation.traits import Tally

if TYPE_CHECKING:
    from actors.market import Market

ZERO = Decimal(0)
States = Mapping[str, Mapping[str, Any]]


class Parent(NamedTuple):
    """A parent as it was accepted: what was asked for (`first`) and is by now, and the market at that moment."""

    ticket: Ticket
    first: ExecutionRequest
    asked: ExecutionRequest
    at: datetime
    mark: Decimal | None
    heard: int
    """Which market data was the last before."""

    @property
    def end(self) -> datetime | None:
        """From when on no child may be sent."""
        plan, asked = self.asked.plan, self.asked
        minutes = None if plan is None else plan.max_execution_window_minutes
        ends = [] if minutes is None else [self.at + timedelta(minutes=minutes)]
        if asked.time_in_force == "GTD" and asked.expires_at is not None:
            ends.append(asked.expires_at)
        return min(ends, default=None)

    def past(self, limit: Decimal | None) -> str:
        """Why a child may not have this limit price, or ''."""
        plan, asked, buys = self.asked.plan, self.asked, self.ticket.side == "BUY"
        worst = [] if asked.limit_price is None else [asked.limit_price]
        slip = None if plan is None else plan.max_slippage_pct
        start = asked.stop_price if asked.order_type in TRIGGERED else self.mark
        if slip is not None and start is not None and asked.order_type not in TRAILING:
            worst.append(start * (1 + slip) if buys else start * (1 - slip))
        if slip is not None and limit is None:
            return f"no limit, and a slippage of {slip} at most"
        for bound in worst:
            if limit is None or (limit > bound if buys else limit < bound):
                return f"{limit} is past {bound}"
        return ""


class Parents:
    """The independent memory of a partition's parents and children."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.market: dict[str, list[MarketData]] = {}
        """What was heard of each instrument, in order."""
        self.known: dict[str, Parent] = {}
        self.parent_of: dict[str, str] = {}
        self.closed_at: dict[str, Decimal] = {}
        """What was filled of a child when the engine was told that it is over."""
        self.most: dict[str, Decimal] = {}
        """The largest quantity that a parent ever had."""
        self.placed: dict[str, Any] = {}
        self.withdrawn: dict[str, datetime] = {}
        """When children of what is cancelled were asked to end, in this process."""
        self.chased: dict[str, datetime] = {}
        """When children of what is over were asked to end once more, in this process."""
        self.cancelled: set[str] = set()
        """Children that were ever asked to end."""
        self.refused: set[str] = set()
        """Children whose venue has refused to cancel them, and that were not asked to end since."""
        self.calm: tuple[datetime, dict[str, int]] | None = None
        """When the faults stopped, and how much of each market had been heard by then."""
        self.arrivals: dict[tuple[str, str, str], tuple[datetime, Decimal | None, int]] = {}
        """When the targets of a subscriber's signal for an instrument were decided, and the market then."""

    # what happens

    def accepted(
        self, tickets: tuple[Ticket, ...], key: str, at: datetime, asked: ExecutionRequest | None, mark: Any
    ) -> None:
        """A request is accepted: where it is worked, what it is held to from now on is noted."""
        for ticket in tickets:
            if not ticket.order_id.startswith(f"{w.PREFIX}-"):
                continue
            must(asked is not None, f"{key}: worked, and nobody asked")
            assert asked is not None
            price = None if mark is None else mark.price
            self.known[ticket.order_id] = Parent(ticket, asked, asked, at, price, self._heard(ticket.instrument))
            self.most[ticket.order_id] = ticket.quantity

    def _heard(self, instrument: str) -> int:
        rows = self.market.get(instrument, [])
        return max((number for number, row in enumerate(rows) if isinstance(row, Quote)), default=0)

    def aimed(self, event: t.TargetsDecided | t.TargetSteered, market: Market) -> None:
        """Orders are sent for targets: what their plan bounds is measured from when the targets were decided."""
        decided = isinstance(event, t.TargetsDecided)
        aims = event.aims if isinstance(event, t.TargetsDecided) else (event.aim,)
        for aim in aims:
            if aim is None:
                continue
            whose = event.subscriber_id, aim.signal_id, aim.instrument
            if decided:
                mark = market.mark(aim.instrument, event.at)
                price = None if mark is None else mark.price
                self.arrivals[whose] = event.at, price, self._heard(aim.instrument)
            for ticket in event.tickets:
                if ticket.instrument == aim.instrument and ticket.order_id.startswith(f"{w.PREFIX}-"):
                    asked = ExecutionRequest(
                        request_id=aim.request_id,
                        signal_id=aim.signal_id,
                        strategy_id=aim.strategy_id,
                        subscriber_id=event.subscriber_id,
                        exchange=aim.exchange,
                        symbol=aim.symbol,
                        order_type="MARKET" if aim.limit_price is None else "LIMIT",
                        limit_price=aim.limit_price,
                        time_in_force=aim.time_in_force,
                        plan=aim.plan,
                        issued_at=event.at,
                    )
                    self.known[ticket.order_id] = Parent(ticket, asked, asked, *self.arrivals[whose])
                    self.most[ticket.order_id] = ticket.quantity
                    self.tally.add("targets: worked")

    def after(self, event: e.Event, live: States) -> None:
        """An event happened, and this is how everything is after it."""
        match event:
            case w.WorkMoved():
                self._moved(event, live[f"order/{event.order_id}"][""])
            case w.WorkStopped():
                self.tally.add("work: killed" if event.reason.startswith("killed") else "work: stopped")
            case e.OrderFilled() if event.order_id in self.parent_of and event.order_id in self.closed_at:
                self.tally.add("work: late fill")
            case w.WorkAmended():
                self.tally.add("work: amended")
                self._amended(event)
            case w.WorkEnded():
                self._ended(event, live[f"order/{event.order_id}"][""])
            case e.OrderStarted():
                self.closed_at.pop(event.order_id, None)
                self._started(event.ticket, live)
            case e.OrderClosed():
                self.closed_at[event.order_id] = event.filled
            case e.ReplaceRequested() if event.order_id in self.parent_of:
                parent = self.known[self.parent_of[event.order_id]]
                why = parent.past(event.limit_price)
                must(not why, f"{event.order_id} of {parent.ticket.order_id} is repriced: {why}")
            case e.CancelRequested() if event.order_id in self.parent_of:
                self._cancelled(event, live)
            case e.AmendRefused() if event.what == "CANCEL":
                self.refused.add(event.order_id)
            case e.OrderResent():
                must(not live[f"order/{event.order_id}"][""].cancelling, f"{event.order_id} was cancelled: {event}")
            case e.ChildSent() if event.client_order_id in self.parent_of:
                self._sent(event, live)

    def remember(self, journal: Iterable[tuple[str, e.Event]]) -> None:
        """Begins again from what is durable: what clients changed and was lost in a crash was never changed."""
        for name, known in self.known.items():
            self.known[name] = known._replace(asked=known.first)
            self.most[name] = known.ticket.quantity
        for _, event in journal:
            if isinstance(event, w.WorkAmended):
                self._amended(event)

    def _amended(self, event: w.WorkAmended) -> None:
        self.most[event.order_id] = max(self.most[event.order_id], event.quantity)
        known = self.known[event.order_id]
        if event.command_id and known.asked.limit_price is not None:
            asked = structs.replace(known.asked, limit_price=event.limit_price)
            self.known[event.order_id] = known._replace(asked=asked)

    def _moved(self, event: w.WorkMoved, order: Order) -> None:
        if order.cancelling and order.work is not None and order.work.works is not None:
            for child in event.asked:
                self._paced(self.withdrawn, child, event.at)
        if not event.placed:
            return
        name, parent = event.order_id, self.known[event.order_id]
        must(not order.cancelling, f"{name} was cancelled, and sends {event.placed}")
        work = w.working(order)
        out = sum((child.working for child in work.children), order.filled)
        must(out <= order.quantity, f"{name}: {out} of {order.quantity} is filled or working")
        must(parent.end is None or event.at < parent.end, f"{name} sends at {event.at}, its end was {parent.end}")
        self.tally.add("work: child placed", len(event.placed))
        for piece in event.placed:
            must(piece.quantity > ZERO, f"{name} sends nothing: {piece}")
            self.parent_of[piece.order_id] = name
            self.placed[piece.order_id] = piece
            must(not (why := parent.past(piece.limit_price)), f"{name} sends {piece.order_id}: {why}")
            limit, now = order.limit_price, piece.limit_price
            if limit is not None:
                within = now is not None and (now <= limit if order.ticket.side == "BUY" else now >= limit)
                must(within, f"{name} sends {piece.order_id} at {now}, past {limit}")
        if work.held is not None and work.placed == len(event.placed):
            self._released(name, parent)

    def _released(self, name: str, parent: Parent) -> None:
        """What waits for a price is sent only when the market was there."""
        kind = parent.asked.order_type
        if kind in TRIGGERED or kind in TRAILING:
            rows = self.market.get(parent.ticket.instrument, [])[parent.heard :]
            must(
                trails.touched(parent.asked, parent.ticket.side, rows),
                f"{name}: a {kind} of {parent.asked} was sent before its price came: {rows}",
            )
            self.tally.add(f"work: {kind} released")

    def _started(self, ticket: Ticket, live: States) -> None:
        if not ticket.parent:
            must(ticket.order_id in self.known or ticket.order_id not in self.parent_of, f"{ticket} has no parent")
            return
        name, piece = ticket.order_id, self.placed.get(ticket.order_id)
        must(piece is not None, f"{name} says it is of {ticket.parent}, which never sent it")
        same = (piece.quantity, piece.limit_price) == (ticket.quantity, ticket.limit_price)
        must(same, f"{name}: sent as {piece}, started as {ticket}")
        order: Order = live[f"order/{ticket.parent}"][""]
        must(order.open, f"{name} starts, and {ticket.parent} is {order.status}")
        theirs, ours = order.ticket, ticket
        must(
            (theirs.subscriber_id, theirs.account, theirs.instrument, theirs.side, theirs.venue)
            == (ours.subscriber_id, ours.account, ours.instrument, ours.side, ours.venue),
            f"{name}: {ours} is not of {theirs}",
        )

    def _sent(self, event: e.ChildSent, live: States) -> None:
        name = self.parent_of[event.client_order_id]
        self.in_time(event.client_order_id, event.at, "sent")
        order: Order = live[f"order/{name}"][""]
        must(order.open, f"{event.client_order_id} is sent, and {name} is {order.status}")

    def _cancelled(self, event: e.CancelRequested, live: States) -> None:
        child, over = event.order_id, not live[f"order/{self.parent_of[event.order_id]}"][""].open
        self.cancelled.add(child)
        # What the venue has not refused is asked for again with every question about the order.
        if over and child in self.refused and event.reason == "its parent is over":
            self._paced(self.chased, child, event.at)
        self.refused.discard(child)

    def _paced(self, asked: dict[str, datetime], child: str, at: datetime) -> None:
        """What a venue refuses to cancel is not asked for at the speed of the network."""
        before = asked.get(child)
        soon = before is not None and timedelta() <= at - before < timedelta(seconds=1)
        must(not soon, f"{child} is asked to end at {at}, and was at {before}")
        asked[child] = at

    def in_time(self, child: str, at: datetime, what: str) -> None:
        """Nothing of a child goes out at the end of its parent or after it."""
        end = self.known[self.parent_of[child]].end if child in self.parent_of else None
        must(end is None or at < end, f"{child} is {what} at {at}, the end of its parent was {end}")

    def _ended(self, event: w.WorkEnded, order: Order) -> None:
        parent, ratio = self.known[event.order_id], None
        if parent.asked.plan is not None:
            ratio = parent.asked.plan.min_fill_ratio
        if not event.filled and order.work is not None and order.work.spec.time_in_force in ("IOC", "FOK"):
            return  # Nothing was to be had at once, and nothing is what the ratio left.
        if ratio is not None and event.filled < ratio * min(order.quantity, parent.ticket.quantity):
            must(event.code, f"{event.order_id} ended with less than {ratio}, and does not say so: {event}")
        work = w.working(order)
        how = parent.asked.order_type if work.works is None else work.works.algorithm
        self.tally.add(f"work: {how} {event.status}")
        if event.status == "FILLED":
            self.tally.add("work: completed")

    # at rest

    def at_rest(self, live: States) -> None:
        """While no mail waits: what parents know of their children, and the gate of both, is what the children say."""
        parents: dict[str, Order] = {}
        children: dict[str, list[Order]] = {}
        for address, parts in live.items():
            if address.startswith("order/") and "" in parts:
                order: Order = parts[""]
                if order.work is not None:
                    parents[address[6:]] = order
                elif order.ticket.parent:
                    children.setdefault(order.ticket.parent, []).append(order)
        for name, order in parents.items():
            found = children.get(name, [])
            sums = [sum((getattr(child, of) for child in found), ZERO) for of in ("filled", "notional", "commission")]
            have = [order.filled, order.notional, order.commission]
            must(have == sums, f"{name} has filled, notional, commission {have}, its children {sums}")
            late = sum(
                (child.filled - self.closed_at.get(child.ticket.order_id, child.filled) for child in found), ZERO
            )
            must(order.filled - late <= self.most[name], f"{name}: {order.filled} of {self.most[name]} is filled")
            self._knows(name, order, [child for child in found if child.open])
            gate = live.get(f"venue/{order.ticket.venue}", {}).get(f"parent/{name}")
            if not order.open:
                must(gate is None, f"{name} is {order.status}, and the gate lets its children through: {gate}")
                continue
            out = sum((child.filled + child.working for child in found), ZERO)
            must(gate is not None, f"{name} is {order.status}, and the gate does not know it")
            must(gate.quantity == order.quantity, f"{name} is for {order.quantity}, the gate has {gate}")
            must(gate.out == out, f"{name} has {out} filled or working, the gate has {gate}")

    def _knows(self, name: str, order: Order, open_: list[Order]) -> None:
        pieces = {piece.order_id: piece for piece in w.working(order).children}
        theirs = {child.ticket.order_id for child in open_}
        if not order.open:
            # Those that it could not wait for: the venue did not know them.
            must(set(pieces) == theirs, f"{name} is {order.status}, and {theirs} are open")
            lost = sum((child.working for child in open_), ZERO)
            must(order.working == lost, f"{name} is over, and reserves {order.working} for {theirs}")
            for child in open_:
                known = child.status in ("WORKING", "PARTIALLY_FILLED")
                asked = child.ticket.order_id in self.cancelled
                must(asked or not known, f"{name} is over, and {child.ticket.order_id} works on: {child}")
            return
        must(set(pieces) == theirs, f"{name} counts as open {set(pieces)}, open are {theirs}")
        for child in open_:
            piece = pieces[child.ticket.order_id]
            same = (piece.filled, piece.working) == (child.filled, child.working)
            must(same, f"{name}: {piece} is {child}")
        most = max(order.quantity - order.filled, sum((child.working for child in open_), ZERO))
        must(order.working == most, f"{name} reserves {order.working} and not {most}: {order}")

    def at_the_venue(self, orders: Mapping[str, Any]) -> None:
        """Counted at the venue: what is filled and what works of all children is within the parent.

        A venue that said that an order was over, and told of its fills only then, is no fault of ours.
        """
        out: dict[str, Decimal] = {}
        for name, (order, *_) in orders.items():
            parent = self.parent_of.get(name)
            if parent is not None:
                filled = min(order.filled, order.quantity)
                untold = filled - min(filled, self.closed_at.get(name, filled))
                amount = order.quantity if order.status == "WORKING" else filled
                out[parent] = out.get(parent, ZERO) + amount - untold
        for parent, amount in out.items():
            must(amount <= self.most[parent], f"{parent}: {amount} of {self.most[parent]} is at the venue")

    def calms(self, now: datetime) -> None:
        """From now on nothing goes wrong, and no price is missed."""
        self.calm = now, {instrument: len(rows) for instrument, rows in self.market.items()}

    def stuck(self, name: str, order: Order, now: datetime, due: datetime | None, watched: bool) -> str:
        """Why an open parent is forgotten: nothing wakes it, or its end or its price has come; '' where it is not."""
        children = w.working(order).children
        if children:
            return ""
        if self.calm is not None and trails.passed(order, self.known[name].asked, self.market, *self.calm):
            return "its price has come"
        end = self.known[name].end
        if end is not None and now > end + timedelta(seconds=60):
            return f"its end was {end}"
        if due is None and not watched:
            return "nothing wakes it"
        return "" if due is None or due > now - timedelta(seconds=60) else f"it was due at {due}"
