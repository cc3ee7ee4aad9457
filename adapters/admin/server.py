"""The admin socket's server: who may connect, lines in and lines out. It knows no method; `methods.py` has them.

The socket is 0600 in a 0700 folder and the peer's uid is checked besides. A client that does not read what it asked
for is dropped: nothing in the engine waits for it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from adapters.admin.protocol import (
    FORBIDDEN,
    INTERNAL,
    INVALID_REQUEST,
    MAX_BATCH,
    MAX_LINE_BYTES,
    PARSE_ERROR,
    TOO_LARGE,
    UNAVAILABLE,
    Method,
    Peer,
    RpcError,
    dispatch,
    read_request,
)

MAX_CLIENTS: Final = 64
MAX_STREAMS: Final = 16
"""Tails and follows of one client."""
SEND_TIMEOUT_S: Final = 10.0
SEND_BUFFER_BYTES: Final = 256 * 1024

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode
_decode: Final = msgspec.json.Decoder().decode


class SocketError(Exception):
    """The admin socket cannot be made; the text says why and what to do."""


class AdminServer:
    """Listens on `path` and answers with `methods`. `uids`: who may connect; empty means the daemon's own user."""

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, Method],
        uids: frozenset[int],
        *,
        send_timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        self.path = path
        self.methods = methods
        self.uids = uids or frozenset({os.getuid()})
        self.send_timeout_s = send_timeout_s
        self.clients: set[_Client] = set()
        self._server: asyncio.Server | None = None
        self._listener: socket.socket | None = None
        self._inode = 0
        self._log = structlog.get_logger()

    def claim(self) -> None:
        """Makes the socket, on which nobody answers yet; raises SocketError where that cannot be."""
        _private_folder(self.path.parent)
        _remove_stale(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            self._inode = self.path.stat().st_ino
        except OSError as error:
            listener.close()
            raise SocketError(f"admin.socket: cannot listen on {self.path}: {error.strerror or error}") from None
        self._listener = listener

    async def start(self) -> None:
        """Listens and answers; raises SocketError where that cannot be."""
        if self._listener is None:
            self.claim()
        self._server = await asyncio.start_unix_server(self._accept, sock=self._listener, limit=MAX_LINE_BYTES)

    async def stop(self) -> None:
        """Ends every connection and removes the socket."""
        if self._server is not None:
            self._server.close()
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        for client in list(self.clients):
            client.abort("the engine stops")
        await asyncio.gather(*(client.ended.wait() for client in list(self.clients)))
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except OSError:
            return  # Somebody removed it before.

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid, uid, _ = _peer(writer)
        client = _Client(self, reader, writer, _user(uid))
        refusal = None
        if uid not in self.uids:
            refusal = RpcError(FORBIDDEN, f"user {_user(uid)} (uid {uid}) may not attach; admin.uids names who may")
            self._log.warning("admin_refused", uid=uid, pid=pid)
        elif len(self.clients) >= MAX_CLIENTS:
            refusal = RpcError(UNAVAILABLE, f"{MAX_CLIENTS} clients are attached already; close one")
        if refusal is not None:
            await client.send(_failure(None, refusal))
            writer.close()
            return
        self.clients.add(client)
        self._log.debug("admin_attached", by=client.by, pid=pid)
        try:
            await client.serve()
        finally:
            self.clients.discard(client)


class _Client:
    """One connection: its requests are answered one after another, its streams run beside them."""

    def __init__(
        self, server: AdminServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: str
    ) -> None:
        self.by = by
        self.ended = asyncio.Event()
        self._server = server
        self._reader = reader
        self._writer = writer
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._numbered = 0
        self._begun = asyncio.Event()
        self._log = structlog.get_logger()
        writer.transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)

    async def serve(self) -> None:
        """Answers until the other side leaves or is dropped."""
        try:
            while line := await self._line():
                answer = await self._answer(line)
                if answer is not None:
                    await self.send(answer)
                self._begun.set()
                self._begun = asyncio.Event()
        except (OSError, EOFError):
            pass
        finally:
            for task in self._streams.values():
                task.cancel()
            await asyncio.gather(*self._streams.values(), return_exceptions=True)
            self._writer.close()
            self.ended.set()

    async def _line(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial  # The last line needs no end.
        except asyncio.LimitOverrunError:
            refusal = RpcError(TOO_LARGE, f"a line may have {MAX_LINE_BYTES} bytes; the connection is closed")
            await self.send(_failure(None, refusal))
            return b""

    async def _answer(self, line: bytes) -> Any:
        if not line.strip():
            return None
        try:
            raw = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _failure(None, RpcError(PARSE_ERROR, f"not JSON: {error}"))
        if not isinstance(raw, list):
            return await self._one(raw)
        if not 0 < len(raw) <= MAX_BATCH:
            return _failure(None, RpcError(INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} requests, got {len(raw)}"))
        answers = [answer for one in raw if (answer := await self._one(one)) is not None]
        return answers or None

    async def _one(self, raw: Any) -> Any:
        try:
            request = read_request(raw)
        except RpcError as error:
            return _failure(raw.get("id") if isinstance(raw, dict) else None, error)
        try:
            result = await dispatch(self._server.methods, request, self)
            # Encoded here, so that what cannot be is this request's failure and not the connection's.
            return _success(request.id, result) if request.wants_answer else None
        except RpcError as error:
            return _failure(request.id, error) if request.wants_answer else None
        except Exception as error:  # noqa: BLE001 - a fault in one method must not cost the connection
            self._log.exception("admin_method_failed", method=request.method)
            failed = RpcError(INTERNAL, f"{request.method} failed: {type(error).__name__}: {error}; the log has more")
            return _failure(request.id, failed) if request.wants_answer else None

    async def send(self, message: Any) -> None:
        """Writes a line; drops the client where it does not read for too long."""
        if self._writer.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._writer.write(_encode(message) + b"\n")
        try:
            async with asyncio.timeout(self._server.send_timeout_s):
                await self._writer.drain()
        except TimeoutError:
            self.abort(f"it read nothing for {self._server.send_timeout_s:g} s")
            raise ConnectionResetError("dropped") from None

    def abort(self, reason: str) -> None:
        """Ends the connection at once."""
        if not self._writer.is_closing():
            self._log.info("admin_dropped", by=self.by, reason=reason)
        self._writer.transport.abort()

    # what methods may do with the connection

    async def notify(self, method: str, params: Any) -> None:
        """Sends a notification."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def follow(self, stream: Callable[[int, Peer], Awaitable[None]]) -> int:
        """Runs a stream of notifications beside the requests, after the answer to this one is out."""
        if len(self._streams) >= MAX_STREAMS:
            raise RpcError(UNAVAILABLE, f"a client may have {MAX_STREAMS} streams; end one with `untail`")
        self._numbered += 1
        number = self._numbered
        task = asyncio.get_running_loop().create_task(self._stream(stream, number, self._begun))
        self._streams[number] = task
        task.add_done_callback(lambda _: self._streams.pop(number, None))
        return number

    async def _stream(self, stream: Callable[[int, Peer], Awaitable[None]], number: int, begun: asyncio.Event) -> None:
        await begun.wait()
        try:
            await stream(number, self)
        except OSError:
            return
        except RpcError as error:
            await self._last_word(number, error)
        except Exception as error:  # noqa: BLE001 - told to the client and the log, not to the engine
            self._log.exception("admin_stream_failed")
            await self._last_word(number, RpcError(INTERNAL, f"the stream failed: {type(error).__name__}: {error}"))

    async def _last_word(self, number: int, error: RpcError) -> None:
        try:
            await self.notify("ended", {"subscription": number, "error": error.as_dict()})
        except OSError:
            return

    def unfollow(self, subscription: int) -> bool:
        """Ends a stream."""
        task = self._streams.get(subscription)
        if task is None:
            return False
        task.cancel()
        return True


def _success(identity: Any, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "result": msgspec.Raw(_encode(result))}


def _failure(identity: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": error.as_dict()}


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int, int]:
    """Process, user and group of who connected, as the kernel knows them."""
    found = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, gid = struct.unpack("3i", found)
    return pid, uid, gid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _private_folder(folder: Path) -> None:
    """Makes the folder 0700, or sees that it is ours alone; never changes a folder that others may be using."""
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise SocketError(f"admin.socket: {folder} cannot be made: {error.strerror or error}") from None
    if found.st_uid != os.getuid():
        raise SocketError(f"admin.socket: {folder} belongs to {_user(found.st_uid)}; name a folder of your own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SocketError(f"admin.socket: others may enter {folder}; run `chmod 700 {folder}` or name another folder")


def _remove_stale(path: Path) -> None:
    """Removes a socket that nobody listens on; anything else is left alone, and said."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketError(f"admin.socket: {path} cannot be looked at: {error.strerror or error}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketError(f"admin.socket: {path} is there already and is no socket; move it or name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise SocketError(f"admin.socket: {path} cannot be tried: {error.strerror or error}") from None
    raise SocketError(f"admin.socket: another process listens on {path}; stop it or name another path")
