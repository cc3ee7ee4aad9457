"""Whole steps: lots and ticks as counts, and values that carry no more digits than their grid."""

from __future__ import annotations

from decimal import Decimal

from engine.values import EXACT, ZERO, multiply

_count, _remainder = EXACT.divide_int, EXACT.remainder


def steps_in(value: Decimal, step: Decimal) -> int:
    """How many whole steps a value has; neither is negative."""
    return int(_count(value, step)) if value > ZERO else 0


def floored(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` not above `value`, and not below zero."""
    return multiply(Decimal(steps_in(value, step)), step)


def ceiled(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` not below `value`, and not below zero."""
    more = value > ZERO and _remainder(value, step) > ZERO
    return multiply(Decimal(steps_in(value, step) + more), step)
