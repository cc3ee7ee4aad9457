"""What in a configuration cannot be meant: `problems` sees what takes more than one field to see.

Every problem says where it stands, what was found and what was expected, so that a person can mend it from the
message alone, and all of them are found at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from engine.config import Config, ExchangeSettings, InstrumentSpec, Limits, PaperVenue, instrument
from engine.control_settings import setting_problems
from engine.simulation.commission import Schedule
from engine.values import CURRENCY_PATTERN, EXCHANGE_PATTERN, ID_PATTERN, SYMBOL_PATTERN, ZERO, is_multiple

MAX_PARTITIONS = 4096
MAX_COLLAR_BPS = Decimal(10_000)
AT_NO_VENUE = ("part", "work")
"""What ids of orders begin with that are in a block, or worked at our side, where others name their venue."""
"""A collar this wide lets a sale through at a price of nothing, so it is none."""
MAX_LATENCY_MS = 60_000
MAX_PRICE_AGE_S = 86_400
MAX_SOCKET_BYTES = 107
"""What Linux leaves for a path in sockaddr_un, the closing NUL taken off."""


class Problem(NamedTuple):
    """One thing wrong: where it stands (`exchanges.XNAS.tick_size`), what was found and what was expected."""

    key: str
    found: str
    expected: str


def key_path(*names: str) -> str:
    """Where a value stands, as TOML writes it: `instruments."XNAS:AAPL".tick_size`."""
    return ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"' for name in names)


def problems(config: Config) -> list[Problem]:
    """Everything in the configuration that cannot be meant, in the order of the file; empty when all is well."""
    checks = (
        _service,
        _nats,
        _allow,
        _exchanges,
        _instruments,
        _limits,
        _names,
        _venues,
        _routes,
        _admin,
        _market,
        _blocks,
        _controls,
    )
    return [problem for check in checks for problem in check(config)]


def limit_problems(limits: Limits, key: str = "limits") -> Iterator[Problem]:
    """What is senseless in limits, wherever they stand."""
    for name in Limits.__struct_fields__:
        value = getattr(limits, name)
        if isinstance(value, Decimal) and value <= ZERO:
            yield Problem(f"{key}.{name}", str(value), "a decimal above 0, or nothing for no limit")
    if limits.collar_bps is not None and limits.collar_bps >= MAX_COLLAR_BPS:
        yield Problem(f"{key}.collar_bps", str(limits.collar_bps), f"basis points below {MAX_COLLAR_BPS}")


def _service(config: Config) -> Iterator[Problem]:
    service = config.service
    if not re.match(ID_PATTERN, service.name):
        yield Problem("service.name", _quoted(service.name), "1 to 128 letters, digits and ._:/@#+=-")
    if not re.match(ID_PATTERN, service.version):
        yield Problem("service.version", _quoted(service.version), 'a version such as "0.1.0"')
    if not service.data or "\0" in service.data:
        yield Problem("service.data", _quoted(service.data), "the path of a folder")
    if not 1 <= service.partitions <= MAX_PARTITIONS:
        yield Problem("service.partitions", str(service.partitions), f"1 to {MAX_PARTITIONS}")
    elif not 0 <= service.partition < service.partitions:
        yield Problem("service.partition", str(service.partition), f"0 to {service.partitions - 1} (partitions less 1)")


def _nats(config: Config) -> Iterator[Problem]:
    nats = config.nats
    for url in nats.url.split(",") if nats.url else ():
        scheme, mark, rest = url.strip().partition("://")
        if not (mark and rest and scheme in ("nats", "tls", "ws", "wss")):
            # The address may hold a password, so what was found is not repeated.
            yield Problem("nats.url", "another kind of address", '"" for the embedded server, or nats://host:port')
    if not 0 <= nats.port <= 65535:
        yield Problem("nats.port", str(nats.port), "0 to 65535")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", nats.prefix):
        yield Problem("nats.prefix", _quoted(nats.prefix), "a lower-case letter, then at most 31 of a-z 0-9 _ -")
    if not -1 <= config.metrics.port <= 65535:
        yield Problem("metrics.port", str(config.metrics.port), "-1 for none, or 0 to 65535")
    elif config.metrics.port > 0 and config.metrics.port == nats.port and not nats.url:
        yield Problem("metrics.port", str(config.metrics.port), "a port other than nats.port")


def _allow(config: Config) -> Iterator[Problem]:
    routed = {key.partition(":")[0] for key in config.routes}
    for name in sorted(config.allow.exchanges):
        if name not in config.exchanges:
            yield Problem("allow.exchanges", _quoted(name), _one_of("exchanges", config.exchanges))
        elif name not in routed:
            yield Problem("allow.exchanges", f"{_quoted(name)}, which has no route", f"routes.{name} to name a venue")


def _exchanges(config: Config) -> Iterator[Problem]:
    for name, exchange in config.exchanges.items():
        key = key_path("exchanges", name)
        if not re.match(EXCHANGE_PATTERN, name):
            yield Problem(key, _quoted(name), "a name of 1 to 32 letters, digits, _ and -")
        yield from _grid(key, exchange)


def _instruments(config: Config) -> Iterator[Problem]:
    for name, own in config.instruments.items():
        key = key_path("instruments", name)
        exchange, _, symbol = name.partition(":")
        if not re.match(SYMBOL_PATTERN, symbol):
            yield Problem(key, _quoted(name), 'a name such as "XNAS:AAPL"')
            continue
        merged = instrument(config, exchange, symbol)
        if merged is None:
            yield Problem(key, f"exchange {_quoted(exchange)}", _one_of("exchanges", config.exchanges))
            continue
        yield from _grid(key, merged)
        if own.multiplier <= ZERO:
            yield Problem(f"{key}.multiplier", str(own.multiplier), "a decimal above 0")


def _grid(key: str, sizes: ExchangeSettings | InstrumentSpec) -> Iterator[Problem]:
    for name in ("tick_size", "lot_size"):
        value = getattr(sizes, name)
        if value <= ZERO:
            yield Problem(f"{key}.{name}", str(value), "a decimal above 0")
    for name in ("min_quantity", "min_notional"):
        value = getattr(sizes, name)
        if value < ZERO:
            yield Problem(f"{key}.{name}", str(value), "0 or a decimal above it")
    if sizes.lot_size > ZERO and sizes.min_quantity > ZERO and not is_multiple(sizes.min_quantity, sizes.lot_size):
        expected = f"a multiple of lot_size ({sizes.lot_size})"
        yield Problem(f"{key}.min_quantity", str(sizes.min_quantity), expected)
    if not re.match(CURRENCY_PATTERN, sizes.currency):
        yield Problem(f"{key}.currency", _quoted(sizes.currency), 'a code such as "USD"')
    if not re.fullmatch(r"24/[57]|[A-Za-z][A-Za-z0-9_]{1,31}", sizes.calendar):
        yield Problem(
            f"{key}.calendar", _quoted(sizes.calendar), 'an exchange_calendars code such as "XNYS", or "24/7"'
        )


def _limits(config: Config) -> Iterator[Problem]:
    return limit_problems(config.limits)


def _names(config: Config) -> Iterator[Problem]:
    for name in config.subscribers:
        if not re.match(ID_PATTERN, name):
            yield Problem(key_path("subscribers", name), _quoted(name), "1 to 128 letters, digits and ._:/@#+=-")


def _venues(config: Config) -> Iterator[Problem]:
    for name, venue in config.venues.items():
        key = key_path("venues", name)
        # A venue's name opens its order ids and is a token of subjects and addresses.
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,15}", name):
            yield Problem(key, _quoted(name), "a name of a lower-case letter, then at most 15 of a-z 0-9 _")
        elif name in AT_NO_VENUE:
            yield Problem(key, _quoted(name), "another name: it begins the ids of orders that are at no venue")
        if not isinstance(venue, PaperVenue):
            continue
        if not 0 <= venue.latency_ms <= MAX_LATENCY_MS:
            yield Problem(f"{key}.latency_ms", str(venue.latency_ms), f"0 to {MAX_LATENCY_MS}")
        for part in Schedule.__struct_fields__:
            value = getattr(venue.commission, part)
            if value is not None and value < ZERO:
                yield Problem(f"{key}.commission.{part}", str(value), "0 or a decimal above it")


def _routes(config: Config) -> Iterator[Problem]:
    for name, venue in config.routes.items():
        key = key_path("routes", name)
        exchange, colon, symbol = name.partition(":")
        if exchange not in config.exchanges:
            yield Problem(key, f"exchange {_quoted(exchange)}", _one_of("exchanges", config.exchanges))
        elif colon and not re.match(SYMBOL_PATTERN, symbol):
            yield Problem(key, _quoted(name), 'an exchange, or an instrument such as "XNAS:AAPL"')
        if venue not in config.venues:
            yield Problem(key, _quoted(venue), _one_of("venues", config.venues))


def _admin(config: Config) -> Iterator[Problem]:
    socket = config.admin.socket
    path = socket if socket.startswith("/") else f"{config.service.data}/{socket}"
    if not socket or socket.endswith("/") or "\0" in socket or len(path.encode()) > MAX_SOCKET_BYTES:
        yield Problem(
            "admin.socket", _quoted(socket), f"the path of a file, {MAX_SOCKET_BYTES} bytes at most with data"
        )
    for uid in sorted(uid for uid in config.admin.uids if uid < 0):
        yield Problem("admin.uids", str(uid), "user ids, 0 or above")


def _market(config: Config) -> Iterator[Problem]:
    if not 1 <= config.market.max_age_s <= MAX_PRICE_AGE_S:
        yield Problem("market.max_age_s", str(config.market.max_age_s), f"1 to {MAX_PRICE_AGE_S}")


def _blocks(config: Config) -> Iterator[Problem]:
    for name in config.blocks.accounts:
        if name not in config.venues:
            yield Problem(key_path("blocks", "accounts", name), _quoted(name), _one_of("venues", config.venues))
    most = config.blocks.max_quantity
    if most is not None and most <= ZERO:
        yield Problem("blocks.max_quantity", str(most), "a decimal above 0, or nothing for no limit")


def _controls(config: Config) -> Iterator[Problem]:
    return (Problem(*found) for found in setting_problems(config.controls, config.regimes, config.service.partitions))


def _one_of(table: str, names: dict[str, Any]) -> str:
    return f"one of {', '.join(map(_quoted, names))}" if names else f"a name defined under [{table}.<name>]"


def _quoted(text: str) -> str:
    """Text as it is shown: quoted, and cut where it is long."""
    return f'"{text if len(text) <= 60 else text[:60] + "…"}"'
