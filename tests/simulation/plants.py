"""Mistakes planted on purpose: each is one that somebody could make, and that the simulation has to find.

A plant is a context manager that bends the engine while it is open. The product has no switch for any of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from actors import steering
from actors.order import OrderActor
from actors.partition import Partition
from actors.post import PostActor
from actors.subscriber import SubscriberActor
from actors.turn import Turn
from actors.venue import VenueActor
from engine import aims, gate, hearing, ledger
from engine import events as e
from engine import order as order_module
from engine import reports as r
from engine.commands import BookFill, Recover, StartOrder, Tick
from engine.order import about
from engine.post import Envelope
from engine.transitions import Row
from tests.simulation.disk import Disk
from tests.simulation.node import Node
from tests.simulation.planting import bent, plant, wrapped

# the journal and the loop


def _early(node: Node, run: Any, now: datetime, kinds: tuple[str, ...]) -> None:
    run(node, now)
    for batch in node.waiting[-1:]:
        for letter in [letter for letter in batch.outgoing if letter.to.startswith(kinds)]:
            batch.outgoing.remove(letter)
            node.audit.leaves(letter, node.disk)
            node.leave(letter)


@plant
def orders_are_sent_before_the_commit() -> Iterator[None]:
    with wrapped(Node, "run", lambda run, node, now: _early(node, run, now, ("port/",))):
        yield


@plant
def replies_leave_before_the_commit() -> Iterator[None]:
    with wrapped(Node, "run", lambda run, node, now: _early(node, run, now, ("reply/",))):
        yield


@plant
def undelivered_mail_is_not_stored() -> Iterator[None]:
    def end(was: Any, partition: Partition, batch: Any) -> Any:
        ended = was(partition, batch)
        batch.left.clear()
        return ended

    with wrapped(Partition, "_end", end):
        yield


@plant
def what_was_loaded_before_it_began_leaves_memory_when_it_has() -> Iterator[None]:
    def committed(was: Any, partition: Partition, batch: Any) -> None:
        for _, actor in partition._finished:
            if not actor.done and actor.touched <= batch.sequence:
                partition.actors.pop(actor.address, None)
        was(partition, batch)

    with wrapped(Partition, "committed", committed):
        yield


@plant
def idempotency_keys_are_not_stored() -> Iterator[None]:
    def commit(was: Any, disk: Disk, batches: Any) -> None:
        was(disk, batches)
        disk._priors.clear()

    with wrapped(Disk, "commit_now", commit):
        yield


@plant
def the_kill_switch_is_forgotten_by_a_restart() -> Iterator[None]:
    def start(was: Any, disk: Any) -> Any:
        disk._parts.pop("desk/main", None)
        return was(disk)

    with wrapped(Disk.__mro__[1], "start_now", start):
        yield


@plant
def a_failed_turn_leaves_its_events() -> Iterator[None]:
    def undo(was: Any, partition: Partition, actor: Any, batch: Any, marks: tuple[int, int]) -> None:
        was(partition, actor, batch, (len(batch.events), marks[1]))

    with wrapped(Partition, "_undo", undo):
        yield


@plant
def the_position_in_the_stream_runs_ahead() -> Iterator[None]:
    def consumed(was: Any, partition: Partition, cursor: str, position: int) -> None:
        was(partition, cursor, position + 1)

    with wrapped(Partition, "consumed", consumed):
        yield


@plant
def mail_overtakes_what_waits_for_the_same_actor() -> Iterator[None]:
    def park(was: Any, partition: Partition, letters: Any) -> None:
        partition.mail.extend(letters)

    with wrapped(Partition, "_park", park), wrapped(Partition, "_unpark", lambda *_: None):
        yield


# orders


@plant
def a_fill_is_not_remembered() -> Iterator[None]:
    def filled(was: Any, order: Any, event: Any) -> Any:
        return replace(was(order, event), executions=())

    with wrapped(order_module._AFTER, e.OrderFilled, filled):
        yield


@plant
def silence_means_rejected() -> Iterator[None]:
    def tick(was: Any, actor: OrderActor, message: Tick, turn: Turn) -> None:
        order = actor.order
        if order is not None and order.status == "SUBMITTING":
            actor.record(
                e.OrderClosed(**about(order, turn.now), status="REJECTED", reason="silence", filled=order.filled), turn
            )
        else:
            was(actor, message, turn)

    with wrapped(OrderActor.RECEIVE, Tick, tick):
        yield


@plant
def silence_means_send_again() -> Iterator[None]:
    def tick(was: Any, actor: OrderActor, message: Tick, turn: Turn) -> None:
        order = actor.order
        if order is not None and order.status == "SUBMITTING":
            actor.record(e.OrderResent(**about(order, turn.now)), turn)
        else:
            was(actor, message, turn)

    with wrapped(OrderActor.RECEIVE, Tick, tick), bent(gate, "check", lambda *_: None):
        yield


@plant
def an_order_is_submitted_twice_and_the_gate_forgets() -> Iterator[None]:
    def start(was: Any, actor: OrderActor, message: StartOrder, turn: Turn) -> None:
        was(actor, message, turn)
        turn.told += [letter for letter in turn.told if letter.to.startswith("venue/")]

    def sent(was: Any, actor: VenueActor, event: e.ChildSent) -> None:
        was(actor, event)
        actor.put("", replace(actor.venue, last_order_id=""))

    with wrapped(OrderActor.RECEIVE, StartOrder, start), wrapped(VenueActor.APPLY, e.ChildSent, sent):
        yield


@plant
def an_overfill_is_clamped() -> Iterator[None]:
    def filled(was: Any, order: Any, report: r.Filled, at: datetime) -> Any:
        most = order.quantity - order.filled
        return was(order, replace(report, quantity=min(most, report.quantity)), at) if most else ()

    with wrapped(hearing._HEAR, r.Filled, filled):
        yield


@plant
def a_late_fill_on_a_cancelled_order_is_dropped() -> Iterator[None]:
    with bent(hearing.TABLE, ("CANCELED", r.Filled), Row("stale", "The order is over.")):
        yield


@plant
def a_snapshot_is_adopted_whatever_it_counts() -> Iterator[None]:
    def snapshot(was: Any, order: Any, report: r.Snapshot, at: datetime) -> Any:
        return was(order, replace(report, filled=order.filled), at)

    with wrapped(hearing._HEAR, r.Snapshot, snapshot):
        yield


@plant
def the_end_of_an_order_is_believed_whatever_it_counts() -> Iterator[None]:
    def canceled(was: Any, order: Any, report: r.Canceled, at: datetime) -> Any:
        return was(order, replace(report, filled=None), at)

    with wrapped(hearing._HEAR, r.Canceled, canceled):
        yield


@plant
def a_cancel_is_forgotten_while_the_order_is_unknown() -> Iterator[None]:
    def requested(was: Any, order: Any, event: Any) -> Any:
        return replace(was(order, event), cancelling=False)

    with wrapped(order_module._AFTER, e.CancelRequested, requested):
        yield


@plant
def a_refused_cancel_means_the_order_works() -> Iterator[None]:
    def refused(was: Any, order: Any, event: Any) -> Any:
        return was(replace(order, venue_order_id=order.venue_order_id or "?"), event)

    def heard(was: Any, order: Any, report: Any, at: datetime) -> Any:
        return was(order, report, at)[:1]

    with (
        wrapped(order_module._AFTER, e.AmendRefused, refused),
        wrapped(hearing._HEAR, r.CancelRejected, heard),
    ):
        yield


@plant
def nobody_asks_again_after_a_session_came_up() -> Iterator[None]:
    with bent(OrderActor.RECEIVE, Recover, lambda actor, message, turn: None):
        yield


# money


@plant
def a_cancel_does_not_release_the_reservation() -> Iterator[None]:
    def record(was: Any, actor: OrderActor, event: Any, turn: Turn) -> None:
        was(actor, event, turn)
        if isinstance(event, e.OrderClosed) and event.status == "CANCELED":
            turn.told[:] = [letter for letter in turn.told if not letter.to.startswith("subscriber/")]

    with wrapped(OrderActor, "record", record):
        yield


@plant
def commission_is_not_charged() -> Iterator[None]:
    def settle(was: Any, balance: Any, fill: Any) -> Any:
        return was(balance, replace(fill, commission=fill.commission * 0))

    with wrapped(ledger, "settle", settle):
        yield


@plant
def a_fill_that_adds_to_a_short_is_booked_at_another_price() -> Iterator[None]:
    def book(was: Any, actor: SubscriberActor, message: BookFill, turn: Turn) -> None:
        held = actor.parts.get(f"position/{message.fill.exchange}:{message.fill.symbol}")
        if held is not None and held.quantity < 0 and message.fill.side == "SELL":
            message = replace(message, fill=replace(message.fill, price=message.fill.price + 1))
        was(actor, message, turn)

    with wrapped(SubscriberActor.RECEIVE, BookFill, book):
        yield


@plant
def open_orders_do_not_count_against_limits() -> Iterator[None]:
    def request(was: Any, actor: SubscriberActor, *rest: Any) -> Any:
        kept = dict(actor.positions)
        for instrument, held in kept.items():
            actor.positions[instrument] = replace(held, working_buy=0 * held.quantity, working_sell=0 * held.quantity)
        try:
            return was(actor, *rest)
        finally:
            actor.positions.update(kept)

    with wrapped(SubscriberActor, "_decide", request):
        yield


# targets


@plant
def an_order_that_a_target_cancels_counts_as_over() -> Iterator[None]:
    def working(was: Any, *rest: Any, **more: Any) -> Any:
        return tuple(order for order in was(*rest, **more) if not order.cancelling)

    with wrapped(aims, "working", working):
        yield


@plant
def a_target_is_not_steered_when_a_cancel_is_confirmed() -> Iterator[None]:
    def steer(was: Any, *rest: Any, **more: Any) -> None:
        if len(rest) < 6 or rest[5] is None:
            was(*rest, **more)

    with wrapped(steering, "heard", steer):
        yield


@plant
def a_target_is_reached_though_orders_of_others_may_still_fill() -> Iterator[None]:
    with wrapped(aims, "steer", lambda was, *rest, **more: replace(was(*rest, **more), rests_on=())):
        yield


@plant
def a_target_that_waits_for_cash_is_forgotten() -> Iterator[None]:
    with bent(steering, "funded", lambda *_: None):
        yield


# mail between partitions


@plant
def mail_of_another_partition_is_taken_twice() -> Iterator[None]:
    def envelope(was: Any, actor: PostActor, message: Envelope, turn: Turn) -> None:
        if message.sequence == actor.posted.received:
            turn.redeliver(message.to, bytes(message.message))
            turn.record(e.MailTaken(at=turn.now, sequence=message.sequence))
        was(actor, message, turn)

    with wrapped(PostActor.RECEIVE, Envelope, envelope):
        yield


@plant
def mail_of_another_partition_is_taken_out_of_order() -> Iterator[None]:
    def envelope(was: Any, actor: PostActor, message: Envelope, turn: Turn) -> None:
        if message.sequence > actor.posted.received:
            turn.record(e.MailTaken(at=turn.now, sequence=message.sequence))
            turn.redeliver(message.to, bytes(message.message))
        else:
            was(actor, message, turn)

    with wrapped(PostActor.RECEIVE, Envelope, envelope):
        yield


@plant
def mail_that_was_lost_is_not_repeated() -> Iterator[None]:
    with bent(PostActor.RECEIVE, Tick, lambda *_: None), bent(PostActor.RECEIVE, Recover, lambda *_: None):
        yield
