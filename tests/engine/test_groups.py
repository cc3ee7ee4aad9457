"""What happens to one order of a group decides about the others, and what was filled beyond is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from engine.groups import (
    MAX_MEMBERS,
    CancelMember,
    Group,
    GroupAction,
    Overfilled,
    ReleaseMember,
    ResizeMember,
    Uncovered,
    cancel,
    join,
    on_end,
    on_fill,
    on_replace,
)
from engine.instructions import PARENTED, Membership
from engine.refusal import Refusal
from engine.values import GroupKind

D = Decimal


def joined(group: Group | None, kind: GroupKind, order_id: str, quantity: int = 100) -> tuple[Group, list[str]]:
    """The group with one more order; the first of an OTO or BRACKET is its parent."""
    role: Any = "MEMBER" if kind not in PARENTED else "PARENT" if order_id == "p" else "CHILD"
    step = join(group, Membership(group_id="g", kind=kind, role=role), order_id, D(quantity))
    assert not isinstance(step, Refusal)
    return step[0], shown(step[1])


def of(kind: GroupKind, *names: str) -> Group:
    group: Group | None = None
    for name in names:
        group, _ = joined(group, kind, name)
    assert group is not None
    return group


def shown(actions: tuple[GroupAction, ...]) -> list[str]:
    """Actions in few words."""
    words: list[str] = []
    for action in actions:
        match action:
            case ReleaseMember(order_id, quantity):
                words.append(f"release {order_id} {quantity}")
            case ResizeMember(order_id, quantity):
                words.append(f"resize {order_id} {quantity}")
            case CancelMember(order_id, _):
                words.append(f"cancel {order_id}")
            case Overfilled(quantity, _):
                words.append(f"overfilled {quantity}")
            case Uncovered(quantity):
                words.append(f"uncovered {quantity}")
    return words


def told(group: Group, *events: str) -> list[list[str]]:
    """What each event leads to: `a 40` is a fill, `a CANCELED` an end, `a =50` a replacement, `cancel` the group's."""
    results = []
    for event in events:
        name, _, what = event.partition(" ")
        step: Any
        if name == "cancel":
            step = cancel(group, "g")
        elif what.startswith("="):
            step = on_replace(group, name, D(what[1:]))
        elif what.isdigit():
            step = on_fill(group, name, D(what))
        else:
            step = on_end(group, name, what)  # type: ignore[arg-type]
        group, actions = step
        results.append(shown(actions))
    return results


ONE_CANCELS = of("OCO", "a", "b", "c")
ONE_UPDATES = of("OUO", "a", "b")
ONE_TRIGGERS = of("OTO", "p", "x", "y")
BRACKET = of("BRACKET", "p", "x", "y")
REJECTED, _ = on_end(BRACKET, "p", "REJECTED")


@pytest.mark.parametrize(
    ("group", "events"),
    [
        (ONE_CANCELS, {"a 1": ["cancel b", "cancel c"], "a 99": [], "b 5": ["overfilled 5"], "b CANCELED": []}),
        (ONE_CANCELS, {"a CANCELED": [], "b REJECTED": [], "c 100": [], "a 3": ["overfilled 3"]}),
        (ONE_CANCELS, {"a CANCELED": [], "a 3": ["cancel b", "cancel c"]}),
        (ONE_CANCELS, {"cancel": ["cancel a", "cancel b", "cancel c"], "a 10": []}),
        (ONE_UPDATES, {"a 40": ["resize b 60"], "b 10": ["resize a 90"], "a 50": ["cancel b"]}),
        (ONE_UPDATES, {"a 100": ["cancel b"], "b 7": ["overfilled 7"], "b 1": ["overfilled 1"]}),
        (ONE_UPDATES, {"a EXPIRED": [], "b 100": []}),
        (ONE_UPDATES, {"a =50": ["resize a 50", "resize b 50"], "b 40": ["resize a 10"], "b 10": ["cancel a"]}),
        (
            ONE_UPDATES,
            {
                "b 40": ["resize a 60"],
                "a =30": ["resize a 30", "resize b 70"],
                "a 30": ["cancel b"],
                "b 3": ["overfilled 3"],
            },
        ),
        (ONE_TRIGGERS, {"p =50": ["resize p 50"], "p 50": ["release x 100", "release y 100"]}),
        (
            BRACKET,
            {
                "p 40": ["release x 40", "release y 40"],
                "p =50": ["resize p 50"],
                "p 10": ["resize x 50", "resize y 50"],
            },
        ),
        (
            BRACKET,
            {
                "p 40": ["release x 40", "release y 40"],
                "x =90": ["resize x 40"],
                "p 60": ["resize x 90", "resize y 100"],
            },
        ),
        (BRACKET, {"x =60": [], "p 100": ["release x 60", "release y 100"]}),
        (ONE_TRIGGERS, {"p 99": [], "p 1": ["release x 100", "release y 100"], "p FILLED": [], "x 5": []}),
        (ONE_TRIGGERS, {"p 99": [], "p CANCELED": ["cancel x", "cancel y"]}),
        (ONE_TRIGGERS, {"p 40": [], "p FILLED": ["release x 100", "release y 100"]}),
        (ONE_TRIGGERS, {"p REJECTED": ["cancel x", "cancel y"], "x CANCELED": []}),
        (
            BRACKET,
            {
                "p 40": ["release x 40", "release y 40"],
                "p 60": ["resize x 100", "resize y 100"],
                "x 30": ["resize y 70"],
                "y 70": ["cancel x"],
                "x CANCELED": [],
            },
        ),
        (BRACKET, {"p 40": ["release x 40", "release y 40"], "p CANCELED": [], "y 40": ["cancel x"]}),
        (BRACKET, {"p EXPIRED": ["cancel x", "cancel y"], "p 10": ["uncovered 10"]}),
        (
            BRACKET,
            {
                "p 40": ["release x 40", "release y 40"],
                "x 40": ["cancel y"],
                "x FILLED": [],
                "y CANCELED": [],
                "p 60": ["uncovered 60"],
            },
        ),
        (BRACKET, {"p 40": ["release x 40", "release y 40"], "x 40": ["cancel y"], "y 2": ["overfilled 2"]}),
        (BRACKET, {"x REJECTED": [], "p 100": ["release y 100"]}),
        (BRACKET, {"cancel": ["cancel p", "cancel x", "cancel y"]}),
        (BRACKET, {"nobody 5": [], "nobody CANCELED": [], "nobody =5": []}),
    ],
)
def test_a_group_acts_as_its_kind_says(group: Group, events: dict[str, list[str]]) -> None:
    assert told(group, *events) == list(events.values())


