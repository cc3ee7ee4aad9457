"""Targets in a world: what is asked for by chance, and what must hold of every order that is sent for one."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from engine import target_events as t
from engine.config import effective
from engine.ledger import Position, flat, reserve
from engine.target_messages import Target, TargetPositions
from tests.simulation import controls, limits, worked

if TYPE_CHECKING:
    from actors.market import Market
    from engine.rules import Rules
    from tests.simulation.actions import Plan

D = Decimal
ZERO = Decimal(0)
CLOSES_FIRST = "beta"
"""The venue that wants a position closed before the other side of it is opened."""


def some(plan: Plan, owner: str, number: int, exchanges: dict[str, str]) -> TargetPositions:
    """A set by chance: mostly sensible."""
    chance, world = plan.chance, plan.world
    symbols = chance.sample(("AAA", "BBB", "CCC"), chance.randint(1, 3))
    if chance.random() < 0.03:
        symbols.append("ZZZ")
    weights, switch = chance.random() < 0.2, chance.random() < 0.2
    all_in = chance.choice(symbols)
    targets = []
    for symbol in symbols:
        price = (world.prices.get(symbol, D(100)) * D(chance.randint(95, 105)) / 100).quantize(D("0.05"))
        own = worked.planned(chance) if chance.random() < 0.1 else None
        targets.append(
            Target(
                exchange=exchanges[symbol],
                symbol=symbol,
                quantity=None if weights or switch else D(5 * chance.randint(-4, 8)),
                weight=_weight(chance, symbol == all_in, switch) if weights or switch else None,
                limit_price=price if chance.random() < 0.4 else None,
                plan=own,
            )
        )
    return TargetPositions(
        request_id=f"q-{number}",
        signal_id=f"t-{number}",
        strategy_id="rebalance",
        subscriber_id=owner,
        mode="TRAINING" if chance.random() < 0.05 else "PRODUCTION",
        scope="ALL" if chance.random() < 0.2 else "NAMED",
        targets=tuple(targets),
        all_or_none=chance.random() < 0.2,
        min_order_quantity=chance.choice((None, None, D(5))),
        drift_quantity=chance.choice((None, None, D(2))),
        time_in_force=chance.choices(("DAY", "GTC", "IOC"), (4, 4, 1))[0],
        plan=worked.planned(chance) if chance.random() < 0.25 else None,
        issued_at=world.now,
    )


def _weight(chance: Random, chosen: bool, switch: bool) -> Decimal:
    """A weight of equity: some of it, or of a set that goes from one instrument to another nearly all or nothing."""
    if switch:
        return D(90) / 100 if chosen else ZERO
    return D(chance.randint(-10, 20)) / 100


def judge(
    parts: dict[str, Any],
    states: dict[str, dict[str, Any]],
    event: t.TargetsDecided | t.TargetSteered,
    rules: Rules,
    market: Market,
) -> None:
    """Raises where an order that is sent for a target could pass it, or is past a limit at its worst."""
    if isinstance(event, t.TargetsDecided):
        aims = {aim.instrument: aim for aim in event.aims}
        assert event.mode == "PRODUCTION" or not (event.tickets or event.aims), f"{event.key}: sent in TRAINING"
        assert event.status == "ACCEPTED" or not event.tickets, f"{event.key}: {event.status}, and sends"
    else:
        aims = {} if event.aim is None else {event.aim.instrument: event.aim}
    live = dict(parts)
    desk = states.get("desk/main", {}).get("")
    own = controls.under(effective(rules.limits, parts[""].limits), desk) if event.tickets else None
    for ticket in event.tickets:
        venue, part = states[f"venue/{ticket.venue}"][""], f"position/{ticket.instrument}"
        assert own is not None
        assert parts[""].status == "ACTIVE", f"{ticket} while {parts['']}"
        assert venue.up, f"{ticket} for {venue}"
        assert not venue.paused, f"{ticket} for {venue}"
        held: Position = live.get(part) or flat(ticket.exchange, ticket.symbol, ticket.currency, ticket.multiplier)
        spec = rules.instrument(ticket.exchange, ticket.symbol)
        assert spec is not None
        _within(ticket, held, aims[ticket.instrument].target, spec.lot_size)
        mark = market.mark(ticket.instrument, event.at)
        risk = controls.forbids(desk) and controls.adds(held, ticket, ticket.quantity, working=True)
        assert not risk, f"{event.signal_id}: adds to {held} in {desk}: {ticket}"
        broken = limits.past(live, own, ticket, None if mark is None else mark.price, held)
        assert not broken, f"{event.signal_id}: {broken}: {ticket}"
        notional = ticket.quantity * ticket.reserve_price * ticket.multiplier
        live[part] = reserve(held, ticket.side, ticket.quantity, notional)


def _within(ticket: Any, held: Position, target: Decimal, lot: Decimal) -> None:
    """Whatever is open on its side, all of it filled with this order: that is no further than the target."""
    if ticket.side == "BUY":
        most = held.quantity + held.working_buy + ticket.quantity
        passes, crosses = most > target, held.quantity < ZERO < most
    else:
        most = held.quantity - held.working_sell - ticket.quantity
        passes, crosses = most < target, most < ZERO < held.quantity
    assert not passes, f"{ticket} may bring {held} to {most}, past {target}"
    # What is less than a lot cannot be closed for itself.
    apart = ticket.venue == CLOSES_FIRST and abs(held.quantity) >= lot
    assert not (apart and crosses), f"{ticket} brings {held} to {most} in one order"


def known(states: dict[str, dict[str, Any]]) -> None:
    """At rest: what an aim knows of its orders is what they say, and none waits for nothing."""
    for address, parts in states.items():
        if not address.startswith("subscriber/"):
            continue
        for part, aim in parts.items():
            if not part.startswith("target/"):
                continue
            for child in aim.children:
                order = states[f"order/{child.order_id}"][""]
                assert order.working == child.leaves, f"{address} {part}: {child} is {order}"
            held = parts.get(f"position/{aim.instrument}") or flat(aim.exchange, aim.symbol, "", D(1))
            waits = aim.children or (aim.status == "WORKING" and (held.working_buy or held.working_sell))
            if not waits and aim.lacks:
                waits = any(_brings(parts, part) for part in parts if part.startswith("target/"))
            assert waits, f"{address} {part}: waits for nothing, {aim} {held}"


def _brings(parts: dict[str, Any], part: str) -> bool:
    """Whether a target is still to reduce its position, and something is under way for it."""
    aim, held = parts[part], parts.get(f"position/{part[7:]}")
    if held is None or aim.lacks or aim.status != "WORKING":
        return False
    busy = aim.children or held.working_buy or held.working_sell
    return bool(busy) and abs(held.quantity) > 0 and (aim.target - held.quantity) * held.quantity < 0
