"""Reduce-only at every moment: what is sent, what is out when the position shrinks, and what a restart leaves of it."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from engine import reports as r
from engine.events import DeadLettered
from engine.instructions import Instructions, Membership
from engine.work import WorkEnded
from tests.actors.bench import Bench, D, request
from tests.actors.test_work import bench, fill, order, placed, tick, twap

__all__ = ("bench",)

ONLY = Instructions(reduce_only=True)


def holds(bench: Bench, quantity: str = "100", number: int = 90) -> None:
    """Alice buys, and has it."""
    placed(bench, number, quantity=quantity)
    fill(bench, bench.sent(r.SubmitOrder)[-1])


def sells(bench: Bench, number: int, quantity: str, **fields: Any) -> r.SubmitOrder:
    """Alice sells by a plain order, not filled yet."""
    placed(bench, number, side="SELL", quantity=quantity, **fields)
    return bench.sent(r.SubmitOrder)[-1]


def position(bench: Bench) -> Any:
    return bench.part("subscriber/alice", "position/XNAS:AAPL")


def tells(bench: Bench, child: str, report: type, **fields: Any) -> None:
    bench.tell(f"order/{child}", report(client_order_id=child, at=bench.now, **fields))


STOPS: list[dict[str, Any]] = [
    {"order_type": "STOP", "stop_price": D(95), "instructions": ONLY},
    {"order_type": "STOP_LIMIT", "stop_price": D(95), "limit_price": "94", "instructions": ONLY},
    {"order_type": "TRAILING_STOP", "instructions": Instructions(reduce_only=True, trail_amount=D(5))},
    {"order_type": "MARKET_IF_TOUCHED", "stop_price": D(105), "instructions": ONLY},
]


@pytest.mark.parametrize("fields", STOPS, ids=[str(one["order_type"]) for one in STOPS])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_protective_stop_sells_what_is_still_held(bench: Bench, fields: dict[str, Any], restarts: bool) -> None:
    holds(bench)
    name = placed(bench, side="SELL", **fields)
    fill(bench, sells(bench, 91, "60"))
    if restarts:
        bench.restart()
        bench.open()
        bench.wait(1)
    tick(bench, "106" if fields["order_type"] == "MARKET_IF_TOUCHED" else "95")
    child = bench.sent(r.SubmitOrder)[-1]
    assert (child.side, child.quantity) == ("SELL", 40)
    fill(bench, child)
    found = order(bench, name)
    assert (found.status, found.filled, found.quantity) == ("FILLED", 40, 40)
    assert (position(bench).quantity, position(bench).working_sell, position(bench).reserved_sell) == (0, 0, 0)


def test_a_stop_of_a_position_that_is_gone_sends_nothing_and_says_why(bench: Bench) -> None:
    holds(bench)
    name = placed(bench, side="SELL", **STOPS[0])
    fill(bench, sells(bench, 91, "100"))
    sent = len(bench.sent(r.SubmitOrder))
    tick(bench, "95")
    found = order(bench, name)
    assert (found.status, len(bench.sent(r.SubmitOrder)), found.working) == ("CANCELED", sent, 0)
    (ended,) = bench.events(WorkEnded)
    assert ended.code == "NOTHING_TO_REDUCE"
    assert position(bench).working_sell == 0


def test_without_a_position_it_is_refused(bench: Bench) -> None:
    outcome = bench.ask("subscriber/alice", request(1, side="SELL", **STOPS[0]))
    assert (outcome.status, outcome.code) == ("DENIED", "NOTHING_TO_REDUCE")


def test_a_stop_that_covers_a_short_buys_what_is_still_owed(bench: Bench) -> None:
    fill(bench, sells(bench, 90, "100"))
    name = placed(bench, order_type="STOP", stop_price=D(105), instructions=ONLY, quantity="250")
    assert order(bench, name).quantity == 100
    placed(bench, 91, quantity="30")
    fill(bench, bench.sent(r.SubmitOrder)[-1])
    tick(bench, "105")
    assert bench.sent(r.SubmitOrder)[-1].quantity == 70


def test_what_rests_at_the_venue_shrinks_with_the_position(bench: Bench) -> None:
    holds(bench)
    name = placed(bench, side="SELL", limit_price="110", instructions=ONLY)
    child = bench.sent(r.SubmitOrder)[-1].client_order_id
    tells(bench, child, r.Accepted, venue_order_id="V1")
    fill(bench, sells(bench, 91, "70"))
    (replaced,) = bench.sent(r.ReplaceVenueOrder)
    assert (replaced.client_order_id, replaced.quantity) == (child, 30)
    tells(bench, child, r.Replaced, quantity=D(30), limit_price=D(110))
    assert (order(bench, name).quantity, position(bench).working_sell) == (30, 30)
    fill(bench, sells(bench, 92, "30"))
    assert [one.client_order_id for one in bench.sent(r.CancelVenueOrder)] == [child]
    tells(bench, child, r.Canceled, reason="as asked")
    (ended,) = bench.events(WorkEnded)
    assert (ended.status, ended.code, position(bench).working_sell) == ("CANCELED", "NOTHING_TO_REDUCE", 0)


def test_its_own_fills_do_not_shrink_it(bench: Bench) -> None:
    holds(bench)
    name = placed(bench, side="SELL", limit_price="110", instructions=ONLY)
    child = bench.sent(r.SubmitOrder)[-1]
    fill(bench, child, "30")
    assert (bench.sent(r.ReplaceVenueOrder), bench.sent(r.CancelVenueOrder)) == ([], [])
    assert order(bench, name).working == 70


def test_an_algorithm_works_no_more_than_is_held(bench: Bench) -> None:
    holds(bench)
    name = placed(bench, side="SELL", instructions=ONLY, plan=twap())
    first = bench.sent(r.SubmitOrder)[-1]
    fill(bench, first)
    fill(bench, sells(bench, 91, "60"))
    assert order(bench, name).quantity == 40
    for _ in range(70):
        bench.wait(10)
        bench.quote("AAPL", "100")
        last = bench.sent(r.SubmitOrder)[-1]
        if bench.part(f"order/{last.client_order_id}") is not None:
            fill(bench, last)
    assert (order(bench, name).status, order(bench, name).filled, position(bench).quantity) == ("FILLED", 40, 0)


def test_an_algorithm_ends_with_its_position(bench: Bench) -> None:
    holds(bench)
    name = placed(bench, side="SELL", instructions=ONLY, plan=twap())
    first = bench.sent(r.SubmitOrder)[-1].client_order_id
    fill(bench, sells(bench, 91, "100"))
    assert [one.client_order_id for one in bench.sent(r.CancelVenueOrder)] == [first]
    tells(bench, first, r.Canceled, reason="as asked")
    found = order(bench, name)
    assert (found.status, found.reason[:17]) == ("CANCELED", "NOTHING_TO_REDUCE")


def test_a_brackets_protective_exits_take_what_was_entered(bench: Bench) -> None:
    child = Membership(group_id="g", kind="BRACKET", role="CHILD")
    placed(bench, 1, limit_price="100", group=Membership(group_id="g", kind="BRACKET", role="PARENT"))
    placed(bench, 2, side="SELL", group=child, **STOPS[0])
    entry = bench.sent(r.SubmitOrder)[-1]
    fill(bench, entry, "40")
    tick(bench, "95")
    assert [(one.side, one.quantity) for one in bench.sent(r.SubmitOrder)[1:]] == [("SELL", 40)]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_no_more_is_sent_than_is_held(seed: int) -> None:
    """At the moment at which something leaves, what is out of each order is within the position."""
    chance, bench = Random(seed), Bench()
    bench.open(modify=chance.random() < 0.6)
    bench.join("alice", allow_short=True)
    holds(bench, "100")
    names = []
    for number in range(3):
        kind: dict[str, Any] = chance.choice(
            (*STOPS, {"limit_price": "101", "instructions": ONLY}, {"plan": twap(), "instructions": ONLY})
        )
        try:
            names.append(placed(bench, number, side="SELL", quantity=str(chance.randint(1, 40)), **kind))
        except AssertionError:
            continue
    seen = len(bench.sent(r.SubmitOrder))
    for step in range(40):
        what, at_venue = chance.random(), [one for one in bench.sent(r.SubmitOrder) if alive(bench, one)]
        if what < 0.1:
            bench.restart()
            bench.open(modify=chance.random() < 0.6)
            bench.wait(1)
        elif what < 0.3:
            tick(bench, str(chance.choice((90, 95, 100, 106))))
        elif what < 0.45:
            fill(bench, sells(bench, 100 + step, str(chance.randint(1, 15))))
        elif what < 0.6:
            bench.wait(10)
            bench.quote("AAPL", "100")
        elif at_venue:
            answers(bench, chance, chance.choice(at_venue))
        sent = bench.sent(r.SubmitOrder)
        for one in sent[seen:]:
            parent = order(bench, one.client_order_id).ticket.parent
            if parent in names:
                assert out(bench, parent) <= max(D(0), held(bench)), (seed, step)
        seen = len(sent)
        assert [letter.error for letter in bench.events(DeadLettered)] == []


def alive(bench: Bench, sent: r.SubmitOrder) -> bool:
    return order(bench, sent.client_order_id).open


def held(bench: Bench) -> Decimal:
    """What is booked, as it is durable."""
    loaded = bench.journal.load_now(["subscriber/alice"], [])
    bench.partition.admit(["subscriber/alice"], [], loaded)
    quantity: Decimal = position(bench).quantity
    return quantity


def out(bench: Bench, parent: str) -> Decimal:
    found = order(bench, parent).work
    assert found is not None
    return sum((child.working for child in found.children if not child.pending), D(0))


def answers(bench: Bench, chance: Random, sent: r.SubmitOrder) -> None:
    name, found = sent.client_order_id, order(bench, sent.client_order_id)
    if found.status == "PENDING_CANCEL":
        tells(bench, name, r.Canceled, reason="")
    elif found.replacement is not None:
        terms = found.replacement
        tells(bench, name, r.Replaced, quantity=terms.quantity, limit_price=terms.limit_price)
    elif found.venue_order_id is None:
        tells(bench, name, r.Accepted, venue_order_id=f"V{name[-4:]}")
    else:
        quantity = D(chance.randint(1, int(found.leaves)))
        execution = f"X{name[-4:]}-{len(found.executions)}"
        tells(bench, name, r.Filled, execution_id=execution, quantity=quantity, price=D(100), commission=D(0))
