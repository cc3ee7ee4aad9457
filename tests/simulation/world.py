"""A world made from a seed: partitions, venues, subscribers and a clock, stepped by chance until it settles."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from random import Random
from typing import Any

from msgspec import json

from actors.journal import Mail
from engine import reports as r
from engine.commands import Kill, MarketMoved
from engine.identity import partition_of
from engine.messages import MarketData, Outcome, Quote, Trade
from engine.post import Envelope, PostReceived
from tests.simulation import actions, controls, settlement, traits
from tests.simulation.audit import Audit
from tests.simulation.broken import must
from tests.simulation.node import Node
from tests.simulation.setting import BEGIN, SYMBOLS, D, rules_of, surroundings
from tests.simulation.traits import Tally
from tests.simulation.venue import ScriptedVenue
from tests.simulation.wires import Parcel, Wires


class World:
    """Everything there is, and what happened so far: `steps` tells it line by line, `tally` counts it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.traits = traits.make(self.chance)
        self.tally = Tally()
        self.now = BEGIN + timedelta(hours=self.chance.choice((0, 1, 9)))
        self.steps: list[str] = []
        self.requests: dict[str, Any] = {}
        """Every request by its request id."""
        self.rules = rules_of(self.traits.partitions, self.traits.supervised, controls.regimes(self.chance))
        self.wires = Wires(self.chance, self.traits, self.tally)
        self.venues: dict[tuple[int, str], ScriptedVenue] = {}
        self.sessions: dict[tuple[int, str], bool] = {}
        self.nodes: list[Node] = []
        self.prices = {symbol: D(100) for symbol in SYMBOLS}
        self.asks: dict[str, tuple[int, Mail]] = {}
        """Questions not answered yet, by their reply address: the node, and the mail."""
        self.answers: list[tuple[Mail, Outcome]] = []
        self._late: list[Parcel] = []
        self.plan = actions.Plan(self)
        for number in range(self.traits.partitions):
            self._make(number)

    def _make(self, number: int) -> None:
        for name in self.rules.venues:

            def say(report: Any, overtaken: bool = False, name: str = name) -> None:
                self._said(number, name, report, overtaken)

            venue = ScriptedVenue(f"{name}{number}", self.chance, self.traits, self.tally, say)
            venue.price = self.prices.__getitem__
            self.venues[number, name] = venue
            self.sessions[number, name] = False
        audit = Audit(number, self.tally, self.requests)
        node = Node(number, self.traits.partitions, self.rules, audit, lambda letter: self._left(number, letter))
        self.nodes.append(node)

    def home(self, name: str) -> Node:
        """Where a subscriber or a strategy lives."""
        return self.nodes[partition_of(name, self.traits.partitions)]

    # the story

    def say(self, what: str) -> None:
        """One line of what happened."""
        self.steps.append(f"{(self.now - BEGIN).total_seconds():9.3f} {what}")

    def digest(self) -> str:
        """A fingerprint of everything that happened: equal for equal worlds."""
        whole = "\n".join(self.steps)
        for node in self.nodes:
            whole += json.encode([row[2:] for row in node.disk.events], order="deterministic").decode()
        return hashlib.sha256(whole.encode()).hexdigest()

    def run(self) -> None:
        """Lives the world to its end; raises where an invariant is broken."""
        with surroundings(self.traits.tight, self.tally):
            for node in self.nodes:
                self.boot(node)
            self.plan.begin()
            for _ in range(self.traits.steps):
                self.step()
            settlement.settle(self)

    def step(self) -> None:
        """A moment passes, something is done, what is due arrives, engines run, commits return, all is checked."""
        self.now += timedelta(milliseconds=self.chance.choice((0, 1, 50, 400, 1_500)))
        for _ in range(self.chance.choice((0, 1, 1, 2, 5))):
            self.plan.act()
        self.deliver()
        for key, venue in self.venues.items():
            if self.chance.random() < 0.5:
                venue.live(self.now)
                self.tally.add("session: venue worked while it was lost", 0 if self.sessions[key] else 1)
        for node in self.nodes:
            self._work(node)
        self.check()

    def _work(self, node: Node) -> None:
        chance = self.chance
        if not node.up:
            if chance.random() < 0.4:
                self.boot(node)
            return
        node.pull()
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            node.run(self.now)
        if node.waiting and chance.random() < 0.7:
            node.commit(chance.randint(1, len(node.waiting)))

    def check(self) -> None:
        """What must hold at any moment."""
        for node in self.nodes:
            if node.up and not node.partition.mail:
                node.audit.reservations()
                node.audit.remembered(node.partition)
        settlement.at_the_venues(self)

    def deliver(self) -> None:
        """Everything that has arrived by now gets where it goes."""
        while (parcel := self.wires.arrived(self.now)) is not None:
            node, message = self.nodes[parcel.node], parcel.message
            match parcel.kind:
                case "order":
                    self.say(f"venue {parcel.venue}{parcel.node} hears {message}")
                    self.venues[parcel.node, parcel.venue].hear(message, self.now)
                case "report":
                    self.say(f"engine {parcel.node} hears {message}")
                    node.post(Mail(f"order/{message.client_order_id}", message))
                case "late":
                    if not node.up or not self.sessions[parcel.node, parcel.venue]:
                        self.wires.send(self.now + timedelta(seconds=1), "late", parcel.node, parcel.venue, message)
                        continue
                    self.say(f"engine {parcel.node} hears late {message}")
                    self._late.append(parcel)
                    node.post(Mail(f"order/{message.client_order_id}", message))
                case "session":
                    self.say(f"engine {parcel.node} hears {type(message).__name__} of {parcel.venue}")
                    node.post(Mail(f"venue/{parcel.venue}", message))
                case _:
                    sender = message.sender if isinstance(message, Envelope) else message.partition
                    node.post(Mail(f"post/{sender}", message))

    # engines

    def boot(self, node: Node) -> None:
        """A process starts and connects to its venues."""
        self.say(f"engine {node.number} starts")
        node.boot(self.now)
        for name in self.rules.venues:
            self.connect(node.number, name)
        for symbol in SYMBOLS:
            if self.wires.calm or self.chance.random() < 0.7:
                self.quote(symbol)

    def crash(self, node: Node) -> None:
        """A process dies: what was being committed may be durable, what was being released may have left."""
        chance = self.chance
        if node.waiting and chance.random() < 0.6:
            durable = chance.randint(1, len(node.waiting))
            released = chance.choice((0, 0, chance.randint(0, 5)))
            self.tally.add("crash: after a commit, before the release" if not released else "crash: in a release")
            self.tally.add("crash: between group commits", 1 if durable < len(node.waiting) else 0)
            node.commit(durable, released)
        self.tally.add("crash: lost batches", len(node.waiting))
        self.tally.add("crash: with mail undelivered", 1 if node.partition.mail else 0)
        self.say(f"engine {node.number} crashes and loses {len(node.waiting)} batches")
        node.crash()
        # Nobody asks about an order that is over, so a venue has to say again what may not have been kept.
        for parcel in [parcel for parcel in self._late if parcel.node == node.number]:
            self._late.remove(parcel)
            self.wires.send(self.now + timedelta(seconds=1), "late", parcel.node, parcel.venue, parcel.message)
        for name in self.rules.venues:
            self.sessions[node.number, name] = False
            venue = self.venues[node.number, name]
            venue.lost |= self.wires.cut(node.number, name, 1.0, 0.5)
            # What was heard and not yet durable is lost, too.
            venue.lost |= {name for name, found in venue.orders.items() if found[-1].executions}

    def connect(self, number: int, name: str) -> None:
        """A session comes up."""
        self.sessions[number, name] = True
        up = r.SessionUp(venue=name, capabilities=self.venues[number, name].capabilities, at=self.now)
        self.wires.session(self.now, number, name, up)

    def disconnect(self, number: int, name: str) -> None:
        """A session is lost with what was under way; the engine hears of it later."""
        self.sessions[number, name] = False
        self.venues[number, name].lost |= self.wires.cut(number, name, 0.7, 0.5)
        down = r.SessionDown(venue=name, reason="lost", at=self.now)
        self.wires.session(self.now, number, name, down)

    # what leaves, and what comes back

    def _left(self, number: int, letter: Mail) -> None:
        kind, _, name = letter.to.partition("/")
        if kind == "reply":
            self.say(f"answer {letter.to}: {letter.message}")
            self.tally.add(f"outcome: {letter.message.code or letter.message.status}")
            asked = self.asks.pop(letter.to, None)
            if asked is not None:
                self.answers.append((asked[1], letter.message))
        elif kind == "port":
            self._ordered(number, name, letter.message)
        else:
            message = letter.message
            to = int(name.partition("/")[2]) if isinstance(message, PostReceived) else 1 - number
            self.wires.mailbox(self.now, to, message)

    def _ordered(self, number: int, name: str, message: Any) -> None:
        if not self.sessions[number, name] and self.chance.random() < 0.8:
            self.tally.add("session: sent into a lost session")
            self.say(f"lost on the way to {name}{number}: {message}")
            return
        self.wires.send(self.now + self.wires.delay(), "order", number, name, message)

    def _said(self, number: int, name: str, report: Any, overtaken: bool) -> None:
        if not self.sessions[number, name] and not overtaken:
            self.tally.add("session: report said into a lost session")
            self.say(f"{name}{number} says to nobody {report}")
            self.venues[number, name].lost.add(report.client_order_id)
            return
        self.wires.report(self.now, number, name, report, overtaken)

    # the market, and the clients

    def quote(self, symbol: str) -> None:
        """Engines hear the present price."""
        price = self.prices[symbol]
        sizes = D(self.chance.choice((5, 100, 100)))
        quote = Quote(
            exchange=SYMBOLS[symbol],
            symbol=symbol,
            bid=price - D("0.05"),
            ask=price + D("0.05"),
            bid_size=sizes,
            ask_size=sizes,
            at=self.now,
        )
        self._market(quote)
        if self.chance.random() < 0.4:
            size = D(self.chance.choice((1, 40, 300)))
            self._market(Trade(exchange=SYMBOLS[symbol], symbol=symbol, price=price, size=size, at=self.now))

    def _market(self, data: MarketData) -> None:
        """Every engine that is up hears it, and who waits for exactly this is told."""
        self.say(f"market {data}")
        for node in self.nodes:
            if node.up:
                market = node.partition.turn.market
                market.hear(data, self.now)
                node.audit.parents.market.setdefault(f"{data.exchange}:{data.symbol}", []).append(data)
                for address in market.wanted(data):
                    node.post(Mail(address, MarketMoved(data=data)))

    def publish(self, node: Node, to: str, message: Any) -> None:
        """A client publishes to the stream: stored, taken once, never answered."""
        self.say(f"stream {to}: {message}")
        node.inputs.append(Mail(to, message))
        node.pull()

    def ask(self, node: Node, to: str, message: Any) -> None:
        """A client asks and waits; lost where the engine is down, so that the client asks again."""
        address = f"reply/{len(self.steps)}"
        letter = Mail(to, message, address)
        self.say(f"ask {address} {to}: {message}")
        self.asks[address] = (node.number, letter)
        node.post(letter)

    def ask_again(self) -> None:
        """Every client that has no answer asks the same again."""
        for address, (number, letter) in list(self.asks.items()):
            del self.asks[address]
            self.tally.add("action: asked again")
            self.ask(self.nodes[number], letter.to, letter.message)

    def kill(self, node: Node) -> None:
        """The switch."""
        self.ask(node, "desk/main", Kill(reason="test", by="test"))

    def in_the_end(self, holds: object, said: str) -> None:
        """An invariant of the settled world."""
        must(holds, f"in the end: {said}")
