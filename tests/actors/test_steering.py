"""Aims: steered until they are reached or fail, and never passed by their own orders."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine import events as e
from engine import reports as r
from engine import target_events as t
from engine.commands import Kill, SetStatus
from engine.messages import ExecutionCommand
from tests.actors.aiming import (
    aapl,
    aim,
    ask,
    cancelled,
    cancels,
    fill,
    hear,
    held,
    hold,
    newest,
    plan,
    positions,
    sends,
    sent,
    target,
    trading,
    works,
)
from tests.actors.bench import Bench, D, request


@pytest.fixture
def bench() -> Bench:
    return trading()


# a newer target


def test_a_newer_target_keeps_what_fits_and_sends_the_rest(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    (second,) = sends(bench, 2, "15")
    assert (sent(bench), cancels(bench)) == (["BUY 10", "BUY 5"], [])
    assert bench.events(t.TargetsDecided)[1].tickers[0].supersedes == "t-1"
    fill(bench, first, 10)
    fill(bench, second, 5)
    assert [reached.signal_id for reached in bench.events(t.TargetReached)] == ["t-2"]


def test_a_newer_target_cancels_what_does_not_fit_and_waits_for_it(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    assert sends(bench, 2, "4") == []
    assert (cancels(bench), sent(bench)) == ([first], ["BUY 10"])
    fill(bench, first, 3)
    assert sent(bench) == ["BUY 10"]
    cancelled(bench, first)
    assert sent(bench) == ["BUY 10", "BUY 1"]
    fill(bench, newest(bench), 1)
    assert (held(bench), len(bench.events(t.TargetReached))) == (4, 1)


def test_what_an_older_order_filled_too_much_is_sold_again_only_when_it_is_over(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    fill(bench, first, 6)
    assert sent(bench) == ["BUY 10", "SELL 2"]
    fill(bench, first, 4)
    assert sent(bench) == ["BUY 10", "SELL 2", "SELL 4"]


def test_the_other_side_is_sent_at_once_within_what_is_held(bench: Bench) -> None:
    hold(bench, 1, 10)
    (first,) = sends(bench, 1, "20")
    works(bench, first)
    (second,) = sends(bench, 2, "5")
    assert (cancels(bench), sent(bench)[2:]) == ([first], ["SELL 5"])
    cancelled(bench, first)
    fill(bench, second, 5)
    assert (held(bench), aim(bench)) == (5, None)


def test_a_flip_is_one_order_or_two_as_the_venue_wants_it(bench: Bench) -> None:
    hold(bench, 1, 10)
    sends(bench, 1, "-5")
    assert sent(bench)[1:] == ["SELL 15"]


def test_a_flip_closes_first_where_the_venue_wants_it(bench: Bench) -> None:
    bench.open(closes_first=True)
    hold(bench, 1, 10)
    (closing,) = sends(bench, 1, "-5")
    assert sent(bench)[1:] == ["SELL 10"]
    fill(bench, closing, 10)
    assert sent(bench)[1:] == ["SELL 10", "SELL 5"]
    fill(bench, newest(bench), 5)
    assert (held(bench), aim(bench)) == (-5, None)


def test_a_restart_forgets_no_aim(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    bench.restart()
    bench.open()
    cancelled(bench, first)
    assert sent(bench) == ["BUY 10", "BUY 4"]
    assert aim(bench).signal_id == "t-2"


def test_a_newer_set_that_is_refused_leaves_the_older_target(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    assert ask(bench, aapl(2, "5000")).code == "MAX_LEVERAGE"
    assert (cancels(bench), aim(bench).signal_id) == ([], "t-1")


def test_a_newer_target_that_is_met_ends_the_older_one_once_its_order_is_over(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "0")
    answer = ask(bench, aapl(3, "0"))
    assert (answer.reason, aim(bench).signal_id) == ("NOOP: every position is where it should be", "t-3")
    cancelled(bench, first)
    assert (aim(bench), sent(bench)) == (None, ["BUY 10"])


# orders of other decisions


def test_an_order_of_another_decision_is_counted_on_and_never_cancelled(bench: Bench) -> None:
    other = ask(bench, request(1, quantity="10", limit_price="99")).orders[0]
    works(bench, other)
    (own,) = sends(bench, 1, "15")
    assert sent(bench)[1:] == ["BUY 5"]
    fill(bench, own, 5)
    assert bench.events(t.TargetReached) == []
    assert sends(bench, 2, "8") == []
    assert cancels(bench) == []
    fill(bench, other, 10)
    assert sent(bench)[2:] == ["SELL 7"]


def test_a_target_that_rests_on_another_decision_s_order_is_reached_when_that_fills(bench: Bench) -> None:
    other = ask(bench, request(1, quantity="10", limit_price="99")).orders[0]
    works(bench, other)
    answer = ask(bench, aapl(1, "10"))
    assert (answer.status, answer.reason, answer.orders) == (
        "ACCEPTED",
        "XNAS:AAPL waits for BUY orders of other decisions",
        (),
    )
    (line,) = bench.events(t.TargetsDecided)[0].tickers
    assert line.status == "WORKING"
    assert line.sentence.endswith("0 missing: wait for BUY orders of other decisions")
    fill(bench, other, 4)
    assert bench.events(t.TargetReached) == []
    bench.restart()
    bench.open()
    fill(bench, other, 6)
    assert ([reached.position for reached in bench.events(t.TargetReached)], aim(bench)) == ([10], None)
    assert sent(bench) == ["BUY 10"]


def test_what_another_decision_s_order_does_not_fill_is_sent_when_it_is_over(bench: Bench) -> None:
    other = ask(bench, request(1, quantity="10", limit_price="99")).orders[0]
    works(bench, other)
    sends(bench, 1, "10")
    fill(bench, other, 4)
    cancelled(bench, other)
    assert sent(bench) == ["BUY 10", "BUY 6"]
    fill(bench, newest(bench), 6)
    assert ([reached.position for reached in bench.events(t.TargetReached)], aim(bench)) == ([10], None)


def test_orders_of_other_decisions_that_are_even_may_not_end_so(bench: Bench) -> None:
    buys = ask(bench, request(1, quantity="5", limit_price="99")).orders[0]
    sells = ask(bench, request(2, side="SELL", quantity="5", limit_price="101")).orders[0]
    works(bench, buys)
    works(bench, sells)
    assert sends(bench, 1, "0") == []
    fill(bench, buys, 5)
    assert (aim(bench).children, sent(bench)[2:]) == ((), [])
    cancelled(bench, sells)
    assert sent(bench)[2:] == ["SELL 5"]


# failures


def test_a_rejected_order_fails_its_target_for_good(bench: Bench) -> None:
    (order,) = sends(bench, 1, "10")
    hear(bench, order, r.Rejected, reason="no")
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.order_id, aim(bench)) == ("ORDER_REJECTED", order, None)
    assert failed.reason == f"order {order} ended REJECTED: no"
    hold(bench, 1, 3)
    assert sent(bench) == ["BUY 10", "BUY 3"]


def test_what_a_person_cancels_is_not_sent_again(bench: Bench) -> None:
    (order,) = sends(bench, 1, "10")
    works(bench, order)
    fill(bench, order, 4)
    command = ExecutionCommand(
        command_id="c-1", subscriber_id="alice", plan=replace(plan(), action="CANCEL_ORDER"), order_id=order
    )
    ask(bench, command)
    cancelled(bench, order)
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.position, sent(bench)) == ("ORDER_CANCELED", 4, ["BUY 10"])


def test_a_failed_target_s_other_orders_are_known_to_a_newer_one(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    (second,) = sends(bench, 2, "15")
    hear(bench, second, r.Rejected, reason="no")
    assert (aim(bench).status, [child.order_id for child in aim(bench).children]) == ("FAILED", [first])
    sends(bench, 3, "2")
    assert cancels(bench) == [first]
    cancelled(bench, first)
    assert sent(bench)[2:] == ["BUY 2"]


def test_a_failed_target_is_forgotten_with_its_last_order(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    (second,) = sends(bench, 2, "15")
    hear(bench, second, r.Rejected, reason="no")
    fill(bench, first, 4)
    assert aim(bench).children[0].leaves == D(6)
    fill(bench, first, 6)
    assert (aim(bench), sent(bench)[2:], bench.events(t.TargetReached)) == (None, [], [])


def test_a_later_wave_that_risk_refuses_fails_the_target(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    bench.wait(61)
    cancelled(bench, first)
    (failed,) = bench.events(t.TargetFailed)
    assert (failed.code, failed.signal_id, sent(bench)) == ("NO_REFERENCE_PRICE", "t-2", ["BUY 10"])


def test_an_order_that_the_venue_will_not_cancel_is_counted_on_to_fill(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    hear(bench, first, r.CancelRejected, reason="too late")
    assert (aim(bench).children[0].asked, cancels(bench)) == ("REFUSED", [first])
    fill(bench, first, 10)
    assert sent(bench) == ["BUY 10", "SELL 6"]


def test_a_newer_target_asks_again_for_a_cancel_that_was_refused(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    hear(bench, first, r.CancelRejected, reason="busy")
    works(bench, first)
    sends(bench, 3, "3")
    assert cancels(bench) == [first, first]


def test_a_kill_fails_what_was_steered(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    bench.ask("desk/main", Kill(reason="x", by="ann"))
    cancelled(bench, first)
    assert [failed.code for failed in bench.events(t.TargetFailed)] == ["ORDER_CANCELED"]


def test_a_plain_order_makes_no_event_of_targets(bench: Bench) -> None:
    hold(bench, 1, 10)
    assert bench.events(t.TargetEvent) == []
    assert len(bench.events(e.FillBooked)) == 1


# what else moves the position


def test_what_another_decision_fills_is_taken_off_what_is_on_its_way(bench: Bench) -> None:
    (own,) = sends(bench, 1, "10")
    works(bench, own)
    hold(bench, 1, 5)
    assert (cancels(bench), sent(bench)) == ([own], ["BUY 10", "BUY 5"])
    cancelled(bench, own)
    assert sent(bench)[2:] == ["BUY 5"]
    fill(bench, newest(bench), 5)
    assert (held(bench), aim(bench)) == (10, None)


def test_a_newer_target_that_waits_for_nothing_ends_one_that_waited(bench: Bench) -> None:
    works(bench, ask(bench, request(1, quantity="10", limit_price="99")).orders[0])
    assert sends(bench, 1, "8") == []
    assert aim(bench).children == ()
    (other,) = (message.client_order_id for message in bench.sent(r.SubmitOrder))
    cancelled(bench, other)
    fill(bench, newest(bench), 8)
    works(bench, ask(bench, request(2, quantity="10", limit_price="99")).orders[0])
    assert sends(bench, 2, "9") == []
    assert aim(bench).children == ()
    cancelled(bench, newest(bench))
    assert sent(bench)[3:] == ["BUY 1"]
    assert ask(bench, aapl(3, "8")).orders == ()
    cancelled(bench, newest(bench))
    assert (aim(bench), bench.stored("subscriber/alice", "target/XNAS:AAPL")) == (None, None)


def test_a_later_wave_closes_first_too(bench: Bench) -> None:
    bench.open(closes_first=True)
    hold(bench, 1, 10)
    (more,) = sends(bench, 1, "15")
    works(bench, more)
    (closing,) = sends(bench, 2, "-5")
    cancelled(bench, more)
    assert sent(bench)[1:] == ["BUY 5", "SELL 10"]
    fill(bench, closing, 10)
    assert sent(bench)[3:] == ["SELL 5"]


def test_who_may_not_trade_any_more_sends_no_later_wave(bench: Bench) -> None:
    (first,) = sends(bench, 1, "10")
    works(bench, first)
    sends(bench, 2, "4")
    ask(bench, SetStatus(status="PAUSED", reason="x", by="ann"))
    cancelled(bench, first)
    assert [failed.code for failed in bench.events(t.TargetFailed)] == ["SUBSCRIBER_PAUSED"]
    assert sent(bench) == ["BUY 10"]


def test_a_refused_replacement_is_no_refused_cancel(bench: Bench) -> None:
    (first,) = ask(bench, positions(1, target("AAPL", "10", limit_price=D(99)))).orders
    works(bench, first)
    command = ExecutionCommand(
        command_id="c-1",
        subscriber_id="alice",
        plan=replace(plan(), action="MODIFY_ORDER"),
        order_id=first,
        quantity=D(9),
    )
    assert ask(bench, command).status == "ACCEPTED"
    sends(bench, 2, "4")
    hear(bench, first, r.ReplaceRejected, reason="no")
    assert [child.asked for child in aim(bench).children] == ["CANCEL"]
