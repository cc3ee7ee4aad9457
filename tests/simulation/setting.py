"""What all worlds have in common: the instruments, the rules, and an engine whose small bounds are met."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from actors import partition as partition_module
from actors.door import DoorActor
from actors.turn import Turn
from engine import hearing
from engine.commands import RefuseInput
from engine.config import Allow, Config, ExchangeSettings, InstrumentSettings, Limits, OtherVenue, Service
from engine.control_settings import RegimeSettings
from engine.rules import Rules
from engine.sessions import Session
from tests.simulation import controls
from tests.simulation.audit import POISON
from tests.simulation.traits import Tally

BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SYMBOLS = {"AAA": "XSIM", "BBB": "XSIM", "CCC": "XEUR"}
D = Decimal


def rules_of(partitions: int, supervised: bool, regimes: dict[str, RegimeSettings]) -> Rules:
    """Two exchanges with a venue each; one trades around the clock, the other closes at 16:30."""
    config = Config(
        service=Service(partitions=partitions),
        allow=Allow(symbols=frozenset({"AAA", "BBB", "CCC"}), exchanges=frozenset({"XSIM", "XEUR"})),
        exchanges={
            "XSIM": ExchangeSettings(currency="USD", tick_size=D("0.01"), calendar="24/7"),
            "XEUR": ExchangeSettings(currency="EUR", tick_size=D("0.05"), lot_size=D(5), calendar="TEST"),
        },
        instruments={"XSIM:BBB": InstrumentSettings(multiplier=D(10))},
        limits=Limits(max_orders_per_second=D(50)),
        venues={"alpha": OtherVenue(kind="simulated"), "beta": OtherVenue(kind="simulated")},
        routes={"XSIM": "alpha", "XEUR": "beta"},
        controls=controls.settings(supervised),
        regimes=regimes,
    )
    days = [BEGIN.replace(hour=8) + timedelta(days=day) for day in range(30)]
    return Rules(config, {"TEST": [Session(day, day + timedelta(hours=8)) for day in days]})


class Counting(dict[Any, Any]):
    """The transition table, which counts the rows that were looked up."""

    tally: Tally

    def __getitem__(self, row: Any) -> Any:
        self.tally.add(f"row: {row[0]} {row[1].__name__}")
        return super().__getitem__(row)


@contextmanager
def surroundings(tight: bool, tally: Tally) -> Iterator[None]:
    """Counts rows of the transition table, and lets the door fail on poison; where `tight`, makes the bounds of the
    partition small enough to be met."""
    table, bounds = hearing.TABLE, {}
    counting = Counting(table)
    counting.tally = tally
    hearing.TABLE = counting  # type: ignore[misc]
    refuse = DoorActor.RECEIVE[RefuseInput]

    def poisoned(actor: DoorActor, message: RefuseInput, turn: Turn) -> None:
        refuse(actor, message, turn)
        if message.code == POISON:
            raise RuntimeError("poison")

    DoorActor.RECEIVE[RefuseInput] = poisoned
    if tight:
        for name, value in (("MAX_RESIDENT", 4), ("MAX_KNOWN", 3), ("MAX_TURNS", 4), ("MAX_FRONT", 1)):
            bounds[name] = getattr(partition_module, name)
            setattr(partition_module, name, value)
    try:
        yield
    finally:
        DoorActor.RECEIVE[RefuseInput] = refuse
        hearing.TABLE = table  # type: ignore[misc]
        for name, value in bounds.items():
            setattr(partition_module, name, value)
