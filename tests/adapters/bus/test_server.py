"""The embedded server lives exactly as long as the daemon, and clients may do no more than they should."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.bus.frames import PublishBuffer, header_block
from adapters.bus.port import PortInUseError
from adapters.bus.server import EmbeddedServer, StoreInUseError
from adapters.bus.streams import ensure, last_sequence, plans, state
from adapters.bus.wire import Wire, WireError

pytestmark = pytest.mark.anyio

Eventually = Callable[..., Any]

DAEMON = """
import asyncio, sys
from pathlib import Path
from adapters.bus.server import EmbeddedServer

async def main():
    server = EmbeddedServer(Path(sys.argv[1]), on_event=lambda event, **fields: None, port=0)
    await server.start()
    print(server.pid, server.port, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_killed_server_returns_on_its_port_with_its_passwords(
    server: EmbeddedServer, wire: Wire, events: list[tuple[str, dict[str, object]]], eventually: Eventually
) -> None:
    got: list[bytes] = []
    lost: list[bool] = []
    wire.watch(on_disconnect=lambda: lost.append(True))
    await wire.listen("exec.market.>", lambda subject, reply, headers, payload: got.append(payload))
    url, pid = server.url, server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: lost and wire.connected)
    assert server.url == url
    assert server.pid not in (None, pid)
    assert [name for name, _ in events] == ["nats_server_started", "nats_server_died", "nats_server_restarted"]
    frame = PublishBuffer()
    frame.pub(b"exec.market.quote.XNAS.AAPL", b"again")
    assert wire.publish(frame)
    await eventually(lambda: got == [b"again"])


async def test_the_server_dies_with_a_daemon_that_is_killed(tmp_path: Path, eventually: Eventually) -> None:
    root = Path(__file__).parents[3]
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DAEMON, str(tmp_path), cwd=root, stdout=subprocess.PIPE
    )
    assert daemon.stdout is not None
    pid, port = map(int, (await daemon.stdout.readline()).split())
    assert alive(pid)
    daemon.kill()
    await daemon.wait()
    await eventually(lambda: not alive(pid))
    again = EmbeddedServer(tmp_path, on_event=lambda event, **fields: None, port=port)
    await again.start()  # The port is free, and so is the store.
    await again.stop()


async def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = EmbeddedServer(tmp_path, on_event=lambda event, **fields: None, port=port)
        with pytest.raises(PortInUseError, match=f"port {port} on 127.0.0.1 is in use"):
            await server.start()
        assert server.pid is None


async def test_two_servers_do_not_share_a_store(server: EmbeddedServer, tmp_path: Path) -> None:
    second = EmbeddedServer(tmp_path, on_event=lambda event, **fields: None, port=0, start_timeout_s=0.2)
    with pytest.raises(StoreInUseError, match="still running"):
        await second.start()


