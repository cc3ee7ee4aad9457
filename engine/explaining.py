"""Why a request was answered as it was, told from what its decision recorded: nothing is kept for this alone.

Checks of sized figures are derived again from the figures by the function that decided. Of the checks before sizing,
and of the controls, the decision itself tells how they ended: all passed, or the one that refused and its sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from engine.commands import Ticket
from engine.control_events import OverrideUsed
from engine.controls import RegimeChange
from engine.events import RequestAccepted, RequestDenied
from engine.figures import Figures
from engine.idempotency import asked_for
from engine.risk import CHECKS, explain
from engine.sizing import plain
from engine.weighed import Weights, weighed
from engine.work import WorkStarted

Result = Literal["pass", "fail", "overridden"]
_UNSIZED: Final = ("PLAN_UNSUPPORTED",)
"""What a request is refused with before any check."""

KILLS: Final = ("KILLED_SUBSCRIBER", "KILLED_STRATEGY", "KILLED_SYMBOL", "KILLED_VENUE")
CONTROLS: Final = (
    ("restricted list", "RESTRICTED"),
    ("regime", "REGIME_NO_NEW_RISK"),
    ("repeated execution", "REPEATED_EXECUTION"),
    ("duplicate order", "DUPLICATE_ORDER"),
    ("messages of the subscriber", "THROTTLED_SUBSCRIBER"),
    ("messages of the strategy", "THROTTLED_STRATEGY"),
    ("messages to the venue", "THROTTLED_VENUE"),
    ("messages of the firm", "THROTTLED_FIRM"),
    ("gross of the strategy", "MAX_STRATEGY_GROSS"),
    ("gross of the firm", "MAX_FIRM_GROSS"),
)
"""(name, code) of the controls that a sized order meets after risk, in this order."""


GROSS: Final = ("MAX_STRATEGY_GROSS", "MAX_FIRM_GROSS")
_CODES: Final = {check.name: check.code for check in CHECKS}
_CONTROL_CODES: Final = frozenset(code for _, code in CONTROLS)


class Row(Struct, frozen=True, kw_only=True):
    """One check: its result, and what it found."""

    check: str
    result: Result
    found: str


class Told(Struct, frozen=True, kw_only=True):
    """What became of one field of a plan or of an order's instructions."""

    field: str
    how: str
    why: str


class Placed(Struct, frozen=True, kw_only=True):
    """An order that the request became, and where it went."""

    order_id: str
    order: str
    venue: str
    account: str


class TickerTold(Struct, frozen=True, kw_only=True):
    """What was decided about one ticker of a set of targets: signed units, the arithmetic, the checks of its orders."""

    instrument: str
    status: str
    code: str | None
    current: str
    working: str | None
    target: str | None
    delta: str | None
    tolerance: str
    least: str
    sentence: str
    orders: tuple[Placed, ...]
    cancelled: tuple[str, ...]
    checks: tuple[Row, ...]


class Explanation(Struct, frozen=True, kw_only=True):
    """One decision on a request or a set of targets, in words. What is None did not come about.

    `translation`: what became of each thing that was asked beyond a plain order. `worked`: how our side works it.
    `shared`: with how many a total. `block`: what block its order is a part of, and what came of that.
    """

    request_id: str
    signal_id: str
    strategy_id: str
    subscriber_id: str
    at: datetime
    status: str
    code: str | None
    reason: str | None
    regime: str
    plan: str | None
    sizing: str | None
    checks: tuple[Row, ...]
    orders: tuple[Placed, ...]
    translation: tuple[Told, ...] = ()
    worked: str | None = None
    shared: str | None = None
    block: str | None = None
    mode: str | None = None
    tickers: tuple[TickerTold, ...] = ()


def explained(
    event: RequestAccepted | RequestDenied,
    regime: RegimeChange | None,
    used: Sequence[OverrideUsed],
    started: WorkStarted | None = None,
    shared: str | None = None,
    block: str | None = None,
) -> Explanation:
    """A decision in words. `regime` is the change of the regime before it, None where there was none; `used` are the
    overrides that it was made under; `started` is how its order is worked, where that is at our side, `shared`
    and `block` what it has to do with others."""
    denied = isinstance(event, RequestDenied)
    code, reason = (event.code, event.reason) if isinstance(event, RequestDenied) else (None, None)
    name = "NORMAL" if regime is None else regime.name
    return Explanation(
        request_id=event.request_id,
        signal_id=event.signal_id,
        strategy_id=event.strategy_id,
        subscriber_id=event.subscriber_id,
        at=event.at,
        status="DENIED" if denied else "ACCEPTED",
        code=code,
        reason=reason,
        regime=in_words(regime),
        plan=_plan(event.fingerprint),
        sizing=None if event.sizing is None else event.sizing.sentence(),
        checks=tuple(
            rows(
                event.figures,
                counted(event.weights, event.figures, event.subscriber_id, event.strategy_id),
                code,
                reason or "",
                name,
                {one.code: one for one in used},
            )
        ),
        orders=() if isinstance(event, RequestDenied) else tuple(map(placed, event.tickets)),
        translation=() if isinstance(event, RequestDenied) else _translation(event, started),
        worked=None if started is None else started.reason,
        shared=shared,
        block=block,
    )


