"""Requests for orders in groups, by chance: one cancels, updates or triggers the others, and brackets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.instructions import Instructions, Membership
from engine.messages import ExecutionRequest
from engine.values import Side
from tests.simulation import worked

if TYPE_CHECKING:
    from tests.simulation.actions import Plan

D = Decimal
TICK = D("0.05")
EXCHANGES = {"AAA": "XSIM", "BBB": "XSIM", "CCC": "XEUR"}
KINDS = ("OCO", "OCO", "OUO", "OTO", "BRACKET", "BRACKET")
LEGS = {"profit": 5, "stop": 4, "stop limit": 1, "trail": 1, "touched": 1, "market": 1, "sliced": 1}


class Known(NamedTuple):
    """A group that somebody has begun: its legs are on `side`."""

    owner: str
    group_id: str
    kind: Any
    symbol: str
    side: Side


def begin(plan: Plan, owner: str, number: int) -> tuple[Known, list[ExecutionRequest]]:
    """A group and its first orders: a parent where the kind has one, then two or three legs."""
    chance = plan.chance
    kind, symbol = chance.choice(KINDS), chance.choices(("AAA", "BBB", "CCC"), (60, 15, 25))[0]
    side: Side = "SELL" if chance.random() < 0.7 else "BUY"
    known = Known(owner, f"g-{number}", kind, symbol, side)
    quantity = D(chance.choice((5, 10, 20, 40)))
    orders = []
    if kind in ("OTO", "BRACKET"):
        entry: dict[str, Any] = {"side": "SELL" if side == "BUY" else "BUY"}
        if chance.random() < 0.7:
            entry |= {"order_type": "LIMIT", "limit_price": _near(plan, symbol, -4, 4)}
        orders.append(_order(plan, known, "PARENT", quantity, entry))
    orders += [leg(plan, known, quantity) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.1:
        orders.reverse()
    return known, orders


def leg(plan: Plan, known: Known, quantity: Decimal | None = None) -> ExecutionRequest:
    """One more leg of a group; what a group does not take is refused, and the world sees that it is."""
    chance = plan.chance
    role = "CHILD" if known.kind in ("OTO", "BRACKET") else "MEMBER"
    (what,) = chance.choices(tuple(LEGS), tuple(LEGS.values()))
    # What a sale takes as profit is above the market, what it stops at below; a purchase the other way round.
    low, high = (-1, 6) if (what in ("profit", "touched")) == (known.side == "SELL") else (-6, 1)
    price = _near(plan, known.symbol, low, high)
    fields: dict[str, Any] = {
        "profit": {"order_type": "LIMIT", "limit_price": price},
        "stop": {"order_type": "STOP", "stop_price": price},
        "stop limit": {"order_type": "STOP_LIMIT", "stop_price": price, "limit_price": price},
        "trail": {"order_type": "TRAILING_STOP", "instructions": Instructions(trail_amount=D(2))},
        "touched": {"order_type": "MARKET_IF_TOUCHED", "stop_price": price},
        "market": {},
        "sliced": {"plan": worked.plan(chance, preferred_execution_style="TWAP", max_execution_window_minutes=1)},
    }[what]
    if quantity is None:
        quantity = D(chance.choice((5, 10, 20)))
    return _order(plan, known, role, quantity, {"side": known.side} | fields)


def _order(plan: Plan, known: Known, role: Any, quantity: Decimal, fields: dict[str, Any]) -> ExecutionRequest:
    number = plan.number()
    plain: dict[str, Any] = {"order_type": "MARKET", "time_in_force": plan.chance.choice(("DAY", "GTC", "GTC"))}
    return ExecutionRequest(
        request_id=f"r-{number}",
        signal_id=f"s-{number}",
        strategy_id="direct",
        subscriber_id=known.owner,
        exchange=EXCHANGES[known.symbol],
        symbol=known.symbol,
        quantity=quantity,
        issued_at=plan.world.now,
        group=Membership(group_id=known.group_id, kind=known.kind, role=role),
        **(plain | fields),
    )


def _near(plan: Plan, symbol: str, low: int, high: int) -> Decimal:
    return (plan.world.prices[symbol] * D(100 + plan.chance.randint(low, high)) / 100).quantize(TICK)
