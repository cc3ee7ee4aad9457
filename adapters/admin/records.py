"""Methods that look things up in the store: subscribers, positions, cash, orders, trades, decisions."""

from __future__ import annotations

import sqlite3
from collections import Counter
from decimal import Decimal
from typing import Annotated, Any, Final

from msgspec import Meta, json
from msgspec.structs import asdict

from adapters.admin.context import Context
from adapters.admin.protocol import NOT_FOUND, Params, Peer, RpcError
from engine.config import Limits, effective
from engine.ledger import Balance, Position
from engine.order import Order
from engine.subscriber import Profile
from engine.values import DERIVED, OrderStatus

MAX_SUBSCRIPTIONS: Final = 1000

Limit = Annotated[int, Meta(ge=1, le=1000)]


async def subscribers(context: Context, params: Subscribers, peer: Peer) -> list[dict[str, Any]]:
    """Everyone this partition knows, in the order of their ids."""
    rows = await context.look(context.reader._ask(_profiles, params.after or "", params.limit))
    counts = Counter(
        order.ticket.subscriber_id
        for actor in context.engine.partition.actors.values()
        if actor.kind == "order" and (order := actor.parts.get("")) is not None and order.open
    )
    return [
        {
            "subscriber_id": profile.subscriber_id,
            "status": profile.status,
            "open_orders": counts[profile.subscriber_id],
            "accounts": profile.accounts,
            "source": profile.source,
        }
        for profile in (json.decode(state, type=Profile) for state in rows)
    ]


def _profiles(connection: sqlite3.Connection, after: str, limit: int) -> list[str]:
    query = "SELECT state FROM actors WHERE address > ? AND address < 'subscriber0' AND part = '' LIMIT ?"
    return [state for (state,) in connection.execute(query, (f"subscriber/{after}", limit))]


class Subscribers(Params, frozen=True):
    """`after`: go on behind this id."""

    after: str | None = None
    limit: Limit = 100


class OneSubscriber(Params, frozen=True):
    """Which."""

    subscriber: str


async def subscriber(context: Context, params: OneSubscriber, peer: Peer) -> dict[str, Any]:
    """One subscriber: profile, cash, positions, subscriptions, and the limits in force."""
    context.ours(params.subscriber, "subscriber")
    parts = await context.parts(f"subscriber/{params.subscriber}")
    profile: Profile | None = parts.get("")
    if profile is None:
        raise RpcError(NOT_FOUND, f"nobody made subscriber {params.subscriber!r} known; `subscribers` lists them")
    limits = effective(profile.limits, context.engine.rules.limits)
    return {
        "subscriber_id": profile.subscriber_id,
        "status": profile.status,
        "source": profile.source,
        "accounts": profile.accounts,
        "limits": {name: getattr(limits, name) for name in Limits.__struct_fields__},
        "cash": [_balance(profile.subscriber_id, parts[part]) for part in parts if part.startswith("cash/")],
        "positions": [
            _held(context, profile.subscriber_id, parts[part]) for part in parts if part.startswith("position/")
        ],
        "subscriptions": [parts[part] for part in parts if part.startswith("subscription/")][:MAX_SUBSCRIPTIONS],
    }


class Whose(Params, frozen=True):
    """Of whom; of all where left out."""

    subscriber: str | None = None
    limit: Limit = 200


class Holdings(Whose, frozen=True):
    """`symbol`: only this one. `flat`: also positions of nothing."""

    symbol: str | None = None
    flat: bool = False


async def positions(context: Context, params: Holdings, peer: Peer) -> list[dict[str, Any]]:
    """Positions with average price, market price and P&L."""
    found = await context.look(context.reader.positions(params.subscriber, 1000))
    rows = [
        _held(context, held.subscriber_id, held.position)
        for held in found
        if (params.symbol is None or held.position.symbol == params.symbol)
        and (params.flat or held.position.quantity or held.position.working_buy or held.position.working_sell)
    ]
    return rows[: params.limit]


def _held(context: Context, subscriber_id: str, position: Position) -> dict[str, Any]:
    units = position.quantity * position.multiplier
    mark = context.engine.market.mark(f"{position.exchange}:{position.symbol}", context.now)
    return {
        "subscriber_id": subscriber_id,
        "exchange": position.exchange,
        "symbol": position.symbol,
        "quantity": position.quantity,
        "average_price": _rounded(position.cost / units) if units else None,
        "market_price": None if mark is None else _rounded(mark.price),
        "unrealized": None if mark is None else _rounded(units * mark.price - position.cost),
        "realized": position.realized,
        "commission": position.commission,
        "working_buy": position.working_buy,
        "working_sell": position.working_sell,
        "currency": position.currency,
    }


