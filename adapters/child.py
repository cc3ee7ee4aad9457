"""The daemon as its users see it: a process that is started, found by its data folder, killed and started again.

The demo, the benchmark and the crash tests run it so, because what they show has to hold for the real process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import adapters

ROOT: Final = Path(adapters.__file__).parents[1]
COMMAND: Final = (sys.executable, "-m", "adapters.cli", "run")
LOOK_EVERY_S: Final = 0.01
LOG_TAIL: Final = 2_000


class ChildError(Exception):
    """The daemon did not do what was expected of it; the text has the end of its log."""


class Daemon:
    """One daemon on one data folder, over several lives. What it prints goes to `<data>.log`, beside the folder."""

    def __init__(
        self, config: Path, data: Path, command: Sequence[str] = COMMAND, environ: Mapping[str, str] | None = None
    ) -> None:
        self.data = data
        self.log = data.with_name(data.name + ".log")
        self._command = [*command, "--config", str(config), "--data", str(data)]
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Daemon {self.data} pid={self.pid}>"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def code(self) -> int | None:
        """How the last life ended, as `subprocess` says it; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def client_url(self) -> str:
        """Where clients connect, as the daemon wrote it."""
        return self._endpoint("client_url")

    @property
    def engine_url(self) -> str:
        """Where the engine itself connects: may read the streams."""
        return self._endpoint("url")

    def _endpoint(self, name: str) -> str:
        return str(json.loads((self.data / "run" / "nats.json").read_bytes())[name])

    def start(self) -> None:
        """Begins a life. The process stays in this one's group, so that Ctrl-C in a terminal ends it too."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environ, cwd=ROOT
            )

    async def ready(self, timeout_s: float = 30.0) -> float:
        """Waits until the daemon says so; returns the seconds that took. Raises ChildError where it ends."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            if self.code is not None:
                raise self.error(f"the daemon exited with {self.code} while starting")
            if self._says_ready():
                return time.monotonic() - began
            await asyncio.sleep(LOOK_EVERY_S)
        raise self.error(f"the daemon was not ready within {timeout_s:g} s")

    def _says_ready(self) -> bool:
        """Whether this life, and not one before it, has written that it is ready."""
        try:
            facts = json.loads((self.data / "run" / "daemon.json").read_bytes())
        except (OSError, ValueError):
            return False
        return bool(facts["pid"] == self.pid)

    def kill(self) -> None:
        """SIGKILL, and waits until the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def stop(self, timeout_s: float = 90.0) -> int:
        """SIGTERM, and waits for the drain; returns the exit code. Raises ChildError where it does not end."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.ended(timeout_s)

    async def ended(self, timeout_s: float = 90.0) -> int:
        """Waits for the process to end by itself; returns its exit code."""
        assert self._process is not None
        end = time.monotonic() + timeout_s
        while (code := self._process.poll()) is None:
            if time.monotonic() > end:
                self.kill()
                raise self.error(f"the daemon did not end within {timeout_s:g} s and was killed")
            await asyncio.sleep(LOOK_EVERY_S)
        return code

    def error(self, text: str) -> ChildError:
        """An error with the end of the log."""
        return ChildError(f"{text}; {self.log} ends:\n{self.said()[-LOG_TAIL:]}")

    def said(self) -> str:
        """All that the daemon printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


async def until(condition: Callable[[], bool], timeout_s: float, what: str, every_s: float = LOOK_EVERY_S) -> None:
    """Waits for something to become true; raises TimeoutError naming it."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        await asyncio.sleep(every_s)
