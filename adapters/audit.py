"""Counts, in the files and nowhere else, whether anything was lost or doubled: the venue asked against the journal.

`audit` reads what a daemon left in its data folder: the journal and the tables of the store, and the memory of every
paper venue. It believes no total: decisions are counted in the journal, orders and executions at the venue, and cash
and positions are computed again from the venue's executions. A daemon at work changes the files while they are read,
so what is under way shows as missing: audit a folder whose daemon has settled.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

from msgspec import Struct

from actors.registry import fold
from adapters.audit_blocks import Blocks, Execution
from adapters.store import schema
from adapters.store.connect import FILE
from adapters.store.errors import StoreUnreadable
from adapters.store.reader import decoded
from adapters.store.verify import verify
from engine import events as e
from engine import target_events as t
from engine.blocks import BlockEvent
from engine.commands import PART, Ticket
from engine.values import EXACT, ZERO
from engine.work import PREFIX

MAX_PROBLEMS: Final = 50
_ELSEWHERE: Final = (f"{PREFIX}-", f"{PART}-")
"""How ids of orders begin that are at no venue: their children are, or the order of the block that they are in."""
Pair = tuple[str, str]
"""(subscriber_id, signal_id)."""


class Audit(Struct, kw_only=True):
    """What was counted. `problems` has a sentence for each thing lost, doubled or unequal, at most the first few."""

    signals: int = 0
    decisions: int = 0
    approved: int = 0
    denials: dict[str, int] = {}
    venue_orders: int = 0
    executions: int = 0
    trades: int = 0
    open_orders: int = 0
    dead_letters: int = 0
    alarms: dict[str, int] = {}
    lost: int = 0
    doubled: int = 0
    unequal: int = 0
    """Amounts that differ between the venue's executions and the books."""
    unsound: int = 0
    """What verification of the journal's chain and fold found."""
    problems: list[str] = []

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled, unequal or unsound."""
        return not (self.lost or self.doubled or self.unequal or self.unsound)

    def sentence(self) -> str:
        """The result in a line."""
        text = f"{self.lost} lost, {self.doubled} doubled"
        if self.unequal or self.unsound:
            text += f", {self.unequal} amounts unequal, {self.unsound} faults in the journal"
        return text

    def _note(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    def lose(self, text: str) -> None:
        """Something that must be there is not."""
        self.lost += 1
        self._note(f"lost: {text}")

    def double(self, text: str) -> None:
        """Something is there more than once, or was never asked for."""
        self.doubled += 1
        self._note(f"doubled: {text}")

    def differ(self, text: str) -> None:
        """Two amounts that must be equal are not."""
        self.unequal += 1
        self._note(f"unequal: {text}")


class Books(Struct):
    """What the journal says, as far as an audit needs it."""

    decisions: Counter[Pair]
    tickets: dict[str, Ticket]
    sent: Counter[str]
    """Orders that passed the last-hop gate, by client order id; a resend is none."""
    stopped: set[str]
    signalled: list[e.SignalReceived]
    blocks: Blocks
    cash: dict[Pair, Decimal]
    """Money by (subscriber, currency) that came other than by a trade."""


def audit(data: Path, acknowledged: Iterable[Pair] = (), *, deep: bool = True) -> Audit:
    """Counts what is in a data folder. `acknowledged`: requests that were answered or stored for the engine, each of
    which must have been decided exactly once. `deep` folds the whole journal, too. Raises StoreUnreadable."""
    found = Audit(denials={}, alarms={}, problems=[])
    with closing(_opened(data / FILE)) as store:
        store.execute("BEGIN")
        books = _books(store, data / FILE, found)
        _decided_once(books, acknowledged, found)
        executions: dict[Pair, Execution] = {}
        known: dict[str, str] = {}
        for path in sorted(data.glob("venue-*.sqlite")):
            executions |= _venue(path, known, found)
        _orders_once(store, books, known, found)
        closed = {name for (name,) in store.execute("SELECT order_id FROM orders WHERE NOT open")}
        executions = books.blocks.allocated(executions, books.tickets, closed, found.differ)
        _booked_once(store, executions, books, found)
        _money(store, executions, books, found)
    if deep:
        verified = verify(data, fold)
        found.unsound = len(verified.problems)
        for problem in verified.problems:
            found._note(f"unsound: {problem}")
    return found


def _opened(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreUnreadable(f"there is no store at {path}")
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    schema.check(connection, path)
    return connection


def _books(store: sqlite3.Connection, path: Path, found: Audit) -> Books:
    """One reading of the journal."""
    books = Books(Counter(), {}, Counter(), set(), [], Blocks(), defaultdict(Decimal))
    denials: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    introduced: set[str] = set()

    def approve(ticket: Ticket) -> None:
        if ticket.order_id in books.tickets:
            found.double(f"order {ticket.order_id} was approved twice")
        books.tickets[ticket.order_id] = ticket

    for sequence, body in store.execute("SELECT seq, body FROM journal ORDER BY seq"):
        for _, event in decoded(path, sequence, body):
            match event:
                case e.RequestAccepted():
                    books.decisions[event.subscriber_id, event.signal_id] += 1
                    for ticket in event.tickets:
                        approve(ticket)
                case e.OrderStarted():
                    if event.ticket.parent:
                        # Approved with its parent, whose gate counts its children.
                        books.tickets[event.ticket.order_id] = event.ticket
                case t.TargetsDecided() | t.TargetSteered():
                    for ticket in event.tickets:
                        approve(ticket)
                case BlockEvent():
                    books.blocks.heard(event, approve)
                case e.RequestDenied():
                    books.decisions[event.subscriber_id, event.signal_id] += 1
                    denials[event.code] += 1
                case e.ChildSent():
                    books.sent[event.client_order_id] += not event.resend
                case e.ChildStopped():
                    books.stopped.add(event.client_order_id)
                case e.SignalReceived():
                    books.signalled.append(event)
                case e.SubscriberSaved():
                    if event.subscriber.subscriber_id not in introduced:
                        introduced.add(event.subscriber.subscriber_id)
                        for currency, amount in event.subscriber.cash.items():
                            _add(books.cash, (event.subscriber.subscriber_id, currency), amount)
                case e.CashMoved():
                    _add(books.cash, (event.subscriber_id, event.currency), event.amount)
                case e.AlarmRaised():
                    alarms[event.code] += 1
                case e.DeadLettered():
                    found.dead_letters += 1
    found.signals = len(books.signalled)
    found.decisions = books.decisions.total()
    found.approved = sum(not ticket.parent for ticket in books.tickets.values())
    found.denials = dict(denials.most_common())
    found.alarms = dict(alarms.most_common())
    return books


def _decided_once(books: Books, acknowledged: Iterable[Pair], found: Audit) -> None:
    """Every request has one decision: those that somebody was promised, and those that a signal was told to."""
    for (subscriber, signal), times in books.decisions.items():
        if times > 1:
            found.double(f"signal {signal} was decided {times} times for {subscriber}")
    for subscriber, signal in acknowledged:
        if not books.decisions[subscriber, signal]:
            found.lose(f"signal {signal} was never decided for {subscriber}")
    decided: Counter[str] = Counter(signal for _, signal in books.decisions)
    told: dict[str, int] = {}
    for event in books.signalled:
        # A signal that came again is told again, and decided by those who have not decided it.
        told[event.signal_id] = max(told.get(event.signal_id, 0), event.subscribers)
    for signal, subscribers in told.items():
        if decided[signal] < subscribers:
            found.lose(f"signal {signal} was told to {subscribers} subscribers and decided for {decided[signal]}")


def _venue(path: Path, known: dict[str, str], found: Audit) -> dict[Pair, Execution]:
    """What one venue's file has: adds its orders to `known`, returns its executions by (venue, execution id)."""
    venue = path.stem.removeprefix("venue-")
    executions: dict[Pair, Execution] = {}
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")
        names: dict[int, str] = {}
        for number, order_id, status in connection.execute("SELECT number, client_order_id, status FROM orders"):
            names[number] = order_id
            if order_id in known:
                found.double(f"order {order_id} is at the venue twice")
            known[order_id] = status
        rows = connection.execute("SELECT number, order_number, quantity, price, commission FROM executions")
        for number, order, quantity, price, commission in rows:
            executions[venue, f"{venue}-{number}"] = Execution(
                names[order], Decimal(quantity), Decimal(price), Decimal(commission)
            )
    found.venue_orders += len(names)
    found.executions += len(executions)
    return executions


