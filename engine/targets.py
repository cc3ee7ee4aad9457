"""Target positions become moves: for each ticker how far it is to the target, and what to send and cancel for it.

A set is accepted, or refused as a whole where its `all_or_none` says so; else each ticker stands for itself. What was
decided is kept with its figures, so that it can be told in words and logged, in TRAINING as in PRODUCTION.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_UP, Context, Decimal
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.allocate import weigh
from engine.config import InstrumentSpec, Limits
from engine.funding import closes
from engine.refusal import Refusal
from engine.risk import CLOCK_SKEW
from engine.sizing import Sizing, plain
from engine.steering import Moves, Step, Working, steer
from engine.target_messages import Target, TargetMode, TargetPositions
from engine.values import EXACT, ONE, ZERO, add, ceil_to, is_multiple, minus, multiply

# Least quantities round up: one that is just too small is too small.
_UP: Final = Context(prec=34, rounding=ROUND_UP)


class Holding(Struct, frozen=True, gc=False, kw_only=True):
    """One instrument as it stands: signed units held, everything that is working in it, and its mark price.

    `refusal`: why it may not be traded at all (the checks before sizing). `splits`: see `steering.steer`. `aimed`: an
    older target is still pursued in it.
    """

    spec: InstrumentSpec | None
    reference: Decimal | None = None
    position: Decimal = ZERO
    working: tuple[Working, ...] = ()
    splits: bool = False
    aimed: bool = False
    refusal: Refusal | None = None


TickerStatus = Literal["REFUSED", "NOOP", "WORKING"]
"""NOOP: where it should be, and nothing working. WORKING: something is sent, cancelled, kept or waited for."""


class Ticker(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was decided about one ticker: `target` in signed units (`sizing`: how a weight came to it), the moves."""

    instrument: str
    status: TickerStatus
    named: bool = True
    target: Decimal | None = None
    sizing: Sizing | None = None
    position: Decimal = ZERO
    tolerance: Decimal = ZERO
    least: Decimal = ZERO
    moves: Moves | None = None
    refusal: Refusal | None = None
    lacking: Refusal | None = None
    """Why its orders wait until the set's own sells have brought enough."""

    @property
    def closes(self) -> bool:
        """Whether something is sent, or works, that reduces its position."""
        moves = self.moves
        return moves is not None and not moves.still and bool(closes(self.position, self.target or ZERO))

    @property
    def waiting(self) -> str:
        """What it waits for without an order of its own, in words; '' where there is nothing."""
        if self.lacking is not None:
            return f"{self.instrument} waits for what is still to be sold ({self.lacking.code})"
        moves = self.moves
        if moves is None or not moves.rests_on or moves.now or moves.keep or moves.cancel:
            return ""
        return f"{self.instrument} waits for {', '.join(moves.rests_on)}"

    def sentence(self) -> str:
        """The arithmetic in words: `target 30; held 10, 15 with what stays working; 15 missing: BUY 15 (OPEN_LONG)`."""
        if self.target is None or self.moves is None:
            return f"refused: {self.refusal.reason}" if self.refusal else "refused"
        target, moves = plain(self.target), self.moves
        text = f"target {target}" if self.named else "not named, so target 0"
        if self.sizing is not None:
            text += f" ({self.sizing.sentence()}{', short' if self.target < ZERO else ''})"
        text += f"; held {plain(self.position)}"
        if moves.expected != self.position:
            text += f", {plain(moves.expected)} with what stays working"
        text += f"; {plain(moves.missing)} missing: {', '.join(self._doing(moves))}"
        if self.lacking is not None:
            text += f"; waits for what is still to be sold: {self.lacking.reason}"
        return text if self.refusal is None else f"{text}; refused: {self.refusal.reason}"

    def _doing(self, moves: Moves) -> list[str]:
        doing = [f"cancel {order_id}" for order_id in moves.cancel]
        doing += [f"keep {order_id}" for order_id in moves.keep]
        doing += [_order(step) for step in moves.now]
        if moves.later:
            waits = f" and {', '.join(moves.waits_for)}" if moves.waits_for else ""
            doing.append(f"{', '.join(map(_order, moves.later))} after that{waits}")
        elif moves.missing and not moves.now:
            size = EXACT.abs(moves.missing)
            why = f"within {plain(self.tolerance)}" if size <= self.tolerance else f"less than {plain(self.least)}"
            doing.append(f"nothing to send, {why}")
        if moves.rests_on and not moves.later:
            doing.append(f"wait for {', '.join(moves.rests_on)}")
        return doing or ["nothing to do"]


def _order(step: Step) -> str:
    return f"{step.side} {plain(step.quantity)} ({step.intent})"


