"""The figures that the controls over all of trading judge an order by: gathered once, judged here, kept for good."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from engine.sizing import plain
from engine.values import ZERO, add


class Weighed(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One control and what it found.

    Counting ones: `whose` was `found` times within `seconds`, `most` is the limit; `known`: it counts as one that was
    counted already. Gross ones: what was `executed`, what `works` (with the orders beside this one), what the order
    `asks`, all in `currency`, and the `limit`.
    """

    code: str
    whose: str
    found: int = 0
    most: int = 0
    seconds: int = 0
    known: bool = False
    executed: Decimal = ZERO
    works: Decimal = ZERO
    asks: Decimal = ZERO
    limit: Decimal = ZERO
    currency: str = ""

    @property
    def fails(self) -> bool:
        """Whether the order may not be placed."""
        if self.currency:
            return add(add(self.executed, self.works), self.asks) > self.limit
        return self.found >= self.most and not self.known

    def sentence(self) -> str:
        """The figures in words."""
        if self.currency:
            text = f"gross: {self.whose} executed {plain(self.executed)} {self.currency} today"
            return f"{text} and works {plain(self.works)}, this order {plain(self.asks)}, limit {self.limit}"
        within = f"within {self.seconds} s"
        if self.code == "DUPLICATE_ORDER":
            return f"quantity: {self.whose} was placed {self.found} times {within}, allowed {self.most}"
        if self.code == "REPEATED_EXECUTION":
            again = "; this signal counts already" if self.known else ""
            if self.fails:
                return f"strategy_id: {self.whose} by {self.most} signals {within}, limit reached; {UNTIL}"
            return f"strategy_id: {self.whose} by {self.found} signals {within}, limit {self.most}{again}"
        scope = self.code.removeprefix("THROTTLED_").lower()
        return f"{scope}: {self.whose} sent {self.found} messages {within}, limit {self.most}"


UNTIL = "stopped until a person re-arms it"
