"""The end of a world: faults stop, everything settles, and the books must agree with the venues to the cent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, Inexact, localcontext
from typing import TYPE_CHECKING, Any

from actors.registry import key_of
from engine import events as e
from engine.desk import Desk
from engine.order import TERMINAL, Order
from tests.simulation import aims, blocks, controls
from tests.simulation.broken import must

if TYPE_CHECKING:
    from tests.simulation.node import Node
    from tests.simulation.world import World

ZERO = Decimal(0)
QUOTES_EVERY = timedelta(seconds=5)
PATIENCE = timedelta(minutes=3)
DIGITS = 120
ROUNDS = 10_000
"""More than a settled world needs: past it, something goes round in circles."""


def at_the_venues(world: World) -> None:
    """Counted at the venue: one order per client order id, and one per thing that was asked for."""
    for (number, _), venue in world.venues.items():
        audit = world.nodes[number].audit
        asked: dict[str, str] = {}
        for name, orders in venue.orders.items():
            must(len(orders) == 1, f"the venue has {len(orders)} orders {name}")
            job = audit.jobs.get(name)
            must(job is not None, f"the venue has the order {name} that no durable request caused")
            must(job not in asked, f"the venue has two orders for {job}: {name} and {asked.get(str(job))}")
            asked[str(job)] = name
        audit.parents.at_the_venue(venue.orders)


def settle(world: World) -> None:
    """No more faults: what is open is worked to its end, first by itself, then by the kill switch."""
    world.say("-- faults stop")
    world.wires.calm = True
    for venue in world.venues.values():
        venue.calm = True
    for node in world.nodes:
        if not node.up:
            world.boot(node)
        for name in world.rules.venues:
            if not world.sessions[node.number, name]:
                world.connect(node.number, name)
    for node in world.nodes:
        node.audit.parents.calms(world.now)
        for message in controls.loosened(node.audit.desk or Desk()):
            world.ask(node, "desk/main", message)
    _rest(world)
    world.ask_again()
    _rest(world)
    world.in_the_end(not world.asks, f"nobody answered {list(world.asks.values())}")
    for node in world.nodes:
        _agrees(world, node)
        aims.known(node.audit.live)
        found = node.audit.groups.ended(node.audit.live)
        world.in_the_end(not found, "; ".join(found))
        _stream(world, node)
    _books(world)
    _signals(world)
    for node in world.nodes:
        world.kill(node)
    _rest(world)
    for node in world.nodes:
        _closed(world, node)
        node.audit.verify(node.disk)
    _mail(world)


def _rest(world: World) -> None:
    """Runs until nothing is due any more, or for three minutes of the world's time and until nothing is under way."""
    until, quoted = world.now + PATIENCE, world.now
    for _ in range(ROUNDS):
        busy = False
        for node in world.nodes:
            node.pull()
            while node.busy:
                node.run(world.now)
                node.commit(len(node.waiting))
                world.check()
            busy = busy or node.busy
        times = [node.partition.next_due for node in world.nodes] + [world.wires.next_due]
        due = min((time for time in times if time is not None), default=None)
        if due is None or (due > until and world.wires.next_due is None):
            world.now = max(world.now, until)
            return
        world.now = max(world.now + timedelta(milliseconds=1), due)
        world.deliver()
        if world.now >= quoted + QUOTES_EVERY:
            quoted = world.now
            world.plan.trade()
        for node in world.nodes:
            node.run(world.now)
    must(False, f"it never settles: {world.steps[-1]}")


def _orders(node: Node) -> dict[str, Order]:
    return {
        address[6:]: parts[""]
        for address, parts in node.audit.durable.items()
        if address.startswith("order/") and parts
    }


