"""What a seed decides about a world before its first step, and the counts of what then happened in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random


class Tally:
    """How often each fault, action and transition happened."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, name: str, times: int = 1) -> None:
        """Counts `name` once more."""
        self.counts[name] += times


@dataclass(frozen=True)
class Traits:
    """The character of a world. Probabilities are per opportunity; `hostility` scales the venue's whims."""

    partitions: int
    steps: int
    hostility: float
    silence: float
    fills: float
    overfills: bool
    sessions: float
    crashes: float
    slow: float
    tight: bool
    """Bounds of the partition are made small, so that eviction and full batches happen in a small world."""
    mail_loss: float
    supervised: bool
    """Strategies that repeat themselves are stopped until a person re-arms them."""


def make(chance: Random) -> Traits:
    """The traits of one world; one in ten is friendly."""
    hostile = chance.random() < 0.9
    return Traits(
        partitions=2 if chance.random() < 0.3 else 1,
        steps=chance.randint(40, 110),
        hostility=chance.choice((0.5, 1.0, 1.5)) if hostile else 0.0,
        silence=chance.choice((0.0, 0.1, 0.3)),
        fills=chance.choice((0.02, 0.1, 0.3)),
        overfills=hostile and chance.random() < 0.1,
        sessions=chance.choice((0.0, 0.02, 0.06)) if hostile else 0.0,
        crashes=chance.choice((0.0, 0.03, 0.08)) if hostile else 0.0,
        slow=chance.choice((0.0, 0.05, 0.2)) if hostile else 0.0,
        tight=chance.random() < 0.5,
        mail_loss=chance.choice((0.0, 0.2, 0.5)) if hostile else 0.0,
        supervised=chance.random() < 0.3,
    )
