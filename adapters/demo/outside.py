"""An outside client of the engine: it knows a URL, subjects and JSON, and expects the engine to go away at any time.

Signals are published until the stream has acknowledged them, asks are put until they are answered, each time with the
same id: what that leads to is the engine's affair, and the audit's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import json

from adapters.bus.wire import Wire, WireError

ASK_S: Final = 1.0
AGAIN_S: Final = 0.02
EVENTS_KNOWN: Final = 200_000

_encode: Final = json.encode


class Outside:
    """One client on one connection, with counts of what it sent and heard."""

    def __init__(self, url: str) -> None:
        self.wire = Wire(url, name="outside", on_error=_forget)
        self.heard: Counter[str] = Counter()
        """Events by data type; orders are jobs."""
        self.denials: Counter[str] = Counter()
        self.repeated_events = 0
        self.signals: list[str] = []
        """Signals that the stream acknowledged."""
        self.asked: dict[str, tuple[str, str]] = {}
        """Asks that were answered by id: (subscriber, status)."""
        self.repeated = 0
        """Times that an ask or a signal was sent again."""
        self.latencies: list[float] = []
        """Seconds from an ask to its first fill event, of asks answered the first time."""
        self.pending = 0
        self._sent: dict[str, float] = {}
        self._orders: dict[str, str] = {}
        self._early: dict[str, float] = {}
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    async def connect(self) -> None:
        """Connects and listens to everything that comes out."""
        await self.wire.connect()
        await self.wire.listen("exec.out.>", self._event)

    async def close(self) -> None:
        """Disconnects."""
        await self.wire.close()

    async def save(self, subscriber: dict[str, Any]) -> None:
        """Makes a subscriber known."""
        await self._until_answered(f"exec.ask.subscriber.{subscriber['subscriber_id']}", _encode(subscriber))

    async def signal(self, signal_id: str, **terms: Any) -> None:
        """Publishes a signal until the stream has acknowledged it."""
        body = _encode(self._request(signal_id, "momentum", **terms))
        await self._until_answered("exec.in.signal.momentum", body)
        self.signals.append(signal_id)

    async def ask(self, subscriber: str, signal_id: str, **terms: Any) -> None:
        """Asks for an order until it is answered."""
        self.pending += 1
        body = _encode(self._request(signal_id, "single", **terms))
        before = self.repeated
        self._sent[signal_id] = time.perf_counter()
        try:
            answer = json.decode(await self._until_answered(f"exec.ask.request.{subscriber}", body))
        finally:
            self.pending -= 1
        self.asked[signal_id] = subscriber, answer["status"]
        began = self._sent.pop(signal_id)
        if answer["status"] != "ACCEPTED" or self.repeated != before:
            return
        order_id = answer["orders"][0]
        if order_id in self._early:
            self.latencies.append(self._early.pop(order_id) - began)
        else:
            self._orders[order_id] = signal_id
            self._sent[signal_id] = began

    async def _until_answered(self, subject: str, body: bytes) -> bytes:
        while True:
            try:
                return await self.wire.request(subject, body, timeout_s=ASK_S)
            except WireError:
                self.repeated += 1
                await asyncio.sleep(AGAIN_S)

    def _request(self, signal_id: str, strategy: str, **terms: Any) -> dict[str, Any]:
        return {
            "request_id": signal_id,
            "signal_id": signal_id,
            "strategy_id": strategy,
            "order_type": "MARKET",
            "time_in_force": "GTC",
            "issued_at": datetime.now(UTC).isoformat(),
            **terms,
        }

    def _event(self, subject: str, _: bytes, headers: bytes | None, payload: bytes) -> None:
        now = time.perf_counter()
        event = json.decode(payload)
        if self._is_repeated(event["event_id"]):
            self.repeated_events += 1
            return
        kind = subject.split(".", 3)[2]
        self.heard[kind] += 1
        if kind == "execution_report":
            if event["data"]["status"] == "DENIED":
                self.denials[event["data"]["code"]] += 1
        elif kind == "fill_notification":
            order_id = event["data"]["order_id"]
            signal_id = self._orders.pop(order_id, None)
            if signal_id is not None:
                self.latencies.append(now - self._sent.pop(signal_id))
            elif event["data"]["trade_id"] and len(self._early) < EVENTS_KNOWN:
                self._early.setdefault(order_id, now)

    def _is_repeated(self, event_id: str) -> bool:
        if event_id in self._known:
            return True
        self._known.add(event_id)
        self._order.append(event_id)
        if len(self._order) > EVENTS_KNOWN:
            self._known.discard(self._order.popleft())
        return False


def _forget(_: Exception) -> None:
    """A connection that is lost is made again; what was under way is repeated."""
