"""What is in force over all of trading beside the kill switch: kills of a scope, the regime, restrictions, overrides.

The desk keeps it (`engine.desk`); whoever decides about an order looks at it. `None` in its place says that nothing
is in force, so that where no control is used none costs anything.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from engine.config import Limits
from engine.control_settings import ControlSettings, RegimeName, RegimeSettings
from engine.refusal import Refusal
from engine.sizing import plain
from engine.values import multiply

Scope = Literal["firm", "subscriber", "strategy", "symbol", "venue"]

SoftCode = Literal[
    "MAX_ORDER_QUANTITY",
    "MAX_ORDER_NOTIONAL",
    "PRICE_COLLAR",
    "MAX_POSITION_NOTIONAL",
    "MAX_LEVERAGE",
    "ORDER_RATE",
    "DAILY_LOSS",
    "RESTRICTED",
    "REGIME_NO_NEW_RISK",
    "DUPLICATE_ORDER",
    "THROTTLED_SUBSCRIBER",
    "THROTTLED_STRATEGY",
    "THROTTLED_VENUE",
    "THROTTLED_FIRM",
    "MAX_STRATEGY_GROSS",
    "MAX_FIRM_GROSS",
]
"""The codes that a person may override. Never a kill, a stopped strategy (that is re-armed), what an order is made of,
who gave it, money that is not there, a short sale that is not allowed, or a price that is not known."""


SOFT: Final[tuple[str, ...]] = get_args(SoftCode)
LIMITS: Final = frozenset(SOFT[: SOFT.index("RESTRICTED")])
"""Refusals of risk's own limits: all who follow a strategy may run into them at once."""
ALARMING: Final = frozenset(SOFT) - {"REGIME_NO_NEW_RISK"}
"""Refusals that a person is told of: a control has tripped. Of a regime and of kills a person knows."""


class Switched(Struct, frozen=True, kw_only=True):
    """Who switched something, when, and why."""

    reason: str
    by: str
    since: datetime


class RegimeInForce(Struct, frozen=True, kw_only=True):
    """A regime other than NORMAL and what it means, as configured when it was declared."""

    name: RegimeName
    settings: RegimeSettings
    reason: str
    by: str
    since: datetime


