"""Mistakes planted in how orders are worked at our side."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from actors import held as held_module
from actors import venue as venue_module
from actors import work as work_module
from actors.again import Again
from actors.order import OrderActor
from actors.turn import Turn
from actors.venue import VenueActor
from actors.work import WorkActor
from engine import emulate, gate, triggers
from engine import work as work_
from engine.algos import bounds
from engine.algos import work as deciding
from engine.commands import CancelOrder, ChildReport, GiveBack, ModifyOrder
from tests.simulation.planting import bent, plant, wrapped

LATER = timedelta(days=1)


@plant
def the_gate_ignores_the_parent_and_an_algorithm_what_works() -> Iterator[None]:
    def progress(was: Any, order: Any) -> Any:
        return replace(was(order), working=Decimal(0), children=())

    with bent(gate, "check_child", lambda *_: None), wrapped(work_module.work_, "progress", progress):
        yield


@plant
def the_gate_counts_no_child() -> Iterator[None]:
    with bent(VenueActor, "_out", lambda actor, event: None):
        yield


@plant
def the_gate_gets_nothing_back() -> Iterator[None]:
    with bent(VenueActor.RECEIVE, GiveBack, lambda *_: None):
        yield


@plant
def a_parent_forgets_a_childs_fill() -> Iterator[None]:
    def moved(was: Any, order: Any, work: Any, event: Any) -> Any:
        return was(order, work, replace(event, filled=Decimal(0)) if event.open else event)

    with wrapped(work_._AFTER, work_.ChildMoved, moved):
        yield


@plant
def a_parent_drops_a_late_fill() -> Iterator[None]:
    def child(was: Any, actor: WorkActor, report: ChildReport, turn: Turn) -> None:
        if actor.order is not None and actor.order.open:
            was(actor, report, turn)

    with wrapped(WorkActor.RECEIVE, ChildReport, child):
        yield


@plant
def commission_of_children_is_not_added_up() -> Iterator[None]:
    def moved(was: Any, order: Any, work: Any, event: Any) -> Any:
        return was(order, work, replace(event, commission=Decimal(0)))

    with wrapped(work_._AFTER, work_.ChildMoved, moved):
        yield


@plant
def a_stop_triggers_on_the_wrong_side() -> Iterator[None]:
    def level(was: Any, *rest: Any) -> Any:
        found = was(*rest)
        return replace(found, falling=not found.falling)

    with wrapped(emulate, "level", level):
        yield


@plant
def a_trail_follows_the_market_both_ways() -> Iterator[None]:
    with bent(
        triggers, "_followed", lambda trigger, price: replace(trigger, best=price + (1 if trigger.falling else -1))
    ):
        yield


@plant
def the_cancel_of_a_parent_forgets_its_children() -> Iterator[None]:
    def cancel(was: Any, actor: WorkActor, message: CancelOrder, turn: Turn) -> None:
        was(actor, message, turn)
        order = actor.order
        if order is not None and order.open and order.cancelling:
            actor.end("CANCELED", "", message.reason, turn)

    with wrapped(WorkActor.RECEIVE, CancelOrder, cancel):
        yield


@plant
def a_cancelled_parent_goes_on() -> Iterator[None]:
    with bent(work_, "stopped", lambda works, now: works):
        yield


@plant
def a_reservation_is_released_twice() -> Iterator[None]:
    def rebalance(was: Any, *order: Any, **more: Any) -> None:
        was(*order, **more)
        was(*order, **more)

    with wrapped(WorkActor, "rebalance", rebalance):
        yield


@plant
def the_window_of_an_algorithm_is_ignored() -> Iterator[None]:
    def decide(was: Any, works: Any, *rest: Any) -> Any:
        decision = was(replace(works, end=works.end + LATER, closing=works.closing + LATER), *rest)
        kept = replace(decision.works, end=works.end, closing=works.closing)
        return replace(decision, works=works if kept == works else kept)

    with wrapped(work_module, "decide", decide):
        yield


@plant
def what_is_held_has_no_end() -> Iterator[None]:
    def on_time(was: Any, spec: Any, held: Any, now: datetime, closable: Any) -> Any:
        return was(spec, replace(held, ends_at=None), now, closable) if held.ends_at else was(spec, held, now, closable)

    with wrapped(held_module.emulate, "on_time", on_time):
        yield


@plant
def what_waited_past_the_end_of_its_parent_passes_the_gate() -> Iterator[None]:
    with bent(gate, "late", lambda *_: None):
        yield


@plant
def a_refused_cancel_is_asked_for_again_at_once() -> Iterator[None]:
    with bent(Again, "due", lambda again, actions, children, now: actions):
        yield


@plant
def the_price_bound_is_ignored() -> Iterator[None]:
    with bent(bounds, "within", lambda works, price: price):
        yield


@plant
def a_client_modifies_a_child() -> Iterator[None]:
    def modify(was: Any, actor: OrderActor, message: ModifyOrder, turn: Turn) -> None:
        order = actor.order
        if order is None or not order.ticket.parent:
            was(actor, message, turn)
            return
        actor.parts[""] = replace(order, ticket=replace(order.ticket, parent=""))
        was(actor, message, turn)
        actor.parts[""] = replace(actor.parts[""], ticket=order.ticket)

    with wrapped(OrderActor.RECEIVE, ModifyOrder, modify):
        yield


@plant
def nobody_wakes_a_parent() -> Iterator[None]:
    with bent(WorkActor, "due", property(lambda actor: None)):
        yield


@plant
def a_parent_ends_while_a_child_is_open() -> Iterator[None]:
    def foremost(was: Any, works: Any, progress: Any, now: datetime) -> Any:
        if now >= works.end:
            progress = replace(progress, working=Decimal(0), children=())
        return was(works, progress, now)

    with wrapped(deciding, "foremost", foremost):
        yield


@plant
def an_order_that_ends_keeps_its_allowance() -> Iterator[None]:
    def allowed(was: Any, actor: VenueActor, event: Any) -> None:
        if event.quantity:
            was(actor, event)

    with wrapped(VenueActor.APPLY, venue_module.ParentAllowed, allowed):
        yield
