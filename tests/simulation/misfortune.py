"""What the market, the clock and misfortune do to a world, by chance."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

D = Decimal


class Misfortune:
    """What nobody asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = world.chance

    def _node(self) -> Any:
        return self.chance.choice(self.world.nodes)

    def trade(self) -> None:
        """The market moves."""
        world = self.world
        for symbol, price in world.prices.items():
            moved = price * D(self.chance.choice((95, 99, 100, 101, 105))) / 100
            world.prices[symbol] = min(max(moved, D(50)), D(200)).quantize(D("0.05"))
            if self.chance.random() < 0.9:
                world.quote(symbol)

    def _market_goes_quiet(self) -> None:
        """Time passes without a quote, so that what was heard is stale."""
        self.world.now += timedelta(seconds=31)

    def _clock(self) -> None:
        """The clock is set: back a little, or over an end of day."""
        step = self.chance.choice((-3, -0.2, 3, 20, 7_200))
        self.world.tally.add("clock: set back" if step < 0 else "clock: set forward")
        self.world.now += timedelta(seconds=step)

    def _day_ends(self) -> None:
        """The end of the day of some working order."""
        ends = [venue.next_expiry for venue in self.world.venues.values() if venue.next_expiry is not None]
        if ends and min(ends) > self.world.now and self.chance.random() < 0.5:
            self.world.now = min(ends)
            for symbol in self.world.prices:
                self.world.quote(symbol)

    def _retry(self) -> None:
        self.world.ask_again()

    def _strike(self) -> None:
        """A venue ends or fills an order about which the engine awaits an answer."""
        rare = ("UNKNOWN", "PENDING_REPLACE", "SUBMITTING")
        rows = [
            (rare.index(parts[""].status), venue, address[6:])
            for (number, _), venue in self.world.venues.items()
            for address, parts in self.world.nodes[number].audit.live.items()
            if address[6:] in venue.orders and parts and parts[""].status in rare and not venue.calm
        ]
        if rows and self.world.traits.hostility:
            rarest = min(rank for rank, _, _ in rows)
            _, venue, name = self.chance.choice([row for row in rows if row[0] == rarest])
            venue.strike(name, self.world.now)

    def _crash(self) -> None:
        node = self._node()
        if node.up:
            self.world.crash(node)

    def _session_lost(self) -> None:
        world, node, name = self.world, self._node(), self.chance.choice(("alpha", "beta"))
        if node.up and world.sessions[node.number, name]:
            world.say(f"{name}{node.number} loses its session")
            world.disconnect(node.number, name)

    def _session_back(self) -> None:
        world = self.world
        for (number, name), up in world.sessions.items():
            if not up and world.nodes[number].up and self.chance.random() < 0.7:
                world.say(f"{name}{number} has its session again")
                world.connect(number, name)
