"""Relabelled, reordered, rescaled data, other batches and other thread counts: the same answer."""

import os
import subprocess
import sys
from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import sitewise
from sitewise.lmm.lmmfit import LmmFit

SLOPES = "y ~ week*arm + age + (1 | site) + (1 + week | patient)"
VISITS = "y ~ visit*arm + age + (1 | site) + us(visit | patient)"
ROWS = "y ~ dose*arm + age + (1 | site/patient)"  # dose changes by row: no schedule is needed
FORMULAS = (SLOPES, VISITS, ROWS)
LEVELS = {"arm": ["A", "B"], "visit": ["v0", "v6", "v12", "v26"]}
SAME = 1e-9  # of max(|estimate|, SE); relative for SEs, variances and the log-likelihood

settings.register_profile("fits", max_examples=12, deadline=None,
                          suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
few = settings(settings.get_profile("fits"))
seeds = st.integers(0, 5)
formulas = st.sampled_from(FORMULAS)


def trial(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(8):
        u = rng.normal(0, 4)
        for p in range(8):
            b, slope, age = rng.normal(0, 6), rng.normal(0, 0.4), rng.uniform(30, 80)
            for week in (0.0, 6.0, 12.0, 26.0):
                if rng.random() > 0.08:
                    y = 140 + u + b + (slope - 0.1 * (p % 2)) * week + 0.1 * age
                    rows.append(
                        (f"s{s}", f"s{s}p{p}", "AB"[p % 2], week, f"v{week:.0f}", age,
                         float(rng.integers(1, 9)), y + rng.normal(0, 3))
                    )  # fmt: skip
    names = ["site", "patient", "arm", "week", "visit", "age", "dose", "y"]
    return pd.DataFrame(rows, columns=names)


def fit(formula: str, data: pd.DataFrame, reml: bool = True) -> LmmFit:
    return sitewise.lmm(formula, data, reml, LEVELS)


def units_of(names: "pd.Index[str]", units: dict[str, float]) -> np.ndarray:
    """By what a coefficient shrinks when columns are multiplied."""
    return np.array(
        [np.prod([units.get(part, 1.0) for part in str(name).split(":")]) for name in names]
    )


def assert_same(
    a: LmmFit, b: LmmFit, y: float = 1.0, units: dict[str, float] | None = None
) -> None:
    """`b` is `a` with the outcome times y and columns times `units`."""
    assert b.converged == a.converged
    assert b.singular == a.singular
    shrink = units_of(a.fixef.index, units or {})
    factor = y / shrink
    size = np.maximum(np.abs(a.fixef), a.se) * factor
    assert (np.abs(b.fixef - a.fixef * factor) <= SAME * size).all()
    np.testing.assert_allclose(b.se, a.se * factor, rtol=SAME)
    n = a.nobs - (len(shrink) if a.reml else 0)
    jacobian = n * np.log(y) + (np.log(shrink).sum() if a.reml else 0.0)
    assert b.loglik == pytest.approx(a.loglik - jacobian, abs=SAME * abs(a.loglik), rel=0)
    assert_same_covariances(a, b, y, units or {})


def assert_same_covariances(a: LmmFit, b: LmmFit, y: float, units: dict[str, float]) -> None:
    one, other = a.varcorr, b.varcorr
    rows = [(*row[:2], f) for row, f in zip(
        one[["group", "term"]].itertuples(index=False),
        (y / units_of(pd.Index(one["term"]), units)).tolist(), strict=True)]  # fmt: skip
    places = {(g, t): i for i, (g, t) in enumerate(zip(other["group"], other["term"], strict=True))}
    for i, (group, term, factor) in enumerate(rows):
        j = places[group, term]
        assert other["variance"][j] == pytest.approx(one["variance"][i] * factor**2, rel=SAME)
        for r, s in zip(one["correlations"][i], other["correlations"][j], strict=True):
            assert s == pytest.approx(r, abs=SAME)
    if a.sigma is None:
        R = a.residual_cov.to_numpy()
        sds = np.sqrt(np.diag(R))
        error = (b.residual_cov.to_numpy() / y**2 - R) / np.outer(sds, sds)
        assert np.abs(error).max() <= SAME


@few
@given(formulas, seeds, st.randoms(use_true_random=False), st.booleans())
def test_order_of_rows(formula: str, seed: int, random: object, reml: bool) -> None:
    data = trial(seed)
    order = list(range(len(data)))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = data.iloc[order].reset_index(drop=True)
    assert_same(fit(formula, data, reml), fit(formula, turned, reml))


@few
@given(formulas, seeds, st.randoms(use_true_random=False))
def test_labels_of_sites_and_patients(formula: str, seed: int, random: object) -> None:
    data = trial(seed)
    renamed = data.copy()
    for column in ("site", "patient"):
        old = sorted(data[column].unique())
        new = [f"{'007' if i % 2 else '1E3'}-{i}" for i in range(len(old))]
        random.shuffle(new)  # type: ignore[attr-defined]
        renamed[column] = data[column].map(dict(zip(old, new, strict=True)))
    assert_same(fit(formula, data), fit(formula, renamed))


@few
@given(formulas, seeds, st.tuples(st.floats(-6, 6), st.floats(-6, 6), st.floats(-3, 3)),
       st.booleans())  # fmt: skip
def test_units(formula: str, seed: int, powers: tuple[float, float, float], reml: bool) -> None:
    """mmHg to kPa, weeks to seconds: nothing but the units of the answers changes."""
    data = trial(seed)
    y, week, age = powers
    units = {"week": 10**week, "dose": 10**week, "age": 10**age}
    scaled = data.assign(y=data["y"] * 10**y, **{k: data[k] * v for k, v in units.items()})
    assert_same(fit(formula, data, reml), fit(formula, scaled, reml), 10**y, units)


@few
@given(seeds, st.lists(st.integers(0, 2), min_size=8, max_size=8), st.permutations(range(3)),
       st.booleans(), st.sampled_from((SLOPES, VISITS)))  # fmt: skip
def test_batches(seed: int, batch: list[int], order: list[int], reml: bool, formula: str) -> None:
    """Sites in any batches, added in any order: the moments are those of all rows."""
    data = trial(seed)
    own = np.array(batch)[data["site"].str[1:].astype(int)]
    parts = [data[own == k] for k in order if (own == k).any()]
    assume(len(parts) > 1)
    # A hospital alone need not show that a week is a function of the visit: it is said.
    roles = {"week": "slot"} if formula is SLOPES else {}
    made = [sitewise.moments([formula], p, LEVELS, roles=roles) for p in parts]
    assert_same(fit(formula, data, reml), sitewise.lmm(formula, reduce(add, made), reml))


@few
@given(formulas, seeds, st.floats(-1e4, 1e4))
def test_shift_of_the_outcome_moves_the_intercept_only(
    formula: str, seed: int, shift: float
) -> None:
    data = trial(seed)
    first, second = fit(formula, data), fit(formula, data.assign(y=data["y"] + shift))
    assert second.fixef.iloc[0] - shift == pytest.approx(first.fixef.iloc[0], abs=SAME * 1e4)
    assert (np.abs(second.fixef - first.fixef)[1:] <= SAME * first.se[1:] * 10).all()
    np.testing.assert_allclose(second.se, first.se, rtol=SAME)
    assert second.loglik == pytest.approx(first.loglik, rel=SAME)


@few
@given(seeds)
def test_reference_level_changes_signs_only(seed: int) -> None:
    data = trial(seed)
    first = fit(SLOPES, data)
    second = sitewise.lmm(SLOPES, data, levels={"arm": ["B", "A"]})
    for name, other in (("week:armA", "week:armB"), ("armA", "armB")):
        size = max(abs(first.fixef[other]), first.se[other])
        assert second.fixef[name] == pytest.approx(-first.fixef[other], abs=SAME * size)
        assert second.se[name] == pytest.approx(first.se[other], rel=SAME)
    assert second.loglik == pytest.approx(first.loglik, rel=SAME)


@few
@given(seeds)
def test_order_of_random_terms(seed: int) -> None:
    data = trial(seed)
    turned = "y ~ week*arm + age + (1 + week | patient) + (1 | site)"
    assert_same(fit(SLOPES, data), fit(turned, data))


@few
@given(formulas, seeds)
def test_every_patient_twice_keeps_estimates(formula: str, seed: int) -> None:
    """Two copies of each site under new names: the same ML estimates, twice the log-likelihood."""
    data = trial(seed)
    again = data.assign(site="x" + data["site"], patient="x" + data["patient"])
    first = fit(formula, data, False)
    second = fit(formula, pd.concat([data, again], ignore_index=True), False)
    assert second.loglik == pytest.approx(2 * first.loglik, rel=SAME)
    size = np.maximum(np.abs(first.fixef), first.se)
    assert (np.abs(second.fixef - first.fixef) <= SAME * size).all()
    np.testing.assert_allclose(second.se, first.se / np.sqrt(2), rtol=SAME)


PRINT_BITS = """
import sys
import numpy as np
import sitewise
from tests.properties.test_lmm_invariance import FORMULAS, LEVELS, trial

for formula in FORMULAS:
    # Sites and patients enough that linear algebra would share its work among threads.
    import pandas as pd
    data = pd.concat(
        [trial(k).assign(site=lambda d, k=k: f"{k}-" + d["site"],
                         patient=lambda d, k=k: f"{k}-" + d["patient"]) for k in range(40)]
    )
    fit = sitewise.lmm(formula, data, True, LEVELS)
    values = [fit.loglik, *fit.fixef, *fit.vcov.to_numpy().ravel(), *fit.theta]
    values += fit.ranef("site").to_numpy().ravel().tolist()
    print(" ".join(float(value).hex() for value in values))
"""


def test_thread_counts(root: object) -> None:
    """Identical bits whatever the number of threads that linear algebra is given."""

    def bits(threads: int) -> str:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return subprocess.run(
            [sys.executable, "-c", PRINT_BITS], cwd=str(root), check=True, capture_output=True,
            text=True, env={**os.environ, **dict.fromkeys(names, str(threads))},
        ).stdout  # fmt: skip

    one = bits(1)
    assert len(one.splitlines()) == len(FORMULAS)
    assert bits(2) == one
