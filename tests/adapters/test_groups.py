"""A bracket at a real daemon with a real store and the paper venue, through a kill and to the last cent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.audit import audit
from adapters.child import Daemon
from tests.adapters.admin.living import client, living, servers, trade, until


async def _quotes(daemon: Daemon, price: str) -> None:
    """The market moves: a request that is too large comes with the quote, and is denied."""
    assert (await trade(daemon, price, quantity="1000"))["code"] == "MAX_ORDER_QUANTITY"


def _member(role: str) -> dict[str, str]:
    return {"group_id": "g", "kind": "BRACKET", "role": role}


async def test_a_bracket_outlives_a_kill_and_takes_its_profit(tmp_path: Path) -> None:
    sell: dict[str, Any] = {"side": "SELL", "group": _member("CHILD")}
    async with living(tmp_path) as daemon:
        asked = [
            await trade(daemon, order_type="LIMIT", limit_price="149", group=_member("PARENT")),
            await trade(daemon, order_type="LIMIT", limit_price="155", **sell),
            await trade(daemon, order_type="STOP", stop_price="145", **sell),
        ]
        assert [outcome["status"] for outcome in asked] == ["ACCEPTED"] * 3
        entry, profit, stop = [outcome["orders"][0] for outcome in asked]
        daemon.kill()
        await until(lambda: not servers(tmp_path / "data"))
        daemon.start()
        await daemon.ready()
        with client(daemon) as asking:

            def status(order_id: str) -> str:
                return str(asking.call("order", order_id=order_id)["status"])

            await _quotes(daemon, "148.50")
            await until(lambda: status(entry) == "FILLED")
            assert (status(profit), status(stop)) == ("WORKING", "WORKING")
            await _quotes(daemon, "156")
            await until(lambda: (status(profit), status(stop)) == ("FILLED", "CANCELED"))
            group = asking.call("actor", address="group/alice/g")["state"][""]
            assert [(one["standing"], one.get("filled", "0")) for one in group["members"]] == [
                ("OVER", "10"),
                ("OVER", "10"),
                ("OVER", "0"),
            ]
            assert asking.call("positions", subscriber="alice") == []
            assert asking.call("dead_letters") == []
        assert await daemon.stop() == 0
    found = audit(tmp_path / "data")
    assert (found.problems, found.clean, found.executions) == ([], True, 2)
