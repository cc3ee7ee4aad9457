"""What a request asks beyond a plain order: how it will be worked, decided before it is accepted."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from actors import grouped
from actors.turn import Turn
from engine.algos.contract import Algorithm, Iceberg, Parent, Works
from engine.algos.start import Known, begin
from engine.commands import StartOrder, StartWork, Ticket
from engine.config import InstrumentSpec
from engine.emulate import Held, Release, dearest, hold, reducible
from engine.gate import Venue
from engine.grouping import linked
from engine.instructions import PRICED, TRAILING, TRIGGERED
from engine.messages import ExecutionRequest, Quote
from engine.modification import WAITING
from engine.native import native
from engine.plan import ExecutionPlan
from engine.refusal import Refusal
from engine.sizing import Sized
from engine.specification import Specification
from engine.translate import translate
from engine.triggers import Trigger, trail
from engine.values import floor_to
from engine.work import PREFIX

ALGORITHMS: Final[dict[str, Algorithm]] = {
    "TWAP": "TWAP",
    "VWAP": "VWAP",
    "POV": "POV",
    "IMPLEMENTATION_SHORTFALL": "IS",
    "ICEBERG": "ICEBERG",
    "SNIPER": "SNIPER",
    "ADAPTIVE": "ADAPTIVE",
}
"""Our algorithm for each style."""
UNPLANNED: Final = ExecutionPlan(plan_id="EXP_20000101_000000_00000")
"""What an iceberg order without a plan is worked under: nothing asked."""
FOR_EVER: Final = timedelta(days=3650)


class Prepared(Struct, frozen=True, gc=False):
    """How a request will be worked: whole at the venue (no emulators), by an algorithm, or held."""

    spec: Specification
    works: Works | None = None
    held: Held | None = None
    release: Release | None = None
    reason: str = ""
    market: Decimal | None = None
    """The market's price when it was decided."""
    trail: Trigger | None = None
    """Where a stop that trails begins, whoever follows it."""

    @property
    def here(self) -> bool:
        """Whether it is worked at our side."""
        return self.works is not None or self.held is not None

    @property
    def unused(self) -> str | None:
        """What was hinted and is not done, and why: the order is accepted all the same."""
        fields: dict[str, list[str]] = {}
        for note in self.spec.honoured:
            if note.how == "hint not used":
                fields.setdefault(note.why, []).append(note.field)
        return "; ".join(f"{', '.join(names)}: {why}" for why, names in fields.items()) or None

    @property
    def waits(self) -> bool:
        """Whether its price is not of now, so that nothing says how far from the market it may be."""
        spec = self.spec
        late = spec.kind in TRIGGERED or spec.kind in TRAILING or spec.time_in_force in ("OPG", "CLS")
        return late or not WAITING.isdisjoint(spec.emulators)

    @property
    def judged_at(self) -> Decimal | None:
        """The price that risk judges, and reserves: of an order that waits the highest it names. A purchase's stop that
        trails only falls, so what it is at first is the most."""
        stop = self.spec.stop_price if self.spec.kind in TRIGGERED else None
        # A stop that the market has passed is sent at once.
        market = self.market if self.waits and self.spec.order_type not in PRICED else None
        trailed = None if self.trail is None else dearest(self.spec, Held(trigger=self.trail))
        prices = (self.spec.limit_price, stop, trailed, market)
        return max((price for price in prices if price is not None), default=None)

    def shape(self, ticket: Ticket) -> Ticket:
        """The ticket as it is specified."""
        spec = self.spec
        return replace(
            ticket,
            order_type=spec.order_type,
            time_in_force=spec.time_in_force,
            limit_price=spec.limit_price,
            expires_at=spec.expires_at,
            native=native(spec),
        )

    def start(self, ticket: Ticket) -> StartOrder | StartWork:
        """What the order is told."""
        if not self.here:
            return StartOrder(ticket=ticket)
        return StartWork(
            ticket=ticket,
            spec=self.spec,
            works=self.works,
            held=self.held,
            release=self.release,
            reason=self.reason,
        )


def prefix(worked: Prepared | None, venue: str) -> str:
    """What the id of an order begins with that is worked so: where it is, our side or its venue."""
    return PREFIX if worked is not None and worked.here else venue


