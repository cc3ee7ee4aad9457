"""The chain of hashes over the journal: no entry can be changed, lost or moved without the chain showing it."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

GENESIS: Final = bytes(32)
"""What stands before the first entry."""

ENTRIES: Final = "SELECT seq, CAST(at AS TEXT), CAST(body AS BLOB), CAST(hash AS BLOB) FROM journal ORDER BY seq"
"""The entries to follow, as the types that they were written in even where somebody changed them."""


def link(previous: bytes, sequence: int, at: str, body: bytes) -> bytes:
    """The hash of an entry: of the hash before it, its sequence (8 bytes, big-endian), its time as text, its body."""
    digest = sha256(previous)
    digest.update(sequence.to_bytes(8, "big"))
    digest.update(at.encode())
    digest.update(body)
    return digest.digest()
