"""A simulated market gives out what it showed, once, in arrival order, and never past a limit."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Bar, MarketData, Quote, Trade
from engine.simulation.matching import FOK_KILLED, IOC_REST, NO_MARKET, Answer, Book, Resting, acceptable
from engine.values import Side, TimeInForce

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def order(place: int, side: Side, quantity: str, limit: str | None = None, tif: TimeInForce = "DAY") -> Resting:
    return Resting(
        order_id=f"o{place}",
        place=place,
        side=side,
        quantity=D(quantity),
        time_in_force=tif,
        limit_price=None if limit is None else D(limit),
    )


def quote(bid: str, ask: str, bid_size: str = "100", ask_size: str = "100") -> Quote:
    return Quote(exchange="X", symbol="S", bid=D(bid), ask=D(ask), bid_size=D(bid_size), ask_size=D(ask_size), at=AT)


def trade(price: str, size: str) -> Trade:
    return Trade(exchange="X", symbol="S", price=D(price), size=D(size), at=AT)


def bar(open_: str, high: str, low: str, close: str, volume: str) -> Bar:
    return Bar(
        exchange="X", symbol="S", open=D(open_), high=D(high), low=D(low), close=D(close), volume=D(volume), at=AT
    )


def said(answer: Answer) -> tuple[str, str | None, str | None]:
    """An answer in short: order, `quantity@price`, why its rest was cancelled."""
    done = answer.execution
    return answer.order.order_id, None if done is None else f"{done.quantity}@{done.price}", answer.canceled


@pytest.mark.parametrize(
    ("market", "new", "execution", "canceled", "rests"),
    [
        # market orders: the far touch, as far as it is displayed
        (quote("9", "10"), order(1, "BUY", "60"), "60@10", None, False),
        (quote("9", "10"), order(1, "SELL", "60"), "60@9", None, False),
        (quote("9", "10"), order(1, "BUY", "150"), "100@10", None, True),
        (quote("9", "10"), order(1, "BUY", "150", tif="IOC"), "100@10", IOC_REST, False),
        (quote("9", "10"), order(1, "BUY", "150", tif="FOK"), None, FOK_KILLED, False),
        (quote("9", "10"), order(1, "BUY", "100", tif="FOK"), "100@10", None, False),
        # limit orders: only when the touch reaches them, at the touch
        (quote("9", "10"), order(1, "BUY", "60", "10"), "60@10", None, False),
        (quote("9", "10"), order(1, "BUY", "60", "11"), "60@10", None, False),
        (quote("9", "10"), order(1, "BUY", "60", "9.99"), None, None, True),
        (quote("9", "10"), order(1, "SELL", "60", "8"), "60@9", None, False),
        (quote("9", "10"), order(1, "SELL", "60", "9.01"), None, None, True),
        (quote("9", "10"), order(1, "BUY", "60", "9", "IOC"), None, IOC_REST, False),
        (quote("9", "10"), order(1, "BUY", "60", "9", "FOK"), None, FOK_KILLED, False),
        # no market
        (None, order(1, "BUY", "60"), None, None, True),
        (None, order(1, "BUY", "60", "10"), None, None, True),
        (None, order(1, "BUY", "60", tif="IOC"), None, NO_MARKET, False),
        (None, order(1, "BUY", "60", "10", "FOK"), None, NO_MARKET, False),
        (quote("9", "10", ask_size="0"), order(1, "BUY", "60", tif="IOC"), None, NO_MARKET, False),
        (quote("9", "0"), order(1, "BUY", "60", tif="IOC"), None, NO_MARKET, False),
        (quote("9", "10", "0"), order(1, "SELL", "60", tif="IOC"), None, NO_MARKET, False),
        (quote("0", "10"), order(1, "SELL", "60", tif="IOC"), None, NO_MARKET, False),
        # a trade or a bar is past: it shows nothing that a later order could take
        (trade("10", "100"), order(1, "BUY", "60", tif="IOC"), None, NO_MARKET, False),
        (bar("10", "11", "9", "10", "1000"), order(1, "BUY", "60", tif="IOC"), None, NO_MARKET, False),
    ],
)
def test_a_new_order_meets_the_market(
    market: MarketData | None, new: Resting, execution: str | None, canceled: str | None, rests: bool
) -> None:
    book = Book()
    if market is not None:
        book.hear(market)
    assert said(book.arrive(new)) == ("o1", execution, canceled)
    assert len(book) == rests


@pytest.mark.parametrize(
    ("data", "executions"),
    [
        # resting: o1 BUY 60 @ 10, o2 BUY 60 @ 11, o3 SELL 60 @ 12, o4 SELL 60 at any price but 20
        (quote("9", "10.5"), [("o2", "60@10.5")]),
        (quote("9", "9.5"), [("o1", "60@9.5"), ("o2", "40@9.5")]),
        (quote("12", "13", "70"), [("o3", "60@12")]),
        (quote("21", "22", "70"), [("o3", "60@21"), ("o4", "10@21")]),
        (trade("11", "50"), [("o2", "50@11")]),
        (trade("10", "90"), [("o1", "60@10"), ("o2", "30@10")]),
        (trade("11.5", "90"), []),
        (bar("11.5", "11.9", "11", "11.5", "90"), [("o2", "60@11")]),
        (bar("9", "11.9", "8", "10", "90"), [("o1", "60@9"), ("o2", "30@9")]),
        (bar("11.5", "13", "11.2", "12", "1000"), [("o3", "60@12")]),
        (bar("14", "15", "13", "14", "1000"), [("o3", "60@14")]),
        (bar("11.5", "25", "9", "10", "70"), [("o1", "60@10"), ("o2", "10@11")]),
        (bar("11.5", "25", "9", "10", "0"), []),
    ],
)
def test_resting_orders_are_filled_in_arrival_order(data: MarketData, executions: list[tuple[str, str]]) -> None:
    book = Book()
    for new in (
        order(1, "BUY", "60", "10"),
        order(2, "BUY", "60", "11"),
        order(3, "SELL", "60", "12"),
        order(4, "SELL", "60", "20"),
    ):
        book.arrive(new)
    assert [said(answer)[:2] for answer in book.hear(data)] == executions


def test_what_one_order_takes_from_a_quote_is_not_there_for_the_next() -> None:
    book = Book()
    book.hear(quote("9", "10"))
    answers = [book.arrive(order(place, "BUY", "40", tif="IOC")) for place in (1, 2, 3, 4)]
    assert [said(answer)[1] for answer in answers] == ["40@10", "40@10", "20@10", None]


def test_a_market_order_works_on_against_the_next_quote() -> None:
    book = Book()
    book.hear(quote("9", "10"))
    book.arrive(order(1, "BUY", "250"))
    assert [said(answer) for answer in book.hear(quote("9", "11"))] == [("o1", "100@11", None)]
    assert [said(answer) for answer in book.hear(quote("9", "12"))] == [("o1", "50@12", None)]
    assert len(book) == 0


def test_a_market_order_takes_the_open_of_the_next_bar() -> None:
    book = Book(participation=D("0.1"), lot=D(10))
    book.arrive(order(1, "SELL", "100"))
    assert [said(answer) for answer in book.hear(bar("10", "11", "9", "10", "299"))] == [("o1", "20@10", None)]


def test_bars_are_passed_over_where_there_is_a_quote() -> None:
    book = Book()
    book.hear(quote("9", "10"))
    book.arrive(order(1, "BUY", "60", "9"))
    assert book.hear(bar("8", "9", "7", "8", "1000")) == []


def test_a_cancelled_order_is_gone_and_a_replaced_one_stands_last() -> None:
    book = Book()
    for place in (1, 2, 3):
        book.arrive(order(place, "BUY", "60", "10"))
    assert book.cancel("o2") is not None
    assert book.cancel("o2") is None
    book.cancel("o1")
    book.arrive(Resting(order_id="o1", place=4, side="BUY", quantity=D(60), time_in_force="DAY", limit_price=D(10)))
    assert [said(answer)[:2] for answer in book.hear(quote("9", "10"))] == [("o3", "60@10"), ("o1", "40@10")]


def test_prices_of_more_digits_than_a_default_context_keeps_are_told_apart() -> None:
    book = Book()
    book.arrive(order(1, "BUY", "1", "100000000000000000.000000000001"))
    assert book.hear(quote("1", "100000000000000000.000000000002")) == []
    assert len(book.hear(quote("1", "100000000000000000.000000000001"))) == 1


# Whatever happens, in whatever order.

prices = st.integers(90, 110).map(lambda cents: D(cents) / 10)
sizes = st.integers(0, 50).map(D)
sides = st.sampled_from(["BUY", "SELL"])
news = st.tuples(
    st.just("new"),
    sides,
    st.integers(1, 80).map(D),
    st.none() | prices,
    st.sampled_from(["DAY", "GTC", "IOC", "FOK"]),
)
cancels = st.tuples(st.just("cancel"), st.integers(1, 20))
quotes = st.builds(
    lambda bid, spread, bid_size, ask_size: Quote(
        exchange="X", symbol="S", bid=bid, ask=bid + spread, bid_size=bid_size, ask_size=ask_size, at=AT
    ),
    prices,
    st.integers(0, 5).map(lambda tenths: D(tenths) / 10),
    sizes,
    sizes,
)
trades = st.builds(lambda price, size: Trade(exchange="X", symbol="S", price=price, size=size, at=AT), prices, sizes)
bars = st.builds(
    lambda four, volume: Bar(
        exchange="X", symbol="S", low=four[0], open=four[1], close=four[2], high=four[3], volume=volume, at=AT
    ),
    st.lists(prices, min_size=4, max_size=4).map(sorted),
    sizes,
)


def offered(data: MarketData) -> Decimal:
    """What market data may at most fill, both sides together."""
    if isinstance(data, Quote):
        return data.bid_size + data.ask_size
    return data.size if isinstance(data, Trade) else data.volume


@given(st.lists(news | cancels | quotes | trades | bars, max_size=40), st.sampled_from([None, D(1), D(7), D(30)]))
def test_nothing_is_filled_twice_too_far_or_past_its_limit(steps: list[Any], display: Decimal | None) -> None:
    """`display` is what every second order shows of itself."""
    book = Book()
    orders: dict[str, Resting] = {}
    filled: Counter[str] = Counter()
    over: set[str] = set()
    budget = {"BUY": D(0), "SELL": D(0)}
    for place, step in enumerate(steps, 1):
        left: Decimal | None = None
        if isinstance(step, tuple):
            if step[0] == "cancel":
                taken = book.cancel(f"o{step[1]}")
                if taken is not None:
                    assert taken.order_id not in over
                    assert taken.filled == filled[taken.order_id]
                    over.add(taken.order_id)
                continue
            _, side, quantity, limit, tif = step
            shown = display if limit is not None and tif == "DAY" and place % 2 else None
            new = Resting(
                order_id=f"o{place}",
                place=place,
                side=side,
                quantity=quantity,
                time_in_force=tif,
                limit_price=limit,
                display=shown,
            )
            orders[new.order_id] = new
            answers = [book.arrive(new)]
            if tif == "FOK":
                assert answers[0].order.filled in (0, quantity)
            if tif in ("IOC", "FOK"):
                assert not answers[0].open
        else:
            if isinstance(step, Quote):
                budget = {"BUY": step.ask_size, "SELL": step.bid_size}
            else:
                left = offered(step)
            answers = book.hear(step)
            places = [answer.order.place for answer in answers]
            assert display is not None or places == sorted(set(places))
        for answer in answers:
            name, done = answer.order.order_id, answer.execution
            assert name not in over
            before = orders[name]
            if done is not None:
                assert done.quantity > 0
                assert acceptable(before.side, before.limit_price, done.price)
                assert before.display is None or isinstance(step, tuple) or done.quantity <= before.display
                filled[name] += done.quantity  # type: ignore[assignment]
                if left is None:
                    budget[before.side] -= done.quantity
                else:
                    left -= done.quantity
            assert answer.order.filled == filled[name] <= before.quantity
            assert answer.order.filled + answer.order.leaves == before.quantity
            if not answer.open:
                over.add(name)
        assert left is None or left >= 0
        assert min(budget.values()) >= 0
        assert len(book) == len(orders) - len(over)
        assert (book.ask_left, book.bid_left) == (budget["BUY"], budget["SELL"])
