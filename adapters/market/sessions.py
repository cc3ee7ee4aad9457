"""When exchanges open and close: exchange_calendars as plain times, so that the engine needs no calendar.

exchange_calendars brings pandas with it, a second of start and 60 MB: the times are computed in a process of their
own and kept in the data folder, and computed again when they run short.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import DecodeError, json

from engine.rules import ALWAYS_OPEN
from engine.sessions import Session

HORIZON: Final = timedelta(days=30)
"""Sessions kept on disk are used while they reach at least this far."""

_PROGRAM: Final = """
import sys, warnings
warnings.simplefilter("ignore")
import exchange_calendars, pandas, json
today = pandas.Timestamp.today().normalize()
sessions = {}
for code in sys.argv[1:]:
    calendar = exchange_calendars.get_calendar(code, start=today - pandas.Timedelta(days=10))
    sessions[code] = [
        {"opens_at": opens.isoformat(), "closes_at": closes.isoformat()}
        for opens, closes in zip(calendar.opens, calendar.closes)
    ]
json.dump(sessions, sys.stdout)
"""


class CalendarError(Exception):
    """A calendar that exchange_calendars does not know, or could not compute."""


def sessions(codes: Iterable[str], now: datetime, cache: Path) -> dict[str, list[Session]]:
    """The sessions of each calendar code from ten days ago on, ascending, in UTC; kept in the file `cache`."""
    wanted = sorted(set(codes) - {ALWAYS_OPEN})
    if not wanted:
        return {}
    kept = _kept(cache)
    if all(code in kept and kept[code] and kept[code][-1].closes_at > now + HORIZON for code in wanted):
        return {code: kept[code] for code in wanted}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *wanted], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise CalendarError(f"calendar: cannot compute {', '.join(wanted)}: {done.stderr.strip().splitlines()[-1:]}")
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(done.stdout)
    return _kept(cache)


def _kept(cache: Path) -> dict[str, list[Session]]:
    try:
        kept = json.decode(cache.read_bytes(), type=dict[str, list[Session]])
    except (OSError, DecodeError):
        return {}
    return {
        code: [Session(one.opens_at.astimezone(UTC), one.closes_at.astimezone(UTC)) for one in listed]
        for code, listed in kept.items()
    }
