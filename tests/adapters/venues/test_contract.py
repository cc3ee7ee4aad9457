"""Every venue there is keeps the contract of the port."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.venues.conftest import Open
from tests.adapters.venues.contract import VenueContract
from tests.adapters.venues.desk import Desk

PAPER: dict[str, dict[str, Any]] = {"paper": {}, "paper with latency": {"latency_ms": 2}}


class TestPaperVenue(VenueContract):
    """The contract, at the paper venue."""

    @pytest.fixture(params=PAPER)
    async def desk(self, request: pytest.FixtureRequest, open_desk: Open) -> Desk:
        return await open_desk(**PAPER[request.param])