def _orders_once(store: sqlite3.Connection, books: Books, known: Mapping[str, str], found: Audit) -> None:
    """Every approved order that passed the gate is at the venue once; nothing is there that nobody approved."""
    for order_id in books.tickets:
        times = books.sent[order_id]
        if times > 1:
            found.double(f"order {order_id} was sent {times} times as if new")
        if order_id not in known and order_id not in books.stopped and not order_id.startswith(_ELSEWHERE):
            found.lose(f"order {order_id} was approved and is not at the venue")
    for order_id in known:
        if order_id not in books.tickets:
            found.double(f"order {order_id} is at the venue and was never approved")
    (found.open_orders,) = store.execute("SELECT count(*) FROM orders WHERE open").fetchone()
    for order_id, status, is_open in store.execute("SELECT order_id, status, open FROM orders"):
        at_venue = known.get(order_id)
        if at_venue is not None and is_open == (at_venue != "WORKING"):
            found.differ(f"order {order_id} is {status} here and {at_venue} at the venue")


def _booked_once(store: sqlite3.Connection, executions: Mapping[Pair, Execution], books: Books, found: Audit) -> None:
    """Every execution is one trade, of the same order, quantity, price and commission, and of the ordered side."""
    booked: Counter[Pair] = Counter()
    columns = "venue, execution_id, order_id, size, price, commission, direction"
    for venue, execution_id, order_id, *amounts, side in store.execute(f"SELECT {columns} FROM trades"):
        found.trades += 1
        key = venue, execution_id
        booked[key] += 1
        execution = executions.get(key)
        trade = Execution(order_id, *map(Decimal, amounts))
        if execution is None:
            found.double(f"trade {execution_id} of order {order_id} was never executed at {venue}")
        elif trade != execution:
            found.differ(f"execution {execution_id} was {execution}, booked {trade}")
        ticket = books.tickets.get(order_id)
        if ticket is not None and ticket.side != side:
            found.differ(f"execution {execution_id} was booked as {side}, the order is {ticket.side}")
    for key, times in booked.items():
        if times > 1:
            found.double(f"execution {key[1]} was booked {times} times")
    for key in executions:
        if key not in booked:
            found.lose(f"execution {key[1]} of order {executions[key].order_id} was never booked")


