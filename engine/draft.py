"""A specification in the making: what `engine.translate` and its parts pass from one to the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.config import InstrumentSpec
from engine.instructions import NO_INSTRUCTIONS, Instructions
from engine.messages import ExecutionRequest
from engine.plan import ExecutionPlan, Style
from engine.refusal import Refusal
from engine.reports import Capabilities, NativeAlgo
from engine.specification import Emulator, Honoured, How
from engine.values import OrderType, Side, TimeInForce

_NO_PLAN: Final = ExecutionPlan(plan_id="EXP_20000101_000000_00000")


class Draft:
    """A specification in the making."""

    __slots__ = (
        "algo",
        "can",
        "deadline",
        "display",
        "emulators",
        "expires_at",
        "forced",
        "good_till",
        "honoured",
        "instrument",
        "kind",
        "least",
        "limit",
        "now",
        "order_type",
        "parameters",
        "passed_over",
        "plan",
        "price_bound",
        "quantity",
        "request",
        "session_end",
        "shown",
        "side",
        "slippage",
        "style",
        "time",
        "told",
    )

    def __init__(
        self,
        request: ExecutionRequest,
        side: Side,
        quantity: Decimal,
        can: Capabilities,
        instrument: InstrumentSpec,
        now: datetime,
        session_end: datetime | None,
    ) -> None:
        self.request, self.side, self.quantity, self.can, self.now = request, side, quantity, can, now
        self.instrument, self.session_end = instrument, session_end
        self.plan: ExecutionPlan = request.plan or _NO_PLAN
        self.told: Instructions = request.instructions or NO_INSTRUCTIONS
        self.kind: OrderType = request.order_type
        self.order_type: OrderType = request.order_type
        self.time: TimeInForce = request.time_in_force
        self.limit = request.limit_price
        self.display = self.told.display_quantity
        self.forced = ""
        """Why the trigger cannot be left to the venue even where it has the type."""
        self.passed_over = ""
        """Why no algorithm works the order."""
        self.shown: Decimal | None = None
        """What of it the venue is told to display."""
        self.parameters: dict[str, str] = {}
        self.least: Decimal | None = None
        self.price_bound: Decimal | None = None
        self.slippage: Decimal | None = None
        self.style: Style | None = None
        self.algo: NativeAlgo | None = None
        self.good_till: datetime | None = None
        self.deadline: datetime | None = None
        self.expires_at: datetime | None = None
        self.emulators: list[Emulator] = []
        self.honoured: list[Honoured] = []

    def note(self, field: str, how: How, why: str) -> None:
        """What became of something that was asked."""
        self.honoured.append(Honoured(field, how, why))

    def emulate(self, emulator: Emulator, field: str, why: str) -> None:
        """Our side does it."""
        if emulator not in self.emulators:
            self.emulators.append(emulator)
        self.note(field, "emulated", why)

    def end(self) -> datetime | None:
        """When this order is over: by its window, its own time or the session."""
        ends = []
        if self.plan.max_execution_window_minutes is not None:
            ends.append(self.now + timedelta(minutes=self.plan.max_execution_window_minutes))
        if self.time == "GTD" and self.request.expires_at is not None:
            ends.append(self.request.expires_at)
        if self.time == "DAY" and self.session_end is not None:
            ends.append(self.session_end)
        return min(ends, default=None)


def cannot(field: str, what: str) -> Refusal:
    """The venue cannot, and neither can we in its place."""
    return Refusal("VENUE_CANNOT", f"{field}: {what}")
