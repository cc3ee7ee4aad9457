"""Whatever an algorithm wishes, what comes out keeps to the order, the price, the window and the cap."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.algos.bounds import MAX_OPEN, foremost, lawful, price_bound
from engine.algos.contract import Cancel, Child, Finish, Intended, Market, Place, Progress, Replace, Wish, Works
from engine.algos.work import amended, decide, stopped
from engine.values import Side
from tests.engine.algos.world import START, D, begun, check, parent, places, plan, quote

WORKS = begun(plan(max_execution_window_minutes=60), parent(), "TWAP")
BOUND = begun(plan(max_execution_window_minutes=60, max_slippage_pct="0.01"), parent(), "TWAP")
SOON = START + timedelta(minutes=1)


def progress(filled: int = 0, *children: Child) -> Progress:
    working = sum((child.quantity - child.filled for child in children), D(0))
    return Progress(filled=D(filled), working=working, children=children)


def child(name: str, quantity: int, price: str | None = "99.99", filled: int = 0, pending: bool = False) -> Child:
    limit = None if price is None else D(price)
    return Child(child_id=name, quantity=D(quantity), filled=D(filled), limit_price=limit, pending=pending)


@pytest.mark.parametrize(
    ("side", "arrival", "slip", "limit", "expected"),
    [
        ("BUY", "100", "0.003", None, "100.30"),
        ("SELL", "100", "0.003", None, "99.70"),
        # Rounded so that the bound is never exceeded.
        ("BUY", "99.99", "0.0033", None, "100.31"),
        ("SELL", "99.99", "0.0033", None, "99.67"),
        ("BUY", "100", "0.01", "100.50", "100.50"),
        ("BUY", "100", "0.01", "105", "101.00"),
        ("SELL", "100", "0.01", "99.50", "99.50"),
        ("SELL", "100", "0.01", "90", "99.00"),
        ("BUY", None, None, "100.005", "100.00"),
        ("SELL", None, None, "100.005", "100.01"),
        ("BUY", "100", "0", None, "100.00"),
        ("SELL", "100", "1", None, "0.01"),
        ("BUY", "0.004", "0.01", None, "0.00"),
        ("BUY", "100", None, None, None),
    ],
)
def test_the_price_bound_is_the_tighter_one_on_the_passive_tick(
    side: Side, arrival: str | None, slip: str | None, limit: str | None, expected: str | None
) -> None:
    numbers = [None if text is None else D(text) for text in (arrival, slip, limit)]
    bound = price_bound(side, D("0.01"), *numbers)
    assert (None if bound is None else str(bound)) == expected


@pytest.mark.parametrize(
    ("works", "wish", "before", "expected"),
    [
        # More than is left, and not a whole lot.
        (WORKS, [Intended(D(5000), D("99.99"))], progress(400), [("600", "99.99")]),
        (WORKS, [Intended(D("10.7"), D("99.99"))], progress(), [("10", "99.99")]),
        (WORKS, [Intended(D(700), None), Intended(D(700), None)], progress(), [("700", None), ("300", None)]),
        (WORKS, [Intended(D(-5), None), Intended(D("0.9"), None)], progress(), []),
        (WORKS, [Intended(D(10), D("99.99"))], progress(600, child("a", 400)), []),
        # A market order is none where there is a bound, and no price is past it.
        (BOUND, [Intended(D(10), None)], progress(), [("10", "101.00")]),
        (BOUND, [Intended(D(10), D("102"))], progress(), [("10", "101.00")]),
        (WORKS, [Intended(D(10), D("99.999"))], progress(), [("10", "99.99")]),
        (WORKS, [Intended(D(10), D("0.009"))], progress(), []),
        # What the venue does not take waits, and less than that is not left over.
        (replace(WORKS, parent=parent(least="50")), [Intended(D(49), None)], progress(), []),
        (replace(WORKS, parent=parent(least="50")), [Intended(D(960), None)], progress(), [("1000", None)]),
        (replace(WORKS, parent=parent(least="50")), [Intended(D(940), None)], progress(), [("940", None)]),
        (WORKS, [Intended(D(1), None)] * 20, progress(), [("1", None)] * MAX_OPEN),
    ],
)
def test_a_wish_is_made_lawful(works: Works, wish: list[Intended], before: Progress, expected: list[Any]) -> None:
    decision = lawful(works, Wish(places=tuple(wish)), before, quote(), SOON)
    found = list(places(decision.actions))
    assert [(str(place.quantity), place.limit_price and str(place.limit_price)) for place in found] == expected
    assert decision.works.placed == len(expected)


@pytest.mark.parametrize(
    ("volume", "expected"), [(None, None), ("0", None), ("999", "49"), ("1000", "50"), ("10000", "450")]
)
def test_participation_is_capped_by_the_volume_that_is_known(volume: str | None, expected: str | None) -> None:
    works = replace(WORKS, participation=D("0.1"))
    before = progress(20, child("a", 30))
    decision = lawful(works, Wish(places=(Intended(D(450), D(100)),)), before, quote(volume=volume), SOON)
    assert [str(place.quantity) for place in places(decision.actions)] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("quantity", "display", "expected"), [(100, "10", "10"), (100, "10.5", "10"), (100, "0.5", "1"), (100, "100", None)]
)
def test_a_display_quantity_is_whole_lots_and_less_than_the_child(
    quantity: int, display: str, expected: str | None
) -> None:
    intended = Intended(D(quantity), D(100), "DAY", D(display))
    (place,) = places(lawful(WORKS, Wish(places=(intended,)), progress(), quote(), SOON).actions)
    assert place.display_quantity == (None if expected is None else D(expected))


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        # Too much is working since the order was made smaller: the newest go, and what was asked for counts.
        (SOON, progress(900, child("a", 100), child("b", 50)), [Cancel(child_id="b")]),
        (
            SOON,
            progress(900, child("a", 100), child("b", 50), child("c", 60)),
            [Cancel(child_id="c"), Cancel(child_id="b")],
        ),
        (SOON, progress(900, child("a", 100), child("b", 50, pending=True)), []),
        (SOON, progress(1000, child("a", 100)), [Cancel(child_id="a")]),
        # At the end what is open is cancelled, once.
        (WORKS.end, progress(0, child("a", 9), child("b", 9, pending=True)), [Cancel(child_id="a")]),
        (START - timedelta(seconds=1), progress(), []),
    ],
)
def test_some_things_are_done_before_any_algorithm_is_asked(now: Any, before: Progress, expected: list[Any]) -> None:
    decision = foremost(WORKS, before, now)
    assert decision is not None
    assert list(decision.actions) == expected
    assert decision.works is WORKS
    assert decision.wake == (None if now == WORKS.end else START if now < START else WORKS.end)


@pytest.mark.parametrize(
    ("ratio", "filled", "ending", "reason"),
    [
        (None, 1000, "FILLED", "1000 of 1000 filled"),
        (None, 1200, "FILLED", "1200 of 1000 filled"),
        (None, 0, "PARTIAL", "the window has ended: 0 of 1000 filled"),
        ("0.4", 400, "PARTIAL", "the window has ended: 400 of 1000 filled, which min_fill_ratio 0.4 accepts"),
        (
            "0.4",
            399,
            "SHORTFALL",
            "the window has ended: 399 of 1000 filled, a ratio of 0.399: min_fill_ratio 0.4 can no longer be met",
        ),
        (
            "1",
            999,
            "SHORTFALL",
            "the window has ended: 999 of 1000 filled, a ratio of 0.999: min_fill_ratio 1 can no longer be met",
        ),
    ],
)
def test_an_end_has_a_word_and_a_sentence(ratio: str | None, filled: int, ending: str, reason: str) -> None:
    works = replace(WORKS, min_fill_ratio=None if ratio is None else D(ratio))
    decision = decide(works, progress(filled), Market(), works.end)
    assert decision.actions == (Finish(ending=ending, filled=D(filled), reason=reason),)  # type: ignore[arg-type]
    assert decision.wake is None


def test_what_is_less_than_a_lot_is_not_waited_for() -> None:
    (finish,) = decide(WORKS, Progress(filled=D("999.5")), Market(), SOON).actions
    assert finish == Finish(
        ending="FILLED", filled=D("999.5"), reason="999.5 of 1000 filled, the rest is less than a lot of 1"
    )


def test_a_child_past_a_bound_that_came_closer_is_brought_inside() -> None:
    works = replace(amended(WORKS, limit_price=D("99.50")), due=SOON + timedelta(hours=1))
    before = progress(0, child("a", 10, "99.99"), child("b", 10, "99.40"), child("c", 10, "99.99", pending=True))
    decision = decide(works, before, quote(), SOON)
    assert decision.actions == (Replace(child_id="a", quantity=D(10), limit_price=D("99.50")),)


def test_a_child_past_the_bound_whose_answer_is_awaited_holds_nothing_up() -> None:
    works = amended(WORKS, limit_price=D("99.50"))
    decision = decide(works, progress(0, child("a", 10, "99.99", pending=True)), quote(), SOON)
    assert [place.limit_price for place in places(decision.actions)] == [D("99.50")]


def test_work_that_is_stopped_places_nothing_though_the_clock_is_set_back() -> None:
    works = stopped(WORKS, SOON)
    before = SOON - timedelta(seconds=3)
    assert decide(works, progress(0, child("a", 100)), quote(), before).actions == (Cancel(child_id="a"),)
    (finish,) = decide(works, progress(), quote(), before).actions
    assert isinstance(finish, Finish)


def test_work_that_is_stopped_cancels_what_is_open_and_finishes() -> None:
    works = stopped(WORKS, SOON)
    assert decide(works, progress(5, child("a", 10)), quote(), SOON).actions == (Cancel(child_id="a"),)
    (finish,) = decide(works, progress(5), quote(), SOON).actions
    assert isinstance(finish, Finish)
    assert finish.ending == "PARTIAL"


def test_an_amended_order_has_its_new_quantity_urgency_and_bound() -> None:
    works = amended(WORKS, quantity=D(500), urgency=D("0.1"))
    assert works.parent.quantity == 500
    assert works.urgency == D("0.1")
    assert amended(BOUND, limit_price=D("100.50")).bound == D("100.50")


def test_what_fills_nothing_is_tried_after_longer_and_longer_pauses() -> None:
    works, now = begun(plan(execution_urgency="1"), parent(limit="101"), "SNIPER"), START
    waits: list[int] = []
    for _ in range(7):
        decision = decide(works, progress(), quote(), now)
        assert list(places(decision.actions))
        assert decision.wake is not None
        waits.append((decision.wake - now) // timedelta(seconds=1))
        works, now = decision.works, decision.wake
    assert waits == [1, 2, 4, 8, 16, 16, 16]
    assert (decide(works, progress(1), quote(), now).wake or now) - now == timedelta(seconds=1)


PRICES = st.none() | st.decimals("-1", "300", places=3)
QUANTITIES = st.decimals("-10", "3000", places=2)
CHILDREN = st.lists(
    st.builds(
        Child,
        child_id=st.sampled_from("abcdefgh"),
        quantity=st.integers(1, 300).map(Decimal),
        limit_price=st.none() | st.decimals("90", "110", places=2),
        pending=st.booleans(),
    ),
    unique_by=lambda one: one.child_id,
    max_size=8,
)


@given(
    works=st.builds(
        lambda side, slip, limit, least, cap: replace(
            begun(plan(max_slippage_pct=slip), parent(side, limit=limit, least=least), "TWAP"), participation=cap
        ),
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from([None, "0", "0.0033", "0.5"]),
        st.sampled_from([None, "99.995", "101"]),
        st.sampled_from(["0", "30"]),
        st.sampled_from([None, D("0.1"), D("0.003")]),
    ),
    wished=st.lists(st.builds(Intended, QUANTITIES, PRICES, st.just("DAY"), st.none() | QUANTITIES), max_size=4),
    reprice=PRICES,
    children=CHILDREN,
    filled=st.decimals("0", "1200", places=1),
    market=st.builds(Market, volume=st.none() | st.decimals("0", "20000", places=1)),
    offset=st.integers(-60, 2400),
)
def test_no_wish_can_pass_a_bound(
    works: Works,
    wished: list[Intended],
    reprice: Decimal | None,
    children: list[Child],
    filled: Decimal,
    market: Market,
    offset: int,
) -> None:
    now = START + timedelta(seconds=offset)
    before = Progress(filled=filled, working=progress(0, *children).working, children=tuple(children))
    reprices = () if reprice is None else tuple((one, reprice) for one in children)
    wish = Wish(places=tuple(wished), reprices=reprices, due=now + timedelta(seconds=5))
    decision = foremost(works, before, now) or lawful(works, wish, before, market, now)
    check(decision, works, before, market, now)
    assert all(isinstance(action, Place | Replace | Cancel | Finish) for action in decision.actions)
