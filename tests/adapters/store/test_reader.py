"""What can be asked of a store while it is written to, and that the answers are exact and bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.store import reader as reader_
from adapters.store.connect import FILE
from adapters.store.errors import QueryTooLong, StoreUnreadable
from adapters.store.reader import Reader
from adapters.store.store import Store
from engine.distribute import DATA_TYPES
from engine.events import InputRefused, RequestDenied
from tests.actors.aiming import cancelled, fill, newest, positions, target, trading, works
from tests.adapters.store.lives import PRICE, START, TEN, batch, denied, done, filled, order, started, ticket

pytestmark = pytest.mark.anyio

ALICE, BOB = ticket(1), ticket(2, "bob", "MSFT")


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    """A store with an order that is done, one that is open and two refusals; the store is in use."""
    refused = InputRefused(at=START, subject="exec.in.request.x", code="NOT_JSON", reason="no", excerpt="{")
    async with Store(tmp_path) as store:
        await store.commit([started(1, ALICE), started(2, BOB)])
        await store.commit([done(3, ALICE), denied(4, "r-9"), batch(5, [("door/in", refused)])])
        async with await Reader.open(tmp_path) as opened:
            yield opened


async def test_orders_come_newest_first_and_whole(reader: Reader) -> None:
    assert await reader.orders() == [order(BOB), filled(ALICE)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"open": True}, [BOB]),
        ({"open": False}, [ALICE]),
        ({"status": "FILLED"}, [ALICE]),
        ({"subscriber_id": "bob"}, [BOB]),
        ({"subscriber_id": "bob", "open": False}, []),
        ({"symbol": "MSFT", "venue": "paper"}, [BOB]),
        ({"request_id": "r-1"}, [ALICE]),
        ({"limit_price": None}, [BOB, ALICE]),
        ({"before": BOB.order_id}, [ALICE]),
        ({"limit": 1}, [BOB]),
        ({"limit": -1}, []),
    ],
)
async def test_orders_are_found_by_what_they_are(reader: Reader, where: Any, found: Any) -> None:
    assert [each.ticket for each in await reader.orders(**where)] == found


async def test_one_order_is_found_by_its_id(reader: Reader) -> None:
    assert await reader.order(ALICE.order_id) == filled(ALICE)
    assert await reader.order("paper-none") is None


async def test_a_column_that_is_none_is_refused_before_it_is_sql(reader: Reader) -> None:
    with pytest.raises(ValueError, match=r"orders have no '1=1 --'; they have .*subscriber_id"):
        await reader.orders(**{"1=1 --": 1})
    with pytest.raises(ValueError, match="no 'state'"):
        await reader.orders(state="")


async def test_a_trade_has_every_column_of_the_execution_service(reader: Reader) -> None:
    (trade,) = await reader.trades(subscriber_id="alice", order_id=ALICE.order_id)
    assert trade == reader_.Trade(
        trade_id="T0000-000000000003-0001",
        timestamp=START,
        ticker="AAPL",
        direction="BUY",
        size=TEN,
        price=PRICE,
        order_id=ALICE.order_id,
        strategy_id="momentum",
        profile_version_id=None,
        regime_id="calm",
        universe_id=None,
        decision_id="d-1",
        subscriber_id="alice",
        exchange="XNAS",
        venue="paper",
        execution_id=f"x-{ALICE.order_id}",
        commission=Decimal("0.35"),
        currency="USD",
        multiplier=Decimal(1),
        realized=Decimal("12.50"),
    )
    assert await reader.trades(ticker="MSFT") == []


async def test_positions_and_cash_are_of_one_or_of_all(reader: Reader) -> None:
    ((who, position),) = await reader.positions("alice")
    assert (who, position.symbol, position.quantity, position.cost) == ("alice", "AAPL", TEN, TEN * PRICE)
    assert await reader.positions() == await reader.positions("alice")
    assert [(who, purse.currency, purse.amount) for who, purse in await reader.cash()] == [
        ("alice", "USD", Decimal("998499.55"))
    ]
    assert await reader.cash("alic") == await reader.positions("bob") == []


async def test_a_decision_is_found_by_its_request_with_all_that_was_said(reader: Reader) -> None:
    (found,) = await reader.decisions(request_id="r-9")
    assert (found.sequence, found.place) == (4, 0)
    assert isinstance(found.event, RequestDenied)
    assert found.event.reason == "because"
    (refused,) = await reader.decisions(code="NOT_JSON")
    assert isinstance(refused.event, InputRefused)
    assert [each.sequence for each in await reader.decisions()] == [5, 4]


async def test_entries_go_on_from_a_sequence_over_any_number(tmp_path: Path) -> None:
    batches = [batch(sequence) for sequence in range(1, 3 * reader_.ENTRIES_AT_ONCE + 1)]
    async with Store(tmp_path) as store:
        await store.commit(batches)
        async with await Reader.open(tmp_path) as reader:
            found = [entry async for entry in reader.entries(5)]
    assert [(entry.sequence, entry.at, entry.events) for entry in found] == [
        (each.sequence, each.at, each.events) for each in batches[5:]
    ]


async def test_a_reader_sees_what_is_committed_after_it_was_opened(tmp_path: Path) -> None:
    async with Store(tmp_path) as store, await Reader.open(tmp_path) as reader:
        assert await reader.orders() == []
        await store.commit([started(1, ALICE)])
        assert await reader.orders() == [order(ALICE)]


async def test_a_reader_cannot_write(reader: Reader) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await reader._connection.run(lambda connection: connection.execute("DELETE FROM journal"))


async def test_where_there_is_no_store_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match="there is no store"):
        await Reader.open(tmp_path)


async def test_a_question_that_takes_too_long_is_ended(reader: Reader) -> None:
    reader.query_s = 0.0
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(QueryTooLong):
        await reader._ask(lambda connection: connection.execute(endless).fetchone())


async def test_the_store_says_what_it_is(reader: Reader) -> None:
    meta = await reader.meta()
    assert (meta["schema"], meta["partition"]) == (1, 0)
    assert {"created", "engine"} <= set(meta)


async def test_every_data_type_has_its_topic(reader: Reader) -> None:
    topics = await reader.rows("execution_topics")
    assert {(row["topic_name"], row["data_type"]) for row in topics} == {
        (f"execution/{kind}", kind.upper()) for kind in DATA_TYPES
    }
    assert {
        (row["partitions"], row["retention_policy"], row["latency_requirement_ms"], row["enabled"]) for row in topics
    } == {(1, "7d", 100, 1)}
    with pytest.raises(ValueError, match="no table"):
        await reader.rows("journal")


async def test_a_person_with_any_sqlite_tool_can_read_the_views(reader: Reader, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    try:
        for view in ("orders", "trades", "decisions", "positions", "cash"):
            assert connection.execute(f"SELECT * FROM {view}").fetchall(), view
        columns = "status, filled, average_price, strategy_id, quantity, limit_price"
        query = f"SELECT {columns} FROM orders WHERE order_id = ?"
        assert connection.execute(query, (ALICE.order_id,)).fetchone() == (
            "FILLED",
            "10",
            150.01,
            "momentum",
            "10",
            None,
        )
        assert connection.execute(query, (BOB.order_id,)).fetchone() == (
            "SUBMITTING",
            "0",
            None,
            "momentum",
            "10",
            None,
        )
    finally:
        connection.close()


async def test_what_became_of_targets_is_found_by_their_request(tmp_path: Path) -> None:
    """The set, each wave that was sent or cancelled, and each end; not that an order of it filled."""
    bench = trading()
    first = bench.ask("subscriber/alice", positions(1, target("AAPL", "10"))).orders[0]
    works(bench, first)
    bench.ask("subscriber/alice", positions(2, target("AAPL", "4")))
    fill(bench, first, 1)
    cancelled(bench, first)
    fill(bench, newest(bench), 3)
    bench.ask("subscriber/alice", positions(3, target("AAPL", "5000")))
    async with Store(tmp_path) as store:
        await store.commit(bench.journal.batches)
        async with await Reader.open(tmp_path) as opened:
            kinds = [type(found.event).__name__ for found in await opened.decisions(request_id="q-2")]
            (denied_,) = await opened.decisions(code="MAX_LEVERAGE")
            assert [found.event for found in await opened.decisions(request_id="q-3")] == [denied_.event]
    assert kinds == ["TargetReached", "TargetSteered", "TargetsDecided"]
