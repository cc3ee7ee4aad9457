"""How the code may be put together, read from its syntax: which way imports run, and what engine/ must not touch.

Each rule is a function from a module's syntax to the lines that break it, and is itself tried on code that does.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from actors.registry import ACTORS
from engine import codec, messages, reports

ROOT = Path(__file__).parents[1]
LAYERS = ("engine", "actors", "adapters", "tests")
"""Each may import those before it."""
MAX_LINES = 400
MODULES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
ENGINE = [path for path in MODULES if path.is_relative_to(ROOT / "engine")]
PRODUCT = [path for path in MODULES if not path.is_relative_to(ROOT / "tests")]

IMPURE = frozenset(
    "asyncio concurrent contextvars ctypes fcntl getpass glob http importlib inspect io locale logging mmap "
    "multiprocessing os pathlib platform pwd queue random sched secrets select selectors shutil signal socket "
    "socketserver sqlite3 ssl subprocess sys tempfile threading time urllib uuid warnings".split()
)
"""Standard modules that reach a clock, chance, the machine or another thread."""
INEXACT = frozenset({"cmath", "math", "statistics"})
"""Standard modules that answer in binary floating point."""
BUILTINS = {
    "float": "binary floating point",
    "complex": "binary floating point",
    "hash": "differs from process to process",
    "id": "differs from process to process",
    "open": "I/O",
    "print": "I/O",
    "input": "I/O",
    "eval": "runs text",
    "exec": "runs text",
    "breakpoint": "I/O",
}
CLOCKS = {"now", "utcnow", "today"}
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "X" * 3)

Rule = Callable[[ast.Module, str], Iterator[str]]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module a module imports, with the line; a relative import is named by its dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def dotted(node: ast.expr) -> str:
    """`a.b.c` as text; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imports_run_one_way(tree: ast.Module, layer: str) -> Iterator[str]:
    later = LAYERS[LAYERS.index(layer) + 1 :]
    for line, name in imported(tree):
        if name.partition(".")[0] in later:
            yield f"{line}: {layer} imports {name}, which is built on it"
        if name.startswith("."):
            yield f"{line}: a relative import hides which way it goes"


def engine_imports_only_what_is_pure(tree: ast.Module, _: str) -> Iterator[str]:
    for line, name in imported(tree):
        root = name.partition(".")[0]
        if root in IMPURE:
            yield f"{line}: {name} is not pure"
        elif root in INEXACT:
            yield f"{line}: {name} is not exact"
        elif root not in sys.stdlib_module_names and root not in ("engine", "msgspec"):
            yield f"{line}: {name} is neither standard nor msgspec"


