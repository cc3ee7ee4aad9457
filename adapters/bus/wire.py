"""A connection to NATS without a task, a queue or an await per message.

nats-py owns the connection: authentication, reconnection, pings, subscriptions. This module takes two short cuts
through it and, with the parser, is the only one that knows its private parts: messages for `listen` go from the parser
straight to a function, and `publish_many` writes many messages to the socket at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import nats.aio.client
import nats.errors
from nats.aio.transport import TcpTransport
from nats.protocol.parser import PERMISSIONS_ERR

from adapters.bus.frames import PublishBuffer
from adapters.bus.parser import FastParser, Sink

READ_BYTES: Final = 1 << 20
WRITE_HIGH_BYTES: Final = 4 << 20
WRITE_LIMIT_BYTES: Final = 64 << 20
RECONNECT_WAIT_S: Final = 0.2
PING_INTERVAL_S: Final = 2
PINGS_OUTSTANDING: Final = 2
CLOSE_S: Final = 2.0


class WireError(Exception):
    """The connection could not do what was asked: it is down, refused, or nobody answered in time."""


class _WireTransport(TcpTransport):
    """A TCP transport with room for bursts in both directions."""

    async def connect(self, uri: Any, buffer_size: int, connect_timeout: int) -> None:
        await super().connect(uri, READ_BYTES, connect_timeout)
        assert self._io_writer is not None
        self._io_writer.transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)

    def abandon(self) -> None:
        """Close the socket, if there is one, without waiting for anything."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    def unsent_bytes(self) -> int:
        """What has been written and not yet taken by the socket."""
        return 0 if self._io_writer is None else int(self._io_writer.transport.get_write_buffer_size())


class WireClient(nats.aio.client.Client):
    """nats-py's client, mended where it would stop for good: an unknown error or a surprise while reconnecting."""

    def __init__(self, report: Callable[[Exception], None]) -> None:
        super().__init__()
        self.report = report
        self.parser = self._ps = FastParser(self)

    async def _connect_to_server(self, s: Any) -> None:
        if s.uri.scheme in ("ws", "wss"):
            await super()._connect_to_server(s)
            return
        s.last_attempt = time.monotonic()
        if isinstance(self._transport, _WireTransport):
            self._transport.abandon()  # Of an attempt that came no further than the socket.
        self._transport = _WireTransport()  # type: ignore[no-untyped-call]  # nats-py does not type it.
        await self._transport.connect(s.uri, READ_BYTES, self.options["connect_timeout"])

    async def _read_loop(self) -> None:
        transport = self._transport
        while transport is not None and transport is self._transport and not (self.is_closed or self.is_reconnecting):
            try:
                if transport.at_eof():
                    raise nats.errors.UnexpectedEOF()
                await self._ps.parse(await transport.read(READ_BYTES))
            except Exception as error:  # noqa: BLE001 - whatever it was, a new connection mends it.
                self.report(error)
                await self._process_op_err(error)
                return

    async def _process_err(self, err_msg: str) -> None:
        if PERMISSIONS_ERR in err_msg:
            await super()._process_err(err_msg)
            return
        # The original closes the client for ever on errors it does not know, "maximum payload violation" among them.
        error = nats.errors.Error(f"nats: {err_msg.strip(chr(39))}")
        self.report(error)
        await self._process_op_err(error)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        # Only reached for a sink's message when the original parser took its frame over.
        if (sink := self.parser.sinks.get(b"%d" % sid)) is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        else:
            sink(subject.decode(), reply, headers or None, data)

    async def _attempt_reconnect(self) -> None:
        task = asyncio.current_task()
        while not self.is_connected and not self.is_closed and not (task and task.cancelling()):
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001 - the original gives up on the unexpected, we never do.
                self.report(error)
                await asyncio.sleep(RECONNECT_WAIT_S)
                self._status = self.RECONNECTING


class Listening:
    """A subscription that feeds a sink, until `stop()`."""

    def __init__(self, client: WireClient, sid: int, subject: str) -> None:
        self._client = client
        self._sid = sid
        self.subject = subject

    async def stop(self) -> None:
        """End the subscription; nothing is delivered from here on."""
        self._client.parser.sinks[b"%d" % self._sid] = _nowhere
        subscription = self._client._subs.pop(self._sid, None)
        if subscription is not None and not self._client.is_closed:
            await self._client._send_unsubscribe(self._sid)


