"""May it: every check that stands between a request and an order, in one fixed order, each with a stable code.

`pre_checks` need no size: the switch, the subscriber, the instrument, the times, the venue. Then the request is sized
(`engine.allocate`), `measure` gathers the figures, and `check` judges them. The figures are kept with the decision,
so that `explain` can say years later what every check saw.

Working orders are counted at their worst: +100 held with 100 working to be sold is nothing that can be sold again.
An order that only reduces the position even so passes the checks that limit exposure, so that risk can always leave.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Final, NamedTuple

from engine.config import Allow, InstrumentSpec
from engine.figures import Figures, measure
from engine.gate import Venue
from engine.messages import ExecutionRequest
from engine.refusal import Refusal
from engine.values import ONE, ZERO, SubscriberStatus, is_multiple

__all__ = [
    "CHECKS",
    "PRE_CHECKS",
    "Check",
    "Figures",
    "check",
    "explain",
    "measure",
    "pre_checks",
]

CLOCK_SKEW: Final = timedelta(seconds=5)
"""How far in our future a request may be issued: clocks differ."""

_BPS = Decimal(10_000)
_RATIO = Context(prec=9)  # Basis points to look at, not what the check compares.


PRE_CHECKS: Final = (
    ("kill switch", "KILLED"),
    ("subscriber known", "UNKNOWN_SUBSCRIBER"),
    ("subscriber not paused", "SUBSCRIBER_PAUSED"),
    ("subscriber not closed", "SUBSCRIBER_CLOSED"),
    ("symbol allowed", "SYMBOL_NOT_ALLOWED"),
    ("exchange allowed", "EXCHANGE_NOT_ALLOWED"),
    ("instrument known", "UNKNOWN_INSTRUMENT"),
    ("request not expired", "STALE_REQUEST"),
    ("request not from the future", "FUTURE_REQUEST"),
    ("route", "NO_ROUTE"),
    ("venue up", "VENUE_DOWN"),
    ("venue not paused", "VENUE_PAUSED"),
    ("venue can", "VENUE_CANNOT"),
)
"""(name, code) of what is checked before sizing, in this order."""


def pre_checks(
    request: ExecutionRequest,
    at: datetime,
    killed: bool,
    status: SubscriberStatus | None,
    allow: Allow,
    spec: InstrumentSpec | None,
    route: Venue | None,
) -> Refusal | None:
    """Why this request may not even be sized, or None. `status` is None for a subscriber that nobody made known,
    `route` is the venue that the instrument's orders go to, as far as it is known here."""
    if killed:
        return Refusal("KILLED", "the kill switch is on")
    if status != "ACTIVE":
        if status is None:
            return Refusal(
                "UNKNOWN_SUBSCRIBER",
                f"subscriber_id: nobody made {request.subscriber_id} known; a Subscriber message does",
            )
        return Refusal(f"SUBSCRIBER_{status}", f"status: the subscriber is {status}, not ACTIVE")
    exchange, symbol = request.exchange, request.symbol
    if symbol not in allow.symbols and f"{exchange}:{symbol}" not in allow.symbols:
        return Refusal("SYMBOL_NOT_ALLOWED", f"symbol: neither {symbol} nor {exchange}:{symbol} is in allow.symbols")
    if exchange not in allow.exchanges:
        return Refusal("EXCHANGE_NOT_ALLOWED", f"exchange: {exchange} is not in allow.exchanges")
    if spec is None:
        return Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {exchange}:{symbol}")
    expires_at = request.expires_at
    if expires_at is not None and at >= expires_at:
        return Refusal("STALE_REQUEST", f"expires_at: {expires_at.isoformat()} has passed at {at.isoformat()}")
    if request.issued_at > at and request.issued_at - at > CLOCK_SKEW:
        ahead = (request.issued_at - at).total_seconds()
        return Refusal("FUTURE_REQUEST", f"issued_at: {ahead} s ahead of our clock, more than {CLOCK_SKEW.seconds} s")
    if route is None:
        return Refusal("NO_ROUTE", f"exchange: no venue is routed for {exchange}:{symbol}")
    return _venue(request, route)


def _venue(request: ExecutionRequest, venue: Venue) -> Refusal | None:
    if not venue.up:
        return Refusal("VENUE_DOWN", f"venue {venue.name} is down: {venue.reason}")
    if venue.paused:
        return Refusal("VENUE_PAUSED", f"venue {venue.name} is paused: {venue.reason}")
    can = venue.capabilities
    if can is not None and not request.plain:
        return None  # What the venue lacks may be done at our side: `engine.translate` says.
    if can is None or request.order_type not in can.order_types:
        return Refusal("VENUE_CANNOT", f"order_type: venue {venue.name} takes no {request.order_type} orders")
    if request.time_in_force not in can.times_in_force:
        return Refusal("VENUE_CANNOT", f"time_in_force: venue {venue.name} takes no {request.time_in_force} orders")
    return None


