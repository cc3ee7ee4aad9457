"""What a measurement stands on: a scratch folder, the real daemon in it, the load generator beside it, their costs."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from msgspec import Struct, json

from adapters.bench.load import Job, Result
from adapters.child import COMMAND, ROOT, ChildError, Daemon
from adapters.demo.cast import configuration

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Cpu(Struct, frozen=True):
    """Processor seconds used so far, by who used them."""

    daemon: float
    main_thread: float
    server: float

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.daemon - other.daemon, self.main_thread - other.main_thread, self.server - other.server)


class Rig:
    """A daemon in a scratch folder under `root`, and loads against it. Use it as a context."""

    def __init__(self, root: Path | None = None, command: Sequence[str] = COMMAND) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tradewright-bench-", dir=root))
        self.config = self.folder / "config.toml"
        self.config.write_text(configuration(0, orders_per_second=1000, allow_short=True))
        self.daemon = Daemon(self.config, self.folder / "data", command)
        self._runs = 0

    async def __aenter__(self) -> Self:
        self.daemon.start()
        await self.daemon.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.daemon.kill()
        self.remove()

    def remove(self) -> None:
        """Nothing of the scratch folder stays."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def load(self, kind: str, **how: Any) -> Result:
        """Runs the generator; everything asked has to be accepted, or it is a ChildError."""
        self._runs += 1
        run = f"{time.time_ns():x}"
        result = await generate(Job(url=self.daemon.client_url, kind=kind, run=run, **how))
        if result.refused:
            raise self.daemon.error(f"{kind}: {result.refused} of {result.sent} asks were not accepted")
        return result

    def cpu(self) -> Cpu:
        """What the daemon and its NATS server have used."""
        pid = self.daemon.pid
        assert pid is not None
        server = next(iter(children(pid)), None)
        return Cpu(
            _cpu_s(Path(f"/proc/{pid}/stat")),
            _cpu_s(Path(f"/proc/{pid}/task/{pid}/stat")),
            _cpu_s(Path(f"/proc/{server}/stat")) if server else 0.0,
        )

    def memory_mib(self) -> float:
        """Resident memory of the daemon."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def generate(job: Job) -> Result:
    """Runs one load in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.bench.load",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )  # fmt: skip
    out, err = await process.communicate(json.encode(job))
    if process.returncode:
        raise ChildError(f"the load generator failed:\n{err.decode()[-2000:]}")
    return json.decode(out, type=Result)


def children(pid: int) -> list[int]:
    """Processes started by this one, of any of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _cpu_s(stat: Path) -> float:
    # The name in parentheses may hold blanks; user and system time are fields 14 and 15.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine(folder: Path) -> dict[str, Any]:
    """What it was measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "python": platform.python_version(),
        "fsync_ms": fsync_ms(folder),
    }


def fsync_ms(folder: Path, times: int = 50) -> float:
    """How long the disk takes for one page, as a commit of the store asks it to: the median of several."""
    path = folder / "fsync.probe"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    path.unlink()
    return 1000 * sorted(taken)[times // 2]
