"""Reads config.toml and the environment into a `Config`, or says everything that is wrong with them.

Every number is read as written, never through float. Problems of shape (a string where a number belongs, an unknown
key) are all found at once; where there are none, `engine.sanity` looks at the whole.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from engine import intake
from engine.config import Config, OtherVenue, PaperVenue
from engine.control_settings import DEFAULT_REGIMES
from engine.messages import Subscriber
from engine.refusal import Refusal
from engine.sanity import Problem, key_path, problems
from engine.values import CURRENCY_PATTERN, EXCHANGE_PATTERN, SYMBOL_PATTERN, Number, read_number

MAX_BYTES = 1 << 20
MAX_EXPONENT = 40
"""Far beyond what `read_number` takes, and still quick to write out in full."""

S = TypeVar("S", bound=msgspec.Struct)

_ENVIRONMENT = {
    "SERVICE_NAME": ("service", "name"),
    "SERVICE_VERSION": ("service", "version"),
    "ALLOWED_SYMBOLS": ("allow", "symbols"),
    "ALLOWED_EXCHANGES": ("allow", "exchanges"),
}
_PATTERNS = {
    CURRENCY_PATTERN: 'a currency such as "USD"',
    EXCHANGE_PATTERN: 'an exchange such as "XNAS"',
    SYMBOL_PATTERN: 'a symbol such as "AAPL"',
}
_SHAPES: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    Number: 'a decimal such as "0.01", of at most 18 digits and 12 decimals',
}
_OTHER_KINDS = get_args(get_type_hints(OtherVenue)["kind"])
_SECRET = ("password", "token", "secret", "url")


class SettingsError(Exception):
    """A configuration that cannot be used. Its text names the file, each key, what was found and what was expected."""

    def __init__(self, path: Path | str, found: Iterable[Problem]) -> None:
        self.path = str(path)
        self.problems = list(found)
        super().__init__(self.path, self.problems)

    def __str__(self) -> str:
        lines = [f"{key}: found {found}, expected {expected}" for key, found, expected in self.problems]
        return "\n  ".join([f"{self.path} cannot be used:", *lines])


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the TOML file at `path`, overridden by the environment; raises SettingsError.

    ALLOWED_SYMBOLS and ALLOWED_EXCHANGES are comma-separated and take the place of the file's lists, so that an
    empty one refuses everything; SERVICE_NAME and SERVICE_VERSION are taken as they are.
    """
    raw = _read(path)
    sources = _override(raw, environ)
    if isinstance(regimes := raw.get("regimes"), dict):
        raw["regimes"] = {name: _completed(name, table) for name, table in regimes.items()}
    found: list[Problem] = []
    config = _decode(raw, Config, (), found)
    if not found:
        found = problems(config)
    if found:
        raise SettingsError(path, [_named_by_source(problem, sources) for problem in found])
    assert isinstance(config, Config)
    for name, table in config.subscribers.items():
        subscriber(path, name, table)
    return config


def _completed(name: str, table: Any) -> Any:
    """A table of [regimes] with the defaults of this regime for what it leaves out."""
    if name not in DEFAULT_REGIMES or not isinstance(table, dict):
        return table
    default = msgspec.structs.asdict(DEFAULT_REGIMES[name])
    return {key: value for key, value in default.items() if value is not None} | table


def subscriber(path: Path | str, name: str, raw: Mapping[str, Any]) -> Subscriber:
    """A table of [subscribers], read as strictly as one that comes over the bus; raises SettingsError."""
    message = intake.read("subscriber", msgspec.json.encode({"subscriber_id": name, **raw}))
    if isinstance(message, Refusal):
        raise SettingsError(path, [Problem(key_path("subscribers", name), message.reason, "a Subscriber")])
    assert isinstance(message, Subscriber)
    return message


def section(path: Path | str, raw: Mapping[str, Any], struct: type[S], *names: str) -> S:
    """A table that `Config` leaves as read (a venue's own keys), decoded as strictly; raises SettingsError.

    `names` is where the table stands: `section(path, venue.keys, IbkrVenue, "venues", "ib")`.
    """
    found: list[Problem] = []
    value = _decode(dict(raw), struct, names, found)
    if found:
        raise SettingsError(path, found)
    assert isinstance(value, struct)
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(path, [Problem("file", error.strerror or str(error), "a readable TOML file")]) from error
    if len(body) > MAX_BYTES:
        raise SettingsError(path, [Problem("file", f"more than {MAX_BYTES} bytes", "a smaller file")])
    try:
        return tomllib.loads(body.decode(), parse_float=_exact)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise SettingsError(path, [Problem(f"line {line}", "bytes that are not UTF-8", "UTF-8 text")]) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(path, [_syntax(str(error), body)]) from error


def _syntax(error: str, body: bytes) -> Problem:
    """What tomllib says, with its line first; where it says "end of document", that is the last line."""
    said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", error, re.DOTALL)
    if said is None:
        return Problem("file", error, "TOML")
    return Problem(f"line {said[2] or len(body.splitlines())}", said[1], "TOML")


