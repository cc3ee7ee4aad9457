"""What a venue is told beyond a plain order, and that nothing of it is dropped on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from engine.instructions import Instructions
from engine.native import Native, native, of_child, undeclared
from engine.reports import Capabilities, NativeAlgo
from engine.specification import Specification
from tests.engine.test_translate import PAPER, at
from tests.engine.test_translate_properties import VENUES, requests

D = Decimal
SHOWS = Native(told=Instructions(display_quantity=D(30)))
ABLE = replace(
    PAPER,
    order_types=PAPER.order_types | {"STOP"},
    display_quantity=True,
    min_quantity=True,
    algos=(NativeAlgo(style="VWAP", name="Vwap"),),
)


@pytest.mark.parametrize(
    ("can", "kind", "time", "told", "field"),
    [
        (PAPER, "LIMIT", "DAY", None, ""),
        (PAPER, "STOP", "DAY", None, "order_type"),
        (PAPER, "LIMIT", "GTD", None, "time_in_force"),
        (ABLE, "STOP", "DAY", Native(stop_price=D(9)), ""),
        (ABLE, "STOP", "DAY", None, "stop_price"),
        (ABLE, "LIMIT", "DAY", Native(stop_price=D(9)), "stop_price"),
        (ABLE, "LIMIT", "DAY", SHOWS, ""),
        (PAPER, "LIMIT", "DAY", SHOWS, "display_quantity"),
        (ABLE, "LIMIT", "DAY", Native(told=Instructions(post_only=True)), "post_only"),
        (ABLE, "LIMIT", "DAY", Native(told=Instructions(reduce_only=True)), "reduce_only"),
        (ABLE, "LIMIT", "IOC", Native(min_quantity=D(5)), ""),
        (PAPER, "LIMIT", "IOC", Native(min_quantity=D(5)), "min_quantity"),
        (ABLE, "LIMIT", "DAY", Native(algorithm="Vwap"), ""),
        (ABLE, "LIMIT", "DAY", Native(algorithm="Twap"), "algorithm"),
    ],
)
def test_what_was_not_declared_is_named(can: Capabilities, kind: Any, time: Any, told: Any, field: str) -> None:
    assert undeclared(can, kind, time, told).partition(":")[0] == field


@pytest.mark.parametrize(
    ("parent", "quantity", "display", "child"),
    [
        (None, "100", None, None),
        (None, "100", "30", SHOWS),
        (None, "30", "30", None),
        (SHOWS, "100", None, SHOWS),
        (SHOWS, "30", None, None),
        (SHOWS, "100", "20", Native(told=Instructions(display_quantity=D(20)))),
        (Native(stop_price=D(9)), "30", None, Native(stop_price=D(9))),
    ],
)
def test_a_child_is_told_what_its_parent_is_and_shows_no_more_than_it_has(
    parent: Native | None, quantity: str, display: str | None, child: Native | None
) -> None:
    assert of_child(parent, D(quantity), None if display is None else D(display)) == child


@settings(max_examples=300, deadline=None)
@given(request=requests(), can=VENUES)
def test_a_venue_is_never_told_what_it_did_not_declare(request: Any, can: Capabilities) -> None:
    spec = at(can, request)
    if isinstance(spec, Specification):
        told = native(spec)
        assert undeclared(can, spec.order_type, spec.time_in_force, told) == ""
        asked = set(spec.told.asked())
        kept = set() if told is None or told.told is None else set(told.told.asked())
        assert kept <= asked | {"display_quantity"}
