"""Both journals, on disk and in memory, keep the same contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.journal import JournalFailed
from actors.memory import RESTLESS, MemoryJournal
from actors.registry import KINDS
from adapters.store.store import Store
from tests.adapters.store.contract import JournalContract, Restart
from tests.adapters.store.lives import batch


class TestStore(JournalContract):
    """The journal on disk."""

    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Any]:
        self.store = Store(tmp_path)
        yield self.store
        await self.store.close()

    @pytest.fixture
    def restart(self, tmp_path: Path) -> Restart:
        async def again() -> Store:
            await self.store.close()
            self.store = Store(tmp_path)
            return self.store

        return again


class TestMemory(JournalContract):
    """The journal in memory."""

    @pytest.fixture
    def journal(self) -> Any:
        self.memory = MemoryJournal()
        return self.memory

    @pytest.fixture
    def restart(self) -> Restart:
        async def again() -> MemoryJournal:
            self.memory.crash()
            return self.memory

        return again


@pytest.mark.anyio
class TestMemoryFaults:
    """What the journal in memory can be told to do."""

    async def test_a_crash_loses_a_commit_that_is_under_way(self) -> None:
        journal = MemoryJournal()
        await journal.start()
        commit = journal.commit([batch(1)])
        commit.send(None)
        journal.crash()
        assert journal.start_now().sequence == 0
        with pytest.raises(JournalFailed):
            commit.send(None)
        assert journal.start_now().sequence == 0

    @pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 1)])
    async def test_a_commit_fails_on_request_with_or_without_its_effect(self, when: Any, kept: int) -> None:
        journal = MemoryJournal()
        journal.start_now()
        journal.fail_next(when)
        with pytest.raises(JournalFailed):
            journal.commit_now([batch(1)])
        with pytest.raises(JournalFailed):
            journal.load_now([], [])
        assert journal.start_now().sequence == kept == len(journal.batches)


def test_every_kind_that_waits_for_something_is_loaded_at_the_start() -> None:
    waiting = {kind for kind, actor in KINDS.items() if actor.resident or actor.timed}
    assert waiting == {*RESTLESS, "order"}
