"""Paper venues to test with, each closed again however the test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.venues.paper import PaperVenue
from adapters.venues.port import Venue
from engine.messages import MarketData
from tests.adapters.venues.desk import Desk

Open = Callable[..., Awaitable[Desk]]


async def show(venue: Venue, data: MarketData) -> None:
    """Hands market data to a venue."""
    assert isinstance(venue, PaperVenue)
    venue.on_market(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The paper venue's file, in a folder that is not there yet."""
    return tmp_path / "new" / "paper.sqlite"


@pytest.fixture
async def open_desk(path: Path) -> AsyncIterator[Open]:
    """Opens a paper venue with the settings given."""
    desks: list[Desk] = []

    async def open_(path: Path = path, **settings: Any) -> Desk:
        desk = Desk(lambda: PaperVenue("paper", path, **settings), show)
        desks.append(desk)
        await desk.start()
        return desk

    yield open_
    for desk in desks:
        await desk.close()


@pytest.fixture
async def desk(open_desk: Open) -> Desk:
    """A paper venue as it comes."""
    return await open_desk()
