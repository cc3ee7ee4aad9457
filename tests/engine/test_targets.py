"""Target positions are decided ticker by ticker or all together, and told in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Limits
from engine.refusal import Refusal
from engine.steering import Working
from engine.target_messages import Target, TargetPositions
from engine.targets import Decision, Holding, Ticker, decide, refuse
from engine.values import EXACT
from tests.engine.test_allocate import instrument
from tests.engine.test_target_messages import AT, positions, quantities, target, weights

D = Decimal


def holding(position: str = "0", *working: Working, reference: str | None = "20", **more: Any) -> Holding:
    known = {name: value for name, value in more.items() if name in ("splits", "refusal")}
    sizes = {name: value for name, value in more.items() if name not in known}
    return Holding(
        spec=instrument(**sizes),
        reference=None if reference is None else D(reference),
        position=D(position),
        working=working,
        **known,
    )


def decided(
    asked: TargetPositions,
    holdings: dict[str, Holding] | None = None,
    equity: str | None = "10000",
    limits: Limits | None = None,
    now: datetime = AT,
) -> Decision:
    named = {item.instrument: holding() for item in asked.targets}
    given_ = {f"XNAS:{symbol}": held for symbol, held in (holdings or {}).items()}
    known = {"USD": None if equity is None else D(equity)}
    return decide(asked, named | given_, known, limits or Limits(allow_short=True), now)


def only(decision: Decision) -> Ticker:
    (ticker,) = decision.tickers
    return ticker


def sent(ticker: Ticker) -> list[str]:
    return [] if ticker.moves is None else [f"{step.intent} {step.quantity}" for step in ticker.moves.now]


# What is decided.


@pytest.mark.parametrize(
    ("asked", "held", "status", "now", "sentence"),
    [
        (
            positions(target("A", quantity="30")),
            holding("10", Working(order_id="o-1", side="BUY", leaves=D(5))),
            "ACCEPTED",
            ["OPEN_LONG 15"],
            "target 30; held 10, 15 with what stays working; 15 missing: keep o-1, BUY 15 (OPEN_LONG)",
        ),
        (
            positions(target("A", weight="0.05")),
            holding(),
            "ACCEPTED",
            ["OPEN_LONG 25"],
            (
                "target 25 (equity 10000 USD x 0.05 / 20 = 25, floored to lot 1: 25); held 0; "
                "25 missing: BUY 25 (OPEN_LONG)"
            ),
        ),
        (
            positions(target("A", weight="-0.051")),
            holding("9"),
            "ACCEPTED",
            ["OPEN_SHORT 34"],
            (
                "target -25 (equity 10000 USD x 0.051 / 20 = 25.5, floored to lot 1: 25, short); held 9; "
                "-34 missing: SELL 34 (OPEN_SHORT)"
            ),
        ),
        (
            positions(target("A", quantity="-50")),
            holding("25", splits=True),
            "ACCEPTED",
            ["CLOSE 25"],
            "target -50; held 25; -75 missing: SELL 25 (CLOSE), SELL 50 (OPEN_SHORT) after that",
        ),
        (
            positions(target("A", quantity="3")),
            holding("0", Working(order_id="o-1", side="BUY", leaves=D(5))),
            "ACCEPTED",
            [],
            "target 3; held 0; 3 missing: cancel o-1, BUY 3 (OPEN_LONG) after that and o-1",
        ),
        (positions(target("A", quantity="7")), holding("7"), "NOOP", [], "target 7; held 7; 0 missing: nothing to do"),
        (
            positions(target("A", quantity="7")),
            holding("5", Working(order_id="o-1", side="BUY", leaves=D(2), cancellable=False)),
            "ACCEPTED",
            [],
            "target 7; held 5, 7 with what stays working; 0 missing: wait for o-1",
        ),
        (
            positions(target("A", quantity="0")),
            holding(
                "0", Working(order_id="o-1", side="BUY", leaves=D(2)), refusal=Refusal("VENUE_DOWN", "venue: away")
            ),
            "ACCEPTED",
            [],
            "target 0; held 0; 0 missing: cancel o-1",
        ),
        (
            positions(target("A", quantity="100"), drift_fraction="0.05"),
            holding("95"),
            "NOOP",
            [],
            "target 100; held 95; 5 missing: nothing to send, within 5",
        ),
        (
            positions(target("A", quantity="100"), drift_quantity="4"),
            holding("95"),
            "ACCEPTED",
            ["OPEN_LONG 5"],
            "target 100; held 95; 5 missing: BUY 5 (OPEN_LONG)",
        ),
        (
            positions(target("A", quantity="100"), min_order_quantity="6"),
            holding("95"),
            "NOOP",
            [],
            "target 100; held 95; 5 missing: nothing to send, less than 6",
        ),
        (
            positions(target("A", quantity="100"), min_order_notional="101"),
            holding("95"),
            "NOOP",
            [],
            "target 100; held 95; 5 missing: nothing to send, less than 6",
        ),
        (
            positions(target("A", quantity="0"), min_order_quantity="6", drift_quantity="9"),
            holding("5"),
            "ACCEPTED",
            ["CLOSE 5"],
            "target 0; held 5; -5 missing: SELL 5 (CLOSE)",
        ),
        (
            positions(target("A", quantity="0")),
            holding("0.5"),
            "NOOP",
            [],
            "target 0; held 0.5; -0.5 missing: nothing to send, less than 1",
        ),
        (
            positions(target("A", quantity="100")),
            holding("90", min_quantity="20"),
            "NOOP",
            [],
            "target 100; held 90; 10 missing: nothing to send, less than 20",
        ),
        (
            positions(target("A", weight="0")),
            holding("5", reference=None),
            "ACCEPTED",
            ["CLOSE 5"],
            "target 0; held 5; -5 missing: SELL 5 (CLOSE)",
        ),
    ],
)
def test_a_ticker_is_decided_and_told(
    asked: TargetPositions, held: Holding, status: str, now: list[str], sentence: str
) -> None:
    found = decided(asked, {"A": held})
    assert (found.status, found.refusal) == (status, None)
    ticker = only(found)
    assert ticker.status == ("NOOP" if status == "NOOP" else "WORKING")
    assert sent(ticker) == now
    assert ticker.sentence() == sentence
    assert len(found.acting) == (status == "ACCEPTED")


def test_an_order_that_misses_the_minimum_by_less_than_can_be_written_is_below_it() -> None:
    # A unit is worth 10^12 - 10^-24, so 10^12 takes 1 + 10^-36 of them.
    held = holding(reference="999999.999999999999", multiplier="1000000.000000000001", min_notional="1000000000000")
    ticker = only(decided(positions(target("A", quantity="1")), {"A": held}))
    assert ticker.sentence() == "target 1; held 0; 1 missing: nothing to send, less than 2"


NOT_ALLOWED = Refusal("SYMBOL_NOT_ALLOWED", "symbol: not on the list")


@pytest.mark.parametrize(
    ("asked", "world", "code", "names"),
    [
        (target("A", quantity="1.5"), {}, "OFF_LOT", "quantity: 1.5 of XNAS:A"),
        (target("A", quantity="1", limit_price="1.001"), {}, "OFF_TICK", "limit_price: 1.001 of XNAS:A"),
        (target("A", weight="0.1"), {"holdings": {"A": holding(reference=None)}}, "NO_REFERENCE_PRICE", "weight"),
        (target("A", weight="0.1"), {"equity": None}, "NO_EQUITY", "weight"),
        (target("A", weight="0.1"), {"equity": "0"}, "NO_EQUITY", "weight"),
        (target("A", weight="-0.1"), {"limits": Limits()}, "SHORT_NOT_ALLOWED", "allow_short: a target of -50"),
        (target("A", quantity="-1"), {"limits": Limits(allow_short=False)}, "SHORT_NOT_ALLOWED", "allow_short False"),
        (target("A", quantity="1"), {"holdings": {"A": Holding(spec=None)}}, "UNKNOWN_INSTRUMENT", "XNAS:A"),
        (
            target("A", quantity="1"),
            {"holdings": {"A": holding(refusal=NOT_ALLOWED)}},
            "SYMBOL_NOT_ALLOWED",
            "the list",
        ),
        (
            target("A", quantity="1"),
            {"holdings": {"A": Holding(spec=None, refusal=NOT_ALLOWED)}},
            "SYMBOL_NOT_ALLOWED",
            "the list",
        ),
    ],
)
def test_a_ticker_that_cannot_be_is_refused_and_so_is_a_set_of_nothing_else(
    asked: Target, world: dict[str, Any], code: str, names: str
) -> None:
    found = decided(positions(asked), **world)
    ticker = only(found)
    assert ticker.status == "REFUSED"
    assert ticker.refusal is not None
    assert ticker.refusal.code == code
    assert names in ticker.refusal.reason
    assert ticker.refusal.reason in ticker.sentence()
    assert found.status == "DENIED"
    assert found.refusal is not None
    assert (found.refusal.code, found.refusal.reason) == (code, f"XNAS:A: {ticker.refusal.reason}")
    assert found.acting == ()


def test_a_ticker_that_nothing_is_known_of_is_refused() -> None:
    found = decide(positions(target("A", quantity="1")), {}, {}, Limits(), AT)
    assert found.refusal is not None
    assert found.refusal.code == "UNKNOWN_INSTRUMENT"


def test_what_may_not_be_traded_may_stay_where_it_is() -> None:
    assert decided(positions(target("A", quantity="1")), {"A": holding("1", refusal=NOT_ALLOWED)}).status == "NOOP"


@pytest.mark.parametrize(
    ("asked", "limits", "refused"),
    [
        (weights(A="0.6", B="0.4"), Limits(), None),
        (weights(A="0.6", B="-0.4"), Limits(allow_short=True), None),
        (weights(A="0.6", B="0.400000000001"), Limits(), "weights come to 1.000000000001 of equity, more than 1"),
        (weights(A="0.6", B="-0.5"), Limits(allow_short=True), "more than 1 (no leverage)"),
        (weights(A="1.2", B="-0.8"), Limits(max_leverage=D(2), allow_short=True), None),
        (weights(A="1.2", B="-0.9"), Limits(max_leverage=D(2), allow_short=True), "more than 2 (max_leverage)"),
    ],
)
def test_weights_may_not_come_to_more_than_the_leverage(
    asked: tuple[Target, ...], limits: Limits, refused: str | None
) -> None:
    found = decided(positions(*asked), limits=limits)
    if refused is None:
        assert found.status == "ACCEPTED"
    else:
        assert found.refusal is not None
        assert found.refusal.code == "WEIGHTS_ABOVE_LIMIT"
        assert refused in found.refusal.reason
        assert found.tickers == ()


@pytest.mark.parametrize(
    ("times", "code"),
    [
        ({"expires_at": AT}, "STALE_REQUEST"),
        ({"issued_at": AT + timedelta(seconds=5.001)}, "FUTURE_REQUEST"),
        ({"expires_at": AT + timedelta(seconds=1), "issued_at": AT + timedelta(seconds=5)}, None),
    ],
)
def test_targets_have_their_time(times: dict[str, datetime], code: str | None) -> None:
    found = decided(positions(target("A", quantity="1"), **times))
    assert (None if found.refusal is None else found.refusal.code) == code
    assert bool(found.tickers) == (code is None)


def test_all_closes_what_is_not_named_and_named_leaves_it_alone() -> None:
    held = {
        "B": holding("5"),
        "C": holding("0", Working(order_id="o-1", side="BUY", leaves=D(5))),
        "D": holding("0"),
        "E": Holding(spec=None, position=D(3)),
    }
    asked = quantities(A="1")
    assert [ticker.instrument for ticker in decided(positions(*asked), held).tickers] == ["XNAS:A"]
    found = decided(positions(*asked, scope="ALL"), held)
    assert [(ticker.instrument, ticker.status, sent(ticker)) for ticker in found.tickers] == [
        ("XNAS:A", "WORKING", ["OPEN_LONG 1"]),
        ("XNAS:B", "WORKING", ["CLOSE 5"]),
        ("XNAS:C", "WORKING", []),
        ("XNAS:E", "REFUSED", []),
    ]
    assert found.tickers[1].sentence() == "not named, so target 0; held 5; -5 missing: SELL 5 (CLOSE)"
    assert found.tickers[2].moves is not None
    assert found.tickers[2].moves.cancel == ("o-1",)


def test_without_all_or_none_each_ticker_stands_for_itself() -> None:
    found = decided(positions(*quantities(A="1", B="1.5", C="2")))
    assert found.status == "ACCEPTED"
    assert [ticker.instrument for ticker in found.acting] == ["XNAS:A", "XNAS:C"]
    assert [ticker.instrument for ticker in found.refused] == ["XNAS:B"]


def test_under_all_or_none_one_refusal_is_everyones() -> None:
    found = decided(positions(*quantities(A="1", B="1.5", C="2"), all_or_none=True))
    assert (found.status, found.acting) == ("DENIED", ())
    assert found.refusal is not None
    assert found.refusal.code == "OFF_LOT"
    assert found.refusal.reason.endswith("(all_or_none, 1 of 3 refused)")
    assert len(found.tickers) == 3


def test_training_decides_the_same_and_does_nothing() -> None:
    asked = quantities(A="1", B="2")
    training, production = decided(positions(*asked, mode="TRAINING")), decided(positions(*asked))
    assert training.tickers == production.tickers
    assert (training.status, training.acting) == ("ACCEPTED", ())
    assert len(production.acting) == 2


def test_what_risk_refuses_afterwards_is_reported_and_not_done() -> None:
    asked, no = quantities(A="1", B="2"), Refusal("MAX_LEVERAGE", "max_leverage: too much")
    found = refuse(decided(positions(*asked)), {"XNAS:A": no})
    assert found.status == "ACCEPTED"
    assert [ticker.instrument for ticker in found.acting] == ["XNAS:B"]
    assert found.refused[0].sentence().endswith("BUY 1 (OPEN_LONG); refused: max_leverage: too much")
    both = refuse(found, {"XNAS:B": no})
    assert both.refusal == Refusal("MAX_LEVERAGE", "XNAS:A: max_leverage: too much (all refused)")
    strict = refuse(decided(positions(*asked, all_or_none=True)), {"XNAS:A": no})
    assert (strict.status, strict.acting) == ("DENIED", ())
    denied = refuse(strict, {"XNAS:B": no})
    assert (denied.refusal, len(denied.refused)) == (strict.refusal, 2)


def test_a_set_of_nothing_is_met() -> None:
    assert decided(positions(scope="ALL")) == Decision(status="NOOP", mode="PRODUCTION")


WEIGHT = st.integers(-1000, 1000).map(lambda n: D(n).scaleb(-3))
MONEY = st.integers(1, 10**9).map(lambda n: D(n).scaleb(-2))


@given(WEIGHT, MONEY, MONEY, st.sampled_from(["1", "0.001", "7"]), st.integers(-50, 50))
@settings(deadline=None)
def test_a_weight_is_never_exceeded_and_missed_by_less_than_a_lot(
    weight: Decimal, equity: Decimal, price: Decimal, lot: str, lots: int
) -> None:
    held = holding(str(EXACT.multiply(D(lots), D(lot))), reference=str(price), lot_size=lot)
    ticker = only(decided(positions(target("A", weight=str(weight))), {"A": held}, str(equity)))
    assert ticker.target is not None
    assert ticker.moves is not None
    size = abs(ticker.target)
    assert not size or (ticker.target > 0) == (weight > 0)
    assert EXACT.multiply(size, price) <= EXACT.multiply(equity, abs(weight))
    assert EXACT.multiply(EXACT.add(size, D(lot)), price) > EXACT.multiply(equity, abs(weight))
    end = held.position
    for step in ticker.moves.now:
        end = EXACT.add(end, step.quantity if step.side == "BUY" else -step.quantity)
    assert end == ticker.target
