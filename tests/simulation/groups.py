"""What must hold of orders in groups: judged by what each order and its children did, and by what clients asked for.

Between a fill and the cancel or reduction that it causes more may fill, and no one can rule that out from outside a
venue: then it is told. Everything else holds at any moment at which no mail waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine import events as e
from engine import work as w
from engine.commands import Ticket
from engine.grouping import GroupMoved, address_of
from engine.groups import Group
from engine.groups import Member as Told
from engine.instructions import Membership
from engine.ledger import Position
from engine.messages import ExecutionRequest
from engine.order import Order
from engine.working import out
from tests.simulation.broken import must
from tests.simulation.traits import Tally

ZERO = Decimal(0)
States = Mapping[str, Mapping[str, Any]]


class Member(NamedTuple):
    """An order that was accepted for a group."""

    ticket: Ticket
    asked: Membership


class Groups:
    """The independent memory of a partition's groups."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.members: dict[str, dict[str, Member]] = {}
        """By the group's address, and the order's id."""
        self.cancelled: set[str] = set()
        """Groups of which CANCEL_GROUP was accepted."""
        self.told: set[tuple[str, str]] = set()
        """(code, about) of every alarm."""

    def remember(self, journal: Iterable[tuple[str, e.Event]], requests: Mapping[str, Any]) -> None:
        """Begins again from what is durable, counting nothing twice."""
        again = Groups(Tally())
        for address, event in journal:
            if isinstance(event, e.RequestAccepted):
                again.accepted(event, requests.get(event.request_id))
            again.after(address, event)
        self.members, self.cancelled, self.told = again.members, again.cancelled, again.told

    # what happens

    def accepted(self, event: e.RequestAccepted, asked: ExecutionRequest | None) -> None:
        """A request is accepted: where it has a group, it belongs to that from now on."""
        if asked is None or asked.group is None:
            return
        for ticket in event.tickets:
            address = address_of(ticket.subscriber_id, asked.group.group_id)
            self.members.setdefault(address, {})[ticket.order_id] = Member(ticket, asked.group)
            self.tally.add(f"group: {asked.group.kind} {asked.group.role}")

    def after(self, address: str, event: e.Event) -> None:
        """An event happened to this actor."""
        if isinstance(event, e.AlarmRaised):
            self.told.add((event.code, event.about))
            if event.code.startswith("GROUP"):
                self.tally.add(f"group: {event.code}")
        elif isinstance(event, GroupMoved):
            if event.group.winner is not None:
                self.tally.add(f"group: {event.group.kind} won")
            if event.cause.startswith("command"):
                self.cancelled.add(address)
                self.tally.add("group: cancelled as commanded")

    def worst(self, held: Position, ticket: Ticket, asked: Membership, live: States) -> Position:
        """The position that an order of a group may meet at worst: of legs of which one fills at most the others do
        not fill, and a child is only sent when its parent on the other side was filled."""
        for name, (other, of) in self.members.get(address_of(ticket.subscriber_id, asked.group_id), {}).items():
            order = live.get(f"order/{name}", {}).get("")
            if order is None or other.instrument != ticket.instrument or not order.working:
                continue
            buys, working = other.side == "BUY", order.working
            fills = asked.role == "CHILD" and of.role == "PARENT" and other.side != ticket.side
            once = asked.kind != "OTO" and asked.role != "PARENT" != of.role and other.side == ticket.side
            if fills or once:
                less = "working_buy" if buys else "working_sell"
                held = replace(held, **{less: getattr(held, less) - working})
            if fills:
                held = replace(held, quantity=held.quantity + (working if buys else -working))
        return held

    # at rest

    def at_rest(self, live: States, closed_at: Mapping[str, Decimal]) -> None:
        """While no mail waits: what a group knows is what its orders are, and none does what its kind forbids."""
        children: dict[str, list[Order]] = {}
        if self.members:
            for address, parts in live.items():
                if address.startswith("order/") and "" in parts and parts[""].ticket.parent:
                    children.setdefault(parts[""].ticket.parent, []).append(parts[""])
        for address, members in self.members.items():
            group: Group | None = live.get(address, {}).get("")
            orders = {name: live[f"order/{name}"][""] for name in members if live.get(f"order/{name}")}
            if group is None:
                must(not orders, f"{address}: {orders} work, and there is no such group")
                continue
            known = {told.order_id: told for told in group.members}
            for name, order in orders.items():
                if name not in known:
                    must(_ending(order), f"{address} did not take {name}, which is {order.status}")
                    continue
                self._knows(address, known[name], order)
                late = sum(
                    (
                        one.filled - closed_at.get(one.ticket.order_id, one.filled)
                        for one in children.get(name, ())
                        if not one.open
                    ),
                    ZERO,
                )
                self._allowed(address, group, known, order, late)
            self._excess(address, group, orders)

    def _knows(self, address: str, told: Told, order: Order) -> None:
        name = told.order_id
        must(told.filled == order.filled, f"{address}: {name} has {order.filled} filled, the group {told}")
        must(order.open or told.ended, f"{address}: {name} is {order.status}, and the group did not hear: {told}")
        if told.ended or told.standing == "CANCELING":
            must(_ending(order), f"{address}: {name} is {order.status}, the group has {told}")
        settled = not any(piece.pending for piece in w.working(order).children) and not _ending(order)
        if told.standing == "ACTIVE" and settled and not self._excused(order):
            same = order.quantity == told.quantity
            must(same, f"{address}: {name} is for {order.quantity}, and nothing is asked to change: {told}")
        if told.standing == "HELD":
            must(not w.working(order).placed, f"{address}: {name} waits for its group, and was sent")

    def _allowed(self, address: str, group: Group, known: Mapping[str, Told], order: Order, late: Decimal) -> None:
        name, parent = order.ticket.order_id, next((one for one in group.members if one.role == "PARENT"), None)
        role = known[name].role
        sent = order.filled + out(w.working(order).children) - late
        if group.kind == "OCO":
            none = group.winner is None
            must(not none or not order.filled, f"{address}: {name} has {order.filled} filled, and nobody has won")
            must(none or name == group.winner or _ending(order), f"{address}: {group.winner} won, {name} goes on")
        elif role == "CHILD":
            filled = ZERO if parent is None else parent.filled
            must(not sent or filled, f"{address}: {name} is sent, and its parent is not filled")
            if group.kind == "BRACKET":
                must(sent <= filled, f"{address}: {name} works {sent}, its parent has {filled} filled")
        if address in self.cancelled:
            must(_ending(order), f"{address} was cancelled, and {name} is {order.status}")

    def _excess(self, address: str, group: Group, orders: Mapping[str, Order]) -> None:
        """More than the group was for is never filled without a word."""
        legs = [one for one in group.members if one.role != "PARENT" and one.order_id in orders]
        filled = sum((orders[leg.order_id].filled for leg in legs), ZERO)
        most: Decimal | None = None
        if group.kind == "OCO":
            most = max((orders[leg.order_id].filled for leg in legs if leg.order_id == group.winner), default=ZERO)
        elif group.kind == "OUO":
            most = max((leg.asked for leg in legs), default=ZERO)
        elif group.kind == "BRACKET":
            most = sum((one.filled for one in group.members if one.role == "PARENT"), ZERO)
        silent = most is not None and filled > most and ("GROUP_OVERFILLED", address) not in self.told
        must(not silent, f"{address}: {filled} of {most} is filled, and nobody was told: {group}")

    # in the end

    def ended(self, live: States) -> list[str]:
        """What is open of a group in a settled world, and was to end."""
        found = []
        for address, members in self.members.items():
            group: Group | None = live.get(address, {}).get("")
            for told in () if group is None else group.members:
                order = live[f"order/{told.order_id}"][""]
                if told.order_id not in members or not order.open or self._excused(order):
                    continue
                if order.cancelling:
                    found.append(f"{address}: {told.order_id} is still {order.status}")
        return found

    def _excused(self, order: Order) -> bool:
        """Whether a person was told that the venue does not answer for it, or will not have it as it should be."""
        names = [order.ticket.order_id, *(piece.order_id for piece in w.working(order).children)]
        codes = ("GROUP_UNEVEN", "NO_ANSWER", "ORDER_UNKNOWN")
        return any((code, f"order/{name}") in self.told for code in codes for name in names)

    def waits(self, name: str, order: Order, live: States) -> bool:
        """Whether this order rightly waits for its group: until its parent, which may yet come, is filled."""
        group: Group | None = live.get(address_of(order.ticket.subscriber_id, order.ticket.group), {}).get("")
        told = None if group is None else next((one for one in group.members if one.order_id == name), None)
        return told is not None and told.standing == "HELD"


def _ending(order: Order) -> bool:
    """Whether it is over or asked to end."""
    return not order.open or order.cancelling
