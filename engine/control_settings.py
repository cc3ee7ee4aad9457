"""What config.toml says of the controls over all of trading and of the regimes: `[controls]` and `[regimes.<NAME>]`.

Everything is off unless it is named. Windows slide: a window of ten seconds is the ten seconds before each order. Of
several partitions each has its share of what is for all (`shared`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final, Literal, get_args

from msgspec import Struct, field
from msgspec.structs import replace

from engine.values import ONE, ZERO, Number

RegimeName = Literal["NORMAL", "CAUTION", "EMERGENCY"]
MAX_WINDOW_S: Final = 3600
MAX_COUNT: Final = 1_000_000
_DOWN: Final = Context(prec=28, rounding=ROUND_DOWN)


class Setting(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What every table here is: immutable and strict."""


class RegimeSettings(Setting, frozen=True):
    """What changes under a regime. The factors, above 0 and at most 1, multiply the limits of everybody.

    `quantity_factor` multiplies max_order_quantity; `notional_factor` max_order_notional, max_position_notional and
    the limits of `[controls.gross]`; `rate_factor` max_orders_per_second and the throttles. Without `allow_new_risk`
    only orders that reduce a position pass; `cancel_working` cancels, when the regime is declared, what is open and
    does not reduce one. `min_urgency` and `max_urgency`, from 0 to 1, bound the urgency of algorithms.
    """

    quantity_factor: Number = ONE
    notional_factor: Number = ONE
    rate_factor: Number = ONE
    allow_new_risk: bool = True
    cancel_working: bool = False
    min_urgency: Number | None = None
    max_urgency: Number | None = None


UNCHANGED: Final = RegimeSettings()
DEFAULT_REGIMES: Final[dict[str, RegimeSettings]] = {
    "CAUTION": RegimeSettings(
        quantity_factor=Decimal("0.5"), notional_factor=Decimal("0.5"), rate_factor=Decimal("0.5")
    ),
    "EMERGENCY": RegimeSettings(allow_new_risk=False, cancel_working=True),
}
"""What a regime means where `[regimes.<NAME>]` is left out. NORMAL is what the rest of the configuration says."""


class Throttle(Setting, frozen=True):
    """At most `messages` (new orders and replacements) in any `seconds` on end."""

    messages: int
    seconds: int = 1


class Throttles(Setting, frozen=True):
    """How many messages each subscriber, each strategy, each venue and all together may send."""

    subscriber: Throttle | None = None
    strategy: Throttle | None = None
    venue: Throttle | None = None
    firm: Throttle | None = None


class Duplicates(Setting, frozen=True):
    """The same order (subscriber, instrument, side, quantity, limit price) again within `seconds` is refused once it
    was placed `allowed` times."""

    seconds: int
    allowed: int = 1


class Repeats(Setting, frozen=True):
    """A strategy that acts on an instrument by more than `executions` signals within `seconds` is stopped there until
    a person re-arms it. A signal counts once, however many subscribers follow it."""

    executions: int
    seconds: int


class Gross(Setting, frozen=True):
    """How much may be traded in a day (UTC) in each currency: what was executed since the day began and what works,
    together, by all (`firm`), by each strategy (`strategy`), or by those of `strategies`, which win."""

    firm: Number | None = None
    strategy: Number | None = None
    strategies: dict[str, Number] = field(default_factory=dict)


class ControlSettings(Setting, frozen=True):
    """`restricted`: symbols (or `exchange:symbol`) that nobody may trade; `restricted_for`: by subscriber."""

    restricted: frozenset[str] = frozenset()
    restricted_for: dict[str, frozenset[str]] = field(default_factory=dict)
    duplicates: Duplicates | None = None
    repeats: Repeats | None = None
    throttles: Throttles = field(default_factory=Throttles)
    gross: Gross | None = None


NO_CONTROLS: Final = ControlSettings()

Found = tuple[str, str, str]
"""Where it stands, what was found, what was expected."""


SEVERITY: Final[tuple[RegimeName, ...]] = get_args(RegimeName)
"""The regimes, the laxest first."""


def laxer(was: RegimeName, before: RegimeSettings, now: RegimeName, after: RegimeSettings) -> bool:
    """Whether a regime lets through what the one before did not: by its name or, under the same name, by what it means
    since the configuration was changed."""
    if was != now:
        return SEVERITY.index(now) < SEVERITY.index(was)
    return (
        (after.allow_new_risk and not before.allow_new_risk)
        or after.quantity_factor > before.quantity_factor
        or after.notional_factor > before.notional_factor
        or after.rate_factor > before.rate_factor
    )


