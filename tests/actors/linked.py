"""Alice's orders in groups, by the names that a test gives them: what they are told, and where they stand."""

from __future__ import annotations

from typing import Any

from engine import reports as r
from engine.grouping import GroupMoved
from engine.instructions import Membership
from engine.messages import ExecutionCommand, Outcome
from engine.order import Order
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D, request
from tests.actors.test_work import order

PLAN = "EXP_20260105_143000_abcde"


def floor() -> Bench:
    """An open venue, and Alice with money."""
    bench = Bench()
    bench.open()
    bench.join("alice", allow_short=True, collar_bps=5000)
    return bench


class Desk:
    """Alice's orders by the names that a test gives them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.orders: dict[str, str] = {}

    def ask(self, name: str, kind: Any, role: Any = "MEMBER", group: str = "g", **fields: Any) -> Outcome:
        member = Membership(group_id=group, kind=kind, role=role)
        fields = {"quantity": "100", "group": member} | fields
        outcome: Outcome = self.bench.ask("subscriber/alice", request(len(self.orders) + 1, **fields))
        if outcome.status == "ACCEPTED":
            self.orders[name] = outcome.orders[0]
        else:
            self.orders[name] = ""
        return outcome

    def place(self, name: str, kind: Any, role: Any = "MEMBER", **fields: Any) -> None:
        outcome = self.ask(name, kind, role, **fields)
        assert outcome.status == "ACCEPTED", outcome

    def order(self, name: str) -> Order:
        return order(self.bench, self.orders[name])

    def status(self, name: str) -> str:
        return self.order(name).status

    def at_venue(self, name: str) -> list[Order]:
        """The open children of an order."""
        found: list[Order] = []
        for sent in self.bench.sent(r.SubmitOrder):
            child = order(self.bench, sent.client_order_id)
            if child.ticket.parent == self.orders[name] and child.open:
                found.append(child)
        return found

    def hears(self, name: str, report: type, piece: int = 0, **fields: Any) -> None:
        """The venue says something about an open child of an order."""
        child = self.at_venue(name)[piece].ticket.order_id
        self.bench.tell(f"order/{child}", report(client_order_id=child, at=self.bench.now, **fields))

    def works(self, name: str, piece: int = 0) -> None:
        self.hears(name, r.Accepted, piece, venue_order_id=f"V-{name}-{piece}")

    def fills(self, name: str, quantity: int, price: str = "100", piece: int = 0) -> None:
        done = len(self.bench.events(GroupMoved))
        fill = {"quantity": D(quantity), "price": D(price), "commission": D(0)}
        self.hears(name, r.Filled, piece, execution_id=f"X-{name}-{done}-{piece}", **fill)

    def cancelled(self, name: str, piece: int = 0) -> None:
        self.hears(name, r.Canceled, piece, reason="as asked")

    def asked_to_cancel(self, name: str) -> bool:
        asked = {cancel.client_order_id for cancel in self.bench.sent(r.CancelVenueOrder)}
        return any(child.ticket.order_id in asked for child in self.at_venue(name))

    def open_to_sell(self) -> Any:
        return self.bench.part("subscriber/alice", "position/XNAS:AAPL").working_sell

    def cancels_group(self, number: str = "c-1", group: str = "g") -> Outcome:
        plan = ExecutionPlan(plan_id=PLAN, action="CANCEL_GROUP")
        command = ExecutionCommand(command_id=number, subscriber_id="alice", group_id=group, plan=plan)
        outcome: Outcome = self.bench.ask("subscriber/alice", command)
        return outcome

    @property
    def reserved(self) -> bool:
        """Whether what the subscriber has reserved is the sum over the open orders, in units and in money."""
        bench = self.bench
        bench.partition.admit(["subscriber/alice"], [], bench.journal.load_now(["subscriber/alice"], []))
        held = bench.part("subscriber/alice", "position/XNAS:AAPL")
        sums = {"BUY": [D(0), D(0)], "SELL": [D(0), D(0)]}
        for one in (self.order(name) for name, number in self.orders.items() if number):
            sums[one.ticket.side][0] += one.working
            sums[one.ticket.side][1] += one.reserved
        have = [held.working_buy, held.reserved_buy, held.working_sell, held.reserved_sell]
        return have == sums["BUY"] + sums["SELL"]

    def modify(self, name: str, number: str = "m-1", **fields: Any) -> Outcome:
        plan = ExecutionPlan(plan_id=PLAN, action="MODIFY_ORDER")
        known = {"command_id": number, "subscriber_id": "alice", "order_id": self.orders[name], "plan": plan}
        outcome: Outcome = self.bench.ask("subscriber/alice", ExecutionCommand(**(known | fields)))  # type: ignore[arg-type]
        return outcome


def exits(desk: Desk, kind: str, role: str = "MEMBER") -> None:
    """A take profit and a stop loss."""
    desk.place("profit", kind, role, side="SELL", limit_price="110")
    desk.place("stop", kind, role, side="SELL", order_type="STOP", stop_price=D("95"))
