"""A regime changes limits and what may be opened for everybody at once, and is an event with a person and a reason."""

from __future__ import annotations

from typing import Any

import pytest

from actors import partition as bounds
from engine import reports as r
from engine.config import Admin
from engine.control_commands import DeclareRegime, Regime
from engine.control_events import RegimeDeclared
from engine.control_settings import RegimeSettings
from engine.events import ChildStopped, InputRefused
from tests.actors.bench import Bench, D, request

FACTORS = ("quantity_factor", "notional_factor", "rate_factor")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    bench.join("alice", max_order_quantity=D(10), allow_short=True, max_leverage=D(4))
    return bench


def declare(bench: Bench, regime: Any, reason: str = "volatile") -> Any:
    return bench.ask("desk/main", DeclareRegime(regime=regime, reason=reason, by="ann"))


def fill(bench: Bench, order: str, quantity: int = 10) -> None:
    bench.tell(
        f"order/{order}",
        r.Filled(
            client_order_id=order,
            execution_id=f"x-{order}",
            quantity=D(quantity),
            price=D(100),
            commission=D(0),
            at=bench.now,
        ),
    )


def ask(bench: Bench, number: int, **fields: Any) -> Any:
    return bench.ask("subscriber/alice", request(number, **fields))


def test_caution_halves_limits_until_it_is_over(bench: Bench) -> None:
    assert ask(bench, 1, quantity="10").status == "ACCEPTED"
    assert declare(bench, "CAUTION").reason == "the regime is CAUTION"
    refused = ask(bench, 2, quantity="6")
    assert (refused.code, "limit 5" in refused.reason) == ("MAX_ORDER_QUANTITY", True)
    assert ask(bench, 3, quantity="5").status == "ACCEPTED"
    declare(bench, "NORMAL", "calm")
    assert ask(bench, 4, quantity="10").status == "ACCEPTED"
    assert bench.part("desk/main").controls is None


def test_emergency_lets_out_and_not_in(bench: Bench) -> None:
    fill(bench, ask(bench, 1).orders[0])
    declare(bench, "EMERGENCY")
    assert ask(bench, 2, quantity="1").code == "REGIME_NO_NEW_RISK"
    assert ask(bench, 3, side="SELL", quantity="11").code in ("REGIME_NO_NEW_RISK", "MAX_ORDER_QUANTITY")
    assert ask(bench, 4, side="SELL", quantity="10").status == "ACCEPTED"
    assert ask(bench, 5, side="SELL", quantity="1").code == "REGIME_NO_NEW_RISK"


def test_emergency_cancels_what_adds_risk_and_leaves_what_reduces_it(bench: Bench) -> None:
    fill(bench, ask(bench, 1).orders[0])
    adds = ask(bench, 2, limit_price="99").orders[0]
    elsewhere = ask(bench, 3, symbol="FUT", side="SELL", quantity="1").orders[0]
    reduces = ask(bench, 4, side="SELL", quantity="8", limit_price="101").orders[0]
    beyond = ask(bench, 5, side="SELL", quantity="3", limit_price="101").orders[0]
    answer = declare(bench, "EMERGENCY")
    assert "4 open orders are looked at" in answer.reason
    cancelled = {cancel.client_order_id for cancel in bench.sent(r.CancelVenueOrder)}
    assert cancelled == {adds, elsewhere, beyond}
    assert bench.part(f"order/{reduces}").status != "PENDING_CANCEL"


def test_a_regime_survives_a_restart(bench: Bench) -> None:
    declare(bench, "EMERGENCY")
    bench.restart()
    bench.open()
    assert ask(bench, 1).code == "REGIME_NO_NEW_RISK"


def test_the_same_regime_again_is_no_event(bench: Bench) -> None:
    for _ in range(2):
        declare(bench, "CAUTION")
    assert len(bench.events(RegimeDeclared)) == 1
    assert declare(bench, "NORMAL").status == declare(bench, "NORMAL").status == "ACCEPTED"
    assert len(bench.events(RegimeDeclared)) == 2


