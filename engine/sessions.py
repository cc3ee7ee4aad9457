"""When an order for the open or the close is sent, where the venue has no such orders: from the sessions' own times.

Holidays and half days are in the times: a session that is not in the list is not held, and one that ends early says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

from engine.refusal import Refusal

OPEN_FOR: Final = timedelta(minutes=1)
"""How long an order for the open works, before what is not filled is cancelled."""
CLOSE_LEAD: Final = timedelta(minutes=1)
"""How long before the close an order for it is sent."""


class Session(Struct, frozen=True, gc=False):
    """One trading session: when it opens and closes."""

    opens_at: datetime
    closes_at: datetime


def auction_times(
    time: Literal["OPG", "CLS"], sessions: Sequence[Session], now: datetime
) -> tuple[datetime, datetime] | Refusal:
    """When an order for the next open or close is sent, and when what is left of it ends.

    `sessions` ascending. NO_SESSION where none is known to come (a market that never closes has none). For the close,
    the session of which less than CLOSE_LEAD is left is over.
    """
    for session in sessions:
        if time == "OPG" and session.opens_at > now:
            return session.opens_at, min(session.opens_at + OPEN_FOR, session.closes_at)
        if time == "CLS" and session.closes_at - CLOSE_LEAD > now:
            return max(session.opens_at, session.closes_at - CLOSE_LEAD), session.closes_at
    sentence = f"time_in_force: the instrument's calendar has no session after {now.isoformat()} for {time}"
    return Refusal("NO_SESSION", sentence)
