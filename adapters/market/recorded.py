"""Recorded market data read into messages: bars, quotes or trades from CSV (also .csv.gz) or Parquet files.

A column is found by its name, whatever its case:

    symbol      symbol, ticker               at      at, timestamp, datetime, time, date
    exchange    exchange, market, venue      price   price            size    size, qty, quantity
    open, high, low, close, volume           bid, ask, bid_size, ask_size

or by the names that `columns` gives instead. What a file lacks for every row alike, `exchange`, `exchanges` (by
symbol) and `symbol` say. bid and ask make quotes, else open to close make bars, else price and size make trades.
Numbers are taken digit by digit, never through float (a Parquet column of floats has lost that already: the shortest
decimal that means the same float is taken).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from engine.messages import Bar, MarketData, Quote, Trade
from engine.values import EXCHANGE_PATTERN, SYMBOL_PATTERN, ZERO, read_number

if TYPE_CHECKING:
    import polars

T = TypeVar("T")

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "symbol": ("symbol", "ticker"),
    "exchange": ("exchange", "market", "venue"),
    "at": ("at", "timestamp", "datetime", "time", "date"),
    "size": ("size", "qty", "quantity"),
}
_KINDS: Final[tuple[tuple[type[MarketData], tuple[str, ...]], ...]] = (
    (Quote, ("bid", "ask", "bid_size", "ask_size")),
    (Bar, ("open", "high", "low", "close", "volume")),
    (Trade, ("price", "size")),
)
_MAY_BE_ZERO: Final = frozenset({"bid", "ask", "bid_size", "ask_size", "volume"})
"""A side without a quote, a bar without trades."""
_NEW_YORK: Final = ZoneInfo("America/New_York")
_is_symbol: Final = re.compile(SYMBOL_PATTERN).match
_is_exchange: Final = re.compile(EXCHANGE_PATTERN).match


class RecordedError(ValueError):
    """A file that cannot be played; the text names the file and, where there is one, the line and the column."""


class Recording(Struct, frozen=True, kw_only=True):
    """A file and how to read it. `columns`: the file's own name for a field of the message. A time without an offset
    is in `zone`; a mere date is that day's `close`."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    exchange: str | None = None
    exchanges: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC
    close: time = time(0)


def sample_bars() -> list[MarketData]:
    """Real daily bars of AAPL, FB, GOOG, MSFT (XNAS) and IBM (XNYS), 2000 to 2013, by time: bokeh_sampledata's
    stocks, each bar at the close in New York."""
    import bokeh_sampledata

    return read(
        Recording(
            path=Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz",
            exchange="XNAS",
            exchanges={"IBM": "XNYS"},
            zone=_NEW_YORK,
            close=time(16),
        )
    )


def read(*recordings: Recording) -> list[MarketData]:
    """All messages of the recordings, by time; what is at the same time stands as it did. Raises RecordedError."""
    messages = [message for recording in recordings for message in _Reader(recording).messages()]
    messages.sort(key=lambda message: message.at)
    return messages


