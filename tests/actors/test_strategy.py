"""A strategy tells its signals to who follows it, once each."""

from __future__ import annotations

import pytest

from engine import events as e
from engine.messages import Subscription
from engine.methods import FixedQuantity, Multiplier
from tests.actors.bench import Bench, D, request, subscriber


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


def follow(active: bool = True, strategy: str = "momentum") -> Subscription:
    return Subscription(strategy_id=strategy, allocation=Multiplier(D("0.5")), active=active)


def test_a_signal_reaches_every_active_follower(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.join("bob", Subscription(strategy_id="momentum", allocation=FixedQuantity(D(3))))
    bench.join("carol", follow(active=False))
    bench.join("dan")
    assert bench.ask("strategy/momentum", request(1, None)).status == "ACCEPTED"
    tickets = {event.subscriber_id: event.tickets[0].quantity for event in bench.events(e.RequestAccepted)}
    assert tickets == {"alice": D(5), "bob": D(3)}
    assert bench.events(e.RequestDenied) == []


def test_a_signal_makes_no_dead_letters(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.ask("strategy/momentum", request(1, None))
    assert bench.events(e.DeadLettered) == []


def test_a_repeated_signal_is_decided_once_by_each_follower(bench: Bench) -> None:
    bench.join("alice", follow())
    for _ in range(3):
        bench.ask("strategy/momentum", request(1, None))
    assert len(bench.events(e.RequestAccepted)) == 1


def test_who_follows_later_decides_about_a_repeated_signal_then(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.ask("strategy/momentum", request(1, None))
    bench.join("bob", follow())
    bench.ask("strategy/momentum", request(1, None))
    assert [event.subscriber_id for event in bench.events(e.RequestAccepted)] == ["alice", "bob"]


def test_a_strategy_without_followers_says_so(bench: Bench) -> None:
    assert bench.ask("strategy/momentum", request(1, None)).code == "NO_SUBSCRIBERS"


def test_an_upsert_that_drops_a_subscription_ends_it(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.tell("subscriber/alice", subscriber("alice"))
    assert bench.ask("strategy/momentum", request(1, None)).code == "NO_SUBSCRIBERS"


def test_an_upsert_that_makes_a_subscription_inactive_ends_it_until_it_is_active_again(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.tell("subscriber/alice", subscriber("alice", follow(active=False)))
    assert bench.ask("strategy/momentum", request(1, None)).code == "NO_SUBSCRIBERS"
    bench.tell("subscriber/alice", subscriber("alice", follow()))
    assert bench.ask("strategy/momentum", request(2, None)).status == "ACCEPTED"


def test_one_more_follower_is_one_more_row(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.post("subscriber/bob", subscriber("bob", follow()))
    batch = bench.run()
    assert batch is not None
    assert [part for address, part in batch.states if address == "strategy/momentum"] == ["f/bob"]


def test_followers_survive_a_restart(bench: Bench) -> None:
    bench.join("alice", follow())
    bench.restart()
    bench.open()
    bench.ask("strategy/momentum", request(1, None))
    assert len(bench.events(e.RequestAccepted)) == 1
