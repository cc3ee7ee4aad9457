"""One partition's process in a world: it runs batches, commits them in the background, and dies at any moment.

It does what `actors.loop` does, step by step, so that a crash can come between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from actors.journal import Batch, Mail
from actors.market import Market
from actors.partition import Partition
from engine.rules import Rules
from tests.simulation.audit import Audit
from tests.simulation.disk import Disk


class Node:
    """A partition, its disk, the batches that are being committed, and the stream of inputs that it consumes."""

    def __init__(self, number: int, partitions: int, rules: Rules, audit: Audit, leave: Callable[[Mail], None]) -> None:
        self.number = number
        self.partitions = partitions
        self.rules = rules
        self.disk = Disk()
        self.audit = audit
        self.leave = leave
        self.inputs: list[Mail] = []
        """The stored stream: what was published to this partition, whether or not it was taken yet."""
        self.partition: Partition
        self.waiting: list[Batch] = []
        self.up = False
        self._posted = 0

    def boot(self, now: datetime) -> None:
        """Starts the process from what is durable, and goes on with the stream where the last commit had it."""
        start = self.disk.start_now()
        self.partition = Partition(self.rules, Market(30), self.number, self.partitions)
        self.partition.start(start, now)
        self._posted = start.cursors.get("in", 0)
        self.waiting = []
        self.up = True
        self.audit.booted(self.partition, self.disk, start.sequence)
        self.pull()

    def pull(self) -> None:
        """Takes what is new in the stream; its position is durable with the batch that takes the mail."""
        if self.up and self._posted < len(self.inputs):
            self.partition.post(self.inputs[self._posted :])
            self._posted = len(self.inputs)
            self.partition.consumed("in", self._posted)

    def post(self, letter: Mail) -> None:
        """A message that arrives from outside, lost where the process is down."""
        if self.up:
            self.partition.post([letter])

    @property
    def busy(self) -> bool:
        """Whether anything is left to run or to commit."""
        return self.up and bool(self.partition.mail or self.waiting or self.partition.has_cursors)

    def run(self, now: datetime) -> None:
        """One run of the mailboxes; what is not in memory is loaded from what is durable."""
        addresses, keys = self.partition.wanting()
        if addresses or keys:
            self.partition.admit(addresses, keys, self.disk.load_now(addresses, keys))
        batch = self.partition.run(now)
        if batch is not None:
            self.audit.ran(batch, self.partition)
            self.waiting.append(batch)

    def commit(self, count: int, release: int | None = None) -> None:
        """Makes the first `count` waiting batches durable and lets out what they held; only the first `release`
        messages, where a crash comes in between."""
        batches, self.waiting = self.waiting[:count], self.waiting[count:]
        self.disk.commit_now(batches)
        outgoing = []
        for batch in batches:
            self.audit.committed(batch)
            self.partition.committed(batch)
            outgoing += batch.outgoing
        for letter in outgoing[:release]:
            self.audit.leaves(letter, self.disk)
            self.leave(letter)

    def crash(self) -> None:
        """The process is gone, and with it everything that was not on disk."""
        self.up = False
        self.waiting = []
        self.disk.crash()
        self.audit.crashed()
