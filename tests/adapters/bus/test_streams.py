"""Streams are made as wanted, read from a position without loss or repetition, and written for one acknowledgement."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from adapters.bus.batches import BatchPublisher, Message
from adapters.bus.pull import Pull, pull
from adapters.bus.server import EmbeddedServer
from adapters.bus.streams import (
    STREAM_NOT_FOUND,
    StreamError,
    ask,
    ensure,
    last_message_id,
    last_sequence,
    plans,
    state,
)
from adapters.bus.wire import Wire

pytestmark = pytest.mark.anyio

Eventually = Callable[..., Any]


def results(numbers: range | list[int], subject: bytes = b"exec.out.fill_notification.alice.AAPL") -> list[Message]:
    return [(subject, b"result %d" % number, b"0:%d" % number) for number in numbers]


@pytest.fixture
async def publisher(wire: Wire, errors: list[Exception]) -> BatchPublisher:
    await ensure(wire, plans())
    publisher = BatchPublisher(wire, on_error=errors.append)
    await publisher.start()
    return publisher


async def test_streams_are_made_once_and_then_brought_up_to_date(wire: Wire, publisher: BatchPublisher) -> None:
    assert await publisher.publish_batch(results(range(3)))
    await ensure(wire, plans())
    await ensure(wire, plans(out_bytes=1 << 24, out_age_s=20))
    config = (await ask(wire, "STREAM.INFO.EXEC_OUT"))["config"]
    assert (config["max_bytes"], config["max_age"], config["duplicate_window"]) == (1 << 24, 20 * 10**9, 20 * 10**9)
    assert (config["discard"], config["persist_mode"], config["allow_batched"]) == ("old", "async", True)
    assert await last_sequence(wire, "EXEC_OUT") == 3
    config = (await ask(wire, "STREAM.INFO.EXEC_IN"))["config"]
    assert config["discard"] == "new"
    assert not {"persist_mode", "allow_atomic", "allow_batched"} & {key for key, value in config.items() if value}


async def test_a_stream_that_is_not_there_is_said_by_its_code(wire: Wire) -> None:
    with pytest.raises(StreamError) as caught:
        await state(wire, "NOWHERE")
    assert caught.value.code == STREAM_NOT_FOUND


@pytest.mark.parametrize("batched", [True, False])
async def test_a_batch_is_acknowledged_and_a_repetition_stored_once(
    wire: Wire, publisher: BatchPublisher, errors: list[Exception], batched: bool
) -> None:
    publisher = BatchPublisher(wire, on_error=errors.append, batched=batched)
    await publisher.start()
    assert await publisher.publish_batch(results(range(1200)), headers=b"Content-Type: application/msgpack\r\n")
    assert await last_message_id(wire, "EXEC_OUT") == (1200, "0:1199")
    assert await publisher.publish_batch(results(range(1200)))
    assert await publisher.publish_batch(results(range(1000, 1300)))
    assert await publisher.publish_batch(results([1400, 3, 1401, 4]))
    assert await publisher.publish_batch(results([3]))
    assert await publisher.publish_batch([])
    assert (await state(wire, "EXEC_OUT")).messages == 1302
    assert publisher.in_flight == 0
    assert errors == []


async def test_the_newest_id_is_found_by_subject(wire: Wire, publisher: BatchPublisher) -> None:
    assert await last_message_id(wire, "EXEC_OUT", "exec.out.job.>") is None
    await publisher.publish_batch(results([1], b"exec.out.job.alice"))
    await publisher.publish_batch(results([2], b"exec.out.fill_notification.alice.AAPL"))
    assert await last_message_id(wire, "EXEC_OUT", "exec.out.job.*") == (1, "0:1")
    assert await last_message_id(wire, "EXEC_OUT") == (2, "0:2")


@pytest.mark.parametrize("subject", [b"exec.nowhere.a", b"exec.in.request.alice"])
async def test_a_batch_no_stream_takes_is_not_acknowledged(
    publisher: BatchPublisher, errors: list[Exception], subject: bytes
) -> None:
    assert not await publisher.publish_batch(results(range(10), subject))
    assert len(errors) == 1


async def test_a_batch_under_way_when_the_server_dies_is_answered_no_and_can_be_repeated(
    server: EmbeddedServer, wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    messages = results(range(500))
    assert not await publisher.publish_batch(messages)
    await eventually(lambda: wire.connected)
    assert await publisher.publish_batch(messages)
    assert (await state(wire, "EXEC_OUT")).messages == 500


class Reader:
    """Keeps what a pull delivered."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.payloads: list[bytes] = []
        self.resets: list[int] = []
        self.errors: list[Exception] = []

    def take(self, sequence: int, at_ns: int, subject: str, headers: bytes | None, payload: bytes) -> None:
        assert at_ns > 10**18
        assert subject.startswith("exec.out.")
        self.sequences.append(sequence)
        self.payloads.append(payload)

    async def start(self, wire: Wire, from_sequence: int, batch: int = 100, created: str = "") -> Pull:
        return await pull(
            wire, "EXEC_OUT", from_sequence, self.take, batch,
            on_error=self.errors.append, on_reset=self.resets.append, created=created,
        )  # fmt: skip


