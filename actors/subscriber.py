"""A subscriber: takes requests, decides how much and whether, and books what its orders fill.

Parts of its state: the profile, `position/<instrument>`, `cash/<currency>`, `subscription/<strategy>`,
`target/<instrument>`; each is a row of its own, so that an order writes what it changed and nothing else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from msgspec.structs import replace

from actors import amend, enlisted, gross, grouped, membership, reducing, regimes, steering, supervise, targets
from actors.actor import Actor
from actors.candidate import Candidate
from actors.turn import Turn
from actors.worked import prepare
from engine import account, ledger
from engine import events as e
from engine.aims import Aim
from engine.allocate import NO_FACTS, allocate, leverage
from engine.blocks import Enlist, Measure
from engine.commands import (
    BookFill,
    CancelRefused,
    ChangeReservation,
    CommandDone,
    Introduce,
    ReviewReplace,
    SetStatus,
    StartOrder,
)
from engine.config import Limits, effective
from engine.control_commands import FollowRegime
from engine.controls import RegimeInForce, scaled
from engine.exposure import Exposure, expose
from engine.figures import Figures, measure
from engine.idempotency import Conflict, compare, fingerprint, key_of
from engine.ledger import Balance, Position
from engine.messages import CashMovement, ExecutionCommand, ExecutionRequest, Outcome, Subscriber, Subscription
from engine.methods import Allocation, PercentChange, RiskBased
from engine.reducing import AskPosition, PositionMoved
from engine.refusal import Refusal
from engine.risk import check, pre_checks
from engine.sizing import Facts, Share, Sizing
from engine.subscriber import Profile
from engine.target_messages import TargetPositions
from engine.values import ZERO, subtract
from engine.weighed import Weights


class SubscriberActor(Actor):
    """`subscriber/<id>`: everything that belongs to one subscriber is decided and booked here, one turn at a time."""

    __slots__ = ("_limits", "aims", "balances", "positions")
    kind = "subscriber"
    PARTS: ClassVar[Any] = {
        "": Profile,
        "position": Position,
        "cash": Balance,
        "subscription": Subscription,
        "target": Aim,
    }

    def __init__(self, address: str, parts: dict[str, Any]) -> None:
        super().__init__(address, parts)
        self._limits: tuple[Any, Any, RegimeInForce | None, Limits] | None = None
        self.positions: dict[str, Position] = {}
        """By instrument: the same values as in `parts`, so that no request has to look for them among all parts."""
        self.balances: dict[str, Balance] = {}
        """By currency; likewise."""
        self.aims: dict[str, Aim] = {}
        """By instrument; likewise."""
        self._sort()

    def _sort(self) -> None:
        self.positions = {part[9:]: value for part, value in self.parts.items() if part.startswith("position/")}
        self.balances = {part[5:]: value for part, value in self.parts.items() if part.startswith("cash/")}
        self.aims = {part[7:]: value for part, value in self.parts.items() if part.startswith("target/")}

    def put(self, part: str, value: Any) -> None:
        # What `Actor.put` does, a call less for each of four parts an order.
        parts, changes = self.parts, self.changes
        if part not in changes:
            changes[part] = parts.get(part)
        parts[part] = value
        if part.startswith("position/"):
            self.positions[part[9:]] = value
        elif part.startswith("cash/"):
            self.balances[part[5:]] = value
        elif part.startswith("target/"):
            self.aims[part[7:]] = value

    def drop(self, part: str) -> None:
        super().drop(part)
        self._sort()

    def undo(self) -> None:
        super().undo()
        self._sort()

    @property
    def profile(self) -> Profile | None:
        """Who this is, or None where nobody made it known."""
        return self.parts.get("")

    def limits(self, turn: Turn) -> Limits:
        """The limits in force: the subscriber's own, the configuration's where it has none, under the regime."""
        profile = self.profile
        own = Limits() if profile is None else profile.limits
        kept, regime = self._limits, supervise.regime(turn)
        if kept is None or kept[0] is not own or kept[1] is not turn.rules.limits or kept[2] is not regime:
            limits = scaled(effective(turn.rules.limits, own), regime)
            kept = self._limits = (own, turn.rules.limits, regime, limits)
        return kept[3]

    # requests

    def request(self, request: ExecutionRequest, turn: Turn, member: Enlist | None = None) -> None:
        """Decides a request: approved orders on their way, or a denial; answered once and for good. `member`: as what
        it is asked of those who share or work a signal together."""
        key, asked = key_of(request), fingerprint(request)
        if self.answered_before(request.request_id, key, asked, turn):
            enlisted.decline(self, member, turn)
            return
        decided = self._decide(request, turn) if member is None else self._decide_together(member, turn)
        if isinstance(decided, Refusal):
            self._deny(request, key, asked, decided, None, None, turn)
            enlisted.decline(self, member, turn)
            return
        in_block = member is not None and member.block
        if decided.supervised:
            asks = supervise.asked(request, self.id, decided.venue, decided.figures, in_block=in_block)
            refusal, weights = supervise.judge(asks, turn)
        else:
            refusal, weights = check(decided.figures), None
            if refusal is not None:
                supervise.alarm(refusal, supervise.asked(request, self.id, decided.venue, decided.figures), turn)
        if refusal is not None:
            self._deny(request, key, asked, refusal, decided.sizing, decided.figures, turn, weights)
            enlisted.decline(self, member, turn)
            return
        turn.pace.add(self.id, turn.now)
        ticket = decided.ticket(request, self.id, key, turn, in_block)
        worked = None if in_block else decided.worked
        said = None if worked is None else worked.unused
        outcome = Outcome(request_id=request.request_id, status="ACCEPTED", reason=said, orders=(ticket.order_id,))
        turn.record(
            e.RequestAccepted(
                at=turn.now,
                job_id="job" + ticket.order_id[-37:],
                key=key,
                fingerprint=asked,
                request_id=request.request_id,
                signal_id=request.signal_id,
                strategy_id=request.strategy_id,
                subscriber_id=self.id,
                tickets=(ticket,),
                sizing=decided.sizing,
                figures=decided.figures,
                weights=weights,
                honoured=() if worked is None or worked.here else worked.spec.honoured,
            )
        )
        turn.answered(self.id, key, asked, outcome)
        start = StartOrder(ticket=ticket) if worked is None else worked.start(ticket)
        turn.tell(f"order/{ticket.order_id}", start)
        if request.group is not None:
            grouped.joins(request.group, ticket, decided.spec.lot_size, turn)
        turn.reply(outcome)
        if decided.supervised:
            gross.placed(ticket, turn)

    def _decide_together(self, member: Enlist, turn: Turn) -> Candidate | Refusal:
        """The same of a signal that is shared or worked together."""
        if member.code:
            return Refusal(member.code, member.reason)
        request = enlisted.alone(member.request) if member.block else member.request
        return self._decide(request, turn, member.share)

    def allocation(self, request: ExecutionRequest) -> Allocation | None:
        """How this signal is sized, None where it is not followed."""
        subscription: Subscription | None = self.parts.get(f"subscription/{request.strategy_id}")
        return None if subscription is None or not subscription.active else subscription.allocation

    def _decide(self, request: ExecutionRequest, turn: Turn, share: Share | None = None) -> Candidate | Refusal:
        """Everything up to the figures that `check` judges, or why it does not come to that."""
        rules, now, profile = turn.rules, turn.now, self.profile
        spec = rules.instrument(request.exchange, request.symbol)
        route = turn.routed(request.exchange, request.symbol)
        desk = turn.peek("desk/main")
        killed = desk is not None and desk.killed
        status = None if profile is None else profile.status
        refusal = pre_checks(request, now, killed, status, rules.config.allow, spec, route)
        if refusal is not None or spec is None or route is None or profile is None:
            return refusal or Refusal("NO_ROUTE", "exchange: no venue is routed for it")
        controls = None if desk is None else desk.controls
        if controls is not None and (refusal := supervise.killed(request, self.id, route.name, turn)) is not None:
            return refusal
        allocation: Allocation | None = None
        if request.subscriber_id is None:
            allocation = self.allocation(request)
            if allocation is None:
                return Refusal("NOT_SUBSCRIBED", f"strategy_id: no active subscription to {request.strategy_id}")
        end = rules.session_end(spec.calendar, now) if request.time_in_force == "DAY" else None
        if end is None and request.time_in_force == "DAY":
            return Refusal("NO_SESSION", f"time_in_force: calendar {spec.calendar} has no session after {now}")
        instrument = f"{request.exchange}:{request.symbol}"
        position = self.positions.get(instrument)
        if position is None:
            position = ledger.flat(request.exchange, request.symbol, spec.currency, spec.multiplier)
        prices = turn.market.prices(now)
        reference = prices.get(instrument)
        exposure = expose(spec.currency, self.balances, self.positions, prices)
        closable, facts = ZERO, NO_FACTS
        if request.intent == "CLOSE" or isinstance(allocation, PercentChange):
            closable = ledger.closable(position)
        if isinstance(allocation, PercentChange | RiskBased):
            facts = Facts(held=position.quantity, stop=request.stop_price)
        elif share is not None:
            facts = Facts(share=share)
        sized = allocate(request, allocation, spec, reference, exposure.equity, closable, facts)
        if isinstance(sized, Refusal):
            return sized
        quantity, limit, worked = sized.quantity, request.limit_price, None
        if request.plan is not None or not request.plain:
            if request.group is not None:
                position = grouped.counted(position, self.id, request.group, sized.side, turn)
            prepared = prepare(request, self.id, sized, route, spec, ledger.closable(position), turn)
            if isinstance(prepared, Refusal):
                return prepared
            worked, quantity, limit = prepared, prepared.spec.quantity, prepared.judged_at
        figures = measure(
            now,
            sized.side,
            quantity,
            limit,
            reference,
            position,
            exposure,
            self.day_equity(spec.currency, exposure, turn),
            turn.pace.rate(self.id, now),
            spec,
            self.limits(turn),
        )
        if worked is not None and worked.waits:
            figures = replace(figures, limit_price=None)
        account_ = profile.accounts.get(route.name, self.id)
        supervised = controls is not None or rules.controls is not None
        levered = leverage(request, allocation)
        return Candidate(spec, route.name, account_, end, sized.sizing, figures, levered, supervised, worked)

    def day_equity(self, currency: str, exposure: Exposure, turn: Turn) -> Decimal | None:
        """The equity that today opened with: this decision's, where it is the day's first."""
        if exposure.equity is None:
            return None
        balance = self.balances.get(currency)
        if balance is not None and balance.day == turn.today:
            return balance.day_equity
        turn.record(
            e.DayOpened(at=turn.now, subscriber_id=self.id, currency=currency, day=turn.today, equity=exposure.equity)
        )
        return exposure.equity

    def _deny(
        self,
        request: ExecutionRequest,
        key: str,
        asked: str,
        refusal: Refusal,
        sizing: Sizing | None,
        figures: Figures | None,
        turn: Turn,
        weights: Weights | None = None,
    ) -> None:
        outcome = Outcome(request_id=request.request_id, status="DENIED", code=refusal.code, reason=refusal.reason)
        turn.record(
            e.RequestDenied(
                at=turn.now,
                key=key,
                fingerprint=asked,
                request_id=request.request_id,
                signal_id=request.signal_id,
                strategy_id=request.strategy_id,
                subscriber_id=self.id,
                exchange=request.exchange,
                symbol=request.symbol,
                code=refusal.code,
                reason=refusal.reason,
                sizing=sizing,
                figures=figures,
                weights=weights,
            )
        )
        turn.answered(self.id, key, asked, outcome)
        turn.reply(outcome)

    def answered_before(self, request_id: str, key: str, asked: str, turn: Turn) -> bool:
        """Whether this key was decided; then it is answered again: EXISTS, or CONFLICT for something else."""
        prior = turn.prior(self.id, key)
        if prior is None:
            return False
        found = compare(prior.fingerprint, asked)
        if not isinstance(found, Conflict):
            turn.reply(
                Outcome(request_id=request_id, status="EXISTS", orders=prior.outcome.orders, original=prior.outcome)
            )
            return True
        reason = f"{found.field}: differs from what was asked before under the same {key}"
        refused = e.InputRefused(at=turn.now, subject=self.address, code="CONFLICT", reason=reason, excerpt=asked[:500])
        turn.record(refused)
        turn.reply(
            Outcome(request_id=request_id, status="CONFLICT", code="CONFLICT", reason=reason, original=prior.outcome)
        )
        return True

    # what orders report

    def _book(self, message: BookFill, turn: Turn) -> None:
        fill, ticket = message.fill, message.ticket
        before = account.position(self.parts, fill.exchange, fill.symbol, fill.currency, fill.multiplier)
        after = ledger.book(before, fill)
        turn.record(
            e.FillBooked(
                at=turn.now,
                trade_id=turn.trade_id(),
                subscriber_id=self.id,
                strategy_id=ticket.strategy_id,
                provenance=ticket.provenance,
                fill=fill,
                working=message.working,
                reserved=message.reserved,
                realized=subtract(after.realized, before.realized),
                position=after.quantity,
            )
        )
        if self.aims:
            instrument, order_id = f"{fill.exchange}:{fill.symbol}", ticket.parent or ticket.order_id
            steering.heard(self, instrument, order_id, message.working, turn)
        if turn.reducing:
            reducing.booked(ticket, turn)

    def _change_reservation(self, message: ChangeReservation, turn: Turn) -> None:
        turn.record(
            e.ReservationChanged(
                at=turn.now,
                subscriber_id=self.id,
                order_id=message.order_id,
                exchange=message.exchange,
                symbol=message.symbol,
                side=message.side,
                working=message.working,
                reserved=message.reserved,
            )
        )
        if self.aims:
            instrument = f"{message.exchange}:{message.symbol}"
            steering.heard(self, instrument, message.order_id, message.working, turn, message.ended, message.reason)

    def _show_position(self, message: AskPosition, turn: Turn) -> None:
        turn.tell(f"order/{message.order_id}", PositionMoved())

    def _fold(self, event: Any) -> None:
        for part, value in account.FOLD[event.__class__](self.parts, event):
            if value is None:
                self.drop(part)
            else:
                self.put(part, value)

    RECEIVE: ClassVar[Any] = {
        ExecutionRequest: request,
        Measure: enlisted.measure,
        Enlist: enlisted.enlist,
        ExecutionCommand: amend.command,
        CommandDone: amend.command_done,
        ReviewReplace: amend.review,
        TargetPositions: targets.targets,
        CancelRefused: steering.cancel_refused,
        BookFill: _book,
        ChangeReservation: _change_reservation,
        Subscriber: membership.upsert,
        Introduce: membership.introduce,
        CashMovement: membership.cash,
        SetStatus: membership.set_status,
        FollowRegime: regimes.follow,
        AskPosition: _show_position,
    }
    APPLY: ClassVar[Any] = dict.fromkeys(account.FOLD, _fold)
