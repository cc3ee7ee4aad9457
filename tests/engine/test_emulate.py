"""What our side does for an order: it releases in time, once, no more than may be, and never after the end."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from engine.emulate import (
    Action,
    Amend,
    End,
    Held,
    Release,
    Step,
    Withdraw,
    crosses,
    due,
    hold,
    missed,
    on_cancel,
    on_child_over,
    on_market,
    on_position,
    on_time,
    reducible,
)
from engine.messages import Quote
from engine.refusal import Refusal
from engine.sessions import CLOSE_LEAD, Session
from engine.specification import Specification
from engine.values import Side, is_multiple
from tests.engine.test_translate import AT, BARE, GTD, LIMIT, PAPER, STOP, TRAIL, WINDOW, at, request
from tests.engine.test_translate_properties import VENUES, requests
from tests.engine.test_triggers import MARKET, quote, trade

D = Decimal
MARKED = quote("100", "100.10", after=0)
TODAY = Session(AT, AT + timedelta(hours=6))
TOMORROW = Session(AT + timedelta(days=1), AT + timedelta(days=1, hours=3))
SESSIONS = (TODAY, TOMORROW)
PLENTY = D(10**6)


def specified(**fields: Any) -> Specification:
    found = at(PAPER, request(**fields), session_end=TODAY.closes_at)
    assert isinstance(found, Specification)
    return found


def taken(
    spec: Specification, market: Quote | None = MARKED, closable: Decimal = PLENTY, now: datetime = AT
) -> Step | Refusal:
    return hold(spec, now, market, None, SESSIONS, closable)


def waiting(spec: Specification, closable: Decimal = PLENTY) -> Held:
    step = taken(spec, closable=closable)
    assert not isinstance(step, Refusal)
    assert step[1] is None
    return step[0]


def working(spec: Specification, closable: Decimal = PLENTY) -> Held:
    step = taken(spec, closable=closable)
    assert not isinstance(step, Refusal)
    assert isinstance(step[1], Release)
    return step[0]


def shown(action: Action | None) -> str:
    """An action in few words."""
    if isinstance(action, Release):
        price = "" if action.limit_price is None else f" {action.limit_price}"
        return f"{action.quantity} {action.order_type}{price} {action.time_in_force}"
    if isinstance(action, Amend):
        return f"amend {action.quantity}"
    return "" if action is None else action.code


@pytest.mark.parametrize(
    ("fields", "data", "sent"),
    [
        (STOP, quote("90", "90.10"), "100 MARKET DAY"),
        (STOP, quote("90.01", "90.10"), ""),
        (STOP | {"order_type": "STOP_LIMIT", "limit_price": D(89)}, trade("89.50"), "100 LIMIT 89 DAY"),
        (STOP | {"plan": {"max_slippage_pct": D("0.01")}}, trade("85"), "100 LIMIT 89.10 DAY"),
        (STOP | {"order_type": "MARKET_IF_TOUCHED", "stop_price": D(101)}, quote("101", "102"), "100 MARKET DAY"),
        (TRAIL, quote("95", "96"), "100 MARKET DAY"),
        (TRAIL, quote("95.01", "96"), ""),
        (TRAIL | {"plan": {"max_slippage_pct": D("0.01")}}, trade("90"), "100 LIMIT 94.05 DAY"),
        (
            TRAIL
            | {"order_type": "TRAILING_STOP_LIMIT", "instructions": {"trail_pct": D("0.03331"), "limit_offset": D(1)}},
            trade("90"),
            "100 LIMIT 95.67 DAY",
        ),
        (STOP | GTD, trade("90"), "100 MARKET GTC"),
        (STOP | {"time_in_force": "IOC"}, trade("90"), "100 MARKET IOC"),
    ],
    ids=str,
)
def test_an_order_that_waits_for_a_price_is_sent_when_it_is_reached(
    fields: dict[str, Any], data: Any, sent: str
) -> None:
    spec = specified(**fields)
    held, action = on_market(spec, waiting(spec), data, AT, PLENTY)
    assert shown(action) == sent
    assert on_market(spec, held, data, AT, PLENTY)[1] is None or not sent


def test_a_stop_that_the_market_is_through_already_is_sent_at_once() -> None:
    step = taken(specified(**STOP), quote("89", "90"))
    assert not isinstance(step, Refusal)
    assert shown(step[1]) == "100 MARKET DAY"


@pytest.mark.parametrize(
    ("fields", "market", "closable", "code"),
    [
        (TRAIL, None, PLENTY, "NO_MARKET"),
        (LIMIT | {"instructions": {"post_only": True}, "limit_price": D("100.10")}, MARKED, PLENTY, "WOULD_CROSS"),
        (LIMIT | {"instructions": {"post_only": True}}, None, PLENTY, "NO_MARKET"),
        ({"instructions": {"reduce_only": True}}, MARKED, D(0), "NOTHING_TO_REDUCE"),
        (STOP | {"instructions": {"reduce_only": True}}, quote("89", "90"), D(0), "NOTHING_TO_REDUCE"),
        (
            {
                "instructions": {"reduce_only": True},
                "time_in_force": "IOC",
                "plan": {"min_fill_ratio": D("0.5")},
            },
            MARKED,
            D(49),
            "MIN_FILL_NOT_MET",
        ),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_worked_as_asked_is_refused(
    fields: dict[str, Any], market: Quote | None, closable: Decimal, code: str
) -> None:
    found = taken(specified(**fields), market, closable)
    assert isinstance(found, Refusal)
    assert found.code == code


@pytest.mark.parametrize("fields", [STOP, {"plan": WINDOW}], ids=str)
def test_an_order_whose_time_is_over_is_not_taken(fields: dict[str, Any]) -> None:
    found = taken(specified(**fields), now=TODAY.closes_at)
    assert isinstance(found, Refusal)
    assert found.code == "TIME_OVER"


@pytest.mark.parametrize(
    ("side", "limit", "market", "code"),
    [
        ("BUY", "100.09", MARKED, None),
        ("BUY", "100.10", MARKED, "WOULD_CROSS"),
        ("SELL", "100.01", MARKED, None),
        ("SELL", "100", MARKED, "WOULD_CROSS"),
        ("BUY", "200", quote("100", "0"), None),
        ("BUY", "1", None, "NO_MARKET"),
    ],
)
def test_a_post_only_order_takes_nothing(side: Side, limit: str, market: Quote | None, code: str | None) -> None:
    found = crosses(side, D(limit), market)
    assert (None if found is None else found.code) == code


@pytest.mark.parametrize(("side", "closable", "most"), [("SELL", 5, 5), ("SELL", -5, 0), ("BUY", -5, 5), ("BUY", 5, 0)])
def test_an_order_reduces_the_position_on_the_other_side(side: Side, closable: int, most: int) -> None:
    assert reducible(side, D(closable)) == most


def test_a_reduce_only_order_is_capped_when_sent_and_again_when_the_position_shrinks() -> None:
    spec = specified(instructions={"reduce_only": True}, side="SELL")
    step = taken(spec, closable=D("60.5"))
    assert not isinstance(step, Refusal)
    held, action = step
    assert shown(action) == "60 MARKET DAY"
    assert on_position(spec, held, D(20), D(40)) == (held, None)
    held, action = on_position(spec, held, D(20), D(30))
    assert shown(action) == "amend 50"
    assert on_position(spec, held, D(20), D(90)) == (held, None)
    assert shown(on_position(spec, held, D(20), D(0))[1]) == "NOTHING_TO_REDUCE"


def test_a_market_to_limit_order_leaves_its_rest_at_the_first_price() -> None:
    spec = specified(order_type="MARKET_TO_LIMIT")
    step = taken(spec)
    assert not isinstance(step, Refusal)
    held, action = step
    assert shown(action) == "100 MARKET IOC"
    assert shown(on_child_over(spec, held, D(30), D("100.105"), AT)[1]) == "70 LIMIT 100.10 DAY"
    assert shown(on_child_over(spec, held, D(0), None, AT)[1]) == "NO_MARKET"
    assert on_child_over(spec, held, D(100), D(100), AT)[1] is None
    assert shown(on_child_over(spec, held, D(30), D(100), TODAY.closes_at)[1]) == "TIME_OVER"


def test_the_least_that_has_to_fill_is_sent_first_and_all_or_nothing() -> None:
    spec = specified(time_in_force="IOC", plan={"min_fill_ratio": D("0.255")})
    step = taken(spec)
    assert not isinstance(step, Refusal)
    held, action = step
    assert shown(action) == "26 MARKET FOK"
    assert shown(on_child_over(spec, held, D(0), None, AT)[1]) == "MIN_FILL_NOT_MET"
    last, action = on_child_over(spec, held, D(26), D(100), AT)
    assert shown(action) == "74 MARKET IOC"
    assert on_child_over(spec, last, D(50), D(100), AT) == (last, None)


def test_a_least_fill_of_an_order_that_rests_is_judged_at_its_end() -> None:
    spec = specified(plan={"min_fill_ratio": D("0.5")})
    assert missed(spec, D(50)) is None
    found = missed(spec, D(49))
    assert found is not None
    assert found.code == "MIN_FILL_NOT_MET"


def test_an_order_for_the_close_is_sent_shortly_before_it_and_ends_with_it() -> None:
    spec = specified(time_in_force="CLS")
    held = waiting(spec)
    sent_at = due(held)
    assert sent_at == TODAY.closes_at - CLOSE_LEAD
    assert on_time(spec, held, AT, PLENTY) == (held, None)
    late, action = on_time(spec, held, TODAY.closes_at, PLENTY)
    assert (late.phase, shown(action)) == ("OVER", "TIME_OVER")
    sent, action = on_time(spec, held, sent_at, PLENTY)
    assert shown(action) == "100 MARKET DAY"
    assert due(sent) == TODAY.closes_at
    ended, action = on_time(spec, sent, TODAY.closes_at, PLENTY)
    assert isinstance(action, Withdraw)
    assert due(ended) is None


def test_an_order_for_the_open_waits_for_the_next_session() -> None:
    spec = at(BARE, request(time_in_force="OPG"))
    assert isinstance(spec, Specification)
    assert due(waiting(spec)) == TOMORROW.opens_at


def test_a_window_that_closes_takes_back_what_is_open() -> None:
    spec = specified(plan=WINDOW)
    held = working(spec)
    assert due(held) == AT + timedelta(hours=1)
    assert isinstance(on_time(spec, held, AT + timedelta(hours=1), PLENTY)[1], Withdraw)


def test_a_cancel_ends_an_order_where_nothing_is_at_the_venue() -> None:
    spec = specified(**STOP)
    over, action = on_cancel(waiting(spec), "asked")
    assert isinstance(action, End)
    assert on_market(spec, over, trade("80"), AT, PLENTY) == (over, None)
    assert isinstance(on_cancel(working(specified(**GTD)), "asked")[1], Withdraw)
    assert on_cancel(over, "again") == (over, None)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("market"), MARKET),
        st.tuples(st.just("time"), st.integers(0, 3000)),
        st.tuples(st.just("position"), st.integers(0, 120).map(D)),
        st.tuples(st.just("over"), st.integers(0, 100).map(D)),
        st.tuples(st.just("cancel"), st.none()),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=400)
@given(requests(), VENUES, MOVES, st.integers(0, 120).map(D))
def test_whatever_happens_an_order_is_sent_in_time_once_and_within_what_it_may(
    asks: Any, can: Any, moves: list[Any], closable: Decimal
) -> None:
    spec = at(can, asks, session_end=TODAY.closes_at)
    if isinstance(spec, Refusal) or spec.style is not None:
        return
    step = hold(spec, AT, MARKED, None, SESSIONS, closable)
    if isinstance(step, Refusal):
        return
    now, filled, sent, releases, over = AT, D(0), D(0), 0, False
    for move, value in [("begin", None), *moves]:
        held, before = step[0], step[0]
        if move == "market":
            step = on_market(spec, held, value, now, closable)
        elif move == "time":
            now += timedelta(minutes=value)
            step = on_time(spec, held, now, closable)
        elif move == "position":
            closable = value
            step = on_position(spec, held, filled, closable)
        elif move == "over" and sent:
            filled = max(filled, min(value, sent))
            step = on_child_over(spec, held, filled, D("99.99") if filled else None, now)
        elif move == "cancel":
            step = on_cancel(held, "asked")
        elif move != "begin":
            continue
        after, action = step
        assert json.decode(json.encode(after), type=Held) == after
        assert not over or action is None
        if isinstance(action, Release):
            releases += 1
            sent = action.quantity + (filled if releases > 1 else 0)
            assert releases == 1 or before.phase == "FIRST"
            assert sent <= spec.quantity
            assert after.ends_at is None or now < after.ends_at
            assert (action.limit_price is None) == (action.order_type in ("MARKET", "STOP", "MARKET_IF_TOUCHED")) or (
                action.order_type.startswith(("TRAILING", "MARKET_TO"))
            )
            assert action.limit_price is None or is_multiple(action.limit_price, spec.tick_size)
            if "REDUCE_ONLY" in spec.emulators and releases == 1:
                assert action.quantity <= closable
        elif isinstance(action, Amend):
            assert filled < action.quantity <= filled + closable
        over = after.phase in ("ENDING", "OVER")
        step = (after, None)