async def test_a_stream_is_read_from_a_position_and_on(
    wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    await publisher.publish_batch(results(range(1000)))
    reader = Reader()
    reading = await reader.start(wire, 301)
    await eventually(lambda: len(reader.sequences) == 700)
    await publisher.publish_batch(results(range(1000, 2000)))
    await eventually(lambda: len(reader.sequences) == 1700)
    assert reader.sequences == list(range(301, 2001))
    assert reader.payloads[0] == b"result 300"
    assert reading.next_sequence == 2001
    await reading.stop()
    await publisher.publish_batch(results(range(2000, 2010)))
    assert len(reader.sequences) == 1700
    assert (reader.resets, reader.errors) == ([], [])


async def test_a_paused_reader_gets_at_most_a_batch_more(
    wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    await publisher.publish_batch(results(range(1000)))
    got: list[int] = []

    def take(sequence: int, *_: object) -> None:
        got.append(sequence)
        if len(got) == 250:
            reading.pause()

    reading = Pull(wire, "EXEC_OUT", 1, take, 100, on_error=lambda error: None)
    await reading.start()
    await eventually(lambda: len(got) >= 250)
    for _ in range(3):
        await wire.request("$JS.API.INFO")  # Time enough for all of them to come.
    assert 250 <= len(got) <= 350
    reading.resume()
    await eventually(lambda: len(got) == 1000)
    assert got == list(range(1, 1001))
    await reading.stop()


async def test_a_reader_outlives_the_server(
    server: EmbeddedServer, wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    await publisher.publish_batch(results(range(10)))
    reader = Reader()
    reading = await reader.start(wire, 1)
    await eventually(lambda: len(reader.sequences) == 10)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGTERM)  # Politely, so that what it holds in memory is written.
    await eventually(lambda: not wire.connected)
    await eventually(lambda: wire.connected)
    assert await publisher.publish_batch(results(range(10, 20)))
    await eventually(lambda: len(reader.sequences) == 20)
    assert reader.sequences == list(range(1, 21))
    assert reader.resets == []
    await reading.stop()


async def test_a_reader_whose_consumer_vanished_makes_another(
    wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    reader = Reader()
    reading = await reader.start(wire, 1)
    await publisher.publish_batch(results(range(10)))
    await eventually(lambda: len(reader.sequences) == 10)
    for name in (await ask(wire, "CONSUMER.NAMES.EXEC_OUT"))["consumers"]:
        await ask(wire, f"CONSUMER.DELETE.EXEC_OUT.{name}")
    await publisher.publish_batch(results(range(10, 20)))
    await eventually(lambda: len(reader.sequences) == 20)
    assert reader.sequences == list(range(1, 21))
    await reading.stop()


async def test_another_stream_of_the_same_name_is_read_from_its_beginning(
    wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    await publisher.publish_batch(results(range(10)))
    old = Reader()
    reading = await old.start(wire, 1)
    await eventually(lambda: len(old.sequences) == 10)
    created = reading.created
    await reading.stop()
    await ask(wire, "STREAM.DELETE.EXEC_OUT")
    await ensure(wire, plans())
    await publisher.publish_batch(results(range(50, 70)))
    for position, known in ((11, created), (500, "")):
        reader = Reader()
        reading = await reader.start(wire, position, created=known)
        await eventually(lambda reader=reader: len(reader.sequences) == 20)
        assert (reader.sequences, reader.resets) == (list(range(1, 21)), [1])
        await reading.stop()


async def test_a_stream_that_lost_its_end_is_read_on_from_there(
    wire: Wire, publisher: BatchPublisher, eventually: Eventually
) -> None:
    await publisher.publish_batch(results(range(10)))
    reader = Reader()
    reading = await reader.start(wire, 25, created=(await state(wire, "EXEC_OUT")).created)
    await eventually(lambda: reader.resets == [11])
    await publisher.publish_batch(results(range(10, 20)))
    await eventually(lambda: reader.sequences == list(range(11, 21)))
    await reading.stop()