async def test_the_files_with_passwords_are_for_the_owner_only(server: EmbeddedServer, tmp_path: Path) -> None:
    endpoints = tmp_path / "run" / "nats.json"
    assert json.loads(endpoints.read_text()) == {"url": server.url, "client_url": server.client_url}
    assert server.url != server.client_url
    for path, mode in ((endpoints, 0o600), (tmp_path / "nats" / "server.conf", 0o600), (tmp_path / "run", 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path


async def test_passwords_survive_a_restart_of_the_daemon(server: EmbeddedServer, tmp_path: Path) -> None:
    before = server.client_url.rpartition("@")[0]
    await server.stop()
    again = EmbeddedServer(tmp_path, on_event=lambda event, **fields: None, port=0)
    await again.start()
    assert again.client_url.rpartition("@")[0] == before
    await again.stop()


async def test_nobody_enters_without_a_password(server: EmbeddedServer) -> None:
    stranger = Wire(f"nats://127.0.0.1:{server.port}", name="stranger", on_error=lambda error: None)
    with pytest.raises(WireError, match=r"(?i)authorization"):
        await stranger.connect(timeout_s=0.5)


@pytest.mark.parametrize("subject", ["exec.out.job.alice", "exec.mailbox.order.x", "$JS.API.STREAM.PURGE.EXEC_IN"])
async def test_a_client_may_not_publish_elsewhere(
    client: Wire, client_errors: list[Exception], eventually: Eventually, subject: str
) -> None:
    frame = PublishBuffer()
    frame.pub(subject.encode(), b"")
    client.publish(frame)
    await eventually(lambda: client_errors)
    assert "permissions violation" in str(client_errors[0])
    assert client.connected


@pytest.mark.parametrize("subject", ["exec.in.>", "exec.mailbox.>", "_ENGINE.>", ">", "exec.dead.>"])
async def test_a_client_may_not_listen_elsewhere(
    client: Wire, client_errors: list[Exception], eventually: Eventually, subject: str
) -> None:
    await client.listen(subject, lambda *message: None)
    await eventually(lambda: client_errors)
    assert "permissions violation" in str(client_errors[0])


async def test_a_client_may_ask_and_gets_its_stream_acknowledgement(wire: Wire, client: Wire) -> None:
    await ensure(wire, plans())

    def answer(subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        frame = PublishBuffer()
        frame.pub(reply, b"yes " + payload)
        wire.publish(frame)

    await wire.listen("exec.ask.>", answer)
    await wire.request("$JS.API.INFO")  # The subscription has arrived when this is answered.
    assert await client.request("exec.ask.request.alice", b"please") == b"yes please"
    assert json.loads(await client.request("exec.in.request.alice", b"{}")) == {"stream": "EXEC_IN", "seq": 1}


@pytest.mark.parametrize("target", ["DELETE", "PURGE"])
@pytest.mark.parametrize("batch", [(), (("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"))])
async def test_a_client_cannot_make_the_server_act_through_a_reply_subject(
    wire: Wire, client: Wire, target: str, batch: tuple[tuple[str, str], ...]
) -> None:
    await ensure(wire, plans())
    await client.request("exec.in.request.alice", b"{}")
    frame = PublishBuffer()
    frame.hpub(b"exec.in.request.alice", header_block(batch), b"{}", reply=f"$JS.API.STREAM.{target}.EXEC_IN".encode())
    client.publish(frame)
    await client.request("exec.in.request.alice", b"{}")  # Behind it on the same connection.
    assert (await state(wire, "EXEC_IN")).messages >= 2


@pytest.fixture
def broken_store(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir(mode=0o700)
    (tmp_path / "nats" / "jetstream").write_text("not a store")


@pytest.mark.usefixtures("broken_store")
async def test_a_store_that_keeps_the_server_down_is_moved_aside(
    tmp_path: Path, events: list[tuple[str, dict[str, object]]]
) -> None:
    server = EmbeddedServer(tmp_path, on_event=lambda event, **fields: events.append((event, fields)), port=0)
    await server.start()
    await server.stop()
    assert [name for name, _ in events] == ["nats_store_moved_aside", "nats_server_started"]
    aside = Path(str(events[0][1]["moved_to"]))
    assert aside.read_text() == "not a store"  # noqa: ASYNC240 - a few bytes


async def test_a_wiped_store_starts_empty_and_the_old_one_is_kept(
    server: EmbeddedServer, wire: Wire, tmp_path: Path, eventually: Eventually
) -> None:
    await ensure(wire, plans())
    await wire.request("exec.in.request.alice", b"{}")
    port = server.port
    lost: list[bool] = []
    wire.watch(on_disconnect=lambda: lost.append(True))
    await server.wipe("the test says so")
    if server.port == port:
        await eventually(lambda: lost and wire.connected)
    fresh = Wire(server.url, name="fresh", on_error=lambda error: None)
    await fresh.connect()
    await ensure(fresh, plans())
    assert await last_sequence(fresh, "EXEC_IN") == 0
    assert len(list((tmp_path / "nats").glob("jetstream.broken-*"))) == 1
    await fresh.close()
