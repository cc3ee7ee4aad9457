"""A trigger fires when its price is reached and never before; a trail moves one way only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from engine.messages import Bar, MarketData, Quote, Trade
from engine.refusal import Refusal
from engine.triggers import Level, Trail, Trigger, level, near_side, on_market, trail
from engine.values import OrderType, Side

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def quote(bid: str, ask: str, size: str = "100", after: int = 1) -> Quote:
    sizes = {"bid_size": D(size), "ask_size": D(size)}
    return Quote(exchange="X", symbol="A", bid=D(bid), ask=D(ask), **sizes, at=AT + after * SECOND)


def trade(price: str, after: int = 1) -> Trade:
    return Trade(exchange="X", symbol="A", price=D(price), size=D(1), at=AT + after * SECOND)


def bar(opened: str, high: str, low: str, close: str, after: int = 1) -> Bar:
    prices = {"open": D(opened), "high": D(high), "low": D(low), "close": D(close)}
    return Bar(exchange="X", symbol="A", **prices, volume=D(10), at=AT + after * SECOND)


def after(trigger: Trigger, *market: MarketData) -> tuple[Trigger, bool]:
    """The trigger after each of these, until it fires."""
    for data in market:
        trigger, fires = on_market(trigger, data)
        if fires:
            return trigger, True
    return trigger, False


@pytest.mark.parametrize(
    ("kind", "side", "market", "fires"),
    [
        ("STOP", "SELL", [quote("100", "101")], True),
        ("STOP", "SELL", [quote("100.01", "101")], False),
        ("STOP", "SELL", [quote("100.01", "100.02"), trade("100")], True),
        ("STOP", "SELL", [trade("100.01")], False),
        ("STOP", "BUY", [quote("99", "100")], True),
        ("STOP", "BUY", [quote("99", "99.99")], False),
        ("STOP", "BUY", [trade("100.5")], True),
        ("STOP_LIMIT", "BUY", [trade("99.99")], False),
        ("MARKET_IF_TOUCHED", "BUY", [quote("99", "100")], True),
        ("MARKET_IF_TOUCHED", "BUY", [quote("99", "100.01")], False),
        ("LIMIT_IF_TOUCHED", "SELL", [quote("100", "101")], True),
        ("LIMIT_IF_TOUCHED", "SELL", [quote("99.99", "101")], False),
        # No size, no price: no market.
        ("STOP", "SELL", [quote("90", "91", size="0")], False),
        ("STOP", "SELL", [quote("0", "91")], False),
        ("STOP", "SELL", [trade("0")], False),
        # What was printed before the order was there.
        ("STOP", "SELL", [trade("90", after=-1)], False),
        ("STOP", "SELL", [quote("90", "91", after=-1)], True),
        # Of the first bar only the close is known to have come after the order.
        ("STOP", "SELL", [bar("101", "102", "90", "101")], False),
        ("STOP", "SELL", [bar("101", "102", "90", "100")], True),
        ("STOP", "SELL", [bar("101", "102", "101", "101"), bar("101", "102", "100", "101", after=2)], True),
        ("STOP", "SELL", [bar("101", "102", "90", "101"), bar("101", "102", "90", "101")], False),
        ("STOP", "BUY", [bar("99", "99", "99", "99"), bar("99", "100", "98", "98", after=2)], True),
    ],
    ids=str,
)
def test_a_trigger_fires_where_its_price_is_reached(
    kind: OrderType, side: Side, market: list[MarketData], fires: bool
) -> None:
    assert after(level(kind, side, D(100), AT), *market)[1] == fires


def trailing(side: Side = "SELL", amount: str | None = "5", pct: str | None = None, quoted: bool = True) -> Trail:
    by, ratio = (None if part is None else D(part) for part in (amount, pct))
    found = trail(side, by, ratio, quote("100", "101") if quoted else None, None if quoted else D(100), AT)
    assert isinstance(found, Trail)
    return found


@pytest.mark.parametrize(
    ("trigger", "market", "stop", "fires"),
    [
        (trailing(), [], "95", False),
        (trailing(), [quote("110", "111"), quote("106", "107")], "105", False),
        (trailing(), [quote("110", "111"), quote("105", "106")], "105", True),
        (trailing(), [quote("110", "111"), quote("105.01", "106"), trade("104")], "105", True),
        (trailing(amount=None, pct="0.1"), [quote("120", "121")], "108.0", False),
        (trailing("BUY"), [], "106", False),
        (trailing("BUY"), [quote("90", "91"), quote("94", "95")], "96", False),
        (trailing("BUY"), [quote("90", "91"), quote("95", "96")], "96", True),
        (trailing("BUY", None, "0.001"), [quote("99", "100")], "100.1", False),
        # A print beyond the spread moves no stop of an instrument that is quoted.
        (trailing(), [trade("150"), quote("100", "101")], "95", False),
        (trailing(quoted=False), [trade("150"), trade("146")], "145", False),
        (trailing(quoted=False), [trade("150"), trade("145")], "145", True),
        (trailing(quoted=False), [quote("99", "101"), trade("150")], "95", False),
        # In one bar, the low may have come before the high.
        (
            trailing(quoted=False),
            [bar("100", "100", "100", "100"), bar("100", "110", "96", "108", after=2)],
            "105",
            False,
        ),
        (
            trailing(quoted=False),
            [bar("100", "100", "100", "100"), bar("100", "110", "96", "104", after=2)],
            "105",
            True,
        ),
    ],
    ids=str,
)
def test_a_trail_follows_the_market_in_its_favour(
    trigger: Trail, market: list[MarketData], stop: str, fires: bool
) -> None:
    found, fired = after(trigger, *market)
    assert (found.price, fired) == (D(stop), fires)


@pytest.mark.parametrize(
    ("market", "last", "amount", "code"),
    [
        (None, None, "5", "NO_MARKET"),
        (quote("0", "101"), None, "5", "NO_MARKET"),
        (None, D(0), "5", "NO_MARKET"),
        (quote("5", "6"), None, "5", "BAD_TRAIL"),
    ],
)
def test_a_trail_without_a_market_is_refused(
    market: Quote | None, last: Decimal | None, amount: str, code: str
) -> None:
    found = trail("SELL", D(amount), None, market, last, AT)
    assert isinstance(found, Refusal)
    assert found.code == code


PRICES = st.integers(1, 400).map(lambda n: D(n) / 4)
AFTER = st.integers(-2, 6)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, mid, close, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    opened, close = draw(st.permutations([mid, close]))
    return bar(str(opened), str(high), str(low), str(close), draw(AFTER))


MARKET = st.one_of(
    st.builds(
        lambda bid, spread, size, after: quote(str(bid), str(bid + spread), size, after),
        st.integers(0, 400).map(lambda n: D(n) / 4),
        st.integers(0, 20).map(lambda n: D(n) / 4),
        st.sampled_from(["0", "100", "100"]),
        AFTER,
    ),
    st.builds(lambda price, after: trade(str(price), after), PRICES, AFTER),
    bars(),
)


def worst(data: MarketData, trigger: Trigger) -> Decimal:
    """The furthest that this data went in the direction in which the trigger fires."""
    if isinstance(data, Quote):
        return near_side(data, trigger.side) or trigger.price + (1 if trigger.falling else -1)
    if isinstance(data, Trade):
        return data.price
    return data.low if trigger.falling else data.high


def through(trigger: Trigger, price: Decimal) -> bool:
    return price <= trigger.price if trigger.falling else price >= trigger.price


@given(
    st.sampled_from([kind for kind in get_args(OrderType) if "TOUCHED" in kind or kind.startswith("STOP")]),
    st.sampled_from(get_args(Side)),
    PRICES,
    st.lists(MARKET, max_size=12),
)
def test_a_level_never_fires_early_and_never_misses_a_quote(
    kind: OrderType, side: Side, price: Decimal, market: list[MarketData]
) -> None:
    trigger: Trigger = level(kind, side, price, AT)
    for data in market:
        trigger, fires = on_market(trigger, data)
        assert isinstance(trigger, Level)
        assert trigger.price == price
        if fires:
            assert through(trigger, worst(data, trigger))
            assert isinstance(data, Quote) or data.at >= AT
        elif isinstance(data, Quote) or (isinstance(data, Trade) and data.at >= AT):
            assert not through(trigger, worst(data, trigger))


@given(
    st.sampled_from(get_args(Side)),
    st.sampled_from([{"amount": "2.5"}, {"amount": None, "pct": "0.013"}]),
    st.booleans(),
    st.lists(MARKET, max_size=20),
)
def test_a_trail_only_tightens_and_is_as_far_as_asked(
    side: Side, distance: dict[str, Any], quoted: bool, market: list[MarketData]
) -> None:
    trigger: Trigger = trailing(side, **distance, quoted=quoted)
    for data in market:
        before = trigger
        trigger, fires = on_market(trigger, data)
        assert isinstance(trigger, Trail)
        assert trigger.price >= before.price if side == "SELL" else trigger.price <= before.price
        asked = trigger.amount if trigger.pct is None else trigger.best * trigger.pct
        assert abs(trigger.best - trigger.price) == asked
        if fires:
            assert through(trigger, worst(data, trigger))
        assert json.decode(json.encode(trigger), type=Level | Trail) == trigger
        if trigger == before:
            assert trigger is before
