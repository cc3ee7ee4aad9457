"""What a client may change of an order that is worked at our side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from engine.emulate import Held, Phase
from engine.messages import ExecutionCommand
from engine.modification import unamendable, waits
from engine.order import Order
from engine.plan import ExecutionPlan
from engine.work import WorkStarted, after
from tests.engine.test_emulate import AT, STOP, specified
from tests.engine.test_order import TICKET

D = Decimal
LIMIT = {"order_type": "LIMIT", "limit_price": D(100)}


def order(phase: Phase = "LAST", **fields: Any) -> Order:
    spec = specified(**fields)
    ticket = replace(TICKET, quantity=spec.quantity, limit_price=spec.limit_price, order_type=spec.order_type)
    about = {"order_id": ticket.order_id, "subscriber_id": "s", "exchange": "XNAS", "symbol": "AAPL"}
    return after(None, WorkStarted(at=AT, ticket=ticket, spec=spec, held=Held(phase=phase), reason="", **about))


def change(**fields: Any) -> ExecutionCommand:
    plan = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="MODIFY_ORDER")
    return ExecutionCommand(command_id="c", subscriber_id="s", order_id="o", plan=plan, **fields)


@pytest.mark.parametrize(
    ("found", "command", "code"),
    [
        (order(**LIMIT), {"quantity": D(50)}, None),
        (order(**LIMIT), {"limit_price": D(120)}, None),
        (order("WAITING", **STOP), {"quantity": D(50)}, None),
        (order("WAITING", **STOP), {"limit_price": D(50)}, "UNEXPECTED_PRICE"),
        (order("FIRST", order_type="MARKET_TO_LIMIT"), {"quantity": D(50)}, "NOT_MODIFIABLE"),
        (order("LAST", order_type="MARKET_TO_LIMIT"), {"limit_price": D(50)}, "UNEXPECTED_PRICE"),
        (order("ENDING", **LIMIT), {"quantity": D(50)}, "NOT_MODIFIABLE"),
        (replace(order(**LIMIT), status="PENDING_CANCEL"), {"quantity": D(50)}, "NOT_MODIFIABLE"),
        (replace(order(**LIMIT), status="FILLED"), {"quantity": D(50)}, "NOT_MODIFIABLE"),
        (replace(order(**LIMIT), filled=D(50)), {"quantity": D(50)}, "BELOW_FILLED"),
        (order(**LIMIT), {"quantity": D("50.5")}, "OFF_LOT"),
        (order(**LIMIT), {"limit_price": D("100.001")}, "OFF_TICK"),
        (order(**LIMIT, plan={"max_slippage_pct": D("0.01")}), {"limit_price": D(102)}, "NOT_MODIFIABLE"),
    ],
)
def test_a_change_is_refused_where_it_cannot_be_made(found: Order, command: dict[str, Any], code: str | None) -> None:
    problem = unamendable(found, change(**command))
    assert (problem and problem[0]) == code


def test_only_what_waits_for_a_price_or_time_has_none_of_now() -> None:
    assert waits(order("WAITING", **STOP))
    assert not waits(order("LAST", **STOP))
    assert not waits(order("WAITING", **LIMIT))
