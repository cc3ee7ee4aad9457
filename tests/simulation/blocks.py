"""Blocks in the worlds: signals that are worked as one order, and what must hold of their parts."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from adapters.audit_blocks import Blocks, Execution
from engine import blocks as b
from engine import events as e
from engine.commands import Ticket
from engine.identity import fnv1a32
from engine.messages import ExecutionRequest
from engine.methods import Allocation, AvailableEquity, Equal, NetLiquidation, Ratio
from engine.order import TERMINAL, Order
from tests.simulation.broken import must

if TYPE_CHECKING:
    from tests.simulation.traits import Tally
    from tests.simulation.world import World

ZERO = Decimal(0)


def share(strategy: str, chance: Random) -> Allocation:
    """A share of the total; mostly by the method that the others of this strategy have."""
    methods = (Equal(), NetLiquidation(), AvailableEquity(), Ratio(value=Decimal(chance.randint(1, 4))))
    return methods[fnv1a32(strategy) % 4 if chance.random() < 0.9 else chance.randrange(4)]


def some(request: ExecutionRequest, chance: Random) -> ExecutionRequest:
    """A signal, now and then for a block."""
    if chance.random() < 0.5:
        return request
    time = "DAY" if request.time_in_force in ("GTC", "GTD") else request.time_in_force
    worked = replace(request, block=True, time_in_force=time, group=None)
    return request if worked.problem() is not None else worked


def closes(parts: dict[str, Any], ticket: Ticket) -> bool:
    """Whether an order of a block can only reduce what its members hold, by what the signal says."""
    return parts[""].request.intent == "CLOSE" or (ticket.side == "SELL" and not ticket.short_sale)


class Judge:
    """What one partition says of its blocks, as it runs."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def heard(self, event: e.Event, parts: dict[str, Any]) -> None:
        """An event happened, and these are its block's parts after it."""
        match event:
            case b.BlockFormed():
                self._formed(event, parts)
            case b.BlockSettled():
                self._settled(event, parts)
            case b.BlockShared():
                self.tally.add("block: shared" if event.awards else f"block: {event.code or 'nothing to share'}")
                given = sum((award.share.quantity for award in event.awards), ZERO)
                whole = parts[""].request.quantity
                must(not event.awards or given == whole, f"{event.block_id}: {given} of {whole} was awarded")
            case b.BlockFilled():
                self.tally.add("block: filled")
                order = parts[f"o/{event.order_id}"]
                must(order.working >= ZERO, f"{event.order_id}: {order.working} is working")

    def _formed(self, event: b.BlockFormed, parts: dict[str, Any]) -> None:
        self.tally.add(f"block: formed, {len(event.orders)} orders")
        self.tally.add("block: without who is missing", event.missing)
        for ticket in event.orders:
            wanted = sum((member.quantity for _, member in b.of(parts, ticket)), ZERO)
            must(ticket.quantity == wanted, f"{ticket.order_id} is for {ticket.quantity}, its members want {wanted}")

    def _settled(self, event: b.BlockSettled, parts: dict[str, Any]) -> None:
        self.tally.add(f"block: settled {event.status}" if not event.settlement else "block: settled again")
        left = ZERO if event.status != "FILLED" else parts[f"o/{event.order_id}"].working
        must(not left, f"{event.order_id} was settled as FILLED, and {left} still work")
        for part in event.parts:
            member = parts[f"m/{part.subscriber_id}"]
            must(member.got <= member.quantity, f"{event.order_id}: {part.subscriber_id} has more than it wanted")
            must(part.quantity >= ZERO, f"{event.order_id}: {part}")
            if part.quantity:
                average = event.tally.notional / event.tally.quantity
                off = abs(part.notional / part.quantity - average)
                must(off < Decimal("1e-11"), f"{event.order_id}: {part} is not at the average {average}")


def executions(world: World, orders: dict[str, Order]) -> dict[tuple[str, str], Execution]:
    """What the venues executed and somebody has to have booked: an execution of a block as its members' shares."""
    blocks, booked = Blocks(), set()
    for node in world.nodes:
        for _, _, _, event in node.disk.events:
            blocks.heard(event, lambda _: None)
            if isinstance(event, e.FillBooked):
                booked.add(event.fill.execution_id)
    for order in orders.values():
        if order.ticket.for_block:
            booked.update(order.executions)
    made: dict[tuple[str, str], Execution] = {}
    for (_, venue), at_venue in world.venues.items():
        for name, (found,) in at_venue.orders.items():
            for one in found.executions:
                if one.execution_id in booked:  # else an overfill, or one of an order that is an alarm
                    made[venue, one.execution_id] = Execution(name, one.quantity, one.price, one.commission)
    tickets = {name: order.ticket for name, order in orders.items()}
    closed = {name for name, order in orders.items() if order.status in TERMINAL}
    return blocks.allocated(made, tickets, closed, lambda said: world.in_the_end(False, said))


def consistent(world: World, orders: dict[str, Order], name: str, order: Order) -> None:
    """A part is as far as its block: open while anything of the block's order may fill, over when nothing may."""
    block = b.block_id(order.ticket.strategy_id, order.ticket.signal_id)
    whole = [one for one in orders.values() if one.ticket.subscriber_id == block and not one.ticket.parent]
    mine = [one for one in whole if (one.ticket.side, one.ticket.short_sale) == _side(order)]
    if not order.open:
        world.in_the_end(order.status in TERMINAL, f"{name} is {order.status}")
        return
    world.in_the_end(
        len(mine) == 1 and (mine[0].open or mine[0].working), f"{name} is {order.status}, its block has {mine}"
    )


def unknown(orders: dict[str, Order]) -> set[str]:
    """Parts whose block has an order that is UNKNOWN to its venue, or a child that is: they wait for what it is."""
    lost = {order.ticket.subscriber_id for order in orders.values() if order.status == "UNKNOWN"}
    return {
        name
        for name, order in orders.items()
        if order.ticket.in_block and b.block_id(order.ticket.strategy_id, order.ticket.signal_id) in lost
    }


def _side(order: Order) -> tuple[str, bool]:
    return order.ticket.side, order.ticket.short_sale
