"""Chance that can be played again: integers from a seed, the same in every process and version."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


# A slice is asked for three times: when it is awaited, when it is due, and when it is sized.
@lru_cache(maxsize=1 << 14)
def draw(seed: str, what: str, index: int) -> int:
    """An integer from 0 to 2**64 - 1, fixed by what it is drawn for (BLAKE2b, RFC 7693)."""
    return int.from_bytes(blake2b(f"{seed}\0{what}\0{index}".encode(), digest_size=8).digest(), "big")


def vary(lots: int, seed: str, index: int) -> int:
    """About as many lots: three to five quarters of them, at least one."""
    return max(1, lots * (750 + draw(seed, "clip", index) % 501) // 1000)
