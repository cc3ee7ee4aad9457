"""Which actors a partition holds in memory, when they leave and come back, and when their timers ring.

The bounds are made small here, so that a few actors meet them.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors import partition as bounds
from actors.order import OrderActor
from actors.strategy import StrategyActor
from engine import events as e
from engine.commands import Tick
from engine.reports import Filled, SubmitOrder
from tests.actors.bench import Bench, D, request, subscriber
from tests.actors.test_partition import moved


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


def test_an_order_that_is_over_leaves_memory_and_comes_back_when_spoken_to(bench: Bench) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", request(1))
    (sent,) = bench.sent(SubmitOrder)
    fill = Filled(
        client_order_id=sent.client_order_id,
        execution_id="x-1",
        quantity=D(10),
        price=D(100),
        commission=D(0),
        at=bench.now,
    )
    bench.tell(f"order/{sent.client_order_id}", fill)
    assert f"order/{sent.client_order_id}" not in bench.partition.actors
    bench.tell(f"order/{sent.client_order_id}", fill)
    assert len(bench.events(e.FillBooked)) == 1


def test_the_longest_untouched_actors_are_evicted_and_hydrated_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_RESIDENT", 10)
    bench.start()
    for number in range(40):
        bench.join(f"f-{number}")
    held = [address for address in bench.partition.actors if address.startswith("subscriber/")]
    assert 0 < len(held) < 30
    assert "subscriber/f-39" in held
    assert "subscriber/f-0" not in held
    assert bench.ask("subscriber/f-0", subscriber("f-0")).status == "ACCEPTED"
    assert bench.part("subscriber/f-0", "cash/USD").amount == D(100000)


def test_nothing_leaves_memory_before_it_is_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_RESIDENT", 2)
    bench.start()
    for number in range(20):
        bench.post(f"subscriber/f-{number}", subscriber(f"f-{number}"))
        bench.run()
    assert len([address for address in bench.partition.actors if address.startswith("subscriber/")]) == 20


def test_an_answer_that_left_memory_is_looked_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_KNOWN", 2)
    bench.join("alice")
    bench.tell("subscriber/alice", *(moved(number) for number in range(10)))
    assert bench.ask("subscriber/alice", moved(0)).status == "EXISTS"
    assert len(bench.events(e.CashMoved)) == 10


# timers


def test_a_timer_rings_when_it_is_due_and_not_before(bench: Bench) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", request(1))
    assert bench.partition.next_due == bench.now + timedelta(seconds=5)
    bench.wait(4.9)
    assert bench.events(e.OrderAsked) == []
    bench.wait(0.1)
    assert len(bench.events(e.OrderAsked)) == 1


def test_timers_are_state_and_survive_a_restart(bench: Bench) -> None:
    bench.join("alice")
    bench.tell("subscriber/alice", request(1))
    bench.restart()
    bench.open()
    asked = len(bench.events(e.OrderAsked))
    bench.wait(60)
    assert len(bench.events(e.OrderAsked)) > asked


def test_only_kinds_that_say_so_have_timers() -> None:
    assert OrderActor.timed
    assert not StrategyActor.timed
    assert Tick in OrderActor.RECEIVE
    assert Tick not in StrategyActor.RECEIVE
