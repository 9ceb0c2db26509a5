"""Simulated coverage of the 95% interval of the sites' share of the variance.

    .venv/bin/python benchmarks/coverage_icc.py             1500 draws a line
    .venv/bin/python benchmarks/coverage_icc.py --draws 200

The design of a line is drawn once from a seed (uneven sites, dropout of 7% a visit, arms by visit
in the fixed part), outcomes anew each time.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np

from sitewise.inference.icc_exact import sites_share


@dataclass(frozen=True)
class Line:
    """sites; patients: mean of a site; share, patient: of the variance; whole_sites: randomised."""

    sites: int
    patients: int
    visits: int
    share: float
    patient: float
    whole_sites: bool
    seed: int


LINES = (
    *(Line(k, 12, 3, share, 0.35, True, k) for k in (8, 20) for share in (0.01, 0.05, 0.15)),
    Line(20, 12, 1, 0.05, 0.0, True, 5),
    Line(20, 12, 3, 0.05, 0.0, True, 5),
    Line(20, 12, 3, 0.05, 0.35, False, 7),
)


def count(line: Line, draws: int) -> str:
    """One row of the table."""
    rng = np.random.default_rng(line.seed)
    site = np.repeat(
        np.arange(line.sites), 2 + rng.negative_binomial(2, 2 / line.patients, line.sites)
    )
    n, visits = len(site), line.visits
    whole = (rng.permutation(line.sites) % 2)[site]
    arm = whole if line.whole_sites else rng.integers(0, 2, n)
    last = np.ones(n, int)
    if visits > 1:
        last = 1 + np.cumprod(rng.random((n, visits - 1)) > 0.07, axis=1).sum(axis=1)
    who, visit = np.repeat(np.arange(n), visits), np.tile(np.arange(visits), n)
    kept = visit < last[who]
    who, visit = who[kept], visit[kept]
    late = [(visit == k).astype(float) for k in range(1, visits)]
    X = np.column_stack([np.ones(len(who)), *late, arm[who], *(k * arm[who] for k in late)])
    below = above = 0
    for _ in range(draws):
        y = rng.normal(0, math.sqrt(line.share), line.sites)[site[who]]
        y = y + rng.normal(0, math.sqrt(line.patient), n)[who]
        y = y + rng.normal(0, math.sqrt(1 - line.share - line.patient), len(who))
        lower, upper = sites_share(y, X, site[who], who, 0.05)
        below, above = below + (line.share < lower), above + (line.share > upper)
    unit = "sites" if line.whole_sites else "patients"
    cells = [unit, line.sites, n, visits, line.share, line.patient, draws,
             f"**{100 * (1 - (below + above) / draws):.1f}**", f"{100 * below / draws:.1f}",
             f"{100 * above / draws:.1f}", f"{100 * math.sqrt(0.0475 / draws):.2f}"]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


HEAD = ("randomised", "sites", "patients", "visits", "share of sites", "of patients", "draws",
        "covered, %", "interval above, %", "below, %", "MC SE")  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1500)
    asked = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for line in LINES:
        print(count(line, asked.draws), flush=True)


if __name__ == "__main__":
    main()
