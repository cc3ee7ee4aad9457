"""How fast the engine is, measured from outside: `tradewright bench` prints a table and writes bench.json."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop
from msgspec import json
from msgspec.structs import replace
from rich.console import Console

from adapters.bench import measures
from adapters.bench.measures import FULL, LONG_JOURNAL, QUICK, Say, Size
from adapters.bench.report import show
from adapters.bench.rig import machine
from adapters.child import ChildError

PLAIN_WIDTH: Final = 120
PARTS: Final = {
    "throughput": measures.throughput,
    "floor": measures.floor,
    "latency": measures.latency,
    "fan_out": measures.fan_out,
    "at_rest": measures.at_rest,
    "cost": measures.cost,
    "algorithms": measures.algorithms,
    "controls": measures.controls,
}


def main(argv: Sequence[str] = ()) -> int:
    """Measures what is asked for, all of it by default; 1 where a measurement could not be made."""
    parser = argparse.ArgumentParser(prog="tradewright bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small form that only shows that everything works")
    parser.add_argument("--long", action="store_true", help=f"the cost of an order after {LONG_JOURNAL:,} others, too")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part (may be given several times)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="PATH", help="where the figures go")
    options = parser.parse_args(argv)
    size = QUICK if options.quick else replace(FULL, journal=LONG_JOURNAL) if options.long else FULL
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    try:
        figures = uvloop.run(measure(size, options.only or list(PARTS), console))
    except (ChildError, TimeoutError) as error:
        print(f"tradewright bench: {error}", file=sys.stderr)
        return 1
    options.json.write_bytes(json.format(json.encode(figures)) + b"\n")
    show(console, figures)
    console.print(f"written to {options.json}", highlight=False)
    return 0


async def measure(size: Size, parts: Sequence[str], console: Console) -> dict[str, Any]:
    """The figures of these parts, by name, and of the machine."""
    with tempfile.TemporaryDirectory(prefix="tradewright-bench-") as folder:
        figures: dict[str, Any] = {"machine": machine(Path(folder)), "quick": size is QUICK}
    for part in parts:
        figures[part] = await PARTS[part](size, _say(console, part))
    return figures


def _say(console: Console, part: str) -> Say:
    return lambda text: console.print(f"{part.replace('_', ' ')}: {text}", highlight=False)
