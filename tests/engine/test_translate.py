"""What is asked is native, emulated or refused at every venue, each hint is answered for, and constraints hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from engine.algos.contract import Algorithm
from engine.algos.start import Begun, begin
from engine.config import InstrumentSpec
from engine.instructions import Instructions, Membership
from engine.messages import ExecutionRequest
from engine.plan import HINTS, ExecutionPlan, Style
from engine.refusal import Refusal
from engine.reports import Capabilities, NativeAlgo
from engine.specification import Specification
from engine.translate import translate
from engine.values import GroupKind, OrderType, TimeInForce
from tests.engine.algos.world import parent
from tests.engine.test_plan import PATIENT, URGENT, decode

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
CLOSE = AT + timedelta(hours=6)
SPEC = InstrumentSpec(
    exchange="XNAS",
    symbol="AAPL",
    currency="USD",
    tick_size=D("0.01"),
    lot_size=D(1),
    min_quantity=D(1),
    min_notional=D(0),
    multiplier=D(1),
    calendar="XNYS",
)
PAPER = Capabilities(
    order_types=frozenset({"MARKET", "LIMIT"}),
    times_in_force=frozenset({"DAY", "GTC", "IOC", "FOK"}),
    modify=True,
    deduplicates=True,
)
BARE = replace(PAPER, times_in_force=frozenset({"GTC"}))
DAILY = replace(PAPER, times_in_force=frozenset({"DAY"}))
HASTY = replace(PAPER, times_in_force=frozenset({"IOC"}))
BROKER = Capabilities(
    order_types=frozenset(get_args(OrderType)),
    times_in_force=frozenset(get_args(TimeInForce)),
    modify=True,
    deduplicates=False,
    display_quantity=True,
    post_only=True,
    reduce_only=True,
    min_quantity=True,
    groups=frozenset(get_args(GroupKind)),
    algos=(
        NativeAlgo(
            style="TWAP", name="Twap", parameters={"max_execution_window_minutes": "minutes", "chunk_count_hint": "n"}
        ),
    ),
)
PLAN_ID = "EXP_20251201_143450_pqr901"
ALGORITHMS: dict[Style, Algorithm] = {
    "TWAP": "TWAP",
    "VWAP": "VWAP",
    "POV": "POV",
    "IMPLEMENTATION_SHORTFALL": "IS",
    "ICEBERG": "ICEBERG",
    "SNIPER": "SNIPER",
    "ADAPTIVE": "ADAPTIVE",
}


def request(**fields: Any) -> ExecutionRequest:
    plain: dict[str, Any] = {"order_type": "MARKET", "time_in_force": "DAY", "quantity": D(100), "side": "BUY"}
    if "plan" in fields and isinstance(fields["plan"], dict):
        fields["plan"] = ExecutionPlan(plan_id=PLAN_ID, **fields["plan"])
    if "instructions" in fields and isinstance(fields["instructions"], dict):
        fields["instructions"] = Instructions(**fields["instructions"])
    return ExecutionRequest(
        request_id="r-1",
        signal_id="s-1",
        strategy_id="momentum",
        subscriber_id="alice",
        exchange="XNAS",
        symbol="AAPL",
        issued_at=AT,
        **plain | fields,
    )


def at(
    can: Capabilities, asks: ExecutionRequest, arrival: str | None = "100", session_end: datetime | None = CLOSE
) -> Specification | Refusal:
    price = None if arrival is None else D(arrival)
    return translate(asks, asks.side or "BUY", asks.quantity or D(100), can, SPEC, AT, price, session_end)


LIMIT = {"order_type": "LIMIT", "limit_price": D(100)}
STOP = {"order_type": "STOP", "side": "SELL", "stop_price": D(90)}
TRAIL = {"order_type": "TRAILING_STOP", "side": "SELL", "instructions": {"trail_amount": D(5)}}
GTD = {"time_in_force": "GTD", "expires_at": AT + timedelta(days=3)}
IMMEDIATELY = "plan.must_complete_immediately"
DISPLAY = "instructions.display_quantity"
WINDOW = {"max_execution_window_minutes": 60}


@pytest.mark.parametrize(
    ("can", "fields", "sent", "emulators"),
    [
        (PAPER, {}, "MARKET DAY", ()),
        (PAPER, LIMIT, "LIMIT DAY", ()),
        (BROKER, STOP, "STOP DAY", ()),
        (PAPER, STOP, "MARKET DAY", ("TRIGGER", "GOOD_TILL")),
        (PAPER, STOP | {"time_in_force": "GTC"}, "MARKET GTC", ("TRIGGER",)),
        (PAPER, STOP | {"order_type": "STOP_LIMIT", "limit_price": D(89)}, "LIMIT DAY", ("TRIGGER", "GOOD_TILL")),
        (PAPER, STOP | {"time_in_force": "IOC"}, "MARKET IOC", ("TRIGGER",)),
        (BROKER, TRAIL, "TRAILING_STOP DAY", ()),
        (PAPER, TRAIL, "MARKET DAY", ("TRIGGER", "GOOD_TILL")),
        (PAPER, {"order_type": "MARKET_TO_LIMIT"}, "MARKET DAY", ("MARKET_TO_LIMIT", "GOOD_TILL")),
        (BROKER, {"order_type": "MARKET_TO_LIMIT"}, "MARKET_TO_LIMIT DAY", ()),
        (BROKER, GTD, "MARKET GTD", ()),
        (PAPER, GTD, "MARKET GTC", ("GOOD_TILL",)),
        (BARE, {}, "MARKET GTC", ("GOOD_TILL",)),
        (BROKER, {"time_in_force": "OPG"}, "MARKET OPG", ()),
        (PAPER, {"time_in_force": "OPG"}, "MARKET DAY", ("ON_OPEN",)),
        (BARE, {"time_in_force": "CLS"}, "MARKET GTC", ("ON_CLOSE",)),
        (PAPER, LIMIT | {"instructions": {"post_only": True}}, "LIMIT DAY", ("POST_ONLY",)),
        (BROKER, LIMIT | {"instructions": {"post_only": True, "reduce_only": True}}, "LIMIT DAY", ()),
        (PAPER, {"instructions": {"reduce_only": True}}, "MARKET DAY", ("REDUCE_ONLY",)),
        (PAPER, LIMIT | {"instructions": {"display_quantity": D(10)}}, "LIMIT DAY", ("ICEBERG", "GOOD_TILL")),
        (BROKER, LIMIT | {"instructions": {"display_quantity": D(10)}}, "LIMIT DAY", ()),
        (PAPER, {"group": Membership(group_id="g", kind="OCO")}, "MARKET DAY", ("GROUP",)),
        (BROKER, {"group": Membership(group_id="g", kind="OCO")}, "MARKET DAY", ()),
        (PAPER, {"plan": {"must_complete_immediately": True}}, "MARKET IOC", ()),
        (PAPER, {"plan": {"max_slippage_pct": D("0.01")}}, "LIMIT DAY", ()),
        (BROKER, STOP | {"plan": {"max_slippage_pct": D("0.01")}}, "STOP_LIMIT DAY", ()),
        (BROKER, TRAIL | {"plan": {"max_slippage_pct": D("0.01")}}, "LIMIT DAY", ("TRIGGER", "GOOD_TILL")),
        (PAPER, {"plan": WINDOW}, "MARKET DAY", ("WINDOW",)),
        (BROKER, {"plan": WINDOW}, "MARKET GTD", ()),
        (PAPER, {"plan": WINDOW | {"preferred_execution_style": "vwap"}}, "MARKET DAY", ("ALGORITHM", "GOOD_TILL")),
        (BROKER, {"plan": WINDOW | {"preferred_execution_style": "TWAP"}}, "MARKET DAY", ()),
        (PAPER, {"time_in_force": "IOC", "plan": {"min_fill_ratio": D(1)}}, "MARKET FOK", ()),
        (PAPER, {"time_in_force": "IOC", "plan": {"min_fill_ratio": D("0.5")}}, "MARKET IOC", ("MIN_FILL_FIRST",)),
        (BROKER, {"time_in_force": "IOC", "plan": {"min_fill_ratio": D("0.5")}}, "MARKET IOC", ()),
        (PAPER, {"plan": {"min_fill_ratio": D("0.5")}}, "MARKET DAY", ("MIN_FILL_AT_END",)),
    ],
)
def test_an_order_is_native_where_it_can_be(
    can: Capabilities, fields: dict[str, Any], sent: str, emulators: tuple[str, ...]
) -> None:
    found = at(can, request(**fields))
    assert isinstance(found, Specification)
    assert (f"{found.order_type} {found.time_in_force}", found.emulators) == (sent, emulators)


@pytest.mark.parametrize(
    ("can", "fields", "arrival", "code", "field"),
    [
        (replace(PAPER, order_types=frozenset({"LIMIT"})), {}, "100", "VENUE_CANNOT", "order_type"),
        (replace(PAPER, order_types=frozenset({"LIMIT"})), STOP, "100", "VENUE_CANNOT", "order_type"),
        (BARE, {"time_in_force": "IOC"}, "100", "VENUE_CANNOT", "time_in_force"),
        (BARE, {"time_in_force": "FOK"}, "100", "VENUE_CANNOT", "time_in_force"),
        (DAILY, GTD, "100", "VENUE_CANNOT", "time_in_force"),
        (
            replace(PAPER, times_in_force=frozenset({"DAY"})),
            {"time_in_force": "GTC"},
            "100",
            "VENUE_CANNOT",
            "time_in_force",
        ),
        (
            HASTY,
            {"time_in_force": "OPG"},
            "100",
            "VENUE_CANNOT",
            "time_in_force",
        ),
        (BARE, {"order_type": "MARKET_TO_LIMIT", "time_in_force": "GTC"}, "100", "VENUE_CANNOT", "order_type"),
        (BARE, {"plan": {"must_complete_immediately": True}}, "100", "VENUE_CANNOT", IMMEDIATELY),
        (
            HASTY,
            {"time_in_force": "IOC", "plan": {"min_fill_ratio": D("0.1")}},
            "100",
            "VENUE_CANNOT",
            "plan.min_fill_ratio",
        ),
        (
            PAPER,
            STOP | {"plan": {"must_complete_immediately": True}},
            "100",
            "PLAN_CONFLICT",
            IMMEDIATELY,
        ),
        (
            PAPER,
            {"time_in_force": "OPG", "plan": {"must_complete_immediately": True}},
            "100",
            "PLAN_CONFLICT",
            IMMEDIATELY,
        ),
        (
            PAPER,
            LIMIT | {"instructions": {"post_only": True}, "plan": {"must_complete_immediately": True}},
            "100",
            "PLAN_CONFLICT",
            IMMEDIATELY,
        ),
        (PAPER, {"plan": {"max_slippage_pct": D("0.01")}}, None, "NO_REFERENCE_PRICE", "plan.max_slippage_pct"),
        (PAPER, {"plan": {"max_slippage_pct": D("0.01")}}, "0.001", "NO_REFERENCE_PRICE", "plan.max_slippage_pct"),
        (PAPER, STOP | {"stop_price": D("90.001")}, "100", "OFF_TICK", "stop_price"),
        (PAPER, TRAIL | {"instructions": {"trail_amount": D("0.001")}}, "100", "OFF_TICK", "instructions.trail_amount"),
        (
            PAPER,
            LIMIT | {"instructions": {"display_quantity": D("1.5")}},
            "100",
            "OFF_LOT",
            "instructions.display_quantity",
        ),
        (
            PAPER,
            LIMIT | {"instructions": {"display_quantity": D(101)}},
            "100",
            "BAD_DISPLAY",
            "instructions.display_quantity",
        ),
        (PAPER, {"time_in_force": "GTD", "expires_at": AT}, "100", "BAD_EXPIRY", "expires_at"),
    ],
)
def test_what_cannot_be_held_to_is_refused(
    can: Capabilities, fields: dict[str, Any], arrival: str | None, code: str, field: str
) -> None:
    found = at(can, request(**fields), arrival)
    assert isinstance(found, Refusal)
    assert (found.code, found.reason.partition(":")[0]) == (code, field)


def test_an_order_for_a_day_that_is_held_here_needs_to_know_when_the_day_ends() -> None:
    found = at(PAPER, request(**STOP), session_end=None)
    assert isinstance(found, Refusal)
    assert found.code == "NO_SESSION"


def told(found: Specification | Refusal) -> dict[str, str]:
    assert isinstance(found, Specification)
    return {note.field: note.how for note in found.honoured}


def test_the_urgent_example_is_bounded_immediate_and_filled_to_its_ratio_or_not_at_all() -> None:
    found = at(PAPER, request(plan=decode(URGENT)))
    assert isinstance(found, Specification)
    assert (found.order_type, found.time_in_force, found.limit_price) == ("LIMIT", "IOC", D("101.00"))
    assert (found.min_quantity, found.emulators) == (D(95), ("MIN_FILL_FIRST",))
    assert told(found) == {
        "order_type": "native",
        "time_in_force": "native",
        "plan.must_complete_immediately": "native",
        "plan.min_fill_ratio": "emulated",
        "plan.max_slippage_pct": "native",
        "plan.execution_urgency": "hint not used",
        "plan.visibility_preference": "hint not used",
    }


def test_the_patient_example_is_worked_by_our_algorithm_or_by_the_venues() -> None:
    ours = at(PAPER, request(plan=decode(PATIENT)))
    assert isinstance(ours, Specification)
    assert (ours.style, ours.deadline, ours.price_bound) == ("TWAP", AT + timedelta(hours=1), D("100.30"))
    hows = told(ours)
    assert {name: hows[f"plan.{name}"] for name in HINTS} == {
        "execution_urgency": "hint used",
        "visibility_preference": "hint not used",
        "preferred_execution_style": "hint used",
        "chunk_count_hint": "hint used",
        "chunk_distribution": "hint used",
    }
    theirs = at(BROKER, request(plan=decode(PATIENT)))
    assert isinstance(theirs, Specification)
    assert (theirs.algorithm, theirs.parameters) == ("Twap", {"minutes": "60", "n": "12"})
    assert (theirs.order_type, theirs.limit_price, theirs.style) == ("LIMIT", D("100.30"), None)
    assert told(theirs)["plan.chunk_distribution"] == "hint not used"


@pytest.mark.parametrize(
    ("fields", "session_end", "words"),
    [
        ({"plan": {"preferred_execution_style": "MAGIC"}}, CLOSE, "no algorithm is called 'MAGIC'"),
        (STOP | {"plan": {"preferred_execution_style": "TWAP"}}, CLOSE, "a STOP DAY order is sent whole"),
        ({"time_in_force": "GTC", "plan": {"preferred_execution_style": "TWAP"}}, CLOSE, "needs max_execution_window"),
        ({"plan": {"preferred_execution_style": "iceberg"}}, CLOSE, "only an order that rests"),
        ({"plan": {"execution_urgency": D(1)}}, CLOSE, "sent whole and at once"),
        (
            LIMIT | {"instructions": {"post_only": True}, "plan": {"preferred_execution_style": "TWAP"}},
            CLOSE,
            "own instructions",
        ),
    ],
)
def test_a_hint_that_is_passed_over_says_why(fields: dict[str, Any], session_end: datetime, words: str) -> None:
    found = at(PAPER, request(**fields), session_end=session_end)
    assert isinstance(found, Specification)
    assert found.style is None
    (note,) = (note for note in found.honoured if note.how == "hint not used")
    assert words in note.why


_HINTED: dict[str, list[Any]] = {
    "chunk_count_hint": [None, 3, 7],
    "chunk_distribution": [None, "UNIFORM", "WEIGHTED"],
    "visibility_preference": [None, D(0), D(1)],
}


@pytest.mark.parametrize("style", ALGORITHMS)
@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _HINTED.items()}))
def test_a_hint_that_is_said_not_to_be_used_changes_nothing_of_what_its_algorithm_does(
    style: Style, hints: dict[str, Any]
) -> None:
    plan = {"preferred_execution_style": style, **WINDOW, **hints}
    found = at(PAPER, request(**LIMIT, plan=plan))
    for name in (name for name, value in hints.items() if value is not None):
        used = told(found)[f"plan.{name}"] == "hint used"
        without = _tactic(style, plan | {name: None})
        if not used:
            assert without == _tactic(style, plan), name


@pytest.mark.parametrize("style", ALGORITHMS)
@pytest.mark.parametrize("name", ["chunk_count_hint", "chunk_distribution"])
def test_a_hint_that_alone_changes_what_its_algorithm_does_is_said_to_be_used(style: Style, name: str) -> None:
    for value in _HINTED[name][1:]:
        plan = {"preferred_execution_style": style, **WINDOW, name: value}
        changes = _tactic(style, plan) != _tactic(style, plan | {name: None})
        how = told(at(PAPER, request(**LIMIT, plan=plan)))[f"plan.{name}"]
        if changes:
            assert how == "hint used", value


def _tactic(style: Style, plan: dict[str, Any]) -> Any:
    """What an algorithm begins with."""
    found = begin(ExecutionPlan(plan_id=PLAN_ID, **plan), ALGORITHMS[style], parent())
    assert isinstance(found, Begun)
    visible = found.works.visibility if style == "ADAPTIVE" else None
    return found.works.tactic, visible


@pytest.mark.parametrize(
    ("plan", "style"),
    [
        (WINDOW | {"chunk_count_hint": 3}, "TWAP"),
        (WINDOW | {"execution_urgency": D("0.2")}, "ADAPTIVE"),
        ({"preferred_execution_style": "is"}, "IMPLEMENTATION_SHORTFALL"),
        ({"preferred_execution_style": "Implementation Shortfall"}, "IMPLEMENTATION_SHORTFALL"),
    ],
)
def test_hints_speak_for_an_algorithm(plan: dict[str, Any], style: str) -> None:
    found = at(PAPER, request(plan=plan))
    assert isinstance(found, Specification)
    assert found.style == style


def test_a_shy_order_shows_its_preferred_part_where_the_venue_can_hide() -> None:
    found = at(BROKER, request(**LIMIT, plan={"visibility_preference": D("0.255")}))
    assert isinstance(found, Specification)
    assert found.sent.display_quantity == 25


def test_a_venue_that_declares_nothing_more_is_written_and_read_as_before() -> None:
    written = json.decode(json.encode(PAPER))
    assert set(written) == {"order_types", "times_in_force", "modify", "deduplicates"}
    assert json.decode(json.encode(written), type=Capabilities) == PAPER
    assert json.decode(json.encode(BROKER), type=Capabilities) == BROKER
