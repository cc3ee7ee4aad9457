"""Whole lives of orders."""

from __future__ import annotations

from tests.stories.conftest import D, Floor


def test_bought_in_two_fills_and_sold_with_a_profit(floor: Floor) -> None:
    floor.trader("alice", cash="10000")
    bought = floor.buys("alice", 10, limit="100")
    bought.acknowledged()
    bought.fills(4, at="99", fee="1")
    bought.fills(6, at="100", fee="1")
    sold = floor.sells("alice", 10)
    sold.acknowledged()
    sold.fills(10, at="110", fee="1.50")
    assert bought.life == ["sent", "works", "filled 4", "filled 10"]
    assert floor.position("alice") == 0
    assert floor.realized("alice") == D(1100 - 996)
    assert floor.cash("alice") == D(10000 - 996 + 1100) - D("3.50")


def test_the_fill_overtakes_the_acknowledgement_and_comes_twice(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10)
    order.fills(10, at="100")
    order.acknowledged()
    order.fills(10, at="100", again=True)
    assert order.life == ["sent", "filled 10"]
    assert floor.position("alice") == 10


def test_cancelled_too_late(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    order.acknowledged()
    assert floor.cancels("alice", order) == "ACCEPTED"
    order.cancel_refused()
    order.fills(10, at="100")
    assert order.life == ["sent", "works", "cancelling", "refused", "asked", "filled 10"]
    assert floor.cancels("alice", order) == "ORDER_CLOSED"


def test_cancelled_and_a_fill_comes_after_it(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    order.acknowledged()
    floor.cancels("alice", order)
    order.cancelled()
    assert floor.open_to_buy("alice") == 0
    order.fills(3, at="100")
    assert order.life == ["sent", "works", "cancelling", "canceled", "filled 3"]
    assert floor.position("alice") == 3


def test_the_engine_dies_before_the_answer_and_finds_the_order_again(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    floor.crash()
    order.fills(4, at="99")
    order.found("WORKING", filled=4, of=10, limit="100")
    order.fills(6, at="99")
    assert order.life == ["sent", "asked", "filled 4", "works", "filled 10"]
    assert floor.at_the_venue == 1
    assert floor.position("alice") == 10


def test_the_engine_dies_and_the_venue_never_had_the_order(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    floor.crash()
    order.not_found()
    floor.waits(2)
    order.not_found()
    assert order.life == ["sent", "asked", "missed", "asked", "unknown"]
    assert floor.alarms == ["ORDER_UNKNOWN"]
    assert floor.at_the_venue == 1
    assert floor.open_to_buy("alice") == 10


def test_the_session_is_lost_with_a_fill_in_it(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    order.acknowledged()
    floor.loses_the_session()
    assert floor.asks("alice", "BUY", 1).code == "VENUE_DOWN"
    floor.has_it_again()
    order.fills(4, at="100")
    order.found("CANCELED", filled=4, of=10, limit="100")
    assert order.life == ["sent", "works", "asked", "filled 4", "asked", "canceled"]
    assert (floor.position("alice"), floor.open_to_buy("alice")) == (4, 0)


def test_modified_upwards_and_filled_beyond_the_first_quantity_before_the_answer(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="100")
    order.acknowledged()
    assert floor.modifies("alice", order, 20, "101") == "ACCEPTED"
    assert floor.open_to_buy("alice") == 20
    order.fills(15, at="101")
    order.replaced(20, "101")
    assert floor.modifies("alice", order, 12, "101") == "ACCEPTED"
    order.fills(5, at="101")
    assert order.life == ["sent", "works", "replacing", "filled 15", "replaced", "replacing", "cancelling", "filled 20"]


def test_one_signal_many_followers_each_by_its_own_limits(floor: Floor) -> None:
    floor.trader("alice", follows="momentum")
    floor.trader("bob", cash="100", follows="momentum")
    floor.trader("carol")
    (order,) = floor.signals("momentum")
    order.fills(5, at="100")
    assert (floor.position("alice"), floor.position("bob"), floor.position("carol")) == (5, 0, 0)


def test_killed_in_the_middle_of_everything(floor: Floor) -> None:
    floor.trader("alice")
    working, sent = floor.buys("alice", 10, limit="100"), floor.buys("alice", 5)
    working.acknowledged()
    floor.kill()
    assert floor.asks("alice", "BUY", 1).code == "KILLED"
    floor.crash()
    assert floor.asks("alice", "BUY", 1).code == "KILLED"
    working.cancelled()
    sent.fills(5, at="100")
    assert working.life == ["sent", "works", "cancelling", "asked", "canceled"]
    assert sent.life == ["sent", "cancelling", "asked", "filled 5"]
    floor.resume()
    assert floor.asks("alice", "BUY", 1).status == "ACCEPTED"


def test_refused_by_the_venue(floor: Floor) -> None:
    floor.trader("alice", cash="1000")
    order = floor.buys("alice", 10)
    assert floor.asks("alice", "BUY", 1).code == "INSUFFICIENT_CASH"
    order.rejected("closed")
    assert order.life == ["sent", "rejected"]
    assert floor.asks("alice", "BUY", 1).status == "ACCEPTED"


def test_the_day_ends(floor: Floor) -> None:
    floor.trader("alice")
    order = floor.buys("alice", 10, limit="90", time_in_force="DAY")
    order.acknowledged()
    order.fills(1, at="90")
    order.expired()
    assert order.life == ["sent", "works", "filled 1", "expired"]
    assert floor.open_to_buy("alice") == 0
