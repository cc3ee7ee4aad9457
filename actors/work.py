"""An order that is worked at our side: it decides which children to send, as an algorithm says or when its time comes.

Its children are ordinary orders, each at `order/<id>`; what becomes of them is told here. It asks again at its wake-up,
when a child changes, and when market data comes that it waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from actors import gross, grouped, held, regimes, windows
from actors.again import Again
from actors.order import OrderActor
from actors.turn import Turn
from engine import emulate
from engine import order as order_
from engine import work as work_
from engine.algos import contract as algo
from engine.algos.work import decide
from engine.commands import (
    AllowParent,
    CancelOrder,
    ChangeReservation,
    ChildReport,
    MarketMoved,
    ModifyOrder,
    Recover,
    ReplaceApproved,
    Reprice,
    StartOrder,
    StartWork,
    Tick,
)
from engine.control_commands import Constrain
from engine.grouping import ReleaseOrder, ResizeOrder
from engine.messages import ExecutionCommand
from engine.order import Order
from engine.values import ZERO, OrderStatus, add, is_multiple, multiply, subtract
from engine.working import Piece, Work

FOLLOWING: Final = frozenset({"POV", "ICEBERG", "SNIPER", "ADAPTIVE", "IMMEDIATE"})
"""Algorithms that look at the market again and again."""
LOOK_EVERY: Final = timedelta(seconds=1)
_MOMENTS: Final = 50
"""Into so many parts the second is divided among orders, so that thousands do not all look at once."""
_MOMENT: Final = LOOK_EVERY / _MOMENTS


class WorkActor(OrderActor):
    """`order/work-…`: a parent order; the only part of its state is the order, with its `work` in it."""

    __slots__ = ("_again", "_asked", "_counted", "_repriced", "wake")
    ticking = True

    def __init__(self, address: str, parts: dict[str, Any]) -> None:
        super().__init__(address, parts)
        self.wake: datetime | None = None
        self._asked = False
        """Whether the algorithm was asked since this process has the order in memory."""
        self._counted: Decimal | None = None
        """The instrument's volume up to which `work.volume` counts."""
        self._repriced: datetime | None = None
        """When children were last asked to change their price."""
        self._again = Again()

    @property
    def due(self) -> datetime | None:
        order = self.order
        if order is None or not order.open:
            return None
        return self.wake if self._asked else order.updated_at

    # begin and end

    def _begin(self, message: StartWork, turn: Turn) -> None:
        if self.parts:
            return
        ticket = message.ticket
        turn.record(
            work_.WorkStarted(
                at=turn.now,
                order_id=self.id,
                subscriber_id=ticket.subscriber_id,
                exchange=ticket.exchange,
                symbol=ticket.symbol,
                ticket=ticket,
                spec=message.spec,
                works=message.works,
                held=message.held,
                reason=message.reason,
            )
        )
        turn.tell(f"venue/{ticket.venue}", AllowParent(order_id=self.id, quantity=ticket.quantity))
        waiting = message.held
        if waiting is not None and waiting.ends_at is not None and turn.now >= waiting.ends_at:
            self.end("EXPIRED", "TIME_OVER", "its time was over before it began", turn)
        elif waiting is not None and message.release is not None:
            held.release(self, waiting, message.release, turn)
        self.drive(turn)

    def end(self, status: Any, code: str, reason: str, turn: Turn) -> None:
        order: Order = self.parts[""]
        ticket, rest = order.ticket, order.working
        missed = emulate.missed(work_.working(order).spec, order.filled)
        if missed is not None:
            code, reason = missed.code, f"{reason}: {missed.reason}" if reason else missed.reason
        about = order_.about(order, turn.now)
        turn.record(work_.WorkEnded(**about, status=status, code=code, reason=reason, filled=order.filled))
        self.reserve_less(order, rest, turn, status, reason)
        turn.tell(f"venue/{ticket.venue}", AllowParent(order_id=self.id, quantity=ZERO))
        if missed is not None:
            turn.alarm(code, self.address, reason)
        if ticket.group:
            grouped.ended(order, status, turn)

    def reserve_less(
        self, order: Order, units: Decimal, turn: Turn, ended: OrderStatus | None = None, reason: str = ""
    ) -> None:
        """Gives units of the reservation back to the subscriber; below zero it takes more. `ended`: as what it is
        over, where that is why."""
        if not units:
            return
        ticket = order.ticket
        turn.tell(
            ticket.owner,
            ChangeReservation(
                order_id=self.id,
                exchange=ticket.exchange,
                symbol=ticket.symbol,
                side=ticket.side,
                working=units,
                reserved=multiply(multiply(units, order.reserve_price), ticket.multiplier),
                ended=ended,
                reason=reason,
            ),
        )
        gross.moved(self.parts[""], None, turn)

    # what happens to it

    def drive(self, turn: Turn) -> None:
        """Asks what is to be done now."""
        self._asked = True
        order = self.order
        if order is None or not order.open:
            held.unwatch(self, turn)
            return
        work = work_.working(order)
        if work.works is not None:
            self._ask_algorithm(order, work, work.works, turn)
        elif work.held is not None:
            held.follow(self, emulate.on_time(work.spec, work.held, turn.now, held.NO_CLOSABLE), turn)

    def _ask_algorithm(self, order: Order, work: Work, works: algo.Works, turn: Turn) -> None:
        instrument = order.ticket.instrument
        total = turn.market.volume(instrument)
        counted = total if self._counted is None else self._counted
        volume = work.volume + subtract(total, counted)
        self._counted = counted
        quote = turn.market.quote(instrument, turn.now)
        market = algo.Market(
            bid=None if quote is None else quote.bid,
            ask=None if quote is None else quote.ask,
            bid_size=None if quote is None else quote.bid_size,
            ask_size=None if quote is None else quote.ask_size,
            last=turn.market.last(instrument),
            volume=volume,
        )
        decision = decide(regimes.urgent(works, turn), work_.progress(order), market, turn.now)
        self.wake = decision.wake
        if works.algorithm in FOLLOWING:
            look = self.next_look(turn.now)
            self.wake = look if decision.wake is None or look < decision.wake else decision.wake
        actions = regimes.allowed(decision.actions, order, turn)
        if self._must_wait(order, actions, turn):
            self.wake = turn.now + LOOK_EVERY
            return
        if decision.works is works and not actions:
            return
        due = self._again.due(actions, work.children, turn.now)
        if len(due) < len(actions):
            actions, self.wake = due, turn.now + LOOK_EVERY
        pieces, asked = self._placed(order, work, actions, turn), _asked(actions)
        if works.participation is not None:
            self._counted = total
        about = order_.about(order, turn.now)
        if decision.works is not works or pieces or asked:
            turn.record(
                work_.WorkMoved(
                    **about,
                    works=None if decision.works is works else decision.works,
                    placed=tuple(piece for piece, _ in pieces),
                    asked=asked,
                    volume=volume if works.participation is not None else None,
                )
            )
        self._tell_children(order, pieces, actions, turn)
        for action in actions:
            if isinstance(action, algo.Finish):
                over: Any = "FILLED" if action.ending == "FILLED" else "CANCELED" if order.cancelling else "EXPIRED"
                self.end(over, action.ending if action.ending == "SHORTFALL" else "", action.reason, turn)

    def next_look(self, now: datetime) -> datetime:
        """This order's own moment of the next second: of two orders with other ids, mostly another."""
        mine = int(self.id[-4:], 16) % _MOMENTS * _MOMENT
        second = now.replace(microsecond=0) + mine
        return second if second > now else second + LOOK_EVERY

    def _must_wait(self, order: Order, actions: Sequence[algo.Action], turn: Turn) -> bool:
        """Whether this cannot be done now: the venue is away, or it has just refused another price."""
        sends = any(isinstance(action, algo.Place | algo.Replace) for action in actions)
        if sends and not self.sendable(order, _units(actions), turn):
            return True
        if any(isinstance(action, algo.Replace) for action in actions):
            if self._repriced is not None and turn.now < self._repriced + LOOK_EVERY:
                return True
            self._repriced = turn.now
        return False

    def sendable(self, order: Order, more: Decimal, turn: Turn) -> bool:
        """Whether the gate would let anything through to the venue, and the controls so many units more."""
        venue = turn.peek(self.venue_of(order))
        if venue is None or not venue.up or venue.paused:
            return False
        left = windows.left(order.ticket, turn)
        return (left is None or left > 0) and regimes.lets(order, more, turn)

    def _placed(
        self, order: Order, work: Work, actions: Sequence[algo.Action], turn: Turn
    ) -> list[tuple[Piece, algo.Place]]:
        """The children to be sent, with ids of their own."""
        ticket = order.ticket
        pieces: list[tuple[Piece, algo.Place]] = []
        for action in actions:
            if isinstance(action, algo.Place):
                leg = work.placed + len(pieces)
                piece = Piece(
                    order_id=turn.order_id(ticket.venue, ticket.subscriber_id, self.id, leg),
                    quantity=action.quantity,
                    working=action.quantity,
                    limit_price=action.limit_price,
                )
                pieces.append((piece, action))
        return pieces

    def _tell_children(
        self, order: Order, pieces: Sequence[tuple[Piece, algo.Place]], actions: Sequence[algo.Action], turn: Turn
    ) -> None:
        for piece, place in pieces:
            self.send(order, piece, place.order_type, place.time_in_force, turn)
        venue = turn.peek(f"venue/{order.ticket.venue}")
        modifies = venue is not None and venue.capabilities is not None and venue.capabilities.modify
        for action in actions:
            if isinstance(action, algo.Cancel):
                turn.tell(f"order/{action.child_id}", CancelOrder(reason=f"by {self.id}"))
            elif isinstance(action, algo.Replace) and modifies:
                reprice = Reprice(quantity=action.quantity, limit_price=action.limit_price)
                windows.sent(order.ticket, turn)
                turn.tell(f"order/{action.child_id}", reprice)
            elif isinstance(action, algo.Replace):
                # Another is sent at the new price when this one is gone.
                turn.tell(f"order/{action.child_id}", CancelOrder(reason=f"by {self.id}, for another price"))

    def send(self, order: Order, piece: Piece, order_type: Any, time_in_force: Any, turn: Turn) -> None:
        child = work_.child_ticket(
            order.ticket,
            piece.order_id,
            piece.quantity,
            order_type,
            piece.limit_price,
            time_in_force,
            turn.now,
            work_.ends_at(work_.working(order)),
        )
        turn.tell(f"order/{piece.order_id}", StartOrder(ticket=child))
        windows.sent(order.ticket, turn)

    # children

    def _child(self, report: ChildReport, turn: Turn) -> None:
        order = self.order
        if order is None:
            return
        # A group sees itself to what is refused.
        waits = report.asked and not order.ticket.group
        turn.record(
            work_.ChildMoved(
                **order_.about(order, turn.now),
                child=replace(report.child, pending=True) if waits else report.child,
                open=report.open,
                filled=report.filled,
                notional=report.notional,
                commission=report.commission,
                released=report.released,
            )
        )
        moved: Order = self.parts[""]
        self.reserve_less(order, subtract(subtract(order.working, report.released), moved.working), turn)
        if order.ticket.group:
            grouped.child(self, order, report, turn)
        after: Order = self.parts[""]
        work = work_.working(after)
        if after.open and work.held is not None and not work.children:
            held.child_over(self, after, work, work.held, turn)
        self.drive(turn)

    # commands

    def _tick_work(self, _: Tick, turn: Turn) -> None:
        self.drive(turn)
        order = self.order
        if order is not None and work_.working(order).held is not None:
            held.insist(self, turn)
            held.watch(self, turn)

    def _recover_work(self, _: Recover, turn: Turn) -> None:
        self.drive(turn)

    def _cancel_work(self, message: CancelOrder, turn: Turn) -> None:
        order, command = self.order, message.command
        refusal = self._not_theirs(command)
        if refusal is None and order is not None:
            if not order.open:
                refusal = ("ORDER_CLOSED", f"order_id: {self.id} is {order.status} already")
            elif not order.cancelling:
                about = order_.about(order, turn.now)
                command_id = command.command_id if command else ""
                turn.record(work_.WorkStopped(**about, reason=message.reason, command_id=command_id))
                waiting = work_.working(order).held
                if waiting is not None:
                    held.follow(self, emulate.on_cancel(waiting, message.reason), turn)
                else:
                    self.drive(turn)
        self._answer(command, message.reply_to, refusal, turn)

    def _modify_work(self, message: ModifyOrder, turn: Turn) -> None:
        order, command = self.order, message.command
        refusal = self._not_theirs(command) or self._unamendable(command)
        if refusal is not None or order is None:
            self._answer(command, message.reply_to, refusal, turn)
            return
        self.ask_review(order, message, turn)

    def _unamendable(self, command: ExecutionCommand) -> tuple[str, str] | None:
        """Why the order cannot be changed so: while it works, its price may only become stricter."""
        order: Order = self.parts[""]
        works = work_.working(order).works
        if order.status not in ("WORKING", "PARTIALLY_FILLED") or works is None:
            what = order.status if works is not None else "held at our side"
            return "NOT_MODIFIABLE", f"order_id: {self.id} is {what}; cancel it and send another"
        quantity, price, limit = command.quantity, command.limit_price, order.limit_price
        if quantity is not None and quantity <= order.filled:
            return "BELOW_FILLED", f"quantity: {order.filled} of {self.id} is filled already, got {quantity}"
        if quantity is not None and not is_multiple(quantity, works.parent.lot_size):
            return "OFF_LOT", f"quantity: {quantity} is not a multiple of lot_size {works.parent.lot_size}"
        if price is not None and limit is not None and (price > limit if order.ticket.side == "BUY" else price < limit):
            return "NOT_MODIFIABLE", f"limit_price: {price} is looser than {limit}, at which {self.id} is reserved"
        return None

    def _amend(self, message: ReplaceApproved, turn: Turn) -> None:
        order = self.order
        refusal = self._not_theirs(message.command) or self._unamendable(message.command)
        if refusal is None and order is not None:
            ticket = message.ticket
            turn.record(
                work_.WorkAmended(
                    **order_.about(order, turn.now),
                    quantity=ticket.quantity,
                    limit_price=ticket.limit_price,
                    command_id=message.command.command_id,
                )
            )
            after: Order = self.parts[""]
            self.reserve_less(order, subtract(order.working, after.working), turn)
            turn.tell(f"venue/{ticket.venue}", AllowParent(order_id=self.id, quantity=ticket.quantity))
            if order.ticket.group:
                grouped.amended(order, ticket.quantity, turn)
            self.drive(turn)
        self._answer(message.command, message.reply_to, refusal, turn)

    def _folded(self, event: Any) -> None:
        self.put("", work_.after(self.parts.get(""), event))

    RECEIVE: ClassVar[Any] = {
        StartWork: _begin,
        ChildReport: _child,
        MarketMoved: held.market,
        CancelOrder: _cancel_work,
        ModifyOrder: _modify_work,
        ReplaceApproved: _amend,
        Tick: _tick_work,
        Recover: _recover_work,
        Constrain: regimes.constrain,
        ReleaseOrder: grouped.released,
        ResizeOrder: grouped.resized,
    }
    APPLY: ClassVar[Any] = dict.fromkeys(work_.FOLDED, _folded)


def _units(actions: Sequence[algo.Action]) -> Decimal:
    """What new children come to."""
    total = ZERO
    for action in actions:
        if isinstance(action, algo.Place):
            total = add(total, action.quantity)
    return total


def _asked(actions: Sequence[algo.Action]) -> tuple[str, ...]:
    """The children that are asked to change or to end."""
    return tuple(action.child_id for action in actions if isinstance(action, algo.Cancel | algo.Replace))
