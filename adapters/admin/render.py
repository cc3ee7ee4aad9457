"""Answers of the admin socket for a person's eyes: tables that fit the terminal, whatever its width.

Where a table is too wide, the columns that matter least go; which those are is said once, in COLUMNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from adapters.admin.render_decisions import decision_rows
from adapters.admin.render_explain import explained_for_a_person

Row = dict[str, Any]

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "orders": (
        "order_id", "status", "side", "symbol", "filled", "subscriber_id", "average_price", "limit_price",
        "order_type", "updated_at", "exchange", "time_in_force", "reason",
    ),
    "positions": (
        "subscriber_id", "symbol", "quantity", "average_price", "market_price", "unrealized", "realized", "currency",
        "exchange", "working_buy", "working_sell", "commission",
    ),
    "trades": (
        "timestamp", "ticker", "direction", "size", "price", "subscriber_id", "order_id", "commission", "realized",
        "trade_id", "exchange", "venue",
    ),
    "decisions": ("at", "answer", "code", "request_id", "reason", "subscriber_id", "signal_id"),
    "dead_letters": ("letter_id", "address", "error", "at", "quarantined", "sender"),
    "actors": ("kind", "actors", "address", "mail", "parts", "failures", "quarantined", "due", "changed_in_batch"),
}  # fmt: skip
"""The most important first."""
_SHRINKING: Final = frozenset({"reason", "error", "text", "found", "sender", "params"})
"""Columns of prose: they take what room is left, on several lines if need be."""
_STYLES: Final = {
    **dict.fromkeys(("FILLED", "ACTIVE", "UP", "RUNNING", "ok", "ACCEPTED", "BUY", "True"), "green"),
    **dict.fromkeys(("WORKING", "PARTIALLY_FILLED", "SUBMITTING", "NEW"), "cyan"),
    **dict.fromkeys(
        ("PENDING_CANCEL", "PENDING_REPLACE", "PAUSED", "DRAINING", "degraded", "EXPIRED", "CAUTION", "INVALID"),
        "yellow",
    ),
    **dict.fromkeys(("REJECTED", "UNKNOWN", "DENIED", "DOWN", "KILLED", "CLOSED", "SELL", "False", "EMERGENCY"), "red"),
    "CANCELED": "dim",
}
_NUMBERS: Final = frozenset(
    {
        *("quantity", "filled", "size", "price", "limit_price", "average_price", "market_price", "working_buy"),
        *("working_sell", "unrealized", "realized", "commission", "amount", "day_equity"),
        *("actors", "mail", "parts", "failures", "open_orders", "sent", "changed_in_batch"),
    }
)


def show(console: Console, method: str, result: Any) -> None:
    """Prints an answer."""
    console.print(rendered(method, result, console.width))


def rendered(method: str, result: Any, width: int) -> RenderableType:
    """An answer as something to print at this width."""
    if method == "methods":
        return _methods(result)
    if method == "decisions" and isinstance(result, list):
        result = decision_rows(result)
    if method == "explain" and isinstance(result, list):
        return explained_for_a_person(result, width)
    if method == "journal" and isinstance(result, list):
        return Group(*(line for entry in result for line in entry_lines(entry, width))) if result else _nothing()
    if method == "health" and isinstance(result, dict):
        return Group(_fields({"status": result["status"]}, width), table("health", result["checks"], width))
    if isinstance(result, list):
        if not result:
            return _nothing()
        if all(isinstance(row, dict) for row in result):
            return table(method, result, width)
    if isinstance(result, dict):
        return _fields(result, width)
    return JSON.from_data(result)


def _nothing() -> Text:
    return Text("nothing found", style="dim")


def table(method: str, rows: Sequence[Row], width: int) -> Table:
    """Rows as a table: as many columns as fit, the most important first."""
    preferred = COLUMNS.get(method, ())
    if method == "orders":
        rows = [{**_without_quantity(row), "filled": f"{row['filled']}/{row['quantity']}"} for row in rows]
    names = [name for name in preferred if any(name in row for row in rows)]
    names += [name for name in dict.fromkeys(name for row in rows for name in row) if name not in names]
    if preferred:
        names = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    cells = {name: [cell(name, row.get(name)) for row in rows] for name in names}
    kept: list[str] = []
    room = width
    for name in names:
        widest = max(len(_title(name)), *(_longest(text) for text in cells[name]))
        needed = min(widest, 24) if name in _SHRINKING else widest
        if kept and needed + 2 > room:
            continue
        kept.append(name)
        room -= needed + 2
    found = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in kept:
        found.add_column(
            _title(name),
            justify="right" if name in _NUMBERS else "left",
            no_wrap=name not in _SHRINKING,
            overflow="fold" if name in _SHRINKING else "ellipsis",
        )
    for index in range(len(rows)):
        found.add_row(*(styled(cells[name][index]) for name in kept))
    left_out = [_title(name) for name in names if name not in kept]
    if left_out:
        found.caption = f"not shown at this width: {', '.join(left_out)}"
        found.caption_justify = "left"
    return found


def _without_quantity(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "quantity"}


def _longest(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _fields(result: Row, width: int) -> RenderableType:
    """One thing: its plain fields beside each other's names, its lists as tables below."""
    plain = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    plain.add_column(style="bold", no_wrap=True)
    plain.add_column(overflow="fold")
    below: list[RenderableType] = []
    for name, value in _flat(result).items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            below += [Text(f"\n{_title(name)}", style="bold"), table(name, [_flat(row) for row in value], width)]
        elif isinstance(value, dict) and value and name in ("state", "ticket"):
            below += [Text(f"\n{_title(name)}", style="bold"), JSON.from_data(value)]
        else:
            plain.add_row(_title(name), styled(cell(name, value)))
    return Group(plain, *below)


