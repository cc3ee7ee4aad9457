"""The configuration as the engine asks it: instruments, routes, allowlists, default limits, session ends.

Built once from a `Config` and the exchanges' calendars, replaced as a whole by a reload.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from engine.algos.curve import Curve
from engine.config import Config, InstrumentSpec, Limits, instrument
from engine.control_settings import NO_CONTROLS, shared
from engine.sessions import Session
from engine.values import instrument_key

ALWAYS_OPEN = "24/7"
MAX_KEPT = 100_000
"""Instruments that are kept ready; a client may ask for any symbol, allowed or not."""


class Rules:
    """What is allowed, where it goes, and in which units.

    `sessions`: by calendar, ascending. `curves`: how volume spreads over a day, by instrument.
    """

    __slots__ = (
        "_closes",
        "_routes",
        "_session",
        "_sessions",
        "_specs",
        "config",
        "controls",
        "curves",
        "exchanges",
        "limits",
        "symbols",
        "venues",
    )

    def __init__(
        self,
        config: Config,
        sessions: Mapping[str, Sequence[Session]],
        curves: Mapping[str, Curve] | None = None,
    ) -> None:
        self.config = config
        self.curves: Mapping[str, Curve] = curves or {}
        self.limits: Limits = config.limits
        service, controls = config.service, config.controls
        self.controls = None if controls == NO_CONTROLS else shared(controls, service.partition, service.partitions)
        self.symbols = frozenset(config.allow.symbols)
        self.exchanges = frozenset(config.allow.exchanges)
        self.venues = tuple(config.venues)
        self._routes = config.routes
        self._sessions = sessions
        self._closes = {code: [session.closes_at for session in listed] for code, listed in sessions.items()}
        self._specs: dict[str, InstrumentSpec] = {}
        self._session: dict[str, tuple[datetime, datetime]] = {}

    def with_config(self, config: Config) -> Rules:
        """The same sessions under another configuration."""
        return Rules(config, self._sessions, self.curves)

    def instrument(self, exchange: str, symbol: str) -> InstrumentSpec | None:
        """Units and currency of an instrument, or None where its exchange is not configured."""
        key = instrument_key(exchange, symbol)
        spec = self._specs.get(key)
        if spec is None:
            spec = instrument(self.config, exchange, symbol)
            if spec is not None and len(self._specs) < MAX_KEPT:
                self._specs[key] = spec
        return spec

    def route(self, exchange: str, symbol: str) -> str | None:
        """The venue that orders in this instrument go to, or None."""
        return self._routes.get(f"{exchange}:{symbol}") or self._routes.get(exchange)

    def session_end(self, calendar: str, now: datetime) -> datetime | None:
        """When an order for the day that is sent now is over: the next close; None past the calendar's horizon."""
        kept = self._session.get(calendar)
        if kept is not None and kept[0] <= now < kept[1]:
            return kept[1]
        if calendar == ALWAYS_OPEN:
            end = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        else:
            closes = self._closes[calendar]
            index = bisect_right(closes, now)
            if index == len(closes):
                return None
            end = closes[index]
        self._session[calendar] = (now, end)
        return end

    def coming(self, calendar: str, now: datetime) -> Sequence[Session]:
        """The sessions that are not over, ascending; none of a market that never closes."""
        if calendar == ALWAYS_OPEN:
            return ()
        return self._sessions[calendar][bisect_right(self._closes[calendar], now) :]
