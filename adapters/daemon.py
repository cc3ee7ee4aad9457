"""The daemon: one process with everything in it, from the NATS server to the admin socket, until it is told to stop.

It starts what fails fastest first, says in one sentence what is wrong where something is, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anyio
import orjson
import structlog

from actors.journal import JournalFailed
from adapters.admin.context import Context
from adapters.admin.feed import Feed
from adapters.admin.methods import methods
from adapters.admin.server import AdminServer, SocketError
from adapters.bus.port import ServerError
from adapters.bus.server import EmbeddedServer
from adapters.bus.server_config import write_private
from adapters.bus.streams import StreamError
from adapters.bus.wire import WireError
from adapters.engine import Engine
from adapters.market.volumes import VolumesError
from adapters.observe.durable import Durable
from adapters.observe.guard import guarded
from adapters.observe.log import OrderLog, configure
from adapters.observe.metrics import Tally, registry
from adapters.observe.server import MetricsError, MetricsServer
from adapters.settings import SettingsError, load
from adapters.store.errors import StoreError
from adapters.store.lock import FolderLock
from adapters.store.reader import Reader
from adapters.store.store import SWITCH_INTERVAL_S
from adapters.venues.build import VenueError
from engine.config import Config

GC_THRESHOLDS: Final = (20_000, 50, 100)
"""Objects made before a collection, and how many of those before an older generation's. At Python's own 700 an engine
at work collects hundreds of times a second and finds nothing: its messages hold no cycles."""
FAILED: Final = 1
BAD_CONFIG: Final = 2

_SENTENCES: Final = (
    ServerError,
    WireError,
    StreamError,
    StoreError,
    SocketError,
    MetricsError,
    VenueError,
    VolumesError,
)
"""Errors whose text is for the operator."""


def run_daemon(config_path: Path, data: Path | None = None) -> int:
    """Runs until SIGTERM, SIGINT or `drain`; returns the exit code. `data` overrides what the configuration says.

    0 after a drain, 1 where something is in the way or the disk failed, 2 for a configuration that cannot be used.
    """
    try:
        config = load(config_path, os.environ)
    except SettingsError as error:
        return _say(str(error), BAD_CONFIG)
    folder = (Path(config.service.data) if data is None else data).resolve()
    configure(config.log.level, config.log.format)
    # The store's threads and the event loop share one interpreter lock: see the store for the measurement.
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
    gc.set_threshold(*GC_THRESHOLDS)
    daemon = Daemon(config, config_path, folder)
    try:
        anyio.run(daemon.run, backend_options={"use_uvloop": True})
    except BaseExceptionGroup as group:
        return _explain(_first(group), config_path)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - everything is explained, known or not
        return _explain(error, config_path)
    if daemon.failure is not None:
        return _say(daemon.failure, FAILED)
    return 0


class Daemon:
    """What is running, and how it is stopped."""

    def __init__(self, config: Config, config_path: Path, data: Path) -> None:
        self.config = config
        self.config_path = config_path
        self.data = data
        self.failure: str | None = None
        """Why it stopped, where nobody asked it to."""
        self._log = structlog.get_logger()
        self._engine: Engine | None = None
        self._signals = 0
        self._starting: anyio.CancelScope | None = None
        self._stopping = False

    async def run(self) -> None:
        """Starts everything, runs the engine until it has drained, stops everything."""
        loop = asyncio.get_running_loop()
        for signo in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signo, self._signalled, signo)
        loop.set_exception_handler(self._uncaught)
        with anyio.CancelScope() as self._starting:
            async with AsyncExitStack() as stack:
                await self._run(stack)

    async def _run(self, stack: AsyncExitStack) -> None:
        self._prepare_folder()
        # What can be in the way is found before anything is started.
        admin = AdminServer(self.data / self.config.admin.socket, {}, self.config.admin.uids)
        admin.claim()
        stack.push_async_callback(admin.stop)
        metrics_port = self.config.metrics.port
        url = await stack.enter_async_context(self._bus())
        engine = Engine(self.config, self.data, url, self._bus_error)
        tally = Tally(lambda: engine.loop.commit_seconds)
        server = MetricsServer(registry(engine, tally), max(metrics_port, 0))
        if metrics_port >= 0:
            await server.start()
            stack.push_async_callback(server.stop)
        durable, feed = Durable(), Feed(self.config.service.partition)
        engine.observers += [guarded(observer) for observer in (durable, tally, OrderLog(), feed)]
        self._engine = engine
        # The engine closes its store itself, unless it failed: then a thread of the store's would keep the process.
        stack.push_async_callback(engine.store.close)
        if self._stopping:
            return
        up = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run_engine(engine, up))
            opened = tasks.create_task(up.wait())
            await asyncio.wait((running, opened), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                opened.cancel()
                return
            tally.sequence = durable.sequence = engine.partition.durable
            await self._open_admin(admin, stack, engine, durable, feed, tally, server)
            try:
                self._ready(admin, server if metrics_port >= 0 else None)
                await running
            finally:
                (self.data / "run" / "daemon.json").unlink(missing_ok=True)
                # Its streams read the store, which is closed by now.
                await admin.stop()

    async def _run_engine(self, engine: Engine, up: asyncio.Event) -> None:
        """The engine, until it has drained. A failed disk ends the process here: nobody else gets another turn."""
        try:
            await engine.run(up.set)
        except JournalFailed as error:
            _disk_failed(error)
        except BaseExceptionGroup as group:
            found = _first(group)
            if isinstance(found, JournalFailed):
                _disk_failed(found)
            raise

    def _prepare_folder(self) -> None:
        """The data folder and its `run`, and that no other daemon works in it: known before anything is started."""
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            run = self.data / "run"
            run.mkdir(exist_ok=True, mode=0o700)
            run.chmod(0o700)
        except OSError as error:
            raise StoreError(f"the data folder {self.data} cannot be used: {error.strerror or error}") from None
        # The store takes this lock for good; here it is only tried, before a NATS server is started for nothing.
        FolderLock(self.data).acquire().release()

    @asynccontextmanager
    async def _bus(self) -> AsyncIterator[Any]:
        """The URL to connect to; of an embedded server, where the configuration names none."""
        nats = self.config.nats
        if nats.url:
            urls = [url.strip() for url in nats.url.split(",")]
            yield urls[0] if len(urls) == 1 else urls
            return
        server = EmbeddedServer(self.data, on_event=self._on_server_event, port=nats.port, prefix=nats.prefix)
        await server.start()
        try:
            yield server.url
        finally:
            with anyio.CancelScope(shield=True):
                await server.stop()

    async def _open_admin(
        self,
        admin: AdminServer,
        stack: AsyncExitStack,
        engine: Engine,
        durable: Durable,
        feed: Feed,
        tally: Tally,
        server: MetricsServer,
    ) -> None:
        reader = await Reader.open(self.data)
        stack.push_async_callback(reader.close)
        context = Context(
            engine=engine,
            reader=reader,
            config_path=self.config_path,
            durable=durable,
            feed=feed,
            tally=tally,
            started_at=datetime.now(UTC),
            metrics_url=server.url if server.port else "",
            socket_path=admin.path,
            stop=self.stop,
        )
        admin.methods = methods(context)
        await admin.start()

    def _ready(self, admin: AdminServer, server: MetricsServer | None) -> None:
        run = self.data / "run"
        facts = {
            "pid": os.getpid(),
            "metrics_port": server.port if server else None,
            "admin_socket": str(admin.path),
            "started_at": datetime.now(UTC),
            "nats": str(run / "nats.json") if not self.config.nats.url else None,
        }
        write_private(run / "daemon.json", orjson.dumps(facts).decode())
        bus = f"nats {run / 'nats.json'}" if not self.config.nats.url else "nats as configured"
        metrics = server.url if server else "none"
        print(f"tradewright ready: {bus} | admin {admin.path} | metrics {metrics}", flush=True)  # noqa: T201
        # What lives as long as the process (modules, calendars, recovered orders) is looked at by no collection again.
        gc.collect()
        gc.freeze()

    # stopping

    def stop(self, reason: str) -> None:
        """Begins the drain, or gives the start up where it is under way."""
        if self._stopping:
            return
        self._stopping = True
        self._log.info("Draining", reason=reason)
        if self._engine is not None:
            self._engine.drain()
        elif self._starting is not None:
            self._starting.cancel()

    def _signalled(self, signo: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            # The NATS server dies with this process, and the disk is right at any moment.
            os._exit(128 + signo)
        self.stop(f"{signo.name}; a second signal ends it at once")

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.stop(reason)

    # what is told

    def _on_server_event(self, event: str, /, **fields: object) -> None:
        say = self._log.info if event in ("nats_server_started", "nats_server_restarted") else self._log.warning
        say(event, **fields)
        if event == "nats_server_given_up":
            self._fail("the NATS server dies again and again; see nats/server.log in the data folder")

    def _bus_error(self, error: Exception) -> None:
        self._log.warning("bus_error", error=f"{type(error).__name__}: {error}")

    def _uncaught(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._log.error("uncaught", said=context.get("message"), exc_info=context.get("exception"))


def _disk_failed(error: JournalFailed) -> None:
    """Nothing more may leave, so nothing more runs: not even what would be tidied up."""
    text = f"the store failed, and only what is on disk counts from here: {error}. Mend the disk and start again."
    _say(text, FAILED)
    os._exit(FAILED)


def _explain(error: BaseException, config_path: Path) -> int:
    if isinstance(error, SettingsError):
        return _say(str(error), BAD_CONFIG)
    if isinstance(error, _SENTENCES):
        return _say(str(error), FAILED)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}", FAILED)
    structlog.get_logger().error("failed", exc_info=error)
    return _say(f"a fault of its own ended the daemon: {type(error).__name__}: {error}", FAILED)


def _first(error: BaseException) -> BaseException:
    """The error that a group is about: the one that matters most, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [_first(inner) for inner in error.exceptions]
    return next((one for one in found if isinstance(one, JournalFailed)), found[0])


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"tradewright: {text}\n")
    sys.stderr.flush()
    return code
