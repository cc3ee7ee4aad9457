"""Every allocation method sizes by its published rule, inside its bounds, and says its arithmetic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from engine.allocate import allocate, leverage
from engine.config import InstrumentSpec
from engine.messages import Subscriber, Subscription
from engine.methods import (
    Allocation,
    AvailableEquity,
    Equal,
    FixedNotional,
    Multiplier,
    NetLiquidation,
    PercentChange,
    Ratio,
    RiskBased,
    Weight,
    misfit,
)
from engine.refusal import Refusal
from engine.sizing import Facts, Share, Sized
from engine.values import EXACT, read_number
from tests.engine.test_allocate import instrument, request

D = Decimal


def sized(
    allocation: Allocation,
    asked: dict[str, str] | None = None,
    facts: Facts | None = None,
    spec: InstrumentSpec | None = None,
    reference: str | None = "20",
    equity: str | None = "10000",
    position: str = "0",
) -> Sized | Refusal:
    return allocate(
        request(**(asked or {"quantity": "10"})),
        allocation,
        spec or instrument(),
        None if reference is None else D(reference),
        None if equity is None else D(equity),
        D(position),
        facts or Facts(),
    )


def holding(units: str) -> Facts:
    return Facts(held=D(units))


def stop(price: str) -> Facts:
    return Facts(stop=D(price))


AWARD = Facts(share=Share(D(67), D(400), D(1), D(6)))


@pytest.mark.parametrize(
    ("allocation", "asked", "facts", "quantity", "sentence"),
    [
        (RiskBased(D("0.01")), {}, stop("18"), "50", "equity 10000 USD x 0.01 / stop distance 2 = 50"),
        (RiskBased(D("0.01")), {"side": "SELL"}, stop("23"), "33", "equity 10000 USD x 0.01 / stop distance 3 = 33.33"),
        (RiskBased(D("0.01")), {"limit_price": "19"}, stop("18"), "100", "equity 10000 USD x 0.01 / stop distance 1"),
        (RiskBased(D("0.01"), D("0.1")), {}, Facts(), "50", "equity 10000 USD x 0.01 / stop distance 2 = 50"),
        (RiskBased(D("0.01"), D("0.1")), {}, stop("19"), "100", "stop distance 1 = 100"),
        (RiskBased(D("0.01")), {"leverage": "3"}, stop("18"), "50", "equity 10000 USD x 0.01 / stop distance 2 = 50"),
        (PercentChange(D("0.5")), {}, holding("101"), "50", "position 101 x 0.5 = 50.5, floored to lot 1: 50"),
        (PercentChange(D("0.5")), {"side": "SELL"}, holding("-100"), "50", "position 100 x 0.5 = 50"),
        (PercentChange(D(1)), {}, holding("100"), "100", "position 100, floored to lot 1: 100"),
        (Equal(), {}, AWARD, "67", "1 / 6 of 400 by largest remainder = 67, floored to lot 1: 67"),
        (NetLiquidation(), {}, AWARD, "67", "1 / 6 of 400 by largest remainder = 67"),
        (AvailableEquity(), {}, AWARD, "67", "1 / 6 of 400 by largest remainder = 67"),
        (Ratio(D(1)), {}, AWARD, "67", "1 / 6 of 400 by largest remainder = 67"),
        (Weight(D("0.05"), leverage=D(2)), {}, Facts(), "50", "equity 10000 USD x 0.1 / 20 = 50"),
        (Weight(D("0.05"), leverage=D(2)), {"leverage": "5"}, Facts(), "50", "equity 10000 USD x 0.1 / 20 = 50"),
        (FixedNotional(D(100), leverage=D(3)), {}, Facts(), "15", "100 USD x 3 / 20 = 15"),
        (Multiplier(D(2), leverage=D(3)), {"notional": "100"}, Facts(), "30", "100 USD x 6 / 20 = 30"),
    ],
)
def test_a_method_sizes_by_its_rule(
    allocation: Allocation, asked: dict[str, str], facts: Facts, quantity: str, sentence: str
) -> None:
    found = sized(allocation, asked, facts)
    assert isinstance(found, Sized)
    assert found.quantity == D(quantity)
    assert sentence in found.sizing.sentence()


@pytest.mark.parametrize(
    ("held", "side", "value", "quantity"),
    [
        ("100", "BUY", "0.5", "50"),
        ("400", "BUY", "0.5", "200"),
        ("200", "BUY", "0.5", "100"),
        ("100", "SELL", "-1", "100"),
        ("-100", "BUY", "-1", "100"),
        ("-100", "SELL", "0.25", "25"),
        ("100", "BUY", "-0.5", None),
        ("-100", "BUY", "0.5", None),
        ("100", "SELL", "0.5", None),
        ("-100", "SELL", "-0.5", None),
        ("0", "BUY", "0.5", None),
        ("0", "SELL", "-1", None),
    ],
)
def test_percent_change_moves_what_its_side_and_sign_may_move(
    held: str, side: str, value: str, quantity: str | None
) -> None:
    found = sized(PercentChange(D(value)), {"side": side}, holding(held), position=held)
    if quantity is None:
        assert isinstance(found, Refusal)
        assert found.code == "NO_EFFECT"
    else:
        assert isinstance(found, Sized)
        assert (found.side, found.quantity) == (side, D(quantity))


def test_a_decrease_takes_no_more_than_working_orders_leave_to_close() -> None:
    found = sized(PercentChange(D("-0.5")), {"side": "SELL"}, holding("100"), position="30")
    assert isinstance(found, Sized)
    assert found.sizing.sentence() == "position 100 x 0.5 = 50, at most the position of 30, floored to lot 1: 30"


def test_what_is_risked_counts_the_multiplier() -> None:
    found = sized(RiskBased(D("0.01")), {}, stop("18"), instrument(multiplier="5"))
    assert isinstance(found, Sized)
    assert found.quantity == 10
    assert found.sizing.sentence() == "equity 10000 USD x 0.01 / stop distance 2 / 5 = 10, floored to lot 1: 10"


def test_what_was_sized_by_its_stop_is_closed_whole() -> None:
    found = sized(RiskBased(D("0.01")), {"intent": "CLOSE", "quantity": "3"}, position="8")
    assert isinstance(found, Sized)
    assert found.sizing.sentence() == "the whole position of 8, floored to lot 1: 8"


@pytest.mark.parametrize(
    ("bounds", "quantity", "said"),
    [
        ({"max_quantity": "30"}, "30", "10 x 4 = 40, at most 30 by the allocation's maximum, floored to lot 1: 30"),
        ({"max_notional": "510"}, "25", "10 x 4 = 40, at most 25.5 by the allocation's maximum, floored to lot 1: 25"),
        ({"max_notional": "510", "max_quantity": "20"}, "20", "at most 20 by the allocation's maximum"),
        ({"max_quantity": "40"}, "40", "10 x 4 = 40, floored to lot 1: 40"),
        ({"min_quantity": "40", "min_notional": "800"}, "40", "10 x 4 = 40, floored to lot 1: 40"),
    ],
)
def test_bounds_cut_what_is_too_much(bounds: dict[str, str], quantity: str, said: str) -> None:
    found = sized(Multiplier(D(4), **{name: D(value) for name, value in bounds.items()}))
    assert isinstance(found, Sized)
    assert found.quantity == D(quantity)
    assert said in found.sizing.sentence()


def test_bounds_do_not_hold_a_close_back() -> None:
    bounded = Multiplier(D(1), max_quantity=D(1), min_notional=D(10**6))
    found = sized(bounded, {"intent": "CLOSE", "quantity": "7"}, position="8", reference=None)
    assert isinstance(found, Sized)
    assert found.quantity == 7


@pytest.mark.parametrize(
    ("allocation", "asked", "world", "code", "names"),
    [
        (RiskBased(D("0.01")), {}, {}, "MISSING_STOP", "stop"),
        (RiskBased(D("0.01")), {}, {"facts": stop("20")}, "BAD_STOP", "below the entry at 20"),
        (RiskBased(D("0.01")), {"side": "SELL"}, {"facts": stop("19")}, "BAD_STOP", "above the entry at 20"),
        (RiskBased(D("0.01")), {}, {"facts": stop("18"), "reference": None}, "NO_REFERENCE_PRICE", "XNAS:AAPL"),
        (RiskBased(D("0.01")), {}, {"facts": stop("18"), "equity": None}, "NO_EQUITY", "risk"),
        (RiskBased(D("0.01")), {}, {"facts": stop("18"), "equity": "-1"}, "NO_EQUITY", "USD is -1"),
        (RiskBased(D("0.0001")), {}, {"facts": stop("18")}, "SIZE_TOO_SMALL", "0.5"),
        (Equal(), {}, {}, "NO_GROUP", "group"),
        (Ratio(D(3)), {}, {}, "NO_GROUP", "group"),
        (Multiplier(D(1), min_quantity=D(11)), {}, {}, "BELOW_MINIMUM", "min_quantity: 10 is below"),
        (Multiplier(D(1), min_notional=D(201)), {}, {}, "BELOW_MINIMUM", "min_notional: 10 worth 200 USD"),
        (Multiplier(D(1), max_notional=D(1)), {}, {}, "SIZE_TOO_SMALL", "0.05 floored"),
        (Multiplier(D(1), max_notional=D(1)), {}, {"reference": None}, "NO_REFERENCE_PRICE", "XNAS:AAPL"),
        (PercentChange(D(-1)), {"intent": "CLOSE"}, {}, "NOTHING_TO_CLOSE", "XNAS:AAPL"),
    ],
)
def test_what_a_method_cannot_size_is_refused(
    allocation: Allocation, asked: dict[str, str], world: dict[str, Any], code: str, names: str
) -> None:
    found = sized(allocation, asked or {"quantity": "10"}, **world)
    assert isinstance(found, Refusal)
    assert found.code == code
    assert names in found.reason


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ({"method": "equal"}, None),
        ({"method": "ratio", "value": "4"}, None),
        ({"method": "percent_change", "value": "-1"}, None),
        ({"method": "risk_based", "value": "0.01", "stop_fraction": "0.05"}, None),
        ({"method": "weight", "value": "0.05", "leverage": "2", "min_quantity": "1", "max_quantity": "1"}, None),
        ({"method": "ratio", "value": "0"}, "value: must be above zero, got 0"),
        ({"method": "percent_change", "value": "0"}, "value: percent_change takes -1 or more and not 0, got 0"),
        ({"method": "percent_change", "value": "-1.1"}, "value: percent_change takes -1 or more"),
        ({"method": "risk_based", "value": "1.01"}, "value: risk_based risks at most 1"),
        ({"method": "risk_based", "value": "0.1", "stop_fraction": "1"}, "stop_fraction: must be between 0 and 1"),
        ({"method": "equal", "leverage": "0"}, "leverage: must be above zero, got 0"),
        ({"method": "equal", "max_notional": "-1"}, "max_notional: must be above zero, got -1"),
        ({"method": "equal", "min_notional": "3", "max_notional": "2"}, "min_notional: 3 is above max_notional 2"),
    ],
)
def test_an_allocation_is_written_by_its_method_and_must_make_sense(written: dict[str, str], wrong: str | None) -> None:
    decoder = json.Decoder(Subscription, dec_hook=read_number)
    raw = json.encode({"strategy_id": "momentum", "allocation": written})
    subscription = decoder.decode(raw)
    assert decoder.decode(json.encode(subscription)) == subscription
    found = misfit(subscription.allocation)
    problem = Subscriber(subscriber_id="alice", subscriptions=(subscription,)).problem()
    if wrong is None:
        assert (found, problem) == (None, None)
    else:
        assert found is not None
        assert found.startswith(wrong)
        assert problem == ("BAD_QUANTITY", f"subscriptions: allocation of momentum, {found}")


def test_the_allocations_leverage_goes_before_the_requests() -> None:
    asked = request(quantity="1", leverage="3")
    assert leverage(asked, None) == 3
    assert leverage(asked, Multiplier(D(1))) == 3
    assert leverage(asked, Multiplier(D(1), leverage=D(2))) == 2


AMOUNTS = st.integers(1, 10**9).map(lambda n: D(n).scaleb(-2))


@given(AMOUNTS, st.integers(1, 100), AMOUNTS, AMOUNTS, st.sampled_from(["1", "0.001", "7"]))
@settings(deadline=None)
def test_a_stop_out_never_loses_more_than_was_risked(
    equity: Decimal, percent: int, entry: Decimal, stopped: Decimal, lot: str
) -> None:
    fraction = D(percent).scaleb(-2)
    side = "BUY" if stopped < entry else "SELL"
    asked = request(side=side)
    found = allocate(asked, RiskBased(fraction), instrument(lot_size=lot), entry, equity, D(0), Facts(stop=stopped))
    distance = abs(entry - stopped)
    if isinstance(found, Sized):
        assert EXACT.multiply(found.quantity, distance) <= equity * fraction
        assert EXACT.multiply(EXACT.add(found.quantity, D(lot)), distance) > equity * fraction
    else:
        assert found.code == ("BAD_STOP" if not distance else "SIZE_TOO_SMALL")


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from(["1", "0.001", "7"]))
@settings(deadline=None)
def test_no_size_is_above_its_maximum_or_below_its_minimum(
    times: Decimal, least: Decimal, most: Decimal, lot: str
) -> None:
    bounds = Multiplier(times, min_notional=least, max_notional=most, min_quantity=least, max_quantity=most)
    found = sized(bounds, spec=instrument(lot_size=lot))
    if isinstance(found, Sized):
        assert least <= found.quantity <= most
        assert least <= found.quantity * 20 <= most
        assert found.quantity <= times * 10
    else:
        assert found.code in ("SIZE_TOO_SMALL", "BELOW_MINIMUM")
