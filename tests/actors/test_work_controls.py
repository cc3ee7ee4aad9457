"""Controls meet an order that is worked at our side: it counts once, and what stops it stops its children."""

from __future__ import annotations

from typing import Any

import pytest

from engine import reports as r
from engine.commands import Kill
from engine.control_commands import Regime
from engine.control_settings import ControlSettings, Gross
from tests.actors.bench import Bench, D, request
from tests.actors.test_work import cancels, fill, order, placed, twap


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice")
    return bench


def configure(bench: Bench) -> None:
    controls = ControlSettings(gross=Gross(firm=D(10_000)))
    bench.configure(controls=controls)


def gross(bench: Bench, number: int) -> str:
    """What counts, as a refusal tells it."""
    refused = bench.ask("subscriber/alice", request(number, quantity="101"))
    assert refused.code == "MAX_FIRM_GROSS"
    return str(refused.reason.partition("firm ")[2].partition(",")[0])


def test_a_parent_counts_once_whatever_its_children_do(bench: Bench) -> None:
    configure(bench)
    name = placed(bench, plan=twap())
    assert gross(bench, 11) == "executed 0 USD today and works 10000"
    bench.wait(20)
    bench.quote("AAPL", "100")
    child = bench.sent(r.SubmitOrder)[0]
    assert gross(bench, 12) == "executed 0 USD today and works 10000"
    fill(bench, child, "5", price="90")
    assert gross(bench, 13) == "executed 450 USD today and works 9500"
    bench.restart()
    bench.open()
    configure(bench)
    assert gross(bench, 14) == "executed 450 USD today and works 9500"
    bench.ask("subscriber/alice", cancels(name))
    bench.tell(
        f"order/{child.client_order_id}", r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now)
    )
    assert order(bench, name).status == "CANCELED"
    assert gross(bench, 15) == "executed 450 USD today and works 0"


@pytest.mark.parametrize(
    "message",
    [
        Kill(reason="odd", by="ann", scope="symbol", name="AAPL"),
        Kill(reason="odd", by="ann", scope="strategy", name="momentum"),
        Kill(reason="odd", by="ann", scope="venue", name="test"),
        Regime(regime="EMERGENCY", reason="crash", by="ann"),
    ],
)
def test_what_stops_a_parent_stops_its_children(bench: Bench, message: Any) -> None:
    name = placed(bench, plan=twap())
    bench.wait(20)
    bench.tell("desk/main", message)
    (child,) = bench.sent(r.SubmitOrder)
    assert [cancel.client_order_id for cancel in bench.sent(r.CancelVenueOrder)] == [child.client_order_id]
    bench.tell(
        f"order/{child.client_order_id}", r.Canceled(client_order_id=child.client_order_id, reason="", at=bench.now)
    )
    assert order(bench, name).status == "CANCELED"
    bench.wait(700)
    assert len(bench.sent(r.SubmitOrder)) == 1
