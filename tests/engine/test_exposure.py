"""Equity and gross exposure: worst case with working orders, one currency at a time."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exposure import Exposure, expose, worst
from engine.ledger import Balance, Position

D = Decimal


def position(
    quantity: str = "0",
    buy: tuple[str, str] = ("0", "0"),
    sell: tuple[str, str] = ("0", "0"),
    currency: str = "USD",
    multiplier: str = "1",
) -> Position:
    return Position(
        exchange="X",
        symbol="A",
        currency=currency,
        multiplier=D(multiplier),
        quantity=D(quantity),
        working_buy=D(buy[0]),
        reserved_buy=D(buy[1]),
        working_sell=D(sell[0]),
        reserved_sell=D(sell[1]),
    )


def exposure(held: Position, mark: str | None = "10", cash: str = "1000") -> Exposure:
    balances = {"USD": Balance(currency="USD", amount=D(cash)), "EUR": Balance(currency="EUR", amount=D(7))}
    return expose("USD", balances, {"X:A": held}, {"X:A": None if mark is None else D(mark)})


@pytest.mark.parametrize(
    ("held", "equity", "gross", "reserved"),
    [
        pytest.param(position(), "1000", "0", "0", id="nothing"),
        pytest.param(position("100"), "2000", "1000", "0", id="a long is worth its mark"),
        pytest.param(position("-50"), "500", "500", "0", id="a short is owed, and counts absolutely"),
        pytest.param(position("3", multiplier="50"), "2500", "1500", "0", id="the multiplier counts"),
        pytest.param(position("100", buy=("5", "60")), "2000", "1060", "60", id="a buy adds to a long"),
        pytest.param(position("-50", sell=("5", "60")), "500", "560", "0", id="a sell adds to a short"),
        pytest.param(position("100", sell=("100", "1000")), "2000", "1000", "0", id="a sell that closes adds nothing"),
        pytest.param(position("100", sell=("150", "1500")), "2000", "1000", "0", id="a sell that flips to less"),
        pytest.param(position("100", sell=("300", "3000")), "2000", "2000", "0", id="a sell that flips to more"),
        pytest.param(position("-50", buy=("200", "2000")), "500", "1500", "2000", id="a buy that flips to more"),
        pytest.param(position(buy=("5", "60"), sell=("8", "90")), "1000", "90", "60", id="the worse side of two"),
    ],
)
def test_exposure_of_one_position(held: Position, equity: str, gross: str, reserved: str) -> None:
    seen = exposure(held)
    assert (seen.equity, seen.gross, seen.reserved) == (D(equity), D(gross), D(reserved))
    assert (seen.cash, seen.missing) == (1000, "")


@pytest.mark.parametrize("held", [position("1"), position("-1"), position(buy=("1", "1")), position(sell=("1", "1"))])
def test_a_position_held_or_working_without_a_mark_is_named_and_leaves_equity_unknown(held: Position) -> None:
    seen = exposure(held, mark=None)
    assert (seen.missing, seen.equity, seen.gross) == ("X:A", None, None)


def test_cash_and_reservations_are_known_without_any_mark() -> None:
    seen = expose("USD", {"USD": Balance(currency="USD", amount=D(5))}, {"X:A": position(buy=("2", "4"))}, {})
    assert (seen.cash, seen.reserved) == (5, 4)


def test_a_flat_position_needs_no_mark() -> None:
    assert exposure(position(), mark=None).equity == 1000


def test_another_currency_neither_counts_nor_needs_a_mark() -> None:
    seen = exposure(position("100", currency="EUR"), mark=None)
    assert (seen.equity, seen.gross) == (1000, 0)


def test_positions_add_up_and_the_first_without_a_mark_is_named() -> None:
    held = {"X:A": position("1"), "X:B": position("-2"), "X:C": position("3"), "X:D": position("4")}
    assert expose("USD", {}, held, {"X:A": D(1), "X:C": D(1)}).missing == "X:B"
    seen = expose("USD", {}, held, {"X:A": D(10), "X:B": D(20), "X:C": D(30), "X:D": D(40)})
    assert (seen.equity, seen.gross) == (10 - 40 + 90 + 160, 10 + 40 + 90 + 160)


UNITS = st.integers(-200, 200)
WORKING = st.integers(0, 300)


@given(UNITS, WORKING, WORKING, st.integers(1, 50))
@settings(deadline=None, max_examples=300)
def test_at_the_mark_the_worst_is_the_largest_value_over_all_ways_to_fill(
    held: int, buys: int, sells: int, mark: int
) -> None:
    ways = product((0, buys), (0, sells))
    largest = max(abs(held + bought - sold) * mark for bought, sold in ways)
    found = worst(D(held * mark), D(held), D(buys), D(sells), D(buys * mark), D(sells * mark))
    assert abs(found - largest) <= D("1e-20")
