"""A purchase whose stop trails: what is reserved at first is the most that it ever names."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.emulate import Held, Release, dearest, hold, on_market
from engine.specification import Specification
from tests.engine.test_emulate import AT, SESSIONS, TODAY, specified
from tests.engine.test_translate import PAPER, at, request
from tests.engine.test_triggers import quote

D = Decimal
COLLAR = D("0.02")
"""How far one quote may be from the one before, as a ratio."""


def trailing(**told: Any) -> Specification:
    kind = "TRAILING_STOP_LIMIT" if "limit_offset" in told else "TRAILING_STOP"
    return specified(side="BUY", order_type=kind, instructions=told)


def begun(spec: Specification, ask: Decimal) -> Held:
    step = hold(spec, AT, quote(str(ask - 1), str(ask)), None, SESSIONS, D(0))
    assert isinstance(step, tuple)
    assert step[1] is None
    return step[0]


@pytest.mark.parametrize(
    ("told", "reserved"),
    [
        ({"trail_amount": D(5)}, "105.00"),
        ({"trail_pct": D("0.031234")}, "103.13"),
        ({"trail_amount": D(5), "limit_offset": D(2)}, "107.00"),
    ],
)
def test_what_a_purchase_reserves_is_its_first_stop_or_the_limit_beyond(told: dict[str, Any], reserved: str) -> None:
    spec = trailing(**told)
    assert dearest(spec, begun(spec, D(100))) == D(reserved)


def test_a_bound_on_the_slippage_may_be_paid_too() -> None:
    plan = {"max_slippage_pct": D("0.01")}
    fields = {"side": "BUY", "order_type": "TRAILING_STOP", "instructions": {"trail_amount": D(5)}, "plan": plan}
    spec = at(PAPER, request(**fields), session_end=TODAY.closes_at)
    assert isinstance(spec, Specification)
    assert dearest(spec, begun(spec, D(100))) == D("106.05")


moves = st.lists(st.integers(-200, 200), min_size=1, max_size=60)
"""Of the offer, in hundredths of a per cent."""


@settings(max_examples=200, deadline=None)
@given(
    told=st.sampled_from(
        [{"trail_amount": D(3)}, {"trail_pct": D("0.025")}, {"trail_amount": D(3), "limit_offset": D("0.5")}]
    ),
    path=moves,
)
def test_what_is_spent_is_within_the_reservation_and_the_collar(told: dict[str, Any], path: list[int]) -> None:
    spec, ask = trailing(**told), D(100)
    held = begun(spec, ask)
    reserved = dearest(spec, held)
    assert reserved is not None
    named = reserved
    for move in path:
        ask = (ask * (1 + D(move) / 10000)).quantize(D("0.01"))
        held, action = on_market(spec, held, quote(str(ask - 1), str(ask)), AT, D(0))
        now = dearest(spec, held)
        assert now is not None
        assert now <= named
        named = now
        if isinstance(action, Release):
            # Sent at the market it pays the offer, which may have leapt over the stop; at a limit, never past that.
            paid = ask if action.limit_price is None else min(ask, action.limit_price)
            assert paid * action.quantity <= reserved * action.quantity * (1 + COLLAR)
            return
