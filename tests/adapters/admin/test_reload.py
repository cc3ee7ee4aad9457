"""Reloading the configuration: judged first, then all of it or nothing."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.market import Market
from actors.partition import Partition
from adapters.admin.reload import apply, compare
from adapters.settings import SettingsError, load
from engine.rules import Rules

FILE = """
[allow]
symbols = ["AAPL", "MSFT"]
exchanges = ["XNAS"]
[exchanges.XNAS]
currency = "USD"
tick_size = "0.01"
calendar = "24/7"
[limits]
max_order_quantity = "100"
[venues.paper]
kind = "paper"
[routes]
XNAS = "paper"
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, without an environment that overrides it."""
    for name in ("ALLOWED_SYMBOLS", "ALLOWED_EXCHANGES", "SERVICE_NAME", "SERVICE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    found = tmp_path / "config.toml"
    found.write_text(FILE)
    return found


def running(path: Path) -> Any:
    """An engine's part of it, deciding by the file as it is."""
    config = load(path, os.environ)
    rules = Rules(config, {})
    return SimpleNamespace(config=config, rules=rules, partition=Partition(rules, Market(60)))


def edit(path: Path, was: str, becomes: str) -> None:
    """One change to the file."""
    assert was in FILE
    path.write_text(FILE.replace(was, becomes))


def test_nothing_changed_is_nothing_to_do(path: Path) -> None:
    found = compare(path, running(path).config)
    assert (found.live, found.at_start) == ([], [])


def test_limits_and_allowlists_change_together_from_the_next_turn_on(path: Path) -> None:
    engine = running(path)
    path.write_text(FILE.replace('"AAPL", "MSFT"', '"IBM"').replace('"100"', '"7.5"'))
    found = compare(path, engine.config)
    assert found.live == [
        ("allow.symbols", ["AAPL", "MSFT"], ["IBM"]),
        ("limits.max_order_quantity", "100", "7.5"),
    ]
    apply(engine, found.config)
    rules = engine.partition.turn.rules
    assert rules is engine.rules
    assert (rules.symbols, rules.limits.max_order_quantity) == (frozenset({"IBM"}), Decimal("7.5"))
    assert compare(path, engine.config).live == []


def test_what_only_a_start_can_take_up_is_told_apart(path: Path) -> None:
    engine = running(path)
    path.write_text(FILE.replace('"100"', '"7"').replace("0.01", "0.05"))
    found = compare(path, engine.config)
    assert found.at_start == [("exchanges.XNAS.tick_size", "0.01", "0.05")]
    assert [change.key for change in found.live] == ["limits.max_order_quantity"]
    assert found.config.exchanges == engine.config.exchanges


def test_a_venue_added_is_seen(path: Path) -> None:
    engine = running(path)
    edit(path, "[routes]", '[venues.other]\nkind = "paper"\n[routes]')
    assert {change.key.split(".")[1] for change in compare(path, engine.config).at_start} == {"other"}


@pytest.mark.parametrize(("was", "becomes"), [('"100"', '"-1"'), ("[limits]", "[limits"), ('"AAPL", "MSFT"', '"?"')])
def test_a_file_that_cannot_be_used_changes_nothing(path: Path, was: str, becomes: str) -> None:
    engine = running(path)
    edit(path, was, becomes)
    with pytest.raises(SettingsError):
        compare(path, engine.config)
    assert engine.rules.limits.max_order_quantity == 100
