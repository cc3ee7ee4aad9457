"""Volume curves learnt from recordings: the shape of real sessions, and clear words where there is nothing to learn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.market.volumes import VolumesError, curves

DAYS = ("2025-11-24", "2025-11-25", "2025-11-26", "2025-11-28")
"""In New York; the 27th is a holiday, and the 28th ends early."""


def recording(folder: Path) -> str:
    """Bars of a quarter of an hour that trade twice as much in the first hour as later."""
    lines = ["symbol,at,open,high,low,close,volume"]
    for day in DAYS:
        opens = datetime.fromisoformat(f"{day}T14:30:00+00:00").astimezone(UTC)
        for number in range(1, 27):
            volume = 200 if number <= 4 else 100
            at = (opens + timedelta(minutes=15 * number)).isoformat()
            lines.append(f"AAPL,{at},10,10,10,10,{volume}")
    path = folder / "bars.csv"
    path.write_text("\n".join(lines))
    return str(path)


def test_a_curve_is_learnt_from_bars_within_real_sessions(tmp_path: Path) -> None:
    (curve,) = curves({"XNAS:AAPL": recording(tmp_path)}, {"XNAS:AAPL": "XNYS"}).values()
    assert "learnt from 3 days in 26 buckets" in curve.reason
    first_hour = curve.parts[4] / curve.parts[-1]
    assert first_hour == pytest.approx(800 / 3000, abs=0.001)


@pytest.mark.parametrize(
    ("name", "text", "calendar", "says"),
    [
        ("none.csv", None, "XNYS", "none.csv"),
        (
            "other.csv",
            "symbol,at,price,size\nMSFT,2025-11-24T15:00:00Z,10,1\n",
            "XNYS",
            "no bars and no trades of AAPL",
        ),
        ("other.csv", "symbol,at,price,size\nAAPL,2025-11-24T15:00:00Z,10,1\n", "24/7", "has no sessions"),
    ],
)
def test_what_cannot_be_learnt_from_is_said(
    tmp_path: Path, name: str, text: str | None, calendar: str, says: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(VolumesError, match="XNAS:AAPL") as caught:
        curves({"XNAS:AAPL": str(path)}, {"XNAS:AAPL": calendar})
    assert says in str(caught.value)
