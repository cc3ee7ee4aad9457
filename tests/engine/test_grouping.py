"""An order that belongs to a group: how it is specified, and that it waits for its group before anything else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.emulate import End, Held, Release, admit, due, more, on_market, on_time
from engine.grouping import address_of, linked
from engine.instructions import Membership
from engine.refusal import Refusal
from engine.specification import Honoured, Specification
from tests.engine.test_emulate import MARKED, PLENTY, TODAY, shown, specified, waiting
from tests.engine.test_translate import AT, LIMIT, STOP, TRAIL
from tests.engine.test_triggers import quote, trade

OTO_CHILD = Membership(group_id="g", kind="OTO", role="CHILD")
OCO = Membership(group_id="g", kind="OCO")
D = Decimal
LATER = AT + timedelta(minutes=30)


def joined(**fields: Any) -> tuple[Specification, Held]:
    """An order that waits for its group."""
    spec = specified(**fields)
    spec = replace(spec, emulators=(*spec.emulators, "GROUP"))
    return spec, waiting(spec)


def test_two_groups_never_have_one_address() -> None:
    assert address_of("alice", "g") == "group/alice/g"
    assert address_of("a/b", "c") != address_of("a", "b/c")


def test_what_a_venue_would_link_is_linked_here_and_said_to_be() -> None:
    native = replace(specified(), honoured=(Honoured("group", "native", "the venue links them"),))
    found = linked(native, OCO)
    assert isinstance(found, Specification)
    assert found.emulators == ("GROUP",)
    assert [(one.field, one.how) for one in found.honoured] == [("group", "emulated")]
    assert linked(found, OCO) is found


@pytest.mark.parametrize(
    ("emulators", "membership", "refused"),
    [
        (("ALGORITHM",), OTO_CHILD, True),
        (("ICEBERG",), OTO_CHILD, True),
        (("ALGORITHM",), Membership(group_id="g", kind="OUO"), True),
        (("ALGORITHM",), OCO, False),
        (("ALGORITHM",), Membership(group_id="g", kind="BRACKET", role="PARENT"), False),
        (("REDUCE_ONLY",), OTO_CHILD, False),
        (("REDUCE_ONLY",), OCO, False),
        (("TRIGGER",), OTO_CHILD, False),
    ],
)
def test_what_cannot_wait_or_be_updated_is_refused(emulators: Any, membership: Membership, refused: bool) -> None:
    found = linked(replace(specified(), emulators=emulators), membership)
    assert isinstance(found, Refusal) == refused
    if isinstance(found, Refusal):
        assert found.code == "VENUE_CANNOT"


def test_an_order_that_waits_for_its_group_hears_neither_market_nor_clock() -> None:
    spec, held = joined(**STOP)
    assert on_market(spec, held, trade("80"), AT, PLENTY) == (held, None)
    spec, held = joined(time_in_force="OPG")
    assert on_time(spec, held, held.release_at or AT, PLENTY)[1] is None
    assert due(held) == held.ends_at


def test_whether_it_would_cross_is_asked_when_it_is_let_go() -> None:
    resting = LIMIT | {"time_in_force": "GTC", "limit_price": D(150), "instructions": {"post_only": True}}
    spec, held = joined(**resting)
    assert held.joining
    assert shown(admit(spec, held, LATER, MARKED, None, PLENTY)[1]) == "WOULD_CROSS"


def test_its_day_may_end_before_its_group_lets_it_go() -> None:
    spec, held = joined(**LIMIT)
    assert due(held) == TODAY.closes_at
    _, action = on_time(spec, held, TODAY.closes_at, PLENTY)
    assert isinstance(action, End)
    assert action.status == "EXPIRED"
    _, action = admit(spec, held, TODAY.closes_at, MARKED, None, PLENTY)
    assert isinstance(action, End)


@pytest.mark.parametrize(
    ("fields", "market", "sent"),
    [
        ({}, MARKED, "100 MARKET DAY"),
        (LIMIT, None, "100 LIMIT 100 DAY"),
        (STOP, MARKED, ""),
        (STOP, quote("85", "85.10"), "100 MARKET DAY"),
        (STOP, None, ""),
        (LIMIT | {"instructions": {"post_only": True}}, quote("98", "99"), "WOULD_CROSS"),
        (LIMIT | {"instructions": {"post_only": True}}, None, "NO_MARKET"),
        (LIMIT | {"instructions": {"post_only": True}}, quote("50", "120"), "100 LIMIT 100 DAY"),
    ],
    ids=str,
)
def test_once_let_go_it_waits_for_its_own_price_only(fields: dict[str, Any], market: Any, sent: str) -> None:
    spec, held = joined(**fields)
    after, action = admit(spec, held, LATER, market, None, PLENTY)
    assert shown(action) == sent
    assert not after.joining


def test_a_trailing_stop_trails_from_when_it_is_let_go() -> None:
    spec, held = joined(**TRAIL)
    low, action = admit(spec, held, LATER, quote("80", "80.10"), None, PLENTY)
    assert action is None
    assert low.trigger is not None
    assert low.trigger.price == 75
    blind, _ = admit(spec, held, LATER, None, None, PLENTY)
    assert blind.trigger == held.trigger


def test_what_is_sent_beside_is_of_the_same_terms() -> None:
    spec, held = joined(**LIMIT)
    held, first = admit(spec, held, LATER, MARKED, None, PLENTY)
    second = more(spec, held, first.quantity) if isinstance(first, Release) else None
    assert second == first
