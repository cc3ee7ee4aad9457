"""What a configuration says of an instrument, a route, a subscriber's limits, and what in it cannot be meant."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError, convert
from msgspec.structs import replace

from engine.config import (
    Admin,
    Allow,
    Config,
    ExchangeSettings,
    InstrumentSettings,
    InstrumentSpec,
    Limits,
    MarketSettings,
    Metrics,
    Nats,
    OtherVenue,
    PaperVenue,
    Service,
    effective,
    instrument,
    route,
)
from engine.sanity import problems
from engine.simulation.commission import Schedule
from engine.values import read_number

D = Decimal
XNAS = ExchangeSettings(currency="USD", tick_size=D("0.01"), calendar="XNAS")
SOUND = Config(
    allow=Allow(symbols=frozenset({"AAPL"}), exchanges=frozenset({"XNAS"})),
    exchanges={"XNAS": XNAS},
    instruments={"XNAS:AAPL": InstrumentSettings(lot_size=D(10), min_quantity=D(20), multiplier=D(100))},
    venues={"paper": PaperVenue(kind="paper"), "ib": OtherVenue(kind="ibkr", keys={"port": 4002})},
    routes={"XNAS": "paper", "XNAS:MSFT": "ib"},
)


def test_an_empty_configuration_is_sound_and_allows_nothing() -> None:
    assert problems(Config()) == []
    assert Config().allow == Allow(symbols=frozenset(), exchanges=frozenset())


def test_a_complete_configuration_is_sound() -> None:
    assert problems(SOUND) == []


def test_an_instrument_has_what_its_exchange_has_where_it_does_not_differ() -> None:
    assert instrument(SOUND, "XNAS", "AAPL") == InstrumentSpec(
        exchange="XNAS",
        symbol="AAPL",
        currency="USD",
        tick_size=D("0.01"),
        lot_size=D(10),
        min_quantity=D(20),
        min_notional=D(0),
        multiplier=D(100),
        calendar="XNAS",
    )
    plain = instrument(SOUND, "XNAS", "MSFT")
    assert plain is not None
    assert (plain.lot_size, plain.multiplier) == (D(1), D(1))


def test_a_zero_of_an_instrument_is_its_own_and_not_left_out() -> None:
    exchange = replace(XNAS, min_notional=D(5))
    config = Config(exchanges={"XNAS": exchange}, instruments={"XNAS:A": InstrumentSettings(min_notional=D(0))})
    spec = instrument(config, "XNAS", "A")
    assert spec is not None
    assert spec.min_notional == D(0)


def test_an_exchange_that_is_not_configured_has_no_instruments() -> None:
    assert instrument(SOUND, "XLON", "AAPL") is None


@pytest.mark.parametrize(
    ("exchange", "symbol", "venue"), [("XNAS", "AAPL", "paper"), ("XNAS", "MSFT", "ib"), ("XLON", "VOD", None)]
)
def test_an_instruments_own_route_comes_before_its_exchanges(exchange: str, symbol: str, venue: str | None) -> None:
    assert route(SOUND, exchange, symbol) == venue


numbers = st.none() | st.decimals(min_value=1, max_value=100, places=2)
limits = st.builds(Limits, max_leverage=numbers, collar_bps=numbers, allow_short=st.none() | st.booleans())


@given(limits, limits)
def test_a_subscribers_limit_counts_where_it_has_one_and_the_default_elsewhere(default: Limits, own: Limits) -> None:
    merged = effective(default, own)
    for name in Limits.__struct_fields__:
        mine = getattr(own, name)
        assert getattr(merged, name) == (getattr(default, name) if mine is None else mine)


def test_limits_are_decoded_exactly_and_refuse_an_unknown_key() -> None:
    assert convert({"max_leverage": "0.1"}, Limits, dec_hook=read_number).max_leverage == D("0.1")
    with pytest.raises(ValidationError, match="unknown field `max_levrage`"):
        convert({"max_levrage": "2"}, Limits, dec_hook=read_number)


def sound_but(**changes: Any) -> Config:
    """The sound configuration with some tables replaced."""
    return replace(SOUND, **changes)


def with_exchange(**changes: Any) -> Config:
    return sound_but(exchanges={"XNAS": replace(XNAS, **changes)}, instruments={})


def with_paper(**changes: Any) -> Config:
    return sound_but(venues=SOUND.venues | {"paper": PaperVenue(kind="paper", **changes)})


SENSELESS = [
    (sound_but(service=Service(name="")), "service.name", '""'),
    (sound_but(service=Service(name="a b")), "service.name", '"a b"'),
    (sound_but(service=Service(version="")), "service.version", '""'),
    (sound_but(service=Service(data="")), "service.data", '""'),
    (sound_but(service=Service(partitions=0)), "service.partitions", "0"),
    (sound_but(service=Service(partitions=4097)), "service.partitions", "4097"),
    (sound_but(service=Service(partition=2, partitions=2)), "service.partition", "2"),
    (sound_but(service=Service(partition=-1)), "service.partition", "-1"),
    (sound_but(nats=Nats(url="http://there")), "nats.url", "another kind of address"),
    (sound_but(nats=Nats(url="nats://a:1,b:2")), "nats.url", "another kind of address"),
    (sound_but(nats=Nats(port=65536)), "nats.port", "65536"),
    (sound_but(nats=Nats(prefix="")), "nats.prefix", '""'),
    (sound_but(nats=Nats(prefix="a.b")), "nats.prefix", '"a.b"'),
    (sound_but(nats=Nats(prefix="Exec")), "nats.prefix", '"Exec"'),
    (sound_but(nats=Nats(prefix="exec\n")), "nats.prefix", '"exec\n"'),
    (sound_but(metrics=Metrics(port=-2)), "metrics.port", "-2"),
    (sound_but(metrics=Metrics(port=4222)), "metrics.port", "4222"),
    (sound_but(allow=Allow(exchanges=frozenset({"XLON"}))), "allow.exchanges", '"XLON"'),
    (sound_but(routes={}), "allow.exchanges", '"XNAS", which has no route'),
    (sound_but(exchanges=SOUND.exchanges | {"a:b": XNAS}), 'exchanges."a:b"', '"a:b"'),
    (with_exchange(tick_size=D(0)), "exchanges.XNAS.tick_size", "0"),
    (with_exchange(lot_size=D(-1)), "exchanges.XNAS.lot_size", "-1"),
    (with_exchange(min_quantity=D(-1)), "exchanges.XNAS.min_quantity", "-1"),
    (with_exchange(lot_size=D(2), min_quantity=D(3)), "exchanges.XNAS.min_quantity", "3"),
    (with_exchange(min_notional=D(-1)), "exchanges.XNAS.min_notional", "-1"),
    (with_exchange(currency="usd"), "exchanges.XNAS.currency", '"usd"'),
    (with_exchange(calendar=""), "exchanges.XNAS.calendar", '""'),
    (sound_but(instruments={"AAPL": InstrumentSettings()}), "instruments.AAPL", '"AAPL"'),
    (sound_but(instruments={"XLON:VOD": InstrumentSettings()}), 'instruments."XLON:VOD"', 'exchange "XLON"'),
    (sound_but(instruments={"XNAS:A": InstrumentSettings(tick_size=D(0))}), 'instruments."XNAS:A".tick_size', "0"),
    (sound_but(instruments={"XNAS:A": InstrumentSettings(multiplier=D(0))}), 'instruments."XNAS:A".multiplier', "0"),
    (sound_but(limits=Limits(max_leverage=D(0))), "limits.max_leverage", "0"),
    (sound_but(limits=Limits(collar_bps=D(10_000))), "limits.collar_bps", "10000"),
    (sound_but(subscribers={"a b": {}}), 'subscribers."a b"', '"a b"'),
    (sound_but(venues=SOUND.venues | {"IB-1": OtherVenue(kind="ibkr")}), "venues.IB-1", '"IB-1"'),
    (with_paper(latency_ms=-1), "venues.paper.latency_ms", "-1"),
    (with_paper(latency_ms=60_001), "venues.paper.latency_ms", "60001"),
    (with_paper(commission=Schedule(bps=D(-1))), "venues.paper.commission.bps", "-1"),
    (sound_but(routes=SOUND.routes | {"XLON": "paper"}), "routes.XLON", 'exchange "XLON"'),
    (sound_but(routes=SOUND.routes | {"XNAS:": "paper"}), 'routes."XNAS:"', '"XNAS:"'),
    (sound_but(routes={"XNAS": "ibkr"}), "routes.XNAS", '"ibkr"'),
    (sound_but(admin=Admin(socket="")), "admin.socket", '""'),
    (sound_but(admin=Admin(socket="run/")), "admin.socket", '"run/"'),
    (sound_but(admin=Admin(socket="a" * 103)), "admin.socket", f'"{"a" * 60}…"'),
    (sound_but(market=MarketSettings(max_age_s=0)), "market.max_age_s", "0"),
    (sound_but(admin=Admin(uids=frozenset({-5, 0}))), "admin.uids", "-5"),
]


@pytest.mark.parametrize(
    ("config", "key", "found"), SENSELESS, ids=[f"{key}-{at}" for at, (_, key, _) in enumerate(SENSELESS)]
)
def test_what_cannot_be_meant_is_found_where_it_stands(config: Config, key: str, found: str) -> None:
    assert [(problem.key, problem.found) for problem in problems(config)] == [(key, found)]


def test_a_bad_address_of_the_bus_is_not_repeated_because_it_may_hold_a_password() -> None:
    (problem,) = problems(sound_but(nats=Nats(url="engine:hunter2@there:4222")))
    assert "hunter2" not in "".join(problem)


def test_all_problems_are_found_at_once_in_the_order_of_the_file() -> None:
    config = sound_but(service=Service(name=""), nats=Nats(port=-1), routes={"XNAS": "nowhere"})
    assert [problem.key for problem in problems(config)] == ["service.name", "nats.port", "routes.XNAS"]
