"""How a quantity came about, kept with every decision so that it can be told in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.values import EXACT, ONE, ZERO, Side

How = Literal["quantity", "notional", "weight", "close", "risk", "percent_change", "share"]


class Sizing(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """How a quantity came about.

    `base` (units, money in `currency`, or equity for a weight) times `factor` (allocation and leverage), over the
    price of a unit (`reference` times the multiplier) where base is money, is `raw` units. `quantity` is `raw`, at
    most `position` units where a position is being closed and `most` where the allocation has a maximum, floored to
    `lot`. For a risk, `reference` is the distance of the stop; for a share, `raw` is what the group awards of a total
    of `base` to who counts `factor` in `reference`.
    """

    method: How
    base: Decimal
    factor: Decimal = ONE
    reference: Decimal | None = None
    multiplier: Decimal = ONE
    raw: Decimal
    position: Decimal | None = None
    most: Decimal | None = None
    lot: Decimal = ONE
    currency: str = ""
    quantity: Decimal

    def sentence(self) -> str:
        """The arithmetic in words: `10 x 0.5 = 5, floored to lot 1: 5`."""
        raw, text = plain(self.raw), self._formula()
        if text not in (raw, f"position {raw}") and self.method != "close":
            text += f" = {raw}"
        if self.position is not None and self.position < self.raw:
            text += f", at most the position of {plain(self.position)}"
        if self.most is not None and self.most < self.raw:
            text += f", at most {plain(self.most)} by the allocation's maximum"
        return f"{text}, floored to lot {plain(self.lot)}: {plain(self.quantity)}"

    def _formula(self) -> str:
        base, factor = plain(self.base), plain(self.factor)
        if self.method == "close":
            return f"the whole position of {base}"
        if self.method == "share":
            return f"{factor} / {plain(self.reference or ONE)} of {base} by largest remainder"
        text = base if self.reference is None else f"{base} {self.currency}"
        if self.method in ("weight", "risk"):
            text = f"equity {text}"
        elif self.method == "percent_change":
            text = f"position {text}"
        if self.factor != ONE:
            text += f" x {factor}"
        if self.reference is not None:
            text += f" / {'stop distance ' if self.method == 'risk' else ''}{plain(self.reference)}"
            if self.multiplier != ONE:
                text += f" / {plain(self.multiplier)}"
        return text


def plain(value: Decimal) -> str:
    """Digits without trailing zeros or an exponent."""
    text = str(value)
    if "E" in text:
        return f"{value.normalize(EXACT):f}"
    # As most numbers are short, this is a quarter of the way over `normalize`.
    return text.rstrip("0").rstrip(".") if "." in text else text


class Sized(Struct, frozen=True, gc=False):
    """A side, a quantity on the lot grid, and how it came about."""

    side: Side
    quantity: Decimal
    sizing: Sizing


class Share(Struct, frozen=True, gc=False):
    """What one of a group is awarded: `quantity` of a `total`, counting `own` in a sum of `all` (`engine.block`)."""

    quantity: Decimal
    total: Decimal
    own: Decimal
    all: Decimal


class Facts(Struct, frozen=True, gc=False, kw_only=True):
    """What only some methods ask for: the signed units `held` (percent_change), the protective stop's price that came
    with the signal (risk_based), the group's award (equal, net_liquidation, available_equity, ratio)."""

    held: Decimal = ZERO
    stop: Decimal | None = None
    share: Share | None = None
