"""Ids grow with their sequence, tell where they were made, and names survive subjects."""

from __future__ import annotations

import re
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.identity import fnv1a32, name_in, order_id, partition_in, partition_of, sequence_of, subject_token

SEQUENCES = st.integers(0, 2**44 - 1)
PARTITIONS = st.integers(0, 2**16 - 1)


@given(SEQUENCES, PARTITIONS, st.text(max_size=20), st.text(max_size=20), st.integers(0, 99))
def test_an_order_id_is_a_version_8_uuid_that_gives_back_partition_and_sequence(
    sequence: int, partition: int, subscriber: str, key: str, leg: int
) -> None:
    made = order_id("paper", partition, sequence, subscriber, key, leg)
    uuid = UUID(made.removeprefix("paper-"))
    assert (uuid.version, uuid.variant) == (8, RFC_4122)
    assert (partition_in(made), sequence_of(made)) == (partition, sequence)


@given(SEQUENCES, SEQUENCES, PARTITIONS, st.text(max_size=5), st.text(max_size=5))
def test_within_a_partition_order_ids_sort_as_their_sequences(
    one: int, other: int, partition: int, subscriber: str, key: str
) -> None:
    first, second = (
        order_id("paper", partition, one, subscriber, "a", 0),
        order_id("paper", partition, other, "", key, 1),
    )
    if one != other:
        assert (first < second) == (one < other)


def test_an_order_id_names_its_venue_and_is_what_it_always_was() -> None:
    made = order_id("paper", 3, 4097, "alice", "signal/s-1", 0)
    assert re.fullmatch(r"paper-[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)
    # Stored and sent ids depend on this: a change here is a change of every id.
    assert made == "paper-00030000-0001-8001-bf49-021c138af8a3"


@pytest.mark.parametrize(
    "other",
    [("bob", "signal/s-1", 0), ("alice", "signal/s-2", 0), ("alice", "signal/s-1", 1), ("alic", "esignal/s-1", 0)],
)
def test_another_cause_makes_another_id(other: tuple[str, str, int]) -> None:
    assert order_id("paper", 0, 7, "alice", "signal/s-1", 0) != order_id("paper", 0, 7, *other)


def test_a_venue_with_dashes_in_its_name_is_no_obstacle() -> None:
    made = order_id("my-own-venue", 5, 6, "alice", "k", 0)
    assert (partition_in(made), sequence_of(made)) == (5, 6)


# From the test vectors of Fowler, Noll and Vo's own site.
@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_hash_is_fnv1a(text: str, value: int) -> None:
    assert fnv1a32(text) == value


@given(st.text(max_size=30), st.integers(1, 4096))
def test_a_name_belongs_to_one_partition_that_exists(name: str, partitions: int) -> None:
    assert 0 <= partition_of(name, partitions) < partitions
    assert partition_of(name, partitions) == partition_of(name, partitions)


def test_names_spread_over_the_partitions() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[partition_of(f"subscriber-{number}", 8)] += 1
    assert min(counts) > 800


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_name_survives_being_a_subject_token(name: str) -> None:
    token = subject_token(name)
    assert re.fullmatch(r"[A-Za-z0-9_/:%-]+", token)
    assert name_in(token) == name


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("alice", "alice"),
        ("BTC/USDT", "BTC/USDT"),
        ("XNAS:BRK.B", "XNAS:BRK%2EB"),
        ("a*b>c d", "a%2Ab%3Ec%20d"),
        ("100%", "100%25"),
        ("\u00e9", "%C3%A9"),
    ],
)
def test_what_a_subject_cannot_hold_is_encoded(name: str, token: str) -> None:
    assert subject_token(name) == token


@pytest.mark.parametrize("token", ["%", "a%2", "%2e", "%zz", "%%25", "%C3", "%FF"])
def test_a_broken_escape_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"broken escape|utf-8"):
        name_in(token)
