"""A block: has the followers of a signal share one total, works their orders as one, and shares out what it fills.

Its members' orders are at a block as others are at a venue (`actors.part`), and the venue has one order of it, or more
where members are on both sides: what is told here about that one is what a subscriber is told. Nothing here waits for
the clock: a member's order that is left without an answer asks, and then the block goes on without who is missing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from msgspec import structs

from actors import blocked, regimes, windows
from actors.actor import Actor
from actors.turn import Turn
from engine import blocks as b
from engine import events as e
from engine import reports as r
from engine.block import GRAIN, Block, lot_for, settle, share_out
from engine.commands import (
    AskAbout,
    BookFill,
    CancelOrder,
    CancelRefused,
    ChangeReservation,
    CommandDone,
    ReviewReplace,
    SubmitChild,
    Ticket,
)
from engine.control_commands import FollowRegime
from engine.idempotency import Conflict, compare, fingerprint
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.sizing import Share
from engine.values import ZERO, OrderStatus, Side, add, summed


class BlockActor(Actor):
    """`block/<block_id>`: the block, a part a member and a part an order."""

    __slots__ = ()
    kind = "block"
    PARTS: ClassVar[Any] = {"": b.Gathered, "m": b.BlockMember, "o": b.BlockOrder}

    @property
    def gathered(self) -> b.Gathered | None:
        """The block, or None before its signal."""
        return self.parts.get("")

    # the group's total

    def _open(self, message: b.OpenBlock, turn: Turn) -> None:
        """Asks those who share a total what they count for, or everyone at once for its order."""
        gathered, asked = self.gathered, fingerprint(message.request)
        if gathered is not None:
            found = compare(fingerprint(gathered.request), asked)
            if isinstance(found, Conflict):
                reason = f"{found.field}: differs from the signal that this block is for"
                turn.record(
                    e.InputRefused(
                        at=turn.now, subject=self.address, code="CONFLICT", reason=reason, excerpt=asked[:500]
                    )
                )
            for one in message.members:
                if f"m/{one.subscriber_id}" not in self.parts:
                    late = f"signal_id: {self.id} was opened before {one.subscriber_id} followed the strategy"
                    closed = b.Enlist(request=message.request, block=False, code="BLOCK_CLOSED", reason=late)
                    turn.tell(f"subscriber/{one.subscriber_id}", closed)
            return
        turn.record(b.BlockOpened(at=turn.now, block_id=self.id, request=message.request, members=message.members))
        sharing = [one.subscriber_id for one in message.members if one.shares]
        for name in sharing:
            turn.tell(f"subscriber/{name}", b.Measure(request=message.request))
        if not sharing:
            self._share(turn)

    def _measured(self, message: b.Measured, turn: Turn) -> None:
        if not self._awaits(message.subscriber_id, "MEASURING"):
            return
        turn.record(
            b.MemberMeasured(at=turn.now, block_id=self.id, subscriber_id=message.subscriber_id, member=message.member)
        )
        if self.parts[""].waiting == 0:
            self._share(turn)

    def _share(self, turn: Turn) -> None:
        """Shares the total, and has everyone decide."""
        request: ExecutionRequest = self.parts[""].request
        awarded = self._awards(request, turn)
        shares: dict[str, Share] = {} if isinstance(awarded, Refusal) else awarded
        code, reason = (awarded.code, awarded.reason) if isinstance(awarded, Refusal) else ("", "")
        turn.record(
            b.BlockShared(
                at=turn.now,
                block_id=self.id,
                worked=request.block,
                awards=tuple(b.Award(name, share) for name, share in shares.items()),
                code=code,
                reason=reason,
            )
        )
        for name, member in b.members(self.parts).items():
            enlist = b.Enlist(request=request, block=request.block, share=shares.get(name))
            if member.shares and code:
                enlist = structs.replace(enlist, code=code, reason=reason)
            turn.tell(f"subscriber/{name}", enlist)

    def _awards(self, request: ExecutionRequest, turn: Turn) -> dict[str, Share] | Refusal:
        members = b.measured(self.parts)
        spec = turn.rules.instrument(request.exchange, request.symbol)
        whole = request.intent == "CLOSE" and request.quantity is None
        if not members or spec is None or whole:
            return {}
        if request.quantity is None:
            return Refusal("MISSING_SIZE", "quantity: a total that is shared over a group has to be given in units")
        return share_out(self.id, request.quantity, spec.lot_size, members)

    # the members' orders

    def _claimed(self, message: SubmitChild, turn: Turn) -> None:
        """A member's order arrives, as at a venue."""
        ticket = message.ticket
        if not self._awaits(ticket.subscriber_id, "SIZING"):
            reason = f"BLOCK_CLOSED: {self.id} went on without {ticket.subscriber_id}, or was stopped"
            self._tell(ticket.order_id, r.Rejected(client_order_id=ticket.order_id, reason=reason, at=turn.now), turn)
            return
        turn.record(
            b.MemberAnswered(
                at=turn.now,
                block_id=self.id,
                subscriber_id=ticket.subscriber_id,
                order_id=ticket.order_id,
                side=ticket.side,
                short_sale=ticket.short_sale,
                quantity=ticket.quantity,
            )
        )
        self._form_if_complete(turn)

    def _declined(self, message: b.Declined, turn: Turn) -> None:
        if not self._awaits(message.subscriber_id, "SIZING"):
            return
        turn.record(b.MemberAnswered(at=turn.now, block_id=self.id, subscriber_id=message.subscriber_id))
        self._form_if_complete(turn)

    def _asked(self, _: AskAbout, turn: Turn) -> None:
        """A member's order has waited for long: who has not answered by now is left out."""
        if self.parts[""].phase == "SIZING":
            self._form(turn)

    def _form_if_complete(self, turn: Turn) -> None:
        if self.parts[""].waiting == 0:
            self._form(turn)

    # the block's order

    def _form(self, turn: Turn) -> None:
        """One order a side for what its members want, and the answer to each of them."""
        gathered: b.Gathered = self.parts[""]
        request = gathered.request
        wanted: dict[tuple[Side, bool], Decimal] = {}
        for one in b.members(self.parts).values():
            if one.side is not None:
                key = one.side, one.short_sale
                wanted[key] = add(wanted.get(key, ZERO), one.quantity)
        spec = turn.rules.instrument(request.exchange, request.symbol)
        made: list[blocked.Made] = []
        refused: dict[tuple[Side, bool], Refusal] = {}
        for (side, short), quantity in wanted.items():
            order = blocked.order(self.id, gathered, spec, side, short, quantity, len(made), turn)
            if isinstance(order, Refusal):
                refused[side, short] = order
            else:
                made.append(order)
        first = next(iter(refused.values()), Refusal("", ""))
        turn.record(
            b.BlockFormed(
                at=turn.now,
                block_id=self.id,
                request_id=request.request_id,
                signal_id=request.signal_id,
                strategy_id=request.strategy_id,
                orders=tuple(ticket for ticket, _ in made),
                lot=GRAIN if spec is None else spec.lot_size,
                missing=gathered.waiting,
                code=first.code,
                reason=first.reason,
            )
        )
        for ticket, start in made:
            turn.tell(f"order/{ticket.order_id}", start)
            windows.sent(ticket, turn)
        names = {(ticket.side, ticket.short_sale): ticket.order_id for ticket, _ in made}
        for one in b.members(self.parts).values():
            if one.side is None:
                continue
            name, refusal = one.order_id, refused.get((one.side, one.short_sale))
            report: Any
            if refusal is None:
                order_id = names[one.side, one.short_sale]
                report = r.Accepted(client_order_id=name, venue_order_id=order_id, at=turn.now)
            else:
                reason = f"{refusal.code}: {refusal.reason}"
                report = r.Rejected(client_order_id=name, reason=reason, at=turn.now)
            self._tell(name, report, turn)

    def _stop(self, message: CancelOrder, turn: Turn) -> None:
        """Cancels the block's orders, as a kill or a regime wants of one of its members."""
        gathered = self.gathered
        if gathered is None or gathered.phase == "OVER":
            return
        for part, order in self.parts.items():
            if part.startswith("o/") and order.working:
                turn.tell(f"order/{part[2:]}", CancelOrder(reason=message.reason))
        if gathered.phase == "WORKING":
            return
        turn.record(b.BlockStopped(at=turn.now, block_id=self.id, reason=message.reason))
        for one in b.members(self.parts).values():
            if one.side is not None:
                canceled = r.Canceled(client_order_id=one.order_id, reason=message.reason, at=turn.now)
                self._tell(one.order_id, canceled, turn)

    # what its orders report

    def _book(self, message: BookFill, turn: Turn) -> None:
        order_id = message.ticket.parent or message.ticket.order_id
        turn.record(
            b.BlockFilled(at=turn.now, block_id=self.id, order_id=order_id, fill=message.fill, working=message.working)
        )
        order: b.BlockOrder = self.parts[f"o/{order_id}"]
        if not order.working or order.settlements:
            self._settle(order_id, order.ended or "FILLED", order.reason, bool(message.working), turn)

    def _released(self, message: ChangeReservation, turn: Turn) -> None:
        turn.record(b.BlockReleased(at=turn.now, block_id=self.id, order_id=message.order_id, working=message.working))
        order: b.BlockOrder = self.parts[f"o/{message.order_id}"]
        if message.ended or not order.working:
            ended, reason = (message.ended, message.reason) if message.ended else (order.ended, order.reason)
            self._settle(message.order_id, ended or "CANCELED", reason, bool(message.working), turn)

    def _settle(self, order_id: str, status: OrderStatus, reason: str, less: bool, turn: Turn) -> None:
        """An order is over, or filled after it was: everyone gets a share of what is not yet anybody's. `less`: less of
        it may fill from now on."""
        order: b.BlockOrder = self.parts[f"o/{order_id}"]
        ticket, tally, request = order.ticket, order.tally, self.parts[""].request
        claims = b.claims(self.parts, ticket, tally.quantity)
        wanted, lot = summed(claim.quantity for claim in claims), lot_for(order.lot, claims, tally)
        settled = b.BlockSettled(
            at=turn.now,
            block_id=self.id,
            request_id=request.request_id,
            signal_id=request.signal_id,
            strategy_id=request.strategy_id,
            exchange=ticket.exchange,
            symbol=ticket.symbol,
            side=ticket.side,
            order_id=order_id,
            settlement=order.settlements,
            status="FILLED" if tally.quantity >= wanted else status,
            reason=reason,
            lot=lot,
            tally=tally,
            parts=settle(Block(f"{order_id}/{order.settlements}", lot, claims), tally),
        )
        turn.record(settled)
        if tally.quantity > wanted:
            over = f"{tally.quantity} were filled where {wanted} were wanted: shared among all who ordered"
            turn.alarm("BLOCK_OVERFILLED", f"order/{order_id}", over)
        for part in settled.parts:
            member: b.BlockMember = self.parts[f"m/{part.subscriber_id}"]
            for filled in b.shares(settled, part, member.order_id):
                self._tell(member.order_id, filled, turn)
        if not order.working and (less or not order.settlements):
            self._close(ticket, status, reason, turn)

    def _close(self, ticket: Ticket, status: OrderStatus, reason: str, turn: Turn) -> None:
        """Nothing more can fill: the orders of those who wanted more are over."""
        for _, member in b.of(self.parts, ticket):
            if member.got < member.quantity:
                ends: OrderStatus = "CANCELED" if status == "REJECTED" and member.got else status
                self._tell(member.order_id, blocked.closing(member.order_id, ends, reason, turn), turn)

    def _tell(self, order_id: str, report: Any, turn: Turn) -> None:
        turn.tell(f"order/{order_id}", report)

    def _awaits(self, subscriber_id: str, phase: str) -> bool:
        """Whether this member's answer is still waited for."""
        gathered, known = self.gathered, self.parts.get(f"m/{subscriber_id}")
        return gathered is not None and known is not None and gathered.phase == phase and not known.answered

    # what a block does not do

    def _review(self, message: ReviewReplace, turn: Turn) -> None:
        """What the members want of it is what was approved for each of them."""
        done = CommandDone(
            command=message.command,
            reply_to=message.reply_to,
            code="NOT_MODIFIABLE",
            reason=f"order_id: {message.ticket.order_id} is for the members of {self.id}; cancel it instead",
            order_id=message.ticket.order_id,
        )
        turn.tell(f"subscriber/{message.command.subscriber_id}", done)

    def _regime(self, message: FollowRegime, turn: Turn) -> None:
        gathered = self.gathered
        for order_id in message.order_ids:
            order = turn.peek(f"order/{order_id}")
            if gathered is not None and order is not None and order.open:
                regimes.follow_in_block(gathered, order, message.reason, turn)

    def _unmoved(self, message: CancelRefused, turn: Turn) -> None:
        """Of a refused cancel its orders tell the world themselves."""

    def _fold(self, event: Any) -> None:
        for part, value in b.FOLD[event.__class__](self.parts, event):
            self.put(part, value)

    def _kept(self, _: e.InputRefused) -> None:
        """What is refused changes nothing."""

    RECEIVE: ClassVar[Any] = {
        b.OpenBlock: _open,
        b.Measured: _measured,
        SubmitChild: _claimed,
        b.Declined: _declined,
        AskAbout: _asked,
        CancelOrder: _stop,
        BookFill: _book,
        ChangeReservation: _released,
        ReviewReplace: _review,
        CancelRefused: _unmoved,
        FollowRegime: _regime,
    }
    APPLY: ClassVar[Any] = {**dict.fromkeys(b.FOLD, _fold), e.InputRefused: _kept}
