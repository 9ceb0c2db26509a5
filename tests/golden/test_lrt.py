"""`sitewise.lrt` and profile intervals against R: lme4 (../shared/references)."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sitewise
from sitewise.inference.intervals import confint
from sitewise.inference.lrt import lrt
from sitewise.lmm.lmmfit import LmmFit

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "references"
STATISTIC = 4e-6  # two log-likelihoods good to 1e-6 each, doubled
P = 1e-5  # relative, of p-values
PROFILE = 1e-4  # relative: the references say 4-5 digits
CROSSED = {"Penicillin_lrt", "Penicillin_crossed"}  # crossed factors are refused
IDENTIFIERS = (
    "site", "patient", "Subject", "SITEID", "USUBJID", "Rail", "Litter", "Pig", "Batch", "batch",
    "cask", "sample",
)  # fmt: skip


@lru_cache
def load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((REFERENCES / f"{name}.json").read_text())
    return data


def names(having: str) -> list[str]:
    if not REFERENCES.is_dir():
        return []
    found = sorted(path.stem for path in REFERENCES.glob("*.json"))
    return [
        n for n in found if n not in CROSSED and (load(n)["kind"] == having or having in load(n))
    ]


@lru_cache
def rows(data: str) -> pd.DataFrame:
    types = dict.fromkeys(IDENTIFIERS, str)
    frames = [pd.read_csv(path, dtype=types) for path in sorted(REFERENCES.parent.glob(data))]
    return pd.concat(frames, ignore_index=True)


@lru_cache
def fit_of(name: str, formula: str, reml: bool) -> LmmFit:
    ref = load(name)
    return sitewise.lmm(formula, rows(ref["data"]), reml=reml, levels=ref["factor_levels"] or {})


TESTS = [
    (name, method, i)
    for name in names("lrt")
    for method in ("reml", "ml")
    for i in range(len(load(name)[method]["tests"]))
]


def test_there_are_references(shared: Path) -> None:
    assert names("lrt") == [
        "Dyestuff2_lrt", "cdisc_sbp_lrt", "dietox_lrt", "ghana_sbp_lrt", "sleepstudy_lrt",
    ]  # fmt: skip
    assert len(names("profile_ci95")) == 4


@pytest.mark.parametrize(("name", "method", "index"), TESTS)
def test_likelihood_ratio(name: str, method: str, index: int, shared: Path) -> None:
    ref = load(name)
    test = ref[method]["tests"][index]
    reml = method == "reml"
    full = fit_of(name, ref["models"][test["alternative"]], reml)
    text = ref["models"][test["null"]]
    null = text if test["null"] == "lm" else fit_of(name, text, reml)
    found = lrt(null, full, bootstrap=0)
    assert found.method == method.upper()
    assert found.df == test["df"]
    assert found.statistic == pytest.approx(test["chisq"], abs=STATISTIC)
    assert found.loglik_null == pytest.approx(ref[method]["loglik"][test["null"]], abs=1e-6)
    assert found.p_naive == pytest.approx(test["p_naive"], rel=P)
    if "p_mixture" in test:
        assert found.kind == "mixture"
        assert found.p == pytest.approx(test["p_mixture"], rel=P)
    else:
        assert (found.kind, found.p_mixture) == ("chi2", None)
        assert found.p == pytest.approx(test["p_naive"], rel=P)


@pytest.mark.parametrize("name", names("profile_ci95"))
def test_profile(name: str, shared: Path) -> None:
    ref = load(name)
    table = confint(fit_of(name, ref["r_formula"], True), "profile")
    found = {_key(*row): i for i, row in enumerate(zip(table.kind, table.group, table.term,
                                                       strict=True))}  # fmt: skip
    expected = ref["profile_ci95"]
    for parameter, lower, upper in zip(expected["parm"], expected["lower"], expected["upper"],
                                       strict=True):  # fmt: skip
        own = table.iloc[found[_canonical(parameter)]]
        assert own.lower == pytest.approx(lower, rel=PROFILE, abs=1e-12), parameter
        assert own.upper == pytest.approx(upper, rel=PROFILE), parameter


def _canonical(parameter: str) -> str:
    """lme4's name with sorted parts: cor_Days.(Intercept)|Subject, sd_(Intercept)|cask:batch."""
    if "|" not in parameter:
        return parameter
    head, group = parameter.split("|")
    kind, terms = head.split("_", 1)
    return f"{kind} {sorted(terms.split('.'))} {sorted(group.split(':'))}"


def _key(kind: str, group: str, term: str) -> str:
    if kind == "fixed":
        return term
    if group == "Residual":
        return "sigma" if kind == "sd" else f"residual {kind}"
    short = {"correlation": "cor"}.get(kind, kind)
    return f"{short} {sorted(term.split(', '))} {sorted(group.split(':'))}"
