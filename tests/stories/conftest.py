"""The small language that stories are told in: a floor with a venue, a market and traders on it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine import events as e
from engine import reports as r
from engine.commands import Kill, Resume
from engine.messages import ExecutionCommand, Subscription
from engine.methods import FixedQuantity
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D, request


class Placed:
    """An order as its story tells it: what the venue says of it, and where it stands."""

    def __init__(self, floor: Floor, name: str) -> None:
        self.floor = floor
        self.name = name
        self._fills = 0

    def _hear(self, report: type, **fields: Any) -> None:
        bench = self.floor.bench
        bench.tell(f"order/{self.name}", report(client_order_id=self.name, at=bench.now, **fields))

    def acknowledged(self) -> None:
        self._hear(r.Accepted, venue_order_id=f"V-{self.name[-4:]}")

    def fills(self, quantity: int, at: str, fee: str = "0", again: bool = False) -> None:
        """An execution; `again` repeats the last one."""
        self._fills += not again
        execution = f"{self.name[-4:]}-{self._fills}"
        self._hear(r.Filled, execution_id=execution, quantity=D(quantity), price=D(at), commission=D(fee))

    def cancelled(self) -> None:
        self._hear(r.Canceled, reason="cancelled")

    def rejected(self, why: str = "no") -> None:
        self._hear(r.Rejected, reason=why)

    def expired(self) -> None:
        self._hear(r.Expired)

    def replaced(self, quantity: int, limit: str) -> None:
        self._hear(r.Replaced, quantity=D(quantity), limit_price=D(limit))

    def cancel_refused(self) -> None:
        self._hear(r.CancelRejected, reason="too late")

    def not_found(self) -> None:
        self._hear(r.NotFound)

    def found(self, status: Any, filled: int, of: int, limit: str | None = None) -> None:
        price = None if limit is None else D(limit)
        self._hear(r.Snapshot, status=status, quantity=D(of), filled=D(filled), limit_price=price)

    @property
    def life(self) -> list[str]:
        """What happened to it, a word or two an event."""
        words = {
            e.OrderStarted: "sent",
            e.OrderAccepted: "works",
            e.CancelRequested: "cancelling",
            e.ReplaceRequested: "replacing",
            e.OrderReplaced: "replaced",
            e.AmendRefused: "refused",
            e.OrderAsked: "asked",
            e.OrderMissed: "missed",
            e.OrderLost: "unknown",
            e.OrderResent: "sent again",
            e.ReportImpossible: "impossible",
        }
        life = []
        for event in self.floor.bench.events(e.OrderEvent):
            if event.order_id == self.name:
                match event:
                    case e.OrderFilled():
                        life.append(f"filled {event.filled}")
                    case e.OrderClosed():
                        life.append(event.status.lower())
                    case _:
                        life.append(words[type(event)])
        return life


class Floor:
    """Who trades what, and what became of it."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.bench.open()
        self._count = 0

    def trader(self, name: str, cash: str = "100000", follows: str | None = None, **limits: Any) -> None:
        follow = () if follows is None else (Subscription(strategy_id=follows, allocation=FixedQuantity(D(5))),)
        self.bench.join(name, *follow, cash=cash, **limits)

    def buys(self, name: str, quantity: int, limit: str | None = None, **fields: Any) -> Placed:
        return self.order(name, "BUY", quantity, limit, **fields)

    def sells(self, name: str, quantity: int, limit: str | None = None, **fields: Any) -> Placed:
        return self.order(name, "SELL", quantity, limit, **fields)

    def order(self, name: str, side: str, quantity: int, limit: str | None, **fields: Any) -> Placed:
        outcome = self.asks(name, side, quantity, limit, **fields)
        assert outcome.status == "ACCEPTED", outcome
        return Placed(self, outcome.orders[0])

    def asks(self, name: str, side: str, quantity: int, limit: str | None = None, **fields: Any) -> Any:
        """A request, and its outcome."""
        self._count += 1
        asked = request(self._count, name, side, str(quantity), limit_price=limit, **fields)
        return self.bench.ask(f"subscriber/{name}", asked)

    def signals(self, strategy: str, side: str = "BUY") -> list[Placed]:
        """A strategy's signal, and the orders it led to."""
        self._count += 1
        before = len(self.bench.events(e.OrderStarted))
        self.bench.ask(f"strategy/{strategy}", request(self._count, None, side, strategy_id=strategy))
        return [Placed(self, event.order_id) for event in self.bench.events(e.OrderStarted)[before:]]

    def commands(self, name: str, action: Any, order: Placed, **fields: Any) -> str:
        """A command on an order: its code, or ACCEPTED."""
        self._count += 1
        plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action=action)
        command = ExecutionCommand(
            command_id=f"c-{self._count}", subscriber_id=name, plan=plan, order_id=order.name, **fields
        )
        outcome = self.bench.ask(f"subscriber/{name}", command)
        return str(outcome.code or outcome.status)

    def cancels(self, name: str, order: Placed) -> str:
        return self.commands(name, "CANCEL_ORDER", order)

    def modifies(self, name: str, order: Placed, quantity: int, limit: str) -> str:
        return self.commands(name, "MODIFY_ORDER", order, quantity=D(quantity), limit_price=D(limit))

    def kill(self) -> None:
        self.bench.ask("desk/main", Kill(reason="enough", by="ann"))

    def resume(self) -> None:
        self.bench.ask("desk/main", Resume(reason="all is well", by="ann"))

    def crash(self) -> None:
        """The engine dies and comes back; so does its session."""
        self.bench.restart()
        self.bench.open()

    def loses_the_session(self) -> None:
        self.bench.tell("venue/test", r.SessionDown(venue="test", reason="lost", at=self.bench.now))

    def has_it_again(self, deduplicates: bool = False) -> None:
        self.bench.open(deduplicates=deduplicates)

    def waits(self, seconds: float) -> None:
        self.bench.wait(seconds)

    def position(self, name: str) -> Decimal:
        return self._held(name, "quantity")

    def open_to_buy(self, name: str) -> Decimal:
        return self._held(name, "working_buy")

    def realized(self, name: str) -> Decimal:
        return self._held(name, "realized")

    def _held(self, name: str, field: str) -> Decimal:
        held = self._part(name, "position/XNAS:AAPL")
        return D(0) if held is None else getattr(held, field)

    def cash(self, name: str) -> Decimal:
        amount: Decimal = self._part(name, "cash/USD").amount
        return amount

    def _part(self, name: str, part: str) -> Any:
        bench = self.bench
        if f"subscriber/{name}" not in bench.partition.actors:
            address = f"subscriber/{name}"
            bench.partition.admit([address], [], bench.journal.load_now([address], []))
        return bench.part(f"subscriber/{name}", part)

    @property
    def at_the_venue(self) -> int:
        """How many orders were sent, each counted as often as it was."""
        return len(self.bench.sent(r.SubmitOrder))

    @property
    def alarms(self) -> list[str]:
        return list(self.bench.alarms())


@pytest.fixture
def floor() -> Floor:
    """An open venue; the market is at 100."""
    return Floor()
