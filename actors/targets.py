"""Target positions: a set is decided once, ticker by ticker or all together, and answered with its first orders.

What is pursued from then on is an aim for each instrument (`actors.steering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.approvals import Approvals, Approved, cancel, start
from actors.turn import Turn
from engine import aims as a
from engine import target_events as t
from engine.aims import Aim, Child
from engine.commands import Ticket
from engine.idempotency import fingerprint, key_of
from engine.messages import Outcome
from engine.refusal import Refusal
from engine.target_messages import TargetPositions
from engine.targets import Decision, Holding, Ticker, decide, refuse
from engine.values import ZERO

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def targets(actor: SubscriberActor, asked: TargetPositions, turn: Turn) -> None:
    """Decides a set of targets: orders and aims, or a denial; answered once and for good."""
    key, print_ = key_of(asked), fingerprint(asked)
    if actor.answered_before(asked.request_id, key, print_, turn):
        return
    approvals = Approvals(actor, turn, asked)
    decision, approved = _decided(approvals, asked)
    settled, pursued = [], []
    acting = {ticker.instrument for ticker in decision.acting}
    for ticker in decision.tickers if asked.mode == "PRODUCTION" and decision.status != "DENIED" else ():
        mine = approved[ticker.instrument] if ticker.instrument in acting else []
        before = actor.aims.get(ticker.instrument)
        if ticker.status == "REFUSED":
            continue
        aim = _aim(asked, ticker, () if before is None else before.children, mine)
        if ticker.instrument in acting or aim.children:
            pursued.append(aim)
        elif before is not None:
            settled.append(ticker.instrument)
    orders = [order for ticker in decision.acting for order in approved[ticker.instrument]]
    tickets = tuple(order.ticket for order in orders)
    outcome = _outcome(asked, decision, tickets)
    turn.record(
        t.TargetsDecided(
            at=turn.now,
            request_id=asked.request_id,
            signal_id=asked.signal_id,
            strategy_id=asked.strategy_id,
            subscriber_id=actor.id,
            key=key,
            fingerprint=print_,
            mode=asked.mode,
            status=decision.status,
            code=outcome.code,
            reason=outcome.reason,
            tickers=tuple(
                _line(approvals, ticker, approved.get(ticker.instrument, []), ticker.instrument in acting)
                for ticker in decision.tickers
            ),
            tickets=tickets,
            aims=tuple(pursued),
            settled=tuple(settled),
        )
    )
    turn.answered(actor.id, key, print_, outcome)
    for ticker in decision.acting:
        if ticker.moves is not None:
            cancel(ticker.moves.cancel, asked.signal_id, turn)
    start(actor, orders, turn)
    turn.reply(outcome)


def _decided(approvals: Approvals, asked: TargetPositions) -> tuple[Decision, dict[str, list[Approved]]]:
    """The decision with risk's word in it, and by instrument the orders that risk let pass."""
    actor, turn = approvals.actor, approvals.turn
    refusal = _out_of_hand(approvals, asked)
    if refusal is not None:
        return Decision(status="DENIED", mode=asked.mode, all_or_none=asked.all_or_none, refusal=refusal), {}
    holdings = _holdings(approvals, asked)
    currencies = {holding.spec.currency for holding in holdings.values() if holding.spec is not None}
    equity = {currency: approvals.exposure(currency).equity for currency in currencies}
    decision = decide(asked, holdings, equity, actor.limits(turn), turn.now)
    refusals: dict[str, Refusal] = {}
    approved: dict[str, list[Approved]] = {}
    for ticker in decision.tickers if decision.status != "DENIED" else ():
        spec = holdings[ticker.instrument].spec
        if ticker.status != "WORKING" or ticker.moves is None or spec is None:
            continue
        found = approvals.approve(spec, ticker.moves.now, ticker.limit_price)
        if isinstance(found, Refusal):
            refusals[ticker.instrument] = found
        else:
            approved[ticker.instrument] = found
    return (refuse(decision, refusals) if refusals else decision), approved


def _out_of_hand(approvals: Approvals, asked: TargetPositions) -> Refusal | None:
    """Why nothing of the set is looked at, or None."""
    profile = approvals.actor.profile
    if asked.plan is not None:
        return Refusal("PLAN_UNSUPPORTED", "plan: the orders of targets are sent whole and at once; leave it out")
    if approvals.killed:
        return Refusal("KILLED", "the kill switch is on")
    if profile is None:
        return Refusal("UNKNOWN_SUBSCRIBER", f"subscriber_id: nobody made {approvals.actor.id} known")
    if profile.status != "ACTIVE":
        return Refusal(f"SUBSCRIBER_{profile.status}", f"status: the subscriber is {profile.status}, not ACTIVE")
    return None


