"""The numbers: counted in bulk, right, and in Prometheus' own format."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import deque
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from actors.market import Market
from actors.partition import Partition
from adapters.observe.durable import Durable
from adapters.observe.guard import guarded
from adapters.observe.metrics import BATCH_EVENTS, Histogram, Tally, registry
from adapters.observe.server import MetricsError, MetricsServer
from engine.config import Config, PaperVenue
from engine.rules import Rules
from tests.adapters.observe.happened import AT, alarm, batch, denied, filled, started, ticket, work_over, worked


def engine() -> Any:
    """As much of an engine as is asked for numbers: its partition is real."""
    config = Config(venues={"paper": PaperVenue(kind="paper")})
    rules = Rules(config, {})
    return SimpleNamespace(
        config=config,
        rules=rules,
        partition=Partition(rules, Market(60)),
        publisher=SimpleNamespace(sequence=1, latest=3, messages=7),
        door=SimpleNamespace(counts={"market_data_refused": 2}),
        control=SimpleNamespace(connected=True),
        bulk=SimpleNamespace(connected=False),
        draining=False,
    )


def numbers(found: CollectorRegistry) -> dict[str, float]:
    """Everything served, by name and labels, as a scraper reads it."""
    from prometheus_client import generate_latest

    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(found).decode())
        for sample in family.samples
    }


def test_parents_count_as_orders_too() -> None:
    tally = Tally(lambda: 0.003)
    parent, child = ticket(1), ticket(2, parent=ticket(1).order_id)
    tally([batch(1, worked(parent), started(child)), batch(2, filled(child), work_over(parent, "EXPIRED"))])
    served = numbers(registry(engine(), tally))
    assert served["tradewright_orders_started_total"] == 2
    assert served["tradewright_orders_closed_total[FILLED]"] == 1
    assert served["tradewright_orders_closed_total[EXPIRED]"] == 1


def test_committed_batches_become_numbers() -> None:
    tally = Tally(lambda: 0.003)
    one, two = ticket(1), ticket(2)
    tally([batch(1, started(one), started(two)), batch(2, filled(one), denied(), denied("KILLED"), alarm())])
    served = numbers(registry(engine(), tally))
    expected = {
        "tradewright_requests_total": 2,
        "tradewright_orders_started_total": 2,
        "tradewright_denials_total[OFF_LOT]": 1,
        "tradewright_denials_total[KILLED]": 1,
        "tradewright_orders_closed_total[FILLED]": 1,
        "tradewright_alarms_total[ORDER_UNKNOWN]": 1,
        "tradewright_events_total[OrderStarted]": 2,
        "tradewright_commit_seconds_count": 1,
        "tradewright_commit_seconds_sum": 0.003,
        "tradewright_batch_events_count": 2,
        "tradewright_batch_events_sum": 6,
        "tradewright_request_to_fill_seconds_count": 1,
        "tradewright_request_to_fill_seconds_bucket[0.005]": 1,
        "tradewright_request_to_fill_seconds_bucket[0.003]": 0,
        "tradewright_market_data_refused_total": 2,
        "tradewright_published_messages_total": 7,
        "tradewright_publish_lag_batches": 2,
        "tradewright_nats_connected[control]": 1,
        "tradewright_nats_connected[bulk]": 0,
        "tradewright_venue_up[paper]": 0,
        "tradewright_killed": 0,
        "tradewright_up": 1,
        "tradewright_dead_letters": 0,
    }
    assert {name: served.get(name) for name in expected} == expected
    assert served["process_resident_memory_bytes"] > 0


@pytest.mark.parametrize(
    ("published", "lag"),
    [(0, 10.0), (1, 9.0), (2, 8.0), (3, 0.0), (4, 0.0)],
    ids=["nothing is published", "the first", "the second", "all that had events", "all"],
)
def test_the_lag_is_the_age_of_the_oldest_batch_not_yet_published(published: int, lag: float) -> None:
    tally = Tally(lambda: 0.0)
    tally([batch(n, alarm(), after_s=n) for n in (1, 2, 3)])
    tally([batch(4)])
    assert tally.publish_lag_s(published, AT + timedelta(seconds=11)) == lag


def test_a_histogram_is_cumulative_and_its_bounds_are_included() -> None:
    histogram = Histogram((1, 2, 5))
    for value in (1, 1, 2, 3, 9):
        histogram.add(value)
    samples = {s.labels.get("le", s.name): s.value for s in histogram.family("h", "text").samples}
    assert samples == {"1.0": 2, "2.0": 3, "5.0": 4, "+Inf": 5, "h_count": 5, "h_sum": 16}
    assert list(BATCH_EVENTS) == sorted(BATCH_EVENTS)


def test_orders_that_never_fill_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.observe.metrics.MAX_AWAITING_FILL", 3)
    tally = Tally(lambda: 0.0)
    tally([batch(1, *(started(ticket(n)) for n in range(10)), filled(ticket(0)), filled(ticket(9)))])
    assert tally.fills.counts[:4] == [0, 0, 0, 1]  # Of the first one nobody knew any more when it was approved.


@pytest.mark.anyio
async def test_the_server_serves_metrics_and_nothing_else() -> None:
    server = MetricsServer(registry(engine(), Tally(lambda: 0.0)), 0)
    await server.start()

    def fetch(path: str) -> tuple[int, str, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", b""

    status, kind, body = await anyio.to_thread.run_sync(fetch, "/metrics?x=1")
    assert status == 200
    assert kind.startswith("text/plain")
    assert b"tradewright_up 1.0" in body
    assert (await anyio.to_thread.run_sync(fetch, "/else"))[0] == 404
    with pytest.raises(MetricsError, match=rf"port {server.port} on 127.0.0.1 is in use by another process; choose"):
        await MetricsServer(CollectorRegistry(), server.port).start()
    await server.stop()


def test_an_observer_that_fails_does_not_stop_the_engine(capfd: pytest.CaptureFixture[str]) -> None:
    seen: deque[int] = deque()

    def broken(batches: Any) -> None:
        seen.append(len(batches))
        raise ZeroDivisionError

    call = guarded(broken)
    call([batch(1)])
    call([batch(2)])
    assert list(seen) == [1, 1]
    out, err = capfd.readouterr()
    assert (out + err).count("observer_failed") == 1


@pytest.mark.anyio
async def test_who_waits_for_a_batch_is_told_when_it_is_durable() -> None:
    durable = Durable(4)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(durable.reached, lambda: durable.sequence >= 6)
        await anyio.lowlevel.checkpoint()
        durable([batch(5)])
        await anyio.lowlevel.checkpoint()
        durable([batch(6)])
    with pytest.raises(TimeoutError):
        await durable.reached(lambda: durable.sequence >= 7, timeout_s=0.01)
