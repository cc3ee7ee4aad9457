"""Who is who: ids that grow, the partition a subscriber belongs to, and names made safe for subjects."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
_UNSAFE = re.compile(r"[^A-Za-z0-9_\-/:]")
_SAFE = re.compile(r"[A-Za-z0-9_\-/:]+").fullmatch

ORDERS_PER_BATCH = 1 << 12
"""How many ids one batch may hand out: a sequence is the batch's journal sequence, then a count."""


def fnv1a32(text: str) -> int:
    """The 32-bit FNV-1a hash of the UTF-8 text (Fowler, Noll, Vo; RFC 9923)."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value


def partition_of(name: str, partitions: int) -> int:
    """The partition a subscriber or a strategy belongs to."""
    return fnv1a32(name) % partitions if partitions > 1 else 0


def order_id(venue: str, partition: int, sequence: int, subscriber_id: str, key: str, leg: int) -> str:
    """`<venue>-<uuid>`: RFC 9562 version 8, partition (16 bits) and sequence (44) first, so that ids grow; a hash
    of what was asked last, so that an id can be checked against its cause."""
    digest = blake2b(f"{subscriber_id}\0{key}\0{leg}".encode(), digest_size=8).digest()
    cause = f"{1 << 63 | int.from_bytes(digest, 'big') >> 2:x}"
    return f"{_head(venue, partition << 32 | sequence >> 12)}{sequence & 0xFFF:03x}-{cause[:4]}-{cause[4:]}"


@lru_cache(maxsize=64)
def _head(venue: str, high: int) -> str:
    """What the ids of a batch at a venue have in common: the venue, the first 48 bits and the version."""
    text = f"{high:012x}"
    return f"{venue}-{text[:8]}-{text[8:]}-8"


def sequence_of(order_id_: str) -> int:
    """The growing number inside an order id: within a partition, later orders have larger ones."""
    text = order_id_[-36:].replace("-", "")
    return int(text[4:12], 16) << 12 | int(text[13:16], 16)


def partition_in(order_id_: str) -> int:
    """The partition that an order id was made in."""
    return int(order_id_[-36:-32], 16)


def subject_token(name: str) -> str:
    """`name` as one token of a subject: every other character than [A-Za-z0-9_-/:] percent-encoded as UTF-8."""
    if _SAFE(name):
        return name
    return _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)


def name_in(token: str) -> str:
    """The name that `subject_token` encoded; raises ValueError for a broken escape."""
    if "%" not in token:
        return token
    parts = token.split("%")
    raw = parts[0].encode()
    for part in parts[1:]:
        if not re.fullmatch(r"[0-9A-F]{2}", part[:2]):
            raise ValueError(f"broken escape in subject token {token!r}")
        raw += bytes.fromhex(part[:2]) + part[2:].encode()
    return raw.decode()
