"""A backup is of one moment, whole, and made while the store is written to."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from adapters.store import backup as backup_
from adapters.store.backup import backup
from adapters.store.connect import FILE
from adapters.store.errors import StoreCorrupt, StoreError, StoreUnreadable
from adapters.store.store import Store
from tests.adapters.store.lives import batch, done, started, ticket
from tests.adapters.store.test_store import altered

pytestmark = pytest.mark.anyio


async def test_a_copy_made_while_commits_go_on_is_of_one_moment(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        for sequence in range(1, 200, 2):
            await store.commit([started(sequence, ticket(sequence)), done(sequence + 1, ticket(sequence))])
        copied: list[backup_.Backup] = []
        finished = anyio.Event()

        async def copy() -> None:
            copied.append(await backup(tmp_path, tmp_path / "copy" / FILE, pages=2))
            finished.set()

        (tmp_path / "copy").mkdir()
        sequence = 201
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(copy)
            while not finished.is_set():
                await store.commit([started(sequence, ticket(sequence)), done(sequence + 1, ticket(sequence))])
                sequence += 2
    (found,) = copied
    assert sequence > 205
    assert 200 <= found.sequence < sequence
    async with Store(tmp_path / "copy") as again:
        start = await again.start()
        assert (start.sequence, start.restless) == (found.sequence, {})
        assert len([entry async for entry in again.entries(0)]) == found.sequence
        await again.commit([batch(found.sequence + 1)])


async def test_a_backup_never_writes_over_a_file(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.commit([batch(1)])
        target = tmp_path / "copy.sqlite"
        target.write_text("precious")
        with pytest.raises(StoreError, match="exists already"):
            await backup(tmp_path, target)
        assert target.read_text() == "precious"


async def test_a_copy_whose_chain_is_broken_is_no_backup(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.commit([batch(sequence) for sequence in range(1, 100)])
    altered(tmp_path, "UPDATE journal SET body = body || x'00' WHERE seq = 7")
    with pytest.raises(StoreCorrupt, match="entry 7"):
        await backup(tmp_path, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


async def test_there_is_nothing_to_copy_where_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable):
        await backup(tmp_path, tmp_path / "copy.sqlite")


async def test_a_copy_of_an_empty_store_says_so(tmp_path: Path) -> None:
    async with Store(tmp_path):
        found = await backup(tmp_path, tmp_path / "copy.sqlite")
    assert (found.sequence, found.at, found.size_bytes > 0) == (0, None, True)
