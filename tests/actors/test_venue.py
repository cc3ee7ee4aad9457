"""The gate and the session of a venue: what goes out, what is stopped, and what is asked when the session comes up."""

from __future__ import annotations

import pytest

from engine import events as e
from engine import reports as r
from engine.commands import Kill, Recover, SetStatus, SubmitChild
from tests.actors.bench import Bench, request


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice")
    return bench


def down(bench: Bench) -> None:
    bench.tell("venue/test", r.SessionDown(venue="test", reason="lost", at=bench.now))


def placed(bench: Bench, number: int = 1) -> str:
    bench.tell("subscriber/alice", request(number))
    return str(bench.sent(r.SubmitOrder)[-1].client_order_id)


def test_an_order_goes_out_once(bench: Bench) -> None:
    name = placed(bench)
    ticket = bench.part(f"order/{name}").ticket
    again = SubmitChild(ticket=ticket, client_order_id=name, quantity=ticket.quantity, limit_price=None)
    bench.tell("venue/test", again)
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert [event.code for event in bench.events(e.ChildStopped)] == ["GATE_DUPLICATE"]


def test_the_gate_remembers_over_a_restart(bench: Bench) -> None:
    name = placed(bench)
    ticket = bench.part(f"order/{name}").ticket
    bench.restart()
    bench.open()
    again = SubmitChild(ticket=ticket, client_order_id=name, quantity=ticket.quantity, limit_price=None)
    bench.tell("venue/test", again)
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_an_order_that_may_not_be_sent_again_is_not_rejected_for_that(bench: Bench) -> None:
    name = placed(bench)
    ticket = bench.part(f"order/{name}").ticket
    again = SubmitChild(ticket=ticket, client_order_id=name, quantity=ticket.quantity, limit_price=None, resend=True)
    bench.tell("venue/test", again)
    assert bench.events(e.ChildStopped)[-1].code == "GATE_RESEND"
    assert bench.part(f"order/{name}").status == "SUBMITTING"


def test_when_the_session_comes_up_every_open_order_is_asked_about_at_once(bench: Bench) -> None:
    names = [placed(bench, number) for number in range(3)]
    down(bench)
    bench.open()
    (asked,) = bench.sent(r.Reconcile)
    assert list(asked.client_order_ids) == names


def test_a_question_that_is_not_answered_is_asked_again(bench: Bench) -> None:
    name = placed(bench)
    bench.tell(f"order/{name}", r.Accepted(client_order_id=name, venue_order_id="V1", at=bench.now))
    down(bench)
    bench.open()
    bench.wait(2)
    assert [asked.client_order_ids for asked in bench.sent(r.Reconcile)] == [(name,), (name,)]


def test_silence_that_fell_while_the_session_was_lost_is_asked_about_when_it_is_back(bench: Bench) -> None:
    name = placed(bench)
    down(bench)
    bench.wait(30)
    assert bench.sent(r.Reconcile) == []
    bench.open()
    bench.wait(2)
    assert [asked.client_order_ids for asked in bench.sent(r.Reconcile)] == [(name,), (name,)]


def test_while_the_session_is_down_requests_are_denied(bench: Bench) -> None:
    down(bench)
    assert bench.ask("subscriber/alice", request(1)).code == "VENUE_DOWN"
    assert "VENUE_DOWN" in bench.alarms()


def test_a_restart_takes_the_session_down(bench: Bench) -> None:
    bench.restart()
    assert not bench.part("venue/test").up


def test_recovering_alone_raises_no_alarm(bench: Bench) -> None:
    bench.tell("venue/test", Recover())
    assert list(bench.alarms()) == []


def test_a_paused_venue_takes_no_orders_until_it_is_active(bench: Bench) -> None:
    status = SetStatus(status="PAUSED", reason="lunch", by="ann")
    assert bench.ask("venue/test", status).status == "ACCEPTED"
    assert bench.ask("subscriber/alice", request(1)).code == "VENUE_PAUSED"
    bench.ask("venue/test", SetStatus(status="ACTIVE", reason="done", by="ann"))
    assert bench.ask("subscriber/alice", request(2)).status == "ACCEPTED"


def test_a_venue_is_active_or_paused(bench: Bench) -> None:
    assert bench.ask("venue/test", SetStatus(status="ON", reason="", by="ann")).code == "BAD_STATUS"


def test_cancels_pass_while_killed(bench: Bench) -> None:
    placed(bench)
    bench.tell("desk/main", Kill(reason="enough", by="ann"))
    assert len(bench.sent(r.CancelVenueOrder)) == 1
