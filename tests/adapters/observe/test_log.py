"""The log: its two shapes, its level, the lines of an order, and what happens when there are too many."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from adapters.observe.log import OrderLog, configure, set_level
from tests.adapters.observe.happened import alarm, batch, denied, filled, started, ticket


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leaves structlog as it was."""
    yield
    configure("info", "console")
    structlog.reset_defaults()


class Lines(list[dict[str, Any]]):
    """A logger that keeps what it is told."""

    def _kept(self, level: str, text: str, **fields: Any) -> None:
        self.append({"level": level, "event": text, **fields})

    def info(self, text: str, **fields: Any) -> None:
        """A line."""
        self._kept("info", text, **fields)

    def warning(self, text: str, **fields: Any) -> None:
        """A line that matters."""
        self._kept("warning", text, **fields)


class Clock:
    """A clock that is set, and calls that wait for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waiting: list[Any] = []

    def __call__(self) -> float:
        return self.now

    def later(self, _: float, call: Any) -> None:
        """Takes a call for later."""
        self.waiting.append(call)


def order_log(lines_per_second: int = 10) -> tuple[OrderLog, Lines, Clock]:
    """An order log with all its surroundings."""
    lines, clock = Lines(), Clock()
    return OrderLog(lines, clock=clock, later=clock.later, lines_per_second=lines_per_second), lines, clock


def test_an_order_is_told_from_its_creation_to_its_fill_with_the_fields_of_its_request() -> None:
    configure("info", "json")
    log, lines, _ = order_log()
    one = ticket(signal_id="intent:test-1")
    log([batch(1, started(one)), batch(2, filled(one))])
    common = {
        "level": "info",
        "idempotency_key": "test-1",
        "order_id": one.order_id,
        "subscriber_id": "alice",
        "exchange": "XNAS",
        "symbol": "AAPL",
        "side": "BUY",
        "qty": "10",
        "type": "MARKET",
    }
    assert lines[0] == {**common, "event": "Order created", "status": "NEW"}
    fill = {"filled": "10", "fill_qty": "10", "price": "150.01", "execution_id": "x-1"}
    assert lines[1] == {**common, "event": "Order filled", "status": "FILLED", **fill}


def test_a_denial_has_its_code_and_its_reason() -> None:
    configure("info", "json")
    log, lines, _ = order_log()
    log([batch(1, denied())])
    assert lines[0]["idempotency_key"] == "k-1"
    assert (lines[0]["status"], lines[0]["code"]) == ("DENIED", "OFF_LOT")
    assert "7.5" in lines[0]["reason"]


def test_past_the_lines_of_a_second_the_rest_is_counted_and_said_once() -> None:
    configure("info", "json")
    log, lines, clock = order_log(lines_per_second=3)
    log([batch(1, *(started(ticket(n)) for n in range(10)))])
    assert [line["event"] for line in lines] == ["Order created"] * 3
    assert len(clock.waiting) == 1
    clock.waiting.pop()()
    assert lines[-1] == {"level": "info", "event": "Lines left out", "left_out": 7, "order_created": 7}
    clock.now += 1
    log([batch(2, started(ticket(11)))])
    assert lines[-1]["event"] == "Order created"


def test_a_flood_of_orders_does_not_hide_an_alarm() -> None:
    configure("info", "json")
    log, lines, _ = order_log(lines_per_second=1)
    log([batch(1, *(started(ticket(n)) for n in range(10)), alarm())])
    assert [line["event"] for line in lines] == ["Order created", "Alarm"]


def test_at_level_warning_only_what_matters_is_looked_at() -> None:
    configure("warning", "json")
    log, lines, clock = order_log()
    log([batch(1, started(ticket()), alarm())])
    assert [line["event"] for line in lines] == ["Alarm"]
    assert not clock.waiting


def test_a_busy_engine_pays_little_for_its_log() -> None:
    """Not a measurement: three times the budget of 3 µs an event would show that something is formatted in vain."""
    configure("info", "json")
    log, _, _ = order_log(lines_per_second=0)
    batches = [batch(n, *(filled(ticket(n)) for _ in range(20))) for n in range(500)]
    began = time.process_time()
    log(batches)
    assert (time.process_time() - began) / 10_000 < 9e-6


def test_json_lines_are_json_and_keep_what_json_does_not_know(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure("info", "json")
    structlog.get_logger().info("hello", qty=ticket().quantity, ratio=1.5)
    line = json.loads(capfdbinary.readouterr().err)
    assert {name: line[name] for name in ("event", "level", "qty", "ratio")} == {
        "event": "hello",
        "level": "info",
        "qty": "10",
        "ratio": 1.5,
    }


def test_the_level_reaches_loggers_that_are_in_use(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure("info", "json")
    log = structlog.get_logger()
    log.debug("unseen")
    assert set_level("debug") == "info"
    log.debug("seen")
    set_level("error")
    log.warning("unseen")
    assert [json.loads(line)["event"] for line in capfdbinary.readouterr().err.splitlines()] == ["seen"]


def test_a_level_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of debug, info, warning, error, got 'loud'"):
        set_level("loud")


def test_the_console_tells_an_error_without_the_values_of_variables(capfd: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    password = "-".join(("hunter", "2"))
    try:
        raise RuntimeError(f"broke with a secret of {len(password)} letters")
    except RuntimeError:
        structlog.get_logger().exception("failed")
    said = capfd.readouterr().err
    assert "RuntimeError" in said
    assert "hunter-2" not in said