def _flat(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def cell(name: str, value: Any) -> str:
    """A value as short text."""
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            said = ", ".join(f"{key} {cell(key, inner)}" for key, inner in value.items() if inner is not None)
            return said or "-"
        case int() if name.endswith("_seconds"):
            return _duration(value)
        case list():
            return ", ".join(cell("", inner) for inner in value)
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case str() if name.endswith(("_at", "timestamp", "since", "due")) or name == "at":
            return _time(value)
    return str(value)


def _duration(seconds: int) -> str:
    """`3d 4h`, `2h 5m`, `1m 3s`: the two largest units."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = [f"{number}{unit}" for number, unit in ((days, "d"), (hour, "h"), (minute, "m"), (second, "s")) if number]
    return " ".join(parts[:2]) or "0s"


def _time(text: str) -> str:
    """A time of the engine (UTC) in seconds, the day only where it is not today."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    today = datetime.now(at.tzinfo).date() == at.date()
    return f"{at:%H:%M:%S}" if today else f"{at:%Y-%m-%d %H:%M:%S}"


def styled(text: str) -> Text:
    """Text in the colour of its meaning, if it has one."""
    return Text(text, style=_STYLES.get(text, "dim" if text == "-" else ""))


def _title(name: str) -> str:
    return name.removesuffix("_id").removesuffix("_seconds").replace("_", " ")


def _methods(found: Sequence[Row]) -> Table:
    listing = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    listing.add_column("method", no_wrap=True, style="cyan")
    listing.add_column("what it does, and its parameters", overflow="fold")
    for method in found:
        about = Text(method["text"])
        for param in method["params"]:
            mark = "" if param["required"] else "?"
            about.append(f"\n  {param['name']}{mark}", style="bold")
            default = f", default {param['default']}" if "default" in param else ""
            about.append(f" {param['type']}{default}", style="dim")
        listing.add_row(method["method"], about)
    return listing


# what streams


def entry_lines(entry: Row, width: int) -> list[Text]:
    """A journal entry: a line an event."""
    return [
        event_line(f"{entry['sequence']}:{index}", one["address"], one["event"], width)
        for index, one in enumerate(entry["events"])
    ]


def event_line(event_id: str, address: str, event: Row, width: int) -> Text:
    """An event on one line: when, what, whose, and the fields that say most."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{_clock(event.get('at', ''))} ", style="dim")
    line.append(f"{event_id:>10} ", style="dim")
    kind = event["type"]
    line.append(f"{kind:<18} ", style=_EVENT_STYLES.get(kind, "cyan"))
    line.append(f"{_short(address)} ")
    line.append(_said(event), style="dim" if width < 100 else "")
    line.truncate(width, overflow="ellipsis")
    return line


_EVENT_STYLES: Final = {
    **dict.fromkeys(("OrderFilled", "FillBooked"), "green"),
    **dict.fromkeys(
        (
            "RequestDenied",
            "OrderClosed",
            "OrderLost",
            "TargetFailed",
            "AlarmRaised",
            "Killed",
            "VenueDown",
            "DeadLettered",
        ),
        "red",
    ),
}
_TELLING: Final = ("code", "side", "quantity", "symbol", "price", "status", "filled", "amount", "currency", "reason")


def _said(event: Row) -> str:
    inner = event.get("fill") or event.get("ticket") or (event.get("tickets") or [{}])[0]
    merged = {**inner, **{name: value for name, value in event.items() if value is not None}}
    return " ".join(str(merged[name]) for name in _TELLING if merged.get(name) not in (None, ""))


def _clock(text: str) -> str:
    return text[11:23].removesuffix("Z") if len(text) > 19 else text


def _short(address: str) -> str:
    """An order's long id by its beginning and its end; other addresses as they are."""
    kind, _, name = address.partition("/")
    return f"{kind}/{name[:-36]}…{name[-6:]}" if kind == "order" and len(name) > 40 else address


def published_line(message: Row, width: int) -> Text:
    """What the engine published, on one line."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if message["type"] == "ExecutionJob":
        kind, at = "job", message["at"]
        orders = ", ".join(f"{o['side']} {o['quantity']} {o['symbol']} {o['order_type']}" for o in message["orders"])
        whose, said = message["subscriber_id"], orders
    else:
        data = message["data"]
        kind, at = message["distribution"]["topic"].partition("/")[2], message["timestamp"]
        whose = data.get("subscriber_id") or data.get("venue", "")
        said = " ".join(str(data[name]) for name in _PUBLISHED if data.get(name) not in (None, ""))
    line.append(f"{_clock(at)} ", style="dim")
    line.append(f"{kind:<18} ", style=_PUBLISHED_STYLES.get(kind, "cyan"))
    line.append(f"{whose} ", style="bold")
    line.append(said)
    line.truncate(width, overflow="ellipsis")
    return line


_PUBLISHED: Final = (
    *("instrument_id", "side", "quantity", "price", "status", "filled", "amount", "currency", "code", "reason"),
    *("position", "order_id"),
)
_PUBLISHED_STYLES: Final = {"fill_notification": "green", "execution_report": "red", "venue_status": "yellow"}
