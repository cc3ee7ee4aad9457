"""A signal of many followers that is worked as one order: who gets what, and what goes wrong."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine import blocks as b
from engine import events as e
from engine import reports as r
from engine.commands import Kill
from engine.config import BlockSettings
from engine.control_commands import DeclareRegime
from engine.control_settings import ControlSettings, Throttle, Throttles
from engine.instructions import Instructions, Membership
from engine.messages import ExecutionCommand
from engine.methods import Equal, FixedQuantity, Multiplier
from engine.plan import ExecutionPlan
from tests.actors.bench import AT, Bench, D, request
from tests.actors.together import accept, fill, follow, held, parts, signal, submitted


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


# One order


def test_followers_orders_are_one_at_the_venue_and_its_fills_are_theirs_at_one_price(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", FixedQuantity(D(20)))
    assert signal(bench).status == "ACCEPTED"
    order = submitted(bench)
    assert (order.quantity, order.side) == (30, "BUY")
    assert order.account.startswith("block-")
    assert held(bench, "alice") == (0, 10, 1000, 100000)
    accept(bench, order.client_order_id)
    assert {name: part.status for name, part in parts(bench).items()} == {"alice": "WORKING", "bob": "WORKING"}
    fill(bench, order.client_order_id, "15", "100", 1, "0.30")
    assert held(bench, "alice") == (0, 10, 1000, 100000)
    fill(bench, order.client_order_id, "15", "101", 2, "0.30")
    assert held(bench, "alice") == (10, 0, 0, D("98994.8"))
    assert held(bench, "bob") == (20, 0, 0, D("97989.6"))
    assert {part.status for part in parts(bench).values()} == {"FILLED"}
    (settled,) = bench.events(b.BlockSettled)
    assert settled.status == "FILLED"
    assert [event.fill.order_id[:5] for event in bench.events(e.FillBooked)] == ["part-", "part-"]


def test_what_does_not_fill_is_shared_by_largest_remainder_and_given_back(bench: Bench) -> None:
    for name in ("alice", "bob", "carol"):
        follow(bench, name, Multiplier(D(1)))
    signal(bench)
    order = submitted(bench)
    accept(bench, order.client_order_id)
    fill(bench, order.client_order_id, "20", "100")
    bench.tell(
        f"order/{order.client_order_id}", r.Expired(client_order_id=order.client_order_id, filled=D(20), at=bench.now)
    )
    got = [held(bench, name) for name in ("alice", "bob", "carol")]
    assert sorted(quantity for quantity, *_ in got) == [6, 7, 7]
    assert all((working, reserved) == (0, 0) for _, working, reserved, _ in got)
    assert {part.status for part in parts(bench).values()} == {"EXPIRED"}


def test_a_rejected_block_is_rejected_for_everyone_with_the_venues_reason(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(1)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    bench.tell(f"order/{order_id}", r.Rejected(client_order_id=order_id, reason="halted", at=bench.now))
    assert {(part.status, part.reason) for part in parts(bench).values()} == {("REJECTED", "halted")}
    assert held(bench, "alice") == (0, 0, 0, 100000)


def test_what_a_venue_filled_and_then_rejected_ends_cancelled(bench: Bench) -> None:
    """Its members' orders may be filled in part, and then are nothing that was rejected."""
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    bench.tell(f"order/{order_id}", r.Rejected(client_order_id=order_id, reason="no", at=bench.now))
    assert parts(bench)["alice"].status == "REJECTED"
    fill(bench, order_id, "4", "100")
    assert held(bench, "alice")[0] == 4
    signal(bench, 2)
    second = bench.sent(r.SubmitOrder)[1].client_order_id
    accept(bench, second)
    fill(bench, second, "4", "100", 2)
    bench.tell(f"order/{second}", r.Canceled(client_order_id=second, reason="halted", at=bench.now))
    assert held(bench, "alice")[:2] == (8, 0)


