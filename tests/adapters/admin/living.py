"""A real daemon for tests: a process of its own, free ports, a folder of its own, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from adapters.admin.client import Client, socket_path
from adapters.bus.frames import PublishBuffer
from adapters.bus.wire import Wire
from adapters.child import COMMAND, ROOT, Daemon

CONFIG = """
[nats]
port = 0
[allow]
symbols = ["AAPL", "MSFT"]
exchanges = ["XNAS"]
[exchanges.XNAS]
currency = "USD"
tick_size = "0.01"
calendar = "24/7"
[limits]
max_order_quantity = "100"
[subscribers.alice]
cash = { USD = "1000000" }
limits = { allow_short = true }
[venues.paper]
kind = "paper"
[routes]
XNAS = "paper"
[log]
format = "json"
[market]
max_age_s = 3600
"""


def environ() -> dict[str, str]:
    """The environment without what would override the file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLOWED_", "SERVICE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def configured(folder: Path, **replaced: str) -> Path:
    """A configuration in a folder; `replaced` is text for text."""
    text = CONFIG
    for was, becomes in replaced.items():
        assert was in text
        text = text.replace(was, becomes)
    path = folder / "config.toml"
    path.write_text(text)
    return path


def command(folder: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command line on the folder's daemon, run to its end."""
    where = ("--config", str(folder / "config.toml"), "--data", str(folder / "data"))
    line = [*COMMAND[:-1], *words, *where]
    return subprocess.run(
        line, capture_output=True, text=True, timeout=30, env=environ(), cwd=folder, input=text, check=False
    )


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def servers(data: Path) -> list[int]:
    """The NATS servers that work in a data folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if b"nats-server" in line and str(data).encode() in line:
            found.append(int(entry.name))
    return found


async def until(condition: Callable[[], Any], within_s: float = 15.0) -> Any:
    """Waits for something true and returns it; fails where it does not come in time."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def living(folder: Path, **replaced: str) -> AsyncIterator[Daemon]:
    """A daemon that is ready; however the test ends, it and its server are gone afterwards."""
    daemon = Daemon(configured(folder, **replaced), folder / "data", environ=environ())
    daemon.start()
    try:
        await daemon.ready()
        yield daemon
    finally:
        if daemon.pid is not None:
            await daemon.stop()
        await until(lambda: not servers(folder / "data"))


def client(daemon: Daemon) -> Client:
    """A client of its admin socket."""
    return Client(socket_path(daemon.data))


async def trade(daemon: Daemon, price: str = "150", **fields: Any) -> dict[str, Any]:
    """Alice's request for AAPL, after a quote around `price`; returns its outcome."""
    wire = Wire(daemon.client_url, name="test", on_error=lambda error: None)
    await wire.connect()
    at = datetime.now(UTC).isoformat()
    quote = {"exchange": "XNAS", "symbol": "AAPL", "bid": price, "ask": price, "bid_size": "500", "ask_size": "500"}
    request = {"strategy_id": "s", "exchange": "XNAS", "symbol": "AAPL", "side": "BUY", "quantity": "10"}
    request |= {"order_type": "MARKET", "time_in_force": "GTC", "issued_at": at, **fields}
    deadline = time.monotonic() + 10
    try:
        for number in count():
            buffer = PublishBuffer()
            buffer.pub(b"exec.market.quote.XNAS.AAPL", json.dumps({**quote, "at": at}).encode())
            wire.publish(buffer)
            key = f"{at}-{number}"
            body = json.dumps({"request_id": key, "signal_id": key, **request}).encode()
            outcome: dict[str, Any] = json.loads(await wire.request("exec.ask.request.alice", body))
            # Quotes and requests come over two connections, so the quote may be the later one.
            if outcome["code"] != "NO_REFERENCE_PRICE" or time.monotonic() > deadline:
                return outcome
    finally:
        await wire.close()
    raise AssertionError
