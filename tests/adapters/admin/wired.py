"""An admin server with methods of a test's own, and clients that speak to it line by line."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.admin.protocol import REFUSED, Method, NoParams, Params, Peer, RpcError
from adapters.admin.server import AdminServer


class Echo(Params, frozen=True):
    """Something to say again."""

    text: str
    times: int = 1


class Flood(Params, frozen=True):
    """How much to send."""

    lines: int


async def echo(params: Echo, peer: Peer) -> Any:
    """Says it again."""
    return {"text": params.text * params.times, "by": peer.by}


async def refuse(_: NoParams, peer: Peer) -> Any:
    """Says no."""
    raise RpcError(REFUSED, "the kill switch is on", refusal="KILLED")


async def fail(_: NoParams, peer: Peer) -> Any:
    """Has a fault."""
    raise ZeroDivisionError("by zero")


async def strange(_: NoParams, peer: Peer) -> Any:
    """Returns what cannot be written."""
    return object()


async def flood(params: Flood, peer: Peer) -> Any:
    """Streams lines of ten kilobytes."""

    async def stream(subscription: int, peer: Peer) -> None:
        for number in range(params.lines):
            await peer.notify("line", {"subscription": subscription, "number": number, "filler": "x" * 10_000})

    return {"subscription": peer.follow(stream)}


async def unfollow(params: Flood, peer: Peer) -> Any:
    """Ends a stream."""
    return peer.unfollow(params.lines)


METHODS = {
    name: Method(name, params, name, handler)
    for name, params, handler in (
        ("echo", Echo, echo),
        ("refuse", NoParams, refuse),
        ("fail", NoParams, fail),
        ("strange", NoParams, strange),
        ("flood", Flood, flood),
        ("unfollow", Flood, unfollow),
    )
}


async def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Waits until a condition holds; fails if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


class Line:
    """A client that writes and reads lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, raw: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(raw)
        await self.writer.drain()

    async def hear(self) -> Any:
        """The next line, decoded; None at the end."""
        async with asyncio.timeout(5):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, method: str, params: Any = None, identity: Any = 1) -> Any:
        """A request and its answer."""
        request = {"jsonrpc": "2.0", "id": identity, "method": method, "params": {} if params is None else params}
        await self.say(json.dumps(request).encode() + b"\n")
        return await self.hear()


@asynccontextmanager
async def serving(path: Path, **options: Any) -> AsyncIterator[AdminServer]:
    """A server at the path, stopped afterwards."""
    server = AdminServer(path, METHODS, options.pop("uids", frozenset()), **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(server: AdminServer) -> AsyncIterator[Line]:
    """A client, closed afterwards."""
    line = Line(*await asyncio.open_unix_connection(str(server.path), limit=1 << 22))
    try:
        yield line
    finally:
        line.writer.close()
