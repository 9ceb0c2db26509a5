"""Simulated coverage of the 95% interval of the primary contrast, by method of degrees of freedom.

    .venv/bin/python benchmarks/coverage.py                     every design, 4000 draws each
    .venv/bin/python benchmarks/coverage.py --draws 500 --only cluster
    .venv/bin/python benchmarks/coverage.py --json FILE         all counts beside the table

The design (who is in which site, who drops out when) is made once a line, from a seed; outcomes
are then drawn as moments (`sitewise.inference.draws`), exactly. Each is fitted from the truth;
where that ends anywhere near a variance of 0, by the whole search of `sitewise.lmm`. The true
contrast is 0: an interval covers where it holds 0. Dropout that depends on earlier readings can't
be drawn so: those lines draw rows.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.engine import Solution
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.model import Model

SITES = (8, 20, 100)
METHODS = ("kenward-roger", "satterthwaite", "asymptotic")
SEED = 20260601
NEAR = 0.03  # an SD in units of sigma, per unit of its column, below which nothing is cut short
LATE = ("m6", "m12")
CLUSTER = "y ~ visit*arm + (1 | site)"
INDIVIDUAL = "y ~ base + visit*arm + (1 | site)"
CLDA = "y ~ visit + late1 + late2 + late3"
US = ((100.0, 70.0, 60.0, 55.0), (70.0, 225.0, 150.0, 135.0), (60.0, 150.0, 256.0, 180.0),
      (55.0, 135.0, 180.0, 289.0))  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One line of the table at every number of sites.

    variances: of (1 | site), then (1 | site:visit) and (1 | patient) where the formula has them;
    residual: sigma^2, or the covariance over the visits. contrast: weights by name of column.
    by_rows: dropout after high readings, so rows are drawn instead of moments.
    """

    key: str
    label: str
    formula: str
    variances: tuple[float, ...]
    residual: float | tuple[tuple[float, ...], ...]
    contrast: dict[str, float]
    visits: int
    whole_sites: bool
    mean_size: int = 12
    by_rows: bool = False
    sites: tuple[int, ...] = SITES


def _last(visits: int) -> dict[str, float]:
    """Arm minus reference at the last visit."""
    return {"arm1": 1.0, f"visitv{visits}:arm1": 1.0}


CASES = (
    Case("individual", "patients randomised, 4 visits, ICC 0.03",
         f"{INDIVIDUAL} + (1 | patient)", (6.0, 94.0), 100.0, _last(4), 4, False),
    Case("individual-icc", "the same, ICC 0.15",
         f"{INDIVIDUAL} + (1 | patient)", (30.0, 70.0), 100.0, _last(4), 4, False),
    Case("clda", "patients randomised, cLDA: us over 4 visits, sites",
         f"{CLDA} + (1 | site) + us(visit | patient)", (30.0,), US, {"late3": 1.0}, 4, False),
    Case("mar", "as the second line, dropout after high readings (rows)",
         f"{INDIVIDUAL} + (1 | patient)", (30.0, 70.0), 100.0, _last(4), 4, False,
         by_rows=True, sites=(8, 20)),
    Case("cluster", "sites randomised, 3 visits, ICC 0.05, no site-by-visit",
         f"{CLUSTER} + (1 | patient)", (15.0, 85.0), 200.0, {"visitv3:arm1": 1.0}, 3, True),
    Case("cluster-level", "the same, the level at month 12",
         f"{CLUSTER} + (1 | patient)", (15.0, 85.0), 200.0, _last(3), 3, True),
    Case("cluster-visit", "sites randomised, with site-by-visit, SD 3",
         f"{CLUSTER} + (1 | site:visit) + (1 | patient)", (15.0, 9.0, 85.0), 200.0,
         {"visitv3:arm1": 1.0}, 3, True),
    Case("cluster-visit-large", "the same, 40 patients a site, site-by-visit SD 4",
         f"{CLUSTER} + (1 | site:visit) + (1 | patient)", (30.0, 16.0, 85.0), 200.0,
         {"visitv3:arm1": 1.0}, 3, True, mean_size=40),
    Case("cluster-clda", "sites randomised, cLDA, site-by-visit SD 4, us over 4 visits",
         f"{CLDA} + (1 | site) + (1 | site:visit) + us(visit | patient)", (30.0, 16.0), US,
         {"late3": 1.0}, 4, True, mean_size=20),
)  # fmt: skip


