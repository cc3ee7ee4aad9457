"""One world from its seed to a result that a process can hand over."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass

from tests.simulation.world import World


@dataclass
class Result:
    """What became of a world: `broken` says which invariant did not hold, '' where all did."""

    seed: int
    broken: str
    steps: list[str]
    counts: Counter[str]
    digest: str


def live(seed: int) -> Result:
    """Lives the world of this seed to its end."""
    world = World(seed)
    broken = ""
    try:
        world.run()
    except AssertionError as error:
        broken = f"{error}" or traceback.format_exc(limit=-3)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises here, it broke
        broken = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-6)}"
    return Result(seed, broken, world.steps, world.tally.counts, world.digest())