def _money(store: sqlite3.Connection, executions: Mapping[Pair, Execution], books: Books, found: Audit) -> None:
    """Cash and positions, computed again from what the venue executed, are what the store has."""
    cash: dict[Pair, Decimal] = defaultdict(Decimal, books.cash)
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for execution in executions.values():
        ticket = books.tickets.get(execution.order_id)
        if ticket is None:
            continue  # Counted above: nobody approved it.
        signed = execution.quantity if ticket.side == "BUY" else EXACT.minus(execution.quantity)
        value = EXACT.multiply(EXACT.multiply(signed, execution.price), ticket.multiplier)
        _add(cash, (ticket.subscriber_id, ticket.currency), EXACT.minus(EXACT.add(value, execution.commission)))
        _add(held, (ticket.subscriber_id, ticket.instrument), signed)
    _same("cash", cash, _stored_cash(store), found)
    _same("position", held, _stored_positions(store), found)


def _stored_cash(store: sqlite3.Connection) -> Iterator[tuple[Pair, Decimal]]:
    for subscriber, currency, amount in store.execute("SELECT subscriber_id, currency, amount FROM cash"):
        yield (subscriber, currency), Decimal(amount)


def _stored_positions(store: sqlite3.Connection) -> Iterator[tuple[Pair, Decimal]]:
    query = "SELECT subscriber_id, exchange, symbol, quantity FROM positions"
    for subscriber, exchange, symbol, quantity in store.execute(query):
        yield (subscriber, f"{exchange}:{symbol}"), Decimal(quantity)


def _same(what: str, computed: Mapping[Pair, Decimal], stored: Iterable[tuple[Pair, Decimal]], found: Audit) -> None:
    left = dict(computed)
    for key, amount in stored:
        expected = left.pop(key, ZERO)
        if amount != expected:
            found.differ(f"{what} of {key[0]} in {key[1]}: {amount} in the store, {expected} by the venue's executions")
    for key, amount in left.items():
        if amount:
            found.differ(f"{what} of {key[0]} in {key[1]}: none in the store, {amount} by the venue's executions")


def _add(amounts: dict[Pair, Decimal], key: Pair, amount: Decimal) -> None:
    amounts[key] = EXACT.add(amounts.get(key, ZERO), amount)
