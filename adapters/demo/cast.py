"""Who and what the demo plays with: a configuration, two hundred subscribers, and the days they trade through."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from adapters.market.player import QuoteTerms, derived_quote
from adapters.market.recorded import sample_bars
from engine.messages import Bar, MarketData, Quote

SUBSCRIBERS: Final = 200
LAST_DAYS: Final = 420
"""Trading days before the recording's end; Facebook joins when it is listed."""
TERMS: Final = QuoteTerms(spread_bps=Decimal(2), displayed=Decimal("0.002"))
SYMBOLS: Final = ("AAPL", "FB", "GOOG", "IBM", "MSFT")

_CONFIG: Final = """\
[nats]
port = {port}
[allow]
symbols = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
exchanges = ["XNAS", "XNYS"]
[exchanges.XNAS]
currency = "USD"
tick_size = "0.01"
calendar = "XNAS"
[exchanges.XNYS]
currency = "USD"
tick_size = "0.01"
calendar = "XNYS"
[limits]
max_order_quantity = "10000"
max_order_notional = "250000"
max_position_notional = "1000000"
max_leverage = "2"
max_orders_per_second = "{orders_per_second}"
collar_bps = "500"
max_daily_loss = "200000"
allow_short = {allow_short}
[venues.paper]
kind = "paper"
[venues.paper.commission]
per_share = "0.005"
minimum = "1"
maximum_bps = "100"
[routes]
XNAS = "paper"
XNYS = "paper"
[log]
level = "warning"
format = "json"
"""


def configuration(port: int, *, orders_per_second: int = 100, allow_short: bool = False) -> str:
    """The daemon's config.toml; on a fixed port clients find it again after a kill, 0 takes a free one."""
    return _CONFIG.format(port=port, orders_per_second=orders_per_second, allow_short=str(allow_short).lower())


def subscribers(count: int = SUBSCRIBERS) -> Iterator[dict[str, Any]]:
    """Subscribers as they are made known over the bus: all four ways to size, and some limits that will be met."""
    for number in range(count):
        subscriber: dict[str, Any] = {
            "subscriber_id": name(number),
            "cash": {"USD": str(100_000 + 10_000 * (number % 40))},
            "accounts": {"paper": f"PA-{number:03d}"},
            "subscriptions": [{"strategy_id": "momentum", "allocation": _allocation(number)}],
        }
        if number % 10 in _TIGHT:
            subscriber["limits"] = _TIGHT[number % 10]
        if number % 67 == 66:
            subscriber["status"] = "PAUSED"
        yield subscriber


def name(number: int) -> str:
    """The id of a subscriber."""
    return f"demo-{number:03d}"


def _allocation(number: int) -> dict[str, str]:
    size = 1 + number // 4 % 10
    return {
        0: {"method": "fixed_quantity", "value": str(5 * size)},
        1: {"method": "fixed_notional", "value": str(1_500 * size)},
        2: {"method": "multiplier", "value": str(Decimal(size) / 10)},
        3: {"method": "weight", "value": str(Decimal(size) / 100)},
    }[number % 4]


_TIGHT: Final[dict[int, dict[str, str]]] = {
    3: {"max_order_notional": "4000"},
    5: {"max_order_quantity": "10"},
    7: {"max_position_notional": "9000"},
    9: {"max_orders_per_second": "1"},
}
"""Limits of one subscriber in ten each, by the last digit of its number."""


def days(count: int = LAST_DAYS) -> list[list[Bar]]:
    """The last days of real daily bars, by day."""
    bars = (message for message in sample_bars() if isinstance(message, Bar) and message.symbol in SYMBOLS)
    return [list(day) for _, day in groupby(bars, key=lambda bar: bar.at)][-count:]


def with_quote(bar: Bar) -> tuple[MarketData, Quote]:
    """What is published of a bar: the bar and the quote derived from it."""
    return bar, derived_quote(bar, TERMS)
