"""The daemon as a process: what it leaves in its folder, how it is asked, how it ends, what it will not start on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from adapters.admin.client import AnswerError
from adapters.child import COMMAND, Daemon
from tests.adapters.admin.living import alive, client, command, configured, environ, living, servers, trade, until

pytestmark = pytest.mark.anyio
LIMIT = {"order_type": "LIMIT", "limit_price": "140", "quantity": "5"}


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def refused(daemon: Daemon, method: str, **params: Any) -> tuple[str, str]:
    """Code and text of a refusal."""
    with client(daemon) as asking, pytest.raises(AnswerError) as caught:
        asking.call(method, **params)
    return caught.value.code, str(caught.value)


async def test_a_daemon_is_found_by_its_folder_drains_on_sigterm_and_leaves_nothing(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        facts = json.loads((tmp_path / "data/run/daemon.json").read_bytes())
        assert facts["pid"] == daemon.pid
        assert mode(tmp_path / "data/run/daemon.json") == mode(tmp_path / "data/run/nats.json") == 0o600
        ready = [line for line in daemon.said().splitlines() if line.startswith("tradewright ready: ")]
        assert len(ready) == 1
        metrics = f"http://127.0.0.1:{facts['metrics_port']}/metrics"
        for found in (facts["nats"], facts["admin_socket"], metrics):
            assert found in ready[0]
        served = await asyncio.to_thread(lambda: urllib.request.urlopen(metrics, timeout=5).read())
        assert b"tradewright_venue_up" in served
        assert await daemon.stop() == 0
    assert sorted(path.name for path in (tmp_path / "data/run").iterdir()) == ["nats.json"]


async def test_what_the_socket_shows_and_does(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        assert (await trade(daemon))["status"] == "ACCEPTED"
        resting = (await trade(daemon, **LIMIT))["orders"][0]
        with client(daemon) as asking:
            await until(lambda: asking.call("status")["closed_orders"] == {"FILLED": 1})
            await until(lambda: asking.call("status")["open_orders"] == {"WORKING": 1})
            assert asking.call("status")["state"] == "RUNNING"
            assert asking.call("health")["status"] == "ok"
            assert [row["order_id"] for row in asking.call("orders", open=True)] == [resting]
            (position,) = asking.call("positions", subscriber="alice")
            assert (position["quantity"], position["average_price"], position["market_price"]) == ("10", "150", "150")
            assert asking.call("subscriber", subscriber="alice")["limits"]["max_order_quantity"] == "100"
            assert [row["subscriber_id"] for row in asking.call("subscribers")] == ["alice"]
            assert asking.call("actor", address=f"order/{resting}")["state"][""]["status"] == "WORKING"
            assert asking.call("order", order_id=resting)["limit_price"] == "140"
            assert asking.call("trades", order_id=resting) == []
            assert asking.call("decisions", limit=1)[0]["decision"]["type"] == "RequestAccepted"
            assert asking.call("metrics")["fills"] == 1
            assert asking.call("journal", last=2)[-1]["events"]
            assert asking.call("dead_letters") == []
            assert {row["kind"] for row in asking.call("actors")} >= {"order", "subscriber", "venue"}

            subscription = asking.call("tail", types="CancelRequested,OrderClosed")["subscription"]
            followed = asking.call("journal", after=0, follow=True)["subscription"]
            assert asking.call("cancel", order_id=resting, reason="typo")["status"] == "PENDING_CANCEL"
            seen: list[str] = []
            sequences: list[int] = []
            for message in asking.notifications():
                if message["params"]["subscription"] == subscription:
                    seen.append(message["params"]["event"]["type"])
                elif message["params"]["subscription"] == followed:
                    sequences.append(message["params"]["sequence"])
                if seen == ["CancelRequested", "OrderClosed"] and len(sequences) > 5:
                    break
            assert sequences == sorted(set(sequences))
            assert "typo (" in str(asking.call("journal", last=500))
        assert refused(daemon, "cancel", order_id=resting)[0] == "ORDER_CLOSED"
        assert refused(daemon, "cancel", order_id="paper-00000000-0000-8001-8abc-0123456789ab")[0] == "NOT_FOUND"
        assert refused(daemon, "cancel", order_id="x")[0] == "INVALID_PARAMS"
        assert refused(daemon, "subscriber", subscriber="nobody")[0] == "NOT_FOUND"
        assert refused(daemon, "replay", letter_id="1-1")[0] == "UNKNOWN_LETTER"


async def test_a_kill_outlives_the_daemon_and_names_who_did_it(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        await trade(daemon, **LIMIT)
        with client(daemon) as asking:
            assert asking.call("kill", reason="bad feed")["state"] == "KILLED"
            await until(lambda: asking.call("status")["closed_orders"] == {"CANCELED": 1})
        daemon.kill()
        await until(lambda: not servers(tmp_path / "data"))
        daemon.start()
        await daemon.ready()
        with client(daemon) as asking:
            killed = asking.call("status")["killed"]
            assert killed["reason"] == "bad feed"
            assert killed["by"]
            assert (await trade(daemon))["code"] == "KILLED"
            assert refused(daemon, "resume", reason=" ")[0] == "MISSING_REASON"
            asking.call("resume", reason="fixed")
            assert asking.call("pause", venue="paper", reason="test")["status"] == "PAUSED"
            assert asking.call("status")["venues"][0]["state"] == "PAUSED"
            asking.call("activate", venue="paper")
            asking.call("pause", subscriber="alice", reason="holiday")
            assert (await trade(daemon))["code"] == "SUBSCRIBER_PAUSED"
        assert refused(daemon, "pause")[0] == "INVALID_PARAMS"
        assert refused(daemon, "pause", subscriber="nobody")[0] == "UNKNOWN_SUBSCRIBER"


async def test_cancel_all_takes_what_was_chosen(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        for _ in range(3):
            await trade(daemon, **LIMIT)
        with client(daemon) as asking:
            assert asking.call("cancel_all", symbol="MSFT")["found"] == 0
            assert asking.call("cancel_all", subscriber="alice")["cancelling"] == 3
            await until(lambda: asking.call("status")["closed_orders"] == {"CANCELED": 3})


async def test_reload_takes_limits_and_lists_or_nothing(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        with client(daemon) as asking:
            configured(tmp_path, **{'"100"': '"7"'})
            assert asking.call("reload", dry_run=True)["applied"] is False
            assert (await trade(daemon))["status"] == "ACCEPTED"
            assert asking.call("reload")["changes"] == [
                {"key": "limits.max_order_quantity", "before": "100", "after": "7"}
            ]
            assert (await trade(daemon))["status"] == "DENIED"
            configured(tmp_path, **{'"0.01"': '"0.05"'})
            assert refused(daemon, "reload")[0] == "RESTART_NEEDED"
            configured(tmp_path, **{'"100"': '"-1"'})
            assert refused(daemon, "reload")[0] == "BAD_CONFIG"
            assert (await trade(daemon))["status"] == "DENIED"


async def test_a_backup_is_whole_and_never_written_over_anything(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        await trade(daemon)
        target = tmp_path / "copy" / "store.sqlite"
        assert refused(daemon, "backup", path=str(target))[0] == "INVALID_PARAMS"
        target.parent.mkdir()
        with client(daemon) as asking:
            made = asking.call("backup", path=str(target))
            assert made["sequence"] > 0
            assert made["size_bytes"] == target.stat().st_size
            assert refused(daemon, "backup", path=str(target))[0] == "UNAVAILABLE"
            assert asking.call("log_level", level="debug")["before"] == "info"
    verified = command(tmp_path, "verify")
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (0, "sound")


async def test_drain_over_the_socket_ends_the_daemon_with_0(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        with client(daemon) as asking:
            assert asking.call("drain") == {"state": "DRAINING"}
        assert await daemon.ended() == 0


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        (server,) = servers(tmp_path / "data")
        assert daemon.pid is not None
        # A server that does not answer: the drain would wait for it.
        os.kill(server, signal.SIGSTOP)
        await trade_unanswered(daemon)
        os.kill(daemon.pid, signal.SIGINT)
        await until(lambda: "Draining" in daemon.said())
        os.kill(daemon.pid, signal.SIGINT)
        try:
            assert await daemon.ended(5) == 130
        finally:
            if alive(server):
                os.kill(server, signal.SIGCONT)


async def trade_unanswered(daemon: Daemon) -> None:
    """Has something to be published that cannot be."""
    with client(daemon) as asking:
        asking.call("kill", reason="to have an event")


async def test_no_server_is_left_when_the_daemon_is_killed(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        assert servers(tmp_path / "data")
        daemon.kill()
        await until(lambda: not servers(tmp_path / "data"))


async def test_a_second_daemon_on_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        found = await asyncio.to_thread(command, tmp_path, "run")
        assert (found.returncode, found.stderr.count("\n")) == (1, 1)
        assert f"in use by process {daemon.pid}" in found.stderr
        with client(daemon) as asking:
            assert asking.call("status")["state"] == "RUNNING"


def _taken(folder: Path) -> dict[str, str]:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    _HELD.append(held)
    return {"port = 0": f"port = {held.getsockname()[1]}"}


def _metrics_taken(folder: Path) -> dict[str, str]:
    port = _taken(folder)["port = 0"]
    return {"[log]": f"[metrics]\n{port}\n[log]"}


def _corrupt(folder: Path) -> dict[str, str]:
    (folder / "data").mkdir()
    (folder / "data" / "store.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    return {}


def _data_is_a_file(folder: Path) -> dict[str, str]:
    (folder / "data").write_text("precious")
    return {}


def _open_socket_folder(folder: Path) -> dict[str, str]:
    (folder / "open").mkdir(mode=0o755)
    return {"[log]": f'[admin]\nsocket = "{folder}/open/admin.sock"\n[log]'}


def _bad_value(folder: Path) -> dict[str, str]:
    return {'"0.01"': '"cheap"'}


_HELD: list[socket.socket] = []


@pytest.mark.parametrize(
    ("prepare", "code", "said"),
    [
        (_taken, 1, "is in use by another process"),
        (_metrics_taken, 1, "metrics.port: port"),
        (_corrupt, 1, "store.sqlite"),
        (_data_is_a_file, 1, "cannot be used"),
        (_open_socket_folder, 1, "others may enter"),
        (_bad_value, 2, 'exchanges.XNAS.tick_size: found "cheap"'),
    ],
)
async def test_what_is_in_the_way_is_said_in_a_sentence(tmp_path: Path, prepare: Any, code: int, said: str) -> None:
    configured(tmp_path, **prepare(tmp_path))
    try:
        found = await asyncio.to_thread(command, tmp_path, "run")
    finally:
        while _HELD:
            _HELD.pop().close()
    assert found.returncode == code
    lines = [line for line in found.stderr.splitlines() if not line.startswith("{")]
    assert said in "\n".join(lines)
    assert "Traceback" not in found.stderr
    assert lines[0].startswith("tradewright: ")
    await until(lambda: not servers(tmp_path / "data"))


async def test_a_disk_that_fails_ends_the_daemon_at_once(tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk: the next write of the store fails."""
    configured(tmp_path)
    shell = ("sh", "-c", 'ulimit -f 400; trap "" XFSZ; exec "$0" "$@"')
    daemon = Daemon(tmp_path / "config.toml", tmp_path / "data", (*shell, *COMMAND), environ())
    daemon.start()
    try:
        await daemon.ready()
        with client(daemon) as asking:
            for number in range(400):
                try:
                    asking.call("kill" if number % 2 else "resume", reason="x" * 500)
                except Exception:  # noqa: BLE001 - it ended: that is what is waited for
                    break
        assert await daemon.ended(15) == 1
        assert "the store failed, and only what is on disk counts" in daemon.said()
    finally:
        daemon.kill()
    await until(lambda: not servers(tmp_path / "data"))
