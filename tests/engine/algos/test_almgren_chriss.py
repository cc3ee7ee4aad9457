"""The optimal trajectory: the paper's own numbers, its definitions, and complex arithmetic as a second opinion."""

from __future__ import annotations

import cmath
import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.algos.almgren_chriss import Impact, Trajectory, decline, parts_traded, trajectory
from engine.algos.contract import PARTS

D = Decimal
TABLE_1 = Impact(
    volatility=D("0.95"), fixed=D("0.0625"), permanent=D("2.5e-7"), temporary=D("2.5e-6"), risk_aversion=D("2e-6")
)
UNITS, DAYS, INTERVALS = D(1_000_000), D(5), 5


def solve(risk_aversion: str, impact: Impact = TABLE_1) -> Trajectory:
    return trajectory(UNITS, DAYS, INTERVALS, replace(impact, risk_aversion=D(risk_aversion)))


def rounded(values: tuple[Decimal, ...], places: str = "0.0001") -> list[str]:
    return [f"{value.quantize(D(places))}" for value in values]


def test_the_papers_example_holds_to_the_last_digit() -> None:
    best = solve("2e-6")
    assert rounded((best.kappa,), "0.00000001") == ["0.84629713"]
    assert best.kappa_imaginary == 0
    assert rounded(best.holdings[1:-1]) == ["428598.8457", "182932.8143", "76295.7216", "27643.3774"]
    assert best.holdings[0] == UNITS
    assert best.holdings[-1] == 0
    assert rounded((best.expected_cost, best.deviation)) == ["1140715.1670", "449367.6525"]
    assert best.minimum


def test_without_risk_aversion_it_is_a_straight_line() -> None:
    best = solve("0")
    assert best.kappa == best.kappa_imaginary == 0
    assert best.holdings == tuple(D(units) for units in (1_000_000, 800_000, 600_000, 400_000, 200_000, 0))
    assert best.expected_cost == 662_500
    assert rounded((best.deviation,)) == ["1040672.8593"]


@pytest.mark.parametrize(
    ("risk_aversion", "minimum"),
    [("-2e-8", True), ("-2e-7", True), ("-9e-7", True), ("-2e-6", False), ("-1e-5", False), ("-2e-5", False)],
)
def test_below_zero_kappa_is_imaginary_and_the_solution_trigonometric(risk_aversion: str, minimum: bool) -> None:
    best = solve(risk_aversion)
    cosine = 1 + float(risk_aversion) * 0.9025 / (2 * 2.375e-6)
    kappa = cmath.acosh(complex(cosine))
    assert float(best.kappa) == pytest.approx(kappa.real, abs=1e-12)
    assert float(best.kappa_imaginary) == pytest.approx(abs(kappa.imag), rel=1e-12)
    for step, held in enumerate(best.holdings):
        expected = 1e6 * cmath.sinh(kappa * (5 - step)) / cmath.sinh(kappa * 5)
        assert float(held) == pytest.approx(expected.real, rel=1e-9, abs=1e-3)
    if best.kappa == 0:
        theta = math.acos(cosine)
        assert float(best.holdings[2]) == pytest.approx(1e6 * math.sin(3 * theta) / math.sin(5 * theta), rel=1e-9)
    assert best.minimum is minimum


@given(
    risk_aversion=st.decimals("-1e-4", "1e-3", places=9),
    volatility=st.decimals("0.01", "5", places=3),
    days=st.decimals("0.1", "20", places=2),
    intervals=st.integers(1, 60),
    units=st.decimals("1", "1e7", places=0),
)
def test_kappa_cost_and_variance_are_what_the_paper_defines(
    risk_aversion: Decimal, volatility: Decimal, days: Decimal, intervals: int, units: Decimal
) -> None:
    impact = replace(TABLE_1, risk_aversion=risk_aversion, volatility=volatility)
    tau = days / intervals
    reduced = impact.temporary - impact.permanent * tau / 2
    assume(reduced > D("1e-8"))
    best = trajectory(units, days, intervals, impact)
    bend = risk_aversion * volatility**2 / reduced
    angle = complex(float(best.kappa * tau), float(best.kappa_imaginary * tau))
    assert (cmath.cosh(angle) - 1).real * 2 == pytest.approx(float(bend * tau * tau), rel=1e-9, abs=1e-12)
    assert abs(sum(best.trades) - units) < D("1e-15")
    assert [a - b for a, b in pairwise(best.holdings)] == pytest.approx(list(best.trades))
    # Stationary: the second difference of the holdings is kappa-tilde squared times them.
    scale = max(abs(held) for held in best.holdings)
    for before, held, after in zip(best.holdings, best.holdings[1:], best.holdings[2:], strict=False):
        assert abs(before - 2 * held + after - bend * tau * tau * held) <= scale * D("1e-20")
    cost = impact.permanent * units**2 / 2 + impact.fixed * sum(map(abs, best.trades))
    cost += reduced / tau * sum(trade**2 for trade in best.trades)
    assert abs(best.expected_cost / cost - 1) < D("1e-20")
    variance = volatility**2 * tau * sum(held**2 for held in best.holdings[1:])
    assert abs(best.variance - variance) <= variance * D("1e-20")