class Check(NamedTuple):
    """A check of sized figures: when it fails, and a sentence that is true whether it fails or not."""

    name: str
    code: str
    fails: Callable[[Figures], bool]
    sentence: Callable[[Figures], str]


def _lacks(f: Figures) -> bool:
    """Whether a figure that one of the later checks must have is unknown."""
    limits = f.limits
    if f.reference is None:
        if f.limit_price is None or limits.collar_bps is not None:
            return True
        if not f.reduces and (limits.max_position_notional is not None or limits.max_leverage is not None):
            return True
    if f.reduces:
        return False
    if f.equity is None or f.gross_after is None:
        # Who may be short needs it too, so that what a short sale brought in is not spent as if it were cash.
        return limits.max_leverage is not None or limits.max_daily_loss is not None or bool(limits.allow_short)
    return f.day_loss is None and limits.max_daily_loss is not None


def _lacking(f: Figures) -> str:
    if f.reference is None:
        return "reference: there is no live price of this instrument"
    if f.missing:
        return f"equity: {f.missing} is held or working and has no mark, so equity is unknown"
    if f.day_loss is None:
        return f"reference: {f.reference}; the equity that the day opened with is unknown"
    return f"reference: {f.reference}"


def _far(f: Figures) -> bool:
    limit, reference, collar = f.limit_price, f.reference, f.limits.collar_bps
    if limit is None or reference is None or collar is None:
        return False
    return abs(limit - reference) * _BPS > collar * reference


def _distance(f: Figures) -> str:
    if f.limit_price is None:
        return "collar_bps: a market order has no limit price"
    if f.reference is None:
        return f"collar_bps: limit price {f.limit_price} and no reference, {_most(f.limits.collar_bps)}"
    bps = _RATIO.divide(abs(f.limit_price - f.reference) * _BPS, f.reference)
    return (
        f"collar_bps: limit price {f.limit_price} is {bps.normalize():f} bps from the reference {f.reference}, "
        f"{_most(f.limits.collar_bps)}"
    )


def _position_value(f: Figures) -> Decimal | None:
    if f.reference is None:
        return None
    return abs(f.after) * f.reference * f.spec.multiplier


def _too_much_held(f: Figures) -> bool:
    most = f.limits.max_position_notional
    if most is None or f.reduces:
        return False
    value = _position_value(f)
    return value is not None and value > most


def _overstretched(f: Figures) -> bool:
    most = f.limits.max_leverage
    if most is None or f.reduces or f.gross_after is None or f.equity is None:
        return False
    return f.gross_after > most * f.equity


def _unfunded(f: Figures) -> bool:
    """Without leverage, buys are paid from cash that no other buy has reserved, and what a short sale brought in pays
    for nothing: exposure stays within equity. For who holds no short, both say the same."""
    most = f.limits.max_leverage
    if most is not None and most > ONE:
        return False
    if f.side == "BUY" and f.notional is not None and f.notional > f.cash - f.reserved:
        return True
    return not f.reduces and f.gross_after is not None and f.equity is not None and f.gross_after > f.equity


def _funds(f: Figures) -> str:
    if f.limits.max_leverage is not None and f.limits.max_leverage > ONE:
        return f"cash: not asked for with max_leverage {f.limits.max_leverage}"
    text = f"cash: {f.cash} less {f.reserved} reserved for open buys"
    text += f", this order {f.side} {f.notional}"
    if f.gross_after is not None and not f.reduces:
        text += f", gross exposure with it {f.gross_after} of equity {f.equity}"
    return text


def _most(limit: Decimal | int | None) -> str:
    return "no limit" if limit is None else f"limit {limit}"


def _above(value: Decimal | None, limit: Decimal | None) -> bool:
    return limit is not None and value is not None and value > limit


def _exempt(f: Figures) -> str:
    return " (only reduces the position, so passes)" if f.reduces else ""


