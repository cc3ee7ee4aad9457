"""Controls meet target positions: an order that a target is due is an order like any other."""

from __future__ import annotations

from typing import Any

import pytest

from engine import events as e
from engine.commands import Kill
from engine.control_commands import Regime, Restrict
from tests.actors.aiming import aapl, ask, sent, trading


@pytest.mark.parametrize(
    "message",
    [
        Kill(reason="odd", by="ann", scope="symbol", name="AAPL"),
        Kill(reason="odd", by="ann", scope="subscriber", name="alice"),
        Restrict(symbol="AAPL", active=True, reason="insider", by="ann"),
        Regime(regime="EMERGENCY", reason="crash", by="ann"),
    ],
)
def test_what_is_stopped_is_no_target_s_order(message: Any) -> None:
    bench = trading()
    bench.tell("desk/main", message)
    ask(bench, aapl(1, "10"))
    assert sent(bench) == []
    assert bench.events(e.OrderStarted) == []
    assert bench.events(e.DeadLettered) == []