def test_a_child_that_comes_after_its_parents_fill_is_released_at_once() -> None:
    group, _ = on_fill(of("BRACKET", "p"), "p", D(70))
    assert joined(group, "BRACKET", "x")[1] == ["release x 70"]
    group, _ = on_fill(of("OTO", "p"), "p", D(70))
    assert joined(group, "OTO", "x")[1] == []
    group, _ = on_fill(group, "p", D(30))
    assert joined(group, "OTO", "x", 5)[1] == ["release x 5"]


@pytest.mark.parametrize(
    ("group", "membership", "order_id", "code"),
    [
        (ONE_CANCELS, Membership(group_id="g", kind="OUO"), "d", "GROUP_MISMATCH"),
        (BRACKET, Membership(group_id="g", kind="BRACKET", role="PARENT"), "q", "GROUP_MISMATCH"),
        (on_fill(ONE_CANCELS, "a", D(1))[0], Membership(group_id="g", kind="OCO"), "d", "GROUP_CLOSED"),
        (
            on_end(BRACKET, "p", "REJECTED")[0],
            Membership(group_id="g", kind="BRACKET", role="CHILD"),
            "z",
            "GROUP_CLOSED",
        ),
        (ONE_CANCELS, Membership(group_id="g", kind="OCO"), "a", "GROUP_MEMBER"),
        (of("OCO", *map(str, range(MAX_MEMBERS))), Membership(group_id="g", kind="OCO"), "d", "GROUP_FULL"),
    ],
)
def test_an_order_that_does_not_belong_is_refused(
    group: Group, membership: Membership, order_id: str, code: str
) -> None:
    found = join(group, membership, order_id, D(1))
    assert isinstance(found, Refusal)
    assert found.code == code


def test_a_group_of_nothing_cannot_be_cancelled() -> None:
    over = ONE_UPDATES
    for name in ("a", "b"):
        over, _ = on_end(over, name, "CANCELED")
    for group, code in ((None, "UNKNOWN_GROUP"), (over, "GROUP_OVER")):
        found = cancel(group, "g")
        assert isinstance(found, Refusal)
        assert found.code == code


def test_a_group_is_over_when_each_of_its_orders_has_ended_and_not_before() -> None:
    group, _ = on_fill(ONE_UPDATES, "a", D(100))
    assert not group.over
    group, _ = on_end(group, "b", "CANCELED")
    assert group.over


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["p", "x", "y", "z"]),
        st.one_of(st.integers(1, 60), st.sampled_from(["FILLED", "CANCELED", "REJECTED", "EXPIRED"])),
    ),
    max_size=25,
)
KINDS = st.sampled_from(["OCO", "OUO", "OTO", "BRACKET"])


