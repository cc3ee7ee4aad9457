"""A replacement to what is filled, or less, completes the order: the rest is cancelled, and it ends FILLED."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.order import Order, after, completes, completion
from tests.engine.test_order import AT, amend, cancel_rejected, canceled, cancelling, filled, order, snapshot, told

D = Decimal


def completing(state: Order) -> Order:
    for event in completion(state, "c-1", AT):
        state = after(state, event)
    return state


PARTLY = order("PARTIALLY_FILLED", waiting_since=None)


@pytest.mark.parametrize(
    ("state", "quantity", "completes_it"),
    [
        (PARTLY, "4", True),
        (PARTLY, "3", True),
        (PARTLY, "4.5", False),
        (order("WORKING"), "1", False),
        (cancelling(PARTLY), "4", False),
        (order("FILLED"), "4", False),
    ],
)
def test_a_replacement_to_what_is_filled_or_less_completes_the_order(
    state: Order, quantity: str, completes_it: bool
) -> None:
    assert completes(state, amend(quantity)) == completes_it


@pytest.mark.parametrize(
    ("reports", "status", "quantity", "count"),
    [
        ([canceled("4")], "FILLED", "4", "4"),
        ([filled("2"), canceled("6")], "FILLED", "6", "6"),
        ([filled("6")], "FILLED", "10", "10"),
        # The venue counts a fill that was not heard yet: it is asked, and the order ends with all of them.
        ([canceled("6")], "PENDING_CANCEL", "10", "4"),
        ([canceled("6"), filled("2"), snapshot("CANCELED", "6")], "FILLED", "6", "6"),
        # It does not say what it counts, so a fill may still come, and has to find the order open for it.
        ([canceled()], "CANCELED", "10", "4"),
        ([canceled(), filled("3")], "CANCELED", "10", "7"),
        # It refuses: the order is as it was, once it has been asked twice.
        ([cancel_rejected(), snapshot(count="4"), snapshot(count="4")], "PARTIALLY_FILLED", "10", "4"),
        ([snapshot(count="4")], "PENDING_CANCEL", "10", "4"),
    ],
    ids=str,
)
def test_an_order_amended_to_what_is_filled_ends_as_the_venue_confirms(
    reports: list[Any], status: str, quantity: str, count: str
) -> None:
    state = told(completing(PARTLY), *reports)
    assert (state.status, state.quantity, state.filled) == (status, D(quantity), D(count))