def _agrees(world: World, node: Node) -> None:
    """Every order is what its venue says, and every execution is booked once."""
    orders, audit = _orders(node), node.audit
    everywhere = {name: order for each in world.nodes for name, order in _orders(each).items()}
    lost = {alarm.about for alarm in audit.alarms if alarm.code == "ORDER_UNKNOWN"}
    known: dict[str, Any] = {}
    overfills: set[str] = set()
    for (number, _), venue in world.venues.items():
        if number == node.number:
            known |= {name: found[-1] for name, found in venue.orders.items()}
            overfills |= venue.overfills
    for name in known:
        world.in_the_end(name in orders, f"the venue has {name}, the engine does not")
    for name in audit.jobs:
        world.in_the_end(name in orders, f"{name} was accepted and never started")
    for name, order in orders.items():
        at_venue = known.get(name)
        if order.ticket.in_block:
            blocks.consistent(world, everywhere, name, order)
            continue
        world.tally.add(f"end: {order.status}")
        if order.status == "UNKNOWN":
            world.in_the_end(f"order/{name}" in lost, f"{name} is UNKNOWN without an alarm")
        if order.work is not None:
            world.in_the_end(at_venue is None, f"the venue has {name}, which is worked at our side")
            _waits(world, node, name, order)
            continue
        if at_venue is None:
            world.in_the_end(
                order.status in ("UNKNOWN", "REJECTED"), f"{name} is {order.status}, the venue never had it"
            )
            continue
        contradicted = any(name in venue.contradicted for venue in world.venues.values())
        _same(world, name, order, at_venue, overfills, contradicted)


def _waits(world: World, node: Node, name: str, order: Order) -> None:
    """What is worked at our side and not over is waited for: by the clock, by the market, or by a child."""
    if order.open:
        address = f"order/{name}"
        due, watchers = node.partition._timers._due.get(address), node.partition.turn.market._watchers.values()
        watched = any(address in waiting for waiting in watchers)
        joining = order.work is not None and order.work.held is not None and order.work.held.joining
        if joining and node.audit.groups.waits(name, order, node.audit.durable):
            return
        why = node.audit.parents.stuck(name, order, world.now, due, watched)
        world.in_the_end(not why, f"{name} is {order.status}, and {why}")


def _same(world: World, name: str, order: Order, at_venue: Any, overfills: set[str], contradicted: bool) -> None:
    executions = {execution.execution_id for execution in at_venue.executions}
    over = executions & overfills
    booked = set(order.executions)
    world.in_the_end(
        booked <= executions, f"{name} has executions that the venue never made: {sorted(booked - executions)}"
    )
    world.in_the_end(order.filled <= order.quantity, f"{name} has {order.filled} of {order.quantity} filled")
    if not over:
        lacks = executions - booked
        if contradicted:
            # Of what cannot be, after a replacement that was refused and taken, a person was told.
            told = [event.report for node in world.nodes for event in node.audit.impossible]
            lacks = {execution for execution in lacks if not any(f"{execution!r}" in report for report in told)}
        world.in_the_end(not lacks, f"{name} ({order.status}) lacks executions {sorted(lacks)} of the venue")
        if contradicted:
            return
        wants = {
            "WORKING": ("WORKING", "PARTIALLY_FILLED"),
            # Amended to what was filled, it is filled: the venue cancelled the rest.
            "CANCELED": ("CANCELED", "FILLED") if order.filled == order.quantity else ("CANCELED",),
        }.get(at_venue.status, (at_venue.status,))
        world.in_the_end(order.status in wants, f"{name} is {order.status}, the venue says {at_venue.status}")
        if order.status in ("WORKING", "PARTIALLY_FILLED"):
            same = order.quantity == at_venue.quantity and order.limit_price == at_venue.limit
            world.in_the_end(same, f"{name} is {order.quantity} at {order.limit_price}, the venue has {at_venue}")
            _not_cancelled(world, name, order)


def _not_cancelled(world: World, name: str, order: Order) -> None:
    """An order that works was not cancelled, or its venue refused."""
    asked = [ev for _, _, _, ev in _journal(world, name) if isinstance(ev, e.CancelRequested | e.AmendRefused)]
    refused = not asked or isinstance(asked[-1], e.AmendRefused)
    world.in_the_end(refused, f"{name} was cancelled, nobody refused, and it is {order.status}")


def _journal(world: World, name: str) -> list[Any]:
    return [row for node in world.nodes for row in node.disk.events if row[2] == f"order/{name}"]


def _books(world: World) -> None:
    """Cash and positions are the opening balance, the movements, and the fills: to the last digit, of which the average
    price of a block may have many."""
    with localcontext() as exact:
        exact.prec, exact.traps[Inexact] = DIGITS, True
        _summed(world)


