"""What the world is told of targets: data of an execution_report, a line a ticker, with the orders that were sent."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from engine import target_events as t
from engine.distributed import JobOrder
from engine.sizing import plain


class TickerReport(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One ticker: REFUSED, NOOP, WORKING (then DONE or FAILED in a report of its own), `target` in signed units."""

    exchange: str
    instrument_id: str
    status: str
    target: Decimal | None = None
    position: Decimal
    code: str | None = None
    reason: str | None = None


class TargetReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a set: ACCEPTED, NOOP or DENIED. Of one of its tickers: STEERED (more orders), DONE or FAILED."""

    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    status: str
    mode: str = "PRODUCTION"
    code: str | None = None
    reason: str | None = None
    tickers: tuple[TickerReport, ...] = ()
    orders: tuple[JobOrder, ...] = ()


def decided(event: t.TargetsDecided, orders: tuple[JobOrder, ...]) -> TargetReport:
    """The report of a set."""
    return TargetReport(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.subscriber_id,
        status=event.status,
        mode=event.mode,
        code=event.code,
        reason=event.reason,
        tickers=tuple(
            TickerReport(
                exchange=line.exchange,
                instrument_id=line.symbol,
                status=line.status,
                target=line.target,
                position=line.position,
                code=line.code,
                reason=line.sentence,
            )
            for line in event.tickers
        ),
        orders=orders,
    )


def steered(event: t.TargetSteered, orders: tuple[JobOrder, ...]) -> TargetReport | None:
    """The report of a later wave; None where nothing was decided."""
    if event.sentence is None:
        return None
    return _of_one(event, "STEERED", reason=event.sentence, orders=orders)


def reached(event: t.TargetReached) -> TargetReport:
    """The report of a ticker that is where it should be."""
    reason = f"target {plain(event.target)}; held {plain(event.position)}"
    line = _line(event, "DONE", event.target, event.position)
    return _of_one(event, "DONE", reason=reason, tickers=(line,))


def failed(event: t.TargetFailed) -> TargetReport:
    """The report of a ticker that is pursued no more."""
    line = _line(event, "FAILED", event.target, event.position, event.code, event.reason)
    return _of_one(event, "FAILED", event.code, event.reason, (line,))


def _line(
    event: t.AimEvent,
    status: str,
    target: Decimal,
    position: Decimal,
    code: str | None = None,
    reason: str | None = None,
) -> TickerReport:
    return TickerReport(
        exchange=event.exchange,
        instrument_id=event.symbol,
        status=status,
        target=target,
        position=position,
        code=code,
        reason=reason,
    )


def _of_one(
    event: t.AimEvent,
    status: str,
    code: str | None = None,
    reason: str | None = None,
    tickers: tuple[TickerReport, ...] = (),
    orders: tuple[JobOrder, ...] = (),
) -> TargetReport:
    return TargetReport(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.subscriber_id,
        status=status,
        code=code,
        reason=reason,
        tickers=tickers,
        orders=orders,
    )