class _Reader:
    """One file: columns are converted one after the other, so that an error knows its line and its column."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.is_csv = recording.path.suffix != ".parquet"
        self.frame = self._frame()
        by_name = {name.lower(): name for name in self.frame.columns}
        self.columns: dict[str, str] = {}
        for name in ("symbol", "exchange", "at", *(name for _, names in _KINDS for name in names)):
            if name in recording.columns:
                self.columns[name] = self._must_have(recording.columns[name])
                continue
            found = next((by_name[other] for other in _NAMES.get(name, (name,)) if other in by_name), None)
            if found is not None:
                self.columns[name] = found

    def messages(self) -> list[MarketData]:
        kind, names = self._kind()
        values: dict[str, list[Any]] = {"symbol": self._symbols(), "at": self._column("at", self._time)}
        values["exchange"] = self._exchanges(values["symbol"])
        for name in names:
            values[name] = self._column(name, _size if name in _MAY_BE_ZERO else _price)
        rows = [kind(**dict(zip(values, row, strict=True))) for row in zip(*values.values(), strict=True)]
        if kind is Bar:
            self._check_ranges(rows)
        return rows

    def _frame(self) -> polars.DataFrame:
        import polars  # Only here: an engine without a player need not load it.

        path = self.recording.path
        if not path.is_file():
            raise RecordedError(f"{path}: there is no such file")
        try:
            if self.is_csv:
                return polars.read_csv(path, infer_schema=False)
            frame = polars.read_parquet(path)
            return frame.with_columns(polars.selectors.numeric().cast(polars.String))
        except (polars.exceptions.PolarsError, OSError) as error:
            raise RecordedError(f"{path}: cannot be read: {error}") from error

    def _kind(self) -> tuple[type[MarketData], tuple[str, ...]]:
        for kind, names in _KINDS:
            if all(name in self.columns for name in names):
                return kind, names
        have = ", ".join(self.frame.columns)
        wanted = "; or ".join(", ".join(names) for _, names in _KINDS)
        raise RecordedError(f"{self.recording.path}: expected the columns {wanted}; found {have}")

    def _must_have(self, column: str) -> str:
        if column not in self.frame.columns:
            raise RecordedError(f"{self.recording.path}: there is no column {column!r}")
        return column

    def _column(self, name: str, convert: Callable[[Any], T]) -> list[T]:
        column = self.columns.get(name)
        if column is None:
            raise RecordedError(f"{self.recording.path}: there is no column for {name}")
        converted: list[T] = []
        for raw in self.frame[column].to_list():
            try:
                converted.append(convert(raw))
            except (ValueError, TypeError) as error:
                raise self._error(len(converted), column, str(error)) from error
        return converted

    def _symbols(self) -> list[str]:
        if "symbol" not in self.columns and self.recording.symbol is not None:
            return [self.recording.symbol] * len(self.frame)
        return self._column("symbol", lambda raw: _text(raw, _is_symbol, "a symbol"))

    def _exchanges(self, symbols: list[str]) -> list[str]:
        if "exchange" in self.columns:
            return self._column("exchange", lambda raw: _text(raw, _is_exchange, "an exchange"))
        exchanges, default = self.recording.exchanges, self.recording.exchange
        found = []
        for index, symbol in enumerate(symbols):
            exchange = exchanges.get(symbol, default)
            if exchange is None:
                raise self._error(index, "exchange", f"nothing says which exchange {symbol} is traded on")
            found.append(exchange)
        return found

    def _time(self, raw: Any) -> datetime:
        """As RFC 3339 with or without offset, as a date, or as Parquet has it."""
        value = raw
        if isinstance(raw, str):
            value = date.fromisoformat(raw) if len(raw) == 10 else datetime.fromisoformat(raw)
        if isinstance(value, datetime):
            known = value if value.tzinfo is not None else value.replace(tzinfo=self.recording.zone)
            return known.astimezone(UTC)
        if isinstance(value, date):
            return datetime.combine(value, self.recording.close, self.recording.zone).astimezone(UTC)
        raise ValueError(f"expected a date or a time, got {raw!r}")

    def _check_ranges(self, bars: list[Any]) -> None:
        for index, bar in enumerate(bars):
            for name in ("open", "close"):
                value = getattr(bar, name)
                if not bar.low <= value <= bar.high:
                    text = f"{value} is not between the low {bar.low} and the high {bar.high}"
                    raise self._error(index, self.columns[name], text)

    def _error(self, index: int, column: str, text: str) -> RecordedError:
        # Line 1 of a CSV file is its header.
        where = f"line {index + 2}" if self.is_csv else f"row {index + 1}"
        return RecordedError(f"{self.recording.path}, {where}, column {column}: {text}")


def _text(raw: Any, matches: Callable[[str], object], what: str) -> str:
    if isinstance(raw, str) and matches(raw):
        return raw
    raise ValueError(f"expected {what}, got {raw!r}")


def _price(raw: Any) -> Decimal:
    value = read_number(Decimal, raw)
    if value <= ZERO:
        raise ValueError(f"must be above zero, got {raw}")
    return value


def _size(raw: Any) -> Decimal:
    value = read_number(Decimal, raw)
    if value < ZERO:
        raise ValueError(f"must not be negative, got {raw}")
    return value
