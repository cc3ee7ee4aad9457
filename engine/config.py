"""What config.toml may say, as frozen structs, and what it says about one instrument or one subscriber.

Decoding gives every field its shape (`adapters.settings`); whether the whole can be meant is asked of
`engine.sanity`. An empty configuration is valid and refuses every order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct, field

from engine.control_settings import ControlSettings, RegimeSettings
from engine.simulation.commission import FREE, Schedule
from engine.values import ONE, ZERO, Currency, Exchange, Id, Number, Symbol, instrument_key


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every table of config.toml is: immutable and strict."""


class Service(Section, frozen=True):
    """Who this process is, where it keeps its data, and which partition of how many it runs."""

    name: str = "tradewright"
    version: str = "0.1.0"
    data: str = "data"
    partition: int = 0
    partitions: int = 1


class Nats(Section, frozen=True):
    """The bus. An empty `url` starts the embedded server on `port` (0 picks a free one).

    `prefix` is one token in lower case, so that its upper case names the streams (EXEC_IN) without a clash.
    """

    url: str = ""
    port: int = 4222
    prefix: str = "exec"


class Allow(Section, frozen=True):
    """What may be traded at all. Both lists must name what an order is for; an empty list refuses everything."""

    symbols: frozenset[Symbol] = frozenset()
    exchanges: frozenset[Exchange] = frozenset()


class ExchangeSettings(Section, frozen=True):
    """What the instruments of an exchange have unless they say otherwise.

    `calendar` is an exchange_calendars code or "24/7". Minimums of zero ask for nothing beyond one lot.
    """

    currency: Currency
    tick_size: Number
    calendar: str
    lot_size: Number = ONE
    min_quantity: Number = ZERO
    min_notional: Number = ZERO


class InstrumentSettings(Section, frozen=True):
    """Where one instrument differs from its exchange. Left out, a key is the exchange's."""

    currency: Currency | None = None
    tick_size: Number | None = None
    calendar: str | None = None
    lot_size: Number | None = None
    min_quantity: Number | None = None
    min_notional: Number | None = None
    multiplier: Number = ONE


class Limits(Section, frozen=True, omit_defaults=True):
    """What a subscriber may do. A limit left out is no limit from this level; see `effective`.

    Notionals and the loss are in the currency of the instrument traded; a leverage is gross exposure over equity;
    a collar is the widest distance, in basis points, of a price from the market's.
    """

    max_order_quantity: Number | None = None
    max_order_notional: Number | None = None
    max_position_notional: Number | None = None
    max_leverage: Number | None = None
    max_orders_per_second: Number | None = None
    collar_bps: Number | None = None
    max_daily_loss: Number | None = None
    allow_short: bool | None = None


Native = Literal["STOP", "STOP_LIMIT", "display_quantity"]
"""What the venue inside can be told to do itself, where our side does it otherwise."""


class PaperVenue(Section, frozen=True):
    """The venue inside: fills against market data, after `latency_ms`, at the costs given; `native` is what it does
    itself beyond plain orders."""

    kind: Literal["paper"]
    commission: Schedule = FREE
    latency_ms: int = 0
    native: frozenset[Native] = frozenset()


class OtherVenue(Section, frozen=True):
    """A venue whose own adapter decodes its keys."""

    kind: Literal["simulated", "ibkr", "fix"]
    keys: dict[str, Any] = field(default_factory=dict)


class Admin(Section, frozen=True):
    """The admin socket, relative to the data folder, and the uids it answers (none named: the daemon's own).

    `persons`: in whose name a client on the bus may declare a laxer regime.
    """

    socket: str = "run/admin.sock"
    uids: frozenset[int] = frozenset()
    persons: frozenset[str] = frozenset()


class Log(Section, frozen=True):
    """How much is logged to stderr, and for whom: a person or a program."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Metrics(Section, frozen=True):
    """Where metrics are served, on 127.0.0.1 only: 0 picks a free port, -1 serves none."""

    port: int = 0


class BlockSettings(Section, frozen=True):
    """Orders that are worked for several subscribers at once: the account they have at each venue (left out, the
    block's id), and the largest one, in units."""

    accounts: dict[str, Id] = field(default_factory=dict)
    max_quantity: Number | None = None


class MarketSettings(Section, frozen=True):
    """`max_age_s`: how old a price may be, in seconds since it was received, before it is no reference any more.
    `warm_up_s`: how long after a start the requests that waited in the stream wait on, for prices to come in.
    `volumes`: the recording that each instrument's volume curve is learnt from, a path."""

    max_age_s: int = 60
    warm_up_s: int = 2
    volumes: dict[str, str] = field(default_factory=dict)


class Config(Section, frozen=True):
    """All of config.toml. `subscribers` is left as read: a Subscriber is a message, decoded as one."""

    service: Service = field(default_factory=Service)
    nats: Nats = field(default_factory=Nats)
    allow: Allow = field(default_factory=Allow)
    exchanges: dict[str, ExchangeSettings] = field(default_factory=dict)
    instruments: dict[str, InstrumentSettings] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    subscribers: dict[str, dict[str, Any]] = field(default_factory=dict)
    venues: dict[str, PaperVenue | OtherVenue] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    admin: Admin = field(default_factory=Admin)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    market: MarketSettings = field(default_factory=MarketSettings)
    blocks: BlockSettings = field(default_factory=BlockSettings)
    controls: ControlSettings = field(default_factory=ControlSettings)
    regimes: dict[str, RegimeSettings] = field(default_factory=dict)


class InstrumentSpec(Struct, frozen=True, gc=False, kw_only=True):
    """One instrument with nothing left to look up."""

    exchange: str
    symbol: str
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    multiplier: Decimal
    calendar: str


def instrument(config: Config, exchange: str, symbol: str) -> InstrumentSpec | None:
    """The instrument as its exchange and its own table describe it; None on an exchange that is not configured."""
    default = config.exchanges.get(exchange)
    if default is None:
        return None
    own = config.instruments.get(instrument_key(exchange, symbol)) or InstrumentSettings()
    return InstrumentSpec(
        exchange=exchange,
        symbol=symbol,
        currency=default.currency if own.currency is None else own.currency,
        tick_size=default.tick_size if own.tick_size is None else own.tick_size,
        lot_size=default.lot_size if own.lot_size is None else own.lot_size,
        min_quantity=default.min_quantity if own.min_quantity is None else own.min_quantity,
        min_notional=default.min_notional if own.min_notional is None else own.min_notional,
        multiplier=own.multiplier,
        calendar=default.calendar if own.calendar is None else own.calendar,
    )


def route(config: Config, exchange: str, symbol: str) -> str | None:
    """The venue an instrument's orders go to: its own route before its exchange's; None where there is neither."""
    return config.routes.get(instrument_key(exchange, symbol)) or config.routes.get(exchange)


def effective(defaults: Limits, own: Limits) -> Limits:
    """A subscriber's limits: its own where it has one, the default elsewhere."""
    names = Limits.__struct_fields__
    return Limits(**{name: getattr(defaults if getattr(own, name) is None else own, name) for name in names})
