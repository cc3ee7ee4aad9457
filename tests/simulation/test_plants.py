"""A proof that cannot fail is none: every mistake that is planted has to be found, and soon."""

from __future__ import annotations

import pytest

from tests.simulation import block_plants, group_plants, plants, worked_plants
from tests.simulation.planting import PLANTS
from tests.simulation.runs import live

SEEDS = 1_000
assert {block_plants, group_plants, plants, worked_plants}, "imported for what they plant"
assert len(PLANTS) > 60, "a plant lost its name"


def found(name: str) -> int | None:
    """The first seed whose world breaks with this mistake in it."""
    with PLANTS[name]():
        return next((seed for seed in range(SEEDS) if live(seed).broken), None)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_is_found(name: str) -> None:
    assert found(name) is not None


@pytest.mark.parametrize("name", PLANTS)
def test_nothing_of_a_plant_remains(name: str) -> None:
    with PLANTS[name]():
        pass
    assert live(0).broken == ""
