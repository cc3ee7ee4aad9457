"""Seeded worlds of groups: venues fill, refuse, lag and lose the session, engines die; the books must hold."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from engine import reports as r
from engine.commands import SetStatus
from engine.events import DeadLettered, FillBooked
from engine.instructions import Instructions
from engine.order import Order
from tests.actors.bench import D
from tests.actors.linked import Desk, floor
from tests.actors.test_work import order, tick

KINDS = ("OCO", "OUO", "OTO", "BRACKET")


class World:
    """Alice and her group, and a venue that does what chance says to every open child."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.bench = floor()
        self.bench.open(modify=self.chance.random() < 0.7)
        self.desk = Desk(self.bench)
        self.kind = self.chance.choice(KINDS)
        self.count = 0

    def places(self) -> None:
        """A parent where the kind has one, then two or three legs."""
        parented = self.kind in ("OTO", "BRACKET")
        if parented:
            self.desk.place("entry", self.kind, "PARENT", limit_price="100", quantity="100")
        only = parented and self.chance.random() < 0.3
        told = {"instructions": Instructions(reduce_only=True)} if only else {}
        for leg in range(self.chance.randint(2, 3)):
            stop: dict[str, Any] = {"order_type": "STOP", "stop_price": D(90 + leg)}
            limit: dict[str, Any] = {"limit_price": str(110 + leg)}
            fields = self.chance.choice((stop, limit, limit)) | told
            self.desk.ask(f"leg{leg}", self.kind, "CHILD" if parented else "MEMBER", side="SELL", **fields)
            if self.chance.random() < 0.3:
                self.step()

    def children(self) -> list[Order]:
        return [child for name, number in self.desk.orders.items() if number for child in self.desk.at_venue(name)]

    def step(self) -> None:
        chance, bench = self.chance, self.bench
        what = chance.random()
        if what < 0.05:
            bench.restart()
            bench.open(modify=chance.random() < 0.7)
        elif what < 0.15:
            tick(bench, str(chance.choice((85, 91, 95, 100, 111))))
        elif what < 0.17:
            self.count += 1
            self.desk.cancels_group(f"c-{self.count}")
        elif what < 0.22:
            self.modifies()
        elif what < 0.25:
            paused = chance.random() < 0.3
            bench.tell("venue/test", SetStatus(status="PAUSED" if paused else "ACTIVE", reason="a look", by="me"))
            bench.wait(2)
            bench.quote("AAPL", "100")
        elif open_ := self.children():
            self.venue(chance.choice(open_))
        self.holds()

    def modifies(self) -> None:
        """A client changes the quantity, the price or both of one order, sensibly or not."""
        chance, desk = self.chance, self.desk
        self.count += 1
        name = chance.choice([name for name, number in desk.orders.items() if number])
        fields: dict[str, Any] = {}
        if chance.random() < 0.7:
            fields["quantity"] = D(chance.randint(1, 120))
        if not fields or chance.random() < 0.5:
            fields["limit_price"] = D(chance.randint(98, 115))
        desk.modify(name, f"m-{self.count}", **fields)

    def venue(self, child: Order) -> None:
        chance, name = self.chance, child.ticket.order_id
        about = {"client_order_id": name, "at": self.bench.now}
        self.count += 1
        report: Any = None
        if child.status == "PENDING_CANCEL" and chance.random() < 0.6:
            refused = chance.random() < 0.2
            report = r.CancelRejected(reason="no", **about) if refused else r.Canceled(reason="", **about)
        elif child.replacement is not None and chance.random() < 0.6:
            terms = child.replacement
            if chance.random() < 0.3:
                report = r.ReplaceRejected(reason="no", **about)
            else:
                report = r.Replaced(quantity=terms.quantity, limit_price=terms.limit_price, **about)
        elif chance.random() < 0.3:
            report = r.Accepted(venue_order_id=f"V{self.count}", **about)
        elif chance.random() < 0.05:
            report = r.Canceled(reason="by the venue", **about)
        elif chance.random() < 0.05 and not child.heard_of:
            report = r.Rejected(reason="no", **about)
        else:
            quantity = D(chance.randint(1, int(child.leaves)))
            report = r.Filled(execution_id=f"X{self.count}", quantity=quantity, price=D(100), commission=D(0), **about)
        self.bench.tell(f"order/{name}", report)

    def holds(self) -> None:
        """No turn failed; every reservation is its order's; every order works what its children do, and is booked."""
        bench, desk = self.bench, self.desk
        assert [letter.error for letter in bench.events(DeadLettered)] == []
        if bench.part("subscriber/alice") is None:
            loaded = bench.journal.load_now(["subscriber/alice"], [])
            bench.partition.admit(["subscriber/alice"], [], loaded)
        assert desk.reserved
        booked: dict[str, Decimal] = {}
        for event in bench.events(FillBooked):
            parent = order(bench, event.fill.order_id).ticket.parent
            booked[parent] = booked.get(parent, D(0)) + event.fill.quantity
        for name, number in desk.orders.items():
            if number:
                one = desk.order(name)
                assert one.filled == booked.get(number, D(0))
                assert one.working >= 0
                if one.open:
                    assert one.quantity - one.filled == one.working
                    assert sum(child.working for child in desk.at_venue(name)) <= one.working
                else:
                    assert (one.working, desk.at_venue(name)) == (0, [])

    def ends(self) -> None:
        """The venue does what it is asked, until nothing is asked: then the group's own rule holds."""
        self.bench.tell("venue/test", SetStatus(status="ACTIVE", reason="all is well", by="me"))
        self.bench.wait(2)
        for _ in range(200):
            asked = [one for one in self.children() if one.replacement is not None or one.status == "PENDING_CANCEL"]
            if not asked:
                break
            name = asked[0].ticket.order_id
            about = {"client_order_id": name, "at": self.bench.now}
            terms = asked[0].replacement
            if terms is not None and asked[0].status == "PENDING_REPLACE":
                done: Any = r.Replaced(quantity=terms.quantity, limit_price=terms.limit_price, **about)
            else:
                done = r.Canceled(reason="", **about)
            self.bench.tell(f"order/{name}", done)
            self.holds()
        else:
            raise AssertionError("something is asked for ever")

    def agrees(self) -> None:
        """Orders at rest are for what the group has them for, but where a person was told that they are not."""
        group = self.bench.part("group/alice/g")
        if group is None or any(alarm in ("GROUP_UNEVEN", "NO_ANSWER") for alarm in self.bench.alarms()):
            return
        if any(child.asks for child in self.children()):
            return  # The venue was asked, and its answer is waited for.
        for member in group.members:
            one = order(self.bench, member.order_id)
            assert member.filled == one.filled
            assert one.open == (member.standing != "OVER"), (self.kind, member, one.status)
            if one.open and member.standing == "ACTIVE":
                assert one.quantity == member.quantity, (self.kind, member, one.quantity)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_venue_does_the_books_hold(seed: int) -> None:
    world = World(seed)
    world.places()
    for _ in range(40):
        world.step()
    world.ends()
    world.agrees()
