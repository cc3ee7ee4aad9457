"""The venue that a table of [venues] asks for."""

from __future__ import annotations

from pathlib import Path

from adapters.venues.paper import PaperVenue
from engine.config import OtherVenue
from engine.config import PaperVenue as PaperSettings
from engine.rules import Rules


class VenueError(Exception):
    """A venue that cannot be opened: which, and why."""


def build(name: str, settings: PaperSettings | OtherVenue, data: Path, rules: Rules) -> PaperVenue:
    """The adapter of a venue; its own memory, where it has one, is a file under `data`. Raises VenueError."""
    if not isinstance(settings, PaperSettings):
        raise VenueError(f'venues.{name}.kind: there is no adapter for {settings.kind!r} venues yet; use "paper"')
    return PaperVenue(
        name,
        data / f"venue-{name}.sqlite",
        commission=settings.commission,
        latency_ms=settings.latency_ms,
        spec=rules.instrument,
        natives=settings.native,
    )