def test_a_fill_after_the_end_is_shared_among_those_who_still_want(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    accept(bench, order_id)
    fill(bench, order_id, "12", "100")
    bench.tell(f"order/{order_id}", r.Canceled(client_order_id=order_id, reason="by the venue", at=bench.now))
    assert (held(bench, "alice")[0], held(bench, "bob")[0]) == (4, 8)
    fill(bench, order_id, "18", "99", 2)
    assert held(bench, "alice") == (10, 0, 0, 100000 - 4 * 100 - 6 * 99)
    assert held(bench, "bob") == (20, 0, 0, 100000 - 8 * 100 - 12 * 99)


def test_who_is_denied_is_not_waited_for(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "poor", Multiplier(D(1)), cash="5")
    signal(bench)
    assert submitted(bench).quantity == 10
    assert [event.code for event in bench.events(e.RequestDenied)] == ["INSUFFICIENT_CASH"]


def test_nobody_left_is_a_block_without_an_order(bench: Bench) -> None:
    follow(bench, "poor", Multiplier(D(1)), cash="5")
    signal(bench)
    assert bench.sent(r.SubmitOrder) == []
    (formed,) = bench.events(b.BlockFormed)
    assert formed.orders == ()


def test_members_on_both_sides_are_an_order_each(bench: Bench) -> None:
    """A CLOSE sells what some hold and buys back what others are short of."""
    for name, side in (("alice", "BUY"), ("bob", "SELL")):
        follow(bench, name, Multiplier(D(1)), allow_short=True)
        bench.ask(f"subscriber/{name}", request(9, name, side, "10"))
        order_id = bench.sent(r.SubmitOrder)[-1].client_order_id
        fill(bench, order_id, "10", "100", 90 if side == "BUY" else 91)
    signal(bench, side=None, intent="CLOSE", quantity=None)
    made = bench.sent(r.SubmitOrder)[2:]
    assert sorted((order.side, order.quantity, order.short_sale) for order in made) == [
        ("BUY", 10, False),
        ("SELL", 10, False),
    ]
    for number, order in enumerate(made):
        fill(bench, order.client_order_id, "10", "100", number)
    assert held(bench, "alice")[0] == held(bench, "bob")[0] == 0


def test_short_sales_are_not_mixed_with_long_ones(bench: Bench) -> None:
    for name in ("alice", "bob"):
        follow(bench, name, Multiplier(D(1)), allow_short=True)
    bench.ask("subscriber/alice", request(9, "alice", "BUY", "10"))
    fill(bench, submitted(bench).client_order_id, "10", "100", 90)
    signal(bench, side="SELL")
    made = bench.sent(r.SubmitOrder)[1:]
    assert sorted((order.quantity, order.short_sale) for order in made) == [(10, False), (10, True)]


def test_a_block_is_worked_by_its_plan(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(2)))
    plan = ExecutionPlan(
        plan_id="EXP_20260105_143000_00001",
        preferred_execution_style="TWAP",
        max_execution_window_minutes=10,
        chunk_count_hint=3,
    )
    signal(bench, plan=plan)
    bench.settle()
    (first, *_) = bench.sent(r.SubmitOrder)
    assert 0 < first.quantity < 30
    number = 0
    for _ in range(60):
        for order in bench.sent(r.SubmitOrder)[number:]:
            number += 1
            fill(bench, order.client_order_id, str(order.quantity), "100", number)
        bench.wait(15)
    assert held(bench, "alice")[:3] == (10, 0, 0)
    assert held(bench, "bob")[:3] == (20, 0, 0)
    (settled,) = bench.events(b.BlockSettled)
    assert (settled.status, settled.tally.quantity) == ("FILLED", 30)


# Going wrong


@pytest.mark.parametrize("batches", range(9))
@pytest.mark.parametrize("kept", [True, False])
def test_a_crash_between_any_two_batches_loses_nothing(bench: Bench, batches: int, kept: bool) -> None:
    """What is on its way when the venue's session is not up yet is refused, as any order then is; all else is one
    order, whose fills are booked once."""
    follow(bench, "alice", Equal())
    follow(bench, "bob", Equal())
    bench.post("strategy/momentum", request(1, None, block=True, time_in_force="DAY", quantity="25"))
    for _ in range(batches):
        bench.run()
        bench.commit()
    bench.run()
    if kept:
        bench.commit()
    bench.restart()
    bench.open()
    bench.settle()
    made = bench.sent(r.SubmitOrder)
    assert len(made) <= 1
    for number, quantity in enumerate(("20", "5")):
        for order in made:
            accept(bench, order.client_order_id)
            fill(bench, order.client_order_id, quantity, "100", number)
            bench.restart()
            bench.open()
    for name in ("alice", "bob"):
        bench.ask(f"subscriber/{name}", request(5, name, quantity="0.5"))
    got = [held(bench, name) for name in ("alice", "bob")]
    assert sorted(quantity for quantity, *_ in got) == ([12, 13] if made else [0, 0])
    assert [working for _, working, *_ in got] == [0, 0]
    ended = {part.status for part in parts(bench).values()}
    assert ended <= ({"FILLED"} if made else {"REJECTED"})
    assert len(bench.events(e.FillBooked)) == 2 * len(made)
    assert bench.events(e.DeadLettered) == []


