"""The command line: quick to help, clear where nobody answers, and a whole round with a real daemon."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.child import COMMAND
from adapters.cli import Fields
from adapters.cli_bus import SubmitError, compose
from adapters.store.connect import FILE
from engine import intake
from tests.adapters.admin.living import command, configured, environ, living, trade, until

PYTHON = sys.executable


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    heavy = "msgspec, nats, anyio, structlog, uvloop, prompt_toolkit, prometheus_client, polars, exchange_calendars"
    code = (
        "import sys; sys.argv = ['tradewright', '--help']\n"
        "from adapters.cli import main\n"
        "try: main()\n"
        f"finally: print([name for name in {heavy.split(', ')!r} if name in sys.modules])"
    )
    found = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, env=environ(), timeout=30, check=True)
    for name in ("run", "demo", "submit", "tail", "attach", "status", "verify", "bench"):
        assert f"│ {name} " in found.stdout
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status"], "no daemon runs on"),
        (["attach"], "no daemon runs on"),
        (["attach", "orders"], "no daemon runs on"),
        (["tail"], "no daemon runs on"),
        (["submit", "cash", "--subscriber", "alice", "--currency", "USD", "--amount", "1"], "no daemon runs on"),
        (["verify"], "there is no store at"),
    ],
)
def test_where_nobody_answers_a_sentence_says_so(tmp_path: Path, words: list[str], said: str) -> None:
    configured(tmp_path)
    found = command(tmp_path, *words)
    assert found.returncode == 1
    assert said in found.stderr.replace("\n", " ")
    assert "Traceback" not in found.stderr


def test_a_daemon_that_was_killed_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    configured(tmp_path)
    run = tmp_path / "data" / "run"
    run.mkdir(parents=True)
    (run / "daemon.json").write_text(json.dumps({"admin_socket": str(run / "admin.sock")}))
    (run / "nats.json").write_text(json.dumps({"client_url": "nats://client:x@127.0.0.1:9"}))
    found = command(tmp_path, "status")
    assert (found.returncode, "no daemon listens on" in found.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fly"], 'Unknown command "fly"'),
        (["submit", "wish"], "wish"),
        (["submit", "request", "--side", "UP"], "UP"),
        (["tail", "--count", "x"], "int"),
    ],
)
def test_what_is_mistyped_ends_with_2_and_a_hint(tmp_path: Path, words: list[str], said: str) -> None:
    found = subprocess.run(
        [*COMMAND[:-1], *words], capture_output=True, text=True, env=environ(), cwd=tmp_path, timeout=30, check=False
    )
    assert found.returncode == 2
    assert said in found.stderr
    assert "--help" in found.stderr


def test_options_become_the_message_of_a_verb() -> None:
    trade_ = Fields(subscriber="alice", exchange="XNAS", symbol="AAPL", side="BUY", quantity="1.50", key="k")
    request = compose("request", trade_)
    assert request.pop("issued_at")
    assert request == {
        "request_id": "k",
        "signal_id": "k",
        "strategy_id": "cli",
        "subscriber_id": "alice",
        "order_type": "MARKET",
        "time_in_force": "DAY",
        "exchange": "XNAS",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "1.50",
    }
    limit = Fields(exchange="XNAS", symbol="AAPL", side="SELL", quantity="1", limit_price="9.10", key="k")
    assert compose("intent", limit)["type"] == "LIMIT"
    assert "subscriber_id" not in compose("signal", trade_)
    cash = compose("cash", Fields(currency="USD", amount="-5", key="k"))
    assert cash == {"movement_id": "k", "currency": "USD", "amount": "-5"}
    cancel = compose("command", Fields(subscriber="alice", cancel="paper-1"))
    assert (cancel["plan"]["action"], cancel["order_id"]) == ("CANCEL_ORDER", "paper-1")
    aim = compose("targets", Fields(subscriber="alice", exchange="XNAS", symbol="AAPL", weight="-0.5", key="k"))
    assert (aim["signal_id"], aim["scope"], aim["targets"]) == (
        "k",
        "NAMED",
        [{"exchange": "XNAS", "symbol": "AAPL", "weight": "-0.5"}],
    )
    assert intake.read("targets", json.dumps(aim).encode()).subscriber_id == "alice"


@pytest.mark.parametrize(
    ("verb", "fields"),
    [("command", Fields()), ("command", Fields(cancel="a", modify="b")), ("subscriber", Fields(subscriber="bob"))],
)
def test_options_that_make_no_message_are_refused(verb: str, fields: Fields) -> None:
    with pytest.raises(SubmitError):
        compose(verb, fields)


async def cli(folder: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command line beside the test's own loop."""

    def run() -> subprocess.CompletedProcess[str]:
        return command(folder, *words, text=text)

    return await asyncio.to_thread(run)


ORDER = ["--subscriber", "alice", "--exchange", "XNAS", "--symbol", "AAPL", "--side", "BUY", "--quantity"]


