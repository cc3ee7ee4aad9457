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

from actors import gross, grouped, held, lost, modified, placing, reducing, regimes, release, resize, supervise, windows
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
    StartOrder,
    StartWork,
    Tick,
)
from engine.control_commands import Constrain
from engine.grouping import RefuseMember, ReleaseOrder, ResizeOrder
from engine.order import Order
from engine.reducing import PositionMoved
from engine.values import ZERO, OrderStatus, subtract, summed
from engine.working import Piece, Work

FOLLOWING: Final = frozenset({"POV", "ICEBERG", "SNIPER", "ADAPTIVE"})
"""Algorithms that look at the market again and again."""
LOOK_EVERY: Final = timedelta(seconds=1)
_MOMENTS: Final = 50
"""Into so many parts the second is divided among orders, so that thousands do not all look at once."""
_MOMENT: Final = LOOK_EVERY / _MOMENTS


class WorkActor(OrderActor):
    """`order/work-…`: a parent order; the only part of its state is the order, with its `work` in it."""

    __slots__ = ("_asked", "_counted", "_repriced", "again", "wake")
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
        self.again = Again()

    @property
    def due(self) -> datetime | None:
        order = self.order
        if order is None or (not order.open and lost.gone(order)):
            return None
        return self.wake if self._asked else order.updated_at

    @property
    def done(self) -> bool:
        order = self.order
        return order is None or (not order.open and lost.gone(order))

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
        kill = supervise.stopped(ticket, turn)
        if kill is not None:
            self.end("CANCELED", kill.code, kill.reason, turn)
        elif waiting is not None and waiting.ends_at is not None and turn.now >= waiting.ends_at:
            self.end("EXPIRED", "TIME_OVER", "its time was over before it began", turn)
        elif waiting is not None and message.release is not None:
            release.send(self, waiting, message.release, turn)
        self.drive(turn)

    def end(self, status: Any, code: str, reason: str, turn: Turn) -> None:
        order: Order = self.parts[""]
        ticket, work = order.ticket, work_.working(order)
        if work.amended and status == "CANCELED" and not work.children:
            status, code = "FILLED", ""
        if work.ended and status != "FILLED":
            reason = f"{reason}; {work.ended}" if reason else work.ended
        missed = None if work.amended else emulate.missed(work.spec, order.filled)
        if missed is not None:
            code, reason = missed.code, f"{reason}: {missed.reason}" if reason else missed.reason
        about = order_.about(order, turn.now)
        turn.record(work_.WorkEnded(**about, status=status, code=code, reason=reason, filled=order.filled))
        self.rebalance(order, turn, ended=status, reason=reason)
        turn.tell(f"venue/{ticket.venue}", AllowParent(order_id=self.id, quantity=ZERO))
        if missed is not None:
            turn.alarm(code, self.address, reason)
        if ticket.group:
            grouped.ended(order, status, turn)
        reducing.watch(self, turn)

    def rebalance(
        self,
        before: Order,
        turn: Turn,
        released: Decimal = ZERO,
        reserved: Decimal = ZERO,
        ended: OrderStatus | None = None,
        reason: str = "",
    ) -> None:
        """Gives back to the owner what the order has reserved less than before, but for what a fill released; below
        zero it takes more. `ended`: as what it is over, where that is why."""
        after: Order = self.parts[""]
        units = subtract(subtract(before.working, released), after.working)
        amount = subtract(subtract(before.reserved, reserved), after.reserved)
        if not units and not amount and not (ended and after.working):
            return
        ticket = after.ticket
        turn.tell(
            ticket.owner,
            ChangeReservation(
                order_id=self.id,
                exchange=ticket.exchange,
                symbol=ticket.symbol,
                side=ticket.side,
                working=units,
                reserved=amount,
                ended=ended,
                reason=reason,
            ),
        )
        gross.moved(after, None, turn)

    def resize(self, quantity: Decimal, reason: str, turn: Turn) -> None:
        """The order is for this quantity from now on, as its reservation and the gate are."""
        resize.amend(self, quantity, turn, reason)

    # what happens to it

    def drive(self, turn: Turn) -> None:
        """Asks what is to be done now."""
        self._asked = True
        order = self.order
        if order is None or not order.open:
            held.unwatch(self, turn)
            if order is not None:
                lost.chase(self, turn)
            return
        work = work_.working(order)
        if work.works is not None:
            self._ask_algorithm(order, work, work.works, turn)
        elif work.held is not None:
            held.drive(self, turn)
        lost.give_up(self, turn)

    def _ask_algorithm(self, order: Order, work: Work, works: algo.Works, turn: Turn) -> None:
        if reducing.only(order):
            if not reducing.level(self, turn):
                self.wake = turn.now + LOOK_EVERY
                return
            order = self.parts[""]
            work = work_.working(order)
            works = works if work.works is None else work.works
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
            last=turn.market.last(instrument, turn.now),
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
        due = self.again.due(actions, work.children, turn.now)
        if len(due) < len(actions):
            actions, self.wake = due, turn.now + LOOK_EVERY
        pieces, asked = placing.pieces(self, order, work, actions, turn), placing.asked(actions)
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
        placing.tell(self, order, pieces, actions, turn)
        for action in actions:
            if isinstance(action, algo.Finish):
                over: Any = "FILLED" if action.ending == "FILLED" else "CANCELED" if order.cancelling else "EXPIRED"
                why = f"{order.reason}; {action.filled} filled" if order.cancelling else action.reason
                self.end(over, action.ending if action.ending == "SHORTFALL" else "", why, turn)

    def next_look(self, now: datetime) -> datetime:
        """This order's own moment of the next second: of two orders with other ids, mostly another."""
        mine = int(self.id[-4:], 16) % _MOMENTS * _MOMENT
        second = now.replace(microsecond=0) + mine
        return second if second > now else second + LOOK_EVERY

    def _must_wait(self, order: Order, actions: Sequence[algo.Action], turn: Turn) -> bool:
        """Whether this cannot be done now: the venue is away, or it has just refused another price."""
        sends = any(isinstance(action, algo.Place | algo.Replace) for action in actions)
        more = summed(action.quantity for action in actions if isinstance(action, algo.Place))
        if sends and not self.sendable(order, more, turn):
            return True
        if any(isinstance(action, algo.Replace) for action in actions):
            if self._repriced is not None and turn.now < self._repriced + LOOK_EVERY:
                return True
            self._repriced = turn.now
        return False

    def sendable(self, order: Order, more: Decimal, turn: Turn) -> bool:
        """Whether the gate would let anything through to the venue, and the controls so many units more."""
        venue = turn.peek(self.venue_of(order))
        if venue is None or not venue.takes:
            return False
        left = windows.left(order.ticket, turn)
        return (left is None or left > 0) and regimes.lets(order, more, turn)

    def send(
        self,
        order: Order,
        piece: Piece,
        order_type: Any,
        time_in_force: Any,
        turn: Turn,
        display: Decimal | None = None,
    ) -> None:
        ticket = order.ticket
        if order.reserve_price != ticket.reserve_price:
            ticket = replace(ticket, reserve_price=order.reserve_price)
        child = work_.child_ticket(
            ticket,
            piece.order_id,
            piece.quantity,
            order_type,
            piece.limit_price,
            time_in_force,
            turn.now,
            work_.ends_at(work_.working(order)),
            display,
        )
        turn.tell(f"order/{piece.order_id}", StartOrder(ticket=child))
        windows.sent(order.ticket, turn)

    # children

    def _child(self, report: ChildReport, turn: Turn) -> None:
        order = self.order
        if order is None:
            return
        # Whoever has it resized (its group, its position) sees to what is refused, until it has to end.
        resized = work_.resizable(order) or (reducing.only(order) and not order.cancelling)
        waits = report.asked and not resized
        turn.record(
            work_.ChildMoved(
                **order_.about(order, turn.now),
                child=replace(report.child, pending=True) if waits else report.child,
                open=report.open,
                filled=report.filled,
                notional=report.notional,
                commission=report.commission,
                released=report.released,
                ended=report.ended,
            )
        )
        gross.moved(self.parts[""], None, turn)
        self.rebalance(order, turn, report.released, report.reserved)
        if order.ticket.group:
            grouped.child(order, report, turn)
        if work_.working(order).held is not None:
            resize.child(self, order, report, turn)
            if report.ended:
                held.stopped(self, report, turn)
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

    def _position_moved(self, _: PositionMoved, turn: Turn) -> None:
        self.drive(turn)

    def _recover_work(self, _: Recover, turn: Turn) -> None:
        self.drive(turn)

    def _cancel_work(self, message: CancelOrder, turn: Turn) -> None:
        order, command = self.order, message.command
        refusal = self.not_theirs(command)
        if refusal is None and order is not None:
            if not order.open:
                refusal = ("ORDER_CLOSED", f"order_id: {self.id} is {order.status} already")
            elif not order.cancelling:
                self.stop(order, message.reason, command.command_id if command else "", turn)
        self.answer(command, message.reply_to, refusal, turn)

    def stop(self, order: Order, reason: str, command_id: str, turn: Turn, amended: bool = False) -> None:
        about = order_.about(order, turn.now)
        turn.record(work_.WorkStopped(**about, reason=reason, command_id=command_id, amended=amended))
        waiting = work_.working(order).held
        if waiting is not None:
            held.follow(self, emulate.on_cancel(waiting, reason), turn)
        else:
            self.drive(turn)

    def _folded(self, event: Any) -> None:
        self.put("", work_.after(self.parts.get(""), event))

    RECEIVE: ClassVar[Any] = {
        StartWork: _begin,
        ChildReport: _child,
        MarketMoved: held.market,
        CancelOrder: _cancel_work,
        ModifyOrder: modified.modify,
        ReplaceApproved: modified.approved,
        Tick: _tick_work,
        Recover: _recover_work,
        Constrain: regimes.constrain,
        ReleaseOrder: grouped.released,
        ResizeOrder: grouped.resized,
        RefuseMember: grouped.refuse,
        PositionMoved: _position_moved,
    }
    APPLY: ClassVar[Any] = dict.fromkeys(work_.FOLDED, _folded)
