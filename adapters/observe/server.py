"""Serves the metrics over HTTP on 127.0.0.1: just enough of the protocol for Prometheus and curl."""

from __future__ import annotations

import asyncio
import errno
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

HOST: Final = "127.0.0.1"
TIMEOUT_S: Final = 5.0
MAX_HEAD_BYTES: Final = 16 * 1024


class MetricsError(Exception):
    """The metrics cannot be served; the text says why and what to do."""


class MetricsServer:
    """`GET /metrics`, one request a connection."""

    def __init__(self, found: CollectorRegistry, port: int) -> None:
        self._registry = found
        self._wanted = port
        self._server: asyncio.Server | None = None
        self.port = port

    @property
    def url(self) -> str:
        """Where Prometheus finds it."""
        return f"http://{HOST}:{self.port}/metrics"

    async def start(self) -> None:
        """Listens; raises MetricsError where the port cannot be had."""
        try:
            self._server = await asyncio.start_server(self._serve, HOST, self._wanted, limit=MAX_HEAD_BYTES)
        except OSError as error:
            why = "is in use by another process" if error.errno == errno.EADDRINUSE else f"cannot be had: {error}"
            raise MetricsError(
                f"metrics.port: port {self._wanted} on {HOST} {why}; choose another, 0 for a free one, or -1 for none"
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Serves no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
            return  # Who asks like this is not waited for.
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"only GET\n")
        if path != b"/metrics":
            return _response("404 Not Found", "text/plain", b"see /metrics\n")
        body = generate_latest(self._registry)
        return _response("200 OK", CONTENT_TYPE_LATEST, b"" if method == b"HEAD" else body)


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