def meaning(regimes: Mapping[str, RegimeSettings], name: RegimeName) -> RegimeSettings:
    """What a regime changes, as configured or by default; nothing for NORMAL."""
    if name == "NORMAL":
        return UNCHANGED
    return regimes.get(name) or DEFAULT_REGIMES[name]


def longest_window(controls: ControlSettings) -> int:
    """In seconds; 0 where there is none."""
    throttles = controls.throttles
    windows = (
        controls.duplicates,
        controls.repeats,
        throttles.subscriber,
        throttles.strategy,
        throttles.venue,
        throttles.firm,
    )
    return max((window.seconds for window in windows if window is not None), default=0)


def shared(controls: ControlSettings, partition: int, partitions: int) -> ControlSettings:
    """One partition's share of what is for all partitions: in sum they have what is configured, and never more.

    A subscriber lives in one partition, so what is a subscriber's own is whole there.
    """
    if partitions == 1:
        return controls
    throttles, gross = controls.throttles, controls.gross

    def some(throttle: Throttle | None) -> Throttle | None:
        if throttle is None:
            return None
        each, more = divmod(throttle.messages, partitions)
        return replace(throttle, messages=each + (partition < more))

    def part(limit: Decimal | None) -> Decimal | None:
        return None if limit is None else _DOWN.divide(limit, Decimal(partitions))

    if gross is not None:
        own = {name: _DOWN.divide(limit, Decimal(partitions)) for name, limit in gross.strategies.items()}
        gross = Gross(firm=part(gross.firm), strategy=part(gross.strategy), strategies=own)
    mine = Throttles(
        subscriber=throttles.subscriber,
        strategy=some(throttles.strategy),
        venue=some(throttles.venue),
        firm=some(throttles.firm),
    )
    return replace(controls, throttles=mine, gross=gross)


def setting_problems(
    controls: ControlSettings, regimes: Mapping[str, RegimeSettings], partitions: int = 1
) -> Iterator[Found]:
    """What in these tables cannot be meant."""
    for name, regime in regimes.items():
        yield from _regime(f"regimes.{name}", name, regime)
    for key, struct in (("duplicates", controls.duplicates), ("repeats", controls.repeats)):
        yield from _counts(f"controls.{key}", struct)
    if controls.gross is not None:
        yield from _gross(controls.gross)
    for name in Throttles.__struct_fields__:
        throttle: Throttle | None = getattr(controls.throttles, name)
        yield from _counts(f"controls.throttles.{name}", throttle)
        if throttle is not None and name != "subscriber" and 1 <= throttle.messages < partitions:
            expected = f"at least {partitions}, one for each partition: they share it"
            yield f"controls.throttles.{name}.messages", str(throttle.messages), expected


def _gross(gross: Gross) -> Iterator[Found]:
    named = [("firm", gross.firm), ("strategy", gross.strategy)]
    named += [(f"strategies.{name}", limit) for name, limit in gross.strategies.items()]
    for name, limit in named:
        if limit is not None and limit <= ZERO:
            yield f"controls.gross.{name}", str(limit), "a decimal above 0, or nothing for no limit"


def _counts(key: str, struct: Any) -> Iterator[Found]:
    for name in () if struct is None else struct.__struct_fields__:
        value, most = getattr(struct, name), MAX_WINDOW_S if name == "seconds" else MAX_COUNT
        if not 1 <= value <= most:
            yield f"{key}.{name}", str(value), f"1 to {most}"


def _regime(key: str, name: str, regime: RegimeSettings) -> Iterator[Found]:
    if name not in DEFAULT_REGIMES:
        yield key, f'"{name}"', "CAUTION or EMERGENCY; NORMAL is what the rest of the configuration says"
    for part in ("quantity_factor", "notional_factor", "rate_factor"):
        factor = getattr(regime, part)
        if not ZERO < factor <= ONE:
            yield f"{key}.{part}", str(factor), "a decimal above 0 and at most 1"
    low, high = regime.min_urgency, regime.max_urgency
    for part, bound in (("min_urgency", low), ("max_urgency", high)):
        if bound is not None and not ZERO <= bound <= ONE:
            yield f"{key}.{part}", str(bound), "a decimal from 0 to 1"
    if low is not None and high is not None and low > high:
        yield f"{key}.min_urgency", str(low), f"at most max_urgency ({high})"
    if regime.cancel_working and regime.allow_new_risk:
        yield f"{key}.cancel_working", "true with allow_new_risk", "allow_new_risk = false beside it"