def _rounded(value: Decimal) -> Decimal:
    """To eight decimals, without zeros at the end: a figure to look at, never booked."""
    text = f"{DERIVED.quantize(value, Decimal('0.00000001')):f}".rstrip("0").rstrip(".")
    return Decimal(text if text not in ("", "-0") else "0")


async def cash(context: Context, params: Whose, peer: Peer) -> list[dict[str, Any]]:
    """Cash balances by currency."""
    found = await context.look(context.reader.cash(params.subscriber, params.limit))
    return [_balance(purse.subscriber_id, purse.balance) for purse in found]


def _balance(subscriber_id: str, balance: Balance) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber_id,
        "currency": balance.currency,
        "amount": balance.amount,
        "commission": balance.commission,
        "day": balance.day or None,
        "day_equity": balance.day_equity if balance.day else None,
    }


# orders


class Orders(Params, frozen=True):
    """Which orders, newest first; `before`: go on behind this order id."""

    subscriber: str | None = None
    symbol: str | None = None
    status: OrderStatus | None = None
    open: bool | None = None
    before: str | None = None
    limit: Limit = 50


async def orders(context: Context, params: Orders, peer: Peer) -> list[dict[str, Any]]:
    """Orders by id, the last first: those with one beginning (work-, part-, a venue) newest first."""
    named = {"subscriber_id": params.subscriber, "symbol": params.symbol, "status": params.status, "open": params.open}
    where = {name: value for name, value in named.items() if value is not None}
    found = await context.look(context.reader.orders(before=params.before, limit=params.limit, **where))
    return [_row(order) for order in found]


def _row(order: Order) -> dict[str, Any]:
    ticket = order.ticket
    average = order.average_price
    return {
        "order_id": ticket.order_id,
        "subscriber_id": ticket.subscriber_id,
        "exchange": ticket.exchange,
        "symbol": ticket.symbol,
        "side": ticket.side,
        "quantity": order.quantity,
        "filled": order.filled,
        "order_type": ticket.order_type,
        "limit_price": order.limit_price,
        "average_price": None if average is None else _rounded(average),
        "time_in_force": ticket.time_in_force,
        "status": order.status,
        "reason": order.reason or None,
        "updated_at": order.updated_at,
    }


class OneOrder(Params, frozen=True):
    """Which."""

    order_id: str


async def order(context: Context, params: OneOrder, peer: Peer) -> dict[str, Any]:
    """One order with its ticket and its executions."""
    found: Order | None = await context.look(context.reader.order(params.order_id))
    if found is None:
        raise RpcError(NOT_FOUND, f"there is no order {params.order_id!r}; `orders` lists them")
    more = {name: value for name, value in asdict(found).items() if name not in ("ticket", "executions")}
    return {**_row(found), **more, "ticket": found.ticket, "executions": found.executions}


class Trades(Params, frozen=True):
    """Which trades, newest first; `before`: go on behind this trade id."""

    subscriber: str | None = None
    symbol: str | None = None
    order_id: str | None = None
    before: str | None = None
    limit: Limit = 50


async def trades(context: Context, params: Trades, peer: Peer) -> Any:
    """Booked fills, newest first."""
    named = {"subscriber_id": params.subscriber, "ticker": params.symbol, "order_id": params.order_id}
    where = {name: value for name, value in named.items() if value is not None}
    return await context.look(context.reader.trades(before=params.before, limit=params.limit, **where))


class Decisions(Params, frozen=True):
    """Which answers to requests, newest first; `code` is a refusal's."""

    subscriber: str | None = None
    request_id: str | None = None
    signal_id: str | None = None
    code: str | None = None
    limit: Limit = 20


async def decisions(context: Context, params: Decisions, peer: Peer) -> list[dict[str, Any]]:
    """How requests were answered, and the figures they were judged by."""
    named = {
        "subscriber_id": params.subscriber,
        "request_id": params.request_id,
        "signal_id": params.signal_id,
        "code": params.code,
    }
    where: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    found = await context.look(context.reader.decisions(limit=params.limit, **where))
    return [{"sequence": one.sequence, "index": one.place, "decision": one.event} for one in found]
