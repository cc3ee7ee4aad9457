"""The NATS server is transport: killed, it comes back with what was acknowledged; wiped, the journal fills it again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

from adapters.child import until
from tests.crash.world import World


async def test_a_killed_nats_server_is_restarted_and_nothing_is_lost(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.load(signals=3, asks=30)
        killed = world.nats_pid
        world.kill_nats()
        await until(lambda: world.nats_pid not in (None, killed), 10, "another NATS server")
        world.load(signals=3, asks=30)
        found = await world.settled()
        assert found.problems == []
        assert len(world.outside.signals) == 6
        assert await world.unpublished() == set()
        assert await world.daemon.stop() == 0


async def test_a_wiped_stream_store_is_filled_again_from_the_journal(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.load(signals=3, asks=30)
        await world.settled()
        assert await world.daemon.stop() == 0
        shutil.rmtree(world.data / "nats" / "jetstream")
        await world.restart()
        world.load(signals=1, asks=5)
        found = await world.settled()
        assert found.problems == []
        assert await world.unpublished() == set()


async def test_a_stream_store_wiped_after_a_kill_is_filled_again_from_the_journal(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.load(signals=3, asks=30)
        await world.settled()
        world.daemon.kill()
        shutil.rmtree(world.data / "nats" / "jetstream")
        await world.restart()
        found = await world.settled()
        assert found.problems == []
        assert await world.unpublished() == set()


async def test_a_stream_store_wiped_under_a_running_daemon_is_made_and_filled_again(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.load(signals=3, asks=30)
        await world.settled()
        daemon, nats = world.daemon.pid, world.nats_pid
        assert daemon is not None
        os.kill(daemon, signal.SIGSTOP)
        world.kill_nats()
        await until(lambda: not _is_server(nats), 10, "the NATS server dead")
        shutil.rmtree(world.data / "nats" / "jetstream")
        os.kill(daemon, signal.SIGCONT)
        world.load(signals=2, asks=10)
        found = await world.settled()
        assert found.problems == []
        assert len(world.outside.signals) == 5
        assert await world.unpublished() == set()


async def test_a_nats_server_killed_again_and_again_keeps_its_store_and_the_daemon_its_drain(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        for pause in range(8):
            world.load(signals=2, asks=40)
            world.kill_nats()
            await asyncio.sleep(0.01 * pause)
            world.kill_nats()
        found = await world.settled()
        assert found.problems == []
        assert await world.unpublished() == set()
        assert not list((world.data / "nats").glob("jetstream.broken-*"))
        world.kill_nats()
        assert await world.daemon.stop() == 0


async def test_no_nats_server_outlives_a_killed_daemon(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        pid = world.nats_pid
        assert pid is not None
        world.daemon.kill()
        await until(lambda: not _is_server(pid), 10, "the NATS server gone")


def _is_server(pid: int | None) -> bool:
    try:
        return b"nats-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
