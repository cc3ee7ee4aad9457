"""What a regime makes of open orders: those that add risk, the largest child, and the urgency of an algorithm."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.algos.contract import Adaptive, Market, Parent, Place, Progress, Scheduled, Sniper, Works
from engine.algos.start import begin
from engine.algos.work import decide, urged
from engine.commands import Ticket
from engine.config import Limits
from engine.order import Order
from engine.plan import ExecutionPlan
from engine.refusal import Refusal
from engine.regimes import Open, largest, reduces, risky
from engine.specification import Specification
from engine.working import Work
from tests.actors.bench import AT, D

PLAN = "EXP_20260105_143000_abcde"


def orders(rows: list[tuple[Any, int, str]]) -> list[Open]:
    return [Open(f"o-{at}", side, D(leaves), once) for at, (side, leaves, once) in enumerate(rows)]


@pytest.mark.parametrize(
    ("position", "rows", "found"),
    [
        (100, [("SELL", 100, "b"), ("SELL", 100, "b")], []),  # a bracket's legs protect all that is held
        (100, [("SELL", 60, "b"), ("SELL", 100, "b")], []),
        (100, [("SELL", 60, "b"), ("SELL", 100, "b"), ("SELL", 1, "")], ["o-2"]),
        (100, [("SELL", 100, "b"), ("SELL", 100, "c")], ["o-1"]),
        (100, [("SELL", 101, "b"), ("SELL", 100, "b")], ["o-0"]),
        (0, [("SELL", 1, "b"), ("BUY", 1, "")], ["o-0", "o-1"]),
        (-10, [("BUY", 10, ""), ("SELL", 1, "")], ["o-1"]),
    ],
)
def test_legs_of_which_one_fills_count_once(position: int, rows: list[tuple[Any, int, str]], found: list[str]) -> None:
    assert risky(D(position), orders(rows)) == found


@given(
    st.integers(-50, 50),
    st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 40)), max_size=8),
)
def test_whatever_fills_of_the_orders_that_stay_the_position_only_shrinks(
    position: int, orders: list[tuple[str, int]]
) -> None:
    found = [Open(f"o-{at}", side, D(leaves)) for at, (side, leaves) in enumerate(orders)]  # type: ignore[arg-type]
    gone = set(risky(D(position), found))
    kept = [order for order in found if order.order_id not in gone]
    assert all(order.side == ("SELL" if position > 0 else "BUY") for order in kept)
    assert sum(order.leaves for order in kept) <= abs(position)
    room = abs(position) - sum(order.leaves for order in kept)
    closing = "SELL" if position > 0 else "BUY"
    assert not [order for order in found if order.order_id in gone and order.side == closing and order.leaves <= room]


@given(
    st.integers(-50, 50),
    st.lists(
        st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 40), st.sampled_from(["", "b", "c"])), max_size=8
    ),
)
def test_whichever_leg_of_a_group_fills_the_position_only_shrinks(
    position: int, rows: list[tuple[Any, int, str]]
) -> None:
    found = orders(rows)
    gone = set(risky(D(position), found))
    kept = [order for order in found if order.order_id not in gone]
    worst = sum(order.leaves for order in kept if not order.once)
    worst += sum(max((one.leaves for one in kept if one.once == name), default=D(0)) for name in ("b", "c"))
    assert all(reduces(D(position), order.side, order.leaves) for order in kept)
    assert worst <= abs(position)


def works(algorithm: Any = "TWAP", limit: str | None = None, **plan: Any) -> Works:
    """A purchase of 100 in ten minutes, at 100 when it began."""
    parent = Parent(side="BUY", quantity=D(100), lot_size=D(1), tick_size=D("0.01"), arrival_price=D(100),
                    limit_price=None if limit is None else D(limit), start=AT, seed="s")  # fmt: skip
    known = {"plan_id": PLAN, "max_execution_window_minutes": 10, "execution_urgency": D("0.5")}
    begun = begin(ExecutionPlan(**(known | plan)), algorithm, parent)
    assert not isinstance(begun, Refusal), begun
    return begun.works


def test_urgency_is_brought_within_bounds_and_back_to_what_was_asked() -> None:
    asked = works(execution_urgency=D("0.8"))
    calm = urged(asked, None, D("0.3"))
    assert (calm.urgency, calm.asked) == (D("0.3"), D("0.8"))
    assert urged(calm, None, D("0.3")) is calm
    harder = urged(calm, D("0.9"), None)
    assert (harder.urgency, harder.asked) == (D("0.9"), D("0.8"))
    back = urged(harder, None, None)
    assert (back.urgency, back.asked) == (D("0.8"), None)


def test_what_was_made_of_the_urgency_goes_with_it() -> None:
    pov = works("POV", execution_urgency=D(1))
    assert pov.participation == D("0.3")
    assert urged(pov, None, D(0)).participation == D("0.05")
    assert urged(replace(pov, participation=D("0.1")), None, D(0)).participation == D("0.1")
    sniper = urged(works("SNIPER", max_slippage_pct=D("0.01"), execution_urgency=D(1)), None, D("0.5"))
    assert isinstance(sniper.tactic, Sniper)
    assert sniper.tactic.worst == D("100.5")


def test_what_rests_is_priced_anew_at_once_where_urgency_lets_it_take() -> None:
    due = AT + timedelta(minutes=5)
    resting = replace(works(execution_urgency=D("0.2")), due=due)
    assert isinstance(resting.tactic, Scheduled)
    assert urged(resting, D("0.4"), None).due == due
    assert urged(resting, D("0.6"), None).due is None
    taking = replace(resting, urgency=D("0.9"))
    assert urged(taking, None, D("0.1")).due == due
    adaptive = replace(works("ADAPTIVE"), due=due)
    assert isinstance(adaptive.tactic, Adaptive)
    assert urged(adaptive, None, D("0.1")).due is None


RATIO = st.decimals(0, 1, places=2)
STYLES = ["TWAP", "VWAP", "IS", "POV", "ICEBERG", "SNIPER", "ADAPTIVE"]


@given(
    st.sampled_from(STYLES),
    RATIO,
    st.none() | RATIO,
    st.none() | RATIO,
    st.integers(0, 599),
    st.sampled_from([None, "101"]),
)
def test_whatever_is_decided_lies_within_the_bounds(
    style: str, asked: Decimal, one: Decimal | None, other: Decimal | None, second: int, limit: str | None
) -> None:
    low, high = (one, other) if one is None or other is None or one <= other else (other, one)
    began = works(style, limit, execution_urgency=asked, max_slippage_pct=D("0.02"))
    found = urged(began, low, high)
    assert (D(0) if low is None else low) <= found.urgency <= (D(1) if high is None else high)
    market = Market(bid=D(99), ask=D("100.2"), bid_size=D(50), ask_size=D(50), last=D(100), volume=D(1000))
    decision = decide(found, Progress(), market, AT + timedelta(seconds=second))
    assert decision.works.urgency == found.urgency
    for action in decision.actions:
        if isinstance(action, Place):
            assert action.limit_price is not None
            assert found.bound is not None
            assert action.limit_price <= found.bound
    assert urged(replace(decision.works, due=None), None, None) == replace(
        decision.works, due=None, asked=None, urgency=asked, tactic=began.tactic, participation=began.participation
    )


def parent(least: str = "0") -> Order:
    began = works(limit="100")
    ticket = Ticket(order_id="work-1", subscriber_id="alice", account="alice", venue="test", exchange="XNAS",
                    symbol="AAPL", currency="USD", multiplier=D(10), side="BUY", quantity=D(100), order_type="LIMIT",
                    limit_price=D(100), time_in_force="DAY", reserve_price=D(100), request_id="r", signal_id="s",
                    strategy_id="m", approved_at=AT)  # fmt: skip
    spec = Specification(kind="LIMIT", side="BUY", quantity=D(100), order_type="LIMIT",
                         limit_price=D(100), time_in_force="DAY", tick_size=D("0.01"), lot_size=D(1))  # fmt: skip
    began = replace(began, parent=replace(began.parent, lot_size=D(5), min_quantity=D(least)))
    return Order(ticket=ticket, status="WORKING", quantity=D(100), limit_price=D(100), working=D(80),
                 reserve_price=D(100), updated_at=AT, work=Work(spec=spec, works=began))  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "notional", "least", "most"),
    [
        (None, None, "0", None),
        ("80", None, "0", None),  # all that is left of it
        ("79", None, "0", "75"),
        (None, "79999", "0", "75"),  # 1000 a unit
        ("30", "20000", "0", "20"),
        ("4", None, "0", "0"),
        ("30", None, "31", "0"),
    ],
)
def test_the_largest_child_is_in_whole_lots_that_the_venue_takes(
    quantity: str | None, notional: str | None, least: str, most: str | None
) -> None:
    limits = Limits(
        max_order_quantity=None if quantity is None else D(quantity),
        max_order_notional=None if notional is None else D(notional),
    )
    found = largest(parent(least), limits)
    assert found == (None if most is None else D(most))
