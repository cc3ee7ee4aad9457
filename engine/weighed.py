"""What the controls that count judge an order by: gathered once, judged here, and kept with the decision."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from msgspec import Struct

from engine.figures import Figures
from engine.sizing import plain
from engine.values import ZERO, add, instrument_key

UNTIL: Final = "stopped until a person re-arms it"
Most = tuple[int, int]
"""At most so often in so many seconds."""


class Terms(Struct, frozen=True, gc=False, array_like=True):
    """The limits as they stand for all orders, under the regime in force; None where there is none."""

    repeats: Most | None = None
    duplicates: Most | None = None
    subscriber: Most | None = None
    strategy: Most | None = None
    venue: Most | None = None
    firm: Most | None = None
    gross: Decimal | None = None
    """Of the firm."""


class Weights(Struct, frozen=True, gc=False, array_like=True):
    """One order's figures: how often each control counted before it, and in its currency what was `executed` today,
    what `works` (with the orders that are decided beside it) and what it `asks` itself.

    `acted`: this signal counts already, for another who follows it. `limit` is its strategy's gross limit.
    """

    terms: Terms
    venue: str
    repeats: int = 0
    acted: bool = False
    duplicates: int = 0
    subscriber: int = 0
    strategy: int = 0
    at_venue: int = 0
    firm: int = 0
    asks: Decimal = ZERO
    executed: Decimal = ZERO
    works: Decimal = ZERO
    limit: Decimal | None = None
    executed_by_all: Decimal = ZERO
    works_of_all: Decimal = ZERO

    @property
    def passes(self) -> bool:
        """Whether no control speaks against the order: what `weighed` says, without the sentences."""
        terms, limit = self.terms, self.limit
        return (
            (terms.repeats is None or self.acted or self.repeats < terms.repeats[0])
            and (terms.duplicates is None or self.duplicates < terms.duplicates[0])
            and (terms.subscriber is None or self.subscriber < terms.subscriber[0])
            and (terms.strategy is None or self.strategy < terms.strategy[0])
            and (terms.venue is None or self.at_venue < terms.venue[0])
            and (terms.firm is None or self.firm < terms.firm[0])
            and (limit is None or add(add(self.executed, self.works), self.asks) <= limit)
            and (terms.gross is None or add(add(self.executed_by_all, self.works_of_all), self.asks) <= terms.gross)
        )


def weighed(
    weights: Weights, figures: Figures, subscriber_id: str, strategy_id: str
) -> Iterator[tuple[str, bool, str]]:
    """(code, passes, sentence) of each control that counted, in the order in which they are judged."""
    terms, spec = weights.terms, figures.spec
    instrument = instrument_key(spec.exchange, spec.symbol)
    if terms.repeats is not None:
        most, seconds = terms.repeats
        passes, text = weights.acted or weights.repeats < most, f"strategy_id: {strategy_id} acted on {instrument} by"
        if passes:
            counts = "; this signal counts already" if weights.acted else ""
            text += f" {weights.repeats} signals within {seconds} s, limit {most}{counts}"
        else:
            text += f" {most} signals within {seconds} s, limit reached; {UNTIL}"
        yield "REPEATED_EXECUTION", passes, text
    if terms.duplicates is not None:
        most, seconds = terms.duplicates
        price = "the market" if figures.limit_price is None else figures.limit_price
        text = (
            f"quantity: {figures.side} {figures.quantity} {instrument} at {price} was placed {weights.duplicates} times"
        )
        yield "DUPLICATE_ORDER", weights.duplicates < most, f"{text} within {seconds} s, allowed {most}"
    for scope, throttle, name, found in (
        ("subscriber", terms.subscriber, subscriber_id, weights.subscriber),
        ("strategy", terms.strategy, strategy_id, weights.strategy),
        ("venue", terms.venue, weights.venue, weights.at_venue),
        ("firm", terms.firm, "all", weights.firm),
    ):
        if throttle is not None:
            most, seconds = throttle
            text = f"{scope}: {name} sent {found} messages within {seconds} s, limit {most}"
            yield f"THROTTLED_{scope.upper()}", found < most, text
    for code, whose, executed, works, limit in (
        ("MAX_STRATEGY_GROSS", f"strategy/{strategy_id}", weights.executed, weights.works, weights.limit),
        ("MAX_FIRM_GROSS", "firm", weights.executed_by_all, weights.works_of_all, terms.gross),
    ):
        if limit is not None and not figures.reduces:
            text = f"gross: {whose} executed {plain(executed)} {spec.currency} today and works {plain(works)}"
            passes = add(add(executed, works), weights.asks) <= limit
            yield code, passes, f"{text}, this order {plain(weights.asks)}, limit {limit}"
