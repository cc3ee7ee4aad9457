"""The same orders at a venue that does them itself and at one that does not: nobody who trades can tell."""

from __future__ import annotations

from typing import Any

import pytest

from actors.journal import Mail
from adapters.venues.paper_exchange import PaperExchange
from adapters.venues.paper_file import Known, Start
from engine import events as e
from engine import reports as r
from engine.commands import MarketMoved
from engine.instructions import Instructions
from engine.messages import ExecutionCommand, Quote
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D, request

BARE: Any = frozenset()
ABLE: Any = frozenset({"STOP", "STOP_LIMIT", "display_quantity"})


class Street:
    """An engine and a venue that answers it, with nothing between them."""

    def __init__(self, natives: Any) -> None:
        self.bench = Bench()
        self.exchange = PaperExchange("test", Start(Known([], {}), 0, 0, ""), 0, natives=natives)
        up = r.SessionUp(venue="test", capabilities=self.exchange.capabilities, at=self.bench.now)
        self.bench.tell("venue/test", up)
        self.bench.join("alice", allow_short=True)
        self.done = 0
        self.quotes("100")

    def meets(self) -> None:
        """What was sent arrives, and what becomes of it is told, until nothing more is said."""
        while len(self.sent) > self.done:
            new, self.done = self.sent[self.done :], len(self.sent)
            self.answers(new)

    @property
    def sent(self) -> list[Any]:
        return [letter.message for letter in self.bench.left if letter.to == "port/test"]

    def answers(self, messages: Any) -> None:
        group = self.exchange.answer(messages, {}, self.bench.now)
        for report in group.reports:
            self.bench.tell(f"order/{report.client_order_id}", report)
        self.exchange.settle(group)

    def quotes(self, price: str, size: str = "1000") -> None:
        bench = self.bench
        quote = Quote(exchange="XNAS", symbol="AAPL", bid=D(price), ask=D(price), bid_size=D(size),
                      ask_size=D(size), at=bench.now)  # fmt: skip
        market = bench.partition.turn.market
        market.hear(quote, bench.now)
        self.answers([quote])
        bench.partition.post([Mail(address, MarketMoved(data=quote)) for address in market.wanted(quote)])
        bench.settle()
        self.meets()
        for _ in range(3):
            bench.wait(1)
            self.meets()

    def asks(self, number: int, **fields: Any) -> str:
        outcome = self.bench.ask("subscriber/alice", request(number, **fields))
        assert outcome.status == "ACCEPTED", outcome
        self.meets()
        return str(outcome.orders[0])

    def cancels(self, order: str) -> None:
        plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="CANCEL_ORDER")
        command = ExecutionCommand(command_id="c", subscriber_id="alice", order_id=order, plan=plan)
        assert self.bench.ask("subscriber/alice", command).status == "ACCEPTED"
        self.meets()

    @property
    def booked(self) -> list[tuple[Any, Any]]:
        return [(event.fill.quantity, event.fill.price) for event in self.bench.events(e.FillBooked)]

    @property
    def held(self) -> Any:
        return self.bench.part("subscriber/alice", "position/XNAS:AAPL")


@pytest.fixture(params=["emulated", "native"])
def street(request: pytest.FixtureRequest) -> Street:
    return Street(ABLE if request.param == "native" else BARE)


def test_a_stop_sells_when_its_price_comes(street: Street) -> None:
    street.asks(1, side="SELL", quantity="100", order_type="STOP", stop_price=D(95))
    street.quotes("96")
    assert street.booked == []
    assert street.held.working_sell == 100
    street.quotes("94")
    assert street.booked == [(100, 94)]
    assert (street.held.quantity, street.held.working_sell, street.held.reserved_sell) == (-100, 0, 0)


def test_a_stop_that_buys_reserves_its_stop(street: Street) -> None:
    street.asks(1, quantity="100", order_type="STOP_LIMIT", stop_price=D(105), limit_price="106")
    assert street.held.reserved_buy == 10600
    street.asks(2, quantity="100", order_type="STOP", stop_price=D(105))
    assert street.held.reserved_buy == 21100
    street.quotes("107")
    assert street.booked == [(100, 107)]
    street.quotes("106")
    assert street.booked == [(100, 107), (100, 106)]
    assert street.held.reserved_buy == 0


def test_a_stop_that_is_cancelled_never_sells(street: Street) -> None:
    order = street.asks(1, side="SELL", quantity="100", order_type="STOP", stop_price=D(95))
    street.cancels(order)
    street.quotes("90")
    assert (street.booked, street.held.working_sell) == ([], 0)


def test_an_iceberg_sells_all_of_it_a_part_at_a_time(street: Street) -> None:
    told = Instructions(display_quantity=D(30))
    street.asks(1, side="SELL", quantity="100", limit_price="101", instructions=told)
    for _ in range(6):
        street.quotes("101", "30")
    assert [quantity for quantity, _ in street.booked] == [30, 30, 30, 10]
    assert (street.held.quantity, street.held.working_sell) == (-100, 0)


def test_who_does_it_is_seen_at_the_venue() -> None:
    told = Instructions(display_quantity=D(30))
    sent = []
    for natives in (ABLE, BARE):
        street = Street(natives)
        street.asks(1, side="SELL", quantity="100", limit_price="101", instructions=told)
        (submit,) = [one for one in street.sent if isinstance(one, r.SubmitOrder)]
        sent.append((submit.quantity, None if submit.native is None else submit.native.display_quantity))
    assert sent == [(100, 30), (30, None)]
