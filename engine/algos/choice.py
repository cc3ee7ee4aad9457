"""Which algorithm a plan means: its constraints first, then the style it names, then what its other hints imply."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct

from engine.algos.contract import Algorithm
from engine.plan import ExecutionPlan

URGENT: Final = Decimal("0.9")
"""From this urgency on, what names no style is not worked but taken."""
STEALTHY: Final = Decimal("0.3")
"""Up to this visibility, what names no style is hidden."""

STYLES: Final[dict[str, Algorithm]] = {
    "ADAPTIVE": "ADAPTIVE",
    "AGGRESSIVE": "IMMEDIATE",
    "ALMGREN_CHRISS": "IS",
    "ARRIVAL_PRICE": "IS",
    "HIDDEN": "ICEBERG",
    "ICEBERG": "ICEBERG",
    "IMMEDIATE": "IMMEDIATE",
    "IMPLEMENTATION_SHORTFALL": "IS",
    "IS": "IS",
    "MARKET": "IMMEDIATE",
    "PARTICIPATE": "POV",
    "PASSIVE": "TWAP",
    "PATIENT": "TWAP",
    "PERCENT_OF_VOLUME": "POV",
    "POV": "POV",
    "SNIPER": "SNIPER",
    "STEALTH": "ICEBERG",
    "TWAP": "TWAP",
    "URGENT": "IMMEDIATE",
    "VWAP": "VWAP",
}
"""Names of styles, in capitals and with underscores."""


class Choice(Struct, frozen=True, gc=False):
    """An algorithm and why, in a sentence; None where one order as it was requested does what the plan asks."""

    algorithm: Algorithm | None
    reason: str


def choose(plan: ExecutionPlan) -> Choice:
    """The algorithm for a plan that executes a trade. With None, `bounds.price_bound` still holds for the one order."""
    if plan.must_complete_immediately:
        return Choice("IMMEDIATE", "must_complete_immediately")
    style = plan.preferred_execution_style
    aside = ""
    if style is not None:
        algorithm = STYLES.get(style.strip().upper().replace("-", "_").replace(" ", "_"))
        if algorithm is not None:
            return Choice(algorithm, f"preferred_execution_style is {style!r}")
        aside = f"; the style {style!r} is not one of {', '.join(sorted(STYLES))}"
    urgency, visibility = plan.execution_urgency, plan.visibility_preference
    if urgency is not None and urgency >= URGENT:
        return Choice("IMMEDIATE", f"execution_urgency {urgency} is at least {URGENT}{aside}")
    if plan.chunk_count_hint is not None or plan.chunk_distribution is not None:
        return Choice("TWAP", f"chunks are asked for{aside}")
    if visibility is not None and visibility <= STEALTHY:
        return Choice("ICEBERG", f"visibility_preference {visibility} is at most {STEALTHY}{aside}")
    for name in ("max_execution_window_minutes", "execution_urgency", "visibility_preference", "min_fill_ratio"):
        value = getattr(plan, name)
        if value is not None:
            return Choice("ADAPTIVE", f"{name} is {value} and no style is known{aside}")
    return Choice(None, f"nothing in the plan asks for more than one order{aside}")
