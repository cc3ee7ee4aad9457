"""The whole engine on real market data, in a scratch folder: two hundred subscribers, one kill -9, and the count."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from adapters.child import COMMAND, ChildError
from adapters.demo.show import Show, summary
from adapters.demo.story import Story


def run(seconds: float = 30.0, keep: bool = False, command: Sequence[str] = COMMAND) -> int:
    """Plays the demo for about `seconds` and prints what came of it; 1 if anything was lost, doubled or went wrong.

    With `keep`, the scratch folder stays and is named: `tradewright status --data <folder>/data` and others read it.
    """
    folder = Path(tempfile.mkdtemp(prefix="tradewright-demo-"))
    show = Show()
    try:
        with show:
            facts = uvloop.run(Story(folder, seconds, show, command).play())
        summary(show.console, facts)
        return 0 if facts.audit.clean else 1
    except ChildError as error:
        print(f"tradewright demo: {error}", file=sys.stderr)  # noqa: T201 - what the command line says
        return 1
    finally:
        if keep:
            show.say(f"Kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
