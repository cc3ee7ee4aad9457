"""Every method of the admin socket, in the order in which `methods` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from adapters.admin import acting, controlling, looking, records, streaming
from adapters.admin.context import Context
from adapters.admin.protocol import Method, NoParams, Params, Peer

Function = Callable[[Context, Any, Peer], Awaitable[Any]]

TABLE: Final[tuple[tuple[Function, type[Params]], ...]] = (
    (looking.status, NoParams),
    (looking.health, NoParams),
    (looking.metrics, NoParams),
    (records.subscribers, records.Subscribers),
    (records.subscriber, records.OneSubscriber),
    (records.positions, records.Holdings),
    (records.cash, records.Whose),
    (records.orders, records.Orders),
    (records.order, records.OneOrder),
    (records.trades, records.Trades),
    (records.decisions, records.Decisions),
    (acting.cancel, acting.Cancel),
    (acting.cancel_all, acting.CancelAll),
    (controlling.explain, controlling.Explained),
    (acting.kill, acting.Switch),
    (acting.resume, acting.Switch),
    (controlling.controls, NoParams),
    (controlling.regime, controlling.Declared),
    (controlling.restrict, controlling.Symbol),
    (controlling.unrestrict, controlling.Symbol),
    (controlling.override, controlling.Leave),
    (controlling.end_override, controlling.Granted),
    (controlling.rearm, controlling.Stopped),
    (acting.pause, acting.Whom),
    (acting.activate, acting.Whom),
    (looking.actors, looking.Actors),
    (looking.actor, looking.OneActor),
    (looking.dead_letters, looking.Letters),
    (acting.replay, acting.Letter),
    (acting.drop, acting.Letter),
    (streaming.journal, streaming.Journal),
    (streaming.tail, streaming.Tail),
    (streaming.untail, streaming.Untail),
    (acting.reload, acting.Reload),
    (acting.log_level, acting.Level),
    (acting.backup, acting.Backup),
    (acting.drain, NoParams),
)


def methods(context: Context) -> dict[str, Method]:
    """All methods by name; the first line of a function's docstring is its description."""
    found = {
        function.__name__: Method(function.__name__, params, _text(function), partial(function, context))
        for function, params in TABLE
    }

    async def listing(_: NoParams, peer: Peer) -> list[dict[str, Any]]:
        """What can be asked here: every method with its parameters."""
        return [method.describe() for method in found.values()]

    found["methods"] = Method("methods", NoParams, _text(listing), listing)
    return found


def _text(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]
