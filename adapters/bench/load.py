"""The load generator, a process of its own: `python -m adapters.bench.load`, told what to do in JSON on its input.

Asks are answered or not, fills arrive or not: it counts, takes times, and prints one line of JSON. It knows nothing of
the engine but its subjects.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import uvloop
from msgspec import Struct, json

from adapters.bench.raw import Raw, connect

SYMBOLS: Final = ("AAPL", "FB", "GOOG", "MSFT", "IBM")
ORDER_ID: Final = 42
"""Characters of an order id: the venue "paper", a dash, a UUID."""
QUOTES_EVERY_S: Final = 0.1
GIVE_UP_S: Final = 30.0
INBOX: Final = b"_INBOX.load."


class Job(Struct, kw_only=True):
    """What to do. `kind`: "closed" keeps `window` asks in flight for `seconds` (or `orders` in all), "open" sends
    `rate` a second for `seconds` whatever comes back, "subscribers" makes `subscribers` known, "signal" sends one
    signal to all of them, "limits" sends `orders` limit orders that rest, "plans" as many that an algorithm works."""

    url: str
    kind: str
    subscribers: int = 1000
    seconds: float = 10.0
    window: int = 256
    rate: int = 2000
    orders: int = 0
    run: str = "0"


class Result(Struct, kw_only=True):
    """What happened. Latencies in milliseconds, from the moment an ask is sent."""

    sent: int
    accepted: int
    refused: dict[str, int]
    filled: int
    seconds: float
    """From the first ask to the last answer or fill."""
    answer_ms: dict[str, float]
    fill_ms: dict[str, float]
    marks: dict[str, float]
    """Seconds from the first ask to named moments."""
    cpu_s: float


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p90, p99 and max of seconds, in milliseconds; nothing of nothing."""
    if not values:
        return {}
    values = sorted(values)
    at = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}
    return {name: 1000 * values[min(len(values) - 1, int(part * len(values)))] for name, part in at.items()}