def _summed(world: World) -> None:
    cash: dict[tuple[str, str], Decimal] = {}
    held: dict[tuple[str, str], Decimal] = {}
    seen: set[str] = set()
    for _, _, _, event in [row for node in world.nodes for row in node.disk.events]:
        if isinstance(event, e.SubscriberSaved) and event.subscriber.subscriber_id not in seen:
            seen.add(event.subscriber.subscriber_id)
            for currency, amount in event.subscriber.cash.items():
                cash[event.subscriber.subscriber_id, currency] = amount
        elif isinstance(event, e.CashMoved):
            key = (event.subscriber_id, event.currency)
            cash[key] = cash.get(key, ZERO) + event.amount
    orders = {name: order for node in world.nodes for name, order in _orders(node).items()}
    for execution in blocks.executions(world, orders).values():
        ticket = orders[execution.order_id].ticket
        owner, sign = ticket.subscriber_id, 1 if ticket.side == "BUY" else -1
        held[owner, ticket.instrument] = held.get((owner, ticket.instrument), ZERO) + sign * execution.quantity
        money = sign * execution.quantity * execution.price * ticket.multiplier + execution.commission
        cash[owner, ticket.currency] = cash.get((owner, ticket.currency), ZERO) - money
    for address, parts in [row for node in world.nodes for row in node.audit.durable.items()]:
        if address.startswith("subscriber/"):
            for part, value in parts.items():
                kind, _, what = part.partition("/")
                if kind == "cash":
                    _equal(world, address, part, value.amount, cash.pop((address[11:], what), ZERO))
                elif kind == "position":
                    _equal(world, address, part, value.quantity, held.pop((address[11:], what), ZERO))
    left = {key: value for key, value in (cash | held).items() if value}
    world.in_the_end(not left, f"nobody has {left}")


def _equal(world: World, address: str, part: str, have: Decimal, want: Decimal) -> None:
    world.in_the_end(have == want, f"{address} {part} is {have}, its fills and movements make {want}")


def _stream(world: World, node: Node) -> None:
    """Whatever the stream stored was taken and decided, crash or not."""
    for letter in node.inputs:
        key = key_of(letter)
        world.in_the_end(key is None or key in node.audit.outcomes, f"{key} was published and never decided")


def _signals(world: World) -> None:
    """Every follower of a signal decided about it, once."""
    for node in world.nodes:
        for strategy, signal, followers in node.audit.told:
            for follower in followers:
                key = (follower, f"signal/{signal}")
                heard = key in world.home(follower).audit.outcomes
                world.in_the_end(heard, f"{follower} never heard {strategy} {signal}")


def _closed(world: World, node: Node) -> None:
    """Killed: nothing works any more but what the venue does not know, or counts otherwise."""
    node.audit.reservations()
    aims.known(node.audit.live)
    everywhere = {name: order for each in world.nodes for name, order in _orders(each).items()}
    waiting = blocks.unknown(everywhere)
    for name, order in _orders(node).items():
        over = order.status in TERMINAL or order.status == "UNKNOWN" or name in waiting
        if order.work is not None:
            over = over or bool(order.work.children)  # One of those that are UNKNOWN.
        world.in_the_end(over, f"{name} is {order.status} after a kill")
    if all(order.status in TERMINAL for order in _orders(node).values()):
        for address, parts in node.audit.durable.items():
            for part, held in parts.items():
                if part.startswith("position/"):
                    left = held.working_buy, held.working_sell, held.reserved_buy, held.reserved_sell
                    world.in_the_end(not any(left), f"{address} {part} still reserves {left}")


def _mail(world: World) -> None:
    """Mail between partitions: everything posted was taken once and in order, and is acknowledged."""
    for sender in world.nodes:
        for receiver in world.nodes:
            if sender is receiver:
                continue
            out, back = f"post/{receiver.number}", f"post/{sender.number}"
            posted = [ev.sequence for _, _, a, ev in sender.disk.events if a == out and isinstance(ev, e.MailPosted)]
            taken = [ev.sequence for _, _, a, ev in receiver.disk.events if a == back and isinstance(ev, e.MailTaken)]
            world.in_the_end(posted == list(range(1, len(posted) + 1)), f"{out}: posted {posted}")
            world.in_the_end(taken == posted, f"{out}: posted {len(posted)}, taken {taken}")
            world.tally.add("mail: delivered", len(taken))
            state = sender.audit.durable.get(out, {})
            world.in_the_end(not [part for part in state if part], f"{out}: still kept {list(state)}")
