"""How a subscription sizes its strategy's signals: the allocation methods, tagged by `method`.

Methods that size a subscriber alone are applied by `engine.allocate`. Equal, net liquidation, available equity and
ratio share one total over a group (`engine.block.share_out`) and mean nothing alone. They follow the rules that
Interactive Brokers publishes for its advisors' allocation groups and profiles (TWS API, "Financial Advisors").
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from engine.values import ONE, ZERO, Number


class Method(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True, tag_field="method"):
    """What every method may have beside its own value; bounds hold for what opens, never for what closes.

    `leverage` multiplies money (notional, weight) in place of the request's own. A size above `max_quantity` units or
    `max_notional` (in the instrument's currency at the reference price) is cut to it; one that comes out below
    `min_quantity` or `min_notional` is refused, as nothing is rounded up past what was asked.
    """

    leverage: Number | None = None
    min_quantity: Number | None = None
    max_quantity: Number | None = None
    min_notional: Number | None = None
    max_notional: Number | None = None


class FixedQuantity(Method, frozen=True, tag="fixed_quantity"):
    """Always `value` units, whatever the leader trades (Interactive Brokers: "Shares")."""

    value: Number


class FixedNotional(Method, frozen=True, tag="fixed_notional"):
    """Units worth `value` in the instrument's currency at the reference price."""

    value: Number


class Multiplier(Method, frozen=True, tag="multiplier"):
    """The leader's quantity times `value`."""

    value: Number


class Weight(Method, frozen=True, tag="weight"):
    """Units worth `value` (0.05 is five per cent) of the subscriber's equity in the instrument's currency."""

    value: Number


class RiskBased(Method, frozen=True, tag="risk_based"):
    """Units of which a stop-out loses `value` (0.01 is one per cent) of equity: fixed fractional position sizing.

    equity x value / |entry - stop| / multiplier. The entry is the order's limit, else its trigger, else the reference
    price; the stop is the protective one that came with the signal, else `stop_fraction` of the entry away from it.
    Source: R. Vince, Portfolio Management Formulas (1990), "fixed fractional trading"; V. Tharp, Trade Your Way to
    Financial Freedom (1998), "percent risk model". Leverage does not change what is risked.
    """

    value: Number
    stop_fraction: Number | None = None


class PercentChange(Method, frozen=True, tag="percent_change"):
    """The subscriber's position times `value` (0.5 is fifty per cent); -1 closes it all.

    Interactive Brokers, "PctChange": a positive value increases a long position on a buy and a short one on a sell;
    a negative value decreases a long position on a sell and a short one on a buy; else there is no effect.
    """

    value: Number


class Equal(Method, frozen=True, tag="equal"):
    """An equal share of the group's total. Interactive Brokers, "EqualQuantity": equally, then one more each in turn
    until all are distributed."""


class NetLiquidation(Method, frozen=True, tag="net_liquidation"):
    """A share of the group's total in the ratio of net liquidation values (equity). Interactive Brokers, "NetLiq"."""


class AvailableEquity(Method, frozen=True, tag="available_equity"):
    """A share of the group's total in the ratio of equity that is free to be used (cash less what working buys
    reserve). Interactive Brokers, "AvailableEquity"."""


class Ratio(Method, frozen=True, tag="ratio"):
    """A share of the group's total in the ratio of the `value`s: 4, 2, 1, 1 of 1,000 is 500, 250, 125, 125.

    Interactive Brokers, profiles by "Ratios" and "Percentages".
    """

    value: Number


GroupMethod = Equal | NetLiquidation | AvailableEquity | Ratio
"""What shares one total over a group."""
Allocation = FixedQuantity | FixedNotional | Multiplier | Weight | RiskBased | PercentChange | GroupMethod


def misfit(allocation: Allocation) -> str | None:
    """What is senseless in an allocation, as a sentence naming the key; None where nothing is."""
    if isinstance(allocation, PercentChange):
        if not allocation.value or allocation.value < -ONE:
            return f"value: percent_change takes -1 or more and not 0, got {allocation.value}"
    elif not isinstance(allocation, Equal | NetLiquidation | AvailableEquity) and allocation.value <= ZERO:
        return f"value: must be above zero, got {allocation.value}"
    if isinstance(allocation, RiskBased):
        if allocation.value > ONE:
            return f"value: risk_based risks at most 1, the whole equity, got {allocation.value}"
        if allocation.stop_fraction is not None and not ZERO < allocation.stop_fraction < ONE:
            return f"stop_fraction: must be between 0 and 1, got {allocation.stop_fraction}"
    for name in ("leverage", "min_quantity", "max_quantity", "min_notional", "max_notional"):
        bound: Decimal | None = getattr(allocation, name)
        if bound is not None and bound <= ZERO:
            return f"{name}: must be above zero, got {bound}"
    for least, most in (("min_quantity", "max_quantity"), ("min_notional", "max_notional")):
        low, high = getattr(allocation, least), getattr(allocation, most)
        if low is not None and high is not None and low > high:
            return f"{least}: {low} is above {most} {high}"
    return None
