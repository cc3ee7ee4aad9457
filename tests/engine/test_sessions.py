"""An order for the open or the close goes out in the next session that is held, half days and holidays included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.refusal import Refusal
from engine.sessions import CLOSE_LEAD, OPEN_FOR, Session, auction_times

# New York around Thanksgiving 2026: closed on Thursday the 26th, open half of Friday.
WEDNESDAY = Session(datetime(2026, 11, 25, 14, 30, tzinfo=UTC), datetime(2026, 11, 25, 21, 0, tzinfo=UTC))
HALF = Session(datetime(2026, 11, 27, 14, 30, tzinfo=UTC), datetime(2026, 11, 27, 18, 0, tzinfo=UTC))
SESSIONS = [WEDNESDAY, HALF]
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("time", "now", "sent"),
    [
        ("OPG", WEDNESDAY.opens_at - MINUTE, WEDNESDAY.opens_at),
        ("OPG", WEDNESDAY.opens_at, HALF.opens_at),
        ("OPG", HALF.opens_at, None),
        ("CLS", WEDNESDAY.opens_at, WEDNESDAY.closes_at - CLOSE_LEAD),
        ("CLS", WEDNESDAY.closes_at - CLOSE_LEAD, HALF.closes_at - CLOSE_LEAD),
        ("CLS", WEDNESDAY.closes_at + MINUTE, HALF.closes_at - CLOSE_LEAD),
        ("CLS", HALF.closes_at, None),
    ],
)
def test_the_next_auction_is_that_of_the_next_session(time: str, now: datetime, sent: datetime | None) -> None:
    found = auction_times("OPG" if time == "OPG" else "CLS", SESSIONS, now)
    assert (None if isinstance(found, Refusal) else found[0]) == sent
    if isinstance(found, Refusal):
        assert found.code == "NO_SESSION"


@given(st.sampled_from(["OPG", "CLS"]), st.integers(-600, 4000), st.integers(1, 400))
def test_an_order_is_sent_after_now_and_ends_within_its_session(time: str, minutes: int, length: int) -> None:
    session = Session(WEDNESDAY.opens_at, WEDNESDAY.opens_at + length * MINUTE / 10)
    now = WEDNESDAY.opens_at + minutes * MINUTE
    found = auction_times("OPG" if time == "OPG" else "CLS", [session, HALF], now)
    if isinstance(found, Refusal):
        return
    sent, ends = found
    assert now < ends
    assert sent < ends
    assert any(s.opens_at <= sent and ends <= s.closes_at for s in (session, HALF))
    assert ends - sent <= max(OPEN_FOR, CLOSE_LEAD)
