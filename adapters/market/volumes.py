"""Volume curves for VWAP, learnt at the start from recorded bars or trades that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from adapters.market.sessions import history
from engine.algos.curve import Curve, learn, of_bars, of_trades
from engine.messages import Bar, Trade
from engine.rules import ALWAYS_OPEN


class VolumesError(Exception):
    """A recording cannot be learnt from; the text says which, and why."""


def curves(recordings: Mapping[str, str], calendars: Mapping[str, str]) -> dict[str, Curve]:
    """The curve of each instrument (`XNAS:AAPL`) from its recording (a CSV or Parquet file, as `play` takes them).

    `calendars` has each instrument's calendar code. Bars are taken to be as long as the shortest time between two of
    them. Raises VolumesError.
    """
    return {
        instrument: _curve(instrument, Path(path), calendars[instrument]) for instrument, path in recordings.items()
    }


def _curve(instrument: str, path: Path, calendar: str) -> Curve:
    # What reads recordings is heavy, and most engines have none.
    from adapters.market.recorded import RecordedError, Recording, read

    exchange, _, symbol = instrument.partition(":")
    where = f'market.volumes."{instrument}"'
    if calendar == ALWAYS_OPEN:
        raise VolumesError(f"{where}: calendar {ALWAYS_OPEN} has no sessions to learn a day's volume from")
    try:
        heard = read(Recording(path=path, exchange=exchange))
    except (RecordedError, OSError) as error:
        raise VolumesError(f"{where}: {error}") from None
    bars = [one for one in heard if isinstance(one, Bar) and one.symbol == symbol]
    trades = [one for one in heard if isinstance(one, Trade) and one.symbol == symbol]
    times = [one.at for one in bars or trades]
    if not times:
        raise VolumesError(f"{where}: {path} has no bars and no trades of {symbol}")
    sessions = history(calendar, times[0], times[-1])
    if not bars:
        return learn(of_trades(trades), sessions)
    gaps = [later - earlier for earlier, later in pairwise(sorted(set(times)))]
    return learn(of_bars(bars, min(gaps, default=timedelta(minutes=1))), sessions)
