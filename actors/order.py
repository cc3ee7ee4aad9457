"""An order at work: sends it, hears the venue, asks where there is silence, and tells its subscriber what to book.

What a report means is decided in `engine.order`; here every event has its consequence, in one table.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, get_args

from actors import child, gross
from actors.actor import Actor
from actors.turn import Turn
from engine import events as e
from engine import hearing
from engine import order as order_
from engine import reports as r
from engine.commands import (
    AskAbout,
    BookFill,
    CancelChild,
    CancelOrder,
    CancelRefused,
    ChangeReservation,
    CommandDone,
    ModifyOrder,
    Recover,
    ReplaceApproved,
    ReplaceChild,
    Reprice,
    ReviewReplace,
    StartOrder,
    SubmitChild,
    Tick,
    Ticket,
)
from engine.instructions import PLAIN_TYPES
from engine.messages import ExecutionCommand, Outcome
from engine.order import Order
from engine.values import ZERO, subtract

ACK_S: Final = 5
"""Seconds of silence after which the venue is asked."""
SETTLE_S: Final = 2
"""Seconds between the venue's not knowing an order and asking it again."""
_SECOND: Final = timedelta(seconds=1)


class OrderActor(Actor):
    """`order/<order_id>`: one order, the only part of its state."""

    __slots__ = ()
    kind = "order"
    PARTS: ClassVar[Any] = {"": Order}
    timed = True

    @property
    def order(self) -> Order | None:
        """The order, or None before it was started."""
        return self.parts.get("")

    @property
    def done(self) -> bool:
        order = self.parts.get("")
        return order is None or order.status in order_.TERMINAL

    @property
    def due(self) -> datetime | None:
        order: Order | None = self.parts.get("")
        if order is None:
            return None
        wait = order_.patience(order, ACK_S, SETTLE_S)
        if wait is not None and order.waiting_since is not None:
            return order.waiting_since + wait * _SECOND
        expires = order.ticket.expires_at
        if expires is None or not order.open:
            return None
        # A venue that forgets to say that the day is over is asked, now and then.
        return max(expires + ACK_S * _SECOND, order.updated_at + 10 * SETTLE_S * _SECOND)

    # from the subscriber

    def _start(self, message: StartOrder, turn: Turn) -> None:
        if self.parts:
            return
        ticket = message.ticket
        turn.record(hearing.started(ticket, turn.now))
        turn.tell(
            self.venue_at(ticket),
            SubmitChild(
                ticket=ticket,
                client_order_id=ticket.order_id,
                quantity=ticket.quantity,
                limit_price=ticket.limit_price,
            ),
        )

    def _cancel(self, message: CancelOrder, turn: Turn) -> None:
        """Always passes for an open order; a second cancel is the first one again."""
        order, command = self.order, message.command
        refusal = self.not_theirs(command)
        if refusal is None and order is not None:
            if order.status in order_.TERMINAL:
                refusal = ("ORDER_CLOSED", f"order_id: {self.id} is {order.status} already")
            elif order.status != "PENDING_CANCEL":
                self.record(
                    e.CancelRequested(
                        **order_.about(order, turn.now),
                        reason=message.reason,
                        command_id=command.command_id if command else "",
                    ),
                    turn,
                )
        self.answer(command, message.reply_to, refusal, turn)

    def _modify(self, message: ModifyOrder, turn: Turn) -> None:
        order, command = self.order, message.command
        refusal = self.not_theirs(command)
        if refusal is None and order is not None and order.ticket.parent:
            refusal = "NOT_MODIFIABLE", f"order_id: {self.id} is a part of {order.ticket.parent}; change that"
        if refusal is None and order is not None and order_.completes(order, command):
            for event in order_.completion(order, command.command_id, turn.now):
                self.record(event, turn)
            self.answer(command, message.reply_to, None, turn)
            return
        refusal = refusal or order_.unmodifiable(order, command, turn.peek(self.venue_of(order)))
        if refusal is not None or order is None:
            self.answer(command, message.reply_to, refusal, turn)
            return
        turn.tell(order.ticket.owner, self.review(order, message))

    def review(self, order: Order, message: ModifyOrder) -> ReviewReplace:
        """What the subscriber is to judge: the order as a modification makes it."""
        command = message.command
        return ReviewReplace(
            command=command,
            reply_to=message.reply_to,
            ticket=order.ticket,
            quantity=order.quantity if command.quantity is None else command.quantity,
            limit_price=order.limit_price if command.limit_price is None else command.limit_price,
            filled=order.filled,
            working=order.working,
            reserved=order.reserved,
            waits=order.ticket.order_type not in PLAIN_TYPES,
        )

    def _replace(self, message: ReplaceApproved, turn: Turn) -> None:
        order, ticket = self.order, message.ticket
        refusal = order_.unmodifiable(order, message.command, turn.peek(self.venue_of(order)))
        if refusal is None and order is not None:
            waits = ticket.order_type not in PLAIN_TYPES  # at the venue, for a price that may be dearer than now's
            self.record(
                e.ReplaceRequested(
                    **order_.about(order, turn.now),
                    command_id=message.command.command_id,
                    quantity=ticket.quantity,
                    limit_price=ticket.limit_price,
                    reserve_price=max(ticket.reserve_price, order.reserve_price) if waits else ticket.reserve_price,
                ),
                turn,
            )
            turn.tell(
                f"venue/{ticket.venue}",
                ReplaceChild(
                    ticket=ticket,
                    client_order_id=self.id,
                    venue_order_id=order.venue_order_id,
                    quantity=ticket.quantity,
                    limit_price=ticket.limit_price,
                ),
            )
        self.answer(message.command, message.reply_to, refusal, turn)

    def not_theirs(self, command: ExecutionCommand | None) -> tuple[str, str] | None:
        order = self.order
        if order is None or (command is not None and command.subscriber_id != order.ticket.subscriber_id):
            return "UNKNOWN_ORDER", f"order_id: there is no order {self.id} of this subscriber"
        return None

    def _reachable(self, order: Order, turn: Turn) -> bool:
        venue = turn.peek(self.venue_of(order))
        return venue is not None and bool(venue.up)

    def _resendable(self, order: Order, turn: Turn) -> bool:
        venue, desk = turn.peek(self.venue_of(order)), turn.peek("desk/main")
        if venue is None or venue.capabilities is None or (desk is not None and desk.killed):
            return False
        return bool(venue.takes and venue.capabilities.deduplicates)

    def venue_of(self, order: Order | None) -> str:
        """The address of the venue that an order goes to."""
        return self.venue_at(order.ticket) if order is not None else "venue/"

    def venue_at(self, ticket: Ticket) -> str:
        """The address of the venue that this ticket is for."""
        return f"venue/{ticket.venue}"

    def answer(
        self, command: ExecutionCommand | None, reply_to: str, refusal: tuple[str, str] | None, turn: Turn
    ) -> None:
        code, reason = refusal or (None, None)
        if command is None:
            status: Any = "ACCEPTED" if refusal is None else "DENIED"
            outcome = Outcome(request_id=None, status=status, code=code, reason=reason, orders=(self.id,))
            turn.reply(outcome, reply_to or None)
            return
        done = CommandDone(command=command, reply_to=reply_to, code=code, reason=reason, order_id=self.id)
        turn.tell(f"subscriber/{command.subscriber_id}", done)

    # from the venue, and from the clock

    def _report(self, report: Any, turn: Turn) -> None:
        order: Order | None = self.parts.get("")
        if order is None:
            reason = f"a venue reports {type(report).__name__} of an order that this engine never made: {report!r}"
            turn.alarm("UNKNOWN_ORDER", self.address, reason)
            return
        resendable = report.__class__ is r.NotFound and self._resendable(order, turn)
        events = hearing.hear(order, report, turn.now, resendable)
        if not events:
            turn.count("stale reports")
        for event in events:
            self.record(event, turn)

    def _tick(self, _: Tick, turn: Turn) -> None:
        order = self.order
        if order is None or not order.open:
            return
        if not self._reachable(order, turn):
            return  # the session's coming up asks about every open order
        about = order_.about(order, turn.now)
        since = order.waiting_since or order.ticket.expires_at
        self.record(e.OrderAsked(**about, reason=f"{order.status}, and no word from the venue since {since}"), turn)
        if order.asks == order_.MAX_ASKS:
            reason = f"{order.status} since {since}: the venue was asked {order.asks} times and answered nothing"
            turn.alarm("NO_ANSWER", self.address, reason)

    def _recover(self, _: Recover, turn: Turn) -> None:
        """The venue's session came up, and it was asked about all open orders at once: the answer is awaited."""
        order = self.order
        if order is not None and order.open and self._reachable(order, turn):
            turn.record(e.OrderAsked(**order_.about(order, turn.now), reason="the venue's session came up"))

    def record(self, event: e.OrderEvent, turn: Turn) -> None:
        """Records an event and tells its consequences: what leaves the reservation, and what the event asks for."""
        before: Order = self.parts[""]
        turn.record(event)
        after: Order = self.parts[""]
        ticket = after.ticket
        if after.working is before.working and after.reserve_price is before.reserve_price:
            working = reserved = ZERO  # What most events leave as it is need not be multiplied out.
        else:
            working = subtract(before.working, after.working)
            reserved = subtract(before.reserved, after.reserved)
        if event.__class__ is e.OrderFilled:
            self._book(event, before, working, reserved, turn)
        elif ticket.parent:
            child.report(self, before, after, ZERO, turn)
        elif working or reserved:
            closed = event.__class__ is e.OrderClosed
            turn.tell(
                ticket.owner,
                ChangeReservation(
                    order_id=self.id,
                    exchange=ticket.exchange,
                    symbol=ticket.symbol,
                    side=ticket.side,
                    working=working,
                    reserved=reserved,
                    ended=event.status if closed else None,  # type: ignore[attr-defined]  # of an OrderClosed
                    reason=_why(before, event) if closed else "",
                ),
            )
        if turn.rules.controls is not None and (working or reserved or event.__class__ is e.OrderFilled):
            gross.moved(after, getattr(event, "fill", None), turn)
        consequence = _CONSEQUENCES.get(event.__class__)
        if consequence is not None:
            consequence(self, event, after, turn)

    def _book(self, event: Any, before: Order, working: Decimal, reserved: Decimal, turn: Turn) -> None:
        ticket = before.ticket
        book = BookFill(ticket=ticket, fill=event.fill, working=working, reserved=reserved)
        turn.tell(ticket.owner, book)
        if ticket.parent:
            child.report(self, before, self.parts[""], working, turn)
        if before.status == "REJECTED":
            turn.alarm("FILL_AFTER_REJECT", self.address, f"booked all the same: {event.fill!r}")

    def _ask_cancel(self, event: e.CancelRequested, order: Order, turn: Turn) -> None:
        cancel = CancelChild(client_order_id=self.id, venue_order_id=order.venue_order_id)
        turn.tell(self.venue_of(order), cancel)

    def _ask(self, event: e.OrderAsked, order: Order, turn: Turn) -> None:
        turn.tell(self.venue_of(order), AskAbout(client_order_id=self.id))

    def _resend(self, event: e.OrderResent, order: Order, turn: Turn) -> None:
        turn.tell(
            f"venue/{order.ticket.venue}",
            SubmitChild(
                ticket=order.ticket,
                client_order_id=self.id,
                quantity=order.quantity,
                limit_price=order.limit_price,
                resend=True,
            ),
        )

    def _refused(self, event: e.AmendRefused, order: Order, turn: Turn) -> None:
        ticket = order.ticket
        if event.what == "CANCEL":
            turn.tell(
                ticket.owner,
                CancelRefused(order_id=self.id, exchange=ticket.exchange, symbol=ticket.symbol, reason=event.reason),
            )

    def _lost(self, event: e.OrderLost, order: Order, turn: Turn) -> None:
        turn.alarm("ORDER_UNKNOWN", self.address, event.reason)

    def _impossible(self, event: e.ReportImpossible, order: Order, turn: Turn) -> None:
        turn.alarm("IMPOSSIBLE_REPORT", self.address, f"{event.reason} {event.report}")

    def _changed(self, event: e.OrderEvent) -> None:
        self.put("", order_.after(self.parts.get(""), event))

    RECEIVE: ClassVar[Any] = {
        StartOrder: _start,
        CancelOrder: _cancel,
        ModifyOrder: _modify,
        ReplaceApproved: _replace,
        Reprice: child.reprice,
        Tick: _tick,
        Recover: _recover,
        **dict.fromkeys(get_args(r.OrderReport), _report),
    }
    APPLY: ClassVar[Any] = dict.fromkeys((e.OrderStarted, *order_.FOLDED), _changed)


def _why(before: Order, event: Any) -> str:
    """Why an order is over: what it was cancelled for, where it was, and what the venue says."""
    return f"{before.reason}; {event.reason}" if before.cancelling and before.reason else str(event.reason)


_CONSEQUENCES: Final[dict[type, Callable[[OrderActor, Any, Order, Turn], None]]] = {
    e.CancelRequested: OrderActor._ask_cancel,
    e.OrderAsked: OrderActor._ask,
    e.OrderResent: OrderActor._resend,
    e.AmendRefused: OrderActor._refused,
    e.OrderLost: OrderActor._lost,
    e.ReportImpossible: OrderActor._impossible,
}
