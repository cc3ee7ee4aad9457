"""The measurements: each starts what it needs, and is repeated where one time says little."""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.request
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from msgspec import Struct, json

from adapters.bench import supervised
from adapters.bench.floor import Floor, Order
from adapters.bench.load import Result
from adapters.bench.rig import Cpu, Rig
from adapters.child import ROOT, ChildError, until

Say = Callable[[str], None]
SETTLE_S: Final = 60.0


class Size(Struct, frozen=True, kw_only=True):
    """How much is measured. The quick form shows that everything works; its figures are no measurement."""

    times: int
    seconds: float
    subscribers: int
    window: int
    rate: int
    followers: int
    known: int
    open_orders: int
    floor_orders: int
    scale: tuple[int, ...]
    """Subscribers for the cost of an order."""
    journal: int
    """Orders in the journal for the cost of another one."""
    worked: int
    """Orders that algorithms work, each with a look at the market every second."""
    beside: int
    """Requests a second beside them."""


FULL: Final = Size(
    times=3, seconds=10, subscribers=1000, window=256, rate=2000, followers=10_000, known=100_000, open_orders=10_000,
    floor_orders=30_000, scale=(1_000, 10_000, 100_000), journal=100_000,
    worked=5_000, beside=200,
)  # fmt: skip
QUICK: Final = Size(
    times=1, seconds=1, subscribers=100, window=64, rate=200, followers=200, known=500, open_orders=100,
    floor_orders=500, scale=(50, 100), journal=500,
    worked=50, beside=50,
)  # fmt: skip
LONG_JOURNAL: Final = 1_000_000


async def throughput(size: Size, say: Say) -> dict[str, Any]:
    """Orders a second through `ask`, all checks on, until the last fill event; where the processors' time went."""
    runs: list[tuple[Result, Cpu]] = []
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.subscribers)
        await _warm(rig, size)
        for _ in range(size.times):
            before = rig.cpu()
            result = await rig.load("closed", seconds=size.seconds, subscribers=size.subscribers, window=size.window)
            runs.append((result, rig.cpu() - before))
            say(f"{_rate(result):,.0f} orders/s")
    result, cpu = sorted(runs, key=lambda run: _rate(run[0]))[len(runs) // 2]
    return {
        "orders_per_s": _rate(result),
        "runs": [_rate(run) for run, _ in runs],
        "window": size.window,
        "fill_ms": result.fill_ms,
        "cpu_per_s": {
            "daemon": cpu.daemon / result.seconds,
            "daemon_main_thread": cpu.main_thread / result.seconds,
            "nats_server": cpu.server / result.seconds,
            "generator": result.cpu_s / result.seconds,
        },
        "daemon_us_per_order": 1e6 * cpu.daemon / result.accepted,
    }


async def floor(size: Size, say: Say) -> dict[str, float]:
    """The same bytes and the same rows with no engine between, in a process of its own, and the ratio to that."""
    rig = Rig()
    try:
        order = Order(
            config=str(rig.config), folder=str(rig.folder), orders=size.floor_orders, subscribers=size.subscribers,
            window=size.window,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapters.bench.floor", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(json.encode(order))
        if process.returncode:
            raise ChildError(f"the floor could not be measured:\n{err.decode()[-2000:]}")
        found = json.decode(out, type=Floor)
    finally:
        rig.remove()
    say(f"{found.hollow:,.0f} orders/s without an engine, {found.engine:,.0f} with it in the same process")
    return {
        "engine_orders_per_s": found.engine,
        "hollow_orders_per_s": found.hollow,
        "sqlite_orders_per_s": found.sqlite,
        "ratio": found.engine / found.hollow,
    }


async def latency(size: Size, say: Say) -> dict[str, Any]:
    """An open loop at a fixed rate: request sent to fill event received."""
    runs: list[Result] = []
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.subscribers)
        await _warm(rig, size)
        for _ in range(size.times):
            result = await rig.load("open", seconds=size.seconds, subscribers=size.subscribers, rate=size.rate)
            runs.append(result)
            say(", ".join(f"{name} {value:.2f} ms" for name, value in result.fill_ms.items()))
    return {
        "rate": size.rate,
        "fill_ms": {name: median(run.fill_ms[name] for run in runs) for name in runs[0].fill_ms},
        "answer_ms": {name: median(run.answer_ms[name] for run in runs) for name in runs[0].answer_ms},
        "runs": [run.fill_ms for run in runs],
    }


async def fan_out(size: Size, say: Say) -> dict[str, Any]:
    """One signal to many: seconds from its publication to the last order at the venue and to the last fill."""
    runs: list[dict[str, float]] = []
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.followers)
        for _ in range(size.times):
            result = await rig.load("signal", subscribers=size.followers)
            runs.append(result.marks)
            say(f"last order at the venue {result.marks['order_update.WORKING']:.2f} s after the signal")
    return {
        "subscribers": size.followers,
        "last_approved_s": median(run["job"] for run in runs),
        "last_submitted_s": median(run["order_update.WORKING"] for run in runs),
        "last_filled_s": median(run["fill_notification"] for run in runs),
    }


