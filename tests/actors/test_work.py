"""Orders that are worked at our side: their children, what becomes of them, and what is left of it after a crash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.journal import Mail
from actors.order import OrderActor
from actors.turn import Turn
from engine import reports as r
from engine.commands import Kill, MarketMoved, StartWork, SubmitChild
from engine.events import ChildStopped, FillBooked, RequestDenied
from engine.instructions import Instructions
from engine.messages import ExecutionCommand, Quote
from engine.order import Order
from engine.plan import ExecutionPlan
from engine.work import WorkEnded, child_ticket
from tests.actors.bench import Bench, D, request

PLAN = "EXP_20260105_143000_abcde"


@pytest.fixture
def bench() -> Bench:
    """An open venue, and Alice with money."""
    bench = Bench()
    bench.open()
    bench.join("alice", allow_short=True)
    return bench


def twap(**fields: Any) -> ExecutionPlan:
    """Five equal slices in ten minutes, crossing at once."""
    known = {
        "plan_id": PLAN,
        "preferred_execution_style": "TWAP",
        "max_execution_window_minutes": 10,
        "chunk_count_hint": 5,
        "chunk_distribution": "UNIFORM",
        "execution_urgency": D("0.8"),
    }
    return ExecutionPlan(**(known | fields))  # type: ignore[arg-type]


def placed(bench: Bench, number: int = 1, **fields: Any) -> str:
    """The id of Alice's order."""
    outcome = bench.ask("subscriber/alice", request(number, **({"quantity": "100"} | fields)))
    assert outcome.status == "ACCEPTED", outcome
    return str(outcome.orders[0])


def order(bench: Bench, name: str) -> Order:
    stored = bench.stored(f"order/{name}")
    assert stored is not None
    found: Order = OrderActor.decode({"": stored})[""]
    return found


def fill(bench: Bench, child: r.SubmitOrder, quantity: str | None = None, price: str = "100") -> None:
    """The venue takes a child and fills it, all of it unless told otherwise."""
    name, address = child.client_order_id, f"order/{child.client_order_id}"
    amount = child.quantity if quantity is None else D(quantity)
    bench.tell(
        address,
        r.Accepted(client_order_id=name, venue_order_id=f"V{name[-4:]}", at=bench.now),
        r.Filled(client_order_id=name, execution_id=f"X{name[-4:]}", quantity=amount, price=D(price),
                 commission=D(0), at=bench.now),
    )  # fmt: skip


def tick(bench: Bench, price: str) -> None:
    """A quote comes, and whoever waits for it hears of it."""
    quote = Quote(
        exchange="XNAS", symbol="AAPL", bid=D(price), ask=D(price), bid_size=D(9), ask_size=D(9), at=bench.now
    )
    market = bench.partition.turn.market
    market.hear(quote, bench.now)
    bench.partition.post([Mail(address, MarketMoved(data=quote)) for address in market.wanted(quote)])
    bench.settle()