def frame(case: Case, sites: int, rng: np.random.Generator) -> "pd.DataFrame":
    """The design: unbalanced sites, arms, covariate, visits left after dropout; y is noise."""
    import pandas as pd

    # Sizes as of recruiting hospitals: the largest several times the smallest.
    sizes = 2 + rng.negative_binomial(2, 2 / case.mean_size, sites)
    site = np.repeat(np.arange(sites), sizes)
    n = len(site)
    if case.whole_sites:
        arm = (rng.permutation(sites) % 2)[site]
    else:
        arm = np.concatenate([rng.permutation(k) % 2 for k in sizes])
    base = rng.normal(0, 10, n)
    last = np.full(n, case.visits) if case.by_rows else _last_visit(case.visits, n, rng)
    patient = np.repeat(np.arange(n), case.visits)
    slot = np.tile(np.arange(case.visits), n)
    kept = slot < last[patient]
    data = {
        "site": [f"s{k:03d}" for k in site[patient]],
        "patient": [f"p{k:05d}" for k in patient],
        "visit": [f"v{k + 1}" for k in slot],
        "arm": arm[patient].astype(str),
        "base": base[patient],
        "y": rng.normal(0, 10, n * case.visits),
    }
    data |= {f"late{k}": (slot == k) * arm[patient] * 1.0 for k in range(1, case.visits)}
    return pd.DataFrame(data)[kept].reset_index(drop=True)


