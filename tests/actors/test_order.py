"""An order at work: what it tells its venue and its subscriber, and what it answers who commands it."""

from __future__ import annotations

from typing import Any

import pytest

from engine import events as e
from engine import reports as r
from engine.messages import ExecutionCommand
from engine.plan import ExecutionPlan
from tests.actors.bench import Bench, D, request


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice")
    return bench


def placed(bench: Bench, number: int = 1, **fields: Any) -> str:
    """An order that was sent, and is not acknowledged."""
    bench.tell("subscriber/alice", request(number, **fields))
    return str(bench.sent(r.SubmitOrder)[-1].client_order_id)


def working(bench: Bench, number: int = 1, **fields: Any) -> str:
    name = placed(bench, number, **fields)
    say(bench, name, r.Accepted, venue_order_id="V1")
    return name


def say(bench: Bench, name: str, report: type, **fields: Any) -> None:
    bench.tell(f"order/{name}", report(client_order_id=name, at=bench.now, **fields))


def fill(bench: Bench, name: str, quantity: str, number: int = 1, price: str = "100") -> None:
    say(bench, name, r.Filled, execution_id=f"x-{number}", quantity=D(quantity), price=D(price), commission=D(1))


def command(number: int, action: Any, name: str, owner: str = "alice", **fields: Any) -> ExecutionCommand:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action=action)
    return ExecutionCommand(command_id=f"c-{number}", subscriber_id=owner, plan=plan, order_id=name, **fields)


def held(bench: Bench) -> Any:
    return bench.part("subscriber/alice", "position/XNAS:AAPL")


def status(bench: Bench, name: str) -> str:
    state = bench.part(f"order/{name}")
    return "gone" if state is None else str(state.status)


def test_what_is_approved_is_what_is_sent(bench: Bench) -> None:
    placed(bench, limit_price="99.5", quantity="7")
    (sent,) = bench.sent(r.SubmitOrder)
    assert (sent.side, sent.quantity, sent.limit_price, sent.time_in_force) == ("BUY", D(7), D("99.5"), "GTC")


def test_a_fill_is_booked_with_its_part_of_the_reservation(bench: Bench) -> None:
    name = working(bench, limit_price="100")
    assert (held(bench).working_buy, held(bench).reserved_buy) == (D(10), D(1000))
    fill(bench, name, "4", price="99")
    assert (held(bench).quantity, held(bench).working_buy, held(bench).reserved_buy) == (D(4), D(6), D(600))
    assert bench.part("subscriber/alice", "cash/USD").amount == D(100000 - 4 * 99 - 1)


def test_the_same_execution_is_booked_once_even_after_a_restart(bench: Bench) -> None:
    name = working(bench)
    fill(bench, name, "4")
    bench.restart()
    fill(bench, name, "4")
    assert len(bench.events(e.FillBooked)) == 1


@pytest.mark.parametrize("end", ["Canceled", "Expired", "Rejected"])
def test_an_order_that_is_over_gives_its_reservation_back(bench: Bench, end: str) -> None:
    name = working(bench)
    say(bench, name, getattr(r, end), **({} if end == "Expired" else {"reason": "over"}))
    assert (held(bench).working_buy, held(bench).reserved_buy) == (0, 0)


def test_a_late_fill_on_a_cancelled_order_is_booked(bench: Bench) -> None:
    name = working(bench)
    say(bench, name, r.Canceled, reason="asked")
    assert status(bench, name) == "gone"
    fill(bench, name, "4")
    assert held(bench).quantity == 4


def test_a_fill_of_a_rejected_order_is_booked_and_alarmed(bench: Bench) -> None:
    name = placed(bench)
    say(bench, name, r.Rejected, reason="no")
    fill(bench, name, "4")
    assert held(bench).quantity == 4
    assert "FILL_AFTER_REJECT" in bench.alarms()


def test_an_overfill_is_not_booked_and_alarmed(bench: Bench) -> None:
    fill(bench, working(bench), "11")
    assert held(bench).quantity == 0
    assert "IMPOSSIBLE_REPORT" in bench.alarms()


