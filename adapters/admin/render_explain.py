"""A decision as a person reads it: the answer, how the size came about, where it went, and every check."""

from __future__ import annotations

from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_STYLES: Final = {
    "pass": "green",
    "fail": "bold red",
    "overridden": "yellow",
    "ACCEPTED": "green",
    "DENIED": "bold red",
}


def explained_for_a_person(found: list[dict[str, Any]], width: int) -> RenderableType:
    """Explanations, one below the other."""
    parts: list[RenderableType] = []
    for one in found:
        if parts:
            parts.append(Text(""))
        parts += [_facts(one), Text(""), _checks(one["checks"])]
    return Group(*parts)


def _facts(one: dict[str, Any]) -> Table:
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    answer = Text(one["status"], style=_STYLES[one["status"]])
    if one["code"] is not None:
        answer.append(f" {one['code']}")
    facts.add_row("request", one["request_id"])
    facts.add_row("answer", answer)
    if one["reason"] is not None:
        facts.add_row("because", one["reason"])
    facts.add_row("decided", one["at"])
    facts.add_row("for", f"subscriber {one['subscriber_id']}, strategy {one['strategy_id']}, signal {one['signal_id']}")
    facts.add_row("regime", one["regime"])
    if one["plan"] is not None:
        facts.add_row("plan", one["plan"])
    facts.add_row("sizing", one["sizing"] or "it did not come to that")
    for order in one["orders"]:
        facts.add_row("order", order["order_id"])
        facts.add_row("", order["order"])
        facts.add_row("route", f"venue {order['venue']}, account {order['account']}")
    return facts


def _checks(rows: list[dict[str, Any]]) -> Table:
    checks = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    checks.add_column("check", no_wrap=True)
    checks.add_column("result", no_wrap=True)
    checks.add_column("what it found", overflow="fold")
    for row in rows:
        found = Text(row["found"], style="dim" if row["found"].startswith("passed") else "")
        checks.add_row(row["check"], Text(row["result"], style=_STYLES[row["result"]]), found)
    return checks
