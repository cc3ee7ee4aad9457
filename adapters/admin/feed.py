"""Live tails: what has just become durable, sent to who watches, as fast as each of them reads.

The engine's part is putting a reference into a queue; choosing, encoding and sending are each watcher's own. One that
falls too far behind is told so and dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from actors.journal import Batch, Entry
from adapters.admin.protocol import UNAVAILABLE, Peer, RpcError
from adapters.observe.durable import Durable

MAX_BEHIND: Final = 50_000
"""Events that may wait for one watcher."""
EVENTS_AT_ONCE: Final = 256
"""Events looked at before the loop gets its turn."""

Wanted = Callable[[str, Any], bool]
"""Whether an event of an address is to be sent."""
ReadJournal = Callable[[int], AsyncIterator[Entry]]


class _Watch:
    """The queue of one watcher."""

    __slots__ = ("batches", "behind", "lost", "wake")

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.behind = 0
        self.lost = False
        self.wake = asyncio.Event()


class Feed:
    """An observer that hands committed batches on to those who watch."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._watches: set[_Watch] = set()

    def __call__(self, batches: list[Batch]) -> None:
        """Takes batches that have become durable."""
        for watch in self._watches:
            if watch.lost:
                continue
            for batch in batches:
                watch.batches.append(batch)
                watch.behind += len(batch.events)
            if watch.behind > MAX_BEHIND:
                watch.lost = True
                watch.batches.clear()
            watch.wake.set()

    def tail(self, wanted: Wanted) -> Callable[[int, Peer], Any]:
        """A stream of `event` notifications. Watching begins now, not when the stream does."""
        watch = _Watch()
        self._watches.add(watch)

        async def stream(subscription: int, peer: Peer) -> None:
            try:
                await self._pump(watch, wanted, subscription, peer)
            finally:
                self._watches.discard(watch)

        return stream

    async def _pump(self, watch: _Watch, wanted: Wanted, subscription: int, peer: Peer) -> None:
        looked = 0
        while True:
            if watch.lost:
                raise RpcError(UNAVAILABLE, f"too slow: more than {MAX_BEHIND} events were waiting; the tail has ended")
            if not watch.batches:
                watch.wake.clear()
                await watch.wake.wait()
                continue
            batch = watch.batches.popleft()
            watch.behind -= len(batch.events)
            for index, (address, event) in enumerate(batch.events):
                if wanted(address, event):
                    event_id = f"{self._partition}:{batch.sequence}:{index}"
                    about = {"subscription": subscription, "event_id": event_id, "address": address, "event": event}
                    await peer.notify("event", about)
            looked += len(batch.events)
            if looked >= EVENTS_AT_ONCE:
                looked = 0
                await asyncio.sleep(0)


def follow(read: ReadJournal, durable: Durable, after: int) -> Callable[[int, Peer], Any]:
    """A stream of `entry` notifications: the journal after a sequence, then what follows, read from disk.

    The reader's own pace is the only one, so nobody can be too slow.
    """

    async def stream(subscription: int, peer: Peer) -> None:
        position = after
        while True:
            latest = durable.sequence
            async for entry in read(position):
                await peer.notify("entry", {"subscription": subscription, **described(entry)})
                position = entry.sequence
            # Batches without events are in no journal, so the position may stay behind.
            position = max(position, latest)
            while durable.sequence <= position:
                await durable.changed()

    return stream


def described(entry: Entry) -> dict[str, Any]:
    """A journal entry as it is shown."""
    events = [{"address": address, "event": event} for address, event in entry.events]
    return {"sequence": entry.sequence, "at": entry.at, "events": events}


def wanting(subscriber: str | None, symbol: str | None, types: tuple[str, ...]) -> Wanted:
    """Events of a subscriber, a symbol, of types by name; what is not given is not asked for."""

    def wanted(address: str, event: Any) -> bool:
        if types and event.__class__.__name__ not in types:
            return False
        if subscriber is not None and _subscriber(address, event) != subscriber:
            return False
        return symbol is None or _symbol(event) == symbol

    return wanted


def _subscriber(address: str, event: Any) -> str | None:
    found: str | None = getattr(event, "subscriber_id", None)
    if found is None and address.startswith("subscriber/"):
        return address[11:]
    return found


def _symbol(event: Any) -> str | None:
    tickets = getattr(event, "tickets", None)
    about = tickets[0] if tickets else getattr(event, "fill", None) or event
    return getattr(about, "symbol", None)
