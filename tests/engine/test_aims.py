"""Aims: their orders are counted one by one, and a set's orders are judged as if each before were working."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.aims import Aim, Child, onward, over, released, with_order, working
from engine.config import Limits
from engine.exposure import expose
from engine.figures import measure
from engine.ledger import Balance, Position, flat, reserve
from engine.steering import Working
from tests.engine.test_allocate import instrument

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def aim(target: str, *children: Child) -> Aim:
    return Aim(
        request_id="q",
        signal_id="t",
        strategy_id="s",
        exchange="XNAS",
        symbol="AAPL",
        target=D(target),
        least=D(1),
        children=children,
    )


def child(name: str, leaves: str, side: str = "BUY", asked: str = "") -> Child:
    return Child(order_id=name, side=side, leaves=D(leaves), asked=asked)  # type: ignore[arg-type]


def position(quantity: str, buys: str = "0", sells: str = "0") -> Position:
    held = flat("XNAS", "AAPL", "USD", D(1))
    held = reserve(reserve(held, "BUY", D(buys), D(0)), "SELL", D(sells), D(0))
    return Position(
        exchange="XNAS",
        symbol="AAPL",
        currency="USD",
        multiplier=D(1),
        quantity=D(quantity),
        working_buy=held.working_buy,
        working_sell=held.working_sell,
    )


@pytest.mark.parametrize(
    ("asked", "again", "cancellable", "cancelling"),
    [
        ("", False, True, False),
        ("CANCEL", False, True, True),
        ("REFUSED", False, False, False),
        ("REFUSED", True, True, False),
        ("CANCEL", True, True, True),
    ],
)
def test_what_was_asked_of_a_child_says_how_it_counts(
    asked: str, again: bool, cancellable: bool, cancelling: bool
) -> None:
    (found,) = working(position("0", buys="5"), [child("o-1", "5", asked=asked)], again)
    assert (found.cancellable, found.cancelling) == (cancellable, cancelling)


def test_what_no_child_accounts_for_is_of_other_decisions() -> None:
    found = working(position("0", buys="5", sells="3"), [child("o-1", "2")])
    assert [(each.order_id, each.side, each.leaves, each.cancellable) for each in found] == [
        ("o-1", "BUY", D(2), True),
        ("BUY orders of other decisions", "BUY", D(3), False),
        ("SELL orders of other decisions", "SELL", D(3), False),
    ]
    assert working(None, []) == ()
    assert isinstance(found[0], Working)


def test_a_child_is_forgotten_with_its_last_unit() -> None:
    first, second = child("o-1", "5"), child("o-2", "2")
    before = aim("7", first, second)
    assert released(before, first, D(2)).children == (child("o-1", "3"), second)
    assert released(before, first, D(-1)).children == (child("o-1", "6"), second)
    assert released(before, first, D(5)).children == (second,)


@pytest.mark.parametrize(
    ("quantity", "children", "done"),
    [("7", (), True), ("6", (), False), ("7", (child("o-1", "1", asked="CANCEL"),), False)],
)
def test_an_aim_is_over_when_nothing_is_open_and_nothing_missing(
    quantity: str, children: tuple[Child, ...], done: bool
) -> None:
    found = aim("7", *children)
    held = position(quantity, buys="1" if children else "0")
    assert over(found, onward(found, held, D(1), False)) is done


steps = st.tuples(st.sampled_from(("AAPL", "MSFT")), st.sampled_from(("BUY", "SELL")), st.integers(1, 30))


@given(
    st.lists(steps, max_size=8),
    st.integers(-20, 20),
    st.integers(0, 20),
    st.none() | st.integers(1, 60).map(D),
    st.none() | st.integers(1, 60).map(D),
)
def test_orders_one_after_another_expose_as_all_of_them_together(
    orders: list[tuple[str, str, int]], held: int, buys: int, limit: Decimal | None, mark: Decimal | None
) -> None:
    marks = {"XNAS:AAPL": D(20), "XNAS:MSFT": mark}
    spec = {symbol: replace(instrument(), symbol=symbol) for symbol in ("AAPL", "MSFT")}
    positions = {f"XNAS:{symbol}": flat("XNAS", symbol, "USD", D(1)) for symbol in spec}
    positions["XNAS:AAPL"] = position(str(held), buys=str(buys))
    balances = {"USD": Balance(currency="USD", amount=D(1000))}
    exposure = expose("USD", balances, positions, marks)
    for symbol, side, quantity in orders:
        name = f"XNAS:{symbol}"
        figures = measure(
            AT,
            side,  # type: ignore[arg-type]
            D(quantity),
            limit,
            marks[name],
            positions[name],
            exposure,
            None,
            0,
            spec[symbol],
            Limits(),
        )
        if figures.price is None:
            continue
        exposure = with_order(exposure, figures)
        positions[name] = reserve(positions[name], figures.side, D(quantity), D(quantity) * figures.price)
    whole = expose("USD", balances, positions, marks)
    if whole.gross is not None and exposure.gross is not None:
        # These figures are judged by and never booked: their last of 28 digits may differ.
        assert abs(exposure.gross - whole.gross) < D("1e-18")
        whole = replace(whole, gross=exposure.gross)
    assert exposure == whole
