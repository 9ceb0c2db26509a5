"""Mixed models against R: lme4, lmerTest, emmeans (../shared/references; versions in each file).

Every `lmm` and `lrt` reference file is run, REML and ML; what a file is not asked is in EXCUSED.
"""

import json
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.lmm.design import Design, build_design
from sitewise.lmm.fit import Fitted, fit_design
from sitewise.lmm.formula import fixed_columns, parse_formula

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "references"

# Tolerances, in one place. The references are good to 7 digits or more (their README).
LOGLIK = 1e-6  # absolute
FIXED = 1e-6  # of max(|estimate|, SE)
SE = 1e-6  # relative
VARIANCE = 1e-5  # of the largest variance of the model (variances are the flattest directions)
BLUP = 1e-5  # of the residual SD
DF = 1e-3  # relative: numerical derivatives on both sides

# What is not compared, and why.
EXCUSED = {
    "df of singular fits": "lmerTest drops eigenvalues of a numerical Hessian there, so its df hang"
    " on noise; the references' README says so",
    "df of InstEval_crossed": "the file has none",
    "lm": "a least-squares null is no mixed model: this door refuses it; its log-likelihood is"
    " taken from the file",
}


def reference_files(kind: str) -> list[str]:
    if not REFERENCES.is_dir():
        return []
    names = sorted(path.stem for path in REFERENCES.glob("*.json"))
    return [name for name in names if load(name)["kind"] == kind]


@lru_cache
def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((REFERENCES / f"{name}.json").read_text())
    return data


IDENTIFIERS = (
    "site", "patient", "Subject", "SITEID", "USUBJID", "Rail", "Worker", "school", "Litter", "Pig",
    "primary", "second", "s", "d", "No", "Batch", "batch", "cask", "plate", "sample",
)  # fmt: skip


@lru_cache
def read(data: str) -> pd.DataFrame:
    root = REFERENCES.parent
    types = dict.fromkeys(IDENTIFIERS, str)
    paths = sorted(root.glob(data))
    return pd.concat([pd.read_csv(path, dtype=types) for path in paths], ignore_index=True)


def rows_of(name: str, data: str) -> pd.DataFrame:
    """The rows of one reference, as its `data_note` says."""
    frame = read(data)
    if name in ("cdisc_sbp_ancova", "cdisc_sbp_trt_by_site"):  # set A
        return frame[(frame["week"] > 0) & frame["sbp_base"].notna()]
    if name == "cdisc_sbp_week8_ancova":
        return frame[(frame["VISIT"] == "WEEK 8") & frame["sbp_base"].notna()]
    if name == "cdisc_supine_chg":
        frame = frame[(frame["week"] > 0)]
        return frame.assign(chg=frame["sbp_supine"] - frame["sbp_supine_base"])
    if name == "fev_ri_rs":
        return frame.assign(t=frame["AVISIT"].str[3:].astype(int) - 1)
    return frame


@lru_cache
def design_of(name: str, formula: str) -> Design:
    ref = load(name)
    frame = rows_of(name, ref["data"]).reset_index(drop=True)
    # Files without levels leave the order to R: alphabetical.
    return build_design(formula, frame, ref["factor_levels"] or {})


@lru_cache
def fit_of(name: str, formula: str, reml: bool, with_means: bool = False) -> Fitted:
    design = design_of(name, formula)
    hypotheses = means_of(name, design) if with_means else {}
    return fit_design(design, reml=reml, alpha=0.05, hypotheses=hypotheses)


def means_of(name: str, design: Design) -> dict[str, np.ndarray]:
    """emmeans' reference grid: numbers at their mean, other factors averaged equally."""
    table = load(name).get("emmeans_satterthwaite")
    if table is None:
        return {}
    means = table["means"]
    asked = [c for c in means if c not in ("emmean", "SE", "df", "lower.CL", "upper.CL")]
    frame = rows_of(name, load(name)["data"]).reset_index(drop=True)[design.used]
    found = {}
    for i in range(len(means["emmean"])):
        cell = {}
        for column in fixed_columns(design.formula):
            if column in asked:
                cell[column] = [means[column][i]]
            elif column in design.levels:
                cell[column] = list(design.levels[column])
            else:
                cell[column] = [frame[column].mean()]
        grid = pd.DataFrame(list(product(*cell.values())), columns=list(cell))
        found[f"mean {i}"] = design.fixed_rows(grid).mean(axis=0)
    first = next(c for c in asked if c not in by_columns(table["specs"]))
    pairs = table.get("pairs")
    if pairs:
        found |= _pairs(means, pairs, first, by_columns(table["specs"]), found)
    return found


