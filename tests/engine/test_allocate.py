"""How much an order is for: stated sizes stand or are refused, derived ones never exceed what was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.allocate import allocate
from engine.config import InstrumentSpec
from engine.messages import ExecutionRequest
from engine.methods import Allocation, FixedNotional, FixedQuantity, Multiplier, Weight
from engine.refusal import Refusal
from engine.sizing import Sized
from engine.values import EXACT

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def instrument(**changes: str) -> InstrumentSpec:
    sizes = {"tick_size": "0.01", "lot_size": "1", "min_quantity": "0", "min_notional": "0", "multiplier": "1"}
    numbers = {name: D(value) for name, value in (sizes | changes).items()}
    return InstrumentSpec(exchange="XNAS", symbol="AAPL", currency="USD", calendar="XNYS", **numbers)


def request(**asked: Any) -> ExecutionRequest:
    numbers = ("quantity", "notional", "weight", "leverage", "limit_price")
    fields = {name: D(value) if name in numbers else value for name, value in asked.items()}
    if "intent" not in fields:
        fields.setdefault("side", "BUY")
    fields["order_type"] = "LIMIT" if "limit_price" in fields else "MARKET"
    return ExecutionRequest(
        request_id="r-1",
        signal_id="s-1",
        strategy_id="momentum",
        exchange="XNAS",
        symbol="AAPL",
        time_in_force="DAY",
        issued_at=AT,
        **fields,
    )


def size(
    asked: ExecutionRequest,
    allocation: Allocation | None = None,
    spec: InstrumentSpec | None = None,
    reference: str | None = "20",
    equity: str | None = "10000",
    position: str = "0",
) -> Sized | Refusal:
    return allocate(
        asked,
        allocation,
        spec or instrument(),
        None if reference is None else D(reference),
        None if equity is None else D(equity),
        D(position),
    )


@pytest.mark.parametrize(
    ("asked", "allocation", "quantity", "sentence"),
    [
        ({"quantity": "10"}, None, "10", "10, floored to lot 1: 10"),
        ({"notional": "1010"}, None, "50", "1010 USD / 20 = 50.5, floored to lot 1: 50"),
        ({"notional": "1010", "leverage": "2"}, None, "101", "1010 USD x 2 / 20 = 101, floored to lot 1: 101"),
        ({"weight": "0.05"}, None, "25", "equity 10000 USD x 0.05 / 20 = 25, floored to lot 1: 25"),
        ({"weight": "0.05", "leverage": "3"}, None, "75", "equity 10000 USD x 0.15 / 20 = 75, floored to lot 1: 75"),
        ({"quantity": "10", "leverage": "3"}, None, "10", "10, floored to lot 1: 10"),
        ({"quantity": "10"}, FixedQuantity(D("3.7")), "3", "3.7, floored to lot 1: 3"),
        ({"quantity": "10"}, FixedNotional(D(999)), "49", "999 USD / 20 = 49.95, floored to lot 1: 49"),
        ({"quantity": "10"}, Multiplier(D("0.55")), "5", "10 x 0.55 = 5.5, floored to lot 1: 5"),
        ({"quantity": "10"}, Multiplier(D(3)), "30", "10 x 3 = 30, floored to lot 1: 30"),
        ({"notional": "100"}, Multiplier(D(3)), "15", "100 USD x 3 / 20 = 15, floored to lot 1: 15"),
        ({"weight": "0.1"}, Multiplier(D("0.5")), "25", "equity 10000 USD x 0.05 / 20 = 25, floored to lot 1: 25"),
        ({"quantity": "10"}, Weight(D("0.01")), "5", "equity 10000 USD x 0.01 / 20 = 5, floored to lot 1: 5"),
        ({}, Weight(D("0.01")), "5", "equity 10000 USD x 0.01 / 20 = 5, floored to lot 1: 5"),
        ({"leverage": "2"}, FixedNotional(D(100)), "10", "100 USD x 2 / 20 = 10, floored to lot 1: 10"),
    ],
)
def test_a_request_is_sized_by_itself_and_a_signal_by_its_allocation(
    asked: dict[str, str], allocation: Allocation | None, quantity: str, sentence: str
) -> None:
    sized = size(request(**asked), allocation)
    assert isinstance(sized, Sized)
    assert (sized.side, sized.quantity) == ("BUY", D(quantity))
    assert sized.sizing.sentence() == sentence


def test_money_buys_units_by_price_and_multiplier() -> None:
    sized = size(request(notional="5000"), spec=instrument(multiplier="50"))
    assert isinstance(sized, Sized)
    assert sized.quantity == 5
    assert sized.sizing.sentence() == "5000 USD / 20 / 50 = 5, floored to lot 1: 5"


@pytest.mark.parametrize(
    ("side", "intent", "position", "expected"),
    [
        ("BUY", None, "0", "BUY"),
        ("SELL", None, "0", "SELL"),
        (None, "OPEN_LONG", "-5", "BUY"),
        (None, "OPEN_SHORT", "5", "SELL"),
        (None, "CLOSE", "5", "SELL"),
        (None, "CLOSE", "-5", "BUY"),
    ],
)
def test_the_side_is_the_requests_or_follows_from_its_intent(
    side: str | None, intent: str | None, position: str, expected: str
) -> None:
    sized = size(request(side=side, intent=intent, quantity="5"), position=position)
    assert isinstance(sized, Sized)
    assert sized.side == expected


@pytest.mark.parametrize(
    ("asked", "allocation", "position", "quantity", "sentence"),
    [
        ({}, None, "8", "8", "the whole position of 8, floored to lot 1: 8"),
        ({}, None, "-8", "8", "the whole position of 8, floored to lot 1: 8"),
        ({}, None, "8.5", "8", "the whole position of 8.5, floored to lot 1: 8"),
        ({}, FixedQuantity(D(3)), "8", "8", "the whole position of 8, floored to lot 1: 8"),
        ({"quantity": "3"}, None, "8", "3", "3, floored to lot 1: 3"),
        ({"quantity": "9"}, None, "8", "8", "9, at most the position of 8, floored to lot 1: 8"),
        ({"quantity": "9"}, Multiplier(D(2)), "8", "8", "9 x 2 = 18, at most the position of 8, floored to lot 1: 8"),
        ({"quantity": "9"}, FixedQuantity(D(3)), "8", "3", "3, floored to lot 1: 3"),
        ({"notional": "60"}, None, "8", "3", "60 USD / 20 = 3, floored to lot 1: 3"),
    ],
)
def test_closing_takes_the_opposite_side_and_never_more_than_the_position(
    asked: dict[str, str], allocation: Allocation | None, position: str, quantity: str, sentence: str
) -> None:
    sized = size(request(intent="CLOSE", **asked), allocation, position=position)
    assert isinstance(sized, Sized)
    assert (sized.side, sized.quantity) == ("BUY" if position.startswith("-") else "SELL", D(quantity))
    assert sized.sizing.sentence() == sentence


@pytest.mark.parametrize(
    ("asked", "allocation", "world", "code", "names"),
    [
        ({"quantity": "10.5"}, None, {}, "OFF_LOT", "10.5 is not a multiple of lot_size 1"),
        ({"quantity": "10", "limit_price": "20.005"}, None, {}, "OFF_TICK", "20.005 is not a multiple of tick_size"),
        ({"quantity": "10", "limit_price": "20.005"}, Multiplier(D(1)), {}, "OFF_TICK", "20.005"),
        ({"quantity": "10.5", "intent": "CLOSE"}, None, {"position": "20"}, "OFF_LOT", "10.5"),
        ({"intent": "CLOSE"}, None, {}, "NOTHING_TO_CLOSE", "XNAS:AAPL"),
        ({"intent": "CLOSE", "quantity": "5"}, None, {}, "NOTHING_TO_CLOSE", "XNAS:AAPL"),
        ({"notional": "100"}, None, {"reference": None}, "NO_REFERENCE_PRICE", "XNAS:AAPL"),
        ({"notional": "100"}, None, {"reference": "0"}, "NO_REFERENCE_PRICE", "XNAS:AAPL"),
        ({"weight": "0.1"}, None, {"reference": None}, "NO_REFERENCE_PRICE", "weight"),
        ({"quantity": "1"}, FixedNotional(D(1)), {"reference": None}, "NO_REFERENCE_PRICE", "notional"),
        ({"weight": "0.1"}, None, {"equity": None}, "NO_EQUITY", "unknown"),
        ({"weight": "0.1"}, None, {"equity": "0"}, "NO_EQUITY", "USD is 0"),
        ({"quantity": "1"}, Weight(D("0.1")), {"equity": "-5"}, "NO_EQUITY", "USD is -5"),
        ({}, Multiplier(D(1)), {}, "MISSING_SIZE", "quantity"),
        ({"quantity": "1"}, Multiplier(D("0.5")), {}, "SIZE_TOO_SMALL", "0.5 floored to lot_size 1 is 0"),
        ({"notional": "19.99"}, None, {}, "SIZE_TOO_SMALL", "below min_quantity 0"),
        ({"intent": "CLOSE"}, None, {"position": "0.5"}, "SIZE_TOO_SMALL", "0.5"),
        ({"notional": "999999999999999999", "leverage": "99999"}, None, {}, "SIZE_TOO_LARGE", "18 digits"),
    ],
)
def test_what_cannot_be_sized_is_refused(
    asked: dict[str, str], allocation: Allocation | None, world: dict[str, Any], code: str, names: str
) -> None:
    refusal = size(request(**asked), allocation, **world)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert names in refusal.reason


def test_a_size_that_misses_a_lot_by_less_than_can_be_written_is_below_it() -> None:
    # The unit costs 10^12 + 10^-24, so 10^12 buys 1 - 10^-36 of it.
    spec = instrument(multiplier="999999999999.000000000001")
    refusal = size(request(notional="1000000000000"), None, spec, "1.000000000001")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SIZE_TOO_SMALL"


def test_derived_numbers_are_written_without_an_exponent() -> None:
    sized = size(request(notional="1000"), reference="0.01")
    assert isinstance(sized, Sized)
    assert (str(sized.quantity), str(sized.sizing.raw)) == ("100000", "100000")


def test_a_derived_size_below_the_minimum_is_refused_and_a_stated_one_left_to_risk() -> None:
    spec = instrument(lot_size="0.1", min_quantity="5")
    refusal = size(request(quantity="4.9"), Multiplier(D(1)), spec)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SIZE_TOO_SMALL"
    assert isinstance(size(request(quantity="4.9"), None, spec), Sized)


def test_a_stated_quantity_needs_neither_price_nor_equity() -> None:
    assert isinstance(size(request(quantity="10"), reference=None, equity=None), Sized)


GRID = st.sampled_from(["1", "100", "0.001", "0.3", "7", "0.000000000001"])
MONEY = st.one_of(
    st.integers(1, 10**9).map(lambda n: D(n).scaleb(-2)),
    st.integers(1, 10**30 - 1).map(lambda n: EXACT.scaleb(D(n), -12)),
)


@given(MONEY, MONEY, GRID, st.integers(1, 300), st.integers(1, 100))
@settings(deadline=None, max_examples=400)
def test_a_notional_buys_the_most_lots_that_it_pays_for(
    notional: Decimal, price: Decimal, lot: str, leverage: int, multiplier: int
) -> None:
    asked = request(notional=str(notional), leverage=str(leverage))
    spec = instrument(lot_size=lot, multiplier=str(multiplier))
    sized = allocate(asked, None, spec, price, None, D(0))
    unit = EXACT.multiply(price, D(multiplier))
    budget = EXACT.multiply(notional, D(leverage))
    if isinstance(sized, Sized):
        assert EXACT.remainder(sized.quantity, D(lot)) == 0
        assert EXACT.multiply(sized.quantity, unit) <= budget
        assert EXACT.multiply(EXACT.add(sized.quantity, D(lot)), unit) > budget
    elif sized.code == "SIZE_TOO_SMALL":
        assert EXACT.multiply(D(lot), unit) > budget
    else:
        assert sized.code == "SIZE_TOO_LARGE"
        assert budget / unit > D(10) ** 17


@given(MONEY, MONEY, GRID)
@settings(deadline=None, max_examples=300)
def test_a_multiple_of_the_leader_is_floored_and_never_above_it(leader: Decimal, times: Decimal, lot: str) -> None:
    sized = size(request(quantity=str(leader)), Multiplier(times), instrument(lot_size=lot))
    if isinstance(sized, Sized):
        exact = EXACT.multiply(leader, times)
        assert sized.quantity <= exact < EXACT.add(sized.quantity, D(lot))


@given(MONEY, MONEY)
@settings(deadline=None)
def test_closing_never_crosses_to_the_other_side(quantity: Decimal, position: Decimal) -> None:
    asked = request(intent="CLOSE", quantity=str(quantity))
    sized = size(asked, None, instrument(lot_size="0.000000000001"), position=str(position))
    assert isinstance(sized, Sized)
    assert sized.quantity == min(quantity, position)
