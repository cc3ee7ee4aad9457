"""The demo, short: it ends well, its audit finds nothing, and what it says fits a terminal and a log alike."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.demo import cast, run
from adapters.demo.momentum import Breakout, Move, step


def test_a_short_demo_survives_its_kill_and_counts_nothing_lost(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(seconds=8) == 0
    said = capfd.readouterr().out
    assert "kill -9 with" in said
    assert "0 lost, 0 doubled" in said
    assert "\x1b[" not in said
    for what in ("Signals", "MAX_ORDER_QUANTITY", "strategy momentum", "Request to fill event", "until ready"):
        assert what in said


@pytest.mark.parametrize(
    ("closes", "moves"),
    [
        ([*range(1, 21), 21], {20: "ENTER"}),
        ([*range(1, 21), 20], {}),
        ([*range(1, 21), 21, 22, 23, 24, 16, 15], {20: "ENTER", 24: "EXIT"}),
        ([*range(1, 21), 21, 20, 19, 18, 17, 16, 15, 14], {20: "ENTER", 23: "EXIT"}),
        (range(100, 60, -1), {}),
    ],
)
def test_momentum_enters_above_twenty_days_and_leaves_below_five(closes: list[int], moves: dict[int, Move]) -> None:
    state, found = Breakout(), {}
    for day, close in enumerate(closes):
        state, move = step(state, Decimal(close))
        if move is not None:
            found[day] = move
    assert found == moves


def test_the_cast_sizes_in_all_four_ways_and_has_tight_limits() -> None:
    everybody = list(cast.subscribers())
    assert len({subscriber["subscriber_id"] for subscriber in everybody}) == cast.SUBSCRIBERS
    methods = {subscription["allocation"]["method"] for one in everybody for subscription in one["subscriptions"]}
    assert methods == {"fixed_quantity", "fixed_notional", "multiplier", "weight"}
    assert {name for one in everybody for name in one.get("limits", {})} == {
        "max_order_notional",
        "max_order_quantity",
        "max_position_notional",
        "max_orders_per_second",
    }


def test_the_days_are_real_bars_of_five_symbols() -> None:
    days = cast.days(30)
    assert len(days) == 30
    assert {bar.symbol for day in days for bar in day} == set(cast.SYMBOLS)
    assert all(len({bar.at for bar in day}) == 1 for day in days)
