"""A member's order in a block: an order like any other, at a block in a venue's place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from actors.order import OrderActor
from actors.turn import Turn
from engine.blocks import address_of
from engine.commands import CancelOrder, ModifyOrder, Recover, Ticket
from engine.order import Order

GATHER: Final = timedelta(seconds=30)
"""How long it waits for those who are to be in the same block, which are only ever late where a turn of theirs failed.
"""


class PartActor(OrderActor):
    """`order/part-…`: holds its subscriber's reservation, and is filled by the block alone."""

    __slots__ = ()

    def venue_at(self, ticket: Ticket) -> str:
        return address_of(ticket.strategy_id, ticket.signal_id)

    @property
    def due(self) -> datetime | None:
        order = self.order
        if order is None or order.status != "SUBMITTING" or order.waiting_since is None:
            return None  # Whatever a block says of its members it says to all, and by durable mail.
        return order.waiting_since + GATHER

    def _reachable(self, order: Order, turn: Turn) -> bool:
        return True

    def _stop(self, message: CancelOrder, turn: Turn) -> None:
        """What the engine cancels (a kill, a regime) ends the whole block; a member cannot leave it alone."""
        order, command = self.order, message.command
        refusal = self.not_theirs(command)
        if order is None or refusal is not None or not order.open:
            refusal = refusal or ("ORDER_CLOSED", f"order_id: {self.id} is over already")
        elif command is not None:
            refusal = self._shared(order)
        else:
            turn.tell(self.venue_at(order.ticket), CancelOrder(reason=message.reason))
        self.answer(command, message.reply_to, refusal, turn)

    def _change(self, message: ModifyOrder, turn: Turn) -> None:
        order = self.order
        refusal = self.not_theirs(message.command)
        if refusal is None and order is not None:
            refusal = self._shared(order)
        self.answer(message.command, message.reply_to, refusal, turn)

    def _shared(self, order: Order) -> tuple[str, str]:
        block = self.venue_at(order.ticket).removeprefix("block/")
        return "IN_BLOCK", f"order_id: {self.id} is a part of {block}; only the order of the whole can be cancelled"

    def _wait(self, _: Recover, turn: Turn) -> None:
        """Nothing was lost: a block's mail is as durable as its members."""

    RECEIVE: ClassVar[Any] = {
        **OrderActor.RECEIVE,
        CancelOrder: _stop,
        ModifyOrder: _change,
        Recover: _wait,
    }
