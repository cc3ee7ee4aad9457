"""The orders that targets are due: each past the checks before sizing and pre-trade risk, those before it counted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from actors import gross, supervise, windows
from actors.turn import Turn
from actors.worked import Prepared, prefix, prepare
from engine import ledger
from engine.aims import Aim, bounded, with_order
from engine.commands import CancelOrder, StartOrder, Ticket
from engine.config import InstrumentSpec
from engine.exposure import Exposure, expose
from engine.figures import Figures, measure
from engine.funding import FUNDS, Coming, awaited, reduced, with_coming
from engine.gate import Venue
from engine.identity import ORDERS_PER_BATCH
from engine.ledger import Position
from engine.messages import ExecutionRequest
from engine.plan import ExecutionPlan
from engine.refusal import Refusal
from engine.risk import check, pre_checks
from engine.sizing import Sized, Sizing, plain
from engine.steering import Moves, Step
from engine.values import ZERO, instrument_key, multiply
from engine.weighed import Weights

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor

MAX_ORDERS: Final = ORDERS_PER_BATCH // 4
"""Orders that one turn may send: a set has fewer targets, but ALL may close any number of positions. A batch that has
handed out as many order ids ends, so that the next turn has room."""


class Approved(Struct, frozen=True, gc=False):
    """An order that risk let pass, the figures it was judged by, and how it is worked where more is asked than a plain
    order."""

    ticket: Ticket
    figures: Figures
    asked: supervise.Asked | None = None
    """As the controls were asked, where they were."""
    worked: Prepared | None = None
    weights: Weights | None = None

    @property
    def how(self) -> str:
        """How it is worked, in words; '' for a plain order."""
        worked = self.worked
        if worked is None:
            return ""
        spec = worked.spec
        price = "" if spec.limit_price is None else f" at {plain(spec.limit_price)}"
        how = f"worked: {worked.reason}" if worked.reason else f"sent as {spec.order_type} {spec.time_in_force}{price}"
        return how if worked.unused is None else f"{how}; not used: {worked.unused}"


class Lacking(Struct, frozen=True, gc=False):
    """Why orders that would pass with what the set's sells are to bring may not be placed before."""

    refusal: Refusal


