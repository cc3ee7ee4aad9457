"""The orders that targets are due: each past the checks before sizing and pre-trade risk, those before it counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from actors import gross, supervise, windows
from actors.turn import Turn
from engine import ledger
from engine.aims import Aim, with_order
from engine.commands import CancelOrder, StartOrder, Ticket
from engine.config import InstrumentSpec
from engine.exposure import Exposure, expose
from engine.figures import Figures, measure
from engine.identity import ORDERS_PER_BATCH
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.risk import check, pre_checks
from engine.steering import Step
from engine.target_messages import TargetPositions
from engine.values import ZERO, instrument_key, multiply
from engine.weighed import Weights

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor

MAX_ORDERS: Final = ORDERS_PER_BATCH // 4
"""Orders that one turn may send: a set has fewer targets, but ALL may close any number of positions. A batch that has
handed out as many order ids ends, so that the next turn has room."""


class Approved(Struct, frozen=True, gc=False):
    """An order that risk let pass, and the figures it was judged by."""

    ticket: Ticket
    figures: Figures
    asked: supervise.Asked | None = None
    """As the controls were asked, where they were."""
    weights: Weights | None = None


class Approvals:
    """The orders of one turn, judged one after another, each with those before it counted as working."""

    def __init__(self, actor: SubscriberActor, turn: Turn, of: TargetPositions | Aim) -> None:
        self.actor = actor
        self.turn = turn
        self.of = of
        self._exposures: dict[str, Exposure] = {}
        self._count = 0
        self._supervised = supervise.asks(turn)
        self._asked: list[supervise.Asked] = []
        self.refused: dict[str, tuple[Figures, Weights | None]] = {}
        """By instrument: the figures of the order that was refused there."""
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

    def barred(self, exchange: str, symbol: str, limit_price: Decimal | None) -> Refusal | None:
        """Why an instrument may not be traded at all, or None."""
        turn, of, profile = self.turn, self.of, self.actor.profile
        order = ExecutionRequest(
            request_id=of.request_id,
            signal_id=of.signal_id,
            strategy_id=of.strategy_id,
            subscriber_id=self.actor.id,
            exchange=exchange,
            symbol=symbol,
            order_type="MARKET" if limit_price is None else "LIMIT",
            limit_price=limit_price,
            time_in_force=of.time_in_force,
            issued_at=turn.now,
        )
        status = None if profile is None else profile.status
        spec, venue = turn.rules.instrument(exchange, symbol), turn.routed(exchange, symbol)
        refusal = pre_checks(order, turn.now, self.killed, status, turn.rules.config.allow, spec, venue)
        if refusal is None and venue is not None:
            refusal = supervise.killed(order, self.actor.id, venue.name, turn)
        return refusal

    def splits(self, exchange: str, symbol: str) -> bool:
        """Whether the venue wants a position closed before the other side of it is opened."""
        venue = self.turn.routed(exchange, symbol)
        return venue is not None and venue.capabilities is not None and venue.capabilities.closes_first

    def approve(self, spec: InstrumentSpec, steps: Sequence[Step], limit: Decimal | None) -> list[Approved] | Refusal:
        """The orders for these steps, or why one of them may not be placed; then none is."""
        actor, turn, of, found = self.actor, self.turn, self.of, list[Approved]()
        if not steps:
            return found
        if self._count + len(steps) > MAX_ORDERS:
            return Refusal("TOO_MANY_ORDERS", f"targets: they come to more than {MAX_ORDERS} orders at once")
        end = turn.rules.session_end(spec.calendar, turn.now) if of.time_in_force == "DAY" else None
        if end is None and of.time_in_force == "DAY":
            return Refusal("NO_SESSION", f"time_in_force: calendar {spec.calendar} has no session after {turn.now}")
        instrument = instrument_key(spec.exchange, spec.symbol)
        position = actor.positions.get(instrument)
        if position is None:
            position = ledger.flat(spec.exchange, spec.symbol, spec.currency, spec.multiplier)
        exposure = self.exposure(spec.currency)
        weights: Weights | None = None
        for step in steps:
            figures = measure(
                turn.now,
                step.side,
                step.quantity,
                limit,
                turn.market.prices(turn.now).get(instrument),
                position,
                exposure,
                actor.day_equity(spec.currency, exposure, turn),
                turn.pace.rate(actor.id, turn.now) + self._count + len(found),
                spec,
                actor.limits(turn),
            )
            asked = self._asks(spec, figures)
            if not self._supervised:
                refusal = check(figures)
                if refusal is not None:
                    supervise.alarm(refusal, asked, turn)
            else:
                before = [order.asked for order in found if order.asked is not None]
                refusal, weights = supervise.judged(asked, [*self._asked, *before], turn)
            if refusal is not None:
                self.refused[instrument] = figures, weights
                return refusal
            ticket = self._ticket(spec, step, figures, end, leg=self._count + len(found))
            found.append(Approved(ticket, figures, asked if self._supervised else None, weights))
            notional = multiply(multiply(ticket.quantity, ticket.reserve_price), ticket.multiplier)
            position = ledger.reserve(position, ticket.side, ticket.quantity, notional)
            exposure = with_order(exposure, figures)
        self._exposures[spec.currency] = exposure
        self._count += len(found)
        self._asked += [order.asked for order in found if order.asked is not None]
        return found

    def _asks(self, spec: InstrumentSpec, figures: Figures) -> supervise.Asked:
        of, venue = self.of, self.turn.rules.route(spec.exchange, spec.symbol) or ""
        return supervise.asked_of(
            of.request_id, self.actor.id, of.strategy_id, of.signal_id, spec.exchange, spec.symbol, venue, figures
        )

    def _ticket(self, spec: InstrumentSpec, step: Step, figures: Figures, end: datetime | None, leg: int) -> Ticket:
        actor, turn, of = self.actor, self.turn, self.of
        venue = turn.rules.route(spec.exchange, spec.symbol) or ""
        accounts = {} if actor.profile is None else actor.profile.accounts
        return Ticket(
            order_id=turn.order_id(venue, actor.id, f"targets/{of.signal_id}", leg),
            subscriber_id=actor.id,
            account=accounts.get(venue, actor.id),
            venue=venue,
            exchange=spec.exchange,
            symbol=spec.symbol,
            currency=spec.currency,
            multiplier=spec.multiplier,
            side=step.side,
            quantity=step.quantity,
            order_type="MARKET" if figures.limit_price is None else "LIMIT",
            limit_price=figures.limit_price,
            time_in_force=of.time_in_force,
            reserve_price=figures.price or ZERO,
            expires_at=end,
            short_sale=figures.side == "SELL" and figures.after < ZERO,
            request_id=of.request_id,
            signal_id=of.signal_id,
            strategy_id=of.strategy_id,
            provenance=of.provenance,
            approved_at=turn.now,
        )


def start(actor: SubscriberActor, orders: Iterable[Approved], turn: Turn) -> None:
    """Sends approved orders on their way; what approved them is recorded before."""
    for order in orders:
        ticket = order.ticket
        turn.pace.add(actor.id, turn.now)
        if order.asked is not None:
            windows.count(order.asked, turn)
        turn.tell(f"order/{ticket.order_id}", StartOrder(ticket=ticket))
        gross.placed(ticket, turn)


def cancel(orders: Iterable[str], signal_id: str, turn: Turn) -> None:
    """Cancels orders that a target needs no more."""
    for order_id in orders:
        turn.tell(f"order/{order_id}", CancelOrder(reason=f"targets {signal_id} need it no more"))
