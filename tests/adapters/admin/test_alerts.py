"""Whatever control trips, a person hears of it within a second, on the bus and on the admin socket of a real daemon."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adapters.admin.client import NoDaemonError
from adapters.bus.wire import Wire
from adapters.child import Daemon
from engine.controls import ALARMING
from tests.adapters.admin.living import CONFIG, client, living, trade, until

pytestmark = pytest.mark.anyio

WITHIN_S = 1.0
TRIPS: dict[str, tuple[str, tuple[dict[str, Any], ...]]] = {
    "MAX_ORDER_QUANTITY": ('limits.max_order_quantity = "5"', ({"quantity": "6"},)),
    "MAX_ORDER_NOTIONAL": ('limits.max_order_notional = "5"', ({},)),
    "PRICE_COLLAR": ('limits.collar_bps = "50"', ({"order_type": "LIMIT", "limit_price": "300"},)),
    "MAX_POSITION_NOTIONAL": ('limits.max_position_notional = "5"', ({},)),
    "MAX_LEVERAGE": ('limits.max_leverage = "0.00001"', ({},)),
    "ORDER_RATE": ('limits.max_orders_per_second = "0.5"', ({}, {})),
    "RESTRICTED": ('controls.restricted = ["AAPL"]', ({},)),
    "DUPLICATE_ORDER": ("controls.duplicates = { seconds = 60 }", ({}, {})),
    "REPEATED_EXECUTION": ("controls.repeats = { executions = 1, seconds = 60 }", ({}, {})),
    "THROTTLED_SUBSCRIBER": ("controls.throttles.subscriber = { messages = 1, seconds = 60 }", ({}, {})),
    "THROTTLED_STRATEGY": ("controls.throttles.strategy = { messages = 1, seconds = 60 }", ({}, {})),
    "THROTTLED_VENUE": ("controls.throttles.venue = { messages = 1, seconds = 60 }", ({}, {})),
    "THROTTLED_FIRM": ("controls.throttles.firm = { messages = 1, seconds = 60 }", ({}, {})),
    "MAX_STRATEGY_GROSS": ('controls.gross.strategy = "1"', ({},)),
    "MAX_FIRM_GROSS": ('controls.gross.firm = "1"', ({},)),
    "DAILY_LOSS": ('limits.max_daily_loss = "1"', ({"price": "149"},)),
}
"""By code: what is configured, and the requests of which the last trips it. The loss is of what was bought before."""


class Heard:
    """Alarms, and how long after they were raised each watcher had them."""

    def __init__(self) -> None:
        self.watching = threading.Event()
        self.bus: dict[str, datetime] = {}
        self.socket: dict[str, tuple[datetime, float]] = {}
        """By code: when it was raised, and the delay."""

    def on_bus(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        data = json.loads(payload)["data"]
        if data["status"] == "ALARM":
            self.bus.setdefault(data["code"], datetime.now(UTC))

    def watch(self, daemon: Daemon) -> None:
        """What the admin socket tells, until the daemon is gone; in a thread of its own, as its client waits."""
        with client(daemon) as asking, suppress(NoDaemonError):
            asking.call("tail", types="AlarmRaised")
            self.watching.set()
            for message in asking.notifications():
                event = message["params"]["event"]
                raised = datetime.fromisoformat(event["at"])
                self.socket.setdefault(event["code"], (raised, (datetime.now(UTC) - raised).total_seconds()))

    def delays(self, code: str) -> tuple[float, float]:
        raised, delay = self.socket[code]
        return delay, (self.bus[code] - raised).total_seconds()


def configured(daemon: Daemon, path: Path, line: str) -> None:
    """One control is configured, and no other."""
    plain = CONFIG.replace('[limits]\nmax_order_quantity = "100"\n', "")
    path.write_text(f"{line}\n{plain}")
    with client(daemon) as asking:
        asking.call("reload")


async def test_every_kind_is_told_within_a_second_on_the_bus_and_the_socket(tmp_path: Path) -> None:
    assert set(TRIPS) == {*ALARMING, "REPEATED_EXECUTION"}
    heard, strategies = Heard(), count()
    async with living(tmp_path) as daemon:
        wire = Wire(daemon.client_url, name="watch", on_error=lambda error: None)
        await wire.connect()
        await wire.listen("exec.out.venue_status.>", heard.on_bus)
        await wire.flush()
        watching = threading.Thread(target=heard.watch, args=(daemon,), daemon=True)
        watching.start()
        await until(heard.watching.is_set)
        assert (await trade(daemon))["status"] == "ACCEPTED"
        for code, (line, requests) in TRIPS.items():
            configured(daemon, tmp_path / "config.toml", line)
            strategy = f"s-{next(strategies)}"
            for fields in requests:
                outcome = await trade(daemon, **({"strategy_id": strategy} | fields))
            assert outcome["code"] == code, outcome
            await until(lambda: code in heard.bus and code in heard.socket)  # noqa: B023 - awaited here
            assert max(heard.delays(code)) < WITHIN_S, (code, heard.delays(code))
        await wire.close()
    await asyncio.to_thread(watching.join, 5)


async def test_what_a_person_switches_is_told_within_a_second_too(tmp_path: Path) -> None:
    told: dict[str, datetime] = {}

    def heard(subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        told.setdefault(json.loads(payload)["data"]["status"], datetime.now(UTC))

    async with living(tmp_path) as daemon:
        wire = Wire(daemon.client_url, name="watch", on_error=lambda error: None)
        await wire.connect()
        await wire.listen("exec.out.venue_status.>", heard)
        await wire.flush()
        with client(daemon) as asking:
            for status, method, fields in (
                ("KILLED", "kill", {"symbol": "AAPL"}),
                ("RESUMED", "resume", {"symbol": "AAPL"}),
                ("EMERGENCY", "regime", {"regime": "EMERGENCY"}),
                ("NORMAL", "regime", {"regime": "NORMAL"}),
                ("RESTRICTED", "restrict", {"symbol": "AAPL"}),
                ("OVERRIDE", "override", {"code": "RESTRICTED", "minutes": 5, "symbol": "AAPL"}),
            ):
                asked = datetime.now(UTC)
                asking.call(method, reason="test", **fields)
                await until(lambda: status in told)  # noqa: B023 - awaited here
                assert (told[status] - asked).total_seconds() < WITHIN_S
        await wire.close()
