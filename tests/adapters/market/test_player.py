"""Recorded market data is read exactly, blamed exactly, and played in time."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars
import pytest

from adapters.market.player import QuoteTerms, derived_quote, play, publish, subject, with_quotes
from adapters.market.recorded import RecordedError, Recording, read, sample_bars
from engine.intake import read as read_message
from engine.messages import Bar, MarketData, Quote, Trade

D = Decimal
BARS = """Ticker,Date,Open,High,Low,Close,Volume,Adj Close
AAPL,2013-03-01,438.00,438.18,427.98,430.47,19688500,430.47
AAPL,2013-03-04,427.80,428.20,419.00,420.05,20812000,420.05
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_daily_bars_stand_at_the_close_of_their_day(tmp_path: Path) -> None:
    path = write(tmp_path / "bars.csv", BARS)
    zone = ZoneInfo("America/New_York")
    first, second = read(Recording(path=path, exchange="XNAS", zone=zone, close=time(16)))
    assert first == Bar(
        exchange="XNAS",
        symbol="AAPL",
        open=D("438.00"),
        high=D("438.18"),
        low=D("427.98"),
        close=D("430.47"),
        volume=D(19688500),
        at=datetime(2013, 3, 1, 21, tzinfo=UTC),
    )
    assert str(first.open) == "438.00"
    assert second.at - first.at == timedelta(days=3)


@pytest.mark.parametrize("compressed", [False, True])
def test_quotes_and_trades_are_told_by_their_columns(tmp_path: Path, compressed: bool) -> None:
    quotes = "at,market,symbol,bid,ask,bid_size,ask_size\n2026-01-05T09:30:00-05:00,XNAS,AAPL,149.99,150.01,500,0\n"
    trades = "TIME,symbol,price,qty\n2026-01-05T14:30:00.5,AAPL,150.00,25\n"
    paths = []
    for name, text in (("quotes.csv", quotes), ("trades.csv", trades)):
        if compressed:
            path = tmp_path / f"{name}.gz"
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path = write(tmp_path / name, text)
        paths.append(path)
    quote, trade = read(Recording(path=paths[0]), Recording(path=paths[1], exchange="XNAS"))
    at = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    assert quote == Quote(
        exchange="XNAS", symbol="AAPL", bid=D("149.99"), ask=D("150.01"), bid_size=D(500), ask_size=D(0), at=at
    )
    assert trade == Trade(
        exchange="XNAS", symbol="AAPL", price=D("150.00"), size=D(25), at=at + timedelta(milliseconds=500)
    )


def test_a_mapping_names_columns_and_what_a_file_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.csv", "when,px,amount\n2026-01-05,1.5,2\n")
    recording = Recording(
        path=path, columns={"at": "when", "price": "px", "size": "amount"}, symbol="BTC/USDT", exchange="binance"
    )
    (trade,) = read(recording)
    assert (trade.symbol, trade.exchange, trade.at) == ("BTC/USDT", "binance", datetime(2026, 1, 5, tzinfo=UTC))


