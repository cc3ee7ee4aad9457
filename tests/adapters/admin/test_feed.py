"""Live tails: who gets what, and who is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from actors.journal import Entry
from adapters.admin.feed import Feed, follow, wanting
from adapters.admin.protocol import RpcError
from adapters.observe.durable import Durable
from tests.adapters.observe.happened import AT, alarm, batch, denied, filled, started, ticket

pytestmark = pytest.mark.anyio


class Listener:
    """A peer that keeps what it is sent."""

    by = "tester"

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.enough = asyncio.Event()
        self.wanted = 0

    def follow(self, stream: Callable[..., Any]) -> int:
        """Not asked for here."""
        raise NotImplementedError

    def unfollow(self, subscription: int) -> bool:
        """Not asked for here."""
        raise NotImplementedError

    async def notify(self, method: str, params: Any) -> None:
        """Keeps it."""
        self.heard.append((method, params))
        if len(self.heard) >= self.wanted:
            self.enough.set()


async def heard(stream: Any, listener: Listener, wanted: int, meanwhile: Callable[[], None]) -> list[Any]:
    """Runs a stream until it has sent this many."""
    listener.wanted = wanted
    task = asyncio.ensure_future(stream(7, listener))
    meanwhile()
    async with asyncio.timeout(5):
        await listener.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return [params for _, params in listener.heard]


@pytest.mark.parametrize(
    ("subscriber", "symbol", "types", "names"),
    [
        (None, None, (), ["OrderStarted", "OrderFilled", "RequestDenied", "AlarmRaised"]),
        ("alice", None, (), ["OrderStarted", "OrderFilled"]),
        ("bob", None, (), ["RequestDenied"]),
        (None, "IBM", (), ["RequestDenied"]),
        (None, None, ("OrderFilled", "AlarmRaised"), ["OrderFilled", "AlarmRaised"]),
        ("alice", "AAPL", ("OrderStarted",), ["OrderStarted"]),
    ],
)
async def test_a_tail_has_what_it_asked_for_in_order(
    subscriber: str | None, symbol: str | None, types: tuple[str, ...], names: list[str]
) -> None:
    feed, listener = Feed(0), Listener()
    stream = feed.tail(wanting(subscriber, symbol, types))
    one = ticket()

    def happens() -> None:
        feed([batch(5, started(one), filled(one)), batch(6, denied(), alarm())])

    found = await heard(stream, listener, len(names), happens)
    assert [type(params["event"]).__name__ for params in found] == names
    assert {params["subscription"] for params in found} == {7}
    if not (subscriber or symbol or types):
        assert [params["event_id"] for params in found] == ["0:5:0", "0:5:1", "0:6:0", "0:6:1"]
    feed([batch(7, alarm())])
    assert feed._watches == set()


async def test_who_falls_too_far_behind_is_told_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.admin.feed.MAX_BEHIND", 10)
    feed, listener = Feed(0), Listener()
    stream = feed.tail(wanting(None, None, ()))
    for sequence in range(20):
        feed([batch(sequence, alarm())])
    with pytest.raises(RpcError, match="too slow"):
        await stream(1, listener)
    assert listener.heard == []
    assert feed._watches == set()


async def test_a_journal_is_followed_from_any_point_without_a_gap() -> None:
    written = [Entry(n, AT, [("desk/main", alarm())], b"") for n in (3, 4, 7)]
    durable, listener = Durable(9), Listener()

    async def read(after: int) -> AsyncIterator[Entry]:
        for entry in list(written):
            if entry.sequence > after:
                yield entry

    async def more() -> None:
        await asyncio.sleep(0)
        written.append(Entry(10, AT, [("desk/main", alarm())], b""))
        durable([batch(10)])
        await asyncio.sleep(0)
        durable([batch(11)])  # Without events, so in no journal.
        written.append(Entry(12, AT, [("desk/main", alarm())], b""))
        durable([batch(12)])

    adding: list[Any] = []
    found = await heard(follow(read, durable, 3), listener, 4, lambda: adding.append(asyncio.ensure_future(more())))
    await asyncio.gather(*adding)
    assert [entry["sequence"] for entry in found] == [4, 7, 10, 12]
