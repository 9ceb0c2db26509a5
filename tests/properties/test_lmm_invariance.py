"""Relabelled, reordered and rescaled data give the same answer.

The likelihood is flat to second order at the optimum, so two searches that end 1e-13 apart in
deviance may differ by 1e-7 of a standard error: 1e-6 is what can be asked.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitewise.lmm.fit import fit_formula
from sitewise.lmm.result import Fit

FORMULA = "y ~ week*arm + age + (1 | site) + (1 + week | patient)"
LEVELS = {"arm": ["A", "B"]}
SAME = 1e-6  # of a standard error, or relative

settings.register_profile("fits", max_examples=12, deadline=None,
                          suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
few = settings(settings.get_profile("fits"))
seeds = st.integers(0, 5)


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
                        (f"s{s}", f"s{s}p{p}", "AB"[p % 2], week, age, y + rng.normal(0, 3))
                    )
    return pd.DataFrame(rows, columns=["site", "patient", "arm", "week", "age", "y"])


def fit(data: pd.DataFrame, reml: bool = True, formula: str = FORMULA) -> Fit:
    return fit_formula(formula, data, LEVELS, reml=reml, alpha=0.05).fit


def assert_same(a: Fit, b: Fit, y: float = 1.0, units: dict[str, float] | None = None) -> None:
    """`b` is `a` with the outcome times y and columns times `units` (by name part)."""
    for one, other in zip(a.fixef, b.fixef, strict=True):
        factor = y
        for name, scale in (units or {}).items():
            factor /= scale if name in one.name.split(":") else 1.0
        assert other.estimate == pytest.approx(one.estimate * factor, abs=SAME * one.se * factor)
        assert other.se == pytest.approx(one.se * factor, rel=SAME)
        assert other.df == pytest.approx(one.df, rel=1e-4)
        assert other.p == pytest.approx(one.p, rel=1e-4, abs=1e-12)
    assert b.sigma == pytest.approx(a.sigma * y, rel=SAME)
    assert b.singularity.singular == a.singularity.singular


@few
@given(seeds, st.randoms(use_true_random=False), st.booleans())
def test_order_of_rows(seed: int, random: object, reml: bool) -> None:
    data = trial(seed)
    order = list(range(len(data)))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = data.iloc[order].reset_index(drop=True)
    first, second = fit(data, reml), fit(turned, reml)
    assert second.loglik == pytest.approx(first.loglik, abs=1e-8)
    assert_same(first, second)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_labels_of_sites_and_patients(seed: int, random: object) -> None:
    data = trial(seed)
    renamed = data.copy()
    for column in ("site", "patient"):
        old = sorted(data[column].unique())
        new = [f"{'007' if i % 2 else '1E3'}-{i}" for i in range(len(old))]
        random.shuffle(new)  # type: ignore[attr-defined]
        renamed[column] = data[column].map(dict(zip(old, new, strict=True)))
    assert_same(fit(data), fit(renamed))


@few
@given(seeds, st.floats(-6, 6), st.floats(-6, 6), st.floats(-3, 3))
def test_units(seed: int, y: float, week: float, age: float) -> None:
    """mmHg to kPa, weeks to seconds: nothing but the units of the answers changes."""
    data = trial(seed)
    scaled = data.assign(y=data["y"] * 10**y, week=data["week"] * 10**week,
                         age=data["age"] * 10**age)  # fmt: skip
    units = {"week": 10**week, "age": 10**age}
    assert_same(fit(data), fit(scaled), 10**y, units)


@few
@given(seeds, st.floats(-1e4, 1e4))
def test_shift_of_the_outcome_moves_the_intercept_only(seed: int, shift: float) -> None:
    data = trial(seed)
    first, second = fit(data), fit(data.assign(y=data["y"] + shift))
    moved = second.fixef[0].estimate - first.fixef[0].estimate
    assert moved == pytest.approx(shift, abs=SAME * first.fixef[0].se)
    assert_same(replace_intercept(first, moved), second)
    assert second.loglik == pytest.approx(first.loglik, abs=1e-7)


def replace_intercept(result: Fit, moved: float) -> Fit:
    from dataclasses import replace

    head = replace(result.fixef[0], estimate=result.fixef[0].estimate + moved, p=0.0)
    return replace(result, fixef=(head, *result.fixef[1:]))


@few
@given(seeds)
def test_reference_level_changes_signs_only(seed: int) -> None:
    data = trial(seed)
    first = fit(data)
    second = fit_formula(FORMULA, data, {"arm": ["B", "A"]}, alpha=0.05).fit
    a = {e.name: e for e in first.fixef}
    b = {e.name: e for e in second.fixef}
    assert b["week:armA"].estimate == pytest.approx(
        -a["week:armB"].estimate, abs=SAME * a["week:armB"].se
    )
    assert b["week:armA"].df == pytest.approx(a["week:armB"].df, rel=1e-4)
    assert second.loglik == pytest.approx(first.loglik, abs=1e-8)


@few
@given(seeds)
def test_order_of_random_terms(seed: int) -> None:
    data = trial(seed)
    turned = "y ~ week*arm + age + (1 + week | patient) + (1 | site)"
    assert_same(fit(data), fit(data, formula=turned))


@few
@given(seeds)
def test_every_patient_twice_keeps_estimates(seed: int) -> None:
    """Two copies of each site under new names: the same ML estimates, twice the log-likelihood."""
    data = trial(seed)
    again = data.assign(site="x" + data["site"], patient="x" + data["patient"])
    first, second = fit(data, reml=False), fit(pd.concat([data, again], ignore_index=True), False)
    assert second.loglik == pytest.approx(2 * first.loglik, abs=1e-7)
    for one, other in zip(first.fixef, second.fixef, strict=True):
        assert other.estimate == pytest.approx(one.estimate, abs=SAME * one.se)
        assert other.se == pytest.approx(one.se / np.sqrt(2), rel=SAME)
