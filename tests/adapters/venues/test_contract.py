"""Every venue there is keeps the contract of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapters.venues.paper import PaperVenue
from adapters.venues.port import Venue
from engine.messages import MarketData
from tests.adapters.venues.contract import VenueContract
from tests.adapters.venues.desk import Desk

FACTORIES: dict[str, Callable[[Path], Venue]] = {
    "paper": lambda folder: PaperVenue("paper", folder / "paper.sqlite"),
    "slow paper": lambda folder: PaperVenue("paper", folder / "paper.sqlite", latency_ms=2),
}


async def show(venue: Venue, data: MarketData) -> None:
    """Hands market data to a venue."""
    assert isinstance(venue, PaperVenue)
    venue.on_market(data)


class TestContract(VenueContract):
    """The contract, at each of them."""

    @pytest.fixture(params=FACTORIES)
    async def desk(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
        make = FACTORIES[request.param]
        desk = Desk(lambda: make(tmp_path), show)
        await desk.start()
        yield desk
        await desk.close()
