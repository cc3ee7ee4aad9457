"""Commission is counted over the whole order, exactly, however it was filled."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulation.commission import CENT, FREE, Schedule, cost

D = Decimal


@pytest.mark.parametrize(
    ("schedule", "filled", "notional", "expected"),
    [
        (FREE, "100", "15000", "0"),
        (Schedule(per_share=D("0.005")), "1000", "15000", "5.00"),
        (Schedule(per_order=D("1.5")), "1000", "15000", "1.50"),
        (Schedule(bps=D(10)), "10", "1500", "1.50"),
        (Schedule(per_share=D("0.005"), per_order=D(1), bps=D(10)), "10", "1500", "2.55"),
        (Schedule(per_share=D("0.005"), minimum=D(1)), "10", "1500", "1.00"),
        (Schedule(per_share=D("0.005"), maximum_bps=D(100)), "1000", "100", "1.00"),
        (Schedule(minimum=D(1), maximum_bps=D(100)), "1", "50", "0.50"),
        (Schedule(per_share=D("-0.002")), "1000", "15000", "-2.00"),
        (Schedule(per_share=D("-0.002"), minimum=D(0)), "1000", "15000", "0.00"),
        # half-even on the cent
        (Schedule(per_share=D("0.005")), "1", "150", "0.00"),
        (Schedule(per_share=D("0.005")), "3", "450", "0.02"),
        (Schedule(minimum=D(1)), "0", "0", "0"),
    ],
)
def test_an_order_costs(schedule: Schedule, filled: str, notional: str, expected: str) -> None:
    assert str(cost(schedule, D(filled), D(notional))) == expected


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 100_000)), min_size=1, max_size=20),
    st.builds(
        Schedule,
        per_share=st.decimals(0, 1, places=4),
        per_order=st.decimals(0, 5, places=2),
        bps=st.decimals(0, 100, places=2),
        minimum=st.none() | st.decimals(0, 5, places=2),
        maximum_bps=st.none() | st.decimals(0, 200, places=1),
    ),
)
def test_what_an_order_costs_never_falls_and_is_whole_cents(fills: list[tuple[int, int]], schedule: Schedule) -> None:
    filled = notional = charged = D(0)
    for quantity, cents in fills:
        filled += quantity
        notional += quantity * cents * CENT
        now = cost(schedule, filled, notional)
        assert now >= charged
        assert now % CENT == 0
        charged = now
    if schedule.maximum_bps is not None:
        assert charged <= notional * schedule.maximum_bps / 10_000 + CENT / 2