def _exact(text: str) -> Any:
    """A TOML float as an exact Decimal; what Decimal cannot hold stays text, which no number's grammar takes."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _override(raw: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Puts what the environment sets in the place of what the file says; returns which variable set which key."""
    sources: dict[str, str] = {}
    for variable, (table, name) in _ENVIRONMENT.items():
        text = environ.get(variable)
        values = raw.setdefault(table, {})
        if text is None or not isinstance(values, dict):  # A table that is none is reported as what it is.
            continue
        listed = variable.startswith("ALLOWED_")
        values[name] = [item.strip() for item in text.split(",") if item.strip()] if listed else text
        sources[f"{table}.{name}"] = variable
    return sources


def _named_by_source(problem: Problem, sources: Mapping[str, str]) -> Problem:
    variable = sources.get(problem.key.partition("[")[0])
    return problem._replace(key=f"{variable} in the environment") if variable else problem


def _decode(raw: Any, shape: Any, names: tuple[str, ...], found: list[Problem]) -> Any:
    """`raw` as a `shape`, adding to `found` what does not fit; the value is meaningless if anything was added."""
    origin = get_origin(shape)
    if shape is Any:
        return raw
    if origin in (Union, UnionType):
        members = get_args(shape)
        if PaperVenue in members:
            return _decode_venue(raw, names, found)
        return _decode(raw, next(member for member in members if member is not type(None)), names, found)
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return _decode_struct(raw, shape, names, found)
    if origin is dict:
        if not isinstance(raw, dict):
            return _misfit(raw, names, "a table", found)
        return {name: _decode(value, get_args(shape)[1], (*names, name), found) for name, value in raw.items()}
    if origin is frozenset:
        if not isinstance(raw, list):
            return _misfit(raw, names, "a list", found)
        return frozenset(_leaf(item, get_args(shape)[0], names, f"[{at}]", found) for at, item in enumerate(raw))
    return _leaf(raw, shape, names, "", found)


def _decode_struct(raw: Any, struct: type[msgspec.Struct], names: tuple[str, ...], found: list[Problem]) -> Any:
    if not isinstance(raw, dict):
        return _misfit(raw, names, "a table", found)
    shapes = get_type_hints(struct, include_extras=True)
    known = ", ".join(struct.__struct_fields__)
    found += [
        Problem(key_path(*names, name), "an unknown key", f"one of {known}") for name in raw if name not in shapes
    ]
    before = len(found)
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in raw:
            values[field.name] = _decode(raw[field.name], shapes[field.name], (*names, field.name), found)
        elif field.required:
            found.append(Problem(key_path(*names, field.name), "nothing", _expected(shapes[field.name])))
    return struct(**values) if len(found) == before else None


def _decode_venue(raw: Any, names: tuple[str, ...], found: list[Problem]) -> Any:
    """A venue by its kind: the paper venue in full, another with its keys left to its own adapter."""
    if not isinstance(raw, dict):
        return _misfit(raw, names, "a table", found)
    if raw.get("kind") in _OTHER_KINDS:
        return OtherVenue(kind=raw["kind"], keys={name: value for name, value in raw.items() if name != "kind"})
    if raw.get("kind") != "paper":
        return _misfit(raw.get("kind"), (*names, "kind"), _expected(Literal["paper", *_OTHER_KINDS]), found)
    return _decode_struct(raw, PaperVenue, names, found)


def _leaf(raw: Any, shape: Any, names: tuple[str, ...], index: str, found: list[Problem]) -> Any:
    value = raw
    if isinstance(raw, Decimal) and raw.is_finite() and abs(raw.adjusted()) <= MAX_EXPONENT:
        value = f"{raw:f}" if shape is Number else raw
    try:
        return msgspec.convert(value, shape, dec_hook=read_number)
    except msgspec.ValidationError:
        return _misfit(raw, names, _expected(shape), found, index)


def _misfit(raw: Any, names: tuple[str, ...], expected: str, found: list[Problem], index: str = "") -> None:
    found.append(Problem(key_path(*names) + index, _shown(raw, names), expected))


def _expected(shape: Any) -> str:
    origin, arguments = get_origin(shape), get_args(shape)
    if origin is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in arguments)
    if origin is Annotated:
        return next((_PATTERNS[meta.pattern] for meta in arguments[1:] if meta.pattern in _PATTERNS), "another value")
    return _SHAPES.get(shape, "another value")


def _shown(value: Any, names: tuple[str, ...]) -> str:
    """What was found, as TOML writes it, short, and never a secret."""
    if names and names[-1].endswith(_SECRET):
        return "another kind of value"
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value if len(value) <= 60 else value[:60] + "…"}"'
        case dict():
            return "a table"
        case list():
            return "a list"
        case int() | Decimal():
            text = str(value) if not isinstance(value, int) or abs(value) < 10**40 else "a very long number"
            return text if len(text) <= 60 else text[:60] + "…"
    return f"a {type(value).__name__}"
