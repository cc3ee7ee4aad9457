"""Methods that stream: the journal from any point on, and live tails of events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from msgspec import Meta

from actors.journal import Entry
from adapters.admin.context import Context
from adapters.admin.feed import described, follow, wanting
from adapters.admin.protocol import INVALID_PARAMS, NOT_FOUND, Params, Peer, RpcError
from engine.codec import EVENTS

MAX_ENTRIES: Final = 500
_TYPES: Final = frozenset(kind.__name__ for kind in EVENTS)


class Journal(Params, frozen=True):
    """`last`: this many entries. `after`: those behind a sequence. `follow`: and what comes, as `entry`."""

    last: Annotated[int, Meta(ge=1, le=MAX_ENTRIES)] = 10
    after: Annotated[int, Meta(ge=0)] | None = None
    follow: bool = False


async def journal(context: Context, params: Journal, peer: Peer) -> Any:
    """The journal: its last entries, those after a sequence, or a stream of them from there on."""
    if params.follow:
        after = context.durable.sequence if params.after is None else params.after
        stream = follow(context.reader.entries, context.durable, after)
        return {"subscription": peer.follow(stream), "after": after}
    if params.after is not None:
        return await context.look(_first(context.reader.entries(params.after), params.last))
    # Batches without events leave gaps in the sequence, so the last few are looked for among some more.
    after = max(context.durable.sequence - 4 * params.last - 16, 0)
    return await context.look(_last(context.reader.entries(after), params.last))


async def _first(entries: AsyncIterator[Entry], number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for entry in entries:
        found.append(described(entry))
        if len(found) >= number:
            break
    return found


async def _last(entries: AsyncIterator[Entry], number: int) -> list[dict[str, Any]]:
    found: deque[Entry] = deque(maxlen=number)
    async for entry in entries:
        found.append(entry)
    return [described(entry) for entry in found]


class Tail(Params, frozen=True):
    """Which events: of a subscriber, a symbol, of types by name (`OrderFilled,OrderClosed`)."""

    subscriber: str | None = None
    symbol: str | None = None
    types: str | None = None


async def tail(context: Context, params: Tail, peer: Peer) -> dict[str, Any]:
    """Events as they become durable, as `event` notifications, until `untail`."""
    types = tuple(name.strip() for name in (params.types or "").split(",") if name.strip())
    unknown = [name for name in types if name not in _TYPES]
    if unknown:
        raise RpcError(
            INVALID_PARAMS, f"types: there is no event {unknown[0]!r}; there are {', '.join(sorted(_TYPES))}"
        )
    stream = context.feed.tail(wanting(params.subscriber, params.symbol, types))
    return {"subscription": peer.follow(stream), "after": context.durable.sequence}


class Untail(Params, frozen=True):
    """Which stream."""

    subscription: int


async def untail(context: Context, params: Untail, peer: Peer) -> dict[str, Any]:
    """Ends a tail or a journal that is followed."""
    if not peer.unfollow(params.subscription):
        raise RpcError(NOT_FOUND, f"this connection has no stream {params.subscription}")
    return {"ended": params.subscription}
