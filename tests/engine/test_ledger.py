"""Positions and cash stay exact through every sequence of fills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import ledger
from engine.commands import Fill
from engine.ledger import Balance, Position
from engine.values import EXACT, ONE, ZERO, Side

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def fill(
    side: Side,
    quantity: Decimal,
    price: Decimal,
    multiplier: Decimal = ONE,
    commission: Decimal = ZERO,
    currency: str = "USD",
) -> Fill:
    return Fill(
        execution_id="x-1",
        order_id="paper-1",
        venue="paper",
        exchange="XNAS",
        symbol="AAPL",
        currency=currency,
        multiplier=multiplier,
        side=side,
        quantity=quantity,
        price=price,
        commission=commission,
        at=AT,
    )


def flat(multiplier: Decimal = ONE, currency: str = "USD") -> Position:
    return ledger.flat("XNAS", "AAPL", currency, multiplier)


def after(*trades: tuple[Side, str, str], multiplier: str = "1") -> Position:
    position = flat(D(multiplier))
    for side, quantity, price in trades:
        position = ledger.book(position, fill(side, D(quantity), D(price), D(multiplier)))
    return position


# Everything the grammar allows, and mostly what markets show.
AMOUNTS = st.one_of(
    st.integers(1, 10**6).map(lambda n: D(n).scaleb(-2)),
    st.integers(1, 500).map(D),
    st.integers(1, 10**30 - 1).map(lambda n: EXACT.scaleb(D(n), -12)),
)
SIDES: st.SearchStrategy[Side] = st.sampled_from(["BUY", "SELL"])
TRADES = st.lists(st.tuples(SIDES, AMOUNTS, AMOUNTS, st.integers(-500, 500)), max_size=30)
EXACTLY = settings(deadline=None, max_examples=300)


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realized"),
    [
        pytest.param([], "0", "0", "0", id="nothing traded"),
        pytest.param([("BUY", "10", "5")], "10", "50", "0", id="opens long"),
        pytest.param([("SELL", "10", "5")], "-10", "-50", "0", id="opens short"),
        pytest.param([("BUY", "10", "5"), ("BUY", "10", "7")], "20", "120", "0", id="adds to a long"),
        pytest.param([("SELL", "10", "5"), ("SELL", "10", "7")], "-20", "-120", "0", id="adds to a short"),
        pytest.param([("BUY", "10", "5"), ("SELL", "4", "6")], "6", "30", "4", id="reduces a long"),
        pytest.param([("SELL", "10", "5"), ("BUY", "4", "6")], "-6", "-30", "-4", id="reduces a short"),
        pytest.param([("BUY", "10", "5"), ("SELL", "10", "6")], "0", "0", "10", id="closes a long"),
        pytest.param([("SELL", "10", "5"), ("BUY", "10", "6")], "0", "0", "-10", id="closes a short"),
        pytest.param([("BUY", "10", "5"), ("SELL", "15", "6")], "-5", "-30", "10", id="flips a long"),
        pytest.param([("SELL", "10", "5"), ("BUY", "15", "4")], "5", "20", "10", id="flips a short"),
        pytest.param(
            [("BUY", "3", "10"), ("SELL", "1", "10"), ("SELL", "1", "10"), ("SELL", "1", "13")],
            "0",
            "0",
            "3",
            id="closes in thirds",
        ),
    ],
)
def test_a_position_after_these_trades(
    trades: list[tuple[Side, str, str]], quantity: str, cost: str, realized: str
) -> None:
    position = after(*trades)
    assert (position.quantity, position.cost, position.realized) == (D(quantity), D(cost), D(realized))


def test_cost_that_cannot_be_divided_stays_until_the_last_unit_leaves() -> None:
    position = after(("BUY", "1", "10"), ("BUY", "2", "0.005"), ("SELL", "1", "20"))
    assert position.cost == D("10.01") - D("3.336666666666")
    assert position.realized == D(20) - D("3.336666666666")
    assert ledger.book(position, fill("SELL", D(2), D(1))).cost == 0


def test_the_multiplier_is_part_of_cost_realized_and_value() -> None:
    position = after(("BUY", "2", "100"), ("SELL", "1", "101"), multiplier="50")
    assert (position.cost, position.realized) == (D(5000), D(50))
    assert ledger.market_value(position, D(102)) == D(5100)
    assert ledger.unrealized(position, D(102)) == D(100)


def test_average_price_is_cost_by_unit_and_multiplier() -> None:
    assert ledger.average_price(after(("BUY", "10", "5"), ("BUY", "10", "7"), multiplier="50")) == 6
    assert ledger.average_price(after(("SELL", "10", "5"))) == 5
    assert ledger.average_price(flat()) is None


def test_numbers_that_come_out_even_stay_short() -> None:
    assert str(after(("BUY", "10", "5.10"), ("SELL", "4", "6.00")).cost) == "30.60"


@pytest.mark.parametrize(
    ("working", "quantity", "left"), [("10", "4", "6"), ("10", "10", "0"), ("8", "9", "0"), ("0", "9", "0")]
)
def test_without_an_order_no_more_is_free_than_was_reserved(working: str, quantity: str, left: str) -> None:
    """A fill of nine may be booked while the order that had them reserved still counts them."""
    for side in ("BUY", "SELL"):
        held = ledger.reserve(flat(), side, D(working), D(working) * 101)
        found = ledger.without(held, side, D(quantity), D(quantity) * 101)
        assert found == ledger.reserve(flat(), side, D(left), D(left) * 101)


@given(TRADES, AMOUNTS, AMOUNTS)
@EXACTLY
def test_profit_is_cash_flow_and_market_value_exactly(
    trades: list[tuple[Side, Decimal, Decimal, int]], mark: Decimal, multiplier: Decimal
) -> None:
    position = flat(multiplier)
    cash = quantity = commission = ZERO
    for side, units, price, cents in trades:
        paid = D(cents).scaleb(-2)
        trade = fill(side, units, price, multiplier, paid)
        position = ledger.book(position, trade)
        cash = EXACT.add(cash, ledger.cash_flow(trade))
        quantity = EXACT.add(quantity, units if side == "BUY" else units.copy_negate())
        commission += paid
        profit = EXACT.add(position.realized, ledger.unrealized(position, mark))
        assert profit == EXACT.add(cash, ledger.market_value(position, mark))
        assert position.quantity == quantity
        assert position.commission == commission


@given(TRADES)
@EXACTLY
def test_cost_has_the_sign_of_the_quantity_and_is_nothing_when_flat(
    trades: list[tuple[Side, Decimal, Decimal, int]],
) -> None:
    position = flat()
    for side, units, price, _ in trades:
        position = ledger.book(position, fill(side, units, price))
        held, cost = position.quantity, position.cost
        assert (cost > 0, cost == 0, cost < 0) == (held > 0, held == 0, held < 0)


@given(TRADES)
@EXACTLY
def test_numbers_do_not_grow_without_end(trades: list[tuple[Side, Decimal, Decimal, int]]) -> None:
    position = flat()
    for side, units, price, _ in trades * 3:
        position = ledger.book(position, fill(side, units, price))
    exponents = [number.as_tuple().exponent for number in (position.cost, position.realized, position.quantity)]
    assert all(isinstance(exponent, int) and -24 <= exponent <= 0 for exponent in exponents)


ENTRIES = st.lists(
    st.tuples(st.sampled_from(["USD", "EUR"]), st.one_of(st.none(), SIDES), AMOUNTS, AMOUNTS, st.integers(-500, 500)),
    max_size=30,
)


@given(ENTRIES)
@EXACTLY
def test_balances_are_openings_and_movements_and_cash_flows_less_commissions(
    entries: list[tuple[str, Side | None, Decimal, Decimal, int]],
) -> None:
    balances = {name: Balance(currency=name, amount=D(1000)) for name in ("USD", "EUR")}
    expected = D(2000)
    for currency, side, units, price, cents in entries:
        if side is None:
            amount = D(cents).scaleb(-2)
            balances[currency] = ledger.move(balances[currency], amount)
            expected = EXACT.add(expected, amount)
        else:
            trade = fill(side, units, price, commission=D(cents).scaleb(-2), currency=currency)
            balances[currency] = ledger.settle(balances[currency], trade)
            expected = EXACT.subtract(EXACT.add(expected, ledger.cash_flow(trade)), trade.commission)
    assert EXACT.add(balances["USD"].amount, balances["EUR"].amount) == expected


@pytest.mark.parametrize(("side", "amount"), [("BUY", "949"), ("SELL", "1049")])
def test_settling_moves_cash_against_the_trade_and_takes_commission(side: Side, amount: str) -> None:
    balance = ledger.settle(Balance(currency="USD", amount=D(1000)), fill(side, D(10), D(5), commission=D(1)))
    assert (balance.amount, balance.commission) == (D(amount), D(1))


def test_a_deposit_is_no_profit_and_a_withdrawal_no_loss_of_the_day() -> None:
    balance = ledger.open_day(Balance(currency="USD", amount=D(100)), "2026-01-05", D(150))
    assert ledger.move(balance, D(30)).day_equity == 180
    assert ledger.move(balance, D(-30)).day_equity == 120
    assert ledger.move(balance, D(-30)).amount == 70


def test_a_movement_before_the_first_day_leaves_its_equity_to_the_opening() -> None:
    assert ledger.move(Balance(currency="USD"), D(30)) == Balance(currency="USD", amount=D(30))


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_what_is_reserved_can_be_released_and_no_more(side: Side) -> None:
    position = ledger.reserve(flat(), side, D(10), D(1500))
    assert ledger.release(position, side, D(10), D(1500)) == flat()
    with pytest.raises(ValueError, match=f"XNAS:AAPL {side}: 10 units working with 1500 USD .* by -11 units"):
        ledger.release(position, side, D(11), D(1500))
    with pytest.raises(ValueError, match="and -1501"):
        ledger.release(position, side, D(10), D(1501))


def test_reservations_of_the_sides_are_apart_and_fills_leave_them() -> None:
    position = ledger.reserve(ledger.reserve(flat(), "BUY", D(10), D(50)), "SELL", D(3), D(18))
    booked = ledger.book(position, fill("BUY", D(4), D(5)))
    assert (booked.working_buy, booked.reserved_buy) == (10, 50)
    assert (booked.working_sell, booked.reserved_sell) == (3, 18)


def test_releasing_less_than_nothing_reserves_more() -> None:
    assert ledger.release(flat(), "BUY", D(-5), D(-25)) == ledger.reserve(flat(), "BUY", D(5), D(25))


@pytest.mark.parametrize(
    ("quantity", "working_buy", "working_sell", "closable"),
    [
        ("100", "0", "0", "100"),
        ("100", "0", "30", "70"),
        ("100", "50", "100", "0"),
        ("100", "0", "150", "0"),
        ("-100", "0", "0", "-100"),
        ("-100", "30", "20", "-70"),
        ("-100", "150", "0", "0"),
        ("0", "10", "10", "0"),
    ],
)
def test_what_working_orders_already_close_cannot_be_closed_again(
    quantity: str, working_buy: str, working_sell: str, closable: str
) -> None:
    position = replace(flat(), quantity=D(quantity), working_buy=D(working_buy), working_sell=D(working_sell))
    assert ledger.closable(position) == D(closable)


@pytest.mark.parametrize(
    "wrong",
    [{"symbol": "MSFT"}, {"exchange": "XLON"}, {"currency": "EUR"}, {"multiplier": D(100)}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_fill_of_something_else_is_never_booked(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="does not belong to 10 XNAS:AAPL in USD x 1"):
        ledger.book(after(("BUY", "10", "5")), replace(fill("BUY", D(1), D(5)), **wrong))


def test_a_position_of_nothing_takes_a_new_multiplier() -> None:
    assert ledger.book(flat(D(1)), fill("BUY", D(1), D(5), D(100))).cost == 500


def test_a_fill_in_another_currency_is_never_settled() -> None:
    with pytest.raises(ValueError, match="is in EUR, the balance in USD"):
        ledger.settle(Balance(currency="USD"), fill("BUY", D(1), D(5), currency="EUR"))