@given(
    changes=st.lists(st.integers(-50, 50), min_size=4, max_size=4),
    risk_aversion=st.sampled_from(["0", "2e-6", "-2e-7"]),
)
def test_no_other_way_to_trade_has_less_cost_and_minded_risk(changes: list[int], risk_aversion: str) -> None:
    best = solve(risk_aversion)
    other = [UNITS, *(held + D(change) for held, change in zip(best.holdings[1:-1], changes, strict=True)), D(0)]
    trades = [before - after for before, after in pairwise(other)]
    # Where all trades are on the order's side, the fixed and permanent costs are the same for every way.
    objective = D("2.375e-6") * sum(trade**2 for trade in trades)
    objective += D(risk_aversion) * D("0.9025") * sum(held**2 for held in other)
    least = D("2.375e-6") * sum(trade**2 for trade in best.trades)
    least += D(risk_aversion) * D("0.9025") * sum(held**2 for held in best.holdings[1:])
    assert objective - D(risk_aversion) * D("0.9025") * UNITS**2 >= least - D("1e-15")


@pytest.mark.parametrize(
    ("units", "days", "intervals", "changes", "why"),
    [
        ("0", "5", 5, {}, "above 0"),
        ("10", "0", 5, {}, "above 0"),
        ("10", "5", 0, {}, "1 to 10000 intervals"),
        ("10", "5", 10_001, {}, "1 to 10000 intervals"),
        ("10", "100", 1, {}, "temporary: expected more"),
        # Two intervals with kappa T of half a turn: x_1 = X U_0 / U_1(0), and U_1(0) is nothing.
        (
            "10",
            "2",
            2,
            {"risk_aversion": "-2", "volatility": "1", "permanent": "0", "temporary": "1"},
            "multiple of pi",
        ),
    ],
)
def test_what_has_no_solution_is_refused(
    units: str, days: str, intervals: int, changes: dict[str, str], why: str
) -> None:
    impact = replace(TABLE_1, **{name: D(value) for name, value in changes.items()})
    with pytest.raises(ValueError, match=why):
        trajectory(D(units), D(days), intervals, impact)


def test_the_parts_traded_are_those_of_the_holdings() -> None:
    assert parts_traded(solve("0").holdings) == (0, 200_000_000, 400_000_000, 600_000_000, 800_000_000, PARTS)
    assert parts_traded(solve("2e-6").holdings) == (0, 571401154, 817067185, 923704278, 972356622, PARTS)
    # The same trajectory from its kappa T alone.
    assert decline(5, solve("2e-6").kappa * 5) == parts_traded(solve("2e-6").holdings)
    assert decline(4, D(0)) == (0, PARTS // 4, PARTS // 2, PARTS // 4 * 3, PARTS)


def test_a_trajectory_that_trades_against_its_order_has_no_parts() -> None:
    with pytest.raises(ValueError, match="against the order"):
        parts_traded(solve("-2e-6").holdings)


@given(count=st.integers(1, 400), strength=st.decimals(0, 20, places=2))
def test_a_decline_starts_fast_and_never_turns(count: int, strength: Decimal) -> None:
    table = decline(count, strength)
    assert len(table) == count + 1
    assert table[0] == 0
    assert table[-1] == PARTS
    steps = [after - before for before, after in pairwise(table)]
    assert all(step >= 0 for step in steps)
    assert all(later <= sooner + 1 for sooner, later in pairwise(steps))
