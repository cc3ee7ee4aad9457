"""The short cuts through nats-py deliver exactly what nats-py would, and survive what it would not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from itertools import count, cycle, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from adapters.bus.frames import PublishBuffer, header_block
from adapters.bus.parser import FastParser
from adapters.bus.server import EmbeddedServer
from adapters.bus.wire import Wire, WireError

pytestmark = pytest.mark.anyio

Eventually = Callable[..., Any]
SUNK = 7
"""The subscription that has a sink; others go the ordinary way."""


class Recorder:
    """Stands where the client stands, and writes down what a parser makes of the bytes."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def sink(self, subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        self.seen.append((SUNK, subject.encode(), reply, payload, headers))

    def report(self, error: Exception) -> None:
        raise error

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.seen.append((sid, subject, reply, data, headers))

    async def _process_ping(self) -> None:
        self.seen.append("PING")

    async def _process_pong(self) -> None:
        self.seen.append("PONG")

    async def _process_info(self, info: dict[str, object]) -> None:
        self.seen.append(info)

    async def _process_err(self, text: str) -> None:
        self.seen.append(text)


token = st.text("abcXYZ019-_%", min_size=1, max_size=8)
subjects = st.lists(token, min_size=1, max_size=4).map(".".join).map(str.encode)
payloads = st.one_of(st.binary(max_size=80), st.sampled_from([b"", b"\r\n", b"MSG a 7 1\r\nx\r\n", b"PING\r\n"]))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Any frame a server sends."""
    kind = draw(st.sampled_from(["MSG", "MSG", "MSG", "HMSG", "HMSG", "PING", "PONG", "INFO", "+OK", "-ERR"]))
    if kind in ("PING", "PONG", "+OK"):
        return kind.encode() + b"\r\n"
    if kind == "INFO":
        return b"INFO " + json.dumps({"name": draw(token)}).encode() + b" \r\n"
    if kind == "-ERR":
        return b"-ERR 'Permissions Violation for %b'\r\n" % draw(subjects)
    reply = draw(st.one_of(st.just(b""), subjects.map(lambda subject: subject + b" ")))
    payload = draw(payloads)
    start = b"%b %b %d %b" % (kind.encode(), draw(subjects), draw(st.sampled_from([SUNK, SUNK, 8])), reply)
    if kind == "MSG":
        return start + b"%d\r\n%b\r\n" % (len(payload), payload)
    headers = header_block([(draw(token), draw(token))])
    return start + b"%d %d\r\n%b%b\r\n" % (len(headers), len(headers) + len(payload), headers, payload)


async def deliveries(parser: Parser, recorder: Recorder, chunks: list[bytes]) -> list[object]:
    for chunk in chunks:
        await parser.parse(chunk)
    return recorder.seen


@given(st.lists(frames(), max_size=12).map(b"".join), st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_however_the_bytes_are_cut_the_deliveries_are_those_of_the_original_parser(
    stream: bytes, sizes: list[int]
) -> None:
    edges = [0]
    for size in cycle(sizes):
        if edges[-1] == len(stream):
            break
        edges.append(min(edges[-1] + size, len(stream)))
    chunks = [stream[start:stop] for start, stop in pairwise(edges)]
    original, fast = Recorder(), Recorder()
    parser = FastParser(fast)  # type: ignore[arg-type]
    parser.sinks[b"%d" % SUNK] = fast.sink
    wanted = asyncio.run(deliveries(Parser(original), original, [stream]))
    assert asyncio.run(deliveries(parser, fast, chunks)) == wanted


def test_a_byte_at_a_time_is_as_good_as_all_at_once() -> None:
    fast = Recorder()
    parser = FastParser(fast)  # type: ignore[arg-type]
    parser.sinks[b"7"] = fast.sink
    stream = b"MSG a.b 7 r 5\r\nMSG \n\r\nPING\r\nHMSG c 7 12 14\r\nNATS/1.0\r\n\r\nhi\r\nMSG d 8 0\r\n\r\n"
    asyncio.run(deliveries(parser, fast, [stream[i : i + 1] for i in range(len(stream))]))
    assert fast.seen == [
        (7, b"a.b", b"r", b"MSG \n", None),
        "PING",
        (7, b"c", b"", b"hi", b"NATS/1.0\r\n\r\n"),
        (8, b"d", b"", b"", None),
    ]


@pytest.mark.parametrize("nonsense", [b"HELLO\r\n", b"\r\n", b"MSG\r\n", b"MSG a 7 x\r\n", b"MSG a\r\n"])
def test_nonsense_is_a_protocol_error(nonsense: bytes) -> None:
    fast = Recorder()
    parser = FastParser(fast)  # type: ignore[arg-type]
    parser.sinks[b"7"] = fast.sink
    with pytest.raises(ProtocolError):
        asyncio.run(deliveries(parser, fast, [nonsense]))


async def test_what_is_published_arrives_with_its_headers(wire: Wire, eventually: Eventually) -> None:
    got: list[tuple[str, bytes, bytes | None, bytes]] = []
    await wire.listen("exec.market.>", lambda *message: got.append(message))
    buffer = PublishBuffer()
    buffer.pub(b"exec.market.a", b"one", reply=b"answer.here")
    headers = header_block([("Content-Type", "application/msgpack")])
    buffer.hpub(b"exec.market.b", headers, b"two")
    assert len(buffer) == 2
    assert wire.publish(buffer)
    assert len(buffer) == 0
    await eventually(lambda: len(got) == 2)
    assert got == [("exec.market.a", b"answer.here", None, b"one"), ("exec.market.b", b"", headers, b"two")]


async def test_a_hundred_thousand_messages_arrive_in_order(wire: Wire, eventually: Eventually) -> None:
    got: list[bytes] = []
    await wire.listen("exec.market.>", lambda subject, reply, headers, payload: got.append(payload))
    wanted = [b"%d" % number for number in range(100_000)]
    for start in range(0, len(wanted), 1000):
        buffer = PublishBuffer()
        for payload in wanted[start : start + 1000]:
            buffer.pub(b"exec.market.a", payload)
        assert wire.publish(buffer)
        assert await wire.drain()
    await eventually(lambda: len(got) == len(wanted))
    assert got == wanted


async def test_a_queue_group_shares_messages(wire: Wire, eventually: Eventually) -> None:
    got: list[str] = []
    for member in "ab":
        await wire.listen("exec.ask.>", lambda *_, member=member: got.append(member), queue="door")
    buffer = PublishBuffer()
    for _ in range(100):
        buffer.pub(b"exec.ask.x", b"")
    wire.publish(buffer)
    await eventually(lambda: len(got) == 100)
    assert set(got) == {"a", "b"}


async def test_a_stopped_listener_hears_no_more(wire: Wire) -> None:
    got: list[bytes] = []
    listening = await wire.listen("exec.market.>", lambda *message: got.append(message[3]))
    await listening.stop()
    buffer = PublishBuffer()
    buffer.pub(b"exec.market.a", b"late")
    wire.publish(buffer)
    await wire.request("$JS.API.INFO")
    assert got == []


async def test_who_is_cancelled_while_it_asks_is_cancelled_whenever_the_answer_comes(wire: Wire) -> None:
    """An answer in the same moment must not swallow the cancellation: its task would go on for ever."""
    for steps in count():
        asking = asyncio.create_task(wire.request("$JS.API.INFO"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not asking.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert steps > 5


async def test_a_sink_that_raises_loses_one_message_only(
    wire: Wire, errors: list[Exception], eventually: Eventually
) -> None:
    got: list[bytes] = []

    def sink(subject: str, reply: bytes, headers: bytes | None, payload: bytes) -> None:
        if payload == b"bad":
            raise ZeroDivisionError
        got.append(payload)

    await wire.listen("exec.market.>", sink)
    buffer = PublishBuffer()
    for payload in (b"good", b"bad", b"fine"):
        buffer.pub(b"exec.market.a", payload)
    wire.publish(buffer)
    await eventually(lambda: got == [b"good", b"fine"])
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_while_the_server_is_away_publishing_is_refused(
    server: EmbeddedServer, wire: Wire, eventually: Eventually
) -> None:
    told: list[str] = []
    wire.watch(on_disconnect=lambda: told.append("lost"), on_reconnect=lambda: told.append("back"))
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await eventually(lambda: not wire.connected)
    buffer = PublishBuffer()
    buffer.pub(b"exec.market.a", b"kept")
    assert not wire.publish(buffer)
    assert len(buffer) == 1
    assert not await wire.drain()
    with pytest.raises(WireError, match="not connected"):
        await wire.request("$JS.API.INFO")
    await eventually(lambda: told == ["lost", "back"])
    assert wire.publish(buffer)


async def test_a_server_that_no_longer_answers_is_left(
    server: EmbeddedServer, wire: Wire, eventually: Eventually
) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        await eventually(lambda: not wire.connected)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await eventually(lambda: wire.connected)


async def test_a_message_the_server_will_not_take_costs_a_reconnection_and_no_more(
    wire: Wire, errors: list[Exception], eventually: Eventually
) -> None:
    buffer = PublishBuffer()
    buffer.pub(b"exec.market.a", bytes(wire.max_payload + 1))
    back: list[bool] = []
    wire.watch(on_reconnect=lambda: back.append(True))
    wire.publish(buffer)
    await eventually(lambda: back)
    assert any("maximum payload" in str(error) for error in errors)
    await wire.request("$JS.API.INFO")


@pytest.mark.parametrize("subject", [b"", b"a b", b"a\r\nPUB x 0\r\n", b" a", b"a\n", b"\ta"])
def test_a_subject_cannot_smuggle_a_command(subject: bytes) -> None:
    with pytest.raises(ValueError, match="not a subject"):
        PublishBuffer().pub(subject, b"")


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("a:b", "x"), ("a", "x\r\ny"), ("a\n", "x")])
def test_a_header_cannot_smuggle_another(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="not a header"):
        header_block([(name, value)])


async def test_no_server_is_a_clear_error() -> None:
    wire = Wire("nats://127.0.0.1:1", name="nobody", on_error=lambda error: None)
    with pytest.raises(WireError, match="no connection to NATS within"):
        await wire.connect(timeout_s=0.3)
