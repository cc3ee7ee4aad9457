"""The words that tests of targets are told in: sets, what the venue says of their orders, what became of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine import reports as r
from engine.messages import ExecutionPlan
from engine.target_events import TargetFailed
from engine.target_messages import Target, TargetPositions
from tests.actors.bench import AT, Bench, D, request


def trading() -> Bench:
    """An open venue, and alice, who may go short."""
    bench = Bench()
    bench.open()
    bench.join("alice", cash="100000", allow_short=True, max_leverage=D(3))
    return bench


def target(symbol: str = "AAPL", quantity: str | None = None, weight: str | None = None, **more: Any) -> Target:
    return Target(
        exchange="XNAS",
        symbol=symbol,
        quantity=None if quantity is None else D(quantity),
        weight=None if weight is None else D(weight),
        **more,
    )


def positions(number: int, *targets: Target, **more: Any) -> TargetPositions:
    known: dict[str, Any] = {
        "request_id": f"q-{number}",
        "signal_id": f"t-{number}",
        "strategy_id": "rebalance",
        "subscriber_id": "alice",
        "mode": "PRODUCTION",
        "scope": "NAMED",
        "targets": targets,
        "time_in_force": "GTC",
        "issued_at": AT,
    }
    return TargetPositions(**(known | more))


def aapl(number: int, quantity: str, **more: Any) -> TargetPositions:
    return positions(number, target("AAPL", quantity), **more)


def ask(bench: Bench, message: Any) -> Any:
    return bench.ask("subscriber/alice", message)


def sends(bench: Bench, number: int, quantity: str, **more: Any) -> list[str]:
    """A set about AAPL that is accepted: its orders."""
    answer = ask(bench, aapl(number, quantity, **more))
    assert answer.status == "ACCEPTED", answer
    return list(answer.orders)


def hear(bench: Bench, order: str, kind: type, **fields: Any) -> None:
    bench.tell(f"order/{order}", kind(client_order_id=order, at=bench.now, **fields))


def works(bench: Bench, order: str) -> None:
    hear(bench, order, r.Accepted, venue_order_id=f"V-{order[-4:]}")


def fill(bench: Bench, order: str, quantity: int) -> None:
    bench.now = bench.now.replace(microsecond=bench.now.microsecond + 1)
    bench.quote("AAPL", "100")
    execution = f"{order[-4:]}-{bench.now.microsecond}"
    hear(bench, order, r.Filled, execution_id=execution, quantity=D(quantity), price=D(100), commission=D(0))


def cancelled(bench: Bench, order: str) -> None:
    hear(bench, order, r.Canceled, reason="cancelled")


def hold(bench: Bench, number: int, quantity: int) -> None:
    """A position that another decision made."""
    side, units = ("BUY", quantity) if quantity > 0 else ("SELL", -quantity)
    fill(bench, ask(bench, request(number, side=side, quantity=str(units))).orders[0], units)


def aim(bench: Bench, symbol: str = "AAPL") -> Any:
    return bench.part("subscriber/alice", f"target/XNAS:{symbol}")


def held(bench: Bench) -> Decimal:
    quantity: Decimal = bench.part("subscriber/alice", "position/XNAS:AAPL").quantity
    return quantity


def sent(bench: Bench) -> list[str]:
    return [f"{order.side} {order.quantity}" for order in bench.sent(r.SubmitOrder)]


def cancels(bench: Bench) -> list[str]:
    return [order.client_order_id for order in bench.sent(r.CancelVenueOrder)]


def failures(bench: Bench) -> list[str]:
    return [f"{failed.symbol} {failed.code}" for failed in bench.events(TargetFailed)]


def newest(bench: Bench) -> str:
    return bench.sent(r.SubmitOrder)[-1].client_order_id


def plan() -> ExecutionPlan:
    return ExecutionPlan(plan_id="EXP_20260105_143000_abcde")