def test_a_report_of_an_order_that_nobody_made_is_an_alarm(bench: Bench) -> None:
    name = "test-00000000-0001-8000-8000-000000000000"
    fill(bench, name, "1")
    assert list(bench.alarms()) == ["UNKNOWN_ORDER"]
    assert bench.events(e.OrderEvent) == []


def test_silence_is_asked_about_and_never_taken_for_an_answer(bench: Bench) -> None:
    name = placed(bench)
    bench.wait(600)
    assert len(bench.sent(r.Reconcile)) == 1
    assert status(bench, name) == "SUBMITTING"


def test_what_the_venue_never_heard_of_is_held_with_an_alarm(bench: Bench) -> None:
    name = placed(bench)
    bench.wait(5)
    say(bench, name, r.NotFound)
    bench.wait(2)
    say(bench, name, r.NotFound)
    assert status(bench, name) == "UNKNOWN"
    assert list(bench.alarms()) == ["ORDER_UNKNOWN"]
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert held(bench).working_buy == 10


def test_it_is_sent_again_only_to_a_venue_that_de_duplicates(bench: Bench) -> None:
    bench.open(deduplicates=True)
    name = placed(bench)
    bench.wait(5)
    say(bench, name, r.NotFound)
    assert len(bench.sent(r.SubmitOrder)) == 1
    bench.wait(2)
    say(bench, name, r.NotFound)
    first, second = bench.sent(r.SubmitOrder)
    assert first == second


def test_an_order_that_turns_up_after_all_is_adopted(bench: Bench) -> None:
    name = placed(bench)
    for _ in range(2):
        say(bench, name, r.NotFound)
    say(bench, name, r.Accepted, venue_order_id="V1")
    assert status(bench, name) == "WORKING"


def test_a_venue_that_never_answers_is_an_alarm_and_the_order_stays_open(bench: Bench) -> None:
    name = placed(bench)
    for _ in range(6):
        bench.wait(30)
    assert "NO_ANSWER" in set(bench.alarms())
    assert bench.part(f"order/{name}").status == "SUBMITTING"


def test_a_venue_that_forgets_the_end_of_the_day_is_asked_now_and_then(bench: Bench) -> None:
    name = working(bench, time_in_force="DAY")
    bench.wait(24 * 3600)
    asked = len(bench.sent(r.Reconcile))
    assert asked == 1
    works = {"status": "WORKING", "quantity": D(10), "filled": D(0), "venue_order_id": "V1"}
    say(bench, name, r.Snapshot, **works)
    bench.wait(1)
    assert len(bench.sent(r.Reconcile)) == asked
    bench.wait(20)
    assert len(bench.sent(r.Reconcile)) == asked + 1


# commands


def test_a_cancel_is_asked_for_and_answered(bench: Bench) -> None:
    name = working(bench)
    answer = bench.ask("subscriber/alice", command(1, "CANCEL_ORDER", name))
    assert (answer.status, answer.orders) == ("ACCEPTED", (name,))
    (sent,) = bench.sent(r.CancelVenueOrder)
    assert (sent.client_order_id, sent.venue_order_id) == (name, "V1")


def test_a_cancel_that_is_not_answered_is_asked_for_again(bench: Bench) -> None:
    name = working(bench)
    bench.ask("subscriber/alice", command(1, "CANCEL_ORDER", name))
    bench.wait(5)
    say(bench, name, r.Snapshot, status="WORKING", quantity=D(10), filled=D(0), venue_order_id="V1")
    assert len(bench.sent(r.CancelVenueOrder)) == 2


def test_a_cancel_that_came_before_the_order_is_not_forgotten(bench: Bench) -> None:
    name = placed(bench)
    bench.ask("subscriber/alice", command(1, "CANCEL_ORDER", name))
    say(bench, name, r.CancelRejected, reason="unknown order")
    assert status(bench, name) == "SUBMITTING"
    say(bench, name, r.Accepted, venue_order_id="V1")
    assert status(bench, name) == "PENDING_CANCEL"
    assert len(bench.sent(r.CancelVenueOrder)) == 2


