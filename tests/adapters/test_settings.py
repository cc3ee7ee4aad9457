"""config.toml and the environment: read exactly, overridden, or refused with everything that is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.settings import SettingsError, load, section
from engine.commands import PART
from engine.config import Config, OtherVenue, PaperVenue, Section, instrument, route
from engine.control_settings import DEFAULT_REGIMES
from engine.sanity import Problem
from engine.values import Number
from engine.work import PREFIX

SHIPPED = Path(__file__).parents[2] / "config.toml"
DECIMAL = 'a decimal such as "0.01", of at most 18 digits and 12 decimals'


class Gateway(Section, frozen=True):
    """A venue's own keys, as an adapter would have them."""

    host: str
    fee: Number = Decimal(0)
    password: str = ""


@pytest.fixture
def write(tmp_path: Path):
    """Writes a config.toml and returns its path."""

    def written(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return written


def said(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of a refusal below the first, which names the file."""
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    first, *lines = str(caught.value).splitlines()
    assert first == f"{path} cannot be used:"
    return [line.removeprefix("  ") for line in lines]


def test_the_shipped_file_is_sound_and_routes_what_it_allows() -> None:
    config = load(SHIPPED, {})
    for exchange, symbol in [("XNAS", "AAPL"), ("XNAS", "FB"), ("XNYS", "IBM")]:
        assert exchange in config.allow.exchanges
        assert symbol in config.allow.symbols
        assert instrument(config, exchange, symbol) is not None
        assert isinstance(config.venues[str(route(config, exchange, symbol))], PaperVenue)


def test_the_shipped_file_takes_crypto_by_environment_alone() -> None:
    config = load(SHIPPED, {"ALLOWED_SYMBOLS": "BTC/USDT,ETH/USDT", "ALLOWED_EXCHANGES": "binance, coinbase"})
    assert config.allow.symbols == {"BTC/USDT", "ETH/USDT"}
    assert config.allow.exchanges == {"binance", "coinbase"}


def test_an_empty_file_is_the_default_and_refuses_everything(write) -> None:
    assert load(write(""), {}) == Config()


def test_what_a_regime_leaves_out_is_as_that_regime_has_it_by_default(write) -> None:
    config = load(write('[regimes.CAUTION]\nrate_factor = "0.9"\n[regimes.EMERGENCY]\nmax_urgency = "0.5"'), {})
    assert config.regimes == {
        "CAUTION": replace(DEFAULT_REGIMES["CAUTION"], rate_factor=Decimal("0.9")),
        "EMERGENCY": replace(DEFAULT_REGIMES["EMERGENCY"], max_urgency=Decimal("0.5")),
    }
    (line,) = said(write("[regimes.EMERGENCY]\nallow_new_risk = true"))
    assert "regimes.EMERGENCY.cancel_working" in line
    assert len(said(write("regimes = 1"))) == len(said(write("[regimes]\nCAUTION = 1"))) == 1


@pytest.mark.parametrize("text", ["0.1", '"0.1"', "0.10", "1e-1", "0.1_0"])
def test_a_number_is_read_as_written_whether_or_not_it_is_quoted(write, text: str) -> None:
    assert load(write(f"[limits]\nmax_leverage = {text}"), {}).limits.max_leverage == Decimal("0.1")


@given(st.decimals(min_value=Decimal("0.000000000001"), max_value=10**17, places=12))
def test_no_digit_of_a_number_is_lost(tmp_path_factory, value: Decimal) -> None:
    path = tmp_path_factory.mktemp("exact") / "config.toml"
    path.write_text(f"[limits]\nmax_order_notional = {value:f}")
    assert load(path, {}).limits.max_order_notional == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nan", "NaN"),
        ("-inf", "-Infinity"),
        ('"NaN"', '"NaN"'),
        ('"1e30"', '"1e30"'),
        ('" 1"', '" 1"'),
        ('"1_0"', '"1_0"'),
        ('"\\u0661"', '"\u0661"'),
        ("1e999999", "1E+999999"),
        ("1e99999999999999999999", '"1e99999999999999999999"'),
        ("1e-13", "1E-13"),
        ("1000000000000000000", "1000000000000000000"),
        ("true", "true"),
        ("[1]", "a list"),
        ("{ a = 1 }", "a table"),
        ("2026-01-05", "a date"),
        ('""', '""'),
    ],
)
def test_what_is_no_plain_decimal_is_refused(write, text: str, found: str) -> None:
    path = write(f"[limits]\nmax_leverage = {text}")
    assert said(path) == [f"limits.max_leverage: found {found}, expected {DECIMAL}"]


KINDS = 'one of "paper", "simulated", "ibkr", "fix"'
TABLES = ", ".join(Config.__struct_fields__)
INSTRUMENT = "currency, tick_size, calendar, lot_size, min_quantity, min_notional, multiplier"
REFUSED = [
    ("[servce]", f"servce: found an unknown key, expected one of {TABLES}"),
    ("[nats]\nhost = 'x'", "nats.host: found an unknown key, expected one of url, port, prefix"),
    ("[nats]\nport = '4222'", 'nats.port: found "4222", expected a whole number'),
    ("[nats]\nport = true", "nats.port: found true, expected a whole number"),
    ("[nats]\nport = 4222.0", "nats.port: found 4222.0, expected a whole number"),
    ("[nats]\nport = 70000", "nats.port: found 70000, expected 0 to 65535"),
    ("[nats]\nurl = 7", "nats.url: found another kind of value, expected a string"),
    ("nats = 4222", "nats: found 4222, expected a table"),
    ("exchanges = []", "exchanges: found a list, expected a table"),
    ("[service]\nname = 1.5", "service.name: found 1.5, expected a string"),
    ("[log]\nlevel = 'loud'", 'log.level: found "loud", expected one of "debug", "info", "warning", "error"'),
    ("[allow]\nsymbols = 'AAPL'", 'allow.symbols: found "AAPL", expected a list'),
    ("[allow]\nsymbols = ['A', '', 5]", 'allow.symbols[1]: found "", expected a symbol such as "AAPL"',
     'allow.symbols[2]: found 5, expected a symbol such as "AAPL"'),
    ("[admin]\nuids = ['root']", 'admin.uids[0]: found "root", expected a whole number'),
    ("[limits]\nallow_short = 'yes'", 'limits.allow_short: found "yes", expected true or false'),
    ("[exchanges.X]\ncalendar = '24/7'", 'exchanges.X.currency: found nothing, expected a currency such as "USD"',
     f"exchanges.X.tick_size: found nothing, expected {DECIMAL}"),
    ("[exchanges.X]\ncurrency = 'usd'\ntick_size = 1\ncalendar = '24/7'",
     'exchanges.X.currency: found "usd", expected a currency such as "USD"'),
    ("[instruments.'X:A']\ntick = 1", f'instruments."X:A".tick: found an unknown key, expected one of {INSTRUMENT}'),
    ("[instruments.'X:A']", 'instruments."X:A": found exchange "X", expected a name defined under [exchanges.<name>]'),
    ("[subscribers]\nalice = 1", "subscribers.alice: found 1, expected a table"),
    ("[venues.a]", f"venues.a.kind: found nothing, expected {KINDS}"),
    ("[venues.a]\nkind = 'papier'", f'venues.a.kind: found "papier", expected {KINDS}'),
    ("[venues.a]\nkind = ['paper']", f"venues.a.kind: found a list, expected {KINDS}"),
    *((f"[venues.{name}]\nkind = 'paper'",
       f'venues.{name}: found "{name}", expected another name: it begins the ids of orders that are at no venue')
      for name in (PART, PREFIX)),
    ("[venues]\na = 'paper'", 'venues.a: found "paper", expected a table'),
    ("[venues.a]\nkind = 'paper'\nspeed = 1",
     "venues.a.speed: found an unknown key, expected one of kind, commission, latency_ms, native"),
    ("[venues.a]\nkind = 'paper'\ncommission.bps = 'x'", f'venues.a.commission.bps: found "x", expected {DECIMAL}'),
    ("[routes]\nX = 1", "routes.X: found 1, expected a string"),
    ("[service]\nname = 1\n[nats]\nport = 'x'", "service.name: found 1, expected a string",
     'nats.port: found "x", expected a whole number'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), [(text, lines) for text, *lines in REFUSED])
def test_a_refusal_names_the_key_what_was_found_and_what_was_expected(write, text: str, lines: list[str]) -> None:
    assert said(write(text)) == lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[nats]\nport = 4222\nport = 1\n", "line 3: "),
        ("[nats]\n\nport = ", "line 3: "),
        ("[nats\nport = 1", "line 1: "),
        ("a = " + "9" * 5000, "file: "),
        ("a = " + "[" * 100_000, ""),  # Python's own versions differ in where they give up.
    ],
    ids=["twice", "cut", "open", "digits", "depth"],
)
def test_what_is_not_toml_is_refused_with_its_line(write, text: str, line: str) -> None:
    (problem,) = said(write(text))
    assert problem.startswith(line)
    assert problem.endswith(", expected TOML")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert said(tmp_path / "none.toml") == ["file: found No such file or directory, expected a readable TOML file"]
    assert said(tmp_path) == ["file: found Is a directory, expected a readable TOML file"]


def test_a_file_that_is_not_text_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[nats]\nprefix = '\xff'\n")
    assert said(path) == ["line 2: found bytes that are not UTF-8, expected UTF-8 text"]


def test_a_file_beyond_the_bound_is_refused(write) -> None:
    assert said(write("#" * (1 << 20) + "\n")) == ["file: found more than 1048576 bytes, expected a smaller file"]


def test_the_environment_overrides_the_file(write) -> None:
    path = write("[service]\nname = 'a'\nversion = '1'\n[allow]\nsymbols = ['A']")
    config = load(
        path, {"SERVICE_NAME": "b", "SERVICE_VERSION": "2", "ALLOWED_SYMBOLS": " BTC/USDT , X,", "OTHER": "c"}
    )
    assert (config.service.name, config.service.version) == ("b", "2")
    assert config.allow.symbols == {"BTC/USDT", "X"}


def test_an_allowlist_set_empty_in_the_environment_refuses_everything(write) -> None:
    assert load(write("[allow]\nsymbols = ['A']"), {"ALLOWED_SYMBOLS": ""}).allow.symbols == frozenset()


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("SERVICE_NAME", "", 'found "", expected 1 to 128 letters, digits and ._:/@#+=-'),
        ("ALLOWED_SYMBOLS", "A,b c", 'found "b c", expected a symbol such as "AAPL"'),
        ("ALLOWED_EXCHANGES", "XLON", 'found "XLON", expected a name defined under [exchanges.<name>]'),
    ],
)
def test_a_refusal_of_the_environment_names_the_variable(write, variable: str, value: str, line: str) -> None:
    assert said(write(""), {variable: value}) == [f"{variable} in the environment: {line}"]


def test_the_environment_does_not_hide_a_table_of_the_wrong_shape(write) -> None:
    assert said(write("service = 1"), {"SERVICE_NAME": "a"}) == ["service: found 1, expected a table"]


def test_subscribers_and_the_keys_of_other_venues_are_left_as_read(write) -> None:
    config = load(write("[subscribers.a]\ncash.USD = 1.10\n[venues.ib]\nkind = 'ibkr'\nport = 4002\nfee = 0.35"), {})
    assert config.subscribers == {"a": {"cash": {"USD": Decimal("1.10")}}}
    assert config.venues == {"ib": OtherVenue(kind="ibkr", keys={"port": 4002, "fee": Decimal("0.35")})}


def test_a_section_left_as_read_is_decoded_as_strictly() -> None:
    raw = {"host": "there", "fee": Decimal("0.35")}
    assert section("c.toml", raw, Gateway, "venues", "ib") == Gateway(host="there", fee=Decimal("0.35"))
    with pytest.raises(SettingsError) as caught:
        section("c.toml", {"fee": "free", "prt": 1, "password": 12345}, Gateway, "venues", "ib")
    assert caught.value.problems == [
        Problem("venues.ib.prt", "an unknown key", "one of host, fee, password"),
        Problem("venues.ib.host", "nothing", "a string"),
        Problem("venues.ib.fee", '"free"', DECIMAL),
        Problem("venues.ib.password", "another kind of value", "a string"),
    ]
