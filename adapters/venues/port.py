"""The venue port: what a venue has to be able to do for the engine, whatever it is and wherever it stands.

Orders go out with `submit` once what caused them is durable; what happens to them comes back through `deliver`.
Both are plain calls with whole batches, so that neither side waits for the other.

What every venue promises (tests/adapters/venues/contract.py holds them to it):

- `SessionUp` is the first thing delivered, and again after every loss of the session; the engine answers it with
  `Reconcile`. `SessionDown` says that the session is lost. What is submitted while it is down may be lost too.
- An order's `Accepted` comes before its `Filled`s, its end after them.
- An execution id is given out once for the whole life of the venue, across restarts. The same execution may be
  reported again, with the same id.
- `Reconcile` is answered for each of its ids: every execution as `Filled`, then `Snapshot`, or `NotFound`.
- An order that cannot be taken is `Rejected` with the reason; nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.reports import Capabilities, OrderReport, SessionDown, SessionUp, VenueOrder

Report = OrderReport | SessionUp | SessionDown
Deliver = Callable[[list[Report]], None]
"""Takes a batch of reports in their order. Called on the loop; must not block."""


class Venue(Protocol):
    """A place where orders are worked."""

    @property
    def name(self) -> str:
        """What configuration and order ids call it."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    async def start(self, deliver: Deliver) -> None:
        """Connects, and from then on delivers reports. Raises OSError where that is impossible for good."""

    def submit(self, messages: Sequence[VenueOrder]) -> None:
        """Sends a batch of orders, cancels, replacements and questions, in this order. Never blocks, never raises."""

    async def stop(self) -> None:
        """Reports what is still under way, and ends. Nothing is delivered afterwards."""
