"""The part of an audit that is about blocks: what the venue executed for many, as it must be booked for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from decimal import Decimal

from msgspec import Struct

from engine import blocks as b
from engine.block import Tally, counted
from engine.commands import Ticket
from engine.events import Event
from engine.values import add

Pair = tuple[str, str]


class Execution(Struct, frozen=True):
    """One execution as the venue's file has it, or as a trade says it was."""

    order_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal


class Blocks:
    """What a journal says of blocks."""

    def __init__(self) -> None:
        self._members: dict[Pair, str] = {}
        """The order of each (block, subscriber)."""
        self._orders: set[str] = set()
        self._settled: list[b.BlockSettled] = []

    def heard(self, event: Event, approved: Callable[[Ticket], None]) -> None:
        """Takes note of an event; tells which orders were approved by it."""
        match event:
            case b.MemberAnswered() if event.order_id:
                self._members[event.block_id, event.subscriber_id] = event.order_id
            case b.BlockFormed():
                for ticket in event.orders:
                    self._orders.add(ticket.order_id)
                    approved(ticket)
            case b.BlockSettled():
                self._settled.append(event)

    def allocated(
        self,
        executions: Mapping[Pair, Execution],
        tickets: Mapping[str, Ticket],
        closed: Set[str],
        differ: Callable[[str], None],
    ) -> dict[Pair, Execution]:
        """The executions as they are to be booked: those of a block's order as its members' shares of them.

        What an order of a block has executed that is not among the `closed` is nobody's yet.
        """
        found: dict[Pair, Execution] = {}
        made: dict[str, Tally] = defaultdict(Tally)
        for key, execution in executions.items():
            ticket = tickets.get(execution.order_id)
            if ticket is None or not ticket.for_block:
                found[key] = execution
                continue
            whole = ticket.parent or ticket.order_id
            made[whole] = counted(made[whole], execution.quantity, execution.price, execution.commission)
        shared: dict[str, Tally] = defaultdict(Tally)
        for event in self._settled:
            venue = tickets[event.order_id].venue
            parts = Tally()
            for name, one in self._shares(event):
                found[venue, name] = one
                parts = counted(parts, one.quantity, one.price, one.commission)
            shared[event.order_id] = _with(shared[event.order_id], event.tally)
            if parts != event.tally:
                differ(f"block order {event.order_id} filled {event.tally}, its members have {parts}")
        for order_id in self._orders:
            if order_id in closed and made[order_id] != shared[order_id]:
                differ(f"block order {order_id} was executed for {made[order_id]}, and shared for {shared[order_id]}")
        return found

    def _shares(self, event: b.BlockSettled) -> list[tuple[str, Execution]]:
        return [
            (one.execution_id, Execution(one.client_order_id, one.quantity, one.price, one.commission))
            for part in event.parts
            for one in b.shares(event, part, self._members[event.block_id, part.subscriber_id])
        ]


def _with(one: Tally, other: Tally) -> Tally:
    return Tally(
        quantity=add(one.quantity, other.quantity),
        notional=add(one.notional, other.notional),
        commission=add(one.commission, other.commission),
    )