def test_somebody_elses_order_cannot_be_cancelled(bench: Bench) -> None:
    bench.join("bob")
    answer = bench.ask("subscriber/bob", command(1, "CANCEL_ORDER", working(bench), "bob"))
    assert answer.code == "UNKNOWN_ORDER"
    assert bench.sent(r.CancelVenueOrder) == []


def test_an_order_that_is_over_cannot_be_cancelled(bench: Bench) -> None:
    name = working(bench)
    fill(bench, name, "10")
    assert bench.ask("subscriber/alice", command(1, "CANCEL_ORDER", name)).code == "ORDER_CLOSED"


def test_a_command_given_twice_is_answered_with_its_first_outcome(bench: Bench) -> None:
    name = working(bench)
    cancel = command(1, "CANCEL_ORDER", name)
    first, second = bench.ask("subscriber/alice", cancel), bench.ask("subscriber/alice", cancel)
    assert (second.status, second.original) == ("EXISTS", first)


def test_a_command_given_twice_while_its_order_is_loaded_is_answered_once(bench: Bench) -> None:
    name = working(bench)
    fill(bench, name, "10")
    cancel = command(1, "CANCEL_ORDER", name)
    bench.post("subscriber/alice", cancel, sender="reply/a")
    bench.post("subscriber/alice", cancel, sender="reply/b")
    answers = {letter.to: letter.message.status for letter in bench.settle()}
    assert answers == {"reply/a": "DENIED", "reply/b": "EXISTS"}
    assert len(bench.events(e.CommandDecided)) == 1


def test_a_modification_reserves_the_worse_of_both_until_it_is_answered(bench: Bench) -> None:
    name = working(bench, limit_price="100")
    more = command(1, "MODIFY_ORDER", name, quantity=D(20))
    assert bench.ask("subscriber/alice", more).status == "ACCEPTED"
    assert (held(bench).working_buy, held(bench).reserved_buy) == (D(20), D(2000))
    say(bench, name, r.ReplaceRejected, reason="no")
    assert (held(bench).working_buy, held(bench).reserved_buy) == (D(10), D(1000))


def test_a_modification_that_is_taken_changes_the_order(bench: Bench) -> None:
    name = working(bench, limit_price="100")
    bench.ask("subscriber/alice", command(1, "MODIFY_ORDER", name, quantity=D(5), limit_price=D(99)))
    say(bench, name, r.Replaced, quantity=D(5), limit_price=D(99))
    assert (held(bench).working_buy, held(bench).reserved_buy) == (D(5), D(495))
    assert bench.part(f"order/{name}").limit_price == D(99)


def test_a_modification_past_a_limit_is_denied(bench: Bench) -> None:
    bench.join("alice", max_order_quantity=D(15))
    name = working(bench, limit_price="100")
    more = command(1, "MODIFY_ORDER", name, quantity=D(20))
    assert bench.ask("subscriber/alice", more).code == "MAX_ORDER_QUANTITY"
    assert bench.sent(r.ReplaceVenueOrder) == []


@pytest.mark.parametrize(
    ("code", "state", "fields"),
    [
        ("NOT_MODIFIABLE", "placed", {"quantity": D(5)}),
        ("UNEXPECTED_PRICE", "market", {"limit_price": D(100)}),
    ],
)
def test_what_cannot_be_modified(bench: Bench, code: str, state: str, fields: dict[str, Any]) -> None:
    limit = {} if state == "market" else {"limit_price": "100"}
    name = placed(bench, **limit) if state == "placed" else working(bench, **limit)
    if state == "filled":
        fill(bench, name, "4")
    assert bench.ask("subscriber/alice", command(1, "MODIFY_ORDER", name, **fields)).code == code


def test_a_venue_that_does_not_modify_is_not_asked_to(bench: Bench) -> None:
    bench.open(modify=False)
    name = working(bench, limit_price="100")
    modify = command(1, "MODIFY_ORDER", name, quantity=D(5))
    assert bench.ask("subscriber/alice", modify).code == "VENUE_CANNOT"
