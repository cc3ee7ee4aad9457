"""A block at a real daemon with a real store and the paper venue, through a kill, to the last cent and in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.audit import audit
from adapters.bus.wire import Wire
from adapters.child import Daemon
from tests.adapters.admin.living import client, command, living, servers, trade, until

FOLLOW = 'subscriptions = [{ strategy_id = "m", allocation = { method = "equal" } }]'
SIX = "\n".join(f'[subscribers.s{n}]\ncash = {{ USD = "100000" }}\n{FOLLOW}' for n in range(6))


async def _signal(daemon: Daemon, **fields: Any) -> str:
    wire = Wire(daemon.client_url, name="test", on_error=lambda error: None)
    await wire.connect()
    body = {"request_id": "q-1", "signal_id": "g-1", "strategy_id": "m", "exchange": "XNAS", "symbol": "AAPL"}
    body |= {"side": "BUY", "quantity": "400", "time_in_force": "DAY", "block": True, **fields}
    body["issued_at"] = datetime.now(UTC).isoformat()
    try:
        outcome = json.loads(await wire.request("exec.ask.signal.m", json.dumps(body).encode()))
    finally:
        await wire.close()
    return str(outcome["status"])


def _explained(folder: Path) -> str:
    """Why s0 got what it got."""
    return " ".join(command(folder, "explain", "q-1", "--subscriber", "s0").stdout.split())


async def test_a_block_outlives_a_kill_and_everyone_can_ask_why_they_got_what_they_got(tmp_path: Path) -> None:
    async with living(tmp_path, **{"[venues.paper]": f"{SIX}\n[venues.paper]"}) as daemon:
        await trade(daemon)
        assert await _signal(daemon, order_type="LIMIT", limit_price="149") == "ACCEPTED"
        with client(daemon) as asking:
            await until(lambda: len(asking.call("orders", subscriber="s0")) == 1)
        assert "0 of 400 filled so far, which is nobody's before it is over" in _explained(tmp_path)
        daemon.kill()
        await until(lambda: not servers(tmp_path / "data"))
        daemon.start()
        await daemon.ready()
        with client(daemon) as asking:
            await trade(daemon, "148.50", quantity="1000")
            await until(lambda: asking.call("orders", subscriber="s0")[0]["status"] == "FILLED")
            held = [asking.call("positions", subscriber=f"s{n}")[0]["quantity"] for n in range(6)]
            assert asking.call("dead_letters") == []
        assert await daemon.stop() == 0
    assert sorted(held) == ["66", "66", "67", "67", "67", "67"]
    found = audit(tmp_path / "data")
    assert (found.problems, found.clean) == ([], True)
    told = _explained(tmp_path)
    assert ": 400 shared over 6; of the 6 with the same remainder 4 were drawn for 1 more" in told
    assert "for 6: 66 of 400 wanted x 400 filled = 66 by largest remainder: 66 at an average of 148.5" in told


async def test_a_total_that_each_works_alone_is_told_too(tmp_path: Path) -> None:
    async with living(tmp_path, **{"[venues.paper]": f"{SIX}\n[venues.paper]"}) as daemon:
        await trade(daemon)
        assert await _signal(daemon, order_type="MARKET", block=False) == "ACCEPTED"
        with client(daemon) as asking:
            await until(lambda: len(asking.call("positions", subscriber="s5")) == 1)
        assert await daemon.stop() == 0
    told = _explained(tmp_path)
    assert ": 400 shared over 6; of the 6 with the same remainder 4 were drawn for 1 more" in told
    assert "part of" not in told
