"""Numbers enter through one grammar, and grids never round the wrong way."""

from __future__ import annotations

from decimal import Decimal, Inexact
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, ValidationError, json, msgpack

from engine.values import EXACT, Number, ceil_to, floor_to, instrument_key, is_multiple, opposite, read_number, signed

D = Decimal


class Priced(Struct):
    price: Number


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("0", "0"),
        ("10", "10"),
        ("10.50", "10.50"),
        ("-3.25", "-3.25"),
        ("-0", "0"),
        ("007", "7"),
        ("00.10", "0.1"),
        ("999999999999999999.999999999999", "999999999999999999.999999999999"),
        ("0.000000000001", "0.000000000001"),
        ("1e3", "1000"),
        ("-2.5E+2", "-250"),
        ("1E-12", "0.000000000001"),
        ("9.99e17", "999000000000000000"),
        (12, "12"),
        (-(10**18) + 1, "-999999999999999999"),
    ],
)
def test_a_number_within_the_grammar_is_read_exactly(raw: str | int, number: str) -> None:
    assert read_number(Decimal, raw) == D(number)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "-",
        ".",
        ".5",
        "5.",
        "+1",
        "--1",
        "1e18",
        "1E-13",
        "1.5E-12",
        "12E-3",
        "1e100",
        "1e999999",
        "1_000",
        "1,000",
        "1 000",
        " 1",
        "1 ",
        "1\n",
        "\t1",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "0x10",
        "1.2.3",
        "\u0661\u0662",
        "\uff11\uff12",
        "\u00b2",
        "1\u0660",
        "1000000000000000000",
        "0.0000000000001",
        "1" * 2_000_000,
        "0." + "1" * 2_000_000,
        10**18,
        10**5000,
        1.5,
        float("nan"),
        True,
        None,
        [],
        b"1",
    ],
    ids=lambda raw: ascii(raw)[:24] if not isinstance(raw, int) or raw < 10**18 else "a large int",
)
def test_anything_else_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a decimal|integer string conversion") as refused:
        read_number(Decimal, raw)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("raw", ['"1e30"', '"NaN"', '" 1"', "1.5", "true", "null", '"\u0661"'])
def test_a_message_with_such_a_number_is_refused_where_it_stands(raw: str) -> None:
    with pytest.raises(ValidationError, match=r"\$\.price"):
        json.decode(f'{{"price":{raw}}}', type=Priced, dec_hook=read_number)


def test_a_message_carries_a_number_through_json_and_msgpack() -> None:
    priced = Priced(D("150.10"))
    assert json.encode(priced) == b'{"price":"150.10"}'
    for form in (json, msgpack):
        assert form.decode(form.encode(priced), type=Priced, dec_hook=read_number) == priced


@given(st.integers(-(10**30) + 1, 10**30 - 1), st.integers(0, 12))
@settings(deadline=None)
def test_every_number_of_the_grammar_is_read_to_its_last_digit(digits: int, places: int) -> None:
    number = EXACT.scaleb(D(digits), -12)
    assert read_number(Decimal, f"{number:f}") == number
    cut = f"{number:f}"[: -places or None].rstrip(".")
    assert read_number(Decimal, cut).as_tuple().digits == tuple(
        map(int, cut.replace("-", "").replace(".", "").lstrip("0") or "0")
    )


NUMBERS = st.one_of(
    st.integers(-(10**8), 10**8).map(lambda n: D(n).scaleb(-2)),
    st.integers(-(10**30) + 1, 10**30 - 1).map(lambda n: EXACT.scaleb(D(n), -12)),
)
STEPS = st.sampled_from([D("1"), D("0.01"), D("0.25"), D("100"), D("0.3"), D("0.000000000001")])


@given(NUMBERS, STEPS)
@settings(deadline=None, max_examples=300)
def test_a_floor_is_the_last_step_below_and_a_ceiling_the_next_above(number: Decimal, step: Decimal) -> None:
    low, high = floor_to(number, step), ceil_to(number, step)
    assert low <= number <= high
    assert EXACT.subtract(number, low) < step
    assert EXACT.subtract(high, number) < step
    assert is_multiple(low, step)
    assert is_multiple(high, step)
    assert (low == number) == is_multiple(number, step)


@pytest.mark.parametrize(
    ("number", "step", "low", "high"),
    [
        ("10", "1", "10", "10"),
        ("10.9", "1", "10", "11"),
        ("-10.1", "1", "-11", "-10"),
        ("0.05", "0.1", "0", "0.1"),
        ("1000", "0.01", "1000", "1000"),
        ("999999999999999999.999999999999", "1", "999999999999999999", "1000000000000000000"),
    ],
)
def test_floors_and_ceilings(number: str, step: str, low: str, high: str) -> None:
    assert (floor_to(D(number), D(step)), ceil_to(D(number), D(step))) == (D(low), D(high))


@given(st.integers(1, 10**30 - 1).map(lambda n: EXACT.scaleb(D(n), -12)))
def test_a_sale_is_as_many_units_as_a_buy(quantity: Decimal) -> None:
    assert signed("BUY", quantity) == quantity
    assert EXACT.add(signed("SELL", quantity), quantity) == 0
    assert (opposite("BUY"), opposite("SELL")) == ("SELL", "BUY")


def test_exact_arithmetic_raises_rather_than_rounds() -> None:
    assert EXACT.multiply(D("999999999999999999.999999999999"), D("999999999999999999.999999999999")) > 0
    with pytest.raises(Inexact):
        EXACT.divide(D(1), D(3))


def test_an_instrument_is_named_by_exchange_and_symbol() -> None:
    assert instrument_key("XNAS", "AAPL") == "XNAS:AAPL"
