"""The command line: `tradewright run`, `demo`, `play`, `submit`, `tail`, `attach`, `status`, `explain`,
`verify`, `bench`.

Everything but the parsing is imported when it is needed, so that `--help` is there at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

app = App(
    name="tradewright",
    help="An execution engine: requests in over NATS, orders worked at venues, fills booked exactly.",
    help_on_error=False,
)

Verb = Literal["request", "signal", "intent", "command", "targets", "subscriber", "cash"]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where the configuration and the data are."""

    config: Annotated[Path, Parameter(help="The configuration.")] = Path("config.toml")
    data: Annotated[Path | None, Parameter(help="The data folder; as the configuration says, else ./data.")] = None

    @property
    def folder(self) -> Path:
        """The data folder."""
        from adapters.admin.client import data_folder

        return data_folder(self.config, self.data)


HERE = Where()


@app.command
def run(*, where: Where = HERE) -> int:
    """Run the daemon. SIGTERM or Ctrl-C drains it; a second one ends it at once."""
    from adapters.daemon import run_daemon

    code = run_daemon(where.config, where.data)
    if code:
        # It failed, and said why: no thread that it could not end may keep the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


@app.command
def demo(
    *,
    seconds: Annotated[float, Parameter(help="How long.")] = 30.0,
    keep: Annotated[bool, Parameter(help="Leave the scratch folder.", negative="")] = False,
) -> int:
    """Run the whole engine on real market data in a scratch folder, with progress and a summary."""
    from adapters.demo import run as run_demo

    return run_demo(seconds, keep)


@app.command
def play(
    *files: Path,
    exchange: str | None = None,
    per_second: float = 0,
    speed: float = 0,
    where: Where = HERE,
) -> int:
    """Play recorded market data onto the bus: bars, quotes or trades from CSV or Parquet files, or the sample bars.

    Parameters
    ----------
    exchange
        Of files without such a column.
    per_second
        Steps of the recording (all that has the same time) a second.
    speed
        Seconds of the recording a second; 1 is real time. Without a pace, as fast as possible.
    """
    from adapters.cli_play import run_play

    return run_play(where.config, where.folder, files, exchange, per_second, speed)


@Parameter(name="*")
@dataclass(frozen=True)
class Fields:
    """Fields of a message; a JSON file takes their place."""

    subscriber: Annotated[str | None, Parameter(help="Whose order, command or cash.")] = None
    strategy: Annotated[str | None, Parameter(help="The strategy of a signal or a request.")] = None
    exchange: str | None = None
    symbol: str | None = None
    side: Literal["BUY", "SELL"] | None = None
    intent: Literal["OPEN_LONG", "OPEN_SHORT", "CLOSE"] | None = None
    quantity: str | None = None
    notional: str | None = None
    weight: str | None = None
    order_type: Annotated[Literal["MARKET", "LIMIT"] | None, Parameter(help="LIMIT where a price is given.")] = None
    limit_price: str | None = None
    time_in_force: Literal["DAY", "GTC", "IOC", "FOK"] | None = None
    block: Annotated[bool, Parameter(help="signal: one order for all who follow the strategy.")] = False
    key: Annotated[str | None, Parameter(help="The idempotency key; a new one if left out.")] = None
    cancel: Annotated[str | None, Parameter(help="command: cancel this order.")] = None
    modify: Annotated[str | None, Parameter(help="command: give this order --quantity, --limit-price or both.")] = None
    currency: Annotated[str | None, Parameter(help="cash: such as USD.")] = None
    amount: Annotated[str | None, Parameter(help="cash: negative takes it out.")] = None
    reason: Annotated[str | None, Parameter(help="cash: why.")] = None


NO_FIELDS = Fields()