def test_a_signal_that_comes_again_is_the_same_block(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    for _ in range(3):
        signal(bench)
    assert submitted(bench).quantity == 10
    signal(bench, quantity="11")
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert [event.code for event in bench.events(e.InputRefused)] == ["CONFLICT"]


def test_who_follows_only_since_is_denied_a_repeated_signal(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    follow(bench, "bob", Multiplier(D(1)))
    signal(bench)
    assert [(event.subscriber_id, event.code) for event in bench.events(e.RequestDenied)] == [("bob", "BLOCK_CLOSED")]
    assert submitted(bench).quantity == 10


def test_a_member_cannot_cancel_or_change_its_part(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    part = parts(bench)["alice"].ticket.order_id
    for number, (action, fields) in enumerate({"CANCEL_ORDER": {}, "MODIFY_ORDER": {"quantity": D(5)}}.items()):
        plan = ExecutionPlan(plan_id="EXP_20260105_143000_00001", action=action)  # type: ignore[arg-type]
        command = ExecutionCommand(command_id=f"c{number}", subscriber_id="alice", plan=plan, order_id=part, **fields)
        answer = bench.ask("subscriber/alice", command)
        assert answer.code == "IN_BLOCK"
    assert bench.sent(r.CancelVenueOrder) == []


def test_the_order_of_the_whole_can_be_cancelled(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    order = submitted(bench)
    accept(bench, order.client_order_id)
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_00001", action="CANCEL_ORDER")
    block = order.account
    command = ExecutionCommand(command_id="c1", subscriber_id=block, plan=plan, order_id=order.client_order_id)
    assert bench.ask(f"subscriber/{block}", command).status == "ACCEPTED"
    bench.tell(
        f"order/{order.client_order_id}",
        r.Canceled(client_order_id=order.client_order_id, reason="asked", at=bench.now),
    )
    assert parts(bench)["alice"].status == "CANCELED"


@pytest.mark.parametrize(("scope", "name"), [("subscriber", "alice"), ("strategy", "momentum"), ("firm", "")])
def test_a_kill_ends_the_whole_block(bench: Bench, scope: Any, name: str) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(1)))
    signal(bench)
    order_id = submitted(bench).client_order_id
    accept(bench, order_id)
    bench.tell("desk/main", Kill(reason="test", by="test", scope=scope, name=name))
    assert [cancel.client_order_id for cancel in bench.sent(r.CancelVenueOrder)] == [order_id]
    bench.tell(f"order/{order_id}", r.Canceled(client_order_id=order_id, reason="killed", at=bench.now))
    assert {part.status for part in parts(bench).values()} == {"CANCELED"}


@pytest.mark.parametrize(("side", "goes_on"), [("BUY", False), ("SELL", True)])
def test_a_regime_ends_a_block_that_may_add_risk_and_no_other(bench: Bench, side: Any, goes_on: bool) -> None:
    for number, name in enumerate(("alice", "bob")):
        follow(bench, name, Multiplier(D(1)))
        bench.ask(f"subscriber/{name}", request(80 + number, name, "BUY", "10"))
        fill(bench, bench.sent(r.SubmitOrder)[-1].client_order_id, "10", "100", 90 + number)
    signal(bench, side=side)
    order = bench.sent(r.SubmitOrder)[-1]
    accept(bench, order.client_order_id)
    bench.ask("desk/main", DeclareRegime(regime="EMERGENCY", reason="test", by="ann"))
    cancelled = [cancel.client_order_id for cancel in bench.sent(r.CancelVenueOrder)]
    assert cancelled == ([] if goes_on else [order.client_order_id])


def test_a_block_is_one_message_to_the_venue(bench: Bench) -> None:
    one = ControlSettings(throttles=Throttles(venue=Throttle(messages=1), firm=Throttle(messages=1)))
    bench.configure(controls=one)
    for name in ("alice", "bob", "carol"):
        follow(bench, name, Multiplier(D(1)))
    signal(bench)
    assert submitted(bench).quantity == 30
    assert bench.ask("subscriber/alice", request(7)).code == "THROTTLED_VENUE"


def test_the_whole_is_bounded(bench: Bench) -> None:
    bench.configure(blocks=BlockSettings(max_quantity=D(15), accounts={"test": "MASTER"}))
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    assert submitted(bench).account == "MASTER"
    follow(bench, "bob", Multiplier(D(1)))
    signal(bench, 2)
    assert len(bench.sent(r.SubmitOrder)) == 1
    late = {part.reason for part in parts(bench).values() if part.ticket.signal_id == "s-2"}
    assert late == {"BLOCK_TOO_LARGE: quantity: 20 in all is above blocks.max_quantity 15"}


def test_the_venue_is_not_asked_about_parts(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    bench.restart()
    bench.open()
    asked = [name for ask in bench.sent(r.Reconcile) for name in ask.client_order_ids]
    assert asked
    assert not any(name.startswith("part-") for name in asked)


# Nonsense


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"subscriber_id": "alice"}, "strategy's signal"),
        ({"time_in_force": "GTC"}, "settled within its session"),
        ({"time_in_force": "GTD", "expires_at": AT.replace(hour=20)}, "settled within its session"),
        ({"group": Membership(group_id="g1", kind="OCO")}, "group:"),
        ({"instructions": Instructions(reduce_only=True)}, "use intent CLOSE"),
    ],
)
def test_what_cannot_be_a_block(fields: Any, word: str) -> None:
    problem = replace(request(1, None, block=True, time_in_force="DAY"), **fields).problem()
    assert problem is not None
    assert problem[0] == "BAD_BLOCK"
    assert word in problem[1]
