"""The socket itself: who may enter, what a line may be, and that nobody can hold up anybody."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.admin.client import AnswerError, Client, NoDaemonError
from adapters.admin.protocol import MAX_LINE_BYTES
from adapters.admin.server import MAX_CLIENTS, AdminServer, SocketError
from tests.adapters.admin.wired import METHODS, connected, serving, until

pytestmark = pytest.mark.anyio
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is to be."""
    return tmp_path / "run" / "admin.sock"


def _modes(folder: Path) -> list[int]:
    """Of a folder and what is in it."""
    return [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]


async def test_only_its_owner_can_reach_the_socket(path: Path) -> None:
    async with serving(path):
        assert _modes(path.parent) == [0o700, 0o600]
    assert _modes(path.parent) == [0o700]


async def test_a_request_is_answered_with_its_id_and_the_peer_is_known_by_name(path: Path) -> None:
    async with serving(path) as server, connected(server) as line:
        answer = await line.ask("echo", {"text": "ab", "times": 2}, "id-7")
        assert answer == {"jsonrpc": "2.0", "id": "id-7", "result": {"text": "abab", "by": ME}}
        assert (await line.ask("echo", ["x", 3]))["result"]["text"] == "xxx"


async def test_a_user_that_is_not_named_is_told_so_and_let_go(path: Path) -> None:
    async with serving(path, uids=frozenset({os.getuid() + 1})) as server, connected(server) as line:
        answer = await line.hear()
        assert answer["error"]["data"]["code"] == "FORBIDDEN"
        assert f"user {ME}" in answer["error"]["message"]
        assert await line.hear() is None


@pytest.mark.parametrize(
    ("raw", "code", "said"),
    [
        (b"{", "PARSE_ERROR", "not JSON"),
        (b"\xff\xfe", "PARSE_ERROR", "not JSON"),
        (b"[" * 5000, "PARSE_ERROR", "not JSON"),
        (b"7", "INVALID_REQUEST", "a request is a JSON object"),
        (b"[]", "INVALID_REQUEST", "1 to 100 requests, got 0"),
        (b"[" + b"1," * 100 + b"1]", "INVALID_REQUEST", "1 to 100 requests, got 101"),
        (b'{"id":1,"method":"echo"}', "INVALID_REQUEST", 'jsonrpc: must be "2.0"'),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', "INVALID_REQUEST", "method: must be the name"),
        (b'{"jsonrpc":"2.0","id":{},"method":"echo"}', "INVALID_REQUEST", "id: must be"),
        (b'{"jsonrpc":"2.0","id":true,"method":"echo"}', "INVALID_REQUEST", "id: must be"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":"x"}', "INVALID_REQUEST", "params: must be an object"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ecko"}', "UNKNOWN_METHOD", "no method 'ecko'"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo"}', "INVALID_PARAMS", "missing required field `text`"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":1}}', "INVALID_PARAMS", "Expected `str`"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"txt":"a"}}', "INVALID_PARAMS", "takes: text, times"),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":["a",1,2]}', "INVALID_PARAMS", "2 parameters at most"),
        (b'{"jsonrpc":"2.0","id":1,"method":"refuse"}', "REFUSED", "the kill switch is on"),
        (b'{"jsonrpc":"2.0","id":1,"method":"fail"}', "INTERNAL", "ZeroDivisionError: by zero"),
        (b'{"jsonrpc":"2.0","id":1,"method":"strange"}', "INTERNAL", "strange failed"),
    ],
)
async def test_what_cannot_be_done_has_a_stable_code_and_a_sentence(
    path: Path, raw: bytes, code: str, said: str, capfd: Any
) -> None:
    async with serving(path) as server, connected(server) as line:
        await line.say(raw + b"\n")
        error = (await line.hear())["error"]
        assert error["data"]["code"] == code
        assert said in error["message"]
        assert (await line.ask("echo", {"text": "still here"}))["result"]["text"] == "still here"


