"""Plays recorded market data: groups messages into steps of equal time and hands them out at a chosen pace.

Where they go is the caller's: `play` is an asynchronous iterator of batches, `publish` sends each message through a
function that is given.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import Final

from msgspec import Struct, json

from engine.identity import subject_token
from engine.messages import Bar, MarketData, Quote
from engine.values import EXACT, ONE

_HALF_BPS: Final = Decimal("0.00005")
_encode: Final = json.Encoder().encode


class QuoteTerms(Struct, frozen=True, kw_only=True):
    """How quotes are derived from bars: a spread of `spread_bps` around the close, each side rounded outwards to a
    multiple of `tick`; displayed on each side, `displayed` of the bar's volume, rounded down to a multiple of `lot`
    and at least one lot. Derived, not observed: real prices, an assumed spread and size."""

    spread_bps: Decimal = Decimal(2)
    displayed: Decimal = Decimal("0.001")
    tick: Decimal = Decimal("0.01")
    lot: Decimal = ONE


def derived_quote(bar: Bar, terms: QuoteTerms) -> Quote:
    """The quote that these terms put around the bar's close."""
    half = EXACT.multiply(bar.close, EXACT.multiply(terms.spread_bps, _HALF_BPS))
    lots = EXACT.divide_int(EXACT.multiply(bar.volume, terms.displayed), terms.lot)
    size = EXACT.multiply(max(lots, ONE), terms.lot)
    return Quote(
        exchange=bar.exchange,
        symbol=bar.symbol,
        bid=max(_floor(EXACT.subtract(bar.close, half), terms.tick), terms.tick),
        ask=_ceiling(EXACT.add(bar.close, half), terms.tick),
        bid_size=size,
        ask_size=size,
        at=bar.at,
    )


def with_quotes(messages: Iterable[MarketData], terms: QuoteTerms, bars: bool = False) -> Iterator[MarketData]:
    """The messages with a quote derived from every bar in its place; with `bars`, after the bar."""
    for message in messages:
        if not isinstance(message, Bar):
            yield message
            continue
        if bars:
            yield message
        yield derived_quote(message, terms)


async def play(
    messages: Iterable[MarketData], *, speed: float = 0, per_second: float = 0
) -> AsyncIterator[list[MarketData]]:
    """Batches of messages of the same time, in the order given, paced by one of:

    `speed`: seconds of the recording per second (1 is real time);  `per_second`: batches per second.
    Zero or infinity, and neither, is as fast as they are taken. The pace is kept from the start on, so a slow taker
    is not waited for twice. Raises ValueError for a negative pace, or two.
    """
    if speed and per_second:
        raise ValueError("speed and per_second: only one can set the pace")
    if not (speed >= 0 and per_second >= 0):
        raise ValueError(f"a pace must not be negative, got {speed or per_second}")
    loop = asyncio.get_running_loop()
    started, first = loop.time(), None
    for step, (at, batch) in enumerate(groupby(messages, key=lambda message: message.at)):
        first = at if first is None else first
        due = started
        if per_second and math.isfinite(per_second):
            due += step / per_second
        elif speed and math.isfinite(speed):
            due += (at - first).total_seconds() / speed
        # Also with no time to wait: a player as fast as possible must let others run.
        await asyncio.sleep(max(due - loop.time(), 0))
        yield list(batch)


async def publish(
    batches: AsyncIterator[list[MarketData]], send: Callable[[str, bytes], Awaitable[object]], prefix: str = "exec"
) -> int:
    """Sends every message, as JSON, to its subject through `send`; how many were sent."""
    count = 0
    async for batch in batches:
        for message in batch:
            await send(subject(message, prefix), _encode(message))
        count += len(batch)
    return count


def subject(message: MarketData, prefix: str = "exec") -> str:
    """Where a message is published: `exec.market.<quote/trade/bar>.<exchange>.<symbol>`."""
    kind = type(message).__name__.lower()
    return f"{prefix}.market.{kind}.{subject_token(message.exchange)}.{subject_token(message.symbol)}"


def _floor(value: Decimal, tick: Decimal) -> Decimal:
    """The multiple of the tick at or below a positive value, exactly."""
    return EXACT.multiply(EXACT.divide_int(value, tick), tick)


def _ceiling(value: Decimal, tick: Decimal) -> Decimal:
    """The multiple of the tick at or above a positive value, exactly."""
    below = _floor(value, tick)
    return below if below == value else EXACT.add(below, tick)