@app.command
def submit(
    verb: Verb,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    fields: Fields = NO_FIELDS,
    store: Annotated[bool, Parameter(help="Put it in the stream; the engine may be down.", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", help="The answer as JSON.", negative="")] = False,
    timeout: Annotated[float, Parameter(help="Seconds to wait for the answer.")] = 10.0,
    where: Where = HERE,
) -> int:
    """Send a message to the engine and print its answer.

    The message is a JSON FILE (- is stdin), or is put together from options. Exit code 0 where it was accepted (now or
    before), 1 where it was refused.
    """
    from adapters.cli_bus import submit as send

    return send(where.config, where.folder, verb, file, fields, store=store, as_json=as_json, timeout_s=timeout)


@app.command
def tail(
    *,
    subscriber: Annotated[str | None, Parameter(help="Only this one's.")] = None,
    kind: Annotated[str | None, Parameter(help="Only this data type, such as fill_notification or job.")] = None,
    count: Annotated[int | None, Parameter(help="End after this many.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="As JSON, a message a line.", negative="")] = False,
    where: Where = HERE,
) -> int:
    """Show what the engine publishes, live, until Ctrl-C."""
    from adapters.cli_bus import tail as follow

    return follow(where.config, where.folder, subscriber=subscriber, kind=kind, count=count, as_json=as_json)


@app.command
def attach(
    method: str | None = None,
    /,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    as_json: Annotated[bool, Parameter(name="--json", help="The answer as JSON.", negative="")] = False,
    where: Where = HERE,
) -> int:
    """Ask the running daemon over its admin socket: one METHOD with k=v or JSON, or a prompt without one."""
    from adapters.admin.console import attach as ask

    return ask(where.folder, method, list(arguments), as_json)


@app.command
def status(
    *,
    as_json: Annotated[bool, Parameter(name="--json", help="As JSON.", negative="")] = False,
    where: Where = HERE,
) -> int:
    """Say how the running daemon is doing."""
    from adapters.admin.console import attach as ask

    return ask(where.folder, "status", [], as_json)


@app.command
def explain(
    request_id: str,
    /,
    *,
    subscriber: Annotated[str | None, Parameter(help="Of a signal: only this one's decision.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="As JSON.", negative="")] = False,
    where: Where = HERE,
) -> int:
    """Say why a request or a set of targets was answered as it was: arithmetic, plan, every check. Needs no daemon."""
    from adapters.explaining import run_explain

    return run_explain(where.folder, request_id, subscriber, as_json)


@app.command
def verify(*, venue: bool = False, where: Where = HERE) -> int:
    """Fold the journal and compare: the states, and the chain of hashes. Exit code 1 where anything differs.

    Parameters
    ----------
    venue
        Also ask the paper venues' files what they executed, and compare it with the books. Drain the daemon first.
    """
    from actors.registry import fold
    from adapters.audit import audit
    from adapters.store.errors import StoreError
    from adapters.store.verify import verify as verify_store

    try:
        found = verify_store(where.folder, fold)
        asked = audit(where.folder, deep=False) if venue else None
    except StoreError as error:
        return complain(str(error))
    print(f"{found.entries} journal entries, {found.events} events, {found.states} states")
    print(f"head {found.head}")
    for problem in found.problems:
        print(f"  {problem}")
    print("sound" if found.sound else f"NOT SOUND: {len(found.problems)} problems")
    if asked is None:
        return 0 if found.sound else 1
    print(f"venues: {asked.venue_orders} orders, {asked.executions} executions: {asked.sentence()}")
    for problem in asked.problems:
        print(f"  {problem}")
    return 0 if found.sound and asked.clean else 1


@app.command
def bench(*options: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Measure throughput and latency, and print a table. Its options: `tradewright bench -- --help`."""
    from adapters.bench import main as measure

    return measure(options)


def complain(text: str) -> int:
    """One sentence on stderr; returns the exit code."""
    sys.stderr.write(f"tradewright: {text}\n")
    return 1


def main() -> None:
    """Parses the command line, runs the command and exits with its code."""
    try:
        code = app(sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(f"{_plain(error)}\nSee `tradewright --help`.")
        code = 2
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Whoever read the output has enough of it.
        code = 0
        sys.stdout = None  # Or the interpreter complains about it while leaving
    sys.exit(code)


def _plain(error: CycloptsError) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
