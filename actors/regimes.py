"""What a regime does to orders that are open: those that add risk are cancelled or paused, children become smaller,
and algorithms as urgent as it lets them be; or all as it was, when it is over.

The desk tells subscribers, which know positions and limits, and they tell the orders that it changes anything for. An
order asks what it decides next at its own moment of the next second, so that thousands do not do so at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from actors import supervise, windows
from actors.turn import Turn
from engine import gate
from engine import order as order_
from engine.algos import contract as algo
from engine.algos.work import urged
from engine.blocks import Gathered, only_reduces
from engine.commands import CancelOrder, Ticket
from engine.control_commands import Constrain, FollowRegime
from engine.control_settings import UNCHANGED, RegimeSettings
from engine.grouping import address_of
from engine.groups import Group
from engine.ledger import Position
from engine.order import Order
from engine.refusal import Refusal
from engine.regimes import Open, largest, reduces, risky
from engine.values import ZERO, add
from engine.work import WorkConstrained, working
from engine.working import out

if TYPE_CHECKING:
    from actors.subscriber import SubscriberActor
    from actors.work import WorkActor

AT_ONCE: Final = 256


def settings(turn: Turn) -> RegimeSettings:
    """What the regime in force changes."""
    regime = supervise.regime(turn)
    return UNCHANGED if regime is None else regime.settings


# the desk tells a subscriber


def follow(actor: SubscriberActor, message: FollowRegime, turn: Turn) -> None:
    """Sees to the orders named: cancels or pauses those that do not only reduce a position, constrains those worked."""
    by_instrument: dict[str, list[Order]] = {}
    for order_id in message.order_ids:
        order: Order | None = turn.peek(f"order/{order_id}")
        if order is not None and order.open:
            by_instrument.setdefault(order.ticket.instrument, []).append(order)
    now = settings(turn)
    for instrument, orders in by_instrument.items():
        held = actor.positions.get(instrument)
        position: Decimal = ZERO if held is None else held.quantity
        adding: frozenset[str] = frozenset()
        if not now.allow_new_risk:
            adding = frozenset(risky(position, [_open(order, turn) for order in orders]))
        for order in orders:
            name = order.ticket.order_id
            if name in adding and now.cancel_working:
                turn.tell(f"order/{name}", CancelOrder(reason=message.reason))
            elif order.work is not None:
                # Whether it reduces by itself it asks anew whenever it would send something.
                beside = name in adding and reduces(position, order.ticket.side, order.working)
                _constrain(actor, order, beside, now, message.reason, turn)


def follow_in_block(gathered: Gathered, order: Order, reason: str, turn: Turn) -> None:
    """The same of an order that works for many: it adds risk where that of any of them may."""
    now, name = settings(turn), order.ticket.order_id
    adds = not now.allow_new_risk and not only_reduces(gathered, order.ticket)
    if adds and now.cancel_working:
        turn.tell(f"order/{name}", CancelOrder(reason=reason))
    elif order.work is not None:
        turn.tell(f"order/{name}", Constrain(paused=adds, most=None, reason=reason))


def _open(order: Order, turn: Turn) -> Open:
    ticket, once = order.ticket, ""
    if ticket.group:
        group: Group | None = turn.peek(address_of(ticket.subscriber_id, ticket.group))
        members = () if group is None or group.kind == "OTO" else group.members
        if any(member.order_id == ticket.order_id and member.role != "PARENT" for member in members):
            once = ticket.group
    return Open(ticket.order_id, ticket.side, order.working, once)


def _constrain(
    actor: SubscriberActor, order: Order, paused: bool, now: RegimeSettings, reason: str, turn: Turn
) -> None:
    work = working(order)
    most = None if now is UNCHANGED else largest(order, actor.limits(turn))
    if most == ZERO:
        paused = True
    works = work.works
    if (work.paused, work.most) != (paused, most) or (
        works is not None and urged(works, now.min_urgency, now.max_urgency) is not works
    ):
        turn.tell(f"order/{order.ticket.order_id}", Constrain(paused=paused, most=most, reason=reason))


# an order that is worked


def constrain(actor: WorkActor, message: Constrain, turn: Turn) -> None:
    """What the order may do from here on; it decides by it at its next look."""
    order = actor.order
    if order is None or not order.open:
        return
    work = working(order)
    if (work.paused, work.most) != (message.paused, message.most):
        turn.record(
            WorkConstrained(
                **order_.about(order, turn.now), paused=message.paused, most=message.most, reason=message.reason
            )
        )
    look = actor.next_look(turn.now)
    if actor.wake is None or look < actor.wake:
        actor.wake = look


def lets(order: Order, more: Decimal, turn: Turn) -> bool:
    """Whether the regime lets an order send so many units more: it is not paused and, where no new risk is taken, it
    closes at most all that is held with what it has at the venue. What is held is looked up; where it is not in memory,
    it is brought there for the next time.
    """
    work = working(order)
    if work.paused:
        return False
    if settings(turn).allow_new_risk:
        return True
    ticket = order.ticket
    whose = turn.peek(ticket.owner)
    if whose is None:
        turn.tell(ticket.owner, FollowRegime(order_ids=(ticket.order_id,), reason="its position was not in memory"))
        return False
    if isinstance(whose, Gathered):
        return only_reduces(whose, ticket)
    position: Position | None = turn.peek(ticket.owner, f"position/{ticket.instrument}")
    return reduces(ZERO if position is None else position.quantity, ticket.side, add(out(work.children), more))


def refuses(ticket: Ticket, quantity: Decimal, turn: Turn) -> Refusal | None:
    """Why the last hop lets so much of an order not out now, or None; what is held and not in memory counts as none."""
    if settings(turn).allow_new_risk:
        return None
    whose = turn.peek(ticket.owner)
    if isinstance(whose, Gathered):
        return gate.new_risk(supervise.in_force(turn), ticket, only_reduces(whose, ticket), turn.now)
    held: Position | None = turn.peek(ticket.owner, f"position/{ticket.instrument}")
    closes = held is not None and reduces(held.quantity, ticket.side, quantity)
    return gate.new_risk(supervise.in_force(turn), ticket, closes, turn.now)


def held_back(order: Order, more: Decimal, turn: Turn) -> None:
    """The time or price of an order has come, and the regime keeps it from being sent: a person is told."""
    regime = supervise.regime(turn)
    if regime is None or lets(order, more, turn):
        return
    code, about = "REGIME_NO_NEW_RISK", order.ticket.order_id
    if turn.watch.untold(code, about, turn.now):
        said = f"its time or price has come, and regime {regime.name} keeps it back ({regime.by}: {regime.reason})"
        turn.alarm(code, about, said)


def urgent(works: algo.Works, turn: Turn) -> algo.Works:
    """The work as urgent as the regime lets it be; the same object where that changes nothing."""
    now = settings(turn)
    if now is UNCHANGED and works.asked is None:
        return works
    return urged(works, now.min_urgency, now.max_urgency)


def allowed(actions: tuple[algo.Action, ...], order: Order, turn: Turn) -> tuple[algo.Action, ...]:
    """The actions with no child larger than it may be, and no more messages than the throttles let through now; what
    is left is asked for again later. Cancels always pass. One message stays even where none is let through: that the
    order has to wait is for `WorkActor.sendable` to say."""
    most, left = working(order).most, windows.left(order.ticket, turn)
    if most is None and left is None:
        return actions
    found: list[algo.Action] = []
    messages = 0
    for action in actions:
        if isinstance(action, algo.Place | algo.Replace):
            messages += 1
            if left is not None and messages > max(left, 1):
                continue
        if isinstance(action, algo.Place) and most is not None and action.quantity > most:
            action = replace(action, quantity=most)
        found.append(action)
    return tuple(found)


def subscribers(orders: Iterable[Order], everything: bool) -> dict[str, list[str]]:
    """The open orders that a change of the regime may concern, by owner: those worked at our side, or all."""
    found: dict[str, list[str]] = {}
    for order in orders:
        if order.open and not order.ticket.parent and (everything or order.work is not None):
            found.setdefault(order.ticket.owner, []).append(order.ticket.order_id)
    return found


def tell_all(turn: Turn, reason: str) -> int:
    """Tells every subscriber of the regime that is in force now; how many orders are looked at."""
    residents: list[Any] = [turn.peek(address) for address in turn.residents("order")]
    found = subscribers((order for order in residents if order is not None), settings(turn).cancel_working)
    for owner, orders in found.items():
        # Which orders only reduce is found out of all together; else some at a time, so that others get their turns.
        size = AT_ONCE if settings(turn).allow_new_risk else len(orders)
        for first in range(0, len(orders), size):
            turn.tell(owner, FollowRegime(order_ids=tuple(orders[first : first + size]), reason=reason))
    return sum(map(len, found.values()))
