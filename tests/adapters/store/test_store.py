"""The store against what happens to files and processes: locks, damage, full disks, kills in the middle of a commit."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from actors.journal import JournalFailed
from adapters.store.connect import FILE
from adapters.store.errors import StoreCorrupt, StoreLocked, StoreUnreadable
from adapters.store.lock import FolderLock
from adapters.store.reader import Reader
from adapters.store.rows import rows
from adapters.store.schema import VERSION
from adapters.store.side import AuditRow, WorkflowSubscription
from adapters.store.store import Store
from adapters.store.verify import verify
from tests.adapters.store.lives import START, answer, batch, done, order, resumed, started, ticket

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]


def altered(folder: Path, *statements: str) -> None:
    """Changes a closed store behind its back."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def made(folder: Path, batches: int = 3, partition: int = 0) -> None:
    """A store with some batches in it, closed again."""
    async with Store(folder, partition) as store:
        for sequence in range(1, batches + 1):
            await store.commit([batch(sequence)])


# one process at a time


async def test_a_second_daemon_on_a_folder_is_told_whose_it_is(tmp_path: Path) -> None:
    async with Store(tmp_path):
        with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
            await Store(tmp_path).start()
    async with Store(tmp_path):
        pass


async def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from adapters.store.lock import FolderLock
lock = FolderLock(Path({str(tmp_path)!r})).acquire()
print("locked", flush=True)
sys.stdin.read()
"""
    async with await anyio.open_process([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert await BufferedByteReceiveStream(other.stdout).receive_until(b"\n", 80) == b"locked"
        with pytest.raises(StoreLocked, match=f"process {other.pid};"):
            await Store(tmp_path).start()
        other.kill()
        await other.wait()
    FolderLock(tmp_path).acquire().release()


async def test_a_store_that_cannot_be_opened_keeps_no_lock(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            await Store(tmp_path).start()


# files that are not what they should be


async def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(os.urandom(8192))
    with pytest.raises(StoreCorrupt, match="not a database"):
        await Store(tmp_path).start()


async def test_a_damaged_page_is_found_when_it_is_read(tmp_path: Path) -> None:
    await made(tmp_path, batches=200)
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match="backup"):
        await Store(tmp_path).start()


async def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    altered(tmp_path, "CREATE TABLE other(x)")
    with pytest.raises(StoreUnreadable, match="not a store of tradewright"):
        await Store(tmp_path).start()


@pytest.mark.parametrize(("version", "text"), [(VERSION + 1, "made by a later"), (VERSION - 1, "reads only")])
async def test_a_store_of_another_version_is_refused_and_says_which(tmp_path: Path, version: int, text: str) -> None:
    await made(tmp_path)
    altered(tmp_path, f"PRAGMA user_version = {version}")
    with pytest.raises(StoreUnreadable, match=text):
        await Store(tmp_path).start()
    with pytest.raises(StoreUnreadable, match=text):
        await Reader.open(tmp_path)


async def test_the_store_of_another_partition_is_refused(tmp_path: Path) -> None:
    await made(tmp_path, partition=1)
    with pytest.raises(StoreUnreadable, match="of partition 1, not of 0"):
        await Store(tmp_path, 0).start()


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="No such file"):
        await Store(tmp_path / "none").start()


async def test_a_file_that_may_not_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreUnreadable, match="unable to open"):
        await Store(tmp_path).start()


async def test_a_changed_last_entry_is_found_at_the_start(tmp_path: Path) -> None:
    await made(tmp_path, batches=50)
    altered(tmp_path, "UPDATE journal SET at = '2030-01-01T00:00:00+00:00' WHERE seq = 49")
    with pytest.raises(StoreCorrupt, match="entry 49"):
        await Store(tmp_path).start()


# commits that fail


async def test_a_full_disk_fails_the_commit_whole_and_the_store_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.start()
    try:
        assert store._writer is not None
        await store.commit([started(1, ticket(1))])
        pages = await store._writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await store._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        large: Any = {(f"order/{each.order_id}", ""): order(each) for each in map(ticket, range(2, 500))}
        with pytest.raises(JournalFailed, match="disk is full"):
            await store.commit([batch(2, states=large), batch(3)])
        with pytest.raises(JournalFailed, match="disk is full"):
            await store.commit([batch(2)])
        assert "disk is full" in repr(store)
    finally:
        await store.close()
    async with Store(tmp_path) as again:
        start = await again.start()
        assert (start.sequence, len(start.restless)) == (1, 1)
        await again.commit([batch(2)])


async def test_a_failed_checkpoint_stops_the_store_too(tmp_path: Path) -> None:
    store = Store(tmp_path, checkpoint_bytes=1)
    await store.start()
    try:
        await store.commit([batch(1)])
        await store._checkpointer.stop()
        store._checkpointer.failed = sqlite3.OperationalError("disk I/O error")
        with pytest.raises(JournalFailed, match="disk I/O error"):
            await store.commit([batch(2)])
    finally:
        await store.close()


async def test_a_store_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(JournalFailed, match="not open"):
        await store.commit([batch(1)])
    await store.close()


async def test_a_process_that_stops_without_closing_its_store_ends(tmp_path: Path) -> None:
    code = f"""
