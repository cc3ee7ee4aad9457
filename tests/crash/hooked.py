"""The daemon with a crash built in: `python -m tests.crash.hooked <step> run --config C --data D`.

Each step wraps one function between the arrival of a request and the publication of its fill, and ends the process
there with SIGKILL, once the file `armed` is in the data folder. Nothing of this is in the product.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from actors.loop import Loop
from actors.partition import Partition
from adapters.bus.publisher import Publisher
from adapters.daemon import run_daemon
from adapters.engine import Engine
from adapters.store.store import Store
from adapters.venues.paper import PaperVenue
from engine.events import FillBooked, RequestAccepted
from engine.messages import ExecutionRequest
from engine.reports import Accepted, Filled

LEFT_BYTES: Final = 256 << 10
"""What files may still grow by where the disk is to be full."""


def reached() -> None:
    """The step is here: once the test has armed it, the last time."""
    if armed():
        os.kill(os.getpid(), signal.SIGKILL)


def armed() -> bool:
    """Whether the next crash is meant."""
    return (Path(sys.argv[-1]) / "armed").exists()


def has(batches: Any, kind: type) -> bool:
    """Whether any of the batches has such an event."""
    return any(event.__class__ is kind for batch in batches for _, event in batch.events)


def before(owner: type, name: str, when: Callable[..., bool]) -> None:
    """Crashes before the call that `when` is true of."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        if when(*args, **named):
            reached()
        return original(*args, **named)

    setattr(owner, name, wrapped)


def behind(owner: type, name: str, when: Callable[..., bool]) -> None:
    """Crashes after the call; `when` is asked about its arguments and what it returned."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:
        args = (args[0], *(list(arg) if hasattr(arg, "__next__") else arg for arg in args[1:]))
        result = original(*args, **named)
        if when(result, *args):
            reached()
        return result

    setattr(owner, name, wrapped)


def delivered_not_run() -> None:
    """A request is in the mailbox."""
    behind(Loop, "post", lambda _, loop, mail: any(isinstance(m.message, ExecutionRequest) for m in mail))


def run_not_committed() -> None:
    """A request was decided, in memory."""
    behind(Partition, "run", lambda batch, *_: batch is not None and has([batch], RequestAccepted))


def commit_in_progress() -> None:
    """SQLite is in the middle of the statement that commits a decision."""
    original = Store._write

    def wrapped(store: Any, connection: Any, made: Any) -> Any:
        if armed() and any(row.keys for row in made):
            connection.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), 500)
        return original(store, connection, made)

    Store._write = wrapped  # type: ignore[method-assign]


def committed_not_released() -> None:
    """The decision is on disk; nobody has heard of it."""
    before(Engine, "_release", lambda engine, batches: has(batches, RequestAccepted))


def released_not_accepted() -> None:
    """The order is on its way to the venue."""
    behind(PaperVenue, "submit", lambda *_: True)


def accepted_not_reported() -> None:
    """The venue has the order in its file; the engine has not heard of it."""
    before(Engine, "_reported", lambda engine, venue, reports: any(isinstance(r, Accepted) for r in reports))


def reported_not_booked() -> None:
    """The fill is in the mailbox."""
    behind(Engine, "_reported", lambda _, engine, venue, reports: any(isinstance(r, Filled) for r in reports))


def booked_not_published() -> None:
    """The fill is booked on disk; nobody was told."""
    before(Publisher, "feed", lambda publisher, batches: has(batches, FillBooked))


def published_cursor_not_moved() -> None:
    """The streams have acknowledged a fill; the position is not written."""
    fills: list[int] = []
    feed = Publisher.feed

    def fed(publisher: Any, batches: Any) -> None:
        fills.extend(batch.sequence for batch in batches if has([batch], FillBooked))
        feed(publisher, batches)

    Publisher.feed = fed  # type: ignore[method-assign]
    before(
        Partition,
        "consumed",
        lambda partition, cursor, position: cursor == "published" and bool(fills) and position >= fills[0],
    )


def disk_full() -> None:
    """From the first decisions on, files may grow only a little more."""

    def limit(engine: Any, batches: Any) -> bool:
        if (
            armed()
            and has(batches, RequestAccepted)
            and resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
        ):
            size = engine.store.path.with_name(engine.store.path.name + "-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + LEFT_BYTES, resource.RLIM_INFINITY))
        return False

    before(Engine, "_release", limit)


STEPS: Final = (
    delivered_not_run,
    run_not_committed,
    commit_in_progress,
    committed_not_released,
    released_not_accepted,
    accepted_not_reported,
    reported_not_booked,
    booked_not_published,
    published_cursor_not_moved,
)


def main() -> int:
    """Builds the crash in and runs the daemon."""
    step, _, _, config, _, data = sys.argv[1:]
    globals()[step]()
    return run_daemon(Path(config), Path(data))


if __name__ == "__main__":
    sys.exit(main())
