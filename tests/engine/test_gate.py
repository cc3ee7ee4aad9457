"""The last hop: each reason to stop an order, alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import gate
from engine.control_settings import DEFAULT_REGIMES
from engine.controls import Controls, Override, RegimeInForce
from engine.gate import Venue
from engine.identity import order_id
from engine.reports import Capabilities
from tests.engine.test_order import TICKET

D = Decimal
BEFORE, ID, AFTER = (order_id("test", 0, sequence, "alice", "signal/s-1", 0) for sequence in (6, 7, 8))
CAN = Capabilities(order_types=frozenset({"LIMIT"}), times_in_force=frozenset({"GTC"}), modify=True, deduplicates=True)
UP = Venue(name="test", up=True, capabilities=CAN, last_order_id=BEFORE)
MARKET = replace(TICKET, order_type="MARKET", limit_price=None)
SELL = replace(TICKET, side="SELL")
CAUTION, EMERGENCY = (
    Controls(
        regime=RegimeInForce(name=name, settings=DEFAULT_REGIMES[name], reason="", by="", since=TICKET.approved_at)
    )
    for name in ("CAUTION", "EMERGENCY")
)


def code(venue: Venue = UP, ticket: Any = TICKET, **other: Any) -> str | None:
    """The code that the gate stops this order with, None where it goes through."""
    asked = {"killed": False, "quantity": D(10), "limit": ticket.limit_price, "resend": False} | other
    refusal = gate.check(venue, asked["killed"], ticket, ID, asked["quantity"], asked["limit"], asked["resend"])
    return None if refusal is None else refusal.code


@pytest.mark.parametrize(
    ("stopped", "venue", "ticket", "other"),
    [
        pytest.param(None, UP, TICKET, {}, id="as approved"),
        pytest.param(None, UP, TICKET, {"quantity": D(1)}, id="less than approved"),
        pytest.param(None, UP, TICKET, {"limit": D(99)}, id="a better price to buy"),
        pytest.param(None, UP, SELL, {"limit": D(101)}, id="a better price to sell"),
        pytest.param(None, UP, MARKET, {}, id="a market order"),
        pytest.param(None, replace(UP, last_order_id=ID), TICKET, {"resend": True}, id="again, where that is safe"),
        pytest.param("KILLED", UP, TICKET, {"killed": True}, id="killed"),
        pytest.param("VENUE_PAUSED", replace(UP, paused=True), TICKET, {}, id="paused"),
        pytest.param("VENUE_DOWN", replace(UP, up=False), TICKET, {}, id="down"),
        pytest.param("GATE_WRONG_VENUE", replace(UP, name="other"), TICKET, {}, id="another venue"),
        pytest.param("GATE_QUANTITY", UP, TICKET, {"quantity": D("10.01")}, id="more than approved"),
        pytest.param("GATE_QUANTITY", UP, TICKET, {"quantity": D(0)}, id="nothing"),
        pytest.param("GATE_QUANTITY", UP, TICKET, {"quantity": D(-1)}, id="less than nothing"),
        pytest.param("GATE_PRICE", UP, TICKET, {"limit": None}, id="a limit order without a limit"),
        pytest.param("GATE_PRICE", UP, MARKET, {"limit": D(1)}, id="a market order with one"),
        pytest.param("GATE_PRICE", UP, TICKET, {"limit": D(0)}, id="a limit of nothing"),
        pytest.param("GATE_PRICE", UP, TICKET, {"limit": D("100.01")}, id="a worse price to buy"),
        pytest.param("GATE_PRICE", UP, SELL, {"limit": D("99.99")}, id="a worse price to sell"),
        pytest.param("GATE_DUPLICATE", replace(UP, last_order_id=ID), TICKET, {}, id="let through before"),
        pytest.param("GATE_DUPLICATE", replace(UP, last_order_id=AFTER), TICKET, {}, id="older than one let through"),
        pytest.param(
            "GATE_RESEND", replace(UP, capabilities=None), TICKET, {"resend": True}, id="again, unknown venue"
        ),
        pytest.param(
            "GATE_RESEND",
            replace(UP, capabilities=replace(CAN, deduplicates=False)),
            TICKET,
            {"resend": True},
            id="again, where that makes a second order",
        ),
    ],
)
def test_the_gate(stopped: str | None, venue: Venue, ticket: Any, other: dict[str, Any]) -> None:
    assert code(venue, ticket, **other) == stopped


@pytest.mark.parametrize(("side", "limit", "worse"), [("BUY", "101", True), ("BUY", "99", False), ("SELL", "99", True)])
def test_which_price_is_worse(side: Any, limit: str, worse: bool) -> None:
    assert gate.worse(replace(TICKET, side=side), D(limit)) is worse


@pytest.mark.parametrize(("after_s", "code"), [(-1, None), (0, "GATE_WINDOW"), (1, "GATE_WINDOW")])
def test_a_child_is_late_from_its_parents_end_on(after_s: int, code: str | None) -> None:
    end = TICKET.approved_at + timedelta(minutes=1)
    refusal = gate.late(replace(TICKET, parent="work-1", ends_at=end), end + timedelta(seconds=after_s))
    assert (None if refusal is None else refusal.code) == code


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_child_of_a_parent_without_an_end_is_never_late(now: datetime) -> None:
    assert gate.late(replace(TICKET, parent="work-1"), now) is None


def test_a_regime_that_takes_no_new_risk_is_asked_at_the_last_hop() -> None:
    now = TICKET.approved_at
    mine = Override(
        override_id="o", code="REGIME_NO_NEW_RISK", subscriber_id=TICKET.subscriber_id, reason="", by="ann", since=now,
        expires_at=now + timedelta(minutes=1),
    )  # fmt: skip
    waived, theirs = ({"o": one} for one in (mine, replace(mine, subscriber_id="another")))
    for controls, at, code in (
        (None, now, None),
        (CAUTION, now, None),
        (EMERGENCY, now, "REGIME_NO_NEW_RISK"),
        (replace(EMERGENCY, overrides=waived), now, None),
        (replace(EMERGENCY, overrides=waived), mine.expires_at, "REGIME_NO_NEW_RISK"),
        (replace(EMERGENCY, overrides=theirs), now, "REGIME_NO_NEW_RISK"),
    ):
        refusal = gate.new_risk(controls, TICKET, False, at)
        assert (None if refusal is None else refusal.code) == code
        assert gate.new_risk(controls, TICKET, True, at) is None
