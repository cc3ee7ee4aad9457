"""From target positions to orders: plan, send, track, and say of each ticker what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import json

from engine import reports as r
from engine import target_events as t
from engine.distribute import Distributor
from engine.plan import ExecutionPlan
from engine.target_messages import TargetPositions
from tests.actors.aiming import positions, target
from tests.stories.conftest import D, Floor, Placed


class Book:
    """Whoever sends targets: its sets, their orders and what it was told on the bus."""

    def __init__(self, floor: Floor, name: str = "alice", max_leverage: Decimal | None = Decimal(2)) -> None:
        self.floor = floor
        self.name = name
        self._count = 0
        floor.trader(name, allow_short=True, max_leverage=max_leverage)

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
        found = []
        for message in self._messages:
            data = message["data"]
            lines = [f"{line['instrument_id']} {line['status']}" for line in data.get("tickers", ())]
            found.append(" ".join([data["status"], *lines, data.get("code", "")]).strip())
        return found

    @property
    def risk(self) -> list[str]:
        """What risk is told of, as ticker, code and reason."""
        return [
            f"{line['instrument_id']} {line['code']}: {line['reason']}"
            for message in self._messages
            if "risk_management" in message["distribution"]["target_workflows"]
            for line in message["data"]["tickers"]
            if line["status"] in ("REFUSED", "FAILED")
        ]

    @property
    def _messages(self) -> list[Any]:
        distributor = Distributor("exec", 0, "test")
        found = []
        for batch in self.floor.bench.journal.batches:
            for index, (_, event) in enumerate(batch.events):
                if isinstance(event, t.TargetEvent):
                    message = distributor.distribute(batch.sequence, index, event)
                    if message is not None:
                        found.append(json.decode(message[1]))
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


def test_a_portfolio_is_turned_over_without_leverage_and_the_engine_dies_in_between(floor: Floor) -> None:
    book = Book(floor, "alice", max_leverage=None)
    (apple,) = book.wants(1000)
    apple.fills(1000, at="100")
    (sold,) = book.sends(target("FUT", weight="0.5"), target("AAPL", weight="0.4"))
    sold.acknowledged()
    sold.fills(400, at="100")
    floor.crash()
    assert floor.at_the_venue == 2
    sold.fills(200, at="100")
    bought = book.last()
    bought.fills(100, at="50")
    assert book.told[2:] == [
        "ACCEPTED FUT WORKING AAPL WORKING",
        "DONE AAPL DONE",
        "STEERED",
        "DONE FUT DONE",
    ]
    assert (floor.position("alice"), floor.cash("alice")) == (400, 10000)


def test_a_sell_fails_and_what_it_was_to_pay_for_is_reported_with_it(floor: Floor) -> None:
    book = Book(floor, max_leverage=None)
    (apple,) = book.wants(1000)
    apple.fills(1000, at="100")
    (sold,) = book.sends(target("FUT", "100"), target("AAPL", "500"))
    sold.rejected("closed")
    assert book.told[3:] == ["FAILED AAPL FAILED ORDER_REJECTED", "FAILED FUT FAILED INSUFFICIENT_CASH"]
    assert (floor.at_the_venue, floor.position("alice")) == (2, 1000)


def test_a_portfolio_is_worked_by_a_plan_and_a_newer_one_takes_over(floor: Floor) -> None:
    book = Book(floor)
    plan = ExecutionPlan(
        plan_id="EXP_20260105_143000_abcde",
        preferred_execution_style="TWAP",
        max_execution_window_minutes=10,
        chunk_count_hint=5,
        execution_urgency=D("0.8"),
    )
    (parent,) = book.wants(100, plan=plan)
    child = Placed(floor, floor.bench.sent(r.SubmitOrder)[0].client_order_id)
    child.acknowledged()
    floor.crash()
    assert book.wants(10, plan=plan) == []
    child.fills(5, at="100")
    child.cancelled()
    assert parent.name.startswith("work-")
    assert book.told == ["ACCEPTED AAPL WORKING", "ACCEPTED AAPL WORKING", "STEERED"]
    rest = book.last()
    assert floor.bench.part(f"order/{rest.name}").quantity == 5
    assert floor.position("alice") == 5


def test_risk_is_told_of_each_ticker_that_is_refused_and_of_none_else(floor: Floor) -> None:
    book = Book(floor)
    (order,) = book.sends(target("AAPL", "10"), target("FUT", "10000"), target("MSFT", "1"))
    order.fills(10, at="100")
    assert book.told == ["ACCEPTED AAPL WORKING FUT REFUSED MSFT REFUSED", "DONE AAPL DONE"]
    future, unknown = book.risk
    assert future.startswith("FUT MAX_LEVERAGE: target 10000; held 0; 10000 missing: BUY 10000 (OPEN_LONG); refused:")
    assert unknown.startswith("MSFT SYMBOL_NOT_ALLOWED: target 1; held 0;")
    assert unknown.endswith("refused: symbol: neither MSFT nor XNAS:MSFT is in allow.symbols")


def test_risk_is_told_of_a_set_of_which_nothing_is_done(floor: Floor) -> None:
    book = Book(floor)
    book.asks(target("AAPL", "20"), target("FUT", "10000"), all_or_none=True)
    assert [told.split(":")[0] for told in book.risk] == ["FUT MAX_LEVERAGE"]


def test_risk_is_told_of_an_order_that_the_venue_rejects(floor: Floor) -> None:
    book = Book(floor)
    apple, _ = book.sends(target("AAPL", "10"), target("FUT", "1"))
    apple.rejected("margin")
    assert book.risk == [f"AAPL ORDER_REJECTED: order {apple.name} ended REJECTED: margin"]


def test_risk_is_told_of_an_order_that_ends_with_its_day(floor: Floor) -> None:
    book = Book(floor)
    (apple,) = book.wants(10)
    apple.acknowledged()
    apple.expired()
    assert book.risk == [f"AAPL ORDER_EXPIRED: order {apple.name} ended EXPIRED: "]


def test_risk_is_told_what_a_kill_leaves_undone(floor: Floor) -> None:
    book = Book(floor)
    (apple,) = book.wants(10)
    apple.acknowledged()
    floor.kill()
    apple.cancelled()
    assert book.risk == [f"AAPL ORDER_CANCELED: order {apple.name} ended CANCELED: killed: enough; cancelled"]


def test_risk_is_told_what_a_kill_leaves_undone_of_a_plan(floor: Floor) -> None:
    book = Book(floor)
    plan = ExecutionPlan(
        plan_id="EXP_20260105_143000_abcde", preferred_execution_style="TWAP", max_execution_window_minutes=10
    )
    (parent,) = book.wants(100, plan=plan)
    floor.kill()
    child = Placed(floor, floor.bench.sent(r.SubmitOrder)[0].client_order_id)
    child.cancelled()
    assert book.risk == [f"AAPL ORDER_CANCELED: order {parent.name} ended CANCELED: killed: enough; 0 filled"]


def test_risk_is_told_of_the_sell_that_fails_and_of_the_buy_that_it_was_to_pay(floor: Floor) -> None:
    book = Book(floor, max_leverage=None)
    (apple,) = book.wants(1000)
    apple.fills(1000, at="100")
    (sold,) = book.sends(target("FUT", "100"), target("AAPL", "500"))
    sold.rejected("halted")
    assert [told.split(":")[0] for told in book.risk] == ["AAPL ORDER_REJECTED", "FUT INSUFFICIENT_CASH"]


def test_a_flip_whose_first_half_fails_opens_nothing(floor: Floor) -> None:
    book = Book(floor)
    floor.bench.open(closes_first=True)
    (apple,) = book.wants(10)
    apple.fills(10, at="100")
    (closing,) = book.wants(-5)
    closing.rejected("halted")
    assert [told.split(":")[0] for told in book.risk] == ["AAPL ORDER_REJECTED"]
    assert (floor.at_the_venue, floor.position("alice")) == (2, 10)
