"""A small market that an algorithm's children live in, played from a list of choices; it asserts every bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import json
from msgspec.structs import replace

from engine.algos.contract import (
    Action,
    Cancel,
    Child,
    Decision,
    Finish,
    Market,
    Parent,
    Place,
    Progress,
    Replace,
    Works,
)
from engine.algos.start import Begun, Known, begin
from engine.algos.work import decide
from engine.messages import ExecutionPlan
from engine.values import Side, is_multiple

D = Decimal
START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
MAX_CHILDREN = 60


def parent(
    side: Side = "BUY",
    quantity: str = "1000",
    *,
    lot: str = "1",
    least: str = "0",
    arrival: str | None = "100",
    limit: str | None = None,
    seed: str = "EXP_20260105_143000_abcde",
) -> Parent:
    """An order in an instrument with a tick of a cent."""
    return Parent(
        side=side,
        quantity=D(quantity),
        lot_size=D(lot),
        tick_size=D("0.01"),
        min_quantity=D(least),
        arrival_price=None if arrival is None else D(arrival),
        limit_price=None if limit is None else D(limit),
        start=START,
        seed=seed,
    )


def quote(bid: str = "99.99", ask: str = "100.01", size: str = "500", volume: str | None = None) -> Market:
    """The market with the same size on both sides."""
    sizes = D(size)
    traded = None if volume is None else D(volume)
    return Market(bid=D(bid), ask=D(ask), bid_size=sizes, ask_size=sizes, last=D(bid), volume=traded)


def begun(plan: ExecutionPlan, order: Parent, algorithm: str, known: Known | None = None) -> Works:
    """The state an algorithm begins with; fails where it is refused."""
    answer = begin(plan, algorithm, order, known)  # type: ignore[arg-type] # A name from a table.
    assert isinstance(answer, Begun), answer
    return answer.works


def plan(**fields: object) -> ExecutionPlan:
    """A plan with these fields; ratios as texts."""
    ratios = ("execution_urgency", "visibility_preference", "max_slippage_pct", "min_fill_ratio")
    exact = {name: D(str(value)) if name in ratios and value is not None else value for name, value in fields.items()}
    return ExecutionPlan(plan_id="EXP_20260105_143000_abcde", **exact)  # type: ignore[arg-type] # Typed by its tests.


class World:
    """One order, its children and the market. `choose(n)` picks what happens, an integer below n."""

    def __init__(self, works: Works, choose: Callable[[int], int], market: Market | None = None) -> None:
        self.works = works
        self.choose = choose
        self.now = works.parent.start
        self.market = market or Market()
        self.filled = D(0)
        self.children: list[Child] = []
        self.asked: dict[str, Cancel | Replace] = {}
        self.expiring: set[str] = set()
        self.log: list[Action] = []
        self.finish: Finish | None = None
        self.wake: datetime | None = None
        self.count = 0

    @property
    def progress(self) -> Progress:
        working = sum((child.quantity - child.filled for child in self.children), D(0))
        return Progress(filled=self.filled, working=working, children=tuple(self.children))

    def ask(self) -> Decision:
        """Ask for a decision, check it, and do it."""
        stored = json.decode(json.encode(self.works), type=Works)
        assert stored == self.works, "the state is the same when it was stored and read"
        decision = decide(stored, self.progress, self.market, self.now)
        assert decision == decide(self.works, self.progress, self.market, self.now), "a replay decides the same"
        check(decision, self.works, self.progress, self.market, self.now)
        self.works = decision.works
        self.wake = decision.wake
        for action in decision.actions:
            self.log.append(action)
            if isinstance(action, Finish):
                self.finish = action
            elif isinstance(action, Place):
                self.count += 1
                child = Child(child_id=f"c{self.count}", quantity=action.quantity, limit_price=action.limit_price)
                self.children.append(child)
                if action.time_in_force == "IOC":
                    self.expiring.add(child.child_id)
            else:
                self.asked[action.child_id] = action
                self._put(action.child_id, pending=True)
        return decision

    def fill(self, child_id: str, quantity: Decimal) -> None:
        """A fill of at most what the child has left."""
        child = next(child for child in self.children if child.child_id == child_id)
        quantity = min(quantity, child.quantity - child.filled)
        self.filled += quantity
        self._put(child_id, filled=child.filled + quantity)
        if child.filled + quantity == child.quantity:
            self.gone(child_id)

    def gone(self, child_id: str) -> None:
        """A child that is filled, cancelled, rejected or expired."""
        self.children = [child for child in self.children if child.child_id != child_id]
        self.asked.pop(child_id, None)
        self.expiring.discard(child_id)

    def answer(self, child_id: str, accepted: bool) -> None:
        """The venue's answer to what was asked for a child."""
        action = self.asked.pop(child_id)
        if isinstance(action, Cancel) and accepted:
            self.gone(child_id)
        elif isinstance(action, Replace) and accepted:
            self._put(child_id, pending=False, limit_price=action.limit_price)
        else:
            self._put(child_id, pending=False)

    def step(self) -> None:
        """Let something happen to the market, the children and the clock, then ask."""
        self._move()
        for child in list(self.children):
            happening = self.choose(6)
            if child.child_id in self.asked and happening < 4:
                self.answer(child.child_id, accepted=happening < 3)
            elif happening == 4:
                self.fill(child.child_id, D(1 + self.choose(200)) * self.works.parent.lot_size)
            elif happening == 5 or child.child_id in self.expiring:
                self.gone(child.child_id)
        jump = (0, 1, 7, 60, 400)[self.choose(5)]
        self.now += timedelta(seconds=jump, milliseconds=self.choose(1000))
        if self.wake is not None and jump and self.choose(2):
            self.now = max(self.now - timedelta(seconds=jump), self.wake)
        self.ask()

    def run_down(self) -> Finish:
        """To the end of the window with a venue that answers; fails where the algorithm never finishes."""
        self.now = max(self.now, self.works.end)
        for _ in range(40):
            self.ask()
            if self.finish is not None:
                return self.finish
            for child_id in list(self.asked):
                self.answer(child_id, accepted=True)
        raise AssertionError(f"it never finished: {self.works}, {self.progress}")

    def _move(self) -> None:
        if self.choose(4) == 0:
            middle = D(9900 + self.choose(200)) / 100
            half = D(1 + self.choose(20)) / 100
            size = D(self.choose(2000))
            blank = self.choose(8)
            self.market = Market(
                bid=None if blank == 0 else middle - half,
                ask=None if blank == 1 else middle + half,
                bid_size=None if blank == 2 else size,
                ask_size=None if blank == 3 else size,
                volume=self.market.volume,
            )
        volume = (self.market.volume or D(0)) + D(self.choose(3000))
        self.market = replace(self.market, volume=volume)

    def _put(self, child_id: str, **changes: object) -> None:
        self.children = [replace(child, **changes) if child.child_id == child_id else child for child in self.children]


