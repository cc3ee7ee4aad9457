"""What the controls that count are judged by: whether an order passes is what the sentences say of it."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.weighed import Most, Terms, Weights, weighed
from tests.engine.test_risk import order

COUNTS = st.integers(0, 3)
MOST: st.SearchStrategy[Most | None] = st.none() | st.tuples(st.integers(1, 3), st.just(10))
MONEY = st.integers(0, 4).map(Decimal)
LIMIT = st.none() | MONEY
TERMS = st.builds(
    Terms, repeats=MOST, duplicates=MOST, subscriber=MOST, strategy=MOST, venue=MOST, firm=MOST, gross=LIMIT
)
WEIGHTS = st.builds(
    Weights,
    TERMS,
    venue=st.just("paper"),
    repeats=COUNTS,
    acted=st.booleans(),
    duplicates=COUNTS,
    subscriber=COUNTS,
    strategy=COUNTS,
    at_venue=COUNTS,
    firm=COUNTS,
    asks=MONEY,
    executed=MONEY,
    works=MONEY,
    limit=LIMIT,
    executed_by_all=MONEY,
    works_of_all=MONEY,
)


@given(WEIGHTS)
def test_an_order_passes_if_no_sentence_speaks_against_it(weights: Weights) -> None:
    figures = order()
    assert weights.passes == all(passes for _, passes, _ in weighed(weights, figures, "alice", "momentum"))
