"""The ExecutionPlan: how and when to execute, independent of the venue.

A plan says what MUST hold (constraints) and what MAY be used (hints); `engine.translate` says of each what became of
it. A plan is immutable: an order is worked under the plan that it was accepted with.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from engine.refusal import Problem
from engine.values import ONE, ZERO, Number

ExecutionAction = Literal["EXECUTE_TRADE", "CANCEL_ORDER", "MODIFY_ORDER", "CANCEL_GROUP"]
Style = Literal["TWAP", "VWAP", "POV", "IMPLEMENTATION_SHORTFALL", "ICEBERG", "SNIPER", "ADAPTIVE"]
"""What `preferred_execution_style` is understood as; another text is a hint that is not used."""

CONSTRAINTS: Final = (
    "max_slippage_pct",
    "must_complete_immediately",
    "max_execution_window_minutes",
    "min_fill_ratio",
)
HINTS: Final = (
    "execution_urgency",
    "visibility_preference",
    "preferred_execution_style",
    "chunk_count_hint",
    "chunk_distribution",
)
_RATIOS: Final = ("execution_urgency", "visibility_preference", "max_slippage_pct", "min_fill_ratio")
_Ratio = Number | None


class ExecutionPlan(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How and when to execute. Ratios are exact decimals from 0 to 1: a max_slippage_pct of 0.01 is one per cent.

    The pattern of plan_id is searched for, so it is anchored, and in ASCII digits only.
    """

    plan_id: Annotated[str, Meta(pattern=r"^EXP_[0-9]{8}_[0-9]{6}_[0-9a-z]{5,8}\Z")]
    action: ExecutionAction = "EXECUTE_TRADE"
    execution_urgency: _Ratio = None
    visibility_preference: _Ratio = None
    max_slippage_pct: _Ratio = None
    must_complete_immediately: bool = False
    max_execution_window_minutes: Annotated[int, Meta(ge=1, le=10_080)] | None = None
    preferred_execution_style: Annotated[str, Meta(max_length=32)] | None = None
    chunk_count_hint: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    chunk_distribution: Literal["UNIFORM", "WEIGHTED"] | None = None
    min_fill_ratio: _Ratio = None

    def problem(self) -> Problem | None:
        """What makes this plan senseless whoever asks, or None."""
        if not _is_time(self.plan_id):
            return "BAD_TEXT", f"plan.plan_id: {self.plan_id[4:19]} is no date and time"
        for name in _RATIOS:
            value = getattr(self, name)
            if value is not None and not ZERO <= value <= ONE:
                return "BAD_VALUE", f"plan.{name}: must be from 0 to 1, got {value}"
        return None

    def asked(self) -> tuple[str, ...]:
        """The names of the constraints and hints that this plan gives, in the order of its fields."""
        given = {name: getattr(self, name) for name in self.__struct_fields__[2:]}
        return tuple(name for name, value in given.items() if value is not None and value is not False)


def _is_time(plan_id: str) -> bool:
    """Whether the id's digits (EXP_20251201_143450_…, already in the pattern) are a date and a time that exist."""
    day, clock = plan_id[4:12], plan_id[13:19]
    try:
        datetime(  # noqa: DTZ001 - asked only whether it exists
            int(day[:4]), int(day[4:6]), int(day[6:]), int(clock[:2]), int(clock[2:4]), int(clock[4:])
        )
    except ValueError:
        return False
    return True