def prepare(
    request: ExecutionRequest,
    subscriber_id: str,
    sized: Sized,
    venue: Venue,
    instrument: InstrumentSpec,
    closable: Decimal,
    turn: Turn,
    arrival: Decimal | None = None,
) -> Prepared | Refusal:
    """How this request will be worked at this venue, or why it cannot be: nothing that was asked for is dropped.

    `arrival` is the price that a plan's bound is measured from, where that is not the market's of now.
    """
    now = turn.now
    if venue.capabilities is None:
        return Refusal("VENUE_DOWN", f"venue {venue.name} has not said what it can do")
    key = f"{request.exchange}:{request.symbol}"
    mark = turn.market.mark(key, now)
    if arrival is None and mark is not None:
        arrival = mark.price
    session_end = turn.rules.session_end(instrument.calendar, now)
    spec = translate(request, sized.side, sized.quantity, venue.capabilities, instrument, now, arrival, session_end)
    if isinstance(spec, Refusal):
        return spec
    if request.group is not None:
        refused = grouped.refused(subscriber_id, request.group, spec.quantity, key, spec.side, turn)
        joined = refused or linked(spec, request.group)
        if isinstance(joined, Refusal):
            return joined
        spec = joined
    closable = reducible(spec.side, closable)
    if "REDUCE_ONLY" in spec.emulators:
        reduced = _reduced(spec, closable)
        if isinstance(reduced, Refusal):
            return reduced
        spec = reduced
    if "ALGORITHM" in spec.emulators or "ICEBERG" in spec.emulators:
        hides = venue.capabilities.display_quantity
        return _algorithm(request, subscriber_id, spec, instrument, arrival, hides, turn)
    quote, last = turn.market.quote(key, now), turn.market.last(key, now)
    begins = _trail(spec, quote, last, now)
    if isinstance(begins, Refusal):
        return begins
    if not spec.emulators:
        return Prepared(spec, market=arrival, trail=begins)
    stale = request.expires_at
    if "MIN_FILL_FIRST" in spec.emulators and stale is not None and (spec.deadline is None or stale < spec.deadline):
        # Its second part is as immediate as the first: it is not sent once the request is stale.
        spec = replace(spec, deadline=stale, emulators=tuple(dict.fromkeys((*spec.emulators, "WINDOW"))))
    sessions = turn.rules.coming(instrument.calendar, now)
    held = hold(spec, now, quote, last, sessions, closable)
    if isinstance(held, Refusal):
        return held
    release = held[1] if isinstance(held[1], Release) else None
    return Prepared(spec, held=held[0], release=release, reason=", ".join(spec.emulators), market=arrival, trail=begins)


def _trail(spec: Specification, quote: Quote | None, last: Decimal | None, now: datetime) -> Trigger | Refusal | None:
    """Where a stop that trails begins; None of any other order."""
    if spec.kind not in TRAILING:
        return None
    return trail(spec.side, spec.told.trail_amount, spec.told.trail_pct, quote, last, now)


def _reduced(spec: Specification, closable: Decimal) -> Specification | Refusal:
    """Capped to what the position holds now; it is capped again whenever something of it is sent, and shrinks with the
    position."""
    most = floor_to(closable, spec.lot_size)
    if not most:
        return Refusal(
            "NOTHING_TO_REDUCE",
            f"instructions.reduce_only: no position is left for a {spec.side} to reduce, orders that work counted",
        )
    return spec if spec.quantity <= most else replace(spec, quantity=most)


def _algorithm(
    request: ExecutionRequest,
    subscriber_id: str,
    spec: Specification,
    instrument: InstrumentSpec,
    arrival: Decimal | None,
    hides: bool,
    turn: Turn,
) -> Prepared | Refusal:
    now = turn.now
    plan = request.plan or UNPLANNED
    shown = spec.told.display_quantity
    algorithm: Algorithm = "ICEBERG" if spec.style is None else ALGORITHMS[spec.style]
    end = spec.deadline or spec.good_till or spec.expires_at
    parent = Parent(
        side=spec.side,
        quantity=spec.quantity,
        lot_size=instrument.lot_size,
        tick_size=instrument.tick_size,
        min_quantity=instrument.min_quantity,
        arrival_price=arrival,
        limit_price=spec.limit_price,
        start=now,
        close=end,
        seed=f"{plan.plan_id} {subscriber_id} {request.signal_id}",
    )
    sessions = turn.rules.coming(instrument.calendar, now)
    known = Known(
        window=FOR_EVER if end is None else max(end - now, _LEAST),
        curve=turn.rules.curves.get(f"{request.exchange}:{request.symbol}"),
        session=sessions[0] if sessions and sessions[0].opens_at <= now else None,
        native_iceberg=hides,
    )
    begun = begin(plan, algorithm, parent, known)
    if isinstance(begun, Refusal):
        return begun
    works = begun.works
    if shown is not None and isinstance(works.tactic, Iceberg):
        works = replace(works, tactic=replace(works.tactic, peak=shown, even=True))
        return Prepared(spec, works=works, reason=f"ICEBERG, showing {shown} at a time, in children one by one")
    return Prepared(spec, works=works, reason=begun.reason)


_LEAST: Final = timedelta(microseconds=1)
