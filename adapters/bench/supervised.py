"""What all controls cost: the same load on one daemon with every one of them on and with none, in turns."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from adapters.admin.client import Client, socket_path
from adapters.bench.rig import Rig

EVERY_CONTROL: Final = """
[controls]
restricted = ["ZZZZ", "XNAS:YYYY"]
restricted_for = { nobody = ["WWWW"] }
duplicates = { seconds = 10, allowed = 1000000 }
repeats = { executions = 1000000, seconds = 10 }
[controls.throttles]
subscriber = { messages = 1000000, seconds = 1 }
strategy = { messages = 1000000, seconds = 1 }
venue = { messages = 1000000, seconds = 1 }
firm = { messages = 1000000, seconds = 1 }
[controls.gross]
firm = "1000000000000000"
strategy = "1000000000000000"
strategies = { nobody = "1" }
[regimes.CAUTION]
quantity_factor = "0.9"
notional_factor = "0.9"
rate_factor = "0.9"
"""
"""Every control that can be configured, none of which refuses what the bench asks. Limits are on in any case."""


def switch(rig: Rig, plain: str, on: bool) -> None:
    """Every control of the configuration and of the desk on, or all off."""
    rig.config.write_text(plain + (EVERY_CONTROL if on else ""))
    with Client(socket_path(rig.daemon.data)) as admin:
        admin.call("reload")
        if on:
            admin.call("kill", reason="bench", symbol="ZZZZ")
            admin.call("restrict", reason="bench", symbol="YYYY")
            admin.call("override", reason="bench", code="RESTRICTED", minutes=60, subscriber="nobody")
            admin.call("regime", reason="bench", regime="CAUTION")
            return
        admin.call("resume", reason="bench", symbol="ZZZZ")
        admin.call("unrestrict", reason="bench", symbol="YYYY")
        admin.call("regime", reason="bench", regime="NORMAL")
        for override in admin.call("controls")["overrides"]:
            admin.call("end_override", override_id=override["override_id"])


def compared(off: list[tuple[float, float]], on: list[tuple[float, float]]) -> dict[str, Any]:
    """The figures of runs, each of (orders a second, processor time of the daemon an order in microseconds)."""
    rates = median(rate for rate, _ in off), median(rate for rate, _ in on)
    times = median(time for _, time in off), median(time for _, time in on)
    return {
        "off_orders_per_s": rates[0],
        "on_orders_per_s": rates[1],
        "ratio": rates[1] / rates[0],
        "off_us_per_order": times[0],
        "on_us_per_order": times[1],
        "runs": {"off": off, "on": on},
    }