def test_what_a_regime_means_is_taken_when_it_is_declared(bench: Bench) -> None:
    bench.configure(regimes={"CAUTION": RegimeSettings(quantity_factor=D("0.1"), max_urgency=D("0.4"))})
    declare(bench, "CAUTION")
    assert ask(bench, 1, quantity="2").code == "MAX_ORDER_QUANTITY"
    assert bench.part("desk/main").controls.regime.settings.max_urgency == D("0.4")
    bench.configure(regimes={})
    assert ask(bench, 2, quantity="2").code == "MAX_ORDER_QUANTITY"
    declare(bench, "CAUTION")
    assert ask(bench, 3, quantity="2").status == "ACCEPTED"


def test_a_regime_needs_a_reason(bench: Bench) -> None:
    assert declare(bench, "EMERGENCY", " ").code == "MISSING_REASON"
    assert bench.events(RegimeDeclared) == []


def test_the_desk_remembers_its_regimes(bench: Bench) -> None:
    for name in ("CAUTION", "EMERGENCY", "NORMAL"):
        declare(bench, name)
    bench.restart()
    assert [change.name for change in bench.part("desk/main", "regimes").changes] == ["CAUTION", "EMERGENCY", "NORMAL"]


# over the bus


def hears(bench: Bench, regime: Any, by: str = "model", reason: str = "a signal") -> Any:
    """What a client on the bus declares: its code, or ACCEPTED."""
    outcome = bench.ask("desk/main", Regime(regime=regime, reason=reason, by=by))
    return outcome.code or outcome.status


def test_a_stricter_regime_is_taken_from_anyone_and_a_laxer_one_from_a_person(bench: Bench) -> None:
    assert [hears(bench, name) for name in ("NORMAL", "CAUTION", "CAUTION", "EMERGENCY")] == ["ACCEPTED"] * 4
    for name in ("CAUTION", "NORMAL"):
        assert hears(bench, name) == "LAXER_REGIME"
    (refused, _) = bench.events(InputRefused)
    assert refused.excerpt == "CAUTION by model: a signal"
    assert "[admin] persons names nobody" in refused.reason
    assert ask(bench, 1).code == "REGIME_NO_NEW_RISK"
    bench.configure(admin=Admin(persons=frozenset({"ann", "bea"})))
    assert hears(bench, "CAUTION") == "LAXER_REGIME"
    assert hears(bench, "NORMAL", by="bea", reason=" ") == "MISSING_REASON"
    assert hears(bench, "NORMAL", by="bea", reason="it is over") == "ACCEPTED"
    assert [(event.regime, event.by) for event in bench.events(RegimeDeclared)] == [
        ("CAUTION", "model"),
        ("EMERGENCY", "model"),
        ("NORMAL", "bea"),
    ]


def test_the_same_regime_with_a_laxer_meaning_is_a_laxer_regime(bench: Bench) -> None:
    assert hears(bench, "CAUTION") == "ACCEPTED"
    bench.configure(regimes={"CAUTION": RegimeSettings(quantity_factor=D("0.9"))})
    assert hears(bench, "CAUTION") == "LAXER_REGIME"
    bench.configure(
        regimes={"CAUTION": RegimeSettings(**dict.fromkeys(FACTORS, D("0.1")))},
    )
    assert hears(bench, "CAUTION") == "ACCEPTED"
    assert bench.part("desk/main").controls.regime.settings.rate_factor == D("0.1")


def test_what_was_on_its_way_when_the_regime_was_declared_is_stopped_at_the_gate(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FRONT", 0)
    bench.post("subscriber/alice", request(1))
    bench.run()
    bench.post("desk/main", Regime(regime="EMERGENCY", reason="volatile", by="ann"))
    bench.partition.mail.rotate(1)
    bench.settle()
    (stopped,) = bench.events(ChildStopped)
    assert (stopped.code, bench.sent(r.SubmitOrder)) == ("REGIME_NO_NEW_RISK", [])
    assert bench.part("subscriber/alice", "position/XNAS:AAPL").working_buy == 0
