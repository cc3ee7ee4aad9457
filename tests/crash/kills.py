"""Kills at random moments: of the daemon, and now and then of its NATS server alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.audit import Audit
from tests.crash.world import World

NATS_ALONE = 0.2
"""Of so many kills, the NATS server is the only victim."""


async def kills(folder: Path, seed: int, times: int) -> Audit:
    """So many kills under load on one data folder, the last count after them. The same seed asks for the same; when
    what dies is the machine's affair."""
    async with World(folder, seed) as world:
        for _ in range(times):
            world.load(signals=world.random.randint(0, 2), asks=world.random.randint(1, 20))
            await asyncio.sleep(world.random.choice((0.0, 0.002, 0.01, 0.03, 0.1)) * world.random.random() * 2)
            if world.random.random() < NATS_ALONE:
                world.kill_nats()
            else:
                world.daemon.kill()
                await world.restart()
            await world.answered()
        found = await world.settled()
        missing = await world.unpublished()
        if missing:
            found.lose(f"{len(missing)} events never reached EXEC_OUT, among them {sorted(missing)[:3]}")
        code = await world.daemon.stop()
        if code:
            found.lose(f"the daemon's drain ended with {code}: {world.daemon.said()[-500:]}")
        return found