@pytest.mark.anyio
async def test_a_round_with_a_daemon(tmp_path: Path) -> None:
    async with living(tmp_path) as daemon:
        await trade(daemon)
        watching = await watch(tmp_path, "tail", "--json", "--kind", "order_update", "--count", "2")
        bought = await cli(tmp_path, "submit", "request", *ORDER, "3", "--key", "k-1", "--json")
        assert (bought.returncode, json.loads(bought.stdout)["status"]) == (0, "ACCEPTED")
        again = await cli(tmp_path, "submit", "request", *ORDER, "3", "--key", "k-1", "--json")
        assert (again.returncode, json.loads(again.stdout)["status"]) == (0, "EXISTS")
        other = await cli(tmp_path, "submit", "request", *ORDER, "4", "--key", "k-1")
        assert other.returncode == 1
        assert "CONFLICT" in other.stdout
        assert "quantity" in other.stdout
        updates = [json.loads(line)["data"]["status"] for line in await ended(watching)]
        assert updates == ["WORKING", "FILLED"]

        bob = json.dumps({"subscriber_id": "bob", "cash": {"USD": 12.34}})
        made = await cli(tmp_path, "submit", "subscriber", "-", text=bob)
        assert (made.returncode, "ACCEPTED" in made.stdout) == (0, True)
        stored = await cli(
            tmp_path, "submit", "cash", "--subscriber", "bob", "--currency", "USD", "--amount", "0.66", "--store"
        )
        assert (stored.returncode, "STORED" in stored.stdout) == (0, True)
        await until(lambda: _cash(tmp_path) == "13.00")

        shown = await cli(tmp_path, "attach", "orders")
        assert shown.stdout.count("FILLED") == 2
        assert (await cli(tmp_path, "status")).stdout.count("RUNNING") == 1
        script = await cli(tmp_path, "attach", text="orders limit=1\n# a remark\n\nodd\nstatus\n")
        assert (script.returncode, script.stdout.count("FILLED")) == (1, 1)
        assert "no method 'odd'" in script.stderr
    verified = await cli(tmp_path, "verify", "--venue")
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (
        0,
        "venues: 2 orders, 2 executions: 0 lost, 0 doubled",
    )
    with closing(sqlite3.connect(tmp_path / "data" / "venue-paper.sqlite")) as venue, venue:
        venue.execute("UPDATE executions SET quantity = '9' WHERE number = (SELECT min(number) FROM executions)")
    assert (await cli(tmp_path, "verify")).returncode == 0
    assert (await cli(tmp_path, "verify", "--venue")).returncode == 1
    _spoil(tmp_path / "data")
    assert (await cli(tmp_path, "verify")).returncode == 1


@pytest.mark.anyio
async def test_a_target_with_a_daemon(tmp_path: Path) -> None:
    aim = ["--subscriber", "alice", "--exchange", "XNAS", "--symbol", "AAPL", "--time-in-force", "GTC", "--json"]
    async with living(tmp_path) as daemon:
        await trade(daemon)
        watching = await watch(tmp_path, "tail", "--json", "--kind", "execution_report", "--count", "3")
        set_ = await cli(tmp_path, "submit", "targets", *aim, "--quantity", "7", "--key", "t-1")
        assert (set_.returncode, len(json.loads(set_.stdout)["orders"])) == (0, 1)
        again = await cli(tmp_path, "submit", "targets", *aim, "--quantity", "7", "--key", "t-1")
        assert json.loads(again.stdout)["status"] == "EXISTS"
        met = await cli(tmp_path, "submit", "targets", *aim, "--quantity", "7", "--key", "t-2")
        assert json.loads(met.stdout)["reason"].startswith("NOOP")
        told = [json.loads(line)["data"] for line in await ended(watching)]
        assert [report["status"] for report in told] == ["ACCEPTED", "DONE", "NOOP"]
    verified = await cli(tmp_path, "verify", "--venue")
    assert verified.returncode == 0, verified.stdout
    with closing(sqlite3.connect(tmp_path / "data" / FILE)) as store:
        kinds = store.execute("SELECT kind FROM decisions WHERE request_id = 't-1' ORDER BY seq").fetchall()
    assert kinds == [("ACCEPTED",), ("DONE",)]


def _spoil(data: Path) -> None:
    for path in data.glob("store.sqlite*"):
        path.unlink()
    (data / "store.sqlite").write_bytes(b"x" * 8192)


def _cash(folder: Path) -> Any:
    found = command(folder, "attach", "cash", "bob", "--json")
    return json.loads(found.stdout)[0]["amount"]


def _start(folder: Path, *words: str) -> subprocess.Popen[str]:
    where = ("--config", str(folder / "config.toml"), "--data", str(folder / "data"))
    return subprocess.Popen(
        [*COMMAND[:-1], *words, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ()
    )


async def watch(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A command that goes on, once it listens."""
    process = _start(folder, *words)
    assert process.stderr is not None
    said = await asyncio.to_thread(process.stderr.readline)
    assert said.startswith("following"), said
    return process


async def ended(process: subprocess.Popen[str]) -> list[str]:
    """What it printed, once it has ended."""
    out, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0, err
    return out.splitlines()
