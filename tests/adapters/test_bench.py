"""The benchmark's quick form runs, part by part, and gives figures of the right shape. No figure is judged here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from adapters.bench import PARTS, main
from adapters.bench.load import percentiles
from adapters.bench.report import rows


def measured(part: str, folder: Path) -> Any:
    """The figures of one part in the quick form."""
    path = folder / "bench.json"
    assert main(["--quick", "--only", part, "--json", str(path)]) == 0
    figures = json.decode(path.read_bytes())
    assert figures["machine"]["cores"] >= 1
    assert figures["machine"]["fsync_ms"] > 0
    assert figures["quick"] is True
    assert list(rows(figures))
    return figures[part]


def test_throughput_counts_orders_and_processor_time(tmp_path: Path) -> None:
    found = measured("throughput", tmp_path)
    assert found["orders_per_s"] > 0
    assert found["daemon_us_per_order"] > 0
    assert set(found["cpu_per_s"]) == {"daemon", "daemon_main_thread", "nats_server", "generator"}
    assert found["fill_ms"]["p50"] <= found["fill_ms"]["p99"] <= found["fill_ms"]["max"]


def test_the_floor_is_measured_with_the_rows_of_the_engine(tmp_path: Path) -> None:
    found = measured("floor", tmp_path)
    assert found["ratio"] == pytest.approx(found["engine_orders_per_s"] / found["hollow_orders_per_s"])
    assert found["sqlite_orders_per_s"] > 0


def test_latency_is_measured_in_an_open_loop(tmp_path: Path) -> None:
    found = measured("latency", tmp_path)
    assert set(found["fill_ms"]) == set(found["answer_ms"]) == {"p50", "p90", "p99", "max"}
    assert found["answer_ms"]["p50"] > 0


def test_a_signal_is_timed_to_its_last_order(tmp_path: Path) -> None:
    found = measured("fan_out", tmp_path)
    assert 0 < found["last_approved_s"] <= found["last_filled_s"]
    assert 0 < found["last_submitted_s"] <= found["last_filled_s"]


def test_memory_and_recovery_are_measured_on_the_daemon(tmp_path: Path) -> None:
    found = measured("at_rest", tmp_path)
    assert found["memory_mib"] > 10
    assert 0 < found["ready_s"] <= found["reconciled_s"]


def test_the_cost_of_an_order_is_measured_at_several_sizes(tmp_path: Path) -> None:
    found = measured("cost", tmp_path)
    assert len(found["us_by_subscribers"]) == 2
    assert len(found["us_by_journal"]) == 2


def test_controls_are_measured_on_and_off_in_one_run(tmp_path: Path) -> None:
    found = measured("controls", tmp_path)
    assert found["ratio"] == pytest.approx(found["on_orders_per_s"] / found["off_orders_per_s"])
    assert found["on_us_per_order"] > 0
    assert [len(runs) for runs in found["runs"].values()] == [1, 1]


def test_every_part_has_a_test() -> None:
    assert set(PARTS) == {"throughput", "floor", "latency", "fan_out", "at_rest", "cost", "algorithms", "controls"}


def test_percentiles_are_of_the_sorted_values_in_milliseconds() -> None:
    values = [number / 1000 for number in range(100, 0, -1)]
    assert percentiles(values) == pytest.approx({"p50": 51, "p90": 91, "p99": 100, "max": 100})
    assert percentiles([]) == {}


def test_requests_are_timed_beside_many_algorithms(tmp_path: Path) -> None:
    found = measured("algorithms", tmp_path)
    assert found["worked"] == 50
    assert 0 < found["answer_ms"]["p99"] <= found["fill_ms"]["max"]
