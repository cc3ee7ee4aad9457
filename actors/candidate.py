"""A request on its way to an order: sized, measured, and what its ticket will be."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from actors.turn import Turn
from actors.worked import Prepared, prefix
from engine.commands import PART, Ticket
from engine.config import InstrumentSpec
from engine.figures import Figures
from engine.messages import ExecutionRequest
from engine.sizing import Sizing
from engine.values import ZERO


class Candidate(Struct, frozen=True, gc=False):
    """A request that was sized and measured: where its order would go and end, and the figures it is judged by."""

    spec: InstrumentSpec
    venue: str
    account: str
    expires_at: datetime | None
    sizing: Sizing
    figures: Figures
    leverage: Decimal | None
    supervised: bool
    worked: Prepared | None = None
    """How, where more is asked than a plain order."""

    def ticket(
        self, request: ExecutionRequest, subscriber_id: str, key: str, turn: Turn, in_block: bool = False
    ) -> Ticket:
        """The ticket of its order."""
        spec, figures, worked = self.spec, self.figures, self.worked
        place = PART if in_block else prefix(worked, self.venue)
        ticket = Ticket(
            order_id=turn.order_id(place, subscriber_id, key, 0),
            subscriber_id=subscriber_id,
            account=self.account,
            venue=self.venue,
            exchange=request.exchange,
            symbol=request.symbol,
            currency=spec.currency,
            multiplier=spec.multiplier,
            side=figures.side,
            quantity=figures.quantity,
            order_type=request.order_type,
            limit_price=request.limit_price,
            time_in_force=request.time_in_force,
            leverage=self.leverage,
            reserve_price=figures.price or ZERO,
            expires_at=self.expires_at,
            short_sale=figures.side == "SELL" and figures.after < ZERO,
            request_id=request.request_id,
            signal_id=request.signal_id,
            strategy_id=request.strategy_id,
            provenance=request.provenance,
            approved_at=turn.now,
            group="" if request.group is None else request.group.group_id,
        )
        return ticket if worked is None else worked.shape(ticket)
