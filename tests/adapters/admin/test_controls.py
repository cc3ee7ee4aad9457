"""The controls over the admin socket and the bus of a real daemon, and `tradewright explain` beside and without it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.admin.client import AnswerError
from adapters.bus.wire import Wire
from adapters.child import Daemon
from tests.adapters.admin.living import client, command, living, servers, trade, until

pytestmark = pytest.mark.anyio
LIMIT = {"order_type": "LIMIT", "limit_price": "140", "quantity": "5"}


async def declare(daemon: Daemon, **fields: str) -> str:
    """A regime over the bus: its answer's code, or its status."""
    outcome = await asked(daemon, "exec.ask.regime", fields)
    return str(outcome["code"] or outcome["status"])


async def asked(daemon: Daemon, subject: str, body: Any) -> Any:
    """The outcome of a message over the bus."""
    wire = Wire(daemon.client_url, name="test", on_error=lambda error: None)
    await wire.connect()
    try:
        return json.loads(await wire.request(subject, json.dumps(body).encode()))
    finally:
        await wire.close()


async def test_the_controls_are_switched_by_name_shown_and_kept(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        resting = (await trade(daemon, **LIMIT))["orders"][0]
        with client(daemon) as asking:
            assert asking.call("kill", reason="odd", symbol="AAPL")["said"].endswith(
                "1 open orders are being cancelled"
            )
            await until(lambda: asking.call("order", order_id=resting)["status"] == "CANCELED")
            assert (await trade(daemon))["code"] == "KILLED_SYMBOL"
            with pytest.raises(AnswerError, match="name one of"):
                asking.call("kill", reason="odd", symbol="AAPL", venue="paper")
            with pytest.raises(AnswerError, match="symbol MSFT is not killed"):
                asking.call("resume", reason="x", symbol="MSFT")
            assert asking.call("status")["killed_scopes"] == ["symbol/AAPL"]
            assert asking.call("health")["status"] == "degraded"
            asking.call("resume", reason="fine", symbol="AAPL")
            asking.call("restrict", symbol="AAPL", subscriber="alice", reason="insider")
            assert (await trade(daemon))["code"] == "RESTRICTED"
            asking.call("override", code="RESTRICTED", minutes=5, reason="agreed", subscriber="alice")
            passed = await trade(daemon)
            assert passed["status"] == "ACCEPTED"
            with pytest.raises(AnswerError, match=r"code: must be one of DAILY_LOSS, .*, got 'KILLED'"):
                asking.call("override", code="KILLED", minutes=5, reason="x", subscriber="alice")
        assert await declare(daemon, regime="EMERGENCY", reason="crash", by="model") == "ACCEPTED"
        assert await declare(daemon, regime="EMERGENCY", reason=" ", by="model") == "MISSING_REASON"
        assert await declare(daemon, regime="PANIC", reason="crash", by="model") == "BAD_VALUE"
        daemon.kill()
        await until(lambda: not servers(tmp_path / "data"))
        daemon.start()
        await daemon.ready()
        with client(daemon) as asking:
            found = asking.call("controls")
            assert (found["regime"], found["declared"]["by"]) == ("EMERGENCY", "model")
            assert [row["symbol"] for row in found["restricted"]] == ["AAPL alice"]
            assert [alarm["code"] for alarm in found["latest_alarms"]] == ["RESTRICTED"]
            (override,) = found["overrides"]
            asking.call("end_override", override_id=override["override_id"])
            assert (await trade(daemon))["code"] == "RESTRICTED"
            asking.call("unrestrict", symbol="AAPL", subscriber="alice", reason="over")
            assert (await trade(daemon))["code"] == "REGIME_NO_NEW_RISK"
            assert asking.call("regime", regime="NORMAL", reason="over")["said"] == "the regime is NORMAL"
            (told,) = asking.call("explain", request_id=passed["request_id"])
            assert [row["check"] for row in told["checks"] if row["result"] == "overridden"] == ["restricted list"]
            with pytest.raises(AnswerError, match="no decision on request"):
                asking.call("explain", request_id="r-0")
        beside = command(tmp_path, "explain", passed["request_id"])
        assert await daemon.stop() == 0
    without = command(tmp_path, "explain", passed["request_id"], "--json")
    assert (beside.returncode, without.returncode) == (0, 0)
    assert "ACCEPTED" in beside.stdout
    assert "overridden" in beside.stdout
    (told,) = json.loads(without.stdout)
    assert (told["request_id"], told["regime"]) == (passed["request_id"], "NORMAL")
    assert told["orders"][0]["venue"] == "paper"
    nothing = command(tmp_path, "explain", "r-0")
    assert (nothing.returncode, "there is no decision" in nothing.stderr) == (1, True)


async def test_a_kill_of_a_name_that_nothing_has_holds_and_says_so(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        await trade(daemon)
        with client(daemon) as asking:
            for scope, known, misspelt in [
                ("venue", "paper", "papr"),
                ("subscriber", "alice", "alcie"),
                ("strategy", "", "rear"),
                ("symbol", "XNAS:AAPL", "APPL"),
            ]:
                said = asking.call("kill", reason="odd", **{scope: misspelt})["said"]
                assert said.endswith(f". No {scope} {misspelt} is known here: look whether that is its name")
                if known:
                    assert "known here" not in asking.call("kill", reason="odd", **{scope: known})["said"]
            assert "venue/papr" in asking.call("status")["killed_scopes"]
            assert "known here" not in asking.call("kill", reason="odd")["said"]


async def test_what_the_configuration_restricts_is_in_force_too(tmp_path: Path) -> None:
    restricted = '[controls]\nrestricted = ["XNAS:MSFT"]\nrestricted_for = { alice = ["AAPL"] }\n[limits]'
    async with living(tmp_path, **{"[limits]": restricted}) as daemon:
        assert (await trade(daemon))["code"] == "RESTRICTED"
        with client(daemon) as asking:
            asking.call("restrict", symbol="IBM", reason="news")
            rows = asking.call("controls")["restricted"]
    assert [row["symbol"] for row in rows] == ["IBM", "XNAS:MSFT", "AAPL alice"]


async def test_a_plan_and_a_set_of_targets_are_told_in_words(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        plan = {"plan_id": "EXP_20260105_143000_abcde", "preferred_execution_style": "TWAP"}
        accepted = await trade(daemon, plan={**plan, "max_execution_window_minutes": 5})
        worked = accepted["request_id"]
        at = datetime.now(UTC).isoformat()
        body = {"request_id": "q-1", "signal_id": "t-1", "strategy_id": "s", "mode": "PRODUCTION", "scope": "NAMED"}
        body |= {"time_in_force": "GTC", "issued_at": at, "targets": [
            {"exchange": "XNAS", "symbol": "AAPL", "quantity": "30"},
            {"exchange": "XNAS", "symbol": "IBM", "quantity": "1"},
        ]}  # fmt: skip
        outcome = await asked(daemon, "exec.ask.targets.alice", {**body, "subscriber_id": "alice"})
        assert outcome["status"] == "ACCEPTED"
        # It rests on the worked order, too, so that it is not done before that is over.
        with client(daemon) as asking:
            asking.call("cancel", order_id=accepted["orders"][0])
        await until(lambda: "DONE" in command(tmp_path, "explain", "q-1").stdout)
        assert await daemon.stop() == 0
    told = command(tmp_path, "explain", "q-1").stdout
    assert re.search(r"target 30; held \d+, 10 with what stays working; 20 missing: BUY 20", " ".join(told.split()))
    assert "SYMBOL_NOT_ALLOWED" in told
    assert told.index("ACCEPTED") < told.index("DONE")
    assert "XNAS:IBM" in told
    told = command(tmp_path, "explain", worked).stdout
    assert "plan.preferred_execution_style" in told
    assert "TWAP until" in told


async def test_the_regime_told_is_that_of_the_time(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        before = (await trade(daemon))["request_id"]
        with client(daemon) as asking:
            asking.call("regime", regime="CAUTION", reason="volatile")
            during = (await trade(daemon))["request_id"]
            asking.call("regime", regime="NORMAL", reason="calm")
            after = (await trade(daemon))["request_id"]
            told = [asking.call("explain", request_id=one)[0]["regime"] for one in (before, during, after)]
        assert [text.partition(",")[0] for text in told] == ["NORMAL", "CAUTION", "NORMAL"]
