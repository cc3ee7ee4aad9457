"""An order's life: what each report leads to, and that no sequence of reports makes an order that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import events as e
from engine import reports as r
from engine.commands import Ticket
from engine.hearing import hear, started
from engine.messages import ExecutionCommand
from engine.order import TERMINAL, Order, about, after, completes, completion, patience
from engine.plan import ExecutionPlan

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
ID = "test-00000000-0001-8000-8000-000000000000"
TICKET = Ticket(
    order_id=ID,
    subscriber_id="alice",
    account="alice",
    venue="test",
    exchange="XNAS",
    symbol="AAPL",
    currency="USD",
    multiplier=D(1),
    side="BUY",
    quantity=D(10),
    order_type="LIMIT",
    limit_price=D(100),
    time_in_force="GTC",
    reserve_price=D(100),
    request_id="r-1",
    signal_id="s-1",
    strategy_id="momentum",
    approved_at=AT,
)


def order(status: Any = "SUBMITTING", **fields: Any) -> Order:
    """An order of 10 in this state; what the state implies may be given."""
    fresh = after(None, started(TICKET, AT))
    implied: dict[str, Any] = {"status": status}
    if status in TERMINAL:
        implied |= {"working": D(0), "waiting_since": None}
    if status not in ("SUBMITTING", "UNKNOWN"):
        implied["venue_order_id"] = "V1"
    if status == "PARTIALLY_FILLED":
        implied |= {"filled": D(4), "working": D(6), "executions": ("x-0",)}
    if status == "FILLED":
        implied |= {"filled": D(10), "executions": ("x-0",)}
    return replace(fresh, **(implied | fields))


def accepted() -> r.Accepted:
    return r.Accepted(client_order_id=ID, venue_order_id="V1", at=AT)


def filled(quantity: str, number: int = 1, price: str = "100") -> r.Filled:
    return r.Filled(
        client_order_id=ID, execution_id=f"x-{number}", quantity=D(quantity), price=D(price), commission=D(0), at=AT
    )


def snapshot(status: Any = "WORKING", count: str = "0", quantity: str = "10", limit: str = "100") -> r.Snapshot:
    return r.Snapshot(
        client_order_id=ID, status=status, quantity=D(quantity), limit_price=D(limit), filled=D(count), at=AT
    )


def canceled(count: str | None = None) -> r.Canceled:
    return r.Canceled(client_order_id=ID, reason="", filled=None if count is None else D(count), at=AT)


def not_found() -> r.NotFound:
    return r.NotFound(client_order_id=ID, at=AT)


def cancel_rejected() -> r.CancelRejected:
    return r.CancelRejected(client_order_id=ID, reason="no", at=AT)


def told(state: Order, *reports: Any, resendable: bool = False) -> Order:
    """The order after it heard these reports."""
    for report in reports:
        for event in hear(state, report, AT, resendable):
            state = after(state, event)
    return state


def cancelling(state: Order) -> Order:
    return after(state, e.CancelRequested(**about(state, AT), reason="asked"))


def replacing(state: Order, quantity: str) -> Order:
    event = e.ReplaceRequested(
        **about(state, AT), command_id="c-1", quantity=D(quantity), limit_price=D(100), reserve_price=D(100)
    )
    return after(state, event)


def amend(quantity: str) -> ExecutionCommand:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")
    return ExecutionCommand(command_id="c-1", subscriber_id="alice", plan=plan, order_id=ID, quantity=D(quantity))


# what each report leads to


@pytest.mark.parametrize(
    ("state", "reports", "status"),
    [
        pytest.param(order(), [accepted()], "WORKING", id="acknowledged"),
        pytest.param(order(), [filled("4"), accepted()], "PARTIALLY_FILLED", id="the fill overtook"),
        pytest.param(order(), [filled("10"), accepted()], "FILLED", id="the whole fill overtook"),
        pytest.param(order("WORKING"), [filled("4"), filled("6", 2)], "FILLED", id="filled in two"),
        pytest.param(order("WORKING"), [filled("4"), filled("4")], "PARTIALLY_FILLED", id="the same fill twice"),
        pytest.param(order("CANCELED"), [filled("4")], "CANCELED", id="late fill"),
        pytest.param(order("CANCELED"), [filled("10")], "FILLED", id="late fill of all"),
        pytest.param(order("REJECTED"), [filled("4")], "REJECTED", id="fill after reject"),
        pytest.param(order("WORKING"), [canceled()], "CANCELED", id="cancelled unasked"),
        pytest.param(order("WORKING"), [canceled("0")], "CANCELED", id="cancelled, and the count agrees"),
        pytest.param(order("WORKING"), [canceled("4")], "WORKING", id="cancelled, and a fill was missed"),
        pytest.param(
            order("WORKING"), [canceled("4"), filled("4"), snapshot("CANCELED", "4")], "CANCELED", id="and then found"
        ),
        pytest.param(order("UNKNOWN"), [accepted()], "WORKING", id="unknown turned up"),
        pytest.param(order("UNKNOWN"), [canceled()], "CANCELED", id="unknown was cancelled"),
        pytest.param(
            order("UNKNOWN"), [r.Rejected(client_order_id=ID, reason="no", at=AT)], "REJECTED", id="unknown was refused"
        ),
        pytest.param(order("UNKNOWN"), [r.Expired(client_order_id=ID, at=AT)], "EXPIRED", id="unknown expired"),
        pytest.param(
            order("UNKNOWN"),
            [r.Replaced(client_order_id=ID, quantity=D(12), limit_price=D(100), at=AT)],
            "WORKING",
            id="unknown was replaced",
        ),
        pytest.param(order(), [not_found()], "SUBMITTING", id="not found once means nothing"),
        pytest.param(order(), [not_found(), not_found()], "UNKNOWN", id="not found twice is held"),
        pytest.param(order("WORKING"), [not_found(), not_found()], "UNKNOWN", id="the venue forgot"),
        pytest.param(order("WORKING"), [not_found(), accepted()], "WORKING", id="found in between"),
        pytest.param(order(asks=1), [snapshot("REJECTED")], "REJECTED", id="asked: it was refused"),
        pytest.param(order(asks=1), [snapshot()], "WORKING", id="asked: it works"),
        pytest.param(cancelling(order("WORKING")), [cancel_rejected()], "WORKING", id="too late to cancel"),
        pytest.param(cancelling(order()), [cancel_rejected()], "SUBMITTING", id="the cancel came before the order"),
        pytest.param(cancelling(order()), [not_found(), not_found()], "UNKNOWN", id="cancelled and never known"),
        pytest.param(
            cancelling(order()), [cancel_rejected(), accepted()], "PENDING_CANCEL", id="cancelled once it turns up"
        ),
        pytest.param(
            replacing(order("WORKING"), "5"), [filled("5")], "PENDING_REPLACE", id="filled to the replacement"
        ),
        pytest.param(
            replacing(order("WORKING"), "5"),
            [filled("5"), r.Replaced(client_order_id=ID, quantity=D(5), limit_price=D(100), at=AT)],
            "FILLED",
            id="and replaced then",
        ),
        pytest.param(replacing(order("WORKING"), "20"), [filled("15")], "PENDING_REPLACE", id="the fill overtook"),
        pytest.param(
            replacing(order("WORKING"), "20"), [snapshot()], "PENDING_REPLACE", id="as it was, once: still on its way"
        ),
        pytest.param(replacing(order("WORKING"), "20"), [snapshot(), snapshot()], "WORKING", id="as it was, twice"),
        pytest.param(
            replacing(order("WORKING"), "20"), [snapshot(quantity="20")], "WORKING", id="asked: it was replaced"
        ),
    ],
)
def test_reports_move_an_order(state: Order, reports: list[Any], status: str) -> None:
    assert told(state, *reports).status == status


def test_an_order_that_the_venue_does_not_know_is_sent_again_only_where_that_is_safe() -> None:
    assert told(order(), not_found(), not_found(), resendable=True).status == "SUBMITTING"
    kinds = [type(event) for event in hear(order(misses=1), not_found(), AT, True)]
    assert kinds == [e.OrderResent]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(order(misses=1, executions=("x-0",), filled=D(4)), id="it was filled"),
        pytest.param(order(misses=1, venue_order_id="V1"), id="it was acknowledged"),
        pytest.param(order("WORKING", misses=1), id="it worked"),
        pytest.param(replace(cancelling(order()), misses=1), id="it was cancelled"),
        pytest.param(
            replace(told(cancelling(order()), cancel_rejected()), misses=1), id="it was cancelled before it was known"
        ),
    ],
)
def test_what_was_heard_of_or_cancelled_is_never_sent_again(state: Order) -> None:
    assert [type(event) for event in hear(state, not_found(), AT, True)] == [e.OrderLost]


@pytest.mark.parametrize(
    "report",
    [filled("11"), filled("0"), filled("-1"), filled("1", price="0")],
    ids=["too much", "nothing", "less than nothing", "no price"],
)
def test_an_execution_that_cannot_be_is_kept_and_not_booked(report: r.Filled) -> None:
    events = hear(order("WORKING"), report, AT)
    assert isinstance(events[0], e.ReportImpossible)
    assert not [event for event in events if isinstance(event, e.OrderFilled)]


def test_what_cannot_be_is_asked_about_once_while_the_order_is_open() -> None:
    rejected = r.Rejected(client_order_id=ID, reason="no", at=AT)
    state = order("PARTIALLY_FILLED")
    assert [type(event) for event in hear(state, rejected, AT)] == [e.ReportImpossible, e.OrderAsked]
    assert [type(event) for event in hear(told(state, rejected), rejected, AT)] == [e.ReportImpossible]
    assert [type(event) for event in hear(order("FILLED"), rejected, AT)] == [e.ReportImpossible]


def test_a_question_stays_open_when_something_else_is_heard() -> None:
    state = told(order("PARTIALLY_FILLED", asks=1, waiting_since=AT), filled("1"))
    assert state.waiting_since is not None
    assert patience(state, 5, 2) == 2


def test_a_cancel_does_not_make_an_open_question_forgotten() -> None:
    state = told(cancelling(order("WORKING", asks=2, waiting_since=AT)), cancel_rejected())
    assert state.status == "WORKING"
    assert state.waiting_since is not None


def test_a_replacement_does_not_make_an_open_question_forgotten() -> None:
    rejected = r.ReplaceRejected(client_order_id=ID, reason="no", at=AT)
    state = told(replacing(order("WORKING", asks=2, waiting_since=AT), "20"), rejected)
    assert state.status == "WORKING"
    assert state.waiting_since is not None


def test_a_replacement_that_was_taken_after_all_makes_room_for_its_executions() -> None:
    state = order("WORKING", asks=1, waiting_since=AT)
    answer = [filled("4"), filled("12", 2), snapshot("FILLED", "16", "16")]
    assert told(state, *answer).quantity == 16
    assert told(state, *answer, *answer).status == "FILLED"


def test_a_cancel_refused_in_the_middle_of_a_replacement_leaves_the_replacement() -> None:
    state = told(cancelling(replacing(order("WORKING", venue_order_id=None), "15")), cancel_rejected())
    assert state.status == "PENDING_REPLACE"
    assert told(state, filled("1")).status == "PENDING_REPLACE"


def test_an_order_that_was_sent_again_and_is_found_is_asked_about() -> None:
    again = after(order(), e.OrderResent(**about(order(), AT)))
    assert told(again, accepted()).waiting_since is not None


def test_an_execution_counts_once() -> None:
    state = told(order("WORKING"), filled("3"), filled("3"))
    assert (state.filled, state.executions) == (D(3), ("x-1",))
    assert hear(state, filled("3"), AT) == ()


def test_a_fill_is_no_acknowledgement() -> None:
    assert patience(told(order(), filled("3")), 5, 2) == 5
    assert patience(told(order(), filled("3"), accepted()), 5, 2) is None


def test_a_snapshot_that_nobody_asked_for_changes_nothing() -> None:
    assert hear(order("WORKING", waiting_since=None), snapshot(quantity="7"), AT) == ()


def test_a_snapshot_that_was_asked_for_is_adopted_with_its_terms() -> None:
    state = told(order("WORKING", asks=1), snapshot(quantity="7"))
    assert (state.quantity, state.working) == (D(7), D(7))


def test_a_snapshot_that_counts_otherwise_is_asked_again_and_then_an_alarm() -> None:
    state = order(asks=1)
    for _ in range(2):
        state = told(state, snapshot(count="4"))
        assert state.status == "SUBMITTING"
    assert told(state, snapshot(count="4")).status == "UNKNOWN"
    assert hear(told(state, snapshot(count="4")), snapshot(count="4"), AT) == ()


def test_fills_up_to_a_replacement_that_was_never_answered_can_come_after_the_cancel() -> None:
    state = told(cancelling(replacing(order("WORKING"), "40")), filled("14"), canceled())
    assert state.status == "CANCELED"
    assert told(state, filled("17", 2)).filled == 31


def test_a_replacement_that_got_lost_with_its_order_is_answered_when_the_order_turns_up() -> None:
    lost = told(replacing(order("WORKING"), "20"), not_found(), not_found())
    assert (lost.status, lost.replacement is not None) == ("UNKNOWN", True)
    assert told(lost, accepted()).status == "PENDING_REPLACE"
    assert told(lost, filled("1")).status == "PENDING_REPLACE"


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (order(), 5),
        (order(asks=1), 2),
        (order(misses=1), 2),
        (order("UNKNOWN", asks=4), 20),
        (order("WORKING", waiting_since=None), None),
    ],
)
def test_how_long_an_order_waits_before_it_asks(state: Order, seconds: int | None) -> None:
    assert patience(state, 5, 2) == seconds


# any sequence of reports


QUANTITIES = st.integers(1, 12).map(D)
ANY_REPORT = st.one_of(
    st.just(accepted()),
    st.builds(lambda q, n: filled(str(q), n), QUANTITIES, st.integers(1, 6)),
    st.builds(canceled, st.none() | st.integers(0, 12).map(str)),
    st.just(r.Rejected(client_order_id=ID, reason="no", at=AT)),
    st.just(r.Expired(client_order_id=ID, at=AT)),
    st.builds(lambda q: r.Replaced(client_order_id=ID, quantity=q, limit_price=D(100), at=AT), QUANTITIES),
    st.just(cancel_rejected()),
    st.just(r.ReplaceRejected(client_order_id=ID, reason="no", at=AT)),
    st.builds(
        lambda s, f, q: snapshot(s, str(f), str(q)),
        st.sampled_from(["WORKING", "FILLED", "CANCELED", "REJECTED", "EXPIRED"]),
        st.integers(0, 12),
        QUANTITIES,
    ),
    st.just(not_found()),
)
ANY_MOVE = st.one_of(ANY_REPORT, st.just("cancel"), QUANTITIES)


def moves(state: Order, move: Any, resendable: bool) -> tuple[e.OrderEvent, ...]:
    """What one move leads to: a report, a cancel, or a replacement by a quantity."""
    if isinstance(move, Decimal):
        if completes(state, amend(str(move))):
            return completion(state, "c", AT)
        if state.status not in ("WORKING", "PARTIALLY_FILLED"):
            return ()
        fields: dict[str, Any] = {"command_id": "c", "quantity": move, "limit_price": D(100), "reserve_price": D(100)}
        return (e.ReplaceRequested(**about(state, AT), **fields),)
    if move == "cancel":
        cancel = e.CancelRequested(**about(state, AT), reason="asked")
        return (cancel,) if state.open and state.status != "PENDING_CANCEL" else ()
    return hear(state, move, AT + timedelta(seconds=1), resendable)


@settings(deadline=None, max_examples=500)
@given(st.lists(ANY_MOVE, max_size=25), st.booleans())
def test_no_sequence_of_reports_makes_an_order_that_cannot_be(sequence: list[Any], resendable: bool) -> None:
    state, recorded = order(), []
    for move in sequence:
        for event in moves(state, move, resendable):
            before, state = state, after(state, event)
            recorded.append(event)
            most = state.quantity if state.replacement is None else max(state.quantity, state.replacement.quantity)
            assert state.filled <= most
            assert state.working >= 0
            assert state.reserved >= 0
            assert before.filled <= state.filled
            assert len(set(state.executions)) == len(state.executions)
            if before.status in TERMINAL:
                assert state.status in (before.status, "FILLED")
                assert isinstance(event, e.OrderFilled | e.ReportImpossible)
            if state.status in TERMINAL:
                assert not state.working
                assert state.replacement is None
            if state.status in ("WORKING", "PARTIALLY_FILLED"):
                assert state.working == state.quantity - state.filled > 0
                assert state.replacement is None
    again = order()
    for event in recorded:
        again = after(again, event)
    assert again == state


@settings(deadline=None, max_examples=200)
@given(st.lists(ANY_REPORT, max_size=25))
def test_an_order_that_waits_for_the_venue_never_stops_asking(sequence: list[Any]) -> None:
    state = told(order(), *sequence)
    if state.status in ("SUBMITTING", "PENDING_CANCEL", "PENDING_REPLACE", "UNKNOWN"):
        assert patience(state, 5, 2) is not None
