"""What tests of blocks and of shared totals have in common: followers, a signal, and what the venue says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import json

from engine import reports as r
from engine.ledger import flat
from engine.messages import Subscription
from engine.methods import Allocation
from engine.order import Order
from engine.values import read_number
from tests.actors.bench import Bench, D, request


def follow(bench: Bench, name: str, allocation: Allocation, **known: Any) -> None:
    bench.join(name, Subscription(strategy_id="momentum", allocation=allocation), **known)


def signal(bench: Bench, number: int = 1, **fields: Any) -> Any:
    return bench.ask("strategy/momentum", request(number, None, **({"block": True, "time_in_force": "DAY"} | fields)))


def submitted(bench: Bench) -> r.SubmitOrder:
    (order,) = bench.sent(r.SubmitOrder)
    return order


def fill(bench: Bench, order_id: str, quantity: str, price: str, number: int = 1, commission: str = "0") -> None:
    bench.tell(
        f"order/{order_id}",
        r.Filled(
            client_order_id=order_id,
            execution_id=f"x{number}",
            quantity=D(quantity),
            price=D(price),
            commission=D(commission),
            at=bench.now,
        ),
    )


def accept(bench: Bench, order_id: str) -> None:
    bench.tell(f"order/{order_id}", r.Accepted(client_order_id=order_id, venue_order_id="v1", at=bench.now))


def held(bench: Bench, name: str) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Position, what still works, what is reserved, and cash."""
    position = bench.part(f"subscriber/{name}", "position/XNAS:AAPL") or flat("XNAS", "AAPL", "USD", D(1))
    cash = bench.part(f"subscriber/{name}", "cash/USD").amount
    return position.quantity, position.working_buy, position.reserved_buy, cash


def parts(bench: Bench) -> dict[str, Order]:
    """The members' orders as they are durable, by subscriber."""
    found: dict[str, Order] = {}
    for address in {address for batch in bench.journal.batches for address, _ in batch.states}:
        if address.startswith("order/part-"):
            raw = bench.stored(address)
            assert raw is not None
            order: Order = json.decode(raw, type=Order, dec_hook=read_number)
            found[order.ticket.subscriber_id] = order
    return found