class Generator:
    """Sends and counts."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.sent: list[float] = []
        """When ask i was sent."""
        self.answers: list[float] = []
        self.fills: list[float] = []
        self.refused: dict[str, int] = {}
        self.accepted = 0
        self.last = 0.0
        self.marks: dict[str, float] = {}
        self._at: dict[bytes, int] = {}
        self._early: dict[bytes, float] = {}
        self._events: dict[str, int] = {}
        self._again: Callable[[], None] | None = None
        self._out: list[bytes] = []
        self._stop_at = 0.0
        self._names = [b"b-%06d" % number for number in range(job.subscribers)]
        self._stamp = b""
        self._raw: Raw

    async def run(self) -> Result:
        """Does the job."""
        self._raw = await connect(self.job.url, self._heard)
        self._raw.on_read = self._flush
        self._raw.subscribe(INBOX + b"*")
        quotes = asyncio.get_running_loop().create_task(self._quotes())
        await self._raw.flush()
        began, cpu = time.perf_counter(), time.process_time()
        await _KINDS[self.job.kind](self)
        quotes.cancel()
        used = time.process_time() - cpu
        self._raw.close()
        return Result(
            sent=len(self.sent),
            accepted=self.accepted,
            refused=self.refused,
            filled=len(self.fills),
            seconds=self.last - (self.sent[0] if self.sent else began),
            answer_ms=percentiles(self.answers),
            fill_ms=percentiles(self.fills),
            marks=self.marks,
            cpu_s=used,
        )

    # kinds of load

    async def closed(self) -> None:
        """As many as come back, for so long."""
        self._raw.subscribe(b"exec.out.fill_notification.>")
        await self._first_quotes()
        self._stop_at = time.perf_counter() + self.job.seconds
        self._again = self._ask
        for _ in range(min(self.job.window, self.job.orders or self.job.window)):
            self._ask()
        self._flush()
        await self._until(lambda: self._again is None and self._settled())

    async def open(self) -> None:
        """So many a second, whatever comes back."""
        self._raw.subscribe(b"exec.out.fill_notification.>")
        await self._first_quotes()
        began, rate = time.perf_counter(), self.job.rate
        end = int(self.job.seconds * rate)
        while len(self.sent) < end:
            for _ in range(min(int((time.perf_counter() - began) * rate), end) - len(self.sent)):
                self._ask()
            self._flush()
            await asyncio.sleep(0.001)
        self.marks["sending"] = time.perf_counter() - began
        await self._until(self._settled)

    async def subscribers(self) -> None:
        """Everybody known, a window at a time."""
        left = iter(range(self.job.subscribers))

        def known(number: int) -> bytes:
            name = self._names[number]
            return b"PUB exec.ask.subscriber.%b %b%d %d\r\n%b\r\n" % _framed(name, len(self.sent), _SUBSCRIBER % name)

        def more() -> None:
            for number in islice(left, 1):
                self._send(known(number))

        self._again = more
        for number in islice(left, self.job.window):
            self._send(known(number))
        self._flush()
        await self._until(lambda: self.accepted + sum(self.refused.values()) >= self.job.subscribers)

    async def signal(self) -> None:
        """One signal to all that follow; marks the last job, the last order at the venue, the last fill."""
        wanted = self.job.subscribers
        for kind in (b"job", b"order_update", b"fill_notification"):
            self._raw.subscribe(b"exec.out.%b.>" % kind)
        await self._first_quotes()
        body = _signal(self.job.run.encode(), _now())
        self._send(b"PUB exec.ask.signal.bench %b%d %d\r\n%b\r\n" % (INBOX, len(self.sent), len(body), body))
        self._flush()
        done = ("job", "order_update.WORKING", "fill_notification")
        await self._until(lambda: all(self._events.get(kind, 0) >= wanted for kind in done))

    async def limits(self) -> None:
        """Orders that rest below the market."""
        await self._first_quotes()
        self.job.seconds = 3600.0
        self._stop_at = time.perf_counter() + self.job.seconds
        self._again = self._ask
        for _ in range(min(self.job.window, self.job.orders)):
            self._ask()
        self._flush()
        await self._until(lambda: self._again is None and self._answered())

    # sending

    def _ask(self) -> None:
        number = len(self.sent)
        if self.job.kind != "open" and (
            number == self.job.orders if self.job.orders else time.perf_counter() > self._stop_at
        ):
            self._again = None
            return
        count = len(self._names)
        name, turn = self._names[number % count], number // count
        # A subscriber stays with its symbol, buying and selling in turn, so that positions stay small.
        symbol = SYMBOLS[number % count % len(SYMBOLS)].encode()
        run = self.job.run.encode()
        terms = _TERMS.get(self.job.kind) or (_BUY if turn % 2 == 0 else _SELL)
        exchange = b"XNYS" if symbol == b"IBM" else b"XNAS"
        body = _REQUEST % (run, number, run, number, exchange, symbol, terms, self._stamp)
        self._send(b"PUB exec.ask.request.%b %b%d %d\r\n%b\r\n" % _framed(name, number, body))

    def _send(self, frame: bytes) -> None:
        self.sent.append(time.perf_counter())
        self._out.append(frame)

    def _flush(self) -> None:
        if self._out:
            self._raw.transport.write(b"".join(self._out))
            self._out.clear()

    async def _first_quotes(self) -> None:
        self._quote()
        await self._raw.flush()
        await asyncio.sleep(0.05)

    async def _quotes(self) -> None:
        while True:
            self._quote()
            await asyncio.sleep(QUOTES_EVERY_S)

    def _quote(self) -> None:
        self._stamp = _now()
        for symbol in SYMBOLS:
            exchange = "XNYS" if symbol == "IBM" else "XNAS"
            subject = f"exec.market.quote.{exchange}.{symbol}".encode()
            self._raw.publish(subject, _QUOTE % (exchange.encode(), symbol.encode(), self._stamp))

    # hearing

    def _heard(self, subject: bytes, _: bytes, payload: bytes) -> None:
        now = self.last = time.perf_counter()
        if subject.startswith(INBOX):
            self._answer(int(subject[len(INBOX) :]), now, payload)
        elif subject.startswith(b"exec.out.fill"):
            self._count("fill_notification", now)
            at = payload.find(b'"order_id":"') + 12
            order_id = payload[at : at + ORDER_ID]
            number = self._at.pop(order_id, None)
            if number is None:
                self._early[order_id] = now
            else:
                self.fills.append(now - self.sent[number])
        elif subject.startswith(b"exec.out.order_update"):
            at = payload.find(b'"status":"') + 10
            status = payload[at : payload.find(b'"', at)]
            self._count(f"order_update.{status.decode()}", now)
        else:
            self._count("job", now)

    def _count(self, kind: str, now: float) -> None:
        self._events[kind] = self._events.get(kind, 0) + 1
        self.marks[kind] = now - self.sent[0]

    def _answer(self, number: int, now: float, payload: bytes) -> None:
        self.answers.append(now - self.sent[number])
        if b'"status":"ACCEPTED"' in payload:
            self.accepted += 1
            at = payload.find(b'"orders":["') + 11
            if at > 11:
                order_id = payload[at : at + ORDER_ID]
                early = self._early.pop(order_id, None)
                if early is None:
                    self._at[order_id] = number
                else:
                    self.fills.append(early - self.sent[number])
        else:
            code = str(json.decode(payload).get("code")) if payload else "NO_RESPONDERS"
            self.refused[code] = self.refused.get(code, 0) + 1
        if self._again is not None:
            self._again()

    def _answered(self) -> bool:
        return len(self.answers) >= len(self.sent)

    def _settled(self) -> bool:
        return self._answered() and len(self.fills) >= self.accepted

    async def _until(self, done: Callable[[], bool]) -> None:
        last, seen = time.perf_counter(), -1
        while not done():
            heard = len(self.answers) + len(self.fills) + sum(self._events.values())
            if heard != seen:
                last, seen = time.perf_counter(), heard
            elif time.perf_counter() - last > GIVE_UP_S:
                self.refused["NOTHING_MORE_CAME"] = len(self.sent) - len(self.answers)
                return
            await asyncio.sleep(0.002)


_KINDS: Final[dict[str, Any]] = {
    kind: getattr(Generator, kind) for kind in ("closed", "open", "subscribers", "signal", "limits")
}
_KINDS["plans"] = Generator.limits
_BUY: Final = b'"side":"BUY","quantity":"1","order_type":"MARKET"'
_SELL: Final = b'"side":"SELL","quantity":"1","order_type":"MARKET"'
_LIMIT: Final = b'"side":"BUY","quantity":"1","order_type":"LIMIT","limit_price":"148"'
_PLAN: Final = (
    _LIMIT + b',"plan":{"plan_id":"EXP_20260105_143000_bench","preferred_execution_style":"ADAPTIVE",'
    b'"max_execution_window_minutes":600,"execution_urgency":"0.2","chunk_count_hint":100}'
)
_TERMS: Final = {"limits": _LIMIT, "plans": _PLAN}
_REQUEST: Final = (
    b'{"type":"ExecutionRequest","request_id":"r-%b-%d","signal_id":"s-%b-%d","strategy_id":"bench","exchange":"%b",'
    b'"symbol":"%b",%b,"time_in_force":"GTC","issued_at":"%b"}'
)
_QUOTE: Final = (
    b'{"exchange":"%b","symbol":"%b","bid":"149.99","ask":"150.01","bid_size":"100000000","ask_size":"100000000",'
    b'"at":"%b"}'
)
_SUBSCRIBER: Final = (
    b'{"subscriber_id":"%b","cash":{"USD":"1000000"},"accounts":{"paper":"PA-1"},"subscriptions":[{"strategy_id":'
    b'"bench","allocation":{"method":"multiplier","value":"1"}}],"limits":{"max_order_quantity":"1000",'
    b'"max_order_notional":"250000","max_position_notional":"500000","max_leverage":"2","max_orders_per_second":"1000",'
    b'"collar_bps":"500","max_daily_loss":"500000","allow_short":true}}'
)


def _framed(name: bytes, number: int, body: bytes) -> tuple[bytes, bytes, int, int, bytes]:
    return name, INBOX, number, len(body), body


def _signal(run: bytes, stamp: bytes) -> bytes:
    return _REQUEST % (run, 0, run, 0, b"XNAS", b"AAPL", _BUY, stamp)


def _now() -> bytes:
    return datetime.now(UTC).isoformat().encode()


def main() -> None:
    """Reads a Job, does it, prints the Result."""
    job = json.decode(sys.stdin.buffer.read(), type=Job)
    result = uvloop.run(Generator(job).run())
    sys.stdout.buffer.write(json.encode(result) + b"\n")


if __name__ == "__main__":
    main()