def engine_waits_for_nothing(tree: ast.Module, _: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield f"{node.lineno}: async"
        elif isinstance(node, ast.comprehension) and node.is_async:
            yield f"{node.iter.lineno}: async"


def engine_reads_no_clock(tree: ast.Module, _: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            owner = dotted(node.value).rpartition(".")[2]
            if owner in ("datetime", "date"):
                yield f"{node.lineno}: {owner}.{node.attr} reads the clock"


def engine_is_exact_and_repeatable(tree: ast.Module, _: str) -> Iterator[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: {node.value!r} is binary floating point"
        elif isinstance(node, ast.Name) and node.id in BUILTINS and (id(node) in called or node.id == "float"):
            yield f"{node.lineno}: {node.id}: {BUILTINS[node.id]}"


def module_says_what_it_is_for(tree: ast.Module, _: str) -> Iterator[str]:
    if not (ast.get_docstring(tree) or "").strip():
        yield "1: no docstring"


ENGINE_RULES = (
    engine_imports_only_what_is_pure,
    engine_waits_for_nothing,
    engine_reads_no_clock,
    engine_is_exact_and_repeatable,
)


def broken(rule: Rule, paths: list[Path]) -> list[str]:
    """Every place in the files that breaks the rule, as `path:line: why`."""
    return [
        f"{path.relative_to(ROOT)}:{where}"
        for path in paths
        for where in rule(ast.parse(path.read_text()), path.relative_to(ROOT).parts[0])
    ]


def test_there_is_something_to_look_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(LAYERS)


def test_imports_run_from_adapters_to_actors_to_engine() -> None:
    assert broken(imports_run_one_way, PRODUCT) == []


@pytest.mark.parametrize("rule", ENGINE_RULES, ids=lambda rule: rule.__name__)
def test_engine_decides_purely(rule: Rule) -> None:
    assert broken(rule, ENGINE) == []


def test_every_module_says_what_it_is_for() -> None:
    assert broken(module_says_what_it_is_for, MODULES) == []


def test_no_file_is_too_long_to_read() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_nothing_is_left_marked_as_unfinished() -> None:
    marked = [
        f"{path.relative_to(ROOT)}:{at}"
        for path in MODULES
        for at, line in enumerate(path.read_text().splitlines(), 1)
        if any(mark in line for mark in UNFINISHED)
    ]
    assert marked == []


@pytest.mark.parametrize(
    ("rule", "layer", "source"),
    [
        (imports_run_one_way, "engine", "from actors.turn import Turn"),
        (imports_run_one_way, "engine", "def f():\n    import adapters.cli"),
        (imports_run_one_way, "actors", "if TYPE_CHECKING:\n    from adapters import bus"),
        (imports_run_one_way, "adapters", "import tests.simulation"),
        (imports_run_one_way, "engine", "from ..actors import turn"),
        (engine_imports_only_what_is_pure, "engine", "import anyio"),
        (engine_imports_only_what_is_pure, "engine", "from time import monotonic"),
        (engine_imports_only_what_is_pure, "engine", "import os.path"),
        (engine_imports_only_what_is_pure, "engine", "from math import sqrt"),
        (engine_waits_for_nothing, "engine", "async def f(): pass"),
        (engine_waits_for_nothing, "engine", "x = (i async for i in y)"),
        (engine_reads_no_clock, "engine", "x = datetime.now(UTC)"),
        (engine_reads_no_clock, "engine", "x = datetime.date.today()"),
        (engine_reads_no_clock, "engine", "f = datetime.utcnow"),
        (engine_is_exact_and_repeatable, "engine", "x = 0.5"),
        (engine_is_exact_and_repeatable, "engine", "x: float"),
        (engine_is_exact_and_repeatable, "engine", "x = hash('a')"),
        (engine_is_exact_and_repeatable, "engine", "print(1)"),
        (module_says_what_it_is_for, "engine", '""" """'),
    ],
)
def test_a_rule_sees_what_breaks_it(rule: Rule, layer: str, source: str) -> None:
    assert list(rule(ast.parse(source), layer))


@pytest.mark.parametrize(
    "source",
    ["import re\nfrom decimal import Decimal", "def f(now): return turn.now + now", "id = 1\nprint = id", "x = 10 / 2"],
)
def test_a_rule_sees_nothing_where_nothing_is(source: str) -> None:
    assert [found for rule in ENGINE_RULES for found in rule(ast.parse(source), "engine")] == []


# every message arrives somewhere

LEAVES = {
    "to a venue": get_args(reports.VenueOrder),
    "to the market's marks": get_args(messages.MarketData),
    "to who asked": (messages.Outcome,),
}
"""What no actor receives, and where it goes instead."""


def test_every_message_has_a_handler_in_an_actor_or_leaves() -> None:
    received = {kind for actor in ACTORS for kind in actor.RECEIVE}
    leaving = {kind for kinds in LEAVES.values() for kind in kinds}
    assert received | leaving == set(codec.MESSAGES)
    assert not received & leaving


def test_every_event_is_applied_by_an_actor() -> None:
    assert {kind for actor in ACTORS for kind in actor.APPLY} == set(codec.EVENTS)
