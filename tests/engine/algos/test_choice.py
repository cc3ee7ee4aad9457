"""A plan's constraints choose first, then the style it names, then its other hints; and the reason is said."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from engine.algos.choice import STYLES, choose
from engine.algos.contract import Algorithm
from tests.engine.algos.world import plan


@pytest.mark.parametrize(
    ("fields", "algorithm", "reason"),
    [
        ({}, None, "nothing in the plan asks for more than one order"),
        ({"max_slippage_pct": "0.01"}, None, "nothing in the plan asks for more than one order"),
        (
            {"must_complete_immediately": True, "preferred_execution_style": "TWAP"},
            "IMMEDIATE",
            "must_complete_immediately",
        ),
        (
            {"preferred_execution_style": "TWAP", "execution_urgency": "1"},
            "TWAP",
            "preferred_execution_style is 'TWAP'",
        ),
        ({"preferred_execution_style": "vwap"}, "VWAP", "preferred_execution_style is 'vwap'"),
        ({"preferred_execution_style": "Implementation Shortfall"}, "IS", "'Implementation Shortfall'"),
        ({"preferred_execution_style": "percent-of-volume"}, "POV", "'percent-of-volume'"),
        ({"preferred_execution_style": "PATIENT"}, "TWAP", "'PATIENT'"),
        ({"execution_urgency": "0.9"}, "IMMEDIATE", "execution_urgency 0.9 is at least 0.9"),
        ({"chunk_count_hint": 5, "execution_urgency": "0.2"}, "TWAP", "chunks are asked for"),
        ({"chunk_distribution": "UNIFORM"}, "TWAP", "chunks are asked for"),
        ({"visibility_preference": "0.3"}, "ICEBERG", "visibility_preference 0.3 is at most 0.3"),
        ({"visibility_preference": "0.31"}, "ADAPTIVE", "visibility_preference is 0.31 and no style is known"),
        ({"max_execution_window_minutes": 30}, "ADAPTIVE", "max_execution_window_minutes is 30"),
        ({"min_fill_ratio": "0"}, "ADAPTIVE", "min_fill_ratio is 0"),
        ({"execution_urgency": "0.89"}, "ADAPTIVE", "execution_urgency is 0.89"),
        # What a style that is not known asked for is said, not dropped silently.
        (
            {"preferred_execution_style": "DARK", "execution_urgency": "0.95"},
            "IMMEDIATE",
            "the style 'DARK' is not one of",
        ),
        ({"preferred_execution_style": "DARK"}, None, "the style 'DARK' is not one of ADAPTIVE, AGGRESSIVE"),
    ],
)
def test_a_plan_means_an_algorithm(fields: dict[str, Any], algorithm: str | None, reason: str) -> None:
    choice = choose(plan(**fields))
    assert choice.algorithm == algorithm
    assert reason in choice.reason


def test_every_algorithm_has_a_style_of_its_name() -> None:
    assert {name: STYLES[name] for name in get_args(Algorithm)} == {name: name for name in get_args(Algorithm)}
    assert set(STYLES.values()) == set(get_args(Algorithm))
