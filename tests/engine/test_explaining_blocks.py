"""What is told of an order in a block, however far that has come."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from engine import blocks as b
from engine import events as e
from engine import reports as r
from engine.config import BlockSettings
from engine.explaining_blocks import part_of, shared
from engine.methods import Equal, Multiplier
from tests.actors.bench import Bench, D
from tests.actors.together import accept, fill, follow, parts, signal, submitted


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


def told(bench: Bench, name: str, away: bool = False) -> str:
    """What is told of the subscriber's part; `away`: where another partition has the block."""
    (event,) = [event for event in bench.events(e.RequestAccepted) if event.subscriber_id == name]
    (ticket,) = event.tickets
    address = b.address_of(ticket.strategy_id, ticket.signal_id)
    actor = bench.partition.actors[address]
    known: Any = {} if away else actor.parts
    order = b.order_of(known, ticket)
    whole = None if order is None else bench.part(f"order/{order.ticket.order_id}")
    text = part_of(ticket, known, parts(bench)[name], whole)
    return text.removeprefix(actor.id)


def ends(bench: Bench, order_id: str) -> None:
    bench.tell(f"order/{order_id}", r.Canceled(client_order_id=order_id, reason="venue", at=bench.now))


def test_a_block_is_told_from_its_work_to_its_last_fill(bench: Bench) -> None:
    follow(bench, "alice", Multiplier(D(1)))
    follow(bench, "bob", Multiplier(D(1)))
    follow(bench, "carol", Multiplier(D(1)))
    signal(bench)
    order = submitted(bench).client_order_id
    accept(bench, order)
    fill(bench, order, "20", "100.01", 1, "0.30")
    whole = bench.part(f"order/{order}")
    assert whole.filled == 20
    assert (
        told(bench, "alice")
        == f", worked as {order} for 3: 20 of 30 filled so far, which is nobody's before it is over"
    )
    assert told(bench, "alice", away=True) == ", which is in the store of another partition"


def test_who_was_drawn_is_told(bench: Bench) -> None:
    for name in ("alice", "bob", "carol"):
        follow(bench, name, Multiplier(D(1)))
    signal(bench)
    order = submitted(bench).client_order_id
    accept(bench, order)
    fill(bench, order, "20", "100.01", 1, "0.30")
    whole = bench.part(f"order/{order}")
    ends(bench, order)
    (event,) = bench.events(b.BlockSettled)
    assert sorted(part.quantity for part in event.parts) == [6, 7, 7]
    ticket = parts(bench)["alice"].ticket
    known = bench.partition.actors[b.address_of("momentum", "s-1")].parts
    text = part_of(ticket, known, parts(bench)["alice"], whole)
    (mine,) = [part for part in event.parts if part.subscriber_id == "alice"]
    assert f"for 3: 10 of 30 wanted x 20 filled = 6.66666666667 by largest remainder: {mine.quantity} at" in text
    assert text.endswith("; of the 3 with the same remainder 2 were drawn for 1 more")
    fill(bench, order, "10", "100", 2)
    whole = replace(whole, filled=D(30), notional=whole.notional + 1000)
    text = part_of(ticket, known, parts(bench)["alice"], whole)
    assert "10 of 30 wanted x 30 filled = 10 by largest remainder: 10 at" in text
    assert text.endswith("; shared at its end, and 1 times since")


def test_a_block_without_an_order_says_why(bench: Bench) -> None:
    config = bench.partition.turn.rules.config
    settings = BlockSettings(max_quantity=D(5))
    bench.partition.turn.rules = bench.partition.turn.rules.with_config(replace(config, blocks=settings))
    follow(bench, "alice", Multiplier(D(1)))
    signal(bench)
    assert told(bench, "alice").startswith(", which made no order of it: BLOCK_TOO_LARGE")


def test_a_total_without_luck_says_over_how_many_it_was_shared(bench: Bench) -> None:
    for name in ("alice", "bob"):
        follow(bench, name, Equal())
    signal(bench, quantity="30", block=False)
    (event, _) = bench.events(e.RequestAccepted)
    known = bench.partition.actors[b.address_of("momentum", "s-1")].parts
    assert event.sizing is not None
    text = shared(("momentum", "s-1"), event.subscriber_id, event.sizing, known)
    assert text.endswith(": 30 shared over 2")
    assert "another partition" in shared(("momentum", "s-1"), event.subscriber_id, event.sizing, {})
