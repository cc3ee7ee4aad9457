"""When exchanges open and close: exchange_calendars as plain times, so that the engine needs no calendar.

exchange_calendars brings pandas with it, a second of start and 60 MB: the times are computed in a process of their
own and kept in the data folder, and computed again when they run short.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import DecodeError, json

from engine.rules import ALWAYS_OPEN
from engine.sessions import Session

HORIZON: Final = timedelta(days=30)
"""Sessions kept on disk are used while they reach at least this far."""
LOOK_BACK: Final = timedelta(days=10)

_PROGRAM: Final = """
import sys, warnings
warnings.simplefilter("ignore")
import exchange_calendars, pandas, json
sessions = {}
for code in sys.argv[2:]:
    calendar = exchange_calendars.get_calendar(code, start=pandas.Timestamp(sys.argv[1]))
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
    computed = _computed(wanted, now - LOOK_BACK)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(computed)
    return _kept(cache)


def history(code: str, first: datetime, last: datetime) -> list[Session]:
    """The sessions of a calendar that were open at or between two times, ascending."""
    listed = _sessions(_computed([code], first - timedelta(days=1)))[code]
    return [session for session in listed if session.closes_at > first and session.opens_at <= last]


def _computed(codes: Sequence[str], start: datetime) -> bytes:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, start.date().isoformat(), *codes],
        capture_output=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CalendarError(f"calendar: cannot compute {', '.join(codes)}: {said}")
    return done.stdout


def _kept(cache: Path) -> dict[str, list[Session]]:
    try:
        return _sessions(cache.read_bytes())
    except (OSError, DecodeError):
        return {}


def _sessions(raw: bytes) -> dict[str, list[Session]]:
    kept = json.decode(raw, type=dict[str, list[Session]])
    return {
        code: [Session(one.opens_at.astimezone(UTC), one.closes_at.astimezone(UTC)) for one in listed]
        for code, listed in kept.items()
    }