def never_both(group: Group) -> None:
    """That no two members could fill more between them than the group is for, if every cancel came through at once."""
    legs = [member for member in group.members if member.role != "PARENT"]
    filled = sum(leg.filled for leg in legs)
    if group.kind == "OCO" and group.winner is not None:
        assert all(leg.order_id == group.winner or leg.standing not in ("HELD", "ACTIVE") for leg in legs)
    if group.kind in ("OUO", "BRACKET"):
        parents = [member.filled for member in group.members if member.role == "PARENT"]
        most = parents[0] if parents else max(leg.asked for leg in legs)
        for leg in legs:
            if leg.standing == "ACTIVE":
                assert leg.quantity <= max(leg.asked, *parents, D(0))
                assert max(leg.quantity - leg.filled, D(0)) <= max(most - filled, D(0))
    parent = next((member for member in group.members if member.role == "PARENT"), None)
    if parent is not None and not parent.filled:
        assert all(leg.standing in ("HELD", "OVER") for leg in legs)


@settings(deadline=None, max_examples=400)
@given(KINDS, EVENTS)
def test_no_two_members_stay_active_for_the_same_quantity(kind: GroupKind, events: list[tuple[str, Any]]) -> None:
    group = of(kind, "p", "x", "y", "z")
    released: set[str] = set()
    beyond = D(0)
    for name, what in events:
        before = {member.order_id: member.standing for member in group.members}
        if before[name] == "HELD" and isinstance(what, int):
            continue  # What was never sent is never filled.
        step = on_fill(group, name, D(what)) if isinstance(what, int) else on_end(group, name, what)
        group, actions = step
        for action in actions:
            if isinstance(action, ReleaseMember):
                assert action.order_id not in released
                assert before[action.order_id] == "HELD"
                released.add(action.order_id)
            elif isinstance(action, ResizeMember | CancelMember):
                assert before[action.order_id] in ("HELD", "ACTIVE")
            elif isinstance(action, Overfilled):
                beyond += action.quantity
        never_both(group)
        assert json.decode(json.encode(group), type=Group) == group
        assert on_end(on_end(group, name, "CANCELED")[0], name, "CANCELED")[1] == ()
    legs = [member for member in group.members if member.role != "PARENT"]
    if kind == "OUO":
        assert beyond == max(D(0), sum((leg.filled for leg in legs), D(0)) - 100)
    if kind == "OCO":
        assert beyond == sum(leg.filled for leg in legs if leg.order_id != group.winner)


@settings(deadline=None)
@given(st.sampled_from(["OCO", "OUO", "BRACKET"]), EVENTS)
def test_where_cancels_come_through_at_once_no_more_is_filled_than_the_group_is_for(
    kind: GroupKind, events: list[tuple[str, Any]]
) -> None:
    group = of(kind, "p", "x", "y", "z")
    for name, what in events:
        member = next(member for member in group.members if member.order_id == name)
        if member.standing != "ACTIVE" or not isinstance(what, int):
            continue
        group, actions = on_fill(group, name, min(D(what), member.quantity - member.filled))
        assert not any(isinstance(action, Overfilled) for action in actions)
    legs = [member.filled for member in group.members if member.role != "PARENT"]
    assert sum(legs) <= (group.members[0].filled if kind == "BRACKET" else 100)


@given(st.permutations([("a", 10), ("b", 20), ("a", 5), ("b", 1)]))
def test_the_order_of_fills_makes_no_difference_to_what_is_left(fills: list[tuple[str, int]]) -> None:
    group = ONE_UPDATES
    for name, quantity in fills:
        group, _ = on_fill(group, name, D(quantity))
    a, b = group.members
    assert (a.filled, b.filled) == (D(15), D(21))
    last = fills[-1][0]
    other, left = (b, 85) if last == "a" else (a, 79)
    assert other.quantity == left


def test_sizes_are_whole_lots_and_what_is_no_lot_yet_waits() -> None:
    group: Group | None = None
    for name, role in (("p", "PARENT"), ("x", "CHILD"), ("y", "CHILD")):
        member = Membership(group_id="g", kind="BRACKET", role=role)  # type: ignore[arg-type]
        step = join(group, member, name, D(100), lot=D(10))
        assert not isinstance(step, Refusal)
        group = step[0]
    assert group is not None
    events = {
        "p 7": [],
        "p 10": ["release x 10", "release y 10"],
        "p 13": ["resize x 30", "resize y 30"],
        # 13 are left for the other, of which a lot can be sold.
        "x 17": ["resize y 10"],
        "y 10": ["resize x 20"],
    }
    assert told(group, *events) == list(events.values())


def test_what_was_filled_beyond_what_it_was_made_is_cancelled_with_its_group() -> None:
    """A client makes an order smaller as it is filled: it may be open still, and is told to end with the others."""
    group, _ = joined(None, "OTO", "a", 20)
    group, _ = on_replace(group, "a", 10)
    group, _ = on_fill(group, "a", D(14))
    group, _ = joined(group, "OTO", "b", 20)
    step = cancel(group, "g")
    assert not isinstance(step, Refusal)
    assert {action.order_id for action in step[1] if isinstance(action, CancelMember)} == {"a", "b"}