def _nowhere(subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
    """Takes what was under way when its listener left."""


class Wire:
    """One connection to NATS. It reconnects for ever, and says whether it is up in `connected`."""

    def __init__(
        self, url: str | list[str], *, name: str, on_error: Callable[[Exception], None], inbox_prefix: str = "_INBOX"
    ) -> None:
        self._url = url
        self._name = name
        self._on_error = on_error
        self._inbox_prefix = inbox_prefix
        self._last_error = ""
        self._began = False
        self._client = WireClient(self._report)
        self._questions: set[asyncio.Future[Any]] = set()
        self._on_disconnect: list[Callable[[], None]] = []
        self._on_reconnect: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Wire {self._name} {'connected' if self.connected else 'disconnected'}>"

    @property
    def connected(self) -> bool:
        """Whether messages published now have a chance to arrive."""
        return bool(self._client.is_connected)

    @property
    def pending_bytes(self) -> int:
        """What is written and has not left this process."""
        transport = self._client._transport
        return transport.unsent_bytes() if isinstance(transport, _WireTransport) else 0

    @property
    def max_payload(self) -> int:
        """The largest message, headers included, that the server takes, in bytes."""
        return int(self._client.max_payload)

    @property
    def server_version(self) -> tuple[int, int]:
        """Major and minor version of the server, (0, 0) before the first connection."""
        major, minor, *_ = (str(self._client._server_info.get("version", "0.0")) + ".0").split(".")
        return int(major), int(minor)

    def watch(
        self, *, on_disconnect: Callable[[], None] | None = None, on_reconnect: Callable[[], None] | None = None
    ) -> None:
        """Be told when the connection is lost, and when it is back with every listener in place."""
        for callbacks, callback in ((self._on_disconnect, on_disconnect), (self._on_reconnect, on_reconnect)):
            if callback is not None:
                callbacks.append(callback)

    def unwatch(self, *callbacks: Callable[[], None]) -> None:
        """Tell these no more."""
        self._on_disconnect = [known for known in self._on_disconnect if known not in callbacks]
        self._on_reconnect = [known for known in self._on_reconnect if known not in callbacks]

    async def connect(self, timeout_s: float = 10.0) -> None:
        """Connect, trying again until `timeout_s` has passed; then raise `WireError` with the last reason."""
        self._began = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._client.connect(
                    self._url,
                    name=self._name,
                    error_cb=self._error_cb,
                    disconnected_cb=self._disconnected_cb,
                    reconnected_cb=self._reconnected_cb,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # Annotated int, used as seconds.
                    ping_interval=PING_INTERVAL_S,
                    max_outstanding_pings=PINGS_OUTSTANDING,
                    inbox_prefix=self._inbox_prefix,
                )
        except TimeoutError:
            reason = self._client.last_error
            await self.close()
            raise WireError(f"no connection to NATS within {timeout_s:g} s: {reason}") from None

    async def close(self) -> None:
        """Send what is pending and disconnect for good. A wire that was never connected is closed already."""
        if not self._began:
            return
        client = self._client
        if not client.is_connected:
            # The original would write it, and a farewell, to a socket that is closed already.
            client._pending, client._pending_data_size = [], 0
        # A connection that is being made anew may refuse to close, or wait for ever for a socket that has gone.
        closing = asyncio.get_running_loop().create_task(client.close(), name=f"closing {self._name}")
        await asyncio.wait([closing], timeout=CLOSE_S)
        if not closing.cancel() and not closing.cancelled() and isinstance(error := closing.exception(), Exception):
            self._on_error(error)

    async def listen(self, subject: str, sink: Sink, queue: str = "") -> Listening:
        """Deliver messages on `subject` to `sink`, synchronously, in order, also after reconnections."""
        sid = self._client._sid + 1  # The sink must be there before the server can answer.
        self._client.parser.sinks[b"%d" % sid] = sink
        subscription = await self._client.subscribe(subject, queue=queue)
        assert subscription._id == sid
        return Listening(self._client, sid, subject)

    def inbox(self) -> str:
        """A new reply subject that this connection may listen to."""
        return str(self._client.new_inbox())

    async def request(self, subject: str, payload: bytes = b"", timeout_s: float = 5.0) -> bytes:
        """Ask, and return the answer's payload; `WireError` if there is none. For control, not for bulk."""
        if not self.connected:
            raise WireError(f"not connected to NATS: {subject}")
        question = asyncio.ensure_future(self._client.request(subject, payload, timeout=timeout_s))
        self._questions.add(question)
        try:
            # Not awaited itself: `asyncio.wait_for` lets an answer that comes just then swallow a cancellation.
            await asyncio.wait((question,))
            if question.cancelled():
                raise WireError(f"no answer on {subject}: the connection was lost")
            return bytes(question.result().data)
        except (nats.errors.Error, OSError) as error:
            raise WireError(f"no answer on {subject}: {error}") from error
        finally:
            self._questions.discard(question)
            question.cancel()

    def publish_many(self, frames: list[bytes]) -> bool:
        """Write frames in one go. False, and nothing written, if the connection is down or its buffer is full."""
        transport = self._client._transport
        if not self._client.is_connected or not transport or self.pending_bytes > WRITE_LIMIT_BYTES:
            return False
        if self._client._pending:
            # A SUB that nats-py still holds must go first, or the answers to what follows find nobody.
            frames = [*self._client._pending, *frames]
            self._client._pending = []
            self._client._pending_data_size = 0
        try:
            transport.write(b"".join(frames))
        except RuntimeError:
            return False  # The socket has closed, which the reading side will find out next.
        return True

    def publish(self, buffer: PublishBuffer) -> bool:
        """Write a buffer and empty it; False, and the buffer untouched, as `publish_many`."""
        if not self.publish_many(buffer.frames):
            return False
        buffer.clear()
        return True

    async def flush(self) -> None:
        """Wait until the server has taken all that was sent before."""
        await self._client.flush()

    async def drain(self) -> bool:
        """Wait until few bytes are pending; at once if few are. False if the connection was lost meanwhile."""
        transport = self._client._transport
        if not transport or not self.connected:
            return False
        try:
            await transport.drain()  # type: ignore[no-untyped-call]
        except OSError:
            return False
        return self.connected

    def _report(self, error: Exception) -> None:
        # A server that is away is refused five times a second: say it once.
        if (text := f"{type(error).__name__}: {error}") != self._last_error or self.connected:
            self._last_error = text
            self._on_error(error)

    async def _error_cb(self, error: Exception) -> None:
        self._report(error)

    async def _disconnected_cb(self) -> None:
        for question in self._questions:
            question.cancel()  # Its answer was for the connection that is gone.
        for callback in self._on_disconnect:
            callback()

    async def _reconnected_cb(self) -> None:
        self._last_error = ""
        for callback in self._on_reconnect:
            callback()