class Decision(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was decided about a set of targets, ticker by ticker in the order named, then those not named.

    ACCEPTED: something is to be done. NOOP: everything is where it should be; answered as accepted with no order.
    DENIED: nothing is done, for `refusal`.
    """

    status: Literal["ACCEPTED", "NOOP", "DENIED"]
    mode: TargetMode
    all_or_none: bool = False
    refusal: Refusal | None = None
    tickers: tuple[Ticker, ...] = ()

    @property
    def acting(self) -> tuple[Ticker, ...]:
        """The tickers whose moves are to be made: none in TRAINING, nor where the set is denied."""
        if self.mode == "TRAINING" or self.status == "DENIED":
            return ()
        return tuple(ticker for ticker in self.tickers if ticker.status == "WORKING")

    @property
    def refused(self) -> tuple[Ticker, ...]:
        """The tickers that were refused: the partial failures of a set that was not denied."""
        return tuple(ticker for ticker in self.tickers if ticker.status == "REFUSED")


def decide(
    targets: TargetPositions,
    holdings: Mapping[str, Holding],
    equity: Mapping[str, Decimal | None],
    limits: Limits,
    now: datetime,
) -> Decision:
    """What to do for these targets.

    `holdings`, by `exchange:symbol`, are those of every ticker named and, for scope ALL, of every position, working
    order and older target besides; `equity` is by currency. Refusals of the whole: STALE_REQUEST, FUTURE_REQUEST,
    WEIGHTS_ABOVE_LIMIT (the sum of absolute weights above `max_leverage`, 1 where there is none), and the first
    ticker's where `all_or_none` or no ticker is left. Of a ticker: its holding's own, UNKNOWN_INSTRUMENT, OFF_LOT,
    OFF_TICK, NO_REFERENCE_PRICE, NO_EQUITY, SHORT_NOT_ALLOWED.
    """
    refusal = _untimely(targets, now) or _overweight(targets, limits)
    if refusal is not None:
        return Decision(status="DENIED", mode=targets.mode, all_or_none=targets.all_or_none, refusal=refusal)
    tickers = [_aim(targets, target, holdings.get(target.instrument), equity, limits) for target in targets.targets]
    if targets.scope == "ALL":
        named = {target.instrument for target in targets.targets}
        for instrument, holding in holdings.items():
            if instrument not in named and (holding.position or holding.working or holding.aimed):
                tickers.append(_go(targets, instrument, holding, ZERO, None, named=False))
    return _concluded(targets.mode, targets.all_or_none, tuple(tickers))


def refuse(decision: Decision, refusals: Mapping[str, Refusal]) -> Decision:
    """The decision once these tickers (`exchange:symbol`) were refused further on, as by risk: their moves are not
    made, so what works for an older target stays; under `all_or_none` no one's are."""
    tickers = tuple(
        replace(ticker, status="REFUSED", refusal=found)
        if (found := refusals.get(ticker.instrument)) is not None
        else ticker
        for ticker in decision.tickers
    )
    if decision.status == "DENIED":
        return replace(decision, tickers=tickers)
    return _concluded(decision.mode, decision.all_or_none, tickers)


def wait(decision: Decision, lacking: Mapping[str, Refusal]) -> Decision:
    """The decision once the orders of these tickers (`exchange:symbol`) wait for what the set's sells will bring."""
    tickers = tuple(replace(ticker, lacking=lacking.get(ticker.instrument)) for ticker in decision.tickers)
    return replace(decision, tickers=tickers)


def _concluded(mode: TargetMode, all_or_none: bool, tickers: tuple[Ticker, ...]) -> Decision:
    refused = [ticker for ticker in tickers if ticker.status == "REFUSED"]
    if refused and (all_or_none or len(refused) == len(tickers)):
        first = refused[0]
        code = "DENIED" if first.refusal is None else first.refusal.code
        why = f"{first.instrument}: {'' if first.refusal is None else first.refusal.reason}"
        if len(tickers) > 1:
            why += f" (all_or_none, {len(refused)} of {len(tickers)} refused)" if all_or_none else " (all refused)"
        refusal = Refusal(code, why)
        return Decision(status="DENIED", mode=mode, all_or_none=all_or_none, refusal=refusal, tickers=tickers)
    working = any(ticker.status == "WORKING" for ticker in tickers)
    status: Literal["ACCEPTED", "NOOP"] = "ACCEPTED" if working else "NOOP"
    return Decision(status=status, mode=mode, all_or_none=all_or_none, tickers=tickers)


def _untimely(targets: TargetPositions, now: datetime) -> Refusal | None:
    expires_at, issued_at = targets.expires_at, targets.issued_at
    if expires_at is not None and now >= expires_at:
        return Refusal("STALE_REQUEST", f"expires_at: {expires_at.isoformat()} has passed at {now.isoformat()}")
    if issued_at - now > CLOCK_SKEW:
        ahead = (issued_at - now).total_seconds()
        return Refusal("FUTURE_REQUEST", f"issued_at: {ahead} s ahead of our clock, more than {CLOCK_SKEW.seconds} s")
    return None


def _overweight(targets: TargetPositions, limits: Limits) -> Refusal | None:
    most = ONE if limits.max_leverage is None else limits.max_leverage
    gross = ZERO
    for target in targets.targets:
        if target.weight is not None:
            gross = add(gross, EXACT.abs(target.weight))
    if gross > most:
        said = f"targets: weights come to {plain(gross)} of equity, more than {plain(most)}"
        return Refusal("WEIGHTS_ABOVE_LIMIT", f"{said} ({'max_leverage' if limits.max_leverage else 'no leverage'})")
    return None


def _aim(
    targets: TargetPositions,
    target: Target,
    holding: Holding | None,
    equity: Mapping[str, Decimal | None],
    limits: Limits,
) -> Ticker:
    """The ticker of a target that was named."""
    instrument = target.instrument
    if holding is None or holding.spec is None:
        unknown = Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {instrument}")
        return _no(instrument, (None if holding is None else holding.refusal) or unknown, holding)
    spec = holding.spec
    if target.limit_price is not None and not is_multiple(target.limit_price, spec.tick_size):
        said = f"limit_price: {target.limit_price} of {instrument} is not a multiple of tick_size {spec.tick_size}"
        return _no(instrument, Refusal("OFF_TICK", said), holding)
    sizing = None
    if target.quantity is not None:
        units = target.quantity
        if not is_multiple(units, spec.lot_size):
            said = f"quantity: {units} of {instrument} is not a multiple of lot_size {spec.lot_size}"
            return _no(instrument, Refusal("OFF_LOT", said), holding)
    else:
        weight = target.weight or ZERO
        weighed = _weighed(weight, holding, spec, equity.get(spec.currency))
        if isinstance(weighed, Refusal):
            return _no(instrument, weighed, holding)
        sizing = weighed
        units = ZERO if sizing is None else sizing.quantity if weight > ZERO else minus(sizing.quantity)
    if units < ZERO and not limits.allow_short:
        said = f"allow_short: a target of {units} {instrument} is short, allow_short {bool(limits.allow_short)}"
        return _no(instrument, Refusal("SHORT_NOT_ALLOWED", said), holding)
    return _go(targets, instrument, holding, units, sizing)


def _weighed(
    weight: Decimal, holding: Holding, spec: InstrumentSpec, equity: Decimal | None
) -> Sizing | Refusal | None:
    """The units worth a weight of equity, floored to a lot; None for a weight of zero, which needs no figures."""
    if not weight:
        return None
    sizing = weigh(EXACT.abs(weight), None, spec, holding.reference, equity)
    if isinstance(sizing, Refusal):
        return sizing
    return replace(
        sizing, lot=spec.lot_size, quantity=multiply(EXACT.divide_int(sizing.raw, spec.lot_size), spec.lot_size)
    )


def _no(instrument: str, refusal: Refusal, holding: Holding | None) -> Ticker:
    position = ZERO if holding is None else holding.position
    return Ticker(instrument=instrument, status="REFUSED", position=position, refusal=refusal)


def _go(
    targets: TargetPositions,
    instrument: str,
    holding: Holding,
    units: Decimal,
    sizing: Sizing | None,
    named: bool = True,
) -> Ticker:
    """The ticker of a target in units: its moves, or its holding's refusal where there are any to make."""
    spec = holding.spec
    if spec is None:
        unknown = Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {instrument}")
        return _no(instrument, holding.refusal or unknown, holding)
    tolerance, least = _slack(targets, units), _least(targets, holding, spec, units)
    moves = steer(
        holding.position,
        units,
        holding.working,
        spec.lot_size,
        tolerance=tolerance,
        least=least,
        splits=holding.splits,
    )
    # What sends nothing needs no leave: cancels always pass.
    refusal = holding.refusal if moves.now or moves.later else None
    return Ticker(
        instrument=instrument,
        status="REFUSED" if refusal is not None else "NOOP" if moves.still else "WORKING",
        named=named,
        target=units,
        sizing=sizing,
        position=holding.position,
        tolerance=tolerance,
        least=least,
        moves=moves,
        refusal=refusal,
    )


def _slack(targets: TargetPositions, units: Decimal) -> Decimal:
    """How many units off the target is on it: none off zero."""
    if not units:
        return ZERO
    if targets.drift_fraction is not None:
        return multiply(EXACT.abs(units), targets.drift_fraction)
    return targets.drift_quantity or ZERO


def _least(targets: TargetPositions, holding: Holding, spec: InstrumentSpec, units: Decimal) -> Decimal:
    """The smallest order worth sending, in whole lots: the client's own minimums do not keep a position open."""
    quantity, notional = spec.min_quantity, spec.min_notional
    if units:
        quantity = max(quantity, targets.min_order_quantity or ZERO)
        notional = max(notional, targets.min_order_notional or ZERO)
    price = holding.reference
    if notional and price is not None and price > ZERO:
        quantity = max(quantity, _UP.divide(notional, multiply(price, spec.multiplier)))
    return max(spec.lot_size, ceil_to(quantity, spec.lot_size))
