"""A regime reaches orders that are worked: their urgency, what they may still send and how large, durably and back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from actors import regimes
from engine import reports as r
from engine.control_commands import DeclareRegime, FollowRegime
from engine.control_settings import ControlSettings, RegimeSettings, Throttle, Throttles
from engine.messages import Quote
from engine.order import Order
from engine.work import WorkConstrained, WorkMoved
from tests.actors.bench import Bench, D, request
from tests.actors.linked import Desk, exits
from tests.actors.test_work import fill, order, placed, tick, twap


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice", allow_short=True, max_order_quantity=D(200), collar_bps=D(5000), max_leverage=D(4))
    return bench


def means(bench: Bench, **settings: Any) -> None:
    """What EMERGENCY is from now on."""
    regimes = {"EMERGENCY": RegimeSettings(**settings)}
    bench.configure(regimes=regimes)


def declare(bench: Bench, regime: Any) -> None:
    answer = bench.ask("desk/main", DeclareRegime(regime=regime, reason="odd", by="ann"))
    assert answer.status == "ACCEPTED", answer


def spread(bench: Bench, bid: str = "99", ask: str = "101") -> None:
    quote = Quote(exchange="XNAS", symbol="AAPL", bid=D(bid), ask=D(ask), bid_size=D(9), ask_size=D(9), at=bench.now)
    bench.partition.turn.market.hear(quote, bench.now)


def wait(bench: Bench, seconds: int, fills: bool = True) -> list[r.SubmitOrder]:
    """Time passes, the spread stays, and the venue fills what comes; what was sent meanwhile."""
    before = len(bench.sent(r.SubmitOrder))
    for _ in range(seconds):
        bench.now += SECOND
        spread(bench)
        bench.settle()
        for child in bench.sent(r.SubmitOrder) if fills else ():
            if order(bench, child.client_order_id).open:
                fill(bench, child)
    return bench.sent(r.SubmitOrder)[before:]


SECOND = timedelta(seconds=1)


def sent(bench: Bench) -> Any:
    """What the children of all parents come to, in units."""
    children = [order(bench, one.client_order_id) for one in bench.sent(r.SubmitOrder)]
    return sum(child.quantity for child in children if child.ticket.parent)


def urgency(bench: Bench, name: str) -> Any:
    work = order(bench, name).work
    assert work is not None
    assert work.works is not None
    return work.works.urgency


def holds(bench: Bench, quantity: str, side: str = "BUY") -> None:
    name = bench.ask("subscriber/alice", request(900, side=side, quantity=quantity)).orders[0]
    fill(bench, next(sent for sent in bench.sent(r.SubmitOrder) if sent.client_order_id == name))


def test_the_slices_after_a_change_are_priced_by_the_bounds_and_then_by_the_plan_again(bench: Bench) -> None:
    spread(bench)
    means(bench, max_urgency=D("0.3"))
    name = placed(bench, plan=twap())
    assert {child.limit_price for child in wait(bench, 150)} == {D(101)}
    declare(bench, "EMERGENCY")
    assert {child.limit_price for child in wait(bench, 120)} == {D(99)}
    assert urgency(bench, name) == D("0.3")
    bench.restart()
    bench.open()
    means(bench, max_urgency=D("0.3"))
    assert {child.limit_price for child in wait(bench, 120)} == {D(99)}
    declare(bench, "NORMAL")
    assert {child.limit_price for child in wait(bench, 120)} == {D(101)}
    assert urgency(bench, name) == D("0.8")


def test_what_rests_takes_within_two_seconds_where_a_regime_is_in_a_hurry(bench: Bench) -> None:
    spread(bench)
    means(bench, min_urgency=D("0.9"))
    placed(bench, plan=twap(execution_urgency=D("0.1")))
    wait(bench, 3, fills=False)
    (child,) = bench.sent(r.SubmitOrder)
    name = child.client_order_id
    bench.tell(f"order/{name}", r.Accepted(client_order_id=name, venue_order_id="V", at=bench.now))
    declare(bench, "EMERGENCY")
    assert wait(bench, 2) == []
    assert [(one.client_order_id, one.limit_price) for one in bench.sent(r.ReplaceVenueOrder)] == [(name, D(101))]


def test_what_begins_under_a_regime_is_within_its_bounds(bench: Bench) -> None:
    spread(bench)
    means(bench, max_urgency=D("0.3"))
    declare(bench, "EMERGENCY")
    name = placed(bench, plan=twap())
    wait(bench, 120)
    assert {child.limit_price for child in bench.sent(r.SubmitOrder)} == {D(99)}
    assert urgency(bench, name) == D("0.3")


def test_a_parent_that_adds_risk_is_paused_and_goes_on_when_the_regime_is_over(bench: Bench) -> None:
    spread(bench)
    means(bench, allow_new_risk=False)
    name = placed(bench, plan=twap())
    wait(bench, 150)
    declare(bench, "EMERGENCY")
    assert wait(bench, 150) == []
    assert order(bench, name).open
    assert bench.sent(r.CancelVenueOrder) == []
    bench.restart()
    bench.open()
    assert wait(bench, 30) == []
    declare(bench, "NORMAL")
    assert 0 < sent(bench) < 100
    wait(bench, 400)
    assert sent(bench) == 100


def test_a_paused_parent_ends_with_its_window(bench: Bench) -> None:
    spread(bench)
    means(bench, allow_new_risk=False)
    name = placed(bench, plan=twap())
    declare(bench, "EMERGENCY")
    assert wait(bench, 640) == []
    assert order(bench, name).status == "EXPIRED"


def test_a_parent_that_only_reduces_goes_on(bench: Bench) -> None:
    spread(bench)
    holds(bench, "100")
    means(bench, allow_new_risk=False)
    placed(bench, 2, side="SELL", plan=twap())
    declare(bench, "EMERGENCY")
    wait(bench, 620)
    assert sent(bench) == 100


def test_of_two_that_together_close_more_than_is_held_the_older_goes_on(bench: Bench) -> None:
    spread(bench)
    holds(bench, "100")
    older = placed(bench, 2, side="SELL", plan=twap())
    newer = placed(bench, 3, side="SELL", quantity="50", plan=twap())
    means(bench, allow_new_risk=False)
    declare(bench, "EMERGENCY")
    before = len(bench.events(WorkMoved))
    wait(bench, 300)
    assert [(event.order_id, event.paused) for event in bench.events(WorkConstrained)] == [(newer, True)]
    assert {event.order_id for event in bench.events(WorkMoved)[before:] if event.placed} == {older}
    declare(bench, "NORMAL")
    wait(bench, 100)
    assert {event.order_id for event in bench.events(WorkMoved)[before:] if event.placed} == {older, newer}


def test_a_reducing_parent_stops_where_its_position_is_gone(bench: Bench) -> None:
    spread(bench)
    holds(bench, "100")
    placed(bench, 2, side="SELL", plan=twap())
    means(bench, allow_new_risk=False)
    declare(bench, "EMERGENCY")
    bench.partition.turn.market.hear(
        Quote(exchange="XNAS", symbol="AAPL", bid=D(99), ask=D(101), bid_size=D(9), ask_size=D(9), at=bench.now),
        bench.now,
    )
    # What was cancelled too late fills: less is held than the parent would sell.
    alice = bench.partition.actors["subscriber/alice"]
    held = alice.parts["position/XNAS:AAPL"]
    alice.parts["position/XNAS:AAPL"] = replace(held, quantity=D(10))
    assert wait(bench, 200) == []


def test_a_position_that_is_not_in_memory_is_brought_there_and_nothing_guessed(bench: Bench) -> None:
    spread(bench)
    holds(bench, "100")
    placed(bench, 2, side="SELL", plan=twap())
    means(bench, allow_new_risk=False)
    declare(bench, "EMERGENCY")
    del bench.partition.actors["subscriber/alice"]
    wait(bench, 620)
    assert sent(bench) == 100


def test_children_are_no_larger_than_a_regime_lets_an_order_be(bench: Bench) -> None:
    spread(bench)
    means(bench, quantity_factor=D("0.05"))
    name = placed(bench, plan=twap())
    assert {child.quantity for child in wait(bench, 150)} == {20}
    declare(bench, "EMERGENCY")
    assert {child.quantity for child in wait(bench, 300)} <= set(range(1, 11))
    assert sent(bench) < 100
    declare(bench, "NORMAL")
    wait(bench, 220)
    assert sent(bench) == 100
    assert [event.most for event in bench.events(WorkConstrained) if event.order_id == name] == [D(10), None]


def test_a_bracket_goes_on_protecting_what_is_held(bench: Bench) -> None:
    desk = Desk(bench)
    desk.place("entry", "BRACKET", "PARENT", limit_price="100")
    exits(desk, "BRACKET", "CHILD")
    desk.works("entry")
    desk.fills("entry", 100)
    legs = [name for name in desk.orders if name != "entry"]
    assert len(legs) == 2
    declare(bench, "EMERGENCY")
    assert not any(desk.asked_to_cancel(name) for name in legs)
    assert all(desk.order(name).open for name in legs)


def test_a_stop_that_opens_waits_and_a_person_is_told_once(bench: Bench) -> None:
    means(bench, allow_new_risk=False)
    name = placed(bench, order_type="STOP", stop_price=D(105))
    declare(bench, "EMERGENCY")
    tick(bench, "106")
    bench.wait(5)
    tick(bench, "106")
    assert bench.sent(r.SubmitOrder) == []
    assert list(bench.alarms()) == ["REGIME_NO_NEW_RISK"]
    declare(bench, "NORMAL")
    bench.wait(2)
    tick(bench, "106")
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert order(bench, name).open


def test_orders_that_a_regime_changes_nothing_for_are_not_told(bench: Bench) -> None:
    for number in range(1, 6):
        placed(bench, number, quantity="10", plan=twap())
    counted = len(bench.journal.batches)
    declare(bench, "CAUTION")
    declare(bench, "NORMAL")
    told = [event for batch in bench.journal.batches[counted:] for _, event in batch.events]
    assert [type(event).__name__ for event in told] == ["RegimeDeclared", "RegimeDeclared"]


def test_two_orders_decide_at_moments_of_their_own(bench: Bench) -> None:
    spread(bench)
    means(bench, min_urgency=D("0.9"))
    names = [placed(bench, number, quantity="10", plan=twap(execution_urgency=D("0.1"))) for number in range(1, 21)]
    wait(bench, 1)
    declare(bench, "EMERGENCY")
    moments = {bench.partition.actors[f"order/{name}"].due for name in names}
    assert len(moments) > 10
    assert all(moment is not None and moment <= bench.now + SECOND for moment in moments)


def test_throttles_hold_for_children_too(bench: Bench) -> None:
    spread(bench)
    controls = ControlSettings(throttles=Throttles(venue=Throttle(messages=3, seconds=60)))
    bench.configure(controls=controls)
    quick = twap(max_execution_window_minutes=2, chunk_count_hint=20)
    placed(bench, 1, quantity="20", plan=quick)
    seconds = [len(bench.sent(r.SubmitOrder)), *(len(wait(bench, 1)) for _ in range(30))]
    assert bench.ask("subscriber/alice", request(9)).code == "THROTTLED_VENUE"
    seconds += [len(wait(bench, 1)) for _ in range(95)]
    assert sum(seconds) > 3
    assert all(sum(seconds[first : first + 60]) <= 3 for first in range(66))


def test_a_regime_that_is_told_of_an_order_that_is_over_changes_nothing(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    wait(bench, 700)
    found: Order = order(bench, name)
    assert not found.open
    bench.tell("subscriber/alice", FollowRegime(order_ids=(name, "work-none"), reason="x"))
    assert bench.events(WorkConstrained) == []


def test_more_orders_than_are_told_at_once_are_all_told(bench: Bench) -> None:
    spread(bench)
    means(bench, min_urgency=D("0.9"))
    plan = twap(execution_urgency=D("0.1"))
    names = [placed(bench, number, quantity="10", plan=plan) for number in range(regimes.AT_ONCE + 2)]
    declare(bench, "EMERGENCY")
    wait(bench, 2, fills=False)
    assert {urgency(bench, name) for name in names} == {D("0.9")}
