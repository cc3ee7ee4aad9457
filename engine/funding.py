"""Buys that lack the cash which sells of the same set are to bring: what is to come, and for whom it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.aims import Aim
from engine.exposure import Exposure
from engine.figures import Figures
from engine.ledger import Position
from engine.values import ZERO, add

FUNDS: Final = frozenset({"INSUFFICIENT_CASH", "MAX_LEVERAGE"})
"""Refusals that pass once other positions have been reduced."""


class Coming(Struct, frozen=True, gc=False):
    """What the targets of a set will have changed in one currency once they are reached: cash that sells bring, gross
    exposure that is given up, and what the buys that wait for it will take, all of it at the market of now."""

    cash: Decimal = ZERO
    gross: Decimal = ZERO
    reserved: Decimal = ZERO


def reduced(coming: Coming, held: Decimal, target: Decimal, unit: Decimal) -> Coming:
    """With a position that is brought to its target, where that is to reduce it; `unit` is the price of one."""
    closing = closes(held, target)
    if not closing:
        return coming
    opening = abs(target) if held * target < ZERO else ZERO
    cash = closing * unit if held > ZERO else ZERO
    return Coming(coming.cash + cash, coming.gross + max(ZERO, closing - opening) * unit, coming.reserved)


def closes(held: Decimal, target: Decimal) -> Decimal:
    """How much of a position is closed on the way to its target."""
    if held > ZERO:
        return held - max(ZERO, min(held, target))
    return max(ZERO, min(ZERO, target) - held)


def with_coming(exposure: Exposure, coming: Coming) -> Exposure:
    """The exposure once all that is to come has come."""
    return replace(
        exposure,
        cash=exposure.cash + coming.cash,
        reserved=exposure.reserved + coming.reserved,
        gross=None if exposure.gross is None else max(ZERO, exposure.gross - coming.gross),
    )


def awaited(coming: Coming, figures: Figures) -> Coming:
    """With an order that waits for it, of these figures."""
    before, after = figures.gross, figures.gross_after
    taken = figures.notional if figures.side == "BUY" and figures.notional is not None else ZERO
    grown = ZERO if before is None or after is None else after - before
    return Coming(coming.cash, coming.gross - grown, add(coming.reserved, taken))


def pending(aims: Mapping[str, Aim], positions: Mapping[str, Position], currency: str) -> bool:
    """Whether a target in this currency, none that waits itself, is still to reduce its position: only then is there
    anything to wait for. Both by instrument."""
    for instrument, aim in aims.items():
        held = positions.get(instrument)
        if aim.status != "WORKING" or aim.lacks or held is None:
            continue
        if held.currency == currency and closes(held.quantity, aim.target) > aim.tolerance:
            return True
    return False
