"""The demo's strategy: a breakout over closing prices, as a pure function.

Buy when the close is above the highest of the 20 before it; sell when it is below the lowest of the 5 before it
(Donchian's channel rule, with the shorter channel as the exit). It is no advice: it is something to execute.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

ENTRY_DAYS: Final = 20
EXIT_DAYS: Final = 5

Move = Literal["ENTER", "EXIT"]


class Breakout(Struct, frozen=True):
    """What the strategy knows of one symbol: the closes that it compares with, oldest first, and whether it is in."""

    closes: tuple[Decimal, ...] = ()
    held: bool = False


def step(state: Breakout, close: Decimal) -> tuple[Breakout, Move | None]:
    """The state after another day's close, and what to do about it."""
    move: Move | None = None
    before = state.closes
    if not state.held and len(before) >= ENTRY_DAYS and close > max(before[-ENTRY_DAYS:]):
        move = "ENTER"
    elif state.held and close < min(before[-EXIT_DAYS:]):
        move = "EXIT"
    held = state.held if move is None else move == "ENTER"
    return replace(state, closes=(*before, close)[-ENTRY_DAYS:], held=held), move
