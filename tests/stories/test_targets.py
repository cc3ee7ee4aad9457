"""From target positions to orders: plan, send, track, and say of each ticker what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import json

from engine import target_events as t
from engine.distribute import Distributor
from engine.target_messages import TargetPositions
from tests.actors.aiming import positions, target
from tests.stories.conftest import D, Floor, Placed


class Book:
    """Whoever sends targets: its sets, their orders and what it was told on the bus."""

    def __init__(self, floor: Floor, name: str = "alice") -> None:
        self.floor = floor
        self.name = name
        self._count = 0
        floor.trader(name, allow_short=True, max_leverage=D(2))

    def wants(self, apple: int, **more: Any) -> list[Placed]:
        return self.sends(target("AAPL", str(apple)), **more)

    def sends(self, *targets: Any, **more: Any) -> list[Placed]:
        outcome = self.asks(*targets, **more)
        assert outcome.status == "ACCEPTED", outcome
        return [Placed(self.floor, order) for order in outcome.orders]

    def asks(self, *targets: Any, **more: Any) -> Any:
        self._count += 1
        asked: TargetPositions = positions(self._count, *targets, subscriber_id=self.name, **more)
        return self.floor.bench.ask(f"subscriber/{self.name}", asked)

    def last(self) -> Placed:
        """The order that was sent last."""
        return Placed(self.floor, self.floor.bench.events(t.TargetSteered)[-1].tickets[-1].order_id)

    @property
    def intents(self) -> list[str]:
        """What the decisions said of what they sent at once."""
        lines = [line for event in self.floor.bench.events(t.TargetsDecided) for line in event.tickers]
        return [line.sentence.rpartition(": ")[2] for line in lines]

    @property
    def told(self) -> list[str]:
        """The execution reports, as status, ticker and its status and code."""
        distributor = Distributor("exec", 0, "test")
        found = []
        for batch in self.floor.bench.journal.batches:
            for index, (_, event) in enumerate(batch.events):
                if isinstance(event, t.TargetEvent):
                    message = distributor.distribute(batch.sequence, index, event)
                    if message is not None:
                        data = json.decode(message[1])["data"]
                        lines = [f"{line['instrument_id']} {line['status']}" for line in data.get("tickers", ())]
                        found.append(" ".join([data["status"], *lines, data.get("code", "")]).strip())
        return found


def test_long_closed_and_short(floor: Floor) -> None:
    book = Book(floor)
    (opened,) = book.wants(10)
    opened.acknowledged()
    opened.fills(10, at="100")
    (closed,) = book.wants(0)
    closed.fills(10, at="110")
    (short,) = book.wants(-5)
    short.fills(5, at="110")
    assert book.wants(-5) == []
    assert book.intents == ["BUY 10 (OPEN_LONG)", "SELL 10 (CLOSE)", "SELL 5 (OPEN_SHORT)", "nothing to do"]
    assert book.told == [
        "ACCEPTED AAPL WORKING",
        "DONE AAPL DONE",
        "ACCEPTED AAPL WORKING",
        "DONE AAPL DONE",
        "ACCEPTED AAPL WORKING",
        "DONE AAPL DONE",
        "NOOP AAPL NOOP",
    ]
    assert (floor.position("alice"), floor.realized("alice")) == (-5, 100)


def test_a_portfolio_by_weights(floor: Floor) -> None:
    book = Book(floor)
    apple, future = book.sends(target("AAPL", weight="0.5"), target("FUT", weight="0.25"), scope="ALL")
    apple.fills(500, at="100")
    future.fills(50, at="50")
    assert floor.position("alice") == 500
    (sold,) = book.sends(target("FUT", weight="0.25"), scope="ALL")
    sold.fills(500, at="100")
    assert floor.position("alice") == 0
    assert book.told[-1] == "DONE AAPL DONE"


def test_a_newer_target_while_the_older_one_fills_and_the_engine_dies(floor: Floor) -> None:
    book = Book(floor)
    (first,) = book.wants(100)
    first.acknowledged()
    first.fills(20, at="100")
    assert book.wants(50) == []
    floor.crash()
    first.fills(10, at="100")
    assert floor.at_the_venue == 1
    first.cancelled()
    rest = book.last()
    rest.fills(20, at="100")
    assert first.life == ["sent", "works", "filled 20", "cancelling", "asked", "filled 30", "canceled"]
    assert floor.position("alice") == 50
    assert book.told == ["ACCEPTED AAPL WORKING", "ACCEPTED AAPL WORKING", "STEERED", "DONE AAPL DONE"]


def test_training_leaves_no_trace_at_the_venue(floor: Floor) -> None:
    book = Book(floor)
    assert book.wants(10, mode="TRAINING") == []
    assert (floor.at_the_venue, floor.open_to_buy("alice")) == (0, Decimal(0))
    assert book.told == ["ACCEPTED AAPL WORKING"]


def test_the_broker_is_down(floor: Floor) -> None:
    book = Book(floor)
    floor.loses_the_session()
    assert book.asks(target("AAPL", "10")).code == "VENUE_DOWN"
    floor.has_it_again()
    (order,) = book.wants(10)
    order.rejected("margin")
    assert book.told == ["DENIED AAPL REFUSED VENUE_DOWN", "ACCEPTED AAPL WORKING", "FAILED AAPL FAILED ORDER_REJECTED"]


def test_a_part_of_a_set_is_refused(floor: Floor) -> None:
    book = Book(floor)
    (order,) = book.sends(target("AAPL", "10"), target("FUT", "10000"))
    order.fills(10, at="100")
    assert book.told == ["ACCEPTED AAPL WORKING FUT REFUSED", "DONE AAPL DONE"]
    assert book.asks(target("AAPL", "20"), target("FUT", "10000"), all_or_none=True).code == "MAX_LEVERAGE"
    assert floor.at_the_venue == 1