def run(bench: Bench, seconds: int) -> list[r.SubmitOrder]:
    """Time passes in steps, and the venue fills what comes; what came."""
    done = 0
    for _ in range(seconds // 10):
        bench.wait(10)
        bench.quote("AAPL", "100")
        for child in bench.sent(r.SubmitOrder)[done:]:
            fill(bench, child)
        done = len(bench.sent(r.SubmitOrder))
    return bench.sent(r.SubmitOrder)


def test_a_twap_sends_its_slices_in_time_and_ends_filled(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    assert name.startswith("work-")
    children = run(bench, 660)
    assert [child.quantity for child in children] == [20] * 5
    found = order(bench, name)
    assert (found.status, found.filled, found.working) == ("FILLED", 100, 0)
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").quantity == 100
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.working_buy, held.reserved_buy) == (0, 0)
    assert {booked.strategy_id for booked in bench.events(FillBooked)} == {"momentum"}
    assert bench.part("venue/test", f"parent/{name}") is None


def test_a_parent_reserves_the_whole_and_gives_back_what_it_did_not_fill(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert held.working_buy == 100
    run(bench, 100)
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.quantity + held.working_buy, held.quantity) == (100, order(bench, name).filled)
    done = bench.ask("subscriber/alice", cancels(name))
    assert done.status == "ACCEPTED"
    assert order(bench, name).status == "CANCELED"
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert (held.working_buy, held.reserved_buy) == (0, 0)
    sent = len(bench.sent(r.SubmitOrder))
    bench.wait(900)
    assert len(bench.sent(r.SubmitOrder)) == sent
    assert bench.ask("subscriber/alice", cancels(name, "c-2")).code == "ORDER_CLOSED"


def cancels(name: str, number: str = "c-1") -> ExecutionCommand:
    plan = ExecutionPlan(plan_id=PLAN, action="CANCEL_ORDER")
    return ExecutionCommand(command_id=number, subscriber_id="alice", order_id=name, plan=plan)


def test_after_a_crash_it_goes_on_where_it_was(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    run(bench, 200)
    before = order(bench, name)
    bench.restart()
    bench.open()
    bench.quote("AAPL", "100")
    assert order(bench, name).work is not None
    assert order(bench, name).filled == before.filled
    run(bench, 600)
    found = order(bench, name)
    assert (found.status, found.filled) == ("FILLED", 100)
    assert sum(child.quantity for child in bench.sent(r.SubmitOrder)) == 100


def test_a_kill_stops_the_parent_and_its_children(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    bench.wait(20)
    bench.tell("desk/main", Kill(reason="enough", by="me"))
    for child in bench.sent(r.SubmitOrder):
        bench.tell(
            f"order/{child.client_order_id}", r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now)
        )
    assert order(bench, name).status == "CANCELED"
    bench.wait(700)
    assert len(bench.sent(r.SubmitOrder)) <= 1


def test_the_gate_stops_what_is_more_than_the_parent(bench: Bench) -> None:
    name = placed(bench, plan=twap())
    bench.wait(1)
    ticket = order(bench, name).ticket
    sent = len(bench.sent(r.SubmitOrder))
    for number, quantity in enumerate(("101", "80", "20", "1")):
        rogue = child_ticket(ticket, f"test-9999000{number}-0000-8000-8000-000000000000", D(quantity), "MARKET", None,
                             "DAY", bench.now)  # fmt: skip
        bench.tell("venue/test", SubmitChild(ticket=rogue, client_order_id=rogue.order_id, quantity=rogue.quantity,
                                             limit_price=None))  # fmt: skip
    out = sum(child.quantity for child in bench.sent(r.SubmitOrder))
    assert out <= 100
    assert [stopped.code for stopped in bench.events(ChildStopped)].count("GATE_PARENT") >= 2
    assert len(bench.sent(r.SubmitOrder)) > sent


def test_a_window_that_ends_with_less_than_the_least_says_so(bench: Bench) -> None:
    name = placed(bench, plan=twap(min_fill_ratio=D("0.9")), limit_price="100")
    bench.wait(1)
    bench.quote("AAPL", "110")
    for _ in range(70):
        bench.wait(10)
        bench.quote("AAPL", "110")
        for child in bench.sent(r.SubmitOrder):
            if bench.part(f"order/{child.client_order_id}") is not None:
                bench.tell(f"order/{child.client_order_id}",
                           r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now))  # fmt: skip
    found = order(bench, name)
    assert (found.status, found.filled) == ("EXPIRED", 0)
    (ended,) = bench.events(WorkEnded)
    assert ended.code in ("SHORTFALL", "MIN_FILL_NOT_MET")
    assert "MIN_FILL_NOT_MET" in list(bench.alarms())


def test_a_slippage_is_a_limit_price_measured_from_arrival(bench: Bench) -> None:
    plan = ExecutionPlan(plan_id=PLAN, max_slippage_pct=D("0.01"))
    name = placed(bench, plan=plan)
    assert not name.startswith("work-")
    (child,) = bench.sent(r.SubmitOrder)
    assert (child.order_type, child.limit_price, child.quantity) == ("LIMIT", D("101.00"), 100)


def test_a_stop_waits_for_its_price_and_survives_a_crash(bench: Bench) -> None:
    name = placed(bench, side="SELL", order_type="STOP", stop_price=D("95"))
    tick(bench, "96")
    assert bench.sent(r.SubmitOrder) == []
    bench.restart()
    bench.open()
    bench.wait(1)
    tick(bench, "95.50")
    assert bench.sent(r.SubmitOrder) == []
    tick(bench, "95")
    (child,) = bench.sent(r.SubmitOrder)
    assert (child.order_type, child.side, child.quantity) == ("MARKET", "SELL", 100)
    fill(bench, child, price="94.90")
    assert (order(bench, name).status, order(bench, name).filled) == ("FILLED", 100)


def test_an_order_whose_time_is_over_is_cancelled_at_the_venue_and_expired(bench: Bench) -> None:
    end = bench.now + timedelta(seconds=60)
    name = placed(bench, limit_price="90", time_in_force="GTD", expires_at=end)
    (child,) = bench.sent(r.SubmitOrder)
    bench.tell(
        f"order/{child.client_order_id}",
        r.Accepted(client_order_id=child.client_order_id, venue_order_id="V", at=bench.now),
    )
    bench.wait(61)
    (cancel,) = bench.sent(r.CancelVenueOrder)
    assert cancel.client_order_id == child.client_order_id
    canceled = r.Canceled(client_order_id=child.client_order_id, reason="as asked", at=bench.now)
    bench.tell(f"order/{child.client_order_id}", canceled)
    found = order(bench, name)
    assert (found.status, found.reason) == ("EXPIRED", "its time was over")


def test_an_iceberg_shows_a_part_at_a_time(bench: Bench) -> None:
    name = placed(bench, limit_price="101", instructions=Instructions(display_quantity=D(30)))
    for _ in range(8):
        bench.wait(1)
        bench.quote("AAPL", "100")
        for child in bench.sent(r.SubmitOrder):
            if bench.part(f"order/{child.client_order_id}") is not None:
                fill(bench, child)
    assert [child.quantity for child in bench.sent(r.SubmitOrder)] == [30, 30, 30, 10]
    assert order(bench, name).status == "FILLED"


def test_a_trailing_stop_follows_the_market_and_never_goes_back(bench: Bench) -> None:
    told = Instructions(trail_amount=D(5))
    name = placed(bench, side="SELL", order_type="TRAILING_STOP", instructions=told)
    for price in ("103", "110", "106", "105.01"):
        tick(bench, price)
    assert bench.sent(r.SubmitOrder) == []
    bench.restart()
    bench.open()
    bench.wait(1)
    tick(bench, "105")
    assert len(bench.sent(r.SubmitOrder)) == 1
    assert order(bench, name).status == "WORKING"


def test_a_trailing_stop_without_a_market_is_refused(bench: Bench) -> None:
    bench.now += timedelta(hours=1)
    told = Instructions(trail_amount=D(5))
    asked = request(1, side="SELL", order_type="TRAILING_STOP", instructions=told)
    outcome = bench.ask("subscriber/alice", asked)
    assert (outcome.status, outcome.code) == ("DENIED", "NO_REFERENCE_PRICE") or outcome.code == "NO_MARKET"
    assert len(bench.events(RequestDenied)) == 1


def test_a_held_order_is_cancelled_before_it_was_sent(bench: Bench) -> None:
    name = placed(bench, side="SELL", order_type="STOP", stop_price=D("95"))
    assert bench.ask("subscriber/alice", cancels(name)).status == "ACCEPTED"
    assert order(bench, name).status == "CANCELED"
    held = bench.part("subscriber/alice", "position/XNAS:AAPL")
    assert held.working_sell == 0
    tick(bench, "90")
    assert bench.sent(r.SubmitOrder) == []


def test_an_order_whose_start_was_kept_back_past_its_end_sends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = bench.now + timedelta(seconds=60)
    kept: list[tuple[str, Any]] = []
    tell = Turn.tell

    def keep(turn: Turn, to: str, message: Any) -> None:
        if isinstance(message, StartWork):
            kept.append((to, message))
        else:
            tell(turn, to, message)

    with monkeypatch.context() as patched:
        patched.setattr(Turn, "tell", keep)
        bench.tell("subscriber/alice", request(1, limit_price="90", time_in_force="GTD", expires_at=end))
    ((to, message),) = kept
    bench.now += timedelta(seconds=61)
    bench.tell(to, message)
    assert order(bench, to[6:]).status == "EXPIRED"
    assert bench.sent(r.SubmitOrder) == []