async def test_a_batch_is_answered_in_order_and_notifications_are_not(path: Path) -> None:
    async with serving(path) as server, connected(server) as line:
        one = b'{"jsonrpc":"2.0","id":%d,"method":"echo","params":{"text":"a"}}'
        silent = b'{"jsonrpc":"2.0","method":"echo","params":{"text":"a"}}'
        await line.say(b"[" + b",".join([one % 1, silent, b"7", one % 2]) + b"]\n")
        answers = await line.hear()
        assert [answer["id"] for answer in answers] == [1, None, 2]
        await line.say(silent + b"\n[" + silent + b"]\n\n" + one % 9 + b"\n")
        assert (await line.hear())["id"] == 9


async def test_a_line_too_long_is_refused_and_ends_the_connection(path: Path) -> None:
    async with serving(path) as server, connected(server) as line:
        await line.say(b"x" * (MAX_LINE_BYTES + 1))
        assert (await line.hear())["error"]["data"]["code"] == "TOO_LARGE"
        assert await line.hear() is None


async def test_a_stream_begins_after_the_answer_that_names_it(path: Path) -> None:
    async with serving(path) as server, connected(server) as line:
        answer = await line.ask("flood", {"lines": 3})
        assert answer["result"] == {"subscription": 1}
        assert [(await line.hear())["params"]["number"] for _ in range(3)] == [0, 1, 2]
        assert (await line.ask("unfollow", {"lines": 1}))["result"] is False


async def test_who_does_not_read_is_dropped_and_holds_up_nobody(path: Path) -> None:
    async with serving(path, send_timeout_s=0.2) as server, connected(server) as slow, connected(server) as other:
        await slow.ask("flood", {"lines": 100_000})
        for number in range(50):
            assert (await other.ask("echo", {"text": "a"}, number))["id"] == number
        await until(lambda: len(server.clients) == 1)
        assert (await other.ask("echo", {"text": "a"}))["result"]


async def test_more_clients_than_may_be_are_told_so(path: Path) -> None:
    async with serving(path) as server:
        others = [await asyncio.open_unix_connection(str(path)) for _ in range(MAX_CLIENTS)]
        await until(lambda: len(server.clients) == MAX_CLIENTS)
        async with connected(server) as line:
            assert (await line.hear())["error"]["data"]["code"] == "UNAVAILABLE"
        for _, writer in others:
            writer.close()


async def test_a_socket_that_a_dead_daemon_left_is_replaced(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path) as server, connected(server) as line:
        assert (await line.ask("echo", {"text": "a"}))["result"]


async def test_a_living_daemons_socket_is_left_alone(path: Path) -> None:
    async with serving(path) as server:
        with pytest.raises(SocketError, match="another process listens"):
            await AdminServer(path, METHODS, frozenset()).start()
        async with connected(server) as line:
            assert (await line.ask("echo", {"text": "a"}))["result"]


def _content(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _file(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")


def _open_folder(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)


def _folder_is_a_file(path: Path) -> None:
    path.parent.write_text("precious")


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (_file, "is there already and is no socket"),
        (_open_folder, "others may enter"),
        (_folder_is_a_file, "cannot be made"),
    ],
)
async def test_a_path_that_cannot_be_used_is_left_as_it_is(path: Path, prepare: Any, said: str) -> None:
    prepare(path)
    with pytest.raises(SocketError, match=said):
        await AdminServer(path, METHODS, frozenset()).start()
    assert _content(path.parent) + _content(path) in ("", "precious")


async def test_a_path_too_long_for_a_socket_is_refused_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30) / "admin.sock"
    with pytest.raises(SocketError, match=r"cannot listen on .*too long"):
        await AdminServer(path, METHODS, frozenset()).start()


async def test_the_client_speaks_to_the_server(path: Path) -> None:
    async with serving(path):
        heard: list[Any] = []

        def talk() -> None:
            with Client(path) as client:
                heard.append(client.call("echo", text="a", times=3)["text"])
                client.call("flood", lines=2)
                # The answer to this comes behind the notifications, which are kept.
                heard.append(client.call("echo", text="b")["text"])
                stream = client.notifications()
                heard.extend(next(stream)["params"]["number"] for _ in range(2))
                try:
                    client.call("refuse")
                except AnswerError as error:
                    heard.append((error.code, str(error)))

        thread = threading.Thread(target=talk)
        thread.start()
        await until(lambda: not thread.is_alive())
        assert heard == ["aaa", "b", 0, 1, ("KILLED", "the kill switch is on")]
    with pytest.raises(NoDaemonError, match="no daemon listens on"):
        Client(path)
