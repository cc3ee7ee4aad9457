"""Whatever is asked of whichever venue: every part of it is answered for, constraints hold, nothing is dropped."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from engine.instructions import PLAIN_TYPES, RESTING, SHOWN, Membership
from engine.messages import ExecutionRequest
from engine.plan import CONSTRAINTS, HINTS
from engine.refusal import Refusal
from engine.reports import Capabilities
from engine.specification import Specification, bound, stricter
from engine.translate import asked
from engine.values import GroupKind, OrderType, Side, TimeInForce, is_multiple, read_number
from tests.engine.test_translate import AT, BARE, BROKER, CLOSE, PAPER, at, request, told

D = Decimal


@given(
    st.sampled_from(get_args(Side)),
    st.integers(1, 10**8),
    st.integers(0, 10**6),
    st.sampled_from([D("0.01"), D("0.25"), D("1")]),
)
def test_a_bound_is_on_the_grid_and_within_the_slippage(side: Side, cents: int, parts: int, tick: Decimal) -> None:
    price, slippage = D(cents) / 100, D(parts) / 10**6
    worst = bound(side, price, slippage, tick)
    assert is_multiple(worst, tick)
    if side == "BUY":
        assert price * (1 + slippage) - tick < worst <= price * (1 + slippage)
    else:
        assert worst == tick or price * (1 - slippage) <= worst < price * (1 - slippage) + tick


RATIO = st.integers(0, 100).map(lambda n: D(n) / 100)
PLANS = st.fixed_dictionaries(
    {},
    optional={
        "execution_urgency": RATIO,
        "visibility_preference": RATIO,
        "max_slippage_pct": RATIO,
        "must_complete_immediately": st.booleans(),
        "max_execution_window_minutes": st.integers(1, 1000),
        "preferred_execution_style": st.sampled_from(
            ["TWAP", "VWAP", "POV", "IS", "ICEBERG", "SNIPER", "ADAPTIVE", "?"]
        ),
        "chunk_count_hint": st.integers(1, 10),
        "chunk_distribution": st.sampled_from(["UNIFORM", "WEIGHTED"]),
        "min_fill_ratio": RATIO,
    },
)
TOLD = st.fixed_dictionaries(
    {},
    optional={
        "display_quantity": st.integers(1, 100).map(D),
        "post_only": st.booleans(),
        "reduce_only": st.booleans(),
    },
)


@st.composite
def requests(draw: st.DrawFn) -> ExecutionRequest:
    """Any request that makes sense."""
    # LIMIT takes most, so it is drawn most.
    kind: OrderType = draw(st.sampled_from((*get_args(OrderType), "LIMIT", "LIMIT", "LIMIT")))
    times = [
        time
        for time in get_args(TimeInForce)
        if (kind in PLAIN_TYPES or time not in ("OPG", "CLS")) and (kind != "MARKET_TO_LIMIT" or time in RESTING)
    ]
    fields: dict[str, Any] = {"order_type": kind, "time_in_force": draw(st.sampled_from(times))}
    if kind in ("LIMIT", "STOP_LIMIT", "LIMIT_IF_TOUCHED"):
        fields["limit_price"] = D(draw(st.integers(9000, 11000))) / 100
    if kind in ("STOP", "STOP_LIMIT", "MARKET_IF_TOUCHED", "LIMIT_IF_TOUCHED"):
        fields["stop_price"] = D(draw(st.integers(9000, 11000))) / 100
    instructions = draw(TOLD)
    rests = fields["time_in_force"] in RESTING
    if not rests or kind != "LIMIT":
        instructions.pop("post_only", None)
    if not rests or kind not in SHOWN:
        instructions.pop("display_quantity", None)
    if kind.startswith("TRAILING"):
        instructions |= draw(st.sampled_from([{"trail_amount": D(2)}, {"trail_pct": D("0.01")}]))
    if kind == "TRAILING_STOP_LIMIT":
        instructions["limit_offset"] = D(1)
    if instructions:
        fields["instructions"] = instructions
    if fields["time_in_force"] == "GTD":
        fields["expires_at"] = AT + timedelta(minutes=draw(st.integers(1, 10_000)))
    if draw(st.booleans()):
        fields["plan"] = draw(PLANS)
    if draw(st.booleans()):
        fields["group"] = Membership(group_id="g", kind=draw(st.sampled_from(["OCO", "OUO"])))
    found = request(**fields, side=draw(st.sampled_from(get_args(Side))))
    assert found.problem() is None
    return found


def some(values: tuple[Any, ...], least: int = 0) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(st.sampled_from(values), min_size=least)


VENUES = st.builds(
    Capabilities,
    order_types=some(get_args(OrderType), 1),
    times_in_force=some(get_args(TimeInForce), 1),
    modify=st.booleans(),
    deduplicates=st.booleans(),
    display_quantity=st.booleans(),
    post_only=st.booleans(),
    reduce_only=st.booleans(),
    min_quantity=st.booleans(),
    groups=some(get_args(GroupKind)),
    algos=st.sampled_from([(), BROKER.algos]),
) | st.sampled_from([PAPER, BARE, BROKER])
CODES = {"VENUE_CANNOT", "PLAN_CONFLICT", "NO_REFERENCE_PRICE", "NO_SESSION"}


@settings(deadline=None, max_examples=500)
@given(requests(), VENUES, st.sampled_from(["100", None]), st.sampled_from([CLOSE, None]))
def test_every_request_is_answered_for_in_full_at_every_venue(
    asks: ExecutionRequest, can: Capabilities, arrival: str | None, session_end: datetime | None
) -> None:
    found = at(can, asks, arrival, session_end)
    if isinstance(found, Refusal):
        assert found.code in CODES
        return
    assert sorted(note.field for note in found.honoured) == sorted(asked(asks))
    for note in found.honoured:
        name = note.field.removeprefix("plan.")
        assert note.how.startswith("hint") == (note.field != name and name in HINTS)
    the_venue_can(found, can)
    assert json.decode(json.encode(found), type=Specification, dec_hook=read_number) == found


def the_venue_can(found: Specification, can: Capabilities) -> None:
    """That nothing is sent which the venue never said it takes."""
    assert found.order_type in can.order_types
    assert found.time_in_force in can.times_in_force
    assert can.display_quantity or found.sent.display_quantity is None
    assert can.post_only or not found.sent.post_only
    assert can.reduce_only or not found.sent.reduce_only
    assert found.algorithm in (None, *(algo.name for algo in can.algos))
    if "MARKET_TO_LIMIT" in found.emulators:
        assert "IOC" in can.times_in_force
    if "MIN_FILL_FIRST" in found.emulators:
        assert {"IOC", "FOK"} <= can.times_in_force
    elif found.min_quantity is not None and "MIN_FILL_AT_END" not in found.emulators:
        assert can.min_quantity


@settings(deadline=None, max_examples=500)
@given(requests(), VENUES)
def test_a_constraint_holds_wherever_the_order_is_taken(asks: ExecutionRequest, can: Capabilities) -> None:
    found, plan = at(can, asks), asks.plan
    if isinstance(found, Refusal) or plan is None:
        return
    hows = told(found)
    assert {hows[f"plan.{name}"] for name in CONSTRAINTS if name in plan.asked()} <= {"native", "emulated"}
    if plan.must_complete_immediately:
        assert found.time_in_force in ("IOC", "FOK")
        assert not {"TRIGGER", "ALGORITHM", "ICEBERG"} & set(found.emulators)
    if plan.max_slippage_pct is not None:
        if found.slippage is None:
            assert found.limit_price is not None
            assert found.price_bound is not None
            if asks.limit_price is not None:
                assert found.limit_price == stricter(found.side, found.limit_price, asks.limit_price)
            assert (
                found.limit_price <= found.price_bound if asks.side == "BUY" else found.limit_price >= found.price_bound
            )
        else:
            assert "TRIGGER" in found.emulators
        assert found.order_type != "MARKET"
    if plan.max_execution_window_minutes is not None and found.time_in_force not in ("IOC", "FOK"):
        end = AT + timedelta(minutes=plan.max_execution_window_minutes)
        ends = [time for time in (found.deadline, found.expires_at) if time is not None]
        assert found.algorithm is not None or min(ends) <= end
    if plan.min_fill_ratio and found.time_in_force != "FOK":
        assert found.min_quantity is not None
        assert found.min_quantity >= plan.min_fill_ratio * 100


@settings(deadline=None)
@given(requests(), VENUES)
def test_what_the_instructions_ask_is_sent_or_emulated(asks: ExecutionRequest, can: Capabilities) -> None:
    found = at(can, asks)
    if isinstance(found, Refusal):
        return
    ours = set(found.emulators)
    assert found.told.post_only == (found.sent.post_only or "POST_ONLY" in ours)
    assert found.told.reduce_only == (found.sent.reduce_only or "REDUCE_ONLY" in ours)
    if found.told.display_quantity is not None:
        assert found.sent.display_quantity == found.told.display_quantity or "ICEBERG" in ours
    conditional = asks.order_type not in ("MARKET", "LIMIT")
    assert not conditional or found.order_type == found.kind or ours & {"TRIGGER", "MARKET_TO_LIMIT"}
    if asks.time_in_force in ("IOC", "FOK"):
        assert found.time_in_force in ("IOC", "FOK")
    if asks.time_in_force == "FOK":
        assert found.time_in_force == "FOK"
    if asks.time_in_force == "GTD":
        assert found.expires_at == asks.expires_at or found.good_till == asks.expires_at or asks.plan is not None
