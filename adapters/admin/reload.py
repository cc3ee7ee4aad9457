"""Taking limits, allowlists, controls and regimes from config.toml again while the engine runs: all of it, or nothing.

The file is read and judged as at a start. Where it says anything new that only a start can take up, nothing is taken,
so that the file and the engine never agree on half of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from adapters.engine import Engine
from adapters.settings import load
from engine.config import Config

LIVE: Final = ("allow", "limits", "controls", "regimes")
"""Tables that can change while the engine runs."""


class Change(NamedTuple):
    """One key that is different in the file."""

    key: str
    before: Any
    after: Any


class Difference(NamedTuple):
    """What the file says that the engine does not do."""

    live: list[Change]
    at_start: list[Change]
    config: Config
    """The engine's configuration with the live tables of the file."""


def compare(path: Path, running: Config) -> Difference:
    """Reads the file and compares; raises SettingsError where it cannot be used."""
    wanted = load(path, os.environ)
    before, after = _flat(running), _flat(wanted)
    changes = [
        Change(key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    live = [change for change in changes if change.key.partition(".")[0] in LIVE]
    at_start = [change for change in changes if change.key.partition(".")[0] not in LIVE]
    config = replace(running, **{table: getattr(wanted, table) for table in LIVE})
    return Difference(live, at_start, config)


def apply(engine: Engine, config: Config) -> None:
    """Has the engine decide by this configuration from its next turn on. One assignment, between two turns."""
    rules = engine.rules.with_config(config)
    engine.config = config
    engine.rules = engine.partition.turn.rules = rules


def _flat(config: Config) -> dict[str, Any]:
    """Every key with its value, as plain as JSON; lists in order, so that they can be compared."""
    found: dict[str, Any] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else key, inner)
        elif isinstance(value, list):
            found[name] = sorted(value, key=str)
        else:
            found[name] = value

    walk("", msgspec.to_builtins(config, str_keys=True))
    return found
