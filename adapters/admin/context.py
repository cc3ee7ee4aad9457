"""What the methods of the admin socket work with: the engine, its store to read, and what the daemon gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from actors.registry import KINDS
from adapters.admin.feed import Feed
from adapters.admin.protocol import INVALID_PARAMS, NOT_FOUND, REFUSED, TIMEOUT, UNAVAILABLE, RpcError
from adapters.engine import Engine
from adapters.observe.durable import Durable
from adapters.observe.metrics import Tally
from adapters.store.errors import StoreError
from adapters.store.reader import Reader
from engine.identity import partition_of
from engine.messages import Outcome

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class Context:
    """One daemon, as its admin methods see it."""

    engine: Engine
    reader: Reader
    config_path: Path
    durable: Durable
    feed: Feed
    tally: Tally
    started_at: datetime
    metrics_url: str
    socket_path: Path
    stop: Callable[[str], None]
    """Begins the drain; takes the reason."""

    @property
    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC)

    async def ask(self, to: str, message: Any) -> Outcome:
        """Tells an actor and returns its answer once that is durable; raises RpcError where it refuses."""
        if self.engine.draining:
            raise RpcError(UNAVAILABLE, "the engine is draining and takes nothing more")
        try:
            outcome: Outcome = await self.engine.ask(to, message)
        except TimeoutError:
            raise RpcError(
                TIMEOUT, f"{to} has not answered within 10 s; it may still do what was asked: look before repeating it"
            ) from None
        if outcome.status not in ("ACCEPTED", "EXISTS"):
            text = outcome.reason or outcome.status
            raise RpcError(REFUSED, text, refusal=outcome.code, status=outcome.status)
        return outcome

    async def parts(self, address: str) -> dict[str, Any]:
        """The parts of an actor's state, as they are durable; empty for one that there is not."""
        engine = self.engine
        kind = address.partition("/")[0]
        if kind not in KINDS or "/" not in address:
            raise RpcError(INVALID_PARAMS, f"address: expected <kind>/<id>, the kind one of {', '.join(sorted(KINDS))}")
        actor = engine.partition.actors.get(address)
        if actor is None:
            loaded = await engine.store.load([address], [])
            return KINDS[kind].decode(loaded.parts.get(address, {}))
        parts, touched = dict(actor.parts), actor.touched
        try:
            # What is decided and not yet on disk could still be undone by a crash.
            await self.durable.reached(lambda: self.durable.sequence >= touched)
        except TimeoutError:
            raise RpcError(TIMEOUT, f"the state of {address} has not become durable within 10 s") from None
        return parts

    async def look(self, answer: Any) -> Any:
        """Awaits an answer of the store's reader; raises RpcError where there is none."""
        try:
            return await answer
        except StoreError as error:
            raise RpcError(UNAVAILABLE, str(error)) from None
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None

    def ours(self, name: str, what: str) -> None:
        """Raises RpcError for a subscriber or strategy of another partition."""
        service = self.engine.config.service
        home = partition_of(name, service.partitions)
        if home != service.partition:
            raise RpcError(NOT_FOUND, f"{what} {name} belongs to partition {home}; this is {service.partition}")

    def venue(self, name: str) -> None:
        """Raises RpcError for a venue that is not configured."""
        if name not in self.engine.rules.venues:
            known = ", ".join(self.engine.rules.venues) or "none"
            raise RpcError(NOT_FOUND, f"there is no venue {name!r}; configured: {known}")
