"""The transition table is total, and what it says makes sense as a whole."""

from __future__ import annotations

from typing import get_args

import pytest

from engine import reports as r
from engine.transitions import TABLE
from engine.values import OrderStatus

STATUSES = get_args(OrderStatus)
REPORTS = get_args(r.OrderReport)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_every_report_in_every_state_has_a_verdict_and_a_reason(status: str, report: type) -> None:
    row = TABLE[status, report]
    assert row.verdict in ("legal", "stale", "impossible")
    assert row.why.endswith(".")


def test_the_table_has_nothing_else() -> None:
    assert set(TABLE) == {(status, report) for status in STATUSES for report in REPORTS}


def test_what_never_was_sent_cannot_be_reported_on() -> None:
    assert {row.verdict for (status, _), row in TABLE.items() if status == "NEW"} == {"impossible"}


def test_an_execution_is_never_stale() -> None:
    assert "stale" not in {row.verdict for (_, report), row in TABLE.items() if report is r.Filled}
