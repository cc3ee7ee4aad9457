"""A partition on a bench: tell its actors something, run it, look at what was recorded and what would leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from msgspec.structs import replace

from actors.journal import Batch, Mail
from actors.market import Market
from actors.memory import MemoryJournal
from actors.partition import Partition
from actors.windows import Recall, reach
from engine import reports as r
from engine.config import Allow, Config, ExchangeSettings, InstrumentSettings, Limits, OtherVenue, Service
from engine.events import AlarmRaised
from engine.messages import ExecutionRequest, Quote, Subscriber, Subscription
from engine.rules import Rules

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
CAN = r.Capabilities(
    order_types=frozenset({"MARKET", "LIMIT"}),
    times_in_force=frozenset({"DAY", "GTC", "IOC", "FOK"}),
    modify=True,
    deduplicates=False,
)
T = TypeVar("T")


def rules(partition: int = 0, partitions: int = 1) -> Rules:
    """One exchange with one venue, open around the clock: AAPL, and a future FUT worth ten times its price."""
    config = Config(
        service=Service(partition=partition, partitions=partitions),
        allow=Allow(symbols=frozenset({"AAPL", "FUT"}), exchanges=frozenset({"XNAS"})),
        exchanges={"XNAS": ExchangeSettings(currency="USD", tick_size=D("0.01"), calendar="24/7")},
        instruments={"XNAS:FUT": InstrumentSettings(multiplier=D(10))},
        venues={"test": OtherVenue(kind="simulated")},
        routes={"XNAS": "test"},
    )
    return Rules(config, {})


class Bench:
    """One partition, its journal, a clock that stands still until it is moved, and what left after each commit."""

    def __init__(self, number: int = 0, partitions: int = 1) -> None:
        self.number = number
        self.partitions = partitions
        self.journal = MemoryJournal()
        self.now = AT
        self.left: list[Mail] = []
        self.waiting: list[Batch] = []
        self.partition: Partition
        self._answers = 0
        self.start()

    def start(self, known: Rules | None = None) -> None:
        """A process begins with what is durable."""
        self.partition = Partition(
            known or rules(self.number, self.partitions), Market(60), self.number, self.partitions
        )
        self.partition.start(self.journal.start_now(), self.now)
        since = reach(self.partition.turn, self.now)
        recall = Recall(self.partition.turn)
        for entry in () if since is None else self.journal.since_now(since):
            recall.take(entry)
        self.waiting = []

    def restart(self) -> None:
        """The process is killed and starts again, under the configuration it had."""
        self.journal.crash()
        self.start(self.partition.turn.rules)
        self.settle()

    def configure(self, **tables: Any) -> None:
        """The process goes on under another configuration, as after a reload."""
        turn = self.partition.turn
        turn.rules = turn.rules.with_config(replace(turn.rules.config, **tables))

    # running

    def post(self, to: str, *messages: Any, sender: str = "") -> None:
        """Mail from outside, not yet run."""
        self.partition.post([Mail(to, message, sender) for message in messages])

    def run(self) -> Batch | None:
        """One run, not yet durable."""
        wanted = self.partition.wanting()
        self.partition.admit(*wanted, self.journal.load_now(*wanted))
        batch = self.partition.run(self.now)
        if batch is not None:
            self.waiting.append(batch)
        return batch

    def commit(self) -> list[Mail]:
        """Makes everything durable that ran, and says what leaves."""
        batches, self.waiting = self.waiting, []
        self.journal.commit_now(batches)
        left: list[Mail] = []
        for batch in batches:
            self.partition.committed(batch)
            left += batch.outgoing
        self.left += left
        return left

    def settle(self) -> list[Mail]:
        """Runs and commits until nothing is left to do; says what left."""
        left: list[Mail] = []
        for _ in range(1_000):
            self.run()
            left += self.commit()
            if not self.partition.mail:
                return left
        raise AssertionError("it never settles")

    def tell(self, to: str, *messages: Any, sender: str = "") -> list[Mail]:
        """Mail from outside, run and committed; says what left."""
        self.post(to, *messages, sender=sender)
        return self.settle()

    def ask(self, to: str, message: Any) -> Any:
        """Asks an actor: its one answer."""
        self._answers += 1
        address = f"reply/{self._answers}"
        (answer,) = [letter.message for letter in self.tell(to, message, sender=address) if letter.to == address]
        return answer

    def wait(self, seconds: float) -> list[Mail]:
        """Time passes, and timers ring."""
        self.now += timedelta(seconds=seconds)
        return self.settle()

    # looking

    def events(self, kind: type[T]) -> list[T]:
        """Every durable event of this kind."""
        return [event for batch in self.journal.batches for _, event in batch.events if isinstance(event, kind)]

    def part(self, address: str, part: str = "") -> Any:
        """A part of an actor as it is in memory, None where it is not."""
        actor = self.partition.actors.get(address)
        return None if actor is None else actor.parts.get(part)

    def stored(self, address: str, part: str = "") -> bytes | None:
        """A part of an actor as it is durable."""
        return self.journal.load_now([address], []).parts.get(address, {}).get(part)

    def sent(self, kind: type[T]) -> list[T]:
        """Every message of this kind that went to a venue."""
        return [
            letter.message for letter in self.left if letter.to.startswith("port/") and isinstance(letter.message, kind)
        ]

    def alarms(self) -> Iterator[str]:
        """The codes of all alarms."""
        return (alarm.code for alarm in self.events(AlarmRaised))

    # a world to trade in

    def open(self, deduplicates: bool = False, modify: bool = True, closes_first: bool = False) -> None:
        """The venue's session is up and the market quotes 100."""
        can = r.Capabilities(
            order_types=CAN.order_types,
            times_in_force=CAN.times_in_force,
            modify=modify,
            deduplicates=deduplicates,
            closes_first=closes_first,
        )
        self.tell("venue/test", r.SessionUp(venue="test", capabilities=can, at=self.now))
        self.quote("AAPL", "100")
        self.quote("FUT", "50")

    def quote(self, symbol: str, price: str) -> None:
        """The market quotes this price on both sides."""
        quote = Quote(
            exchange="XNAS", symbol=symbol, bid=D(price), ask=D(price), bid_size=D(1), ask_size=D(1), at=self.now
        )
        self.partition.turn.market.hear(quote, self.now)

    def join(self, name: str, *subscriptions: Subscription, cash: str = "100000", **limits: Any) -> None:
        """A subscriber is made known."""
        self.tell(f"subscriber/{name}", subscriber(name, *subscriptions, cash=cash, **limits))


def subscriber(name: str, *subscriptions: Subscription, cash: str = "100000", **limits: Any) -> Subscriber:
    """Who trades, with money in dollars."""
    return Subscriber(subscriber_id=name, cash={"USD": D(cash)}, subscriptions=subscriptions, limits=Limits(**limits))


def request(
    number: int, owner: str | None = "alice", side: Any = "BUY", quantity: str | None = "10", **fields: Any
) -> Any:
    """A request to trade AAPL, at the market unless it has a limit_price."""
    limit = fields.pop("limit_price", None)
    known = {
        "request_id": f"r-{number}",
        "signal_id": f"s-{number}",
        "strategy_id": "momentum",
        "subscriber_id": owner,
        "exchange": "XNAS",
        "symbol": "AAPL",
        "side": side,
        "quantity": None if quantity is None else D(quantity),
        "order_type": "MARKET" if limit is None else "LIMIT",
        "limit_price": None if limit is None else D(limit),
        "time_in_force": "GTC",
        "issued_at": AT,
    }
    return ExecutionRequest(**(known | fields))
