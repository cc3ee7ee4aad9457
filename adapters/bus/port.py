"""The port the embedded server listens on: free or not, and who answers there."""

from __future__ import annotations

import asyncio
import errno
import json
import socket

from adapters.bus.server_config import HOST


class ServerError(Exception):
    """The server cannot be run; the text says why in a sentence for the operator."""


class PortInUseError(ServerError):
    """The configured port belongs to another process."""


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_port(port: int) -> None:
    """Raise the error that explains why a server could not listen on `port`, if it could not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(f"port {port} on {HOST} is in use by another process") from None
            raise ServerError(f"cannot listen on {HOST}:{port}: {error.strerror}") from None


async def name_at(port: int) -> str | None:
    """The name of the NATS server that answers at `port`, or None while nothing does."""
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 16)
            try:
                line = await reader.readline()
            finally:
                writer.close()
        return str(json.loads(line.removeprefix(b"INFO "))["server_name"])
    except (OSError, ValueError, KeyError, TimeoutError):
        return None