def _translation(event: RequestAccepted, started: WorkStarted | None) -> tuple[Told, ...]:
    honoured = event.honoured if started is None else started.spec.honoured
    return tuple(Told(field=one.field, how=one.how, why=one.why) for one in honoured)


def in_words(regime: RegimeChange | None) -> str:
    """The regime and who declared it."""
    if regime is None:
        return "NORMAL"
    at = regime.at.isoformat().replace("+00:00", "Z")
    return f"{regime.name}, declared by {regime.by} at {at}: {regime.reason}"


def before(changes: Iterable[RegimeChange], at: datetime, same: bool) -> RegimeChange | None:
    """The last change before a time; with `same`, one at that very time counts."""
    found = None
    for change in changes:
        if change.at < at or (same and change.at == at):
            found = change
    return found


def _plan(fingerprint: str) -> str | None:
    """The execution plan that came with the request, in the order of its fields."""
    plan = asked_for(fingerprint).get("plan")
    return None if not plan else ", ".join(f"{name} {value}" for name, value in plan.items())


def counted(
    weights: Weights | None, figures: Figures | None, subscriber_id: str, strategy_id: str
) -> dict[str, tuple[bool, str]]:
    """By code: whether an order passed each control that counts, and its figures in words."""
    if weights is None or figures is None:
        return {}
    return {code: (passes, text) for code, passes, text in weighed(weights, figures, subscriber_id, strategy_id)}


def rows(
    figures: Figures | None,
    counts: dict[str, tuple[bool, str]],
    code: str | None,
    reason: str,
    regime: str,
    used: dict[str, OverrideUsed],
) -> Iterator[Row]:
    """Every check that was made of an order, in order, with its figures; `counts` is of the controls that count."""
    if figures is None and code in _UNSIZED:
        yield Row(check="plan", result="fail", found=reason)
        return
    if figures is None and code in KILLS:
        yield from (_row(name, True, found) for name, passed, found in explain(None, "", "") if passed)
        yield _row("kill of a scope", False, reason)
        return
    for name, passed, found in explain(figures, code, reason):
        override = None if passed else used.get(_CODES.get(name, ""))
        yield _row(name, passed, found) if override is None else _overridden(name, override, found)
    if figures is None or (code is not None and code not in _CONTROL_CODES):
        return  # The controls were not asked.
    for name, own in CONTROLS:
        if own == code:
            yield _row(name, False, reason)
            return
        if own in used:
            yield _overridden(name, used[own], used[own].refusal)
        elif own == "REGIME_NO_NEW_RISK":
            yield _row(name, True, f"{regime}; the order {'only reduces' if figures.reduces else 'may add to'} risk")
        elif own == "RESTRICTED":
            yield _row(name, True, "on no list for this subscriber")
        elif own in counts:
            yield _row(name, *counts[own])
        elif figures.reduces and own in GROSS:
            yield _row(name, True, "passed: only reduces the position, or no limit is configured")
        else:
            yield _row(name, True, "passed: not configured")


def _row(name: str, passed: bool, found: str) -> Row:
    return Row(check=name, result="pass" if passed else "fail", found=found)


def _overridden(name: str, override: OverrideUsed, found: str) -> Row:
    text = f"{found}; override {override.override_id} by {override.by}: {override.reason}"
    return Row(check=name, result="overridden", found=text)


def placed(ticket: Ticket) -> Placed:
    """An order in words."""
    price = "" if ticket.limit_price is None else f" at {plain(ticket.limit_price)}"
    short = " short" if ticket.short_sale else ""
    return Placed(
        order_id=ticket.order_id,
        order=f"{ticket.side}{short} {plain(ticket.quantity)} {ticket.instrument} {ticket.order_type}{price} "
        f"{ticket.time_in_force}, counted at {plain(ticket.reserve_price)}",
        venue=ticket.venue,
        account=ticket.account,
    )
