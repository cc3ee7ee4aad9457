"""Orders that are worked at our side in seeded worlds: whatever the venue does, what is reserved is what may fill."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from actors.journal import Mail
from actors.order import OrderActor
from actors.registry import fold
from engine import reports as r
from engine.commands import MarketMoved
from engine.events import DeadLettered, FillBooked
from engine.instructions import Instructions
from engine.messages import Quote
from engine.order import Order
from engine.plan import ExecutionPlan
from engine.values import ZERO
from tests.actors.bench import Bench, D, request
from tests.actors.test_work import PLAN, cancels
from tests.actors.test_work_edges import modify

STYLES = ("TWAP", "VWAP", "POV", "IS", "SNIPER", "ADAPTIVE", "ICEBERG")


class World:
    """A bench, a venue that answers as it likes, and a market that moves."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bench = Bench()
        self.bench.open()
        self.bench.join("alice", cash="100000000", allow_short=True)
        self.price = D(100)
        self.names: list[str] = []
        self.closed: dict[str, bool] = {}
        """Orders at the venue, and whether they are over there."""
        self.filled: dict[str, Any] = {}
        self.seen = 0
        self.number = 0

    def step(self) -> None:
        """One thing happens."""
        act = self.random.choices(
            (self.place, self.wait, self.move, self.answer, self.cancel, self.change, self.crash, self.flap),
            (4, 8, 8, 14, 1, 2, 1, 1),
        )[0]
        act()
        self.holds()

    def place(self) -> None:
        self.number += 1
        pick = self.random
        side = pick.choice(("BUY", "SELL"))
        kind = pick.randrange(5)
        fields: dict[str, Any] = {"side": side, "quantity": str(pick.randrange(1, 60)), "issued_at": self.bench.now}
        if kind <= 1:
            fields["plan"] = ExecutionPlan(
                plan_id=PLAN,
                preferred_execution_style=pick.choice(STYLES),
                max_execution_window_minutes=pick.randrange(1, 4),
                chunk_count_hint=pick.randrange(1, 9),
                execution_urgency=D(pick.randrange(11)) / 10,
            )
            if pick.random() < 0.5:
                fields["limit_price"] = str(self.price)
        elif kind == 2:
            stop = self.price + pick.randrange(1, 5) * (1 if side == "BUY" else -1)
            fields |= {"order_type": "STOP", "stop_price": stop}
        elif kind == 3:
            fields |= {"order_type": "TRAILING_STOP", "instructions": Instructions(trail_amount=D(2))}
        else:
            fields |= {"order_type": "MARKET_TO_LIMIT"}
        outcome = self.bench.ask("subscriber/alice", request(self.number, **fields))
        self.names += outcome.orders

    def wait(self) -> None:
        self.bench.wait(self.random.choice((1, 5, 20)))

    def move(self) -> None:
        self.price = max(D(50), self.price + self.random.randrange(-2, 3))
        bench = self.bench
        quote = Quote(
            exchange="XNAS", symbol="AAPL", bid=self.price, ask=self.price, bid_size=D(9), ask_size=D(9), at=bench.now
        )
        market = bench.partition.turn.market
        market.hear(quote, bench.now)
        bench.partition.post([Mail(address, MarketMoved(data=quote)) for address in market.wanted(quote)])
        bench.settle()

    def answer(self) -> None:
        """The venue says something of one of its orders; now and then a fill that was late."""
        bench, pick = self.bench, self.random
        sent = {one.client_order_id: one for one in bench.sent(r.SubmitOrder)}
        if not sent:
            return
        open_ones = [name for name in sent if not self.closed.get(name)]
        name = pick.choice(open_ones or list(sent)) if pick.random() < 0.9 else pick.choice(list(sent))
        order, done = sent[name], self.filled.get(name, ZERO)
        address, over = f"order/{name}", self.closed.get(name)
        replaced = [one for one in bench.sent(r.ReplaceVenueOrder) if one.client_order_id == name]
        left = order.quantity - done
        what = pick.randrange(8)
        if what <= 3 and left:
            quantity = D(pick.randrange(1, int(left) + 1)) if pick.random() < 0.5 else left
            self.filled[name] = done + quantity
            self.closed[name] = bool(over) or quantity == left
            self.number += 1
            fill = r.Filled(
                client_order_id=name, execution_id=f"X{self.number}", quantity=quantity, price=self.price,
                commission=D("0.01"), at=bench.now,
            )  # fmt: skip
            bench.tell(address, fill)
        elif over:
            return
        elif what == 4:
            self.closed[name] = True
            bench.tell(address, r.Canceled(client_order_id=name, reason="", at=bench.now))
        elif what == 5 and not done:
            self.closed[name] = True
            bench.tell(address, r.Rejected(client_order_id=name, reason="no", at=bench.now))
        elif what == 6 and replaced:
            asked = replaced[-1]
            replaced_so = r.Replaced(
                client_order_id=name, quantity=asked.quantity, limit_price=asked.limit_price, at=bench.now
            )
            bench.tell(address, replaced_so if pick.random() < 0.7 else self.refused(name))
        else:
            bench.tell(address, r.Accepted(client_order_id=name, venue_order_id="V" + name, at=bench.now))

    def refused(self, name: str) -> r.ReplaceRejected:
        return r.ReplaceRejected(client_order_id=name, reason="no", at=self.bench.now)

    def cancel(self) -> None:
        if self.names:
            self.number += 1
            self.bench.ask("subscriber/alice", cancels(self.random.choice(self.names), f"c-{self.number}"))

    def change(self) -> None:
        if self.names:
            self.number += 1
            pick = self.random
            terms = {"quantity": D(pick.randrange(1, 60))} if pick.random() < 0.6 else {"limit_price": self.price}
            modify(self.bench, pick.choice(self.names), f"m-{self.number}", **terms)

    def crash(self) -> None:
        self.bench.restart()
        self.holds()
        self.bench.open()

    def flap(self) -> None:
        bench = self.bench
        bench.tell("venue/test", r.SessionDown(venue="test", reason="away", at=bench.now))
        bench.wait(3)
        self.move()
        self.holds()
        bench.open()

    def order(self, name: str) -> Order:
        stored = self.bench.stored(f"order/{name}")
        assert stored is not None
        found: Order = OrderActor.decode({"": stored})[""]
        return found

    def holds(self) -> None:
        bench = self.bench
        assert bench.events(DeadLettered) == []
        position = bench.part("subscriber/alice", "position/XNAS:AAPL")
        if position is None:
            return
        own = [self.order(name) for name in self.names]
        for side, working, reserved in (
            ("BUY", position.working_buy, position.reserved_buy),
            ("SELL", position.working_sell, position.reserved_sell),
        ):
            mine = [order for order in own if order.ticket.side == side]
            assert working == sum((order.working for order in mine), ZERO)
            assert reserved == sum((order.reserved for order in mine), ZERO)
        booked = sum((one.fill.quantity for one in bench.events(FillBooked)), ZERO)
        assert booked == sum((order.filled for order in own), ZERO)
        for order in own:
            allowed = bench.part("venue/test", f"parent/{order.ticket.order_id}")
            if order.work is not None and order.open:
                at_venue = sum((piece.working for piece in order.work.children), ZERO)
                assert allowed.out == order.filled + at_venue
                assert order.working >= at_venue
            else:
                assert allowed is None

    def folds(self) -> None:
        """What the journal folds to is what is stored."""
        states: dict[str, Any] = {}
        for batch in self.bench.journal.batches:
            for address, event in batch.events:
                states[address] = fold(address, states.get(address, {}), event)
        for name in self.names:
            assert states[f"order/{name}"][""] == self.order(name)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_reserved_is_what_may_fill(seed: int) -> None:
    world = World(seed)
    for _ in range(80):
        world.step()
        world.bench.now += timedelta(milliseconds=10)
    world.folds()
    assert any(order.startswith("work-") for order in world.names)
