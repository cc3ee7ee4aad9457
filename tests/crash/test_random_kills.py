"""Thirty kills at random moments lose and double nothing; `make crash N=1000` does more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kills import kills


@pytest.mark.parametrize("seed", range(3))
async def test_ten_kills_under_load_lose_and_double_nothing(seed: int, tmp_path: Path) -> None:
    found = await kills(tmp_path, seed, 10)
    assert found.problems == []
    assert found.clean
    assert found.approved > 0
