"""What targets bring to each other: cash and room that positions give back on the way to theirs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.aims import Aim
from engine.config import Limits
from engine.exposure import Exposure
from engine.figures import measure
from engine.funding import Coming, awaited, closes, pending, reduced, with_coming
from engine.ledger import Position, flat
from tests.engine.test_aims import AT, aim
from tests.engine.test_allocate import instrument

D = Decimal


@pytest.mark.parametrize(
    ("held", "target", "closing", "cash", "gross"),
    [
        ("10", "4", "6", "60", "60"),
        ("10", "0", "10", "100", "100"),
        ("10", "-4", "10", "100", "60"),
        ("10", "-15", "10", "100", "0"),
        ("10", "12", "0", "0", "0"),
        ("0", "5", "0", "0", "0"),
        ("0", "-5", "0", "0", "0"),
        ("-10", "-4", "6", "0", "60"),
        ("-10", "0", "10", "0", "100"),
        ("-10", "4", "10", "0", "60"),
        ("-10", "-12", "0", "0", "0"),
    ],
)
def test_what_a_target_gives_back(held: str, target: str, closing: str, cash: str, gross: str) -> None:
    assert closes(D(held), D(target)) == D(closing)
    assert reduced(Coming(), D(held), D(target), D(10)) == Coming(D(cash), D(gross))


UNITS = st.decimals(-1000, 1000, places=2)


@given(UNITS, UNITS)
def test_no_more_is_closed_than_is_held_nor_than_the_way_to_the_target(held: Decimal, target: Decimal) -> None:
    closing = closes(held, target)
    assert 0 <= closing <= abs(held)
    assert closing <= abs(target - held)
    coming = reduced(Coming(), held, target, D(3))
    assert 0 <= coming.gross <= closing * 3
    assert abs(held) * 3 - coming.gross <= max(abs(held), abs(target)) * 3
    assert coming.cash == (closing * 3 if held > 0 else 0)


def test_what_is_to_come_is_counted_once() -> None:
    before = Exposure(currency="USD", cash=D(5), reserved=D(1), equity=D(100), gross=D(90))
    coming = reduced(Coming(), D(4), D(0), D(10))
    after = with_coming(before, coming)
    assert (after.cash, after.reserved, after.gross, after.equity) == (45, 1, 50, 100)


def test_who_waits_takes_from_what_is_to_come() -> None:
    before = Exposure(currency="USD", cash=D(0), reserved=D(0), equity=D(100), gross=D(100))
    coming = Coming(D(60), D(60))
    seen = with_coming(before, coming)
    held = flat("XNAS", "A", "USD", D(1))
    figures = measure(AT, "BUY", D(4), None, D(10), held, seen, None, 0, instrument(), Limits())
    left = with_coming(before, awaited(coming, figures))
    assert (left.cash - left.reserved, left.gross) == (20, 80)


def holding(quantity: str) -> Position:
    return replace(flat("XNAS", "AAPL", "USD", D(1)), quantity=D(quantity))


@pytest.mark.parametrize(
    ("held", "pursued", "currency", "expected"),
    [
        ("10", aim("4"), "USD", True),
        ("10", aim("4"), "EUR", False),
        ("10", aim("12"), "USD", False),
        ("-10", aim("0"), "USD", True),
        ("10", replace(aim("9"), tolerance=D(2)), "USD", False),
        ("10", replace(aim("4"), status="FAILED"), "USD", False),
        ("10", replace(aim("-40"), lacks="MAX_LEVERAGE"), "USD", False),
    ],
)
def test_only_a_target_that_is_still_to_reduce_is_waited_for(
    held: str, pursued: Aim, currency: str, expected: bool
) -> None:
    assert pending({"XNAS:AAPL": pursued}, {"XNAS:AAPL": holding(held)}, currency) is expected
    assert pending({"XNAS:AAPL": pursued}, {}, currency) is False