def check(decision: Decision, works: Works, progress: Progress, market: Market, now: datetime) -> None:
    """Every bound that holds for every algorithm, said again in the simplest terms."""
    order = works.parent
    children = {child.child_id: child for child in progress.children}
    new = sum((place.quantity for place in places(decision.actions)), D(0))
    if new:
        assert progress.filled + progress.working + new <= order.quantity, "more than the order"
        assert order.start <= now < works.end, "a child outside the window"
        if works.participation is not None:
            assert market.volume is not None
            assert progress.filled + progress.working + new <= works.participation * market.volume, "past the cap"
    for action in decision.actions:
        if isinstance(action, Place):
            assert action.quantity > 0
            assert is_multiple(action.quantity, order.lot_size)
            assert action.quantity >= order.min_quantity
            assert (action.limit_price is None) == (action.order_type == "MARKET")
            allowed(works, action.limit_price)
            if action.display_quantity is not None:
                assert order.lot_size <= action.display_quantity < action.quantity
        elif isinstance(action, Replace):
            child = children[action.child_id]
            assert not child.pending
            assert action.quantity == child.quantity
            assert action.limit_price != child.limit_price
            allowed(works, action.limit_price)
        elif isinstance(action, Cancel):
            assert not children[action.child_id].pending
        else:
            assert not children
            assert decision.wake is None
            ended(action, works, progress)
    if decision.wake is not None:
        assert now < decision.wake <= max(works.end, order.start)
    if not decision.actions and decision.works.step == works.step:
        assert decision.works == works, "nothing was done, so nothing changed"


def allowed(works: Works, price: Decimal | None) -> None:
    """The price bound, from its definition."""
    order, slip = works.parent, works.max_slippage_pct
    if price is None:
        assert order.limit_price is None
        assert slip is None
        return
    assert price > 0
    assert is_multiple(price, order.tick_size)
    sign = 1 if order.side == "BUY" else -1
    if order.limit_price is not None:
        assert (price - order.limit_price) * sign <= 0, "past the limit"
    if slip is not None and order.arrival_price is not None:
        assert (price - order.arrival_price) * sign <= order.arrival_price * slip, "past the slippage"


def ended(finish: Finish, works: Works, progress: Progress) -> None:
    """The word for an end, from its definition."""
    total = works.parent.quantity
    assert finish.filled == progress.filled
    if total - progress.filled < works.parent.lot_size:
        assert finish.ending == "FILLED"
    elif works.min_fill_ratio is not None and progress.filled < works.min_fill_ratio * total:
        assert finish.ending == "SHORTFALL"
        assert "can no longer be met" in finish.reason
    else:
        assert finish.ending == "PARTIAL"


def places(actions: tuple[Action, ...] | list[Action]) -> Iterator[Place]:
    """The children among the actions."""
    return (action for action in actions if isinstance(action, Place))
