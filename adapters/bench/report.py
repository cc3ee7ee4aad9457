"""The figures as a table for people, beside what was aimed at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

Figures = Mapping[str, Any]


def show(console: Console, figures: Figures) -> None:
    """Prints all that was measured."""
    facts = figures["machine"]
    console.print(
        f"{facts['cores']} cores ({facts['processor']}), Python {facts['python']}, fsync {facts['fsync_ms']:.2f} ms,"
        " SQLite synchronous=FULL; medians",
        highlight=False,
    )
    table = Table(show_edge=False, pad_edge=False)
    for name, justify in (("", "left"), ("measured", "right"), ("aim", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # one of rich's own words
    for row in rows(figures):
        table.add_row(*row)
    console.print(table)


def rows(figures: Figures) -> Iterator[tuple[str, str, str]]:
    """(what, measured, aim) of each figure."""
    for name, make in _ROWS.items():
        if name in figures:
            yield from make(figures[name])


def _throughput(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield "orders/s through ask, to the last fill event", f"{found['orders_per_s']:,.0f}", "15,000"
    yield f"  request to fill at that load, window {found['window']}", _spread(found["fill_ms"]), ""
    for who, used in found["cpu_per_s"].items():
        yield f"  processor: {who.replace('_', ' ')}", f"{100 * used:.0f} %", ""
    yield "  daemon, a request to its fill", f"{found['daemon_us_per_order']:.0f} µs", ""


def _floor(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield "floor: same bytes and rows, no engine, orders/s", f"{found['hollow_orders_per_s']:,.0f}", ""
    yield "  engine in the same process", f"{found['engine_orders_per_s']:,.0f}", ""
    yield "  engine / floor", f"{found['ratio']:.2f}", ""
    yield "  SQLite alone, same rows, orders/s", f"{found['sqlite_orders_per_s']:,.0f}", ""


def _latency(found: Figures) -> Iterator[tuple[str, str, str]]:
    aims = {"p50": "2 ms", "p99": "6 ms"}
    for name, value in found["fill_ms"].items():
        yield f"request to fill event at {found['rate']:,}/s, {name}", f"{value:.2f} ms", aims.get(name, "")
    yield "  request to answer", _spread(found["answer_ms"]), ""


def _fan_out(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield (
        f"one signal to {found['subscribers']:,}: last order at the venue",
        f"{found['last_submitted_s']:.2f} s",
        "1 s",
    )
    yield "  last approved", f"{found['last_approved_s']:.2f} s", ""
    yield "  last filled", f"{found['last_filled_s']:.2f} s", ""


def _rest(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield f"{found['subscribers']:,} subscribers at rest", f"{found['memory_mib']:.0f} MiB", "200 MiB"
    yield "  after a restart, with open orders", f"{found['memory_after_restart_mib']:.0f} MiB", ""
    yield f"kill -9 with {found['open_orders']:,} open orders: ready", f"{found['ready_s']:.2f} s", "3 s"
    yield "  every order reconciled", f"{found['reconciled_s']:.2f} s", ""


def _cost(found: Figures) -> Iterator[tuple[str, str, str]]:
    for what, key in (("subscribers", "us_by_subscribers"), ("orders in the journal", "us_by_journal")):
        first = next(iter(found[key].values()))
        for number, value in found[key].items():
            change = "" if value == first else f" ({100 * (value / first - 1):+.0f} %)"
            aim = "within 20 %" if change else ""
            yield f"daemon, an order with {int(number):,} {what}", f"{value:.0f} µs{change}", aim


def _algorithms(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield f"{found['worked']:,} orders worked by an algorithm, processor", f"{100 * found['busy']:.0f} %", ""
    yield f"  a request beside them, {found['rate']}/s, to its answer", _spread(found["answer_ms"]), "p99 10 ms"
    yield "  and to its fill event", _spread(found["fill_ms"]), ""


def _controls(found: Figures) -> Iterator[tuple[str, str, str]]:
    yield "orders/s with every control on", f"{found['on_orders_per_s']:,.0f}", ""
    yield "  with none, in the same run", f"{found['off_orders_per_s']:,.0f}", ""
    yield "  on / off", f"{found['ratio']:.2f}", "0.85"
    yield "  daemon, an order", f"{found['on_us_per_order']:.0f} µs, off {found['off_us_per_order']:.0f} µs", ""


def _spread(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in values.items()) + " ms"


_ROWS = {
    "throughput": _throughput,
    "floor": _floor,
    "latency": _latency,
    "fan_out": _fan_out,
    "at_rest": _rest,
    "cost": _cost,
    "algorithms": _algorithms,
    "controls": _controls,
}