CHECKS: Final = (
    Check(
        "lot size",
        "OFF_LOT",
        lambda f: not is_multiple(f.quantity, f.spec.lot_size),
        lambda f: f"quantity: {f.quantity}, lot_size {f.spec.lot_size}",
    ),
    Check(
        "tick size",
        "OFF_TICK",
        lambda f: f.limit_price is not None and not is_multiple(f.limit_price, f.spec.tick_size),
        lambda f: f"limit_price: {f.limit_price}, tick_size {f.spec.tick_size}",
    ),
    Check(
        "minimum quantity",
        "BELOW_MIN_QUANTITY",
        lambda f: f.quantity < f.spec.min_quantity or f.quantity <= ZERO,
        lambda f: f"quantity: {f.quantity}, min_quantity {f.spec.min_quantity}",
    ),
    Check(
        "minimum notional",
        "BELOW_MIN_NOTIONAL",
        lambda f: f.notional is not None and f.notional < f.spec.min_notional,
        lambda f: f"notional: {f.notional}, min_notional {f.spec.min_notional}",
    ),
    Check("reference price", "NO_REFERENCE_PRICE", _lacks, _lacking),
    Check(
        "order quantity",
        "MAX_ORDER_QUANTITY",
        lambda f: _above(f.quantity, f.limits.max_order_quantity),
        lambda f: f"max_order_quantity: quantity {f.quantity}, {_most(f.limits.max_order_quantity)}",
    ),
    Check(
        "order notional",
        "MAX_ORDER_NOTIONAL",
        lambda f: _above(f.notional, f.limits.max_order_notional),
        lambda f: f"max_order_notional: notional {f.notional} at {f.price}, {_most(f.limits.max_order_notional)}",
    ),
    Check("price collar", "PRICE_COLLAR", _far, _distance),
    Check(
        "position notional",
        "MAX_POSITION_NOTIONAL",
        _too_much_held,
        lambda f: (
            f"max_position_notional: position {f.position} would be {f.after} at worst, worth {_position_value(f)} at "
            f"{f.reference}, {_most(f.limits.max_position_notional)}{_exempt(f)}"
        ),
    ),
    Check(
        "short selling",
        "SHORT_NOT_ALLOWED",
        lambda f: f.side == "SELL" and f.after < ZERO and not f.limits.allow_short,
        lambda f: (
            f"allow_short: position {f.position} with {f.working_sell} already working to be sold would be {f.after} "
            f"at worst, allow_short {bool(f.limits.allow_short)}"
            if f.side == "SELL"
            else "allow_short: a buy"
        ),
    ),
    Check(
        "leverage",
        "MAX_LEVERAGE",
        _overstretched,
        lambda f: (
            f"max_leverage: gross exposure {f.gross_after} over equity {f.equity} is {f.leverage}, "
            f"{_most(f.limits.max_leverage)}{_exempt(f)}"
        ),
    ),
    Check("cash", "INSUFFICIENT_CASH", _unfunded, _funds),
    Check(
        "order rate",
        "ORDER_RATE",
        lambda f: f.limits.max_orders_per_second is not None and f.rate >= f.limits.max_orders_per_second,
        lambda f: f"max_orders_per_second: {f.rate} in the second before, {_most(f.limits.max_orders_per_second)}",
    ),
    Check(
        "daily loss",
        "DAILY_LOSS",
        lambda f: not f.reduces and _above(f.day_loss, f.limits.max_daily_loss),
        lambda f: f"max_daily_loss: loss {f.day_loss} today, {_most(f.limits.max_daily_loss)}{_exempt(f)}",
    ),
)
"""What is checked of a sized order, in this order."""

# Bare pairs, so that the loop of a passing order looks up nothing else.
_ROWS: Final = tuple((row.fails, row) for row in CHECKS)


def check(figures: Figures) -> Refusal | None:
    """Why this sized order may not be placed, or None: the first of CHECKS that fails."""
    for fails, row in _ROWS:
        if fails(figures):
            return Refusal(row.code, row.sentence(figures))
    return None


def explain(figures: Figures | None, code: str | None, reason: str = "") -> list[tuple[str, bool, str]]:
    """Every check of a decision as (name, passed, sentence), in order, for a decision log.

    `code` and `reason` are the refusal's (None and '' where it was approved). With figures, the checks of CHECKS are
    derived again from them, those after a failed one too. Without, the request was refused before it was sized: those
    before the failed one passed, those after it were not reached and are left out.
    """
    rows: list[tuple[str, bool, str]] = []
    for name, pre_code in PRE_CHECKS:
        if figures is None and pre_code == code:
            return [*rows, (name, False, reason or code)]
        rows.append((name, True, "passed"))
    if figures is None:
        return [*rows, ("size", False, reason or code or "")]
    rows.extend((row.name, not row.fails(figures), row.sentence(figures)) for row in CHECKS)
    return rows