import asyncio
from pathlib import Path
from adapters.store.store import Store

kept = Store(Path({str(tmp_path)!r}))

async def main():
    await kept.start()
    raise SystemExit(3)

asyncio.run(main())
"""
    with anyio.fail_after(20):
        ended = await anyio.run_process([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=False)
    assert ended.returncode == 3


# kills


WRITER = """
import asyncio, sys
from pathlib import Path
from adapters.store.store import Store
from tests.adapters.store.lives import done, started, ticket

async def main():
    store = Store(Path(sys.argv[1]), checkpoint_bytes=20_000)
    sequence = (await store.start()).sequence
    while True:
        of = ticket(sequence + 1)
        await store.commit([started(sequence + 1, of), done(sequence + 2, of)])
        sequence += 2
        print(sequence, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kills_in_the_middle_of_commits(tmp_path: Path) -> None:
    acknowledged = 0
    for kills in range(1, 4):
        async with await anyio.open_process([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT) as writer:
            assert writer.stdout is not None
            said = b""
            async for piece in writer.stdout:
                said += piece
                if said.count(b"\n") >= 20 * kills:
                    writer.send_signal(signal.SIGKILL)
            acknowledged = int(said[: said.rindex(b"\n")].split()[-1])
        async with Store(tmp_path) as store:
            start = await store.start()
            # At most the one commit that was under way can have come through unacknowledged.
            assert start.sequence in (acknowledged, acknowledged + 2)
            assert start.restless == {}
            entries = [entry.sequence async for entry in store.entries(0)]
            assert entries == list(range(1, start.sequence + 1))
            keys = [("alice", f"s-{number}") for number in range(1, start.sequence, 2)]
            assert len((await store.load([], keys)).priors) == len(keys)
        found = verify(tmp_path, lambda address, parts, event: parts)
        assert [problem for problem in found.problems if "hash" in problem or "page" in problem] == []


# beside the commits


async def test_the_log_is_moved_and_begun_again_while_commits_go_on(tmp_path: Path) -> None:
    async with Store(tmp_path, checkpoint_bytes=50_000) as store:
        log = tmp_path / (FILE + "-wal")
        for sequence in range(1, 400):
            await store.commit([started(sequence, ticket(sequence))])
            await anyio.lowlevel.checkpoint()
        await store._checkpointer.stop()
        # 400 commits of some ten pages each were 30 MB, had the log not been begun again.
        assert log.stat().st_size < 8_000_000
        assert (tmp_path / FILE).stat().st_size > 400_000
    assert not log.exists()


async def test_commits_and_loads_may_be_asked_for_at_the_same_time(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        async with anyio.create_task_group() as tasks:
            for sequence in range(1, 30):
                tasks.start_soon(store.commit, [started(sequence, ticket(sequence))])
                tasks.start_soon(store.load, [f"order/{ticket(sequence).order_id}"], [])
        assert len((await store.start()).restless) == 29


async def test_old_keys_go_a_few_at_a_time_and_not_while_their_order_is_open(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        tickets = [ticket(number) for number in range(1, 21)]
        for number, of in enumerate(tickets):
            await store.commit([started(number + 1, of)])
        for number, of in enumerate(tickets[:15]):
            await store.commit([done(number + 21, of)])
        recent = batch(40, keys={("bob", "new"): answer(ticket(99))})
        recent.at = START + timedelta(days=30)
        await store.commit([recent])
        before = START + timedelta(days=1)
        # 21 keys, of which at most seven are looked at in a call; the fourth begins again.
        removed = [await store.purge(before, 7) for _ in range(4)]
        assert sum(removed) == 15
        assert max(removed) <= 7
        left = await store.load([], [("alice", of.signal_id) for of in tickets] + [("bob", "new")])
        assert set(left.priors) == {("bob", "new")} | {("alice", of.signal_id) for of in tickets[15:]}
        assert await store.purge(before, 1000) == 0
        for number, of in enumerate(tickets[15:]):
            await store.commit([done(number + 41, of)])
        assert await store.purge(before, 1000) == 5


async def test_audit_rows_are_written_in_bulk_under_ids_that_grow(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        rows_ = [AuditRow(f"0:1:{at}", "execution/order_update", "AAPL.x", "delivered", 1.5, at) for at in range(300)]
        await store.audit(rows_, START)
        await store.audit([AuditRow("0:2:0", "execution/order_update", "AAPL.x", "failed")], START)
        await store.audit([], START)
        async with await Reader.open(tmp_path) as reader:
            found = await reader.rows("distribution_audit", 1000)
    assert [row["event_id"] for row in reversed(found)] == [*(row.event_id for row in rows_), "0:2:0"]
    assert found[0] | {"id": ""} == {
        "id": "",
        "event_id": "0:2:0",
        "topic_name": "execution/order_update",
        "routing_key": "AAPL.x",
        "delivery_status": "failed",
        "delivery_time_ms": None,
        "retry_count": 0,
        "created_at": "2026-01-05T14:30:00.000000+00:00",
    }
    assert (found[1]["delivery_time_ms"], found[1]["retry_count"]) == (1.5, 299)
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)


async def test_an_audit_row_that_is_too_long_is_refused_and_harms_nothing_else(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        with pytest.raises(StoreUnreadable, match="length"):
            await store.audit([AuditRow("e" * 101, "t", "r", "s")], START)
        await store.commit([batch(1)])


async def test_a_workflow_subscription_is_known_by_its_name(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.subscribe(WorkflowSubscription("w-1", "execution/order_update", "risk", '{"symbol":"AAPL"}'), START)
        await store.subscribe(WorkflowSubscription("w-2", "execution/order_update", "risk"), START)
        await store.subscribe(WorkflowSubscription("w-1", "execution/tca_result", "risk", status="paused"), START)
        async with await Reader.open(tmp_path) as reader:
            found = await reader.rows("execution_subscriptions")
    assert [(row["subscription_id"], row["topic_name"], row["status"]) for row in found] == [
        ("w-2", "execution/order_update", "active"),
        ("w-1", "execution/tca_result", "paused"),
    ]


# what the rest stands on


def test_states_are_encoded_when_rows_are_made_and_not_later() -> None:
    """The next batch runs while this one is written, so nothing of it may be read again by then."""
    of = batch(1, [("desk/main", resumed(1))], {("order/x", ""): order(ticket(1))})
    (row,) = rows([of])
    of.events.clear()
    of.states.clear()
    assert row.body is not None
    assert row.opened is not None


def test_times_are_written_in_one_length_and_zone() -> None:
    of = batch(1)
    of.at = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)
    assert rows([of])[0].at == "2026-01-05T15:30:00.000000+00:00"
