"""Every check refuses what it is for, in a fixed order, with working orders at their worst."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from engine import risk
from engine.config import InstrumentSpec, Limits
from engine.exposure import expose
from engine.figures import Figures, measure
from engine.ledger import Balance, Position
from engine.values import Side, read_number

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SPEC = InstrumentSpec(
    exchange="XNAS",
    symbol="AAPL",
    currency="USD",
    tick_size=D("0.01"),
    lot_size=D(1),
    min_quantity=D(1),
    min_notional=D(5),
    multiplier=D(1),
    calendar="XNYS",
)
LIMITS = Limits(
    max_order_quantity=D(1000),
    max_order_notional=D(20_000),
    max_position_notional=D(30_000),
    max_leverage=D(2),
    max_orders_per_second=D(100),
    collar_bps=D(500),
    max_daily_loss=D(1000),
    allow_short=True,
)
BARE = Limits()


def order(
    side: Side = "BUY",
    quantity: str = "10",
    limit: str | None = None,
    *,
    held: str = "0",
    buying: str = "0",
    selling: str = "0",
    reference: str | None = "100",
    cash: str = "20000",
    opened: str | None = None,
    rate: int = 0,
    limits: Limits = LIMITS,
    spec: InstrumentSpec = SPEC,
    other: tuple[str, str | None] = ("0", "1"),
) -> Figures:
    """An order in a world of one instrument at `reference`, working orders reserved at it, and an `other` holding."""
    at = D(reference or 100)
    position = Position(
        exchange="XNAS",
        symbol="AAPL",
        currency="USD",
        multiplier=spec.multiplier,
        quantity=D(held),
        working_buy=D(buying),
        working_sell=D(selling),
        reserved_buy=D(buying) * at * spec.multiplier,
        reserved_sell=D(selling) * at * spec.multiplier,
    )
    elsewhere = replace(position, symbol="MSFT", quantity=D(other[0]))
    elsewhere = replace(elsewhere, working_buy=D(0), working_sell=D(0), reserved_buy=D(0), reserved_sell=D(0))
    exposure = expose(
        "USD",
        {"USD": Balance(currency="USD", amount=D(cash))},
        {"XNAS:AAPL": position, "XNAS:MSFT": elsewhere},
        {
            "XNAS:AAPL": None if reference is None else D(reference),
            "XNAS:MSFT": None if other[1] is None else D(other[1]),
        },
    )
    return measure(
        AT,
        side,
        D(quantity),
        None if limit is None else D(limit),
        None if reference is None else D(reference),
        position,
        exposure,
        exposure.equity if opened is None else D(opened),
        rate,
        spec,
        limits,
    )


CASES: list[tuple[str, str | None, Figures, str]] = [
    ("an ordinary buy", None, order(), ""),
    ("an ordinary short", None, order("SELL"), ""),
    ("off the lot grid", "OFF_LOT", order(quantity="10.5"), "quantity: 10.5, lot_size 1"),
    ("off the tick grid", "OFF_TICK", order(limit="100.005"), "limit_price: 100.005, tick_size 0.01"),
    (
        "below the minimum quantity",
        "BELOW_MIN_QUANTITY",
        order(quantity="1", spec=replace(SPEC, min_quantity=D(2))),
        "quantity: 1, min_quantity 2",
    ),
    ("nothing at all", "BELOW_MIN_QUANTITY", order(quantity="0", spec=replace(SPEC, min_quantity=D(0))), "0"),
    (
        "below the minimum notional",
        "BELOW_MIN_NOTIONAL",
        order(quantity="1", reference="4.99"),
        "notional: 4.99, min_notional 5",
    ),
    ("the minimum notional", None, order(quantity="1", reference="5"), ""),
    ("no price for a market order", "NO_REFERENCE_PRICE", order(reference=None), "no live price"),
    ("a price of nothing", "NO_REFERENCE_PRICE", order(reference="0"), "no live price"),
    (
        "no price for the collar",
        "NO_REFERENCE_PRICE",
        order(limit="100", reference=None, limits=Limits(collar_bps=D(1))),
        "no live price",
    ),
    (
        "no price for the position",
        "NO_REFERENCE_PRICE",
        order(limit="100", reference=None, limits=Limits(max_position_notional=D(9))),
        "no live price",
    ),
    ("a limit order that needs no price", None, order(limit="100", reference=None, limits=BARE), ""),
    ("no mark for leverage", "NO_REFERENCE_PRICE", order(other=("5", None)), "XNAS:MSFT"),
    ("no opening equity for the loss", "NO_REFERENCE_PRICE", replace(order(), day_loss=None), "the day opened with"),
    ("no mark and no limit that needs it", None, order(other=("5", None), limits=BARE), ""),
    (
        "no mark for who may be short",
        "NO_REFERENCE_PRICE",
        order(other=("5", None), limits=Limits(allow_short=True)),
        "XNAS:MSFT",
    ),
    ("the largest order", None, order(quantity="1000", reference="10"), ""),
    ("too many units", "MAX_ORDER_QUANTITY", order(quantity="1001", reference="10"), "quantity 1001, limit 1000"),
    ("the largest notional", None, order(quantity="200"), ""),
    ("too much money", "MAX_ORDER_NOTIONAL", order(quantity="201"), "notional 20100 at 100, limit 20000"),
    ("a buy counts at its limit", "MAX_ORDER_NOTIONAL", order(quantity="200", limit="100.01"), "20002.00 at 100.01"),
    ("a sale counts at what it may fetch", "MAX_ORDER_NOTIONAL", order("SELL", "201", "99"), "20100 at 100"),
    ("the multiplier counts", "MAX_ORDER_NOTIONAL", order(spec=replace(SPEC, multiplier=D(50))), "notional 50000"),
    ("the collar's edge above", None, order(limit="105"), ""),
    ("the collar's edge below", None, order(limit="95"), ""),
    ("through the collar", "PRICE_COLLAR", order(limit="105.01"), "105.01 is 501 bps from the reference 100, limit"),
    ("away from the collar", "PRICE_COLLAR", order(limit="94.99"), "94.99 is 501 bps"),
    ("a sale through the collar", "PRICE_COLLAR", order("SELL", limit="94.99"), "collar_bps"),
    ("the largest position", None, order(quantity="100", held="150", buying="50"), ""),
    (
        "too large a position with what is working",
        "MAX_POSITION_NOTIONAL",
        order(quantity="101", held="150", buying="50"),
        "position 150 would be 301 at worst, worth 30100 at 100, limit 30000",
    ),
    (
        "too large a short with what is working",
        "MAX_POSITION_NOTIONAL",
        order("SELL", "101", held="-150", selling="50", cash="40000"),
        "position -150 would be -301 at worst, worth 30100",
    ),
    (
        "working orders of the other side do not help",
        "MAX_POSITION_NOTIONAL",
        order("BUY", "101", held="200", selling="200"),
        "301",
    ),
    ("selling what is held", None, order("SELL", "100", held="100", limits=BARE), ""),
    ("selling more than is held", "SHORT_NOT_ALLOWED", order("SELL", "101", held="100", limits=BARE), "-1 at worst"),
    (
        "selling what is already being sold",
        "SHORT_NOT_ALLOWED",
        order("SELL", "100", held="100", selling="100", limits=BARE),
        "position 100 with 100 already working to be sold would be -100 at worst",
    ),
    ("selling what is only being bought", "SHORT_NOT_ALLOWED", order("SELL", buying="10", limits=BARE), "-10"),
    ("twice the equity", None, order(quantity="200", cash="10000"), ""),
    (
        "more than twice the equity",
        "MAX_LEVERAGE",
        order(quantity="200", cash="9999"),
        "gross exposure 20000 over equity 9999 is 2.00020002, limit 2",
    ),
    ("working orders are exposure", "MAX_LEVERAGE", order(quantity="100", buying="101", cash="10000"), "20100"),
    (
        "other holdings are exposure",
        "MAX_LEVERAGE",
        order(quantity="11", other=("1000", "100"), cash="-49500"),
        "101100",
    ),
    ("no equity at all", "MAX_LEVERAGE", order(cash="0"), "over equity 0"),
    ("all of the cash", None, order(quantity="10", cash="1000", limits=BARE), ""),
    (
        "more than the cash",
        "INSUFFICIENT_CASH",
        order(quantity="10", cash="999", limits=BARE),
        "cash: 999 less 0 reserved for open buys, this order BUY 1000",
    ),
    (
        "cash that open buys reserved",
        "INSUFFICIENT_CASH",
        order(buying="1", cash="1099.99", limits=BARE, other=("5", None)),
        "1099.99 less 100 reserved",
    ),
    ("cash beyond what is reserved", None, order(buying="1", cash="1100", limits=BARE, other=("5", None)), ""),
    ("less than no equity", "MAX_LEVERAGE", order(cash="-1"), "over equity -1"),
    (
        "leverage of one is none",
        "INSUFFICIENT_CASH",
        order("BUY", "5", held="-5", cash="499", limits=Limits(max_leverage=D(1))),
        "499",
    ),
    ("covering takes cash", "INSUFFICIENT_CASH", order("BUY", held="-10", cash="999", limits=BARE), "cash: 999"),
    ("covering with cash", None, order("BUY", held="-10", cash="1000", limits=BARE), ""),
    (
        "what a short sale brought in buys nothing",
        "INSUFFICIENT_CASH",
        order(quantity="10", other=("-1000", "10"), cash="10999", limits=Limits(allow_short=True)),
        "gross exposure with it 11000 of equity 999",
    ),
    ("a short within equity", None, order("SELL", "10", cash="1000", limits=Limits(allow_short=True)), ""),
    (
        "a short beyond equity",
        "INSUFFICIENT_CASH",
        order("SELL", "11", cash="1000", limits=Limits(allow_short=True)),
        "gross exposure with it 1100 of equity 1000",
    ),
    ("the last order of the second", None, order(rate=99), ""),
    ("one order too many", "ORDER_RATE", order(rate=100), "100 in the second before, limit 100"),
    ("the largest loss", None, order(opened="21000"), ""),
    ("a larger loss", "DAILY_LOSS", order(opened="21000.01"), "loss 1000.01 today, limit 1000"),
    ("a profit", None, order(opened="1"), ""),
]


@pytest.mark.parametrize(("code", "figures", "names"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_sized_order_is_checked(code: str | None, figures: Figures, names: str) -> None:
    refusal = risk.check(figures)
    assert (refusal and refusal.code) == code
    assert refusal is None or names in refusal.reason


def test_every_check_has_a_case_and_passes_in_an_ordinary_world() -> None:
    assert {row.code for row in risk.CHECKS} == {case[1] for case in CASES} - {None}
    assert not any(row.fails(order()) for row in risk.CHECKS)


RUINED: dict[str, Any] = {"cash": "-90000", "opened": "900000", "rate": 0, "reference": "1000"}


@pytest.mark.parametrize(
    ("side", "held", "working", "passes"),
    [
        ("SELL", "100", {}, True),
        ("SELL", "100", {"selling": "90"}, True),
        ("SELL", "100", {"buying": "50"}, True),
        ("SELL", "100", {"selling": "91"}, False),
        ("SELL", "9", {}, False),
        ("SELL", "0", {}, False),
        ("SELL", "-100", {}, False),
        ("BUY", "-100", {}, True),
        ("BUY", "-100", {"buying": "90"}, True),
        ("BUY", "-100", {"buying": "91"}, False),
        ("BUY", "-9", {}, False),
        ("BUY", "100", {}, False),
        ("BUY", "0", {}, False),
    ],
)
def test_only_what_reduces_even_at_worst_passes_when_all_limits_are_broken(
    side: Side, held: str, working: dict[str, str], passes: bool
) -> None:
    figures = order(side, "10", held=held, **working, **RUINED)
    assert figures.reduces is passes
    assert (risk.check(figures) is None) is passes


def test_a_reducing_order_needs_no_mark_but_its_own_price() -> None:
    assert risk.check(order("SELL", held="10", other=("5", None))) is None
    assert (
        risk.check(order("SELL", limit="100", held="10", reference=None, limits=replace(LIMITS, collar_bps=None)))
        is None
    )


def test_checks_are_made_in_the_order_of_the_table() -> None:
    codes = [row.code for row in risk.CHECKS]
    assert codes.index("OFF_LOT") < codes.index("NO_REFERENCE_PRICE") < codes.index("MAX_ORDER_QUANTITY")
    worst = order(
        "SELL",
        "1000.5",
        "9.999",
        held="-1000",
        cash="1",
        opened="99999",
        rate=999,
        spec=replace(SPEC, min_quantity=D(9999)),
    )
    refused = [name for name, passed, _ in risk.explain(worst, "OFF_LOT") if not passed]
    assert len(refused) >= 8
    refusal = risk.check(worst)
    assert refusal is not None
    assert refusal.code == "OFF_LOT"


UNITS = st.integers(-300, 300).map(str)
WORKING = st.integers(0, 300).map(str)
WORLDS = st.builds(
    order,
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 300).map(str),
    st.sampled_from([None, "95", "100", "100.005", "110"]),
    held=UNITS,
    buying=WORKING,
    selling=WORKING,
    reference=st.sampled_from([None, "4", "100"]),
    cash=st.integers(-5000, 50_000).map(str),
    opened=st.sampled_from([None, "20000", "90000"]),
    rate=st.integers(90, 110),
    limits=st.sampled_from([LIMITS, BARE, Limits(allow_short=True), Limits(max_leverage=D(1))]),
    other=st.sampled_from([("0", "1"), ("5", None), ("-50", "100"), ("50", "100")]),
)


@given(WORLDS)
@settings(deadline=None, max_examples=400)
def test_an_explanation_from_stored_figures_agrees_with_the_decision(figures: Figures) -> None:
    stored = json.decode(json.encode(figures), type=Figures, dec_hook=read_number)
    refusal = risk.check(figures)
    rows = risk.explain(stored, refusal and refusal.code)[len(risk.PRE_CHECKS) :]
    assert [name for name, _, _ in rows] == [row.name for row in risk.CHECKS]
    failed = [(row.code, sentence) for row, (_, passed, sentence) in zip(risk.CHECKS, rows, strict=True) if not passed]
    assert (failed[0] if failed else None) == (refusal and (refusal.code, refusal.reason))


@given(WORLDS)
@settings(deadline=None, max_examples=400)
def test_nothing_passes_that_could_end_short_where_that_is_not_allowed(figures: Figures) -> None:
    if risk.check(figures) is None and figures.side == "SELL" and not figures.limits.allow_short:
        assert figures.position - figures.working_sell - figures.quantity >= 0


@given(WORLDS)
@settings(deadline=None, max_examples=400)
def test_gross_exposure_only_grows_by_an_order_and_never_by_one_that_reduces(figures: Figures) -> None:
    if figures.gross is not None and figures.gross_after is not None and figures.notional is not None:
        grown = figures.gross_after - figures.gross
        # Working orders are counted at their average price, so a cheaper order may count at theirs.
        dearest = max(figures.price or D(0), figures.reference or D(0)) * figures.quantity * figures.spec.multiplier
        assert 0 <= grown <= max(figures.notional, dearest)
        assert not (figures.reduces and grown)
