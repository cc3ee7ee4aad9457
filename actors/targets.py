"""Target positions: a set is decided once, ticker by ticker or all together, and answered with its first orders.

What is pursued from then on is an aim for each instrument (`actors.steering`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors import steering
from actors.approvals import Approvals, Approved, Lacking, cancel, start
from actors.turn import Turn
from engine import aims as a
from engine import target_events as t
from engine.aims import Aim
from engine.commands import Ticket
from engine.funding import FUNDS
from engine.idempotency import fingerprint, key_of
from engine.messages import Outcome
from engine.refusal import Refusal
from engine.target_messages import TargetPositions
from engine.targets import Decision, Holding, Ticker, decide, refuse, wait
from engine.values import ZERO

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def targets(actor: SubscriberActor, asked: TargetPositions, turn: Turn) -> None:
    """Decides a set of targets: orders and aims, or a denial; answered once and for good."""
    key, print_ = key_of(asked), fingerprint(asked)
    if actor.answered_before(asked.request_id, key, print_, turn):
        return
    approvals, begun = Approvals(actor, turn, dry=asked.mode == "TRAINING"), _begun(actor, asked, turn)
    decision, approved = _decided(approvals, asked, begun)
    settled, pursued = [], []
    acting = {ticker.instrument for ticker in decision.acting}
    for ticker in decision.tickers if asked.mode == "PRODUCTION" and decision.status != "DENIED" else ():
        orders = approved[ticker.instrument] if ticker.instrument in acting else []
        if ticker.status == "REFUSED":
            continue
        aim = _aimed(begun[ticker.instrument], ticker, orders)
        if ticker.instrument in acting or aim.children:
            pursued.append(aim)
        elif ticker.instrument in actor.aims:
            settled.append(ticker.instrument)
    sent = [order for ticker in _in_turn(decision.acting) for order in approved[ticker.instrument]]
    tickets = tuple(order.ticket for order in sent)
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
    start(actor, sent, turn)
    # What another target waited for may have been taken over by this set.
    steering.funded(actor, turn)
    turn.reply(outcome)


def _in_turn(tickers: Iterable[Ticker]) -> list[Ticker]:
    """What reduces positions goes first: it brings what the rest may need."""
    return sorted(tickers, key=lambda ticker: not ticker.closes)


def _decided(
    approvals: Approvals, asked: TargetPositions, begun: dict[str, Aim]
) -> tuple[Decision, dict[str, list[Approved]]]:
    """The decision with risk's word in it, and by instrument the orders that risk let pass. What reduces positions has
    less time in `begun` where something waits for it."""
    actor, turn = approvals.actor, approvals.turn
    refusal = _out_of_hand(approvals)
    if refusal is not None:
        return Decision(status="DENIED", mode=asked.mode, all_or_none=asked.all_or_none, refusal=refusal), {}
    holdings = {instrument: _holding(approvals, aim) for instrument, aim in begun.items()}
    currencies = {holding.spec.currency for holding in holdings.values() if holding.spec is not None}
    equity = {currency: approvals.exposure(currency).equity for currency in currencies}
    decision = decide(asked, holdings, equity, actor.limits(turn), turn.now)
    refusals: dict[str, Refusal] = {}
    lacking: dict[str, Refusal] = {}
    approved: dict[str, list[Approved]] = {}
    tickers = _in_turn(ticker for ticker in decision.tickers if ticker.status == "WORKING")
    begun.update(_halved(approvals, tickers, holdings, begun))
    for ticker in tickers if decision.status != "DENIED" else ():
        spec, aim = holdings[ticker.instrument].spec, begun[ticker.instrument]
        if ticker.moves is None or spec is None:
            continue
        found = approvals.approve(aim, spec, ticker.moves)
        if isinstance(found, Refusal):
            refusals[ticker.instrument] = found
            continue
        approved[ticker.instrument] = []
        if isinstance(found, Lacking):
            lacking[ticker.instrument] = found.refusal
        else:
            approved[ticker.instrument] = found
            if ticker.closes:
                approvals.expect(spec, ticker.position, ticker.target or ZERO)
    decision = wait(decision, lacking) if lacking else decision
    return (refuse(decision, refusals) if refusals else decision), approved


def _halved(
    approvals: Approvals, tickers: Iterable[Ticker], holdings: Mapping[str, Holding], begun: Mapping[str, Aim]
) -> dict[str, Aim]:
    """What reduces positions by a plan with a window, where others of the set lack what that is to bring: it has half
    of the window, so that the other half is theirs."""
    closing: dict[str, Aim] = {}
    trial, short = Approvals(approvals.actor, approvals.turn, dry=True), False
    for ticker in tickers:
        aim, spec, moves = begun[ticker.instrument], holdings[ticker.instrument].spec, ticker.moves
        minutes = None if aim.plan is None else aim.plan.max_execution_window_minutes
        if ticker.closes and aim.plan is not None and minutes is not None:
            half = replace(aim.plan, max_execution_window_minutes=max(1, minutes // 2))
            closing[ticker.instrument] = replace(aim, plan=half)
        elif closing and not ticker.closes and not short and spec is not None and moves is not None:
            found = trial.approve(aim, spec, moves)
            short = isinstance(found, Refusal) and found.code in FUNDS
    return closing if short else {}


def _out_of_hand(approvals: Approvals) -> Refusal | None:
    """Why nothing of the set is looked at, or None."""
    profile = approvals.actor.profile
    if approvals.killed:
        return Refusal("KILLED", "the kill switch is on")
    if profile is None:
        return Refusal(
            "UNKNOWN_SUBSCRIBER", f"subscriber_id: nobody made {approvals.actor.id} known; a Subscriber message does"
        )
    if profile.status != "ACTIVE":
        return Refusal(f"SUBSCRIBER_{profile.status}", f"status: the subscriber is {profile.status}, not ACTIVE")
    return None


def _begun(actor: SubscriberActor, asked: TargetPositions, turn: Turn) -> dict[str, Aim]:
    """What would be pursued in every instrument that the set names and, where it speaks of all, in every one that is
    held, worked or aimed at: under which terms, from which market, and with which orders of an older aim."""
    terms = {target.instrument: (target.limit_price, target.plan or asked.plan) for target in asked.targets}
    if asked.scope == "ALL":
        for instrument, held in actor.positions.items():
            if held.quantity or held.working_buy or held.working_sell:
                terms.setdefault(instrument, (None, asked.plan))
        for instrument in actor.aims:
            terms.setdefault(instrument, (None, asked.plan))
    begun = {}
    for instrument, (limit_price, plan) in terms.items():
        exchange, _, symbol = instrument.partition(":")
        spec = turn.rules.instrument(exchange, symbol)
        daily = spec is not None and asked.time_in_force == "DAY"
        aim = Aim(
            request_id=asked.request_id,
            signal_id=asked.signal_id,
            strategy_id=asked.strategy_id,
            provenance=asked.provenance,
            exchange=exchange,
            symbol=symbol,
            limit_price=limit_price,
            time_in_force=asked.time_in_force,
            plan=plan,
            since=turn.now,
            arrival=None if plan is None else turn.market.prices(turn.now).get(instrument),
            until=turn.rules.session_end(spec.calendar, turn.now) if daily and spec is not None else None,
        )
        begun[instrument] = replace(aim, children=a.inherited(actor.aims.get(instrument), aim))
    return begun


def _holding(approvals: Approvals, aim: Aim) -> Holding:
    position, turn = approvals.actor.positions.get(aim.instrument), approvals.turn
    return Holding(
        spec=turn.rules.instrument(aim.exchange, aim.symbol),
        reference=turn.market.prices(turn.now).get(aim.instrument),
        position=ZERO if position is None else position.quantity,
        working=a.working(position, aim.children, again=True),
        splits=approvals.splits(aim.exchange, aim.symbol),
        aimed=aim.instrument in approvals.actor.aims,
        refusal=approvals.barred(aim),
    )


def _aimed(begun: Aim, ticker: Ticker, orders: list[Approved]) -> Aim:
    children = begun.children
    if ticker.moves is not None:
        children = a.children(children, ticker.moves, (order.ticket for order in orders))
    return replace(
        begun,
        target=ticker.target or ZERO,
        tolerance=ticker.tolerance,
        least=ticker.least,
        lacks="" if ticker.lacking is None else ticker.lacking.code,
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
        sentence="; ".join((ticker.sentence(), *(order.how for order in orders if order.how))),
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
    waiting = [text for ticker in decision.acting if (text := ticker.waiting)]
    if waiting:
        said = "; ".join(([] if said is None else [said]) + waiting[:10])
    orders = tuple(ticket.order_id for ticket in tickets)
    return Outcome(request_id=asked.request_id, status="ACCEPTED", reason=said, orders=orders)
