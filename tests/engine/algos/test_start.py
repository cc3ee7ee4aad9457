"""What an algorithm begins with is what the plan says, what is known, and a sentence that says which was which."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.algos.almgren_chriss import Impact, decline
from engine.algos.contract import PARTS, Adaptive, Iceberg, Participate, Scheduled, Sniper
from engine.algos.curve import Curve
from engine.algos.start import Begun, Known, begin
from engine.refusal import Refusal
from engine.sessions import Session
from tests.engine.algos.world import START, D, begun, parent, plan

MINUTE = timedelta(minutes=1)
# An hour in which half of the volume comes in the first quarter of an hour.
CURVE = Curve(bucket_minutes=15, parts=(0, 500_000_000, 700_000_000, 800_000_000, PARTS), reason="learnt from 9 days")
SESSION = Session(START, START + timedelta(hours=1))
LEARNT = Known(curve=CURVE, session=SESSION)
IMPACT = Impact(
    volatility=D("0.95"), fixed=D("0.0625"), permanent=D("2.5e-7"), temporary=D("2.5e-6"), risk_aversion=D("2e-6")
)


@pytest.mark.parametrize(
    ("algorithm", "fields", "known", "tactic", "reason"),
    [
        ("TWAP", {"max_execution_window_minutes": 60}, None, Scheduled(count=59), "59 slices"),
        ("TWAP", {"max_execution_window_minutes": 1}, None, Scheduled(count=4), "4 slices"),
        ("TWAP", {"max_execution_window_minutes": 600}, None, Scheduled(count=240), "240 slices"),
        (
            "TWAP",
            {"chunk_count_hint": 12, "chunk_distribution": "UNIFORM"},
            None,
            Scheduled(count=12, even=True),
            "even sizes",
        ),
        ("TWAP", {"chunk_count_hint": 5000}, None, Scheduled(count=1000), "1000 slices (of 5000 hinted)"),
        (
            "TWAP",
            {"chunk_count_hint": 5, "chunk_distribution": "WEIGHTED", "execution_urgency": "0.8"},
            None,
            Scheduled(count=5, tilt=800),
            "flat volume curve: none was learnt, front weight 800 thousandths by urgency",
        ),
        ("VWAP", {"chunk_count_hint": 5}, None, Scheduled(count=5), "5 slices, flat volume curve: none was learnt"),
        ("POV", {"execution_urgency": "0.2"}, None, Participate(clip=D(76)), "at most 0.100 of the volume"),
        (
            "POV",
            {"chunk_count_hint": 10},
            Known(participation=D("0.2")),
            Participate(clip=D(100)),
            "at most 0.2 of the volume",
        ),
        (
            "ICEBERG",
            {"visibility_preference": "0"},
            None,
            Iceberg(peak=D(50)),
            "showing 50 at a time, in children one by one",
        ),
        (
            "ICEBERG",
            {"visibility_preference": "1", "min_fill_ratio": "0.5"},
            Known(native_iceberg=True),
            Iceberg(peak=D(200), native=True, complete=True),
            "showing 200 at a time, by the venue",
        ),
        (
            "SNIPER",
            {"max_slippage_pct": "0.01", "execution_urgency": "0.5", "min_fill_ratio": "1"},
            None,
            Sniper(clip=D(76), worst=D("100.5"), complete=True),
            "waiting for 76 shown at 100.500 or better",
        ),
        ("SNIPER", {}, None, Sniper(clip=D(76), worst=D(100)), "at 100 or better"),
        ("ADAPTIVE", {"execution_urgency": "0.4"}, None, Adaptive(count=13, tilt=400), "front weight 400 thousandths"),
        (
            "ADAPTIVE",
            {"chunk_count_hint": 5, "chunk_distribution": "UNIFORM"},
            None,
            Adaptive(count=5, even=True),
            "a pace of 5 children",
        ),
    ],
)
def test_a_plan_becomes_an_algorithms_parameters(
    algorithm: Any, fields: dict[str, Any], known: Known | None, tactic: object, reason: str
) -> None:
    answer = begin(plan(**fields), algorithm, parent(), known)
    assert isinstance(answer, Begun)
    assert answer.works.tactic == tactic
    assert reason in answer.reason
    assert answer.reason.startswith(f"{algorithm} until {answer.works.end.isoformat()}, ")


def test_a_vwap_follows_the_curve_in_size_and_even_slices_follow_it_in_time() -> None:
    hour: dict[str, Any] = {"max_execution_window_minutes": 60, "chunk_count_hint": 4}
    shaped = begun(plan(**hour), parent(), "VWAP", LEARNT).tactic
    assert isinstance(shaped, Scheduled)
    # The window closes a minute early, at minute 59.
    assert [round(part * 1000 / PARTS) for part in shaped.shape] == [0, 498, 703, 806, 1000]
    even = begun(plan(**hour, chunk_distribution="UNIFORM"), parent(), "VWAP", LEARNT).tactic
    assert isinstance(even, Scheduled)
    assert even.even
    assert even.shape == ()
    # A quarter of the volume is reached after half of the first quarter of an hour, and so on.
    assert [round(part * 59 / PARTS, 1) for part in even.clock] == [0, 7.4, 14.8, 36.0, 59]


def test_weighted_chunks_of_a_twap_follow_the_curve_where_there_is_one() -> None:
    weighted = plan(max_execution_window_minutes=60, chunk_count_hint=4, chunk_distribution="WEIGHTED")
    assert begun(weighted, parent(), "TWAP", LEARNT).tactic == begun(weighted, parent(), "VWAP", LEARNT).tactic


def test_a_shortfall_follows_the_optimal_trajectory_where_impact_is_known() -> None:
    five = plan(chunk_count_hint=5, max_execution_window_minutes=5 * 1440 + 1)
    answer = begin(five, "IS", parent(quantity="1000000"), Known(impact=IMPACT))
    assert isinstance(answer, Begun)
    assert isinstance(answer.works.tactic, Scheduled)
    # The window without its closing minute is five days, as in the paper's example.
    assert [round(part / 1000) for part in answer.works.tactic.shape] == [0, 571401, 817067, 923704, 972357, 1000000]
    assert "expected cost 1140715.17, standard deviation 449367.65" in answer.reason


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (Known(), "kappa T 3 by urgency, as impact is not estimated"),
        (Known(impact=replace(IMPACT, risk_aversion=D("-1"))), "the estimate of impact cannot be used: risk_aversion"),
        (Known(impact=replace(IMPACT, temporary=D(0))), "the estimate of impact cannot be used: temporary"),
    ],
)
def test_a_shortfall_without_an_estimate_declines_by_urgency(known: Known, reason: str) -> None:
    answer = begin(plan(chunk_count_hint=5, execution_urgency="0.5"), "IS", parent(), known)
    assert isinstance(answer, Begun)
    assert isinstance(answer.works.tactic, Scheduled)
    assert answer.works.tactic.shape == decline(5, D(3))
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("minutes", "close", "end", "closing"),
    [
        (None, None, 30, 29),
        (60, None, 60, 59),
        (10, None, 10, 9.5),
        (60, 20, 20, 19),
    ],
)
def test_the_window_is_the_plans_or_the_configured_one_and_never_past_the_close(
    minutes: int | None, close: int | None, end: float, closing: float
) -> None:
    order = replace(parent(), close=None if close is None else START + close * MINUTE)
    works = begun(plan(max_execution_window_minutes=minutes), order, "TWAP")
    assert (works.end - START) / MINUTE == end
    assert (works.closing - START) / MINUTE == closing


def test_a_very_short_window_closes_in_its_last_quarter() -> None:
    works = begun(plan(), replace(parent(), close=START + timedelta(seconds=4)), "TWAP")
    assert works.closing - START == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("fields", "order", "code"),
    [
        ({}, {"quantity": "0"}, "BAD_QUANTITY"),
        ({}, {"quantity": "15", "lot": "10"}, "OFF_LOT"),
        ({"max_slippage_pct": "0.01"}, {"arrival": None}, "NO_REFERENCE_PRICE"),
        ({}, {"arrival": None}, "NO_REFERENCE_PRICE"),
        ({"max_slippage_pct": "0.01"}, {"arrival": "0.004"}, "NO_PRICE_IN_BOUND"),
    ],
)
def test_what_cannot_be_worked_is_refused(fields: dict[str, Any], order: dict[str, Any], code: str) -> None:
    answer = begin(plan(**fields), "SNIPER", parent(**order))
    assert isinstance(answer, Refusal)
    assert answer.code == code


def test_an_order_after_the_close_is_refused() -> None:
    answer = begin(plan(), "TWAP", replace(parent(), close=START))
    assert isinstance(answer, Refusal)
    assert answer.code == "WINDOW_CLOSED"


def test_a_sniper_with_a_limit_needs_no_arrival_price() -> None:
    works = begun(plan(), parent(arrival=None, limit="99.50"), "SNIPER")
    assert isinstance(works.tactic, Sniper)
    assert works.tactic.worst == Decimal("99.50")
