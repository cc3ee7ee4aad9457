"""A client's commands on its orders: forwarded to the order, judged again where they ask for more, answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors import grouped, supervise
from actors.turn import Turn
from engine import account, ledger
from engine import events as e
from engine.commands import CancelOrder, CommandDone, ModifyOrder, ReplaceApproved, ReviewReplace, Ticket
from engine.config import InstrumentSpec
from engine.exposure import expose
from engine.figures import Figures, measure
from engine.grouping import CancelGroup, address_of
from engine.idempotency import fingerprint, key_of
from engine.messages import ExecutionCommand, Outcome
from engine.refusal import Refusal
from engine.risk import check
from engine.values import EXACT, ZERO

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor


def command(actor: SubscriberActor, command: ExecutionCommand, turn: Turn) -> None:
    """Sends a command to the order it is about; the order's answer comes back as CommandDone."""
    action, reply_to = command.plan.action, turn.sender
    if action == "EXECUTE_TRADE" and command.request is not None:
        # It is its request, and decided under that key: the only one that was looked up.
        request = command.request
        if request.plan is None and command.plan.asked():
            request = replace(request, plan=command.plan)
        actor.request(request, turn)
        return
    key, asked = key_of(command), fingerprint(command)
    if actor.answered_before(command.command_id, key, asked, turn):
        return
    if action == "CANCEL_ORDER":
        reason = f"command {command.command_id}"
        turn.tell(f"order/{command.order_id}", CancelOrder(command=command, reason=reason, reply_to=reply_to))
    elif action == "MODIFY_ORDER":
        turn.tell(f"order/{command.order_id}", ModifyOrder(command=command, reply_to=reply_to))
    else:
        turn.tell(address_of(actor.id, command.group_id or ""), CancelGroup(command=command, reply_to=reply_to))


def command_done(actor: SubscriberActor, done: CommandDone, turn: Turn) -> None:
    """Keeps and gives the answer to a command; the first one, where it was given twice and both were under way."""
    command = done.command
    key, asked = key_of(command), fingerprint(command)
    prior = turn.prior(actor.id, key)
    if prior is not None:
        first = prior.outcome
        again = Outcome(request_id=command.command_id, status="EXISTS", orders=first.orders, original=first)
        turn.reply(again, done.reply_to)
        return
    outcome = Outcome(
        request_id=command.command_id,
        status="ACCEPTED" if done.code is None else "DENIED",
        code=done.code,
        reason=done.reason,
        orders=(done.order_id,) if done.order_id else (),
    )
    turn.record(e.CommandDecided(at=turn.now, subscriber_id=actor.id, key=key, fingerprint=asked, outcome=outcome))
    turn.answered(actor.id, key, asked, outcome)
    turn.reply(outcome, done.reply_to)


def review(actor: SubscriberActor, review: ReviewReplace, turn: Turn) -> None:
    """Judges a replacement as an order for what would be open, with the order's own reservation given back."""
    ticket = review.ticket
    spec = turn.rules.instrument(ticket.exchange, ticket.symbol)
    desk = turn.peek("desk/main")
    refusal: Refusal | None = None
    if desk is not None and desk.killed:
        refusal = Refusal("KILLED", "the kill switch is on")
    elif actor.profile is None or actor.profile.status != "ACTIVE":
        refusal = Refusal("SUBSCRIBER_PAUSED", "status: the subscriber is not ACTIVE")
    elif spec is None:
        refusal = Refusal("UNKNOWN_INSTRUMENT", f"symbol: nothing is configured for {ticket.instrument}")
    elif desk is not None and desk.controls is not None:
        refusal = supervise.killed(ticket, actor.id, ticket.venue, turn)
    if refusal is None and spec is not None:
        figures = _figures(actor, review, spec, turn)
        if review.waits:
            figures = replace(figures, limit_price=None)
        asked = supervise.asked(ticket, actor.id, ticket.venue, figures, ticket.order_id)
        if supervise.asks(turn):
            refusal = supervise.judge(asked, turn).refusal
        elif (refusal := check(figures)) is not None:
            supervise.alarm(refusal, asked, turn)
        if refusal is None:
            approved = _amended(review, figures)
            turn.tell(
                f"order/{ticket.order_id}",
                ReplaceApproved(command=review.command, reply_to=review.reply_to, ticket=approved),
            )
            return
    if refusal is not None:
        done = CommandDone(
            command=review.command,
            reply_to=review.reply_to,
            code=refusal.code,
            reason=refusal.reason,
            order_id=ticket.order_id,
        )
        command_done(actor, done, turn)


def _figures(actor: SubscriberActor, review: ReviewReplace, spec: InstrumentSpec, turn: Turn) -> Figures:
    ticket = review.ticket
    held = account.position(actor.parts, ticket.exchange, ticket.symbol, ticket.currency, ticket.multiplier)
    without = ledger.without(held, ticket.side, review.working, review.reserved)
    if ticket.group:
        without = grouped.recounted(without, ticket, turn)
    prices = turn.market.prices(turn.now)
    exposure = expose(ticket.currency, actor.balances, {**actor.positions, ticket.instrument: without}, prices)
    return measure(
        turn.now,
        ticket.side,
        EXACT.subtract(review.quantity, review.filled),
        review.limit_price,
        prices.get(ticket.instrument),
        without,
        exposure,
        actor.day_equity(ticket.currency, exposure, turn),
        turn.pace.rate(actor.id, turn.now),
        spec,
        actor.limits(turn),
    )


def _amended(review: ReviewReplace, figures: Figures) -> Ticket:
    return replace(
        review.ticket,
        quantity=review.quantity,
        limit_price=review.limit_price,
        reserve_price=figures.price or review.ticket.reserve_price,
        short_sale=figures.side == "SELL" and figures.after < ZERO,
        approved_at=figures.at,
    )