def _last_visit(visits: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Number of visits before a patient leaves: 7% leave before each but the first."""
    stays = rng.random((n, visits - 1)) > 0.07
    return np.asarray(1 + np.cumprod(stays, axis=1).sum(axis=1))


def true_phi(case: Case, fit: "LmmFit") -> np.ndarray:
    """The case's variances as the model's parameters, in conditioned units."""
    model = fit.solution.model
    by_group = dict(zip(_groups(case), case.variances, strict=True))
    unit2 = model.fixed.unit**2
    covariances = [by_group[t.group] * t.R @ t.R.T / unit2 for t in model.terms]
    residual = np.atleast_2d(np.array(case.residual, dtype=float)) / unit2
    return np.asarray(model.parameters.phi_of(covariances, residual))


def _groups(case: Case) -> list[str]:
    return [g for g in ("site", "site:visit", "patient") if f"| {g})" in case.formula
            and f"us(visit | {g})" not in case.formula]  # fmt: skip


def fits_by_moments(case: Case, sites: int, draws: int, seed: int) -> "Iterator[LmmFit | None]":
    """A fit of each drawn outcome, None where the likelihood has no maximum."""
    import sitewise
    from sitewise.inference.bootstrap import generators
    from sitewise.inference.draws import drawer
    from sitewise.lmm.estimates import estimates_of
    from sitewise.lmm.lmmfit import LmmFit

    first = sitewise.lmm(case.formula, frame(case, sites, np.random.default_rng(seed)))
    truth = true_phi(case, first)
    draw = drawer(first.solution.model, first.solution.model.parameters.natural(truth))
    for generator in generators(seed + 1, draws):
        try:
            solution = solved(draw(generator), truth)
        except ModelError:
            yield None
            continue
        best = solution.found.best
        made = LmmFit(solution, estimates_of(solution), first.basis, first.certificate)
        yield made if best.converged else None


def solved(model: "Model", near: np.ndarray) -> "Solution":
    """The optimum of drawn moments."""
    from sitewise.lmm.engine import Solution, solve
    from sitewise.lmm.newton import minimise

    found = minimise(model, [near], size=model.likelihood.bottom.n)
    end = found.best.end
    parameters = model.parameters
    sigma = math.sqrt(parameters.sigma2(end))
    least = min(
        float(np.linalg.svd(root @ np.diag(1 / t.structure.units()), compute_uv=False)[-1])
        for root, t in zip(parameters.roots(end), parameters.terms, strict=True)
    )
    if not found.best.converged or least < NEAR * sigma:
        return solve(model, "", near)
    point = model.point(end)
    return Solution(model, end, point, *model.in_phi(end, point), found.best.value, found)


def fits_by_rows(case: Case, sites: int, draws: int, seed: int) -> "Iterator[LmmFit | None]":
    """The same with outcomes drawn as rows; a patient leaves after a high reading more often."""
    import sitewise

    rng = np.random.default_rng(seed)
    whole = frame(case, sites, rng)
    site, patient = whole["site"].astype("category").cat.codes, whole["patient"].to_numpy()
    codes = np.unique(patient, return_inverse=True)[1]
    tau, omega = np.sqrt(case.variances)
    for _ in range(draws):
        y = rng.normal(0, tau, sites)[site] + rng.normal(0, omega, codes.max() + 1)[codes]
        y = y + rng.normal(0, math.sqrt(float(np.max(case.residual))), len(y))
        wide = y.reshape(-1, case.visits)
        # Half of those a standard deviation above the mean leave after the visit, 7% at it.
        risk = 1 / (1 + np.exp(2.6 - 1.6 * wide[:, :-1] / 14))
        stays = np.cumprod(rng.random(risk.shape) > risk, axis=1)
        kept = np.column_stack([np.ones(len(wide)), stays]).astype(bool).ravel()
        try:
            fit = sitewise.lmm(case.formula, whole.assign(y=y)[kept])
        except ModelError:
            yield None
            continue
        yield fit if fit.converged else None


@dataclass
class Counts:
    """Of one line: draws with a fit, singular ones, and of both kinds those that cover."""

    case: str
    sites: int
    patients: int
    draws: int = 0
    failed: int = 0
    singular: int = 0
    covered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(METHODS, 0))
    covered_singular: dict[str, int] = field(default_factory=lambda: dict.fromkeys(METHODS, 0))
    df: float = 0.0
    ratio: float = 0.0
    seconds: float = 0.0

    def error(self, share: float = 0.95, n: int | None = None) -> float:
        """Monte Carlo standard error of a coverage of `share`."""
        return math.sqrt(share * (1 - share) / max(self.draws if n is None else n, 1))


def weights(case: Case, fit: "LmmFit") -> np.ndarray:
    """The contrast over the fixed effects, (p,)."""
    found = np.array([case.contrast.get(name, 0.0) for name in fit.estimates.names])
    if np.count_nonzero(found) != len(case.contrast):
        raise ValueError(f"{case.key}: {list(case.contrast)} are not among {fit.estimates.names}")
    return found


def count(case: Case, sites: int, draws: int, seed: int = SEED) -> Counts:
    """Fit `draws` outcomes of one case and count the intervals that hold 0."""
    from scipy.stats import t as student

    from sitewise.lmm.linear.method import method_of
    from sitewise.lmm.linear.wald import wald

    patients = frame(case, sites, np.random.default_rng(seed))["patient"].nunique()
    found = Counts(case.key, sites, int(patients))
    estimates, variances = [], []
    made = fits_by_rows if case.by_rows else fits_by_moments
    started = time.perf_counter()
    for fit in made(case, sites, draws, seed):
        if fit is None:
            found.failed += 1
            continue
        row, singular = weights(case, fit), int(fit.singular)
        found.draws += 1
        found.singular += singular
        for name in METHODS:
            method = method_of(name, None, "linear", reml=True)
            test = wald(fit.solution, fit.estimates, fit.basis, method)
            df, variance = float(test.df(row)[0]), float(row @ test.vcov @ row)
            covers = int(abs(row @ test.beta) <= student.ppf(0.975, df) * math.sqrt(variance))
            found.covered[name] += covers
            found.covered_singular[name] += covers * singular
            if name == METHODS[0]:
                found.df += df
                variances.append(variance)
        estimates.append(float(row @ fit.estimates.beta))
    found.df /= max(found.draws, 1)
    found.ratio = math.sqrt(np.mean(variances) / np.mean(np.square(estimates)))
    found.seconds = time.perf_counter() - started
    return found


def percent(covered: int, n: int) -> str:
    """`94.6`; empty where nothing was counted."""
    return f"{100 * covered / n:.1f}" if n else ""


def line(case: Case, c: Counts) -> str:
    """One row of the table."""
    kr, n = c.covered["kenward-roger"], c.draws
    own = c.covered_singular["kenward-roger"]
    cells = [
        case.label, f"{c.sites}", f"{c.patients}", f"{n}", f"{100 * c.singular / n:.1f}",
        f"**{percent(kr, n)}**", percent(kr - own, n - c.singular), percent(own, c.singular),
        percent(c.covered["satterthwaite"], n), percent(c.covered["asymptotic"], n),
        f"{100 * c.error():.2f}", f"{c.df:.0f}" if c.df < 1e4 else f"{c.df:.1e}",
        f"{c.ratio:.3f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEAD = ("design", "sites", "patients", "draws", "singular, %", "Kenward-Roger, %", "not singular",
        "singular", "Satterthwaite, %", "asymptotic, %", "MC SE", "mean df", "SE / SD")  # fmt: skip


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--only", nargs="*", help="keys: " + ", ".join(c.key for c in CASES))
    parser.add_argument("--sites", type=int, nargs="*")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    done = []
    for k, case in enumerate(CASES):
        if asked.only and case.key not in asked.only:
            continue
        for sites in asked.sites or case.sites:
            found = count(case, sites, asked.draws, SEED + 1000 * k + sites)
            print(f"{case.key} {sites}: {found.seconds:.0f} s", file=sys.stderr, flush=True)
            done.append(asdict(found))
            print(line(case, found), flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
