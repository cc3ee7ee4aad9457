"""Why a set of targets was decided as it was, and what became of it: tickers, arithmetic, orders and their checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.commands import Ticket
from engine.control_events import OverrideUsed
from engine.controls import RegimeChange
from engine.explaining import Explanation, Row, TickerTold, counted, in_words, placed, rows
from engine.sizing import plain
from engine.target_events import (
    TargetEvent,
    TargetFailed,
    TargetReached,
    TargetsDecided,
    TargetSteered,
    TickerDecided,
)
from engine.values import instrument_key, subtract

Step = TargetSteered | TargetReached | TargetFailed


def explained_set(event: TargetsDecided, regime: RegimeChange | None, used: Sequence[OverrideUsed]) -> Explanation:
    """A decision on a set in words; the arguments are those of `explaining.explained`."""
    told = tuple(_ticker(event, event.tickets, ticker, regime, used) for ticker in event.tickers)
    return _told(event, event.status, event.code, event.reason, regime, event.mode, told)


def explained_step(event: Step, regime: RegimeChange | None, used: Sequence[OverrideUsed]) -> Explanation:
    """What became of one ticker of a set later on."""
    exchange, symbol = event.exchange, event.symbol
    if isinstance(event, TargetSteered):
        sentence = event.sentence or "an order filled or ended: nothing to do"
        line = TickerDecided(
            exchange=exchange,
            symbol=symbol,
            status="WORKING",
            sentence=sentence,
            orders=tuple(ticket.order_id for ticket in event.tickets),
            cancelled=event.cancelled,
            figures=event.figures,
            weights=event.weights,
        )
        tickers = (_ticker(event, event.tickets, line, regime, used),)
        return _told(event, "STEERED", None, None, regime, None, tickers)
    failed = event if isinstance(event, TargetFailed) else None
    text = f"target {plain(event.target)}; held {plain(event.position)}"
    line = TickerDecided(
        exchange=exchange,
        symbol=symbol,
        status="NOOP",
        sentence=text if failed is None else f"{text}: pursued no more",
        target=event.target,
        position=event.position,
    )
    tickers = (_ticker(event, (), line, regime, used),)
    if failed is None:
        return _told(event, "DONE", None, None, regime, None, tickers)
    return _told(event, "FAILED", failed.code, failed.reason, regime, None, tickers)


def _told(
    event: TargetEvent,
    status: str,
    code: str | None,
    reason: str | None,
    regime: RegimeChange | None,
    mode: str | None,
    tickers: tuple[TickerTold, ...],
) -> Explanation:
    return Explanation(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.subscriber_id,
        at=event.at,
        status=status,
        code=code,
        reason=reason,
        regime=in_words(regime),
        plan=None,
        sizing=None,
        checks=(),
        orders=(),
        mode=mode,
        tickers=tickers,
    )


def _ticker(
    event: TargetEvent,
    tickets: Sequence[Ticket],
    ticker: TickerDecided,
    regime: RegimeChange | None,
    used: Sequence[OverrideUsed],
) -> TickerTold:
    by_id = {ticket.order_id: ticket for ticket in tickets}
    expected = ticker.expected
    return TickerTold(
        instrument=instrument_key(ticker.exchange, ticker.symbol),
        status=ticker.status,
        code=ticker.code,
        current=plain(ticker.position),
        working=None if expected is None else plain(subtract(expected, ticker.position)),
        target=None if ticker.target is None else plain(ticker.target),
        delta=None if ticker.missing is None else plain(ticker.missing),
        tolerance=plain(ticker.tolerance),
        least=plain(ticker.least),
        sentence=ticker.sentence,
        orders=tuple(placed(by_id[order_id]) for order_id in ticker.orders if order_id in by_id),
        cancelled=ticker.cancelled,
        checks=tuple(_checks(event, ticker, "NORMAL" if regime is None else regime.name, used)),
    )


def _checks(event: TargetEvent, ticker: TickerDecided, regime: str, used: Sequence[OverrideUsed]) -> Iterator[Row]:
    overrides = {one.code: one for one in used}
    if not ticker.figures and ticker.code is not None:
        yield from rows(None, {}, ticker.code, ticker.reason or "", regime, overrides)
    for at, figures in enumerate(ticker.figures):
        if len(ticker.figures) > 1:
            yield Row(check=f"order {at + 1}", result="pass", found=f"{figures.side} {plain(figures.quantity)}")
        weights = ticker.weights[at] if ticker.weights else None
        found = counted(weights, figures, event.subscriber_id, event.strategy_id)
        yield from rows(figures, found, ticker.code, ticker.reason or "", regime, overrides)
