"""What people, programs and misfortune do to a world, by chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.commands import RefuseInput, Resume, SetStatus
from engine.config import Limits
from engine.identity import partition_of
from engine.messages import CashMovement, ExecutionCommand, ExecutionRequest, Subscriber, Subscription
from engine.methods import FixedNotional, FixedQuantity, Multiplier, Weight
from engine.plan import ExecutionPlan
from tests.simulation import aims, blocks, controls, linked, worked
from tests.simulation.misfortune import Misfortune

if TYPE_CHECKING:
    from tests.simulation.world import World

D = Decimal
EXCHANGES = {"AAA": "XSIM", "BBB": "XSIM", "CCC": "XEUR", "ZZZ": "XSIM"}


class Plan(Misfortune):
    """Who there is in a world, what they asked for so far, and what they may do next."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.subscribers = _spread("trader", 4, world.traits.partitions)
        self.strategies = _spread("strategy", 2, world.traits.partitions)
        self.profiles: dict[str, Subscriber] = {}
        self.asked: list[tuple[str, Any]] = []
        """(address, message) of everything with an idempotency key."""
        self.groups: list[linked.Known] = []
        self._count = 0
        traits = world.traits
        weights: list[tuple[float, Callable[[], None]]] = [
            (30, self._request),
            (10, self._signal),
            (10, self._targets),
            (12, self._cancel),
            (20, self._modify),
            (3, self._execute),
            (8, self._group),
            (2, self._cancel_group),
            (6, self._duplicate),
            (3, self._conflict),
            (3, self._cash),
            (2, self._upsert),
            (1, self._subscriber_status),
            (1, self._venue_status),
            (0.8, self._kill),
            (3, self._resume),
            (0.8, self._kill_of_a_scope),
            (1.5, self._regime),
            (3, self._loosen),
            (1, self._refuse),
            (1, self._poison),
            (10, self.trade),
            (2, self._market_goes_quiet),
            (2, self._clock),
            (1.5, self._day_ends),
            (2, self._retry),
            (25, self._strike),
            (100 * traits.crashes, self._crash),
            (100 * traits.sessions, self._session_lost),
            (8, self._session_back),
        ]
        self._weights = [weight for weight, _ in weights]
        self._actions = [action for _, action in weights]

    def act(self) -> None:
        """One thing happens."""
        (action,) = self.chance.choices(self._actions, self._weights)
        self.world.tally.add(f"action: {action.__name__.strip('_').replace('_', ' ')}")
        action()

    def begin(self) -> None:
        """Everybody is made known."""
        for name in self.subscribers:
            self._save(name)

    # who there is

    def number(self) -> int:
        """A number that nothing else of this world has."""
        self._count += 1
        return self._count

    def _save(self, name: str) -> None:
        chance = self.chance
        own = (FixedQuantity(D(10)), FixedNotional(D(2000)), Multiplier(D("0.5")), Weight(D("0.02")))
        subscriptions = tuple(
            Subscription(
                strategy_id=strategy,
                allocation=blocks.share(strategy, chance) if chance.random() < 0.3 else chance.choice(own),
                active=chance.random() < 0.9,
            )
            for strategy in self.strategies
            if chance.random() < 0.7
        )
        limits = Limits(
            max_order_quantity=chance.choice((None, D(50))),
            max_order_notional=chance.choice((None, D(20_000))),
            max_position_notional=chance.choice((None, D(30_000))),
            max_leverage=chance.choice((None, D(1), D(3))),
            collar_bps=chance.choice((None, D(800))),
            max_daily_loss=chance.choice((None, D(2_000))),
            allow_short=chance.choice((None, True, False)),
        )
        cash = {"USD": D(chance.choice((5_000, 100_000))), "EUR": D(chance.choice((0, 50_000)))}
        profile = Subscriber(subscriber_id=name, cash=cash, subscriptions=subscriptions, limits=limits)
        self.profiles[name] = profile
        self._tell(name, profile)

    def _tell(self, owner: str, message: Any, kind: str = "subscriber") -> None:
        """Over the stream or by asking, as it comes."""
        world = self.world
        node = world.home(owner)
        if self.chance.random() < 0.5:
            world.publish(node, f"{kind}/{owner}", message)
        else:
            world.ask(node, f"{kind}/{owner}", message)

    def _upsert(self) -> None:
        self._save(self.chance.choice(self.subscribers))

    def _subscriber_status(self) -> None:
        name = self.chance.choice(self.subscribers)
        status = self.chance.choice(("ACTIVE", "ACTIVE", "PAUSED", "CLOSED", "NONSENSE"))
        self.world.ask(self.world.home(name), f"subscriber/{name}", SetStatus(status=status, reason="test", by="test"))

    def _cash(self) -> None:
        name = self.chance.choice(self.subscribers)
        amount = D(self.chance.randint(-200_000, 400_000)) / 100
        currency = self.chance.choice(("USD", "EUR"))
        moved = CashMovement(movement_id=f"m-{self.number()}", subscriber_id=name, currency=currency, amount=amount)
        self._keyed(name, moved)

    def _keyed(self, owner: str, message: Any, kind: str = "subscriber") -> None:
        self.asked.append((f"{kind}/{owner}", message))
        self._tell(owner, message, kind)

    # orders

    def _order(self, subscriber: str | None, strategy: str) -> ExecutionRequest:
        chance, world = self.chance, self.world
        number = self.number()
        symbol = chance.choices(("AAA", "BBB", "CCC", "ZZZ"), (50, 20, 29, 1))[0]
        price = world.prices[symbol] if symbol in world.prices else D(100)
        kind = chance.choice(("MARKET", "LIMIT", "LIMIT"))
        limit = (price * D(chance.randint(90, 110)) / 100).quantize(D("0.05")) if kind == "LIMIT" else None
        if limit is not None and chance.random() < 0.02:
            limit += D("0.013")
        intent = chance.choice((None, None, None, "OPEN_LONG", "OPEN_SHORT", "CLOSE"))
        size: dict[str, Any] = chance.choice(
            ({"quantity": D(chance.choice((1, 5, 10, 10, 20, 40, 200)))},) * 4
            + ({"notional": D(1_500)}, {"weight": D("0.03"), "leverage": chance.choice((None, D(2)))})
        )
        if intent == "CLOSE" and chance.random() < 0.5:
            size = {}
        expires = {0: world.now - timedelta(seconds=1), 1: world.now + timedelta(seconds=2)}.get(chance.randint(0, 15))
        request = ExecutionRequest(
            request_id=f"r-{number}",
            signal_id=f"s-{number}",
            strategy_id=strategy,
            subscriber_id=subscriber,
            exchange=EXCHANGES[symbol],
            symbol=symbol,
            side=chance.choice(("BUY", "BUY", "SELL")) if intent is None else None,
            intent=intent,
            order_type=kind,
            limit_price=limit,
            time_in_force=chance.choices(("DAY", "GTC", "IOC", "FOK"), (4, 4, 1, 1))[0],
            issued_at=world.now + (timedelta(minutes=1) if chance.random() < 0.01 else timedelta()),
            expires_at=expires,
            **size,
        )
        if chance.random() < 0.5:
            request = worked.dress(request, chance, price, world.now)
        world.requests[request.request_id] = request
        return request

    def _request(self) -> None:
        name = self.chance.choice(self.subscribers)
        self._keyed(name, self._order(name, "direct"))

    def _signal(self) -> None:
        strategy = self.chance.choice(self.strategies)
        request = blocks.some(self._order(None, strategy), self.chance)
        self.world.requests[request.request_id] = request
        self._keyed(strategy, request, "strategy")

    def _targets(self) -> None:
        name = self.chance.choice(self.subscribers)
        self._keyed(name, aims.some(self, name, self.number(), EXCHANGES))

    def _execute(self) -> None:
        name = self.chance.choice(self.subscribers)
        request = self._order(name, "direct")
        if request.plan is None:
            self._command(name, "EXECUTE_TRADE", request=request)
            return
        plan = request.plan
        if self.chance.random() < 0.5:
            # Then the command's own plan is its request's.
            request = replace(request, plan=None)
        command = ExecutionCommand(command_id=f"c-{self.number()}", subscriber_id=name, plan=plan, request=request)
        self._keyed(name, command)

    def _command(self, name: str, action: Any, **fields: Any) -> None:
        plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action=action)
        command = ExecutionCommand(command_id=f"c-{self.number()}", subscriber_id=name, plan=plan, **fields)
        self._keyed(name, command)

    def _some_order(self, *wanted: str) -> tuple[str, str, Any] | None:
        """(owner, id, state) of an order: mostly one in these states, or an open one."""
        world, chance = self.world, self.chance
        found = [
            (address[6:], parts[""])
            for node in world.nodes
            for address, parts in node.audit.live.items()
            if address.startswith("order/") and parts
        ]
        if not found:
            return None
        still = [row for row in found if row[1].status in wanted] or [row for row in found if row[1].open]
        name, order = chance.choice(still if still and chance.random() < 0.9 else found)
        return order.ticket.subscriber_id, name, order

    def _cancel(self) -> None:
        found = self._some_order()
        if found is not None:
            owner = self.chance.choice(self.subscribers) if self.chance.random() < 0.05 else found[0]
            self._command(owner, "CANCEL_ORDER", order_id=found[1])

    def _modify(self) -> None:
        found = self._some_order("WORKING", "PARTIALLY_FILLED")
        if found is not None:
            owner, name, order = found
            chance, fields = self.chance, {}
            if chance.random() < 0.7:
                fields["quantity"] = order.filled + D(5 * chance.randint(0, 4))
            if order.limit_price is not None and (not fields or chance.random() < 0.5):
                fields["limit_price"] = ((order.limit_price or D(100)) * D(chance.randint(98, 102)) / 100).quantize(
                    D("0.05")
                )
            fields = fields or {"limit_price": D(100)}
            self._command(owner, "MODIFY_ORDER", order_id=name, **fields)

    def _group(self) -> None:
        """A new group with its first orders, or one more leg of an old one."""
        chance, orders = self.chance, []
        if self.groups and chance.random() < 0.2:
            known = chance.choice(self.groups)
            orders.append(linked.leg(self, known))
        else:
            known, orders = linked.begin(self, chance.choice(self.subscribers), self.number())
            self.groups.append(known)
        for request in orders:
            self.world.requests[request.request_id] = request
            self._keyed(known.owner, request)

    def _cancel_group(self) -> None:
        owner, name = self.chance.choice(self.subscribers), "g"
        if self.groups and self.chance.random() < 0.9:
            owner, name = self.chance.choice(self.groups[-4:])[:2]
        self._command(owner, "CANCEL_GROUP", group_id=name)

    def _duplicate(self) -> None:
        """The same is asked for again, often at once, sometimes under another request id."""
        if self.asked:
            address, message = self.chance.choice(self.asked[-8:] if self.chance.random() < 0.7 else self.asked)
            if isinstance(message, ExecutionRequest) and self.chance.random() < 0.5:
                message = replace(message, request_id=f"again-{self.number()}")
                self.world.requests[message.request_id] = message
            kind, _, owner = address.partition("/")
            for _ in range(self.chance.choice((1, 1, 2))):
                self._tell(owner, message, kind)

    def _conflict(self) -> None:
        """The same key for something else."""
        for address, message in reversed(self.asked):
            kind, _, owner = address.partition("/")
            if isinstance(message, ExecutionRequest) and kind == "subscriber":
                symbol, name = "BBB" if message.symbol == "AAA" else "AAA", f"other-{self.number()}"
                other = replace(message, symbol=symbol, exchange="XSIM", request_id=name)
                # Where the first was lost on its way, this one is the first.
                self.world.requests[name] = other
                self._tell(owner, other)
                return
            if isinstance(message, CashMovement):
                self._tell(owner, replace(message, amount=message.amount + 1))
                return

    # people at the switches

    def _venue_status(self) -> None:
        name, status = (
            self.chance.choice(("alpha", "beta")),
            self.chance.choice(("PAUSED", "ACTIVE", "ACTIVE", "NONSENSE")),
        )
        self.world.ask(self._node(), f"venue/{name}", SetStatus(status=status, reason="test", by="test"))

    def _kill(self) -> None:
        self.world.kill(self._node())

    def _resume(self) -> None:
        self.world.ask(self._node(), "desk/main", Resume(reason=self.chance.choice(("fine", "fine", " ")), by="test"))

    def _kill_of_a_scope(self) -> None:
        self._everywhere(controls.kill(self.chance, self.subscribers, self.strategies))

    def _regime(self) -> None:
        self._everywhere(controls.declared(self.chance))

    def _everywhere(self, message: Any) -> None:
        """Every engine is told, often as orders are just coming in."""
        for _ in range(self.chance.choice((0, 1, 2))):
            self._group()
        for node in self.world.nodes:
            self.world.ask(node, "desk/main", message)

    def _loosen(self) -> None:
        """A person lets stopped strategies act again, and often ends all that is in force."""
        only = self.chance.random() < 0.3
        for node in self.world.nodes:
            desk = node.audit.desk
            for message in () if desk is None else controls.rearmed(desk) if only else controls.loosened(desk):
                self.world.ask(node, "desk/main", message)

    def _refuse(self) -> None:
        self.world.ask(self._node(), "door/in", RefuseInput(subject="x", code="BAD_JSON", reason="no", excerpt="{"))

    def _poison(self) -> None:
        """A message on which the actor fails half-way."""
        self.world.ask(self._node(), "door/in", RefuseInput(subject="x", code="POISON", reason="no", excerpt=""))


def _spread(word: str, count: int, partitions: int) -> tuple[str, ...]:
    """Names that are spread evenly over the partitions."""
    names: list[str] = []
    number = 0
    while len(names) < count:
        name = f"{word}-{number}"
        number += 1
        if partition_of(name, partitions) == len(names) % partitions:
            names.append(name)
    return tuple(names)
