"""What happened about target positions: decided, steered on, reached, failed."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from engine.aims import Aim
from engine.commands import Ticket
from engine.events import Event
from engine.figures import Figures
from engine.target_messages import TargetMode
from engine.values import ZERO
from engine.weighed import Weights


class TickerDecided(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was decided about one ticker, with the arithmetic as a sentence and the figures its orders were judged by.

    `target` is in signed units, None where it did not come to one; `expected` is the position with what stays working,
    `missing` the signed units from there to the target. No order is sent for `tolerance` units or fewer, nor for less
    than `least`. `figures`, and the controls' `weights`, are of each order, of a refused ticker's the one that was
    refused, or that waits. `supersedes` is the signal id of the older set whose target it replaces.
    """

    exchange: str
    symbol: str
    status: Literal["REFUSED", "NOOP", "WORKING"]
    sentence: str
    target: Decimal | None = None
    position: Decimal = ZERO
    code: str | None = None
    orders: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    supersedes: str | None = None
    figures: tuple[Figures, ...] = ()
    weights: tuple[Weights | None, ...] = ()
    reason: str | None = None
    expected: Decimal | None = None
    missing: Decimal | None = None
    tolerance: Decimal = ZERO
    least: Decimal = ZERO


class TargetEvent(Event, frozen=True, kw_only=True):
    """What every event about targets carries: whose they are, and the set's ids."""

    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str


class TargetsDecided(TargetEvent, frozen=True, kw_only=True):
    """A set of targets was decided. `tickets` are the first wave's orders, which count as working from now on; `aims`
    what is pursued from now on; `settled` the instruments of which an older aim is over without a newer one."""

    key: str
    fingerprint: str
    mode: TargetMode
    status: Literal["ACCEPTED", "NOOP", "DENIED"]
    code: str | None = None
    reason: str | None = None
    tickers: tuple[TickerDecided, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    aims: tuple[Aim, ...] = ()
    settled: tuple[str, ...] = ()


class AimEvent(TargetEvent, frozen=True, kw_only=True):
    """What every event about one aim carries."""

    exchange: str
    symbol: str


class TargetSteered(AimEvent, frozen=True, kw_only=True):
    """Orders of an aim filled, ended or were sent or cancelled on: `aim` is what it is now, None once nothing of a
    failed one is open. `tickets` count as working from now on."""

    aim: Aim | None = None
    sentence: str | None = None
    cancelled: tuple[str, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    figures: tuple[Figures, ...] = ()
    weights: tuple[Weights | None, ...] = ()


class TargetReached(AimEvent, frozen=True, kw_only=True):
    """The position is where it should be, or nearer to it than is worth an order."""

    target: Decimal
    position: Decimal


class TargetFailed(AimEvent, frozen=True, kw_only=True):
    """An aim is pursued no more. Its orders that are open stay so, and in `aim`, until they end or a newer target
    cancels them."""

    target: Decimal
    position: Decimal
    code: str
    reason: str
    order_id: str | None = None
    aim: Aim | None = None