class Approvals:
    """The orders of one turn, judged one after another, each with those before it counted as working."""

    def __init__(self, actor: SubscriberActor, turn: Turn, dry: bool = False) -> None:
        """`dry`: nothing will be placed, so nobody is told of what is refused."""
        self.actor = actor
        self.turn = turn
        self._dry = dry
        self.refused: dict[str, tuple[Figures, Weights | None]] = {}
        """By instrument: the figures of orders that may not be placed, or not yet."""
        self._exposures: dict[str, Exposure] = {}
        self._coming: dict[str, Coming] = {}
        self._count = 0
        self._supervised = supervise.asks(turn)
        self._asked: list[supervise.Asked] = []
        switch = turn.peek("desk/main")
        self.killed = switch is not None and bool(switch.killed)

    def exposure(self, currency: str) -> Exposure:
        """The exposure in a currency, the orders approved in this turn included."""
        found = self._exposures.get(currency)
        if found is None:
            actor = self.actor
            found = expose(currency, actor.balances, actor.positions, self.turn.market.prices(self.turn.now))
            self._exposures[currency] = found
        return found

    def barred(self, aim: Aim) -> Refusal | None:
        """Why an aim's instrument may not be traded at all, or None."""
        turn, profile = self.turn, self.actor.profile
        order = self._order(aim, None, aim.plan)
        status = None if profile is None else profile.status
        spec, venue = turn.rules.instrument(aim.exchange, aim.symbol), turn.routed(aim.exchange, aim.symbol)
        refusal = pre_checks(order, turn.now, self.killed, status, turn.rules.config.allow, spec, venue)
        if refusal is None and venue is not None:
            refusal = supervise.killed(order, self.actor.id, venue.name, turn)
        return refusal

    def splits(self, exchange: str, symbol: str) -> bool:
        """Whether the venue wants a position closed before the other side of it is opened."""
        venue = self.turn.routed(exchange, symbol)
        return venue is not None and venue.capabilities is not None and venue.capabilities.closes_first

    def expect(self, spec: InstrumentSpec, held: Decimal, target: Decimal) -> None:
        """A position will be reduced to its target: what that is to bring counts for orders that lack it now."""
        price = self.turn.market.prices(self.turn.now).get(instrument_key(spec.exchange, spec.symbol))
        if price is not None:
            coming = self._coming.get(spec.currency, Coming())
            self._coming[spec.currency] = reduced(coming, held, target, price * spec.multiplier)

    def approve(self, aim: Aim, spec: InstrumentSpec, moves: Moves) -> list[Approved] | Lacking | Refusal:
        """The orders for what an aim is to send now, or why one of them may not be placed; then none is."""
        actor, turn, steps, found = self.actor, self.turn, moves.now, list[Approved]()
        if not steps:
            return found
        if self._count + len(steps) > MAX_ORDERS:
            return Refusal("TOO_MANY_ORDERS", f"targets: they come to more than {MAX_ORDERS} orders at once")
        end = turn.rules.session_end(spec.calendar, turn.now) if aim.time_in_force == "DAY" else None
        if end is None and aim.time_in_force == "DAY":
            return Refusal("NO_SESSION", f"time_in_force: calendar {spec.calendar} has no session after {turn.now}")
        plan, venue = bounded(aim, moves, turn.now), turn.routed(aim.exchange, aim.symbol)
        if isinstance(plan, Refusal) or venue is None:
            return plan if isinstance(plan, Refusal) else Refusal("NO_ROUTE", "exchange: no venue is routed for it")
        position = actor.positions.get(aim.instrument)
        if position is None:
            position = ledger.flat(spec.exchange, spec.symbol, spec.currency, spec.multiplier)
        exposure = self.exposure(spec.currency)
        for step in steps:
            worked = self._worked(self._order(aim, step, plan), step, venue, spec, position, aim.arrival)
            if isinstance(worked, Refusal):
                return worked
            figures = self._measured(aim, step, worked, position, exposure, spec, len(found))
            asked = supervise.asked(aim, actor.id, venue.name, figures)
            verdict = self._judge(figures, asked, found, self._dry)
            if verdict.refusal is not None:
                self.refused[aim.instrument] = figures, verdict.weights
                return self._lacking(verdict.refusal, aim, step, worked, position, venue, spec)
            ticket = self._ticket(aim, figures, end, self._count + len(found), venue, worked)
            counted = asked if self._supervised else None
            found.append(Approved(ticket, figures, counted, worked, verdict.weights))
            notional = multiply(multiply(ticket.quantity, ticket.reserve_price), ticket.multiplier)
            position = ledger.reserve(position, ticket.side, ticket.quantity, notional)
            exposure = with_order(exposure, figures)
        self._exposures[spec.currency] = exposure
        self._count += len(found)
        self._asked += [order.asked for order in found if order.asked is not None]
        return found

    def _order(self, aim: Aim, step: Step | None, plan: ExecutionPlan | None) -> ExecutionRequest:
        """An aim's order as if it were asked for alone."""
        return ExecutionRequest(
            request_id=aim.request_id,
            signal_id=aim.signal_id,
            strategy_id=aim.strategy_id,
            subscriber_id=self.actor.id,
            exchange=aim.exchange,
            symbol=aim.symbol,
            side=None if step is None else step.side,
            quantity=None if step is None else step.quantity,
            order_type="MARKET" if aim.limit_price is None else "LIMIT",
            limit_price=aim.limit_price,
            time_in_force=aim.time_in_force,
            plan=plan,
            issued_at=self.turn.now,
        )

    def _worked(
        self,
        order: ExecutionRequest,
        step: Step,
        venue: Venue,
        spec: InstrumentSpec,
        position: Position,
        arrival: Decimal | None,
    ) -> Prepared | Refusal | None:
        """How an order is worked that asks for more than a plain one."""
        if order.plan is None and order.plain:
            return None
        quantity = step.quantity
        sized = Sized(step.side, quantity, Sizing(method="quantity", base=quantity, raw=quantity, quantity=quantity))
        return prepare(order, self.actor.id, sized, venue, spec, ledger.closable(position), self.turn, arrival)

    def _lacking(
        self,
        refusal: Refusal,
        aim: Aim,
        step: Step,
        worked: Prepared | None,
        position: Position,
        venue: Venue,
        spec: InstrumentSpec,
    ) -> Lacking | Refusal:
        """Whether an order that is refused would pass with what is still to come."""
        coming = self._coming.get(spec.currency)
        if refusal.code not in FUNDS or coming is None:
            return refusal
        exposure = with_coming(self.exposure(spec.currency), coming)
        figures = self._measured(aim, step, worked, position, exposure, spec, 0)
        asked = supervise.asked(aim, self.actor.id, venue.name, figures)
        still = self._judge(figures, asked, (), foreseen=True).refusal
        if still is not None:
            return Refusal(still.code, f"{still.reason}, even with what the set's other targets will bring")
        self._coming[spec.currency] = awaited(coming, figures)
        return Lacking(refusal)

    def _measured(
        self,
        aim: Aim,
        step: Step,
        worked: Prepared | None,
        position: Position,
        exposure: Exposure,
        spec: InstrumentSpec,
        before: int,
    ) -> Figures:
        actor, turn = self.actor, self.turn
        limit = aim.limit_price if worked is None else worked.judged_at
        figures = measure(
            turn.now,
            step.side,
            step.quantity,
            limit,
            turn.market.prices(turn.now).get(instrument_key(spec.exchange, spec.symbol)),
            position,
            exposure,
            actor.day_equity(spec.currency, exposure, turn),
            turn.pace.rate(actor.id, turn.now) + self._count + before,
            spec,
            actor.limits(turn),
        )
        return replace(figures, limit_price=None) if worked is not None and worked.waits else figures

    def _judge(
        self, figures: Figures, asked: supervise.Asked, found: Iterable[Approved], foreseen: bool
    ) -> supervise.Verdict:
        if not self._supervised:
            refusal = check(figures)
            if refusal is not None and not foreseen:
                supervise.alarm(refusal, asked, self.turn)
            return supervise.Verdict(refusal)
        beside = [*self._asked, *(order.asked for order in found if order.asked is not None)]
        judge = supervise.foresee if foreseen else supervise.judged
        return judge(asked, beside, self.turn)

    def _ticket(
        self, aim: Aim, figures: Figures, end: datetime | None, leg: int, venue: Venue, worked: Prepared | None
    ) -> Ticket:
        actor, turn, spec = self.actor, self.turn, figures.spec
        accounts = {} if actor.profile is None else actor.profile.accounts
        ticket = Ticket(
            order_id=""
            if self._dry
            else turn.order_id(prefix(worked, venue.name), actor.id, f"targets/{aim.signal_id}", leg),
            subscriber_id=actor.id,
            account=accounts.get(venue.name, actor.id),
            venue=venue.name,
            exchange=spec.exchange,
            symbol=spec.symbol,
            currency=spec.currency,
            multiplier=spec.multiplier,
            side=figures.side,
            quantity=figures.quantity,
            order_type="MARKET" if figures.limit_price is None else "LIMIT",
            limit_price=figures.limit_price,
            time_in_force=aim.time_in_force,
            reserve_price=figures.price or ZERO,
            expires_at=end,
            short_sale=figures.side == "SELL" and figures.after < ZERO,
            request_id=aim.request_id,
            signal_id=aim.signal_id,
            strategy_id=aim.strategy_id,
            provenance=aim.provenance,
            approved_at=turn.now,
        )
        return ticket if worked is None else worked.shape(ticket)


def start(actor: SubscriberActor, orders: Iterable[Approved], turn: Turn) -> None:
    """Sends approved orders on their way; what approved them is recorded before."""
    for order in orders:
        ticket, worked = order.ticket, order.worked
        turn.pace.add(actor.id, turn.now)
        if order.asked is not None:
            windows.count(order.asked, turn)
        begin = StartOrder(ticket=ticket) if worked is None else worked.start(ticket)
        turn.tell(f"order/{ticket.order_id}", begin)
        gross.placed(ticket, turn)


def cancel(orders: Iterable[str], signal_id: str, turn: Turn) -> None:
    """Cancels orders that a target needs no more."""
    for order_id in orders:
        turn.tell(f"order/{order_id}", CancelOrder(reason=f"targets {signal_id} need it no more"))
