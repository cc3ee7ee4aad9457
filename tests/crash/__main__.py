"""`python -m tests.crash --runs N`: N kills in worlds of ten; a line a world, and the first that fails is kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.kills import kills

KILLS = 10


def main() -> int:
    """Runs until all kills are done or one world is not clean; that world's folder stays."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="how many kills")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the first world")
    options = parser.parse_args()
    began, done = time.monotonic(), 0
    for seed in range(options.seed, options.seed + -(-options.runs // KILLS)):
        folder = Path(tempfile.mkdtemp(prefix="tradewright-crash-"))
        found = asyncio.run(kills(folder, seed, min(KILLS, options.runs - done)))
        done = min(done + KILLS, options.runs)
        print(
            f"{done:5} kills  seed {seed}  {found.approved} orders, {found.trades} fills: {found.sentence()}",
            flush=True,
        )
        if not found.clean:
            print(*found.problems, f"kept in {folder}", sep="\n")
            return 1
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{done} kills in {time.monotonic() - began:.0f} s: nothing lost, nothing doubled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
