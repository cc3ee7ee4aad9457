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
    "REFUSED": "bold red",
    "FAILED": "bold red",
    "DONE": "green",
}
_UNITS: Final = ("current", "working", "target", "delta")


def explained_for_a_person(found: list[dict[str, Any]], width: int) -> RenderableType:
    """Explanations, one below the other."""
    parts: list[RenderableType] = []
    for one in found:
        if parts:
            parts.append(Text(""))
        parts.append(_facts(one))
        if one["translation"]:
            parts += [Text(""), _translation(one["translation"])]
        if one["checks"]:
            parts += [Text(""), _checks(one["checks"])]
        if one["tickers"]:
            parts += [Text(""), _tickers(one["tickers"])]
        for ticker in one["tickers"]:
            parts += [Text(""), _ticker(ticker)]
            if ticker["checks"]:
                parts += [Text(""), _checks(_shorter(ticker["checks"]))]
    return Group(*parts)


def _shorter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The checks of one ticker of many: those that passed and have no figures in one row."""
    plain = [row["check"] for row in rows if row["found"].startswith("passed")]
    others = [row for row in rows if not row["found"].startswith("passed")]
    passed = {"check": f"{len(plain)} others", "result": "pass", "found": f"passed: {', '.join(plain)}"}
    return [*others, passed] if plain else others


def _tickers(tickers: list[dict[str, Any]]) -> Table:
    found = _listing("ticker", *_UNITS, "result")
    for one in tickers:
        result = Text(one["status"], style=_STYLES.get(one["status"], ""))
        if one["code"] is not None:
            result.append(f" {one['code']}")
        found.add_row(one["instrument"], *("-" if one[name] is None else one[name] for name in _UNITS), result)
    return found


def _ticker(one: dict[str, Any]) -> Table:
    facts = _table()
    facts.add_row("ticker", one["instrument"])
    facts.add_row("arithmetic", one["sentence"])
    if one["delta"] is not None:
        slack = f"{one['tolerance']} units off the target are on it; no order for less than {one['least']}"
        facts.add_row("drift", slack)
    for order in one["orders"]:
        _order(facts, order)
    for name in one["cancelled"]:
        facts.add_row("cancelled", name)
    return facts


def _translation(rows: list[dict[str, Any]]) -> Table:
    found = _listing("asked", "how", "what became of it")
    for row in rows:
        found.add_row(row["field"], row["how"], row["why"])
    return found


def _listing(*columns: str) -> Table:
    """A table of rows, of which the last column has the room that is left."""
    found = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns[:-1]:
        found.add_column(name, no_wrap=True, justify="right" if name in _UNITS else "left")
    found.add_column(columns[-1], overflow="fold")
    return found


def _table() -> Table:
    """Facts of one thing, each with its name before it."""
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    return facts


def _order(facts: Table, order: dict[str, Any]) -> None:
    facts.add_row("order", order["order_id"])
    facts.add_row("", order["order"])
    facts.add_row("route", f"venue {order['venue']}, account {order['account']}")


def _facts(one: dict[str, Any]) -> Table:
    facts = _table()
    answer = Text(one["status"], style=_STYLES.get(one["status"], ""))
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
    if one["mode"] is not None:
        facts.add_row("mode", one["mode"])
    if not one["tickers"]:
        facts.add_row("sizing", one["sizing"] or "it did not come to that")
    if one["shared"] is not None:
        facts.add_row("share of", one["shared"])
    if one["worked"] is not None:
        facts.add_row("worked", one["worked"])
    for order in one["orders"]:
        _order(facts, order)
    if one["block"] is not None:
        facts.add_row("part of", one["block"])
    return facts


def _checks(rows: list[dict[str, Any]]) -> Table:
    checks = _listing("check", "result", "what it found")
    for row in rows:
        found = Text(row["found"], style="dim" if row["found"].startswith("passed") else "")
        checks.add_row(row["check"], Text(row["result"], style=_STYLES[row["result"]]), found)
    return checks
