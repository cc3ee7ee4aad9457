"""A group lives through the death of its engine at any step, and its journal says all that it is."""

from __future__ import annotations

from typing import Any

from msgspec import json

from actors.registry import fold
from engine import reports as r
from engine.events import CommandDecided
from engine.groups import Group
from engine.instructions import Membership
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from engine.values import read_number
from tests.actors.bench import D, request
from tests.actors.linked import PLAN, Desk, floor


class Life:
    """A bracket's life, told message by message; at one of them the engine dies, and the message comes again."""

    def __init__(self, dies_at: int | None = None, durable: bool = False) -> None:
        self.bench = floor()
        self.desk = Desk(self.bench)
        self.dies_at = dies_at
        self.durable = durable
        self.told = 0

    def tell(self, to: str, message: Any) -> None:
        bench = self.bench
        bench.post(to, message, sender="local/test")
        if self.told == self.dies_at:
            bench.run()
            if self.durable:
                bench.commit()
            bench.restart()
            bench.open()
            bench.post(to, message, sender="local/test")
        self.told += 1
        bench.settle()

    def asks(self, name: str, role: Any, **fields: Any) -> None:
        member = Membership(group_id="g", kind="BRACKET", role=role)
        number = len(self.desk.orders) + 1
        self.tell("subscriber/alice", request(number, quantity="100", group=member, **fields))
        self.desk.orders[name] = self.bench.ask(
            "subscriber/alice", request(number, quantity="100", group=member, **fields)
        ).orders[0]

    def fills(self, name: str, quantity: int) -> None:
        child = self.desk.at_venue(name)[0].ticket.order_id
        filled = r.Filled(client_order_id=child, execution_id=f"X-{self.told}", quantity=D(quantity), price=D(100),
                          commission=D(0), at=self.bench.now)  # fmt: skip
        self.tell(f"order/{child}", filled)

    def lives(self) -> tuple[Any, ...]:
        self.asks("entry", "PARENT", limit_price="100")
        self.asks("profit", "CHILD", side="SELL", limit_price="110")
        self.asks("stop", "CHILD", side="SELL", order_type="STOP", stop_price=D("95"))
        self.fills("entry", 40)
        self.fills("entry", 60)
        self.fills("profit", 40)
        plan = ExecutionPlan(plan_id=PLAN, action="CANCEL_GROUP")
        self.tell("subscriber/alice", ExecutionCommand(command_id="c", subscriber_id="alice", group_id="g", plan=plan))
        child = self.desk.at_venue("profit")[0].ticket.order_id
        self.tell(f"order/{child}", r.Canceled(client_order_id=child, reason="as asked", at=self.bench.now))
        return self.left()

    def left(self) -> tuple[Any, ...]:
        """What is durable in the end, but for the ids."""
        bench, desk = self.bench, self.desk
        stored = bench.stored("group/alice/g")
        assert stored is not None
        group = json.decode(stored, type=Group, dec_hook=read_number)
        assert folded(self) == group
        standing = tuple((one.standing, one.filled) for one in group.members)
        held = bench.journal.load_now(["subscriber/alice"], []).parts["subscriber/alice"]["position/XNAS:AAPL"]
        orders = tuple((name, desk.status(name), desk.order(name).filled) for name in desk.orders)
        return orders, standing, held, len(bench.sent(r.SubmitOrder)), len(bench.events(CommandDecided))


def folded(life: Life) -> Any:
    """The group, from the journal alone."""
    parts: dict[str, Any] = {}
    for batch in life.bench.journal.batches:
        for address, event in batch.events:
            if address == "group/alice/g":
                parts = fold(address, parts, event)
    return parts[""]


def test_a_crash_at_any_message_before_or_after_it_is_durable_changes_nothing() -> None:
    whole = Life()
    left = whole.lives()
    assert (left[0][0], left[0][2][1], left[-2:]) == (("entry", "FILLED", D(100)), "CANCELED", (3, 1))
    for step in range(whole.told):
        for durable in (False, True):
            assert Life(step, durable).lives() == left, (step, durable)


def test_an_open_group_need_not_be_loaded_at_a_start() -> None:
    life = Life()
    life.asks("entry", "PARENT", limit_price="100")
    life.asks("stop", "CHILD", side="SELL", order_type="STOP", stop_price=D("95"))
    life.bench.restart()
    life.bench.open()
    assert life.bench.part("group/alice/g") is None
    life.fills("entry", 100)
    assert life.desk.order("stop").quantity == 100
    assert life.bench.part("group/alice/g").members[1].standing == "ACTIVE"
