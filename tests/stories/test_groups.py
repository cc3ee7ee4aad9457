"""Orders that belong together: an entry with its exits, and what becomes of them when the engine dies."""

from __future__ import annotations

from engine import events as e
from engine.instructions import Membership
from engine.work import WorkEnded
from tests.stories.conftest import D, Floor, Placed


def at_the_venue(floor: Floor, order: Placed) -> Placed:
    """What was sent for an order last."""
    sent = [event.order_id for event in floor.bench.events(e.OrderStarted) if event.ticket.parent == order.name]
    return Placed(floor, sent[-1])


def ends(floor: Floor) -> list[str]:
    """How the orders of the group ended, in turn."""
    return [event.status for event in floor.bench.events(WorkEnded)]


def bracket(floor: Floor) -> tuple[Placed, Placed, Placed]:
    """100 bought at 100, to be sold at 104 or at 96: for one who may not sell short."""
    floor.trader("alice", cash="20000")
    entry = floor.buys("alice", 100, limit="100", group=Membership(group_id="g", kind="BRACKET", role="PARENT"))
    child = Membership(group_id="g", kind="BRACKET", role="CHILD")
    profit = floor.sells("alice", 100, limit="104", group=child)
    stop = floor.sells("alice", 100, limit="96", group=child)
    return entry, profit, stop


def test_an_entry_is_covered_as_it_fills_and_its_profit_is_taken(floor: Floor) -> None:
    entry, profit, stop = bracket(floor)
    assert floor.at_the_venue == 1
    bought = at_the_venue(floor, entry)
    bought.acknowledged()
    bought.fills(100, at="100", fee="1")
    assert floor.at_the_venue == 3
    sold, lost = at_the_venue(floor, profit), at_the_venue(floor, stop)
    sold.acknowledged()
    lost.acknowledged()
    sold.fills(100, at="104", fee="1")
    assert lost.life == ["sent", "works", "cancelling"]
    lost.cancelled()
    assert ends(floor) == ["FILLED", "FILLED", "CANCELED"]
    assert (floor.position("alice"), floor.cash("alice")) == (0, D(20398))
    assert floor.alarms == []


def test_the_engine_dies_between_the_entry_and_its_exits(floor: Floor) -> None:
    entry, profit, stop = bracket(floor)
    floor.crash()
    bought = at_the_venue(floor, entry)
    bought.fills(40, at="100")
    floor.crash()
    assert floor.at_the_venue == 3
    bought.cancelled()
    sold = at_the_venue(floor, profit)
    sold.fills(40, at="104")
    at_the_venue(floor, stop).cancelled()
    assert ends(floor) == ["CANCELED", "FILLED", "CANCELED"]
    assert floor.position("alice") == 0
    assert floor.open_to_buy("alice") == 0


def test_an_entry_that_is_never_filled_leaves_nothing(floor: Floor) -> None:
    entry, _, _ = bracket(floor)
    floor.crash()
    assert floor.cancels("alice", entry) == "ACCEPTED"
    at_the_venue(floor, entry).cancelled()
    assert ends(floor) == ["CANCELED", "CANCELED", "CANCELED"]
    assert floor.at_the_venue == 1
