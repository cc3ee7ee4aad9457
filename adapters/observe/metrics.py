"""Numbers for Prometheus: counted as plain ints once per committed batch, put into its format only when it asks.

Whatever is a state rather than a count (depths, lags, sessions) is looked up at the moment of asking.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from actors.journal import Batch
from engine import events as e
from engine import target_events as t
from engine import work as w

if TYPE_CHECKING:
    from adapters.engine import Engine

COMMIT_S: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 5.0)
FILL_S: Final = (0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0, 60.0, 600.0)
BATCH_EVENTS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
MAX_AWAITING_FILL: Final = 50_000
"""Orders whose approval time is kept for the latency of their first fill; the oldest go first."""
LAG_STEP_S: Final = 0.1
"""How finely the age of what is not yet published is known."""


class Histogram:
    """Counts by upper bound, and their sum: what a Prometheus histogram is, without its locks."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """As Prometheus wants it: cumulative."""
        buckets, so_far = [], 0
        for bound, count in zip((*map(str, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self.total)


class Tally:
    """An observer that counts. Costs about 0.2 µs an event."""

    def __init__(self, commit_seconds: Callable[[], float]) -> None:
        self._commit_seconds = commit_seconds
        self.events: Counter[type] = Counter()
        self.denials: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.alarms: Counter[str] = Counter()
        self.commits = Histogram(COMMIT_S)
        self.batches = Histogram(BATCH_EVENTS)
        self.fills = Histogram(FILL_S)
        self.sequence = 0
        self._told = 0
        """The last batch that had events: only those are published."""
        self._approved: dict[str, datetime] = {}
        self._unpublished: deque[tuple[datetime, int]] = deque(maxlen=1 << 16)
        """(time of the first, sequence of the last) of the batches with events of a tenth of a second."""
        self._special: dict[type, Callable[[Any], None]] = {
            e.RequestDenied: self._denied,
            t.TargetsDecided: self._targets,
            e.OrderStarted: self._started,
            e.OrderFilled: self._filled,
            e.OrderClosed: self._closed,
            w.WorkEnded: self._ended,
            e.AlarmRaised: self._alarm,
        }

    def __call__(self, batches: list[Batch]) -> None:
        """Takes batches that have become durable."""
        self.commits.add(self._commit_seconds())
        events, special = self.events, self._special.get
        for batch in batches:
            found = batch.events
            self.batches.add(len(found))
            for _, event in found:
                kind = event.__class__
                events[kind] += 1
                count = special(kind)
                if count is not None:
                    count(event)
            if found:
                self._date(batch)
        self.sequence = batches[-1].sequence

    def _date(self, batch: Batch) -> None:
        dates = self._unpublished
        self._told = batch.sequence
        if not dates or (batch.at - dates[-1][0]).total_seconds() >= LAG_STEP_S:
            dates.append((batch.at, batch.sequence))
        else:
            dates[-1] = dates[-1][0], batch.sequence

    def _denied(self, event: e.RequestDenied) -> None:
        self.denials[event.code] += 1

    def _targets(self, event: t.TargetsDecided) -> None:
        if event.code is not None:
            self.denials[event.code] += 1

    def _started(self, event: e.OrderStarted) -> None:
        approved = self._approved
        if len(approved) >= MAX_AWAITING_FILL:
            del approved[next(iter(approved))]
        approved[event.order_id] = event.ticket.approved_at

    def _filled(self, event: e.OrderFilled) -> None:
        approved = self._approved.pop(event.order_id, None)
        if approved is not None:
            self.fills.add((event.at - approved).total_seconds())
        if event.status == "FILLED":
            self.closed["FILLED"] += 1

    def _closed(self, event: e.OrderClosed) -> None:
        self._approved.pop(event.order_id, None)
        self.closed[event.status] += 1

    def _ended(self, event: w.WorkEnded) -> None:
        self.closed[event.status] += 1

    def _alarm(self, event: e.AlarmRaised) -> None:
        self.alarms[event.code] += 1

    def publish_lag_s(self, published: int, now: datetime) -> float:
        """How old the oldest batch is that the streams have not acknowledged, 0 where they have all."""
        dates = self._unpublished
        if published >= self._told:
            dates.clear()
            return 0.0
        while dates and dates[0][1] <= published:
            dates.popleft()
        return max((now - dates[0][0]).total_seconds(), 0.0) if dates else 0.0


class EngineCollector(Collector):
    """What Prometheus is told about one engine."""

    def __init__(self, engine: Engine, tally: Tally) -> None:
        self._engine = engine
        self._tally = tally

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: names are known when values are."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics, as of now."""
        yield from self._counts()
        yield from self._depths()
        yield from self._sessions()
        tally = self._tally
        yield tally.commits.family("tradewright_commit_seconds", "Time a commit to the store took")
        yield tally.batches.family("tradewright_batch_events", "Events in a batch")
        yield tally.fills.family("tradewright_request_to_fill_seconds", "From a request's approval to its first fill")

    def _counts(self) -> Iterator[Metric]:
        tally = self._tally
        events = tally.events
        plain = {
            "requests": ("Requests decided", events[e.RequestAccepted] + events[e.RequestDenied]),
            "jobs": ("Requests that became orders", events[e.RequestAccepted]),
            "signals": ("Signals received", events[e.SignalReceived]),
            "orders_started": ("Orders started, parents too", events[e.OrderStarted] + events[w.WorkStarted]),
            "orders_acknowledged": ("Orders that a venue acknowledged", events[e.OrderAccepted]),
            "fills": ("Fills booked", events[e.FillBooked]),
            "inputs_refused": ("Messages refused at the door", events[e.InputRefused]),
            "dead_lettered": ("Messages whose turn failed", events[e.DeadLettered]),
            "stale_reports": (
                "Venue reports that said nothing new",
                self._engine.partition.turn.counts.get("stale reports", 0),
            ),
            "market_data_refused": (
                "Market data that could not be read",
                self._engine.door.counts.get("market_data_refused", 0),
            ),
            "published_messages": ("Messages acknowledged by the streams", self._engine.publisher.messages),
        }
        for name, (text, value) in plain.items():
            yield CounterMetricFamily(f"tradewright_{name}", text, value=value)
        yield _labelled("denials", "Requests denied", "code", tally.denials)
        yield _labelled("orders_closed", "Orders that ended", "state", tally.closed)
        yield _labelled("alarms", "Alarms raised", "code", tally.alarms)
        yield _labelled("events", "Events journaled", "type", {kind.__name__: n for kind, n in events.items()})

    def _depths(self) -> Iterator[Metric]:
        engine, partition = self._engine, self._engine.partition
        published = engine.publisher.sequence
        lag = self._tally.publish_lag_s(published, datetime.now(UTC))
        dead = partition.actors.get("dead/letters")
        letters = 0 if dead is None else sum(part.startswith("l/") for part in dead.parts)
        plain = {
            "mailbox_depth": ("Messages not yet delivered", len(partition.mail)),
            "actors": ("Actors in memory", len(partition.actors)),
            "uncommitted_batches": ("Batches decided and not yet durable", uncommitted(engine, self._tally.sequence)),
            "publish_lag_batches": ("Batches durable and not yet published", engine.publisher.latest - published),
            "publish_lag_seconds": ("Age of the oldest batch not yet published", lag),
            "dead_letters": ("Dead letters waiting for a person", letters),
            "quarantined_actors": ("Actors whose mail is kept back", len(partition.quarantined)),
        }
        for name, (text, value) in plain.items():
            yield GaugeMetricFamily(f"tradewright_{name}", text, value=value)
        family = GaugeMetricFamily("tradewright_open_orders", "Open orders", labels=["state"])
        for state, number in open_orders(engine).items():
            family.add_metric([state], number)
        yield family

    def _sessions(self) -> Iterator[Metric]:
        engine, actors = self._engine, self._engine.partition.actors
        yield GaugeMetricFamily("tradewright_up", "Whether the engine takes requests", value=int(not engine.draining))
        wires = GaugeMetricFamily("tradewright_nats_connected", "Whether NATS is connected", labels=["connection"])
        for name, wire in (("control", engine.control), ("bulk", engine.bulk)):
            wires.add_metric([name], int(wire.connected))
        yield wires
        up = GaugeMetricFamily("tradewright_venue_up", "Whether a venue's session is up", labels=["venue"])
        paused = GaugeMetricFamily("tradewright_venue_paused", "Whether a person paused a venue", labels=["venue"])
        for name in engine.rules.venues:
            actor = actors.get(f"venue/{name}")
            venue = None if actor is None else actor.parts.get("")
            up.add_metric([name], int(venue is not None and venue.up))
            paused.add_metric([name], int(venue is not None and venue.paused))
        yield up
        yield paused
        desk = actors.get("desk/main")
        state = None if desk is None else desk.parts.get("")
        killed = state is not None and state.killed
        yield GaugeMetricFamily("tradewright_killed", "Whether the kill switch is on", value=int(killed))


def uncommitted(engine: Engine, durable: int) -> int:
    """Batches that are decided and not yet durable."""
    return max(engine.partition.turn.sequence - durable, 0)


def open_orders(engine: Engine) -> Counter[str]:
    """How many orders are open, by state. All of them are in memory, so they are counted when somebody asks."""
    return Counter(
        order.status
        for actor in engine.partition.actors.values()
        if actor.kind == "order" and (order := actor.parts.get("")) is not None and order.open
    )


def _labelled(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"tradewright_{name}", text, labels=[label])
    for value, number in counts.items():
        family.add_metric([value], number)
    return family


def registry(engine: Engine, tally: Tally) -> CollectorRegistry:
    """All that is served: the engine, and this process (memory, processor time, descriptors, garbage collection)."""
    found = CollectorRegistry()
    found.register(EngineCollector(engine, tally))
    ProcessCollector(registry=found)
    GCCollector(registry=found)
    return found
