"""Target positions are read strictly, and what makes no sense says where."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import ValidationError, json

from engine.plan import ExecutionPlan
from engine.target_messages import MAX_TARGETS, Target, TargetPositions
from engine.values import read_number

D = Decimal
AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def target(symbol: str, **to: str) -> Target:
    return Target(exchange="XNAS", symbol=symbol, **{name: D(value) for name, value in to.items()})


def quantities(**to: str) -> tuple[Target, ...]:
    return tuple(target(symbol, quantity=value) for symbol, value in to.items())


def weights(**to: str) -> tuple[Target, ...]:
    return tuple(target(symbol, weight=value) for symbol, value in to.items())


def positions(*targets: Target, **more: Any) -> TargetPositions:
    fields: dict[str, Any] = {"mode": "PRODUCTION", "scope": "NAMED", "issued_at": AT} | more
    for name in ("min_order_quantity", "min_order_notional", "drift_quantity", "drift_fraction"):
        if name in fields:
            fields[name] = D(fields[name])
    return TargetPositions(
        request_id="r-1", signal_id="s-1", strategy_id="momentum", subscriber_id="alice", targets=targets, **fields
    )


PLAN_2 = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", execution_urgency=D(2))
CANCEL = ExecutionPlan(plan_id="EXP_20260105_143000_abcde", action="CANCEL_ORDER")


def planned(symbol: str, plan: ExecutionPlan) -> Target:
    return Target(exchange="XNAS", symbol=symbol, quantity=D(1), plan=plan)


DECODER = json.Decoder(TargetPositions, dec_hook=read_number)


def written(**changes: Any) -> bytes:
    message = {
        "type": "TargetPositions",
        "request_id": "r-1",
        "signal_id": "s-1",
        "strategy_id": "momentum",
        "subscriber_id": "alice",
        "mode": "TRAINING",
        "scope": "ALL",
        "targets": [{"exchange": "XNAS", "symbol": "AAPL", "weight": "-0.25"}],
        "issued_at": "2026-01-05T14:30:00Z",
    }
    return json.encode({name: value for name, value in (message | changes).items() if value is not None})


def test_targets_are_read_and_written_as_they_were() -> None:
    found = DECODER.decode(written())
    assert found.targets == (target("AAPL", weight="-0.25"),)
    assert (found.mode, found.scope, found.problem()) == ("TRAINING", "ALL", None)
    assert DECODER.decode(json.encode(found)) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": None},
        {"scope": None},
        {"mode": "LIVE"},
        {"scope": "SOME"},
        {"issued_at": "2026-01-05T14:30:00"},
        {"unknown": 1},
        {"targets": [{"exchange": "XNAS", "symbol": "AA\nPL", "weight": "1"}]},
        {"targets": [{"exchange": "XNAS", "symbol": "AAPL", "weight": "NaN"}]},
        {"targets": [{"exchange": "XNAS", "symbol": "A", "weight": "0"}] * (MAX_TARGETS + 1)},
        {"signal_id": "s 1"},
    ],
)
def test_what_is_no_set_of_targets_is_not_read(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DECODER.decode(written(**changes))


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        (positions(), "EMPTY_TARGETS", "targets"),
        (positions(target("A", quantity="1"), target("A", quantity="2")), "DUPLICATE_TICKER", "targets[1]: XNAS:A"),
        (positions(target("A")), "BAD_SIZE", "targets[0]: XNAS:A"),
        (positions(target("A", quantity="1", weight="1")), "BAD_SIZE", "targets[0]: XNAS:A"),
        (positions(target("A", quantity="1"), target("B", weight="1")), "MIXED_TARGETS", "targets[1]"),
        (positions(target("A", weight="1"), target("B", quantity="1")), "MIXED_TARGETS", "targets[1]"),
        (positions(target("A", quantity="1", limit_price="0")), "BAD_PRICE", "targets[0].limit_price"),
        (positions(target("A", quantity="1"), drift_quantity="-1"), "BAD_QUANTITY", "drift_quantity"),
        (positions(target("A", quantity="1"), min_order_notional="-1"), "BAD_QUANTITY", "min_order_notional"),
        (positions(target("A", quantity="1"), drift_quantity="1", drift_fraction="1"), "BAD_DRIFT", "drift_fraction"),
        (positions(target("A", quantity="1"), time_in_force="GTD"), "BAD_EXPIRY", "time_in_force"),
        (positions(target("A", quantity="1"), plan=PLAN_2), "BAD_VALUE", "plan.execution_urgency"),
        (positions(target("A", quantity="1"), plan=CANCEL), "BAD_PLAN", "plan.action"),
        (positions(planned("A", CANCEL)), "BAD_PLAN", "targets[0].plan.action"),
        (positions(planned("A", PLAN_2)), "BAD_VALUE", "targets[0].plan.execution_urgency"),
    ],
)
def test_targets_that_make_no_sense_say_where(asked: TargetPositions, code: str, names: str) -> None:
    problem = asked.problem()
    assert problem is not None
    assert problem[0] == code
    assert problem[1].startswith(names)


def test_all_and_nothing_named_makes_sense() -> None:
    assert positions(scope="ALL").problem() is None


def test_the_ids_of_order_intents_are_not_for_targets() -> None:
    found = DECODER.decode(written(signal_id="intent:1")).problem()
    assert found is not None
    assert found[0] == "RESERVED_ID"