class Override(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person's leave to pass one soft check until it expires, for a subscriber, a strategy or a symbol, or for what
    fits all that are named."""

    override_id: str
    code: str
    subscriber_id: str = ""
    strategy_id: str = ""
    symbol: str = ""
    reason: str
    by: str
    since: datetime
    expires_at: datetime


class Controls(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is in force. `kills` are named `strategy/momentum`, `symbol/AAPL` or `symbol/XNAS:AAPL`; `restricted`
    `AAPL` for all or `AAPL alice` for one; `stopped` `momentum XNAS:AAPL`; `overrides` by id."""

    kills: dict[str, Switched] = {}
    regime: RegimeInForce | None = None
    restricted: dict[str, Switched] = {}
    stopped: dict[str, Switched] = {}
    overrides: dict[str, Override] = {}


NOTHING: Final = Controls()


class RegimeChange(Struct, frozen=True, kw_only=True):
    """A regime and since when, for the history that the desk keeps."""

    name: RegimeName
    reason: str
    by: str
    at: datetime


def killed(
    controls: Controls, subscriber_id: str, strategy_id: str, exchange: str, symbol: str, venue: str
) -> Refusal | None:
    """The kill that an order of this origin and destination falls under, or None."""
    kills = controls.kills
    if not kills or (
        f"symbol/{symbol}" not in kills
        and f"symbol/{exchange}:{symbol}" not in kills
        and f"strategy/{strategy_id}" not in kills
        and f"subscriber/{subscriber_id}" not in kills
        and f"venue/{venue}" not in kills
    ):
        return None
    for scope, name in (
        ("subscriber", subscriber_id),
        ("strategy", strategy_id),
        ("symbol", symbol),
        ("symbol", f"{exchange}:{symbol}"),
        ("venue", venue),
    ):
        found = kills.get(f"{scope}/{name}")
        if found is not None:
            return Refusal(f"KILLED_{scope.upper()}", f"{scope} {name} is killed by {found.by}: {found.reason}")
    return None


def scaled(limits: Limits, regime: RegimeInForce | None) -> Limits:
    """The limits under a regime; what is no limit stays none."""
    if regime is None:
        return limits
    by = regime.settings
    return replace(
        limits,
        max_order_quantity=_times(limits.max_order_quantity, by.quantity_factor),
        max_order_notional=_times(limits.max_order_notional, by.notional_factor),
        max_position_notional=_times(limits.max_position_notional, by.notional_factor),
        max_orders_per_second=_times(limits.max_orders_per_second, by.rate_factor),
    )


def _times(limit: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if limit is None else Decimal(plain(multiply(limit, factor)))


def new_risk(regime: RegimeInForce | None, reduces: bool) -> Refusal | None:
    """Why the regime lets no order through that does not only reduce a position, or None."""
    if regime is None or regime.settings.allow_new_risk or reduces:
        return None
    text = f"regime {regime.name} takes only orders that reduce a position (declared by {regime.by}: {regime.reason})"
    return Refusal("REGIME_NO_NEW_RISK", text)


def waived(
    controls: Controls, code: str, subscriber_id: str, strategy_id: str, exchange: str, symbol: str, now: datetime
) -> Override | None:
    """The override under which an order may pass the check with this code, or None."""
    for override in controls.overrides.values():
        if (
            override.code == code
            and now < override.expires_at
            and override.subscriber_id in ("", subscriber_id)
            and override.strategy_id in ("", strategy_id)
            and override.symbol in ("", symbol, f"{exchange}:{symbol}")
        ):
            return override
    return None


def restricted(
    controls: Controls, settings: ControlSettings, subscriber_id: str, exchange: str, symbol: str
) -> Refusal | None:
    """Why this symbol may not be traded by this subscriber, or None: configuration and desk add up."""
    instrument, own, desk = f"{exchange}:{symbol}", settings.restricted_for.get(subscriber_id), controls.restricted
    if (
        symbol in settings.restricted
        or instrument in settings.restricted
        or (own and (symbol in own or instrument in own))
        or (desk and _on_list(desk, subscriber_id, symbol, instrument))
    ):
        return _restriction(controls, settings, subscriber_id, (symbol, instrument))
    return None


def _on_list(listed: dict[str, Switched], subscriber_id: str, symbol: str, instrument: str) -> bool:
    return (
        symbol in listed
        or instrument in listed
        or f"{symbol} {subscriber_id}" in listed
        or f"{instrument} {subscriber_id}" in listed
    )


def _restriction(
    controls: Controls, settings: ControlSettings, subscriber_id: str, names: tuple[str, str]
) -> Refusal | None:
    for name in names:
        if name in settings.restricted or name in settings.restricted_for.get(subscriber_id, ()):
            return Refusal("RESTRICTED", f"symbol: {name} is on the restricted list of the configuration")
        for whose in (name, f"{name} {subscriber_id}"):
            found = controls.restricted.get(whose)
            if found is not None:
                return Refusal("RESTRICTED", f"symbol: {name} is restricted by {found.by}: {found.reason}")
    return None


def grossed(limit: Decimal, regime: RegimeInForce | None) -> Decimal:
    """A gross limit under a regime."""
    return limit if regime is None else Decimal(plain(multiply(limit, regime.settings.notional_factor)))


def paced(messages: int, regime: RegimeInForce | None) -> int:
    """How many messages a throttle lets through under a regime: whole ones, at least one."""
    if regime is None:
        return messages
    return max(1, int(multiply(Decimal(messages), regime.settings.rate_factor)))
