"""A disk that takes no more ends the daemon with a sentence; what was acknowledged before is there at the restart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.child import COMMAND, Daemon
from tests.crash.world import World, hooked


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting is not permitted here; the limit on file sizes is tested in its place")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_file_that_may_grow_no_more_ends_the_daemon_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    async with World(tmp_path, command=hooked("disk_full")) as world:
        world.arm()
        await _load_until_it_ends(world)
        assert world.daemon.code == 1
        assert "disk" in world.daemon.said()
        await world.restart()
        found = await world.settled()
        assert found.problems == []
        assert found.decisions > 0


async def test_a_full_disk_ends_the_daemon_and_nothing_acknowledged_is_lost(small_disk: Path) -> None:
    async with World(small_disk) as world:
        await _load_until_it_ends(world)
        assert world.daemon.code == 1
        assert "disk" in world.daemon.said()
        _remount(small_disk)
        await world.restart()
        found = await world.settled()
        assert found.problems == []
        assert found.decisions > 0


async def _load_until_it_ends(world: World) -> None:
    for _ in range(400):
        if world.daemon.code is not None:
            return
        world.load(signals=4, asks=4)
        await world.taken()
    raise AssertionError(f"the disk never filled: {world.daemon.said()[-500:]}")


async def test_a_second_daemon_on_the_same_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        second = Daemon(world.config, world.data, COMMAND)
        second.log = tmp_path / "second.log"
        second.start()
        assert await second.ended() == 1
        assert "in use by process" in second.said()
        world.load(signals=1, asks=3)
        assert (await world.settled()).problems == []


def _remount(folder: Path) -> None:
    """The disk has room again."""
    subprocess.run(["mount", "-o", "remount,size=256m", str(folder)], check=True)
