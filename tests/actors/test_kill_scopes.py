"""A kill of one subscriber, strategy, symbol or venue stops that and nothing else, at the decision and at the gate."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import json

from actors import partition as bounds
from engine import events as e
from engine import reports as r
from engine.commands import Kill, Resume, SubmitChild
from engine.messages import ExecutionCommand, ExecutionPlan
from engine.work import WorkEnded
from tests.actors.bench import Bench, D, request

SCOPES = [
    ("subscriber", "alice"),
    ("strategy", "momentum"),
    ("symbol", "AAPL"),
    ("symbol", "XNAS:AAPL"),
    ("venue", "test"),
]
OTHERS = [("subscriber", "bob"), ("strategy", "value"), ("symbol", "FUT"), ("symbol", "XLON:AAPL"), ("venue", "other")]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice")
    bench.join("bob")
    return bench


def kill(bench: Bench, scope: Any, name: str) -> Any:
    return bench.ask("desk/main", Kill(reason="odd orders", by="ann", scope=scope, name=name))


def resume(bench: Bench, scope: Any, name: str, reason: str = "looked into") -> Any:
    return bench.ask("desk/main", Resume(reason=reason, by="bea", scope=scope, name=name))


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_what_is_killed_takes_no_request_and_cancels_what_is_open(bench: Bench, scope: str, name: str) -> None:
    order = bench.ask("subscriber/alice", request(1)).orders[0]
    answer = kill(bench, scope, name)
    assert (answer.status, answer.reason) == (
        "ACCEPTED",
        f"killed {scope} {name}; 1 open orders are being cancelled",
    )
    assert [cancel.client_order_id for cancel in bench.sent(r.CancelVenueOrder)] == [order]
    refused = bench.ask("subscriber/alice", request(2))
    assert refused.code == f"KILLED_{scope.upper()}"
    assert "killed by ann: odd orders" in refused.reason


@pytest.mark.parametrize(("scope", "name"), OTHERS)
def test_what_is_not_killed_goes_on(bench: Bench, scope: str, name: str) -> None:
    bench.ask("subscriber/alice", request(1))
    kill(bench, scope, name)
    assert bench.sent(r.CancelVenueOrder) == []
    assert bench.ask("subscriber/alice", request(2)).status == "ACCEPTED"


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_a_kill_of_a_scope_survives_a_restart_and_ends_with_its_own_resume(bench: Bench, scope: str, name: str) -> None:
    kill(bench, scope, name)
    bench.restart()
    bench.open()
    assert bench.ask("subscriber/alice", request(1)).code == f"KILLED_{scope.upper()}"
    bench.ask("desk/main", Resume(reason="of all", by="bea"))
    assert bench.ask("subscriber/alice", request(2)).code == f"KILLED_{scope.upper()}"
    assert resume(bench, scope, name).status == "ACCEPTED"
    assert bench.ask("subscriber/alice", request(3)).status == "ACCEPTED"
    assert bench.part("desk/main").controls is None


def test_a_kill_in_the_same_batch_stops_what_comes_after_it(bench: Bench) -> None:
    bench.post("subscriber/alice", request(1))
    bench.post("desk/main", Kill(reason="x", by="ann", scope="symbol", name="AAPL"))
    bench.post("subscriber/alice", request(2))
    bench.settle()
    assert len(bench.sent(r.SubmitOrder)) == len(bench.sent(r.CancelVenueOrder)) == 1


def test_kills_of_scopes_are_idempotent_and_events_with_a_name(bench: Bench) -> None:
    for _ in range(2):
        assert kill(bench, "strategy", "momentum").status == "ACCEPTED"
    (event,) = bench.events(e.Killed)
    assert (event.scope, event.name, event.reason, event.by) == ("strategy", "momentum", "odd orders", "ann")


@pytest.mark.parametrize(
    ("code", "name", "reason"), [("MISSING_REASON", "alice", "  "), ("NOT_IN_FORCE", "bob", "a reason")]
)
def test_a_resume_needs_a_reason_and_a_kill(bench: Bench, code: str, name: str, reason: str) -> None:
    kill(bench, "subscriber", "alice")
    assert resume(bench, "subscriber", name, reason).code == code
    assert bench.ask("subscriber/alice", request(1)).code == "KILLED_SUBSCRIBER"


@pytest.mark.parametrize("name", ["", "a\nb", "ünï"])
def test_a_kill_of_nothing_that_can_be_is_refused(bench: Bench, name: str) -> None:
    assert kill(bench, "symbol", name).code == "BAD_TEXT"
    assert bench.part("desk/main") is None


def test_the_gate_stops_an_order_that_was_decided_before_the_kill(bench: Bench) -> None:
    order = bench.ask("subscriber/alice", request(1)).orders[0]
    ticket = bench.part(f"order/{order}").ticket
    kill(bench, "strategy", "momentum")
    later = order[:-1] + ("f" if order[-1] != "f" else "e")
    bench.tell(
        "venue/test",
        SubmitChild(ticket=ticket, client_order_id="test-ffffffff" + later[13:], quantity=D(1), limit_price=None),
    )
    assert [stopped.code for stopped in bench.events(e.ChildStopped)] == ["KILLED_STRATEGY"]
    assert len(bench.sent(r.SubmitOrder)) == 1


def test_no_order_is_changed_while_it_is_killed(bench: Bench) -> None:
    order = bench.ask("subscriber/alice", request(1, limit_price="100")).orders[0]
    bench.tell(f"order/{order}", r.Accepted(client_order_id=order, venue_order_id="V", at=bench.now))
    kill(bench, "symbol", "AAPL")
    bench.tell(f"order/{order}", r.CancelRejected(client_order_id=order, reason="too late", at=bench.now))
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")
    command = ExecutionCommand(
        command_id="c-1", subscriber_id="alice", plan=plan, order_id=order, quantity=D(5), limit_price=D(100)
    )
    assert bench.ask("subscriber/alice", command).code == "KILLED_SYMBOL"


def test_an_order_that_the_venue_does_not_know_is_not_sent_again_while_killed() -> None:
    bench = Bench()
    bench.open(deduplicates=True)
    bench.join("alice")
    order = bench.ask("subscriber/alice", request(1)).orders[0]
    kill(bench, "subscriber", "alice")
    bench.tell(f"order/{order}", r.CancelRejected(client_order_id=order, reason="unknown", at=bench.now))
    for _ in range(3):
        bench.wait(10)
        bench.tell(f"order/{order}", r.NotFound(client_order_id=order, at=bench.now))
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert bench.events(e.OrderResent) == []


def test_what_was_journaled_before_there_were_scopes_is_a_kill_of_all(bench: Bench) -> None:
    raw = b'{"type":"Killed","at":"2026-01-05T14:30:00Z","reason":"x","by":"ann"}'
    assert json.decode(raw, type=e.Killed).scope == "firm"


@pytest.mark.parametrize("scope", [{}, {"scope": "subscriber", "name": "alice"}, {"scope": "symbol", "name": "AAPL"}])
def test_what_was_accepted_before_a_kill_and_begins_after_it_is_over_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any]
) -> None:
    """Its start waited in the queue: the kill found nothing to cancel yet."""
    monkeypatch.setattr(bounds, "MAX_FRONT", 0)
    bench.post("subscriber/alice", request(1, order_type="STOP", stop_price=D("150")))
    bench.run()
    bench.post("desk/main", Kill(reason="test", by="ann", **scope))
    bench.partition.mail.rotate(1)
    bench.settle()
    (ended,) = bench.events(WorkEnded)
    assert (ended.status, ended.code.startswith("KILLED")) == ("CANCELED", True)
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").working_buy == 0
