"""A real server and a real connection for the tests of the bus."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from adapters.bus.server import ENGINE_INBOX, EmbeddedServer
from adapters.bus.wire import Wire

Events = list[tuple[str, dict[str, object]]]
Until = Callable[[Callable[[], object]], object]


async def until(condition: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await anyio.sleep(0.005)


@pytest.fixture
def eventually() -> Callable[..., object]:
    """`await eventually(condition)`."""
    return until


@pytest.fixture
def events() -> Events:
    """What the server reported."""
    return []


@pytest.fixture
async def server(anyio_backend: object, tmp_path: Path, events: Events) -> AsyncIterator[EmbeddedServer]:
    """A running server on a free port."""
    server = EmbeddedServer(tmp_path, on_event=lambda event, **fields: events.append((event, fields)), port=0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def errors() -> list[Exception]:
    """What the wire reported."""
    return []


@pytest.fixture
async def wire(server: EmbeddedServer, errors: list[Exception]) -> AsyncIterator[Wire]:
    """The engine's connection."""
    wire = Wire(server.url, name="engine", on_error=errors.append, inbox_prefix=ENGINE_INBOX)
    await wire.connect()
    yield wire
    await wire.close()


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[Wire]:
    """A client's connection; its errors are kept in `client_errors`."""
    wire = Wire(server.client_url, name="client", on_error=_ClientErrors.append)
    _ClientErrors.clear()
    await wire.connect()
    yield wire
    await wire.close()


_ClientErrors: list[Exception] = []


@pytest.fixture
def client_errors() -> list[Exception]:
    """What the client was told it may not."""
    return _ClientErrors
