"""A position comes to its target and never passes it, whatever fills, and whenever."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.steering import Moves, Step, Working, steer
from engine.values import Side, signed

D = Decimal


def order(order_id: str, side: Side, leaves: int | str, **more: Any) -> Working:
    return Working(order_id=order_id, side=side, leaves=D(leaves), **more)


def moves(position: str, target: str, *working: Working, **more: Any) -> Moves:
    return steer(D(position), D(target), working, D(1), **more)


def told(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.intent} {step.side} {step.quantity}" for step in steps]


@pytest.mark.parametrize(
    ("position", "target", "now"),
    [
        ("0", "0", []),
        ("100", "100", []),
        ("0", "100", ["OPEN_LONG BUY 100"]),
        ("0", "-100", ["OPEN_SHORT SELL 100"]),
        ("40", "100", ["OPEN_LONG BUY 60"]),
        ("100", "40", ["CLOSE SELL 60"]),
        ("100", "0", ["CLOSE SELL 100"]),
        ("-100", "0", ["CLOSE BUY 100"]),
        ("-100", "-30", ["CLOSE BUY 70"]),
        ("-30", "-100", ["OPEN_SHORT SELL 70"]),
        ("100", "-50", ["OPEN_SHORT SELL 150"]),
        ("-100", "50", ["OPEN_LONG BUY 150"]),
        ("10.7", "0", ["CLOSE SELL 10"]),
        ("0.7", "0", []),
        ("-0.7", "2", ["OPEN_LONG BUY 2"]),
    ],
)
def test_with_nothing_working_the_difference_is_sent(position: str, target: str, now: list[str]) -> None:
    found = moves(position, target)
    assert told(found.now) == now
    assert [*found.later, *found.cancel, *found.keep, *found.waits_for] == []


BUY_60, SELL_60 = order("b", "BUY", 60), order("s", "SELL", 60)


@pytest.mark.parametrize(
    ("position", "target", "working", "cancel", "keep", "now", "later", "waits"),
    [
        pytest.param("0", "100", (BUY_60,), "", "b", ["OPEN_LONG BUY 40"], [], "", id="adds to what works"),
        pytest.param("0", "60", (BUY_60,), "", "b", [], [], "", id="what works is enough"),
        pytest.param(
            "0",
            "100",
            (replace(BUY_60, outdated=True), order("c", "BUY", 20)),
            "b",
            "c",
            ["OPEN_LONG BUY 20"],
            ["OPEN_LONG BUY 60"],
            "b",
            id="what works under other terms does not stay",
        ),
        pytest.param("0", "50", (BUY_60,), "b", "", [], ["OPEN_LONG BUY 50"], "b", id="too much works"),
        pytest.param("0", "0", (BUY_60,), "b", "", [], [], "", id="nothing is to work"),
        pytest.param("0", "-50", (BUY_60,), "b", "", ["OPEN_SHORT SELL 50"], [], "", id="what works goes astray"),
        pytest.param(
            "0",
            "100",
            (BUY_60, order("c", "BUY", 50)),
            "bc",
            "",
            [],
            ["OPEN_LONG BUY 100"],
            "bc",
            id="two that are too much together: neither may stay while the other may fill",
        ),
        pytest.param(
            "0",
            "100",
            (replace(BUY_60, cancelling=True),),
            "",
            "",
            ["OPEN_LONG BUY 40"],
            ["OPEN_LONG BUY 60"],
            "b",
            id="what is being cancelled may still fill",
        ),
        pytest.param(
            "0",
            "100",
            (replace(BUY_60, cancelling=True), order("c", "BUY", 50)),
            "c",
            "",
            [],
            ["OPEN_LONG BUY 100"],
            "bc",
            id="what stays must leave room for what is being cancelled",
        ),
        pytest.param(
            "0",
            "100",
            (replace(BUY_60, cancellable=False),),
            "",
            "",
            ["OPEN_LONG BUY 40"],
            [],
            "",
            id="another's order is counted on",
        ),
        pytest.param(
            "0",
            "100",
            (replace(SELL_60, cancellable=False),),
            "",
            "",
            ["OPEN_LONG BUY 100"],
            ["OPEN_LONG BUY 60"],
            "s",
            id="what another's order takes away is made up for once it has",
        ),
        pytest.param(
            "0",
            "0",
            (replace(BUY_60, cancellable=False),),
            "",
            "",
            [],
            ["CLOSE SELL 60"],
            "b",
            id="what another's order adds is sold once it is there",
        ),
        pytest.param("100", "0", (SELL_60,), "", "s", ["CLOSE SELL 40"], [], "", id="closes the rest"),
        pytest.param("100", "-50", (SELL_60,), "", "s", ["OPEN_SHORT SELL 90"], [], "", id="flips the rest"),
    ],
)
def test_what_works_is_kept_where_it_fits_and_cancelled_where_it_may_pass(
    position: str,
    target: str,
    working: tuple[Working, ...],
    cancel: str,
    keep: str,
    now: list[str],
    later: list[str],
    waits: str,
) -> None:
    found = moves(position, target, *working)
    assert ("".join(found.cancel), "".join(found.keep)) == (cancel, keep)
    assert (told(found.now), told(found.later)) == (now, later)
    assert "".join(found.waits_for) == waits


@pytest.mark.parametrize(
    ("position", "target", "working", "now", "later", "waits"),
    [
        ("100", "-50", (), ["CLOSE SELL 100"], ["OPEN_SHORT SELL 50"], ""),
        ("-100", "50", (), ["CLOSE BUY 100"], ["OPEN_LONG BUY 50"], ""),
        ("100.5", "-50", (), ["CLOSE SELL 100"], ["OPEN_SHORT SELL 50"], ""),
        ("0", "-50", (), ["OPEN_SHORT SELL 50"], [], ""),
        ("0.5", "-50", (), ["OPEN_SHORT SELL 50"], [], ""),
        ("100", "-50", (order("s", "SELL", 100),), [], ["OPEN_SHORT SELL 50"], "s"),
        ("100", "-50", (SELL_60,), ["CLOSE SELL 40"], ["OPEN_SHORT SELL 50"], "s"),
        (
            "100",
            "-50",
            (replace(SELL_60, cancelling=True),),
            ["CLOSE SELL 40"],
            ["CLOSE SELL 60", "OPEN_SHORT SELL 50"],
            "s",
        ),
        ("100", "50", (), ["CLOSE SELL 50"], [], ""),
    ],
)
def test_where_the_venue_splits_a_flip_it_closes_first_and_opens_once_flat(
    position: str, target: str, working: tuple[Working, ...], now: list[str], later: list[str], waits: str
) -> None:
    found = moves(position, target, *working, splits=True)
    assert (told(found.now), "".join(found.waits_for)) == (now, waits)
    assert told(found.later) == later


@pytest.mark.parametrize(
    ("position", "target", "working", "slack", "now", "later"),
    [
        pytest.param("95", "100", (), {"tolerance": "5"}, [], [], id="within the drift"),
        pytest.param("94", "100", (), {"tolerance": "5"}, ["OPEN_LONG BUY 6"], [], id="outside it, to the target"),
        pytest.param("105", "100", (), {"tolerance": "5"}, [], [], id="within it from above"),
        pytest.param("94", "100", (), {"least": "7"}, [], [], id="not worth an order"),
        pytest.param("93", "100", (), {"least": "7"}, ["OPEN_LONG BUY 7"], [], id="worth one"),
        pytest.param(
            "0",
            "65",
            (replace(BUY_60, cancelling=True),),
            {"least": "10"},
            [],
            ["OPEN_LONG BUY 65"],
            id="a first part that is not worth an order waits for the second",
        ),
        pytest.param(
            "0",
            "65",
            (order("b", "BUY", 4, cancelling=True),),
            {"least": "10"},
            [],
            ["OPEN_LONG BUY 65"],
            id="a second part that would not be worth one holds the first",
        ),
        pytest.param(
            "0",
            "65",
            (order("b", "BUY", 5, cancelling=True),),
            {"tolerance": "5"},
            [],
            ["OPEN_LONG BUY 65"],
            id="a second part within the drift holds the first",
        ),
        pytest.param(
            "0",
            "65",
            (order("s", "SELL", 4, cancellable=False),),
            {"least": "10"},
            ["OPEN_LONG BUY 65"],
            ["OPEN_LONG BUY 4"],
            id="but not for another's order, which may never end",
        ),
        pytest.param("0", "100", (order("s", "SELL", 9),), {"tolerance": "200"}, [], [], id="cancels all the same"),
    ],
)
def test_what_is_not_worth_an_order_is_not_sent(
    position: str,
    target: str,
    working: tuple[Working, ...],
    slack: dict[str, str],
    now: list[str],
    later: list[str],
) -> None:
    found = moves(position, target, *working, **{name: D(value) for name, value in slack.items()})
    assert (told(found.now), told(found.later)) == (now, later)
    assert found.cancel == tuple(o.order_id for o in working if o.cancellable and not o.cancelling)


# A market that fills, cancels and waits as it likes.

UNITS = st.integers(-60, 60)
SIDES: st.SearchStrategy[Side] = st.sampled_from(["BUY", "SELL"])


class World:
    """A position and the orders that work in it; fills and cancels come when the test says so."""

    def __init__(self, position: int, foreign: list[tuple[Side, int]], **how: Any) -> None:
        self.position, self.target = D(position), D(position)
        self.working = {
            f"f{n}": order(f"f{n}", side, lots, cancellable=False) for n, (side, lots) in enumerate(foreign)
        }
        self.how = how
        self.sent = 0

    def aim(self, target: int) -> None:
        """A newer target, decided at once."""
        self.target = D(target)
        self.decide()

    def decide(self) -> Moves:
        before = self.reach()
        found = steer(self.position, self.target, tuple(self.working.values()), D(1), **self.how)
        for name in found.cancel:
            assert self.working[name].cancellable
            self.working[name] = replace(self.working[name], cancelling=True)
        for step in found.now:
            assert step.quantity > 0
            if step.intent == "CLOSE":
                assert (self.position > 0) == (step.side == "SELL")
                assert step.quantity <= abs(self.position)
            if self.how["splits"] and step.intent != "CLOSE":
                assert self.position == 0 or (self.position > 0) == (step.side == "BUY")
            self.sent += 1
            self.working[f"o{self.sent}"] = order(f"o{self.sent}", step.side, str(step.quantity))
        after = self.reach()
        # Nothing that is sent makes anything worse than the target.
        assert after[0] >= min(before[0], self.target)
        assert after[1] <= max(before[1], self.target)
        return found

    def reach(self) -> tuple[Decimal, Decimal]:
        """The lowest and the highest position that fills may lead to."""
        low = self.position - sum(o.leaves for o in self.working.values() if o.side == "SELL")
        high = self.position + sum(o.leaves for o in self.working.values() if o.side == "BUY")
        return low, high

    def fill(self, name: str, quantity: Decimal) -> None:
        filled = self.working[name]
        ours = filled.cancellable and not filled.cancelling
        self.position += signed(filled.side, quantity)
        if ours and filled.side == "BUY":
            assert self.position <= self.target
        elif ours:
            assert self.position >= self.target
        if quantity == filled.leaves:
            del self.working[name]
        else:
            self.working[name] = replace(filled, leaves=filled.leaves - quantity)


@given(
    UNITS,
    st.lists(st.tuples(SIDES, st.integers(1, 30)), max_size=2),
    st.booleans(),
    st.sampled_from([(0, 0), (0, 0), (5, 0), (0, 7), (5, 7)]),
    st.data(),
)
@settings(deadline=None)
def test_no_interleaving_of_fills_cancels_and_newer_targets_passes_a_target(
    position: int, foreign: list[tuple[Side, int]], splits: bool, slack: tuple[int, int], data: st.DataObject
) -> None:
    tolerance, least = slack
    world = World(position, foreign, splits=splits, tolerance=D(tolerance), least=D(least))
    world.aim(data.draw(UNITS))
    for _ in range(data.draw(st.integers(0, 12))):
        cancelling = [name for name, found in world.working.items() if found.cancelling]
        events = ["aim", "decide", *["fill"] * (3 * bool(world.working)), *["cancelled"] * bool(cancelling)]
        match data.draw(st.sampled_from(events)):
            case "aim":
                world.aim(data.draw(UNITS))
            case "decide":
                world.decide()
            case "fill":
                name = data.draw(st.sampled_from(sorted(world.working)))
                world.fill(name, D(data.draw(st.integers(1, int(world.working[name].leaves)))))
            case _:
                del world.working[data.draw(st.sampled_from(cancelling))]
    # Left alone, it arrives: every cancel is confirmed and every order fills.
    for _ in range(8):
        world.decide()
        if not world.working:
            break
        for name, left in list(world.working.items()):
            if left.cancelling and data.draw(st.booleans()):
                del world.working[name]
            else:
                world.fill(name, left.leaves)
    assert not world.working
    off = abs(world.position - world.target)
    assert off <= tolerance or off < least


@given(UNITS, UNITS, st.lists(st.tuples(SIDES, st.integers(1, 30), st.booleans(), st.booleans()), max_size=4))
@settings(deadline=None)
def test_what_is_kept_sent_and_left_for_later_adds_up_to_the_target(
    position: int, target: int, working: list[tuple[Side, int, bool, bool]]
) -> None:
    orders = [
        order(f"o{n}", side, leaves, cancellable=cancellable, cancelling=cancellable and cancelling)
        for n, (side, leaves, cancellable, cancelling) in enumerate(working)
    ]
    found = steer(D(position), D(target), orders, D(1))
    end = D(position)
    for each in orders:
        if each.order_id in found.keep or not each.cancellable:
            end += signed(each.side, each.leaves)
    assert end == found.expected
    for step in (*found.now, *found.later):
        end += signed(step.side, step.quantity)
    assert end == target
    named = {*found.cancel, *found.keep}
    assert named == {each.order_id for each in orders if each.cancellable and not each.cancelling}
    assert bool(found.later) <= bool(found.waits_for)
