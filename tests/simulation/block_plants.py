"""Mistakes planted in how blocks are worked and shared."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from actors import block as block_module
from actors import blocked
from actors.block import BlockActor
from actors.turn import Turn
from engine import blocks as b
from engine.commands import BookFill, ChangeReservation
from engine.order import Order
from tests.simulation.planting import bent, plant, wrapped


@plant
def a_block_is_a_lot_larger_than_its_members_want() -> Iterator[None]:
    def order(
        was: Any, block: str, request: Any, spec: Any, side: Any, short: Any, quantity: Any, leg: int, turn: Turn
    ) -> Any:
        return was(block, request, spec, side, short, quantity + spec.lot_size, leg, turn)

    with wrapped(blocked, "order", order):
        yield


@plant
def a_block_keeps_the_commission() -> Iterator[None]:
    def shared(was: Any, *args: Any) -> Any:
        return tuple(replace(part, commission=Decimal(0)) for part in was(*args))

    with wrapped(block_module, "settle", shared):
        yield


@plant
def a_block_floors_every_share() -> Iterator[None]:
    def shared(was: Any, whole: Any, tally: Any) -> Any:
        total = whole.total
        parts = []
        for claim, part in zip(whole.claims, was(whole, tally), strict=True):
            lots = claim.quantity * tally.quantity // total // whole.lot
            parts.append(replace(part, quantity=lots * whole.lot) if part.quantity else part)
        return tuple(parts)

    with wrapped(block_module, "settle", shared):
        yield


@plant
def a_block_settles_at_its_first_fill() -> Iterator[None]:
    def book(was: Any, actor: BlockActor, message: BookFill, turn: Turn) -> None:
        was(actor, message, turn)
        order_id = message.ticket.parent or message.ticket.order_id
        if actor.parts[f"o/{order_id}"].working:
            actor._settle(order_id, "FILLED", "", True, turn)

    with wrapped(BlockActor.RECEIVE, BookFill, book):
        yield


@plant
def a_block_never_hears_that_its_order_ended() -> Iterator[None]:
    with bent(BlockActor.RECEIVE, ChangeReservation, lambda *_: None):
        yield


@plant
def a_block_drops_what_fills_after_its_end() -> Iterator[None]:
    def book(was: Any, actor: BlockActor, message: BookFill, turn: Turn) -> None:
        order_id = message.ticket.parent or message.ticket.order_id
        if not actor.parts[f"o/{order_id}"].settlements:
            was(actor, message, turn)

    with wrapped(BlockActor.RECEIVE, BookFill, book):
        yield


@plant
def a_venue_is_asked_about_parts_of_blocks() -> Iterator[None]:
    with bent(Order, "at_venue", property(lambda order: order.work is None)):
        yield


@plant
def a_member_answers_a_block_twice() -> Iterator[None]:
    """Its order is counted again when it is told again."""

    def answered(was: Any, parts: Any, event: Any) -> Any:
        return [
            (part, replace(value, quantity=value.quantity * 2) if part and value.order_id else value)
            for part, value in was(parts, event)
        ]

    with wrapped(b.FOLD, b.MemberAnswered, answered):
        yield