def test_parquet_is_read_as_what_it_prints_as(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    at = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    polars.DataFrame(
        {"at": [at, at], "symbol": ["A", "B"], "price": [0.1, 1234.5], "size": [D("1.50"), D("2.00")]}
    ).write_parquet(path)
    first, second = read(Recording(path=path, exchange="X"))
    assert (str(first.price), str(first.size), first.at) == ("0.1", "1.50", at)  # type: ignore[union-attr]
    assert (second.symbol, str(second.price)) == ("B", "1234.5")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("428.20", "", "line 3, column High", "expected a decimal"),
        ("428.20", "1 000", "line 3, column High", "'1 000'"),
        ("428.20", "NaN", "line 3, column High", "'NaN'"),
        ("428.20", "0", "line 3, column High", "above zero"),
        ("19688500", "-1", "line 2, column Volume", "negative"),
        ("2013-03-04", "2013-02-30", "line 3, column Date", "day is out of range"),
        ("2013-03-04", "04/03/13", "line 3, column Date", "04/03/13"),
        ("AAPL,2013-03-04", ",2013-03-04", "line 3, column Ticker", "expected a symbol"),
        ("AAPL,2013-03-04", "A B,2013-03-04", "line 3, column Ticker", "'A B'"),
        ("427.80", "400", "line 3, column Open", "not between the low 419.00 and the high 428.20"),
        ("420.05,20812000", "500,20812000", "line 3, column Close", "not between"),
        ("Close,Volume", "Shut,Volume", "expected the columns", "found Ticker, Date"),
        ("Date", "Day", "there is no column for at", "bad.csv"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_column(tmp_path: Path, old: str, new: str, where: str, what: str) -> None:
    assert old in BARS
    path = write(tmp_path / "bad.csv", BARS.replace(old, new, 1))
    with pytest.raises(RecordedError) as caught:
        read(Recording(path=path, exchange="XNAS"))
    assert str(caught.value).startswith(str(path))
    assert where in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("recording", "what"),
    [
        (Recording(path=Path("missing.csv")), "there is no such file"),
        (Recording(path=Path("bars.csv")), "line 2, column exchange: nothing says which exchange AAPL is traded on"),
        (Recording(path=Path("bars.csv"), columns={"open": "first"}), "there is no column 'first'"),
        (Recording(path=Path("noise.parquet")), "cannot be read"),
        (Recording(path=Path("ragged.csv")), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_played_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: Recording, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "bars.csv", BARS)
    write(tmp_path / "noise.parquet", "noise")
    write(tmp_path / "ragged.csv", BARS + "AAPL,2013-03-05,1,2,3,4,5,6,7,8,9\n")
    with pytest.raises(RecordedError, match=what):
        read(recording)


def test_the_sample_is_real_daily_bars_of_five_stocks_by_time() -> None:
    bars = sample_bars()
    assert Counter((bar.exchange, bar.symbol) for bar in bars) == {
        ("XNAS", "AAPL"): 3270,
        ("XNAS", "GOOG"): 2148,
        ("XNAS", "MSFT"): 3270,
        ("XNAS", "FB"): 196,
        ("XNYS", "IBM"): 3270,
    }
    assert all(first.at <= second.at for first, second in pairwise(bars))
    assert (bars[0].at, bars[-1].at) == (datetime(2000, 3, 1, 21, tzinfo=UTC), datetime(2013, 3, 1, 21, tzinfo=UTC))


def bar(close: str, volume: str = "1000", at: int = 0, symbol: str = "AAPL") -> Bar:
    price = D(close)
    when = datetime(2026, 1, 5, 14, 30, tzinfo=UTC) + timedelta(seconds=at)
    return Bar(
        exchange="XNAS", symbol=symbol, open=price, high=price, low=price, close=price, volume=D(volume), at=when
    )


@pytest.mark.parametrize(
    ("close", "volume", "terms", "bid", "ask", "size"),
    [
        ("100", "5000", QuoteTerms(spread_bps=D(2), displayed=D("0.1")), "99.99", "100.01", "500"),
        ("100.05", "5000", QuoteTerms(spread_bps=D(1), displayed=D("0.1")), "100.04", "100.06", "500"),
        ("100", "999", QuoteTerms(spread_bps=D(0), displayed=D("0.1")), "100.00", "100.00", "99"),
        ("100", "999", QuoteTerms(displayed=D("0.1"), lot=D(10)), "99.99", "100.01", "90"),
        ("100", "0", QuoteTerms(), "99.99", "100.01", "1"),
        ("0.01", "10", QuoteTerms(spread_bps=D(1000)), "0.01", "0.02", "1"),
    ],
)
def test_a_quote_is_derived_around_the_close(
    close: str, volume: str, terms: QuoteTerms, bid: str, ask: str, size: str
) -> None:
    quote = derived_quote(bar(close, volume), terms)
    assert (str(quote.bid), str(quote.ask)) == (bid, ask)
    assert quote.bid_size == quote.ask_size == D(size)
    assert quote.at == bar(close).at


def test_derived_quotes_take_the_bars_places_or_follow_them() -> None:
    trade = Trade(exchange="XNAS", symbol="AAPL", price=D(1), size=D(1), at=bar("1").at)
    kinds = [type(message) for message in with_quotes([bar("1"), trade, bar("2")], QuoteTerms())]
    assert kinds == [Quote, Trade, Quote]
    kinds = [type(message) for message in with_quotes([bar("1"), trade], QuoteTerms(), bars=True)]
    assert kinds == [Bar, Quote, Trade]


async def played(messages: list[MarketData], **pace: Any) -> list[tuple[float, list[str]]]:
    """Seconds from the start and the closes of every batch."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    return [
        (loop.time() - started, [str(message.close) for message in batch if isinstance(message, Bar)])
        async for batch in play(messages, **pace)
    ]


RECORDED: list[MarketData] = [bar("1"), bar("2", symbol="MSFT"), bar("3", at=60), bar("4", at=120)]


@pytest.mark.anyio
@pytest.mark.parametrize("pace", [{}, {"speed": 0}, {"speed": float("inf")}, {"per_second": float("inf")}])
async def test_without_a_pace_batches_come_as_fast_as_they_are_taken(pace: dict[str, float]) -> None:
    batches = await played(RECORDED, **pace)
    assert [closes for _, closes in batches] == [["1", "2"], ["3"], ["4"]]
    assert batches[-1][0] < 1


@pytest.mark.anyio
@pytest.mark.parametrize(("pace", "due"), [({"speed": 1200}, [0, 0.05, 0.1]), ({"per_second": 20}, [0, 0.05, 0.1])])
async def test_a_pace_is_kept(pace: dict[str, float], due: list[float]) -> None:
    batches = await played(RECORDED, **pace)
    for (at, _), expected in zip(batches, due, strict=True):
        assert expected - 0.002 <= at < expected + 2


@pytest.mark.anyio
async def test_a_slow_taker_is_not_waited_for_twice() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    taken = 0
    async for _ in play([bar("1", at=at) for at in range(8)], per_second=20):
        taken += 1
        if taken == 1:
            await asyncio.sleep(0.3)
    assert 0.3 <= loop.time() - started < 0.3 + 0.3


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pace", "what"),
    [
        ({"speed": 1, "per_second": 1}, "only one"),
        ({"speed": -1}, "negative"),
        ({"per_second": -1}, "negative"),
        ({"speed": float("nan")}, "negative"),
    ],
)
async def test_a_pace_that_cannot_be_meant_is_refused(pace: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        await played(RECORDED, **pace)


@pytest.mark.anyio
async def test_others_run_while_a_player_plays_as_fast_as_it_can() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await played([bar("1", at=at) for at in range(100)])
    task.cancel()
    assert turns >= 99


@pytest.mark.anyio
async def test_messages_are_published_to_their_subjects_as_the_door_reads_them() -> None:
    sent: list[tuple[str, bytes]] = []

    async def send(subject: str, payload: bytes) -> None:
        sent.append((subject, payload))

    messages: list[MarketData] = [bar("1.50"), bar("2", symbol="BRK.B", at=1)]
    assert await publish(play(messages), send, prefix="test") == 2
    assert [name for name, _ in sent] == ["test.market.bar.XNAS.AAPL", "test.market.bar.XNAS.BRK%2EB"]
    assert [read_message("bar", payload) for _, payload in sent] == messages
    quote = derived_quote(bar("1"), QuoteTerms())
    assert subject(quote) == "exec.market.quote.XNAS.AAPL"


@pytest.mark.anyio
async def test_a_player_can_be_left_in_the_middle() -> None:
    batches: AsyncIterator[list[MarketData]] = play(RECORDED, per_second=1)
    assert len(await anext(batches)) == 2
    await batches.aclose()  # type: ignore[attr-defined]
