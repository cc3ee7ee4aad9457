"""How an invariant says that it does not hold."""

from __future__ import annotations


class Broken(AssertionError):
    """An invariant does not hold."""


def must(holds: object, said: str) -> None:
    """Raises `Broken` with the sentence where it does not hold."""
    if not holds:
        raise Broken(said)
