"""A crash at each step between the arrival of a request and the publication of its fill loses and doubles nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.controls import ALARMING
from tests.crash.hooked import STEPS
from tests.crash.world import World, hooked


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
async def test_a_crash_at_this_step_loses_and_doubles_nothing(step: object, tmp_path: Path) -> None:
    async with World(tmp_path, command=hooked(step.__name__)) as world:  # type: ignore[attr-defined]
        world.load(signals=1, asks=5)
        before = await world.settled()
        world.arm()
        world.load(signals=2, asks=15)
        assert await world.daemon.ended() == -9
        await world.restart()
        found = await world.settled()
        assert found.problems == []
        assert found.clean
        assert found.approved > before.approved > 0
        assert found.trades > before.trades > 0
        assert set(found.alarms) <= ALARMING, "a person is told of limits only"
        assert await world.unpublished() == set()
