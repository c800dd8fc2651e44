"""Calibration of `escapedim compare`: what it says of simulated studies whose truth is known.

    python scripts/calibration.py                 # 1,000 studies of every world
    python scripts/calibration.py --studies 50 --world escape

A wrong direction or law may be claimed in at most 1 % of studies, intervals cover in 93 to 97 % of cells with at least
5 expected successes and failures, and studies that cannot decide come back undecided (`calibrating.worlds` says what is
true). Every study goes through the same code as real summaries.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from calibrating.studies import Said, study
from calibrating.worlds import World, worlds

from escapedim.comparison.fitting import DRAWS
from escapedim.reporting.table import text_table

HEADER = (
    "world", "studies", "wrong\ndirection", "rows\ndecided", "wrong\nlaw", "law\npreferred", "true law\nrejected",
    "rates\ncover", "tickets\ncover", "A\ncovers", "parameters\ncover",
)  # fmt: skip
KINDS = ("rates", "effective tickets", "A", "law parameters")


def row(world: World, said: Sequence[Said]) -> list[str]:
    """Return the table's row of one world."""
    count = len(said)
    true_laws = count * len(world.true_laws)
    return [
        world.name,
        f"{count:,}",
        _percent(sum(one.wrong_rows > 0 for one in said), count),
        _percent(sum(one.decided_rows for one in said), 4 * count),
        _percent(sum(one.wrong_law for one in said), count),
        _percent(sum(one.preferred for one in said), count),
        _percent(sum(one.true_rejected for one in said), true_laws),
        *(_percent(*map(sum, zip(*(one.covered[kind] for one in said), strict=True))) for kind in KINDS),
    ]


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.1f}" if of else "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies of each world")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=DRAWS, help="bootstrap draws of laws")
    parser.add_argument("--world", action="append", help="only worlds whose name begins so")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    chosen = [world for world in worlds() if not given.world or world.name.startswith(tuple(given.world))]
    began, rows = time.monotonic(), []
    with ProcessPoolExecutor(given.jobs) as pool:
        for number, world in enumerate(chosen):
            seeds = range(given.seed + number * 10**6, given.seed + number * 10**6 + given.studies)
            run = partial(study, world, draws=given.draws)
            rows.append(row(world, list(pool.map(run, seeds, chunksize=4))))
            print("\n".join(text_table(HEADER, rows[-1:])[-1:]), file=sys.stderr, flush=True)
    print("\n".join(text_table(HEADER, rows)))
    print(f"All in %. {len(chosen)} worlds in {time.monotonic() - began:,.0f} s.")


if __name__ == "__main__":
    main()