def _holdings(approvals: Approvals, asked: TargetPositions) -> dict[str, Holding]:
    """Every instrument that the set names and, where it speaks of all, every one that is held or worked."""
    actor = approvals.actor
    named = {target.instrument: (target.exchange, target.symbol, target.limit_price) for target in asked.targets}
    if asked.scope == "ALL":
        for instrument, held in actor.positions.items():
            if held.quantity or held.working_buy or held.working_sell:
                named.setdefault(instrument, (held.exchange, held.symbol, None))
    prices = approvals.turn.market.prices(approvals.turn.now)
    holdings = {}
    for instrument, (exchange, symbol, limit_price) in named.items():
        position, aim = actor.positions.get(instrument), actor.aims.get(instrument)
        holdings[instrument] = Holding(
            spec=approvals.turn.rules.instrument(exchange, symbol),
            reference=prices.get(instrument),
            position=ZERO if position is None else position.quantity,
            working=a.working(position, () if aim is None else aim.children, again=True),
            splits=approvals.splits(exchange, symbol),
            refusal=approvals.barred(exchange, symbol, limit_price),
        )
    return holdings


def _aim(asked: TargetPositions, ticker: Ticker, before: tuple[Child, ...], orders: list[Approved]) -> Aim:
    exchange, _, symbol = ticker.instrument.partition(":")
    children = before
    if ticker.moves is not None:
        children = a.children(before, ticker.moves, (order.ticket for order in orders))
    return Aim(
        request_id=asked.request_id,
        signal_id=asked.signal_id,
        strategy_id=asked.strategy_id,
        provenance=asked.provenance,
        exchange=exchange,
        symbol=symbol,
        target=ticker.target or ZERO,
        tolerance=ticker.tolerance,
        least=ticker.least,
        limit_price=ticker.limit_price,
        time_in_force=asked.time_in_force,
        children=children,
    )


def _line(approvals: Approvals, ticker: Ticker, orders: list[Approved], acting: bool) -> t.TickerDecided:
    exchange, _, symbol = ticker.instrument.partition(":")
    judged = [(order.figures, order.weights) for order in orders]
    if ticker.instrument in approvals.refused:
        judged = [approvals.refused[ticker.instrument]]
    before = approvals.actor.aims.get(ticker.instrument)
    replaced = before is not None and before.status == "WORKING" and ticker.status != "REFUSED"
    return t.TickerDecided(
        exchange=exchange,
        symbol=symbol,
        status=ticker.status,
        sentence=ticker.sentence(),
        target=ticker.target,
        position=ticker.position,
        code=None if ticker.refusal is None else ticker.refusal.code,
        orders=tuple(order.ticket.order_id for order in orders) if acting else (),
        cancelled=ticker.moves.cancel if acting and ticker.moves is not None else (),
        supersedes=before.signal_id if replaced and before is not None else None,
        figures=tuple(figures for figures, _ in judged),
        weights=tuple(weights for _, weights in judged) if any(weights for _, weights in judged) else (),
        reason=None if ticker.refusal is None else ticker.refusal.reason,
        expected=None if ticker.moves is None else ticker.moves.expected,
        missing=None if ticker.moves is None else ticker.moves.missing,
        tolerance=ticker.tolerance,
        least=ticker.least,
    )


def _outcome(asked: TargetPositions, decision: Decision, tickets: tuple[Ticket, ...]) -> Outcome:
    """The answer: a set that is met is accepted with no order, one of which a part was refused says which."""
    if decision.refusal is not None:
        code, reason = decision.refusal.code, decision.refusal.reason
        return Outcome(request_id=asked.request_id, status="DENIED", code=code, reason=reason)
    said = "NOOP: every position is where it should be" if decision.status == "NOOP" else None
    if asked.mode == "TRAINING":
        said = f"TRAINING: {decision.status}, decided and logged, no order"
    if decision.refused:
        names = ", ".join(
            f"{ticker.instrument} {'' if ticker.refusal is None else ticker.refusal.code}"
            for ticker in decision.refused[:10]
        )
        refused = f"{len(decision.refused)} of {len(decision.tickers)} tickers refused: {names}"
        said = refused if said is None else f"{said}; {refused}"
    orders = tuple(ticket.order_id for ticket in tickets)
    return Outcome(request_id=asked.request_id, status="ACCEPTED", reason=said, orders=orders)
