"""Mail between partitions: taken once, in order, whatever gets lost, doubled or overtaken on the way."""

from __future__ import annotations

import pytest

from actors.journal import Mail
from engine import events as e
from engine.identity import partition_of
from engine.messages import Subscription
from engine.methods import FixedQuantity
from engine.post import Envelope, PostReceived
from tests.actors.bench import Bench, D, request, subscriber

STRATEGY = next(f"strategy-{n}" for n in range(9) if partition_of(f"strategy-{n}", 2) == 0)
FOLLOWER = next(f"trader-{n}" for n in range(9) if partition_of(f"trader-{n}", 2) == 1)


@pytest.fixture
def pair() -> tuple[Bench, Bench]:
    """Two partitions: the strategy lives in the first, its follower in the second."""
    here, there = Bench(0, 2), Bench(1, 2)
    here.open()
    there.open()
    follow = Subscription(strategy_id=STRATEGY, allocation=FixedQuantity(D(1)))
    exchange(there, here, there.tell(f"subscriber/{FOLLOWER}", subscriber(FOLLOWER, follow)))
    return here, there


def envelopes(left: list[Mail]) -> list[Envelope]:
    return [letter.message for letter in left if isinstance(letter.message, Envelope)]


def deliver(to: Bench, *letters: Envelope) -> list[Mail]:
    """Envelopes arrive, in this order; says what the partition sends back."""
    left: list[Mail] = []
    for letter in letters:
        left += to.tell(f"post/{letter.sender}", letter)
    return left


def exchange(sender: Bench, receiver: Bench, left: list[Mail]) -> None:
    """What left the sender arrives, and its acknowledgement comes back."""
    for letter in deliver(receiver, *envelopes(left)):
        if isinstance(letter.message, PostReceived):
            sender.tell(f"post/{letter.message.partition}", letter.message)


def signals(here: Bench, *numbers: int) -> list[Envelope]:
    """Signals of the strategy, as the mail they make."""
    return envelopes(
        here.tell(f"strategy/{STRATEGY}", *(request(number, None, strategy_id=STRATEGY) for number in numbers))
    )


def decided(there: Bench) -> list[str]:
    return [event.signal_id for event in there.events(e.RequestAccepted)]


def kept(bench: Bench, other: int) -> list[str]:
    return [part for part in bench.partition.actors[f"post/{other}"].parts if part]


def test_a_signal_reaches_a_follower_in_another_partition(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    deliver(there, *signals(here, 1, 2))
    assert decided(there) == ["s-1", "s-2"]


def test_mail_that_arrives_twice_is_taken_once(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    (first,) = signals(here, 1)
    deliver(there, first, first)
    assert [event.sequence for event in there.events(e.MailTaken)] == [1]


def test_mail_that_overtook_is_not_taken_before_its_turn(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    first, second = signals(here, 1, 2)
    deliver(there, second)
    assert decided(there) == []
    deliver(there, first, second)
    assert decided(there) == ["s-1", "s-2"]


def test_mail_is_repeated_until_it_is_acknowledged(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    signals(here, 1)
    again = here.wait(1)
    assert [letter.sequence for letter in envelopes(again)] == [1]
    exchange(here, there, again)
    assert envelopes(here.wait(5)) == []
    assert kept(here, 1) == []


def test_an_acknowledgement_that_is_lost_costs_a_repetition(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    deliver(there, *signals(here, 1))
    exchange(here, there, here.wait(1))
    assert kept(here, 1) == []
    assert decided(there) == ["s-1"]


def test_mail_survives_the_crash_of_its_sender(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    signals(here, 1)
    left = len(here.left)
    here.restart()
    exchange(here, there, here.left[left:])
    assert decided(there) == ["s-1"]


def test_mail_is_taken_once_over_the_crash_of_its_receiver(pair: tuple[Bench, Bench]) -> None:
    here, there = pair
    (first,) = signals(here, 1)
    deliver(there, first)
    there.restart()
    deliver(there, first)
    assert [event.sequence for event in there.events(e.MailTaken)] == [1]


def test_an_acknowledgement_of_what_was_never_sent_is_ignored(pair: tuple[Bench, Bench]) -> None:
    here, _ = pair
    signals(here, 1)
    here.tell("post/1", PostReceived(partition=1, sequence=7))
    assert kept(here, 1) == ["m/0000000000000001"]
    assert here.events(e.DeadLettered) == []
