"""Mistakes planted in groups of orders, and in what stops trading: kills of a scope, regimes, stopped strategies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from actors import control_desk, grouped, held, resize, supervise
from actors import subscriber as subscriber_module
from actors import work as work_module
from actors.group import GroupActor
from engine import controls, gate, groups
from engine.grouping import MemberFilled
from tests.simulation.planting import bent, plant, wrapped

# groups


def _without(was: Any, kind: type, *rest: Any) -> Any:
    """What is decided, but for the actions of this kind."""
    after, actions = was(*rest)
    return after, tuple(one for one in actions if not isinstance(one, kind))


@plant
def the_fill_of_one_cancels_no_other() -> Iterator[None]:
    with wrapped(groups, "on_fill", lambda was, *rest: _without(was, groups.CancelMember, *rest)):
        yield


@plant
def a_group_forgets_its_winner() -> Iterator[None]:
    def fill(was: Any, group: Any, *rest: Any) -> Any:
        after, actions = was(group, *rest)
        return (replace(after, winner=None), actions) if group.kind == "OCO" else (after, actions)

    with wrapped(groups, "on_fill", fill):
        yield


@plant
def a_brackets_children_are_as_large_as_they_were_asked_for() -> Iterator[None]:
    def size(was: Any, group: Any, parent: Any, member: Any) -> Any:
        return member.asked if was(group, parent, member) else was(group, parent, member)

    with wrapped(groups, "_size", size):
        yield


@plant
def a_child_does_not_wait_for_its_parent() -> Iterator[None]:
    def join(was: Any, *rest: Any) -> Any:
        step = was(*rest)
        if not isinstance(step, tuple):
            return step
        group, actions = step
        free = tuple(replace(one, standing="ACTIVE") if one.standing == "HELD" else one for one in group.members)
        return replace(group, members=free), actions

    with wrapped(groups, "join", join):
        yield


@plant
def the_cancel_of_a_group_forgets_its_last_order() -> Iterator[None]:
    def cancel(was: Any, *rest: Any) -> Any:
        step = was(*rest)
        return (step[0], step[1][:-1]) if isinstance(step, tuple) else step

    with wrapped(groups, "cancel", cancel):
        yield


@plant
def nobody_is_told_that_more_of_a_group_was_filled_than_it_was_for() -> Iterator[None]:
    with wrapped(groups, "on_fill", lambda was, *rest: _without(was, groups.Overfilled, *rest)):
        yield


@plant
def a_group_does_not_hear_of_a_fill() -> Iterator[None]:
    with bent(GroupActor.RECEIVE, MemberFilled, lambda *_: None):
        yield


@plant
def a_group_does_not_hear_that_an_order_ended() -> Iterator[None]:
    with bent(grouped, "ended", lambda *_: None):
        yield


@plant
def what_a_group_lets_go_while_the_venue_is_away_is_forgotten() -> Iterator[None]:
    def follow(was: Any, actor: Any, step: Any, turn: Any) -> None:
        work = actor.parts[""].work
        if not work.held.joining or not step[0].total or actor.sendable(actor.parts[""], step[0].total, turn):
            was(actor, step, turn)

    with wrapped(held, "follow", follow):
        yield


@plant
def a_resize_by_its_group_is_not_sent_to_the_venue() -> Iterator[None]:
    with bent(resize, "level", lambda *_: None):
        yield


# kills, regimes, stops


@plant
def the_gate_does_not_ask_the_regime() -> Iterator[None]:
    with bent(gate, "new_risk", lambda *_: None):
        yield


@plant
def a_request_is_not_judged_by_the_regime() -> Iterator[None]:
    with bent(controls, "new_risk", lambda *_: None):
        yield


@plant
def a_regime_leaves_limits_as_they_are() -> Iterator[None]:
    with bent(subscriber_module, "scaled", lambda limits, regime: limits):
        yield


@plant
def a_kill_of_a_scope_is_asked_about_nowhere() -> Iterator[None]:
    with bent(supervise, "killed", lambda *_: None):
        yield


@plant
def the_gate_knows_no_kill_of_a_scope() -> Iterator[None]:
    with bent(gate, "killed_in", lambda *_: None):
        yield


@plant
def a_kill_of_a_scope_cancels_nothing() -> Iterator[None]:
    with bent(control_desk, "_within", lambda order, scope, name: scope == "firm"):
        yield


@plant
def what_begins_after_a_kill_goes_on() -> Iterator[None]:
    with bent(work_module.supervise, "stopped", lambda *_: None):
        yield


@plant
def a_stopped_strategy_acts_on() -> Iterator[None]:
    def in_force(was: Any, turn: Any) -> Any:
        found = was(turn)
        return None if found is None else replace(found, stopped={})

    with wrapped(supervise, "in_force", in_force):
        yield