async def at_rest(size: Size, say: Say) -> dict[str, float]:
    """Memory with many known subscribers; then a kill with many open orders, and the way back."""
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.known, window=2000)
        known = rig.memory_mib()
        await rig.load("limits", subscribers=size.known, orders=size.open_orders)
        rig.daemon.kill()
        rig.daemon.start()
        began = time.monotonic()
        ready = await rig.daemon.ready()
        await until(lambda: _reconciled(rig) >= size.open_orders, SETTLE_S, "reconciliation", every_s=0.05)
        reconciled = time.monotonic() - began
        restarted = rig.memory_mib()
        rig.daemon.kill()
    say(f"{known:.0f} MiB; ready after {ready:.2f} s, reconciled after {reconciled:.2f} s")
    return {
        "subscribers": size.known,
        "memory_mib": known,
        "memory_after_restart_mib": restarted,
        "open_orders": size.open_orders,
        "ready_s": ready,
        "reconciled_s": reconciled,
    }


async def cost(size: Size, say: Say) -> dict[str, Any]:
    """Processor time of the daemon an order, by known subscribers and by orders in the journal."""
    by_subscribers = {}
    for subscribers in size.scale:
        async with Rig() as rig:
            await rig.load("subscribers", subscribers=subscribers, window=2000)
            by_subscribers[str(subscribers)] = await _us_per_order(rig, size, subscribers)
        say(f"{subscribers:,} subscribers: {by_subscribers[str(subscribers)]:.0f} µs an order")
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.subscribers)
        by_journal = {"0": await _us_per_order(rig, size, size.subscribers)}
        await rig.load("closed", orders=size.journal, subscribers=size.subscribers, window=size.window)
        by_journal[str(size.journal)] = await _us_per_order(rig, size, size.subscribers)
        say(f"{size.journal:,} orders in the journal: {by_journal[str(size.journal)]:.0f} µs an order")
    return {"us_by_subscribers": by_subscribers, "us_by_journal": by_journal}


async def algorithms(size: Size, say: Say) -> dict[str, Any]:
    """Many orders worked by an algorithm at once, and new requests beside them."""
    async with Rig() as rig:
        await rig.load("subscribers", subscribers=size.subscribers)
        await _warm(rig, size)
        await rig.load("plans", subscribers=size.subscribers, orders=size.worked)
        before, began = rig.cpu(), time.monotonic()
        await asyncio.sleep(size.seconds / 2)
        busy = (rig.cpu() - before).daemon / (time.monotonic() - began)
        result = await rig.load("open", seconds=size.seconds, subscribers=size.subscribers, rate=size.beside)
    say(f"{size.worked:,} at work use {100 * busy:.0f} % of a processor; a request beside them {result.answer_ms}")
    return {
        "worked": size.worked,
        "rate": size.beside,
        "busy": busy,
        "answer_ms": result.answer_ms,
        "fill_ms": result.fill_ms,
    }


async def controls(size: Size, say: Say) -> dict[str, Any]:
    """Orders a second with every control on beside those with none, on one daemon, in turns."""
    runs: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    async with Rig() as rig:
        plain = rig.config.read_text()
        await rig.load("subscribers", subscribers=size.subscribers)
        await _warm(rig, size)
        for turn in range(2 * size.times):
            on = turn % 2 == 0
            supervised.switch(rig, plain, on)
            await _warm(rig, size)
            before = rig.cpu()
            result = await rig.load("closed", seconds=size.seconds, subscribers=size.subscribers, window=size.window)
            runs[on].append((_rate(result), 1e6 * (rig.cpu() - before).daemon / result.accepted))
            say(f"{_rate(result):,.0f} orders/s with {'every control' if on else 'none'}")
    return supervised.compared(runs[False], runs[True])


async def _us_per_order(rig: Rig, size: Size, subscribers: int) -> float:
    """The median of several runs over all these subscribers, each after a moment of warming up."""
    await _warm(rig, size, subscribers)
    found = []
    for _ in range(size.times):
        before = rig.cpu()
        result = await rig.load("closed", seconds=size.seconds / 2, subscribers=subscribers, window=size.window)
        found.append(1e6 * (rig.cpu() - before).daemon / result.accepted)
    return median(found)


async def _warm(rig: Rig, size: Size, subscribers: int = 0) -> None:
    await rig.load(
        "closed", orders=min(size.floor_orders, 2_000), subscribers=subscribers or size.subscribers, window=size.window
    )


def _reconciled(rig: Rig) -> int:
    """Orders that the venue was asked about after a start and has answered for, changed or not."""
    facts = json.decode((rig.daemon.data / "run" / "daemon.json").read_bytes())
    names = ("tradewright_orders_acknowledged_total ", "tradewright_stale_reports_total ")
    with urllib.request.urlopen(f"http://127.0.0.1:{facts['metrics_port']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.split()[1])) for line in lines if line.startswith(names))


def _rate(result: Result) -> float:
    return result.filled / result.seconds