def by_columns(specs: str) -> list[str]:
    return [c.strip() for c in specs.split("|")[1].split("*")] if "|" in specs else []


def _pairs(means: Any, pairs: Any, first: str, by: list[str], rows: Any) -> dict[str, np.ndarray]:
    """emmeans' pairwise differences, in its order: within each `by` cell, i < j."""
    cells: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(means[first])):
        cells.setdefault(tuple(means[c][i] for c in by), []).append(i)
    order = [(a, b) for members in cells.values() for k, a in enumerate(members)
             for b in members[k + 1 :]]  # fmt: skip
    assert len(order) == len(pairs["estimate"])
    return {f"pair {k}": rows[f"mean {a}"] - rows[f"mean {b}"] for k, (a, b) in enumerate(order)}


CASES = [(name, block) for name in reference_files("lmm") for block in ("reml", "ml")]


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, shared: Path) -> tuple[dict[str, Any], Fitted, str]:
    name, block = request.param
    ref = load(name)
    return ref, fit_of(name, ref["r_formula"], block == "reml", True), block


def test_there_are_references(shared: Path) -> None:
    assert len(reference_files("lmm")) == 38
    assert len(reference_files("lrt")) == 6


def test_likelihood(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    fit, expected = fitted.fit, ref[block]
    assert fit.converged
    assert fit.nobs == ref["n"]
    assert fit.npar == expected["npar"]
    assert fit.loglik == pytest.approx(expected["loglik"], abs=LOGLIK, rel=0)
    assert fit.aic == pytest.approx(expected["AIC"], abs=2 * LOGLIK, rel=0)
    assert fit.bic == pytest.approx(expected["BIC"], abs=2 * LOGLIK, rel=0)
    assert fit.singularity.singular == expected["singular"]


def test_fixed_effects(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    fit, expected = fitted.fit, ref[block]["fixed"]
    assert [e.name for e in fit.fixef] == expected["names"]
    for own, estimate, se in zip(fit.fixef, expected["estimate"], expected["se"], strict=True):
        assert own.estimate == pytest.approx(estimate, abs=FIXED * max(abs(estimate), se), rel=0)
        assert own.se == pytest.approx(se, rel=SE)
    if "fixed_vcov" in ref[block]:
        scale = np.outer(expected["se"], expected["se"])
        error = (np.array(fit.vcov) - np.array(ref[block]["fixed_vcov"])) / scale
        assert np.abs(error).max() < 2 * SE


def test_satterthwaite(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    if ref[block]["singular"]:
        pytest.skip(EXCUSED["df of singular fits"])
    if "satterthwaite" not in ref[block]["fixed"]:
        pytest.skip(EXCUSED["df of InstEval_crossed"])
    expected = ref[block]["fixed"]["satterthwaite"]
    for own, df, t, p in zip(fitted.fit.fixef, expected["df"], expected["t"], expected["p"],
                             strict=True):  # fmt: skip
        assert own.df == pytest.approx(df, rel=DF)
        assert own.t == pytest.approx(t, rel=2 * FIXED, abs=2 * FIXED)
        assert own.p == pytest.approx(p, rel=0.05 if p < 1e-10 else 2e-3)


def test_variances(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    fit, expected = fitted.fit, ref[block]
    assert fit.sigma**2 == pytest.approx(expected["sigma2"], rel=VARIANCE)
    found = {}
    for term in fit.random:
        key = ":".join(sorted(term.group.split(":")))
        for i, name in enumerate(term.terms):
            found[key, name] = term.variances[i]
            for j in range(i):
                value = term.correlations[i][j]
                cov = value * term.sds[i] * term.sds[j] if np.isfinite(value) else 0.0
                found[key, name, term.terms[j]] = cov
    for group, block_values in expected["random"].items():
        key = ":".join(sorted(group.split(".")[0].split(":")))
        terms = block_values["terms"]
        sds = np.sqrt(np.diag(np.atleast_2d(block_values["cov"])))
        for i, name in enumerate(terms):
            scale = max(max(sds) ** 2 if name == "(Intercept)" else sds[i] ** 2, 1e-9)
            assert found[key, name] == pytest.approx(
                block_values["var"][i], abs=VARIANCE * scale, rel=VARIANCE
            )
            for j in range(i):
                if (key, name, terms[j]) in found:
                    cov = block_values["cov"][i][j]
                    assert found[key, name, terms[j]] == pytest.approx(
                        cov, abs=VARIANCE * max(sds[i] * sds[j], 1e-9)
                    )


def test_predictions(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    expected = ref[block]
    if "fitted_first5" in expected:
        np.testing.assert_allclose(
            fitted.fitted[:5], expected["fitted_first5"], atol=BLUP * fitted.fit.sigma, rtol=1e-9
        )
    blups = {
        (":".join(sorted(r.group.split(":"))), ":".join(sorted(r.level.split(":"))), r.term): r.blup
        for r in fitted.ranef
    }
    for group, values in expected.get("blups", {}).items():
        key = ":".join(sorted(group.split(".")[0].split(":")))
        for term, numbers in values["values"].items():
            for level, number in zip(values["levels"], numbers, strict=True):
                own = blups[key, ":".join(sorted(level.split(":"))), term]
                assert own == pytest.approx(number, abs=BLUP * fitted.fit.sigma)


MEANS = [n for n in reference_files("lmm") if "emmeans_satterthwaite" in load(n)]


@pytest.mark.parametrize("name", MEANS)
def test_marginal_means(name: str, shared: Path) -> None:
    """Arbitrary linear combinations: means and pairwise differences, their SE and df."""
    ref = load(name)
    fitted = fit_of(name, ref["r_formula"], True, True)
    own = {e.name: e for e in fitted.fit.hypotheses}
    table = ref["emmeans_satterthwaite"]
    for kind, key, block in (("mean", "emmean", table["means"]),
                             ("pair", "estimate", table.get("pairs", {}))):  # fmt: skip
        for i, estimate in enumerate(block.get(key, [])):
            found, se = own[f"{kind} {i}"], block["SE"][i]
            assert found.estimate == pytest.approx(estimate, abs=FIXED * max(abs(estimate), se))
            assert found.se == pytest.approx(se, rel=SE)
            if not ref["reml"]["singular"]:
                assert found.df == pytest.approx(block["df"][i], rel=DF)
            if kind == "mean" and not ref["reml"]["singular"]:
                assert found.lower == pytest.approx(block["lower.CL"][i], abs=1e-3 * se)
                assert found.upper == pytest.approx(block["upper.CL"][i], abs=1e-3 * se)


LRT = [
    (name, method, i)
    for name in reference_files("lrt")
    for method in ("reml", "ml")
    for i in range(len(load(name)[method]["tests"]))
]


@pytest.mark.parametrize(("name", "method", "index"), LRT)
def test_likelihood_ratio(name: str, method: str, index: int, shared: Path) -> None:
    from sitewise.inference.compare import (
        compare_pair,
        likelihood_ratio,
        mixture_p,
        naive_p,
    )

    ref = load(name)
    block = ref[method]
    test = block["tests"][index]
    formulas = {key: ref["models"][key] for key in (test["null"], test["alternative"])}
    full = fit_of(name, formulas[test["alternative"]], method == "reml").fit
    assert full.loglik == pytest.approx(block["loglik"][test["alternative"]], abs=LOGLIK, rel=0)
    if test["null"] == "lm":  # EXCUSED["lm"]
        statistic = likelihood_ratio(block["loglik"]["lm"], full.loglik)
        p_naive, p_mixture = naive_p(statistic, test["df"]), mixture_p(statistic, 0)
    else:
        null = fit_of(name, formulas[test["null"]], method == "reml").fit
        compared = compare_pair("?", test["null"], null, test["alternative"], full)
        assert compared.refused == ""
        assert compared.df == test["df"]
        statistic, p_naive, p_mixture = (
            compared.statistic, compared.p_naive, compared.p_mixture,
        )  # fmt: skip
    assert statistic == pytest.approx(test["chisq"], abs=4 * LOGLIK)
    assert p_naive == pytest.approx(test["p_naive"], rel=1e-5)
    if "p_mixture" in test:
        assert p_mixture == pytest.approx(test["p_mixture"], rel=1e-5)
    else:
        assert p_mixture is None


def test_every_formula_is_understood() -> None:
    for name in reference_files("lmm"):
        assert parse_formula(load(name)["r_formula"]).random
