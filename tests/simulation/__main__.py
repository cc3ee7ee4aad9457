"""Runs seeded worlds by hand: `python -m tests.simulation --seeds 1000`, or one again, told in full: `--seed 17`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

from tests.simulation.runs import Result, live
from tests.simulation.traits import Tally


def main() -> int:
    """The command line; the exit status is 1 where a world broke an invariant."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=20, help="how many worlds")
    options.add_argument("--first", type=int, default=0, help="the first seed")
    options.add_argument("--seed", type=int, help="live this one world and tell everything that happened in it")
    options.add_argument("--jobs", type=int, default=1, help="processes")
    options.add_argument("--keep-going", action="store_true", help="do not stop at the first broken world")
    chosen = options.parse_args()
    if chosen.seed is not None:
        result = live(chosen.seed)
        print("\n".join(result.steps))
        print(f"seed {result.seed}: {result.broken or 'every invariant holds'} (digest {result.digest[:16]})")
        return 1 if result.broken else 0
    return _many(range(chosen.first, chosen.first + chosen.seeds), chosen.jobs, chosen.keep_going)


def _many(seeds: range, jobs: int, keep_going: bool) -> int:
    began, tally, broken = perf_counter(), Tally(), 0
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            for result in pool.map(live, seeds, chunksize=10):
                broken += _told(result, tally)
    else:
        for seed in seeds:
            broken += _told(live(seed), tally)
            if broken and not keep_going:
                break
    for name, count in sorted(tally.counts.items()):
        print(f"{count:9} {name}")
    print(f"{broken} broken worlds; {perf_counter() - began:.1f} s")
    return 1 if broken else 0


def _told(result: Result, tally: Tally) -> int:
    tally.counts.update(result.counts)
    if not result.broken:
        return 0
    print(f"seed {result.seed}: {result.broken}\n  replay: python -m tests.simulation --seed {result.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
