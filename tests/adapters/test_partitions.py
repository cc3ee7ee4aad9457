"""Two partitions on one bus: a subscriber belongs to one of them, and mail crosses between them exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.bus.frames import PublishBuffer
from adapters.bus.server import EmbeddedServer
from adapters.bus.streams import ensure, plans
from adapters.bus.wire import Wire
from adapters.engine import Engine
from adapters.settings import load
from engine.identity import partition_of
from tests.adapters.bus.conftest import until

CONFIG = Path(__file__).parents[2] / "config.toml"
SUBSCRIBERS = [f"sub-{number}" for number in range(20)]


def fail(error: Exception) -> None:
    raise AssertionError(error)


@contextlib.asynccontextmanager
async def two_partitions(folder: Path) -> AsyncIterator[tuple[Wire, list[Engine]]]:
    """A server, both engines ready, and a client's connection."""
    server = EmbeddedServer(folder, on_event=lambda event, **fields: None, port=0)
    await server.start()
    config = load(CONFIG, {})
    engines = [
        Engine(
            replace(config, service=replace(config.service, partition=number, partitions=2)),
            folder / str(number),
            server.url,
            fail,
        )
        for number in (0, 1)
    ]
    ready = [asyncio.Event(), asyncio.Event()]
    runs = [asyncio.create_task(engine.run(is_ready.set)) for engine, is_ready in zip(engines, ready, strict=True)]
    client = Wire(server.client_url, name="client", on_error=fail)
    try:
        async with asyncio.timeout(20):
            for is_ready in ready:
                await is_ready.wait()
            await client.connect()
        yield client, engines
    finally:
        await client.close()
        for engine in engines:
            engine.drain()
        await asyncio.gather(*runs)
        await server.stop()


async def ask(client: Wire, verb: str, name: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await client.request(f"exec.ask.{verb}.{name}", json.dumps(body).encode()))
    return answer


def quote() -> PublishBuffer:
    buffer = PublishBuffer()
    body = {"exchange": "XNAS", "symbol": "AAPL", "bid": "149.99", "ask": "150.01", "bid_size": "9000"}
    body |= {"ask_size": "9000", "at": datetime.now(UTC).isoformat()}
    buffer.pub(b"exec.market.quote.XNAS.AAPL", json.dumps(body).encode())
    return buffer


@pytest.mark.anyio
async def test_a_signal_reaches_the_followers_in_both_partitions_once(tmp_path: Path) -> None:
    async with two_partitions(tmp_path) as (client, engines):
        fills: list[str] = []
        await client.listen("exec.out.fill_notification.>", lambda subject, *_: fills.append(subject.split(".")[3]))
        following = [{"strategy_id": "momentum", "allocation": {"method": "fixed_quantity", "value": "3"}}]
        for name in SUBSCRIBERS:
            outcome = await ask(
                client, "subscriber", name, subscriber_id=name, cash={"USD": "10000"}, subscriptions=following
            )
            assert outcome["status"] == "ACCEPTED"
        assert {partition_of(name, 2) for name in SUBSCRIBERS} == {0, 1}
        strategy = engines[partition_of("momentum", 2)].partition
        async with asyncio.timeout(20):
            await until(lambda: len(strategy.actors.get("strategy/momentum", _Nobody).parts) == len(SUBSCRIBERS))
            client.publish(quote())
            await until(lambda: all(engine.market.mark("XNAS:AAPL", datetime.now(UTC)) for engine in engines))
            signal = {"request_id": "r-1", "signal_id": "s-1", "strategy_id": "momentum", "exchange": "XNAS"}
            signal |= {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
            signal |= {"time_in_force": "DAY", "issued_at": datetime.now(UTC).isoformat()}
            assert (await ask(client, "signal", "momentum", **signal))["status"] == "ACCEPTED"
            await until(lambda: len(fills) >= len(SUBSCRIBERS))
        assert sorted(fills) == sorted(SUBSCRIBERS)
        for engine in engines:
            for address, actor in engine.partition.actors.items():
                if address.startswith("post/"):
                    assert not [part for part in actor.parts if part.startswith("m/")], "mail is not acknowledged"
            assert not engine.partition.quarantined


@pytest.mark.anyio
async def test_what_waited_in_the_stream_is_decided_when_prices_have_come(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, on_event=lambda event, **fields: None, port=0)
    await server.start()
    ready = asyncio.Event()
    config = replace(load(CONFIG, {}), subscribers={"alice": {"cash": {"USD": "10000"}}})
    engine = Engine(config, tmp_path / "0", server.url, fail)
    client = Wire(server.url, name="client", on_error=fail)
    await client.connect()
    events: list[str] = []
    try:
        await ensure(client, plans("exec"))
        await client.listen("exec.out.>", lambda subject, *_: events.append(subject.split(".")[2]))
        request = {"request_id": "r-1", "signal_id": "s-1", "strategy_id": "s", "exchange": "XNAS", "symbol": "AAPL"}
        request |= {"side": "BUY", "quantity": "1", "order_type": "MARKET", "time_in_force": "DAY"}
        request |= {"issued_at": datetime.now(UTC).isoformat()}
        await client.request("exec.in.request.alice", json.dumps(request).encode())
        running = asyncio.create_task(engine.run(ready.set))
        async with asyncio.timeout(20):
            await ready.wait()
            await asyncio.sleep(0.3)  # A feed needs its moment to come back, too.
            client.publish(quote())
            await until(lambda: "fill_notification" in events or "pre_trade_risk" in events)
        assert "fill_notification" in events
        engine.drain()
        await running
    finally:
        await client.close()
        await server.stop()


class _Nobody:
    parts: dict[str, Any] = {}  # noqa: RUF012 - never written to


@pytest.mark.anyio
async def test_an_ask_is_answered_by_the_partition_that_the_subscriber_belongs_to(tmp_path: Path) -> None:
    async with two_partitions(tmp_path) as (client, engines):
        for name in SUBSCRIBERS[:6]:
            await ask(client, "subscriber", name, subscriber_id=name, cash={"USD": "10000"})
            home = partition_of(name, 2)
            assert f"subscriber/{name}" in engines[home].partition.actors
            assert f"subscriber/{name}" not in engines[1 - home].partition.actors
