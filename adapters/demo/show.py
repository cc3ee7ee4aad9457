"""What the demo shows: a bar with live counts on a terminal, plain lines elsewhere, and the summary at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Self

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.audit import Audit
from adapters.demo.profit import Gain, Profit

LINE_EVERY_S: Final = 2.0
PLAIN_WIDTH: Final = 100


class Facts(Struct, kw_only=True):
    """What is known at the end."""

    played_s: float
    days: int
    subscribers: int
    signals: int
    asks: int
    heard: dict[str, int]
    repeated: int
    repeated_events: int
    latencies: list[float]
    ready_s: float
    recovered_s: float
    in_flight: str
    audit: Audit
    profit: Profit


class Show:
    """Tells how far the demo is. Use it as a context."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = Console() if console is None else console
        self._plain = not self.console.is_terminal
        if self._plain and console is None:
            self.console = Console(width=PLAIN_WIDTH)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=self.console, disable=self._plain)
        self._task = self._progress.add_task("Setting up", total=1.0, counts="")
        self._said = 0.0

    def __enter__(self) -> Self:
        if not self._plain:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, highlight=False)

    def at(self, what: str, part: float, counts: dict[str, int]) -> None:
        """Where the demo is, from 0 to 1, and the counts so far."""
        text = "  ".join(f"{name} {number:,}" for name, number in counts.items())
        self._progress.update(self._task, description=what, completed=part, counts=text)
        if self._plain and time.monotonic() - self._said >= LINE_EVERY_S:
            self._said = time.monotonic()
            self.say(f"{100 * part:3.0f} %  {what}: {text}")


def summary(console: Console, facts: Facts) -> None:
    """Prints the tables and the verdict."""
    audit = facts.audit
    console.print(_counts(facts))
    console.print(_denials(audit))
    console.print(_profits(facts.profit))
    console.print(_times(facts))
    for problem in audit.problems:
        console.print(problem, style="red", highlight=False)
    verdict = f"{audit.sentence()}: every decision, order and execution counted in the journal and at the venue"
    console.print(verdict, style="bold green" if audit.clean else "bold red", highlight=False)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values is; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number and column else "left")
    return table


def _counts(facts: Facts) -> Table:
    audit = facts.audit
    table = _table(f"{facts.days} trading days, {facts.subscribers} subscribers", "", "asked", "journal", "venue")
    decided = f"{audit.decisions:,}"
    table.add_row("Signals", f"{facts.signals:,}", f"{audit.signals:,}", "")
    table.add_row("Single requests", f"{facts.asks:,}", "", "")
    table.add_row("Decisions", "", decided, "")
    table.add_row("Orders", "", f"{audit.approved:,}", f"{audit.venue_orders:,}")
    table.add_row("Fills", "", f"{audit.trades:,}", f"{audit.executions:,}")
    table.add_row("Denials", "", f"{sum(audit.denials.values()):,}", "")
    if audit.open_orders:
        table.add_row("Open orders", "", f"{audit.open_orders:,}", "")
    for code, number in audit.alarms.items():
        table.add_row(f"Alarm {code}", "", f"{number:,}", "")
    return table


def _denials(audit: Audit) -> Table:
    table = _table("Denials by reason", "code", "requests")
    for code, number in audit.denials.items():
        table.add_row(code, f"{number:,}")
    return table


def _profits(profit: Profit) -> Table:
    table = _table("Profit and loss, USD", "", "realized", "unrealized", "commission", "net")
    for strategy, gain in sorted(profit.strategies.items()):
        table.add_row(f"strategy {strategy}", *_gain(gain))
    table.add_row("all", *_gain(profit.total), style="bold")
    ranked = sorted(profit.subscribers.items(), key=lambda item: item[1].net)
    if ranked:
        for what, (name, gain) in (("best", ranked[-1]), ("worst", ranked[0])):
            table.add_row(f"{what} subscriber {name}", *_gain(gain))
    return table


def _gain(gain: Gain) -> list[str]:
    return [_dollars(amount) for amount in (gain.realized, gain.unrealized, gain.commission, gain.net)]


def _dollars(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _times(facts: Facts) -> Table:
    table = _table("Times", "", "")
    spread = ", ".join(
        f"{name} {1000 * percentile(facts.latencies, part):,.1f} ms"
        for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
    )
    table.add_row(f"Request to fill event ({len(facts.latencies):,} requests)", spread)
    table.add_row("Killed with SIGKILL while in flight", facts.in_flight)
    table.add_row("Restarted until ready", f"{facts.ready_s:.2f} s")
    table.add_row("Killed until a request was answered again", f"{facts.recovered_s:.2f} s")
    table.add_row("Sent again with the same id", f"{facts.repeated:,}")
    table.add_row("Events heard more than once", f"{facts.repeated_events:,}")
    table.add_row("Played in", f"{facts.played_s:.1f} s")
    return table
