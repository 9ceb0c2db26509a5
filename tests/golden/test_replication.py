"""Second engines against lme4's optimum: log-likelihood 1e-6, estimates 1e-6, variances 1e-5."""

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from sitewise.classical.by_mixedlm import fit_mixedlm
from sitewise.classical.by_statsmodels import fit_statsmodels
from sitewise.classical.replicate import replicate_fits
from sitewise.classical.result import Replications
from sitewise.classical.second_fit import terms_of
from sitewise.lmm.design import build_design
from sitewise.plan.model import Plan


@pytest.fixture(scope="module")
def ghana(ghana_plan: Plan, ghana_adbp: pd.DataFrame, ghana_facts: dict) -> Replications:
    return replicate_fits(ghana_plan, ghana_adbp, "SYSBP", ghana_facts)


def test_every_model_is_replicated(ghana: Replications) -> None:
    assert {row.model: (row.engine.split(" ")[0], row.status) for row in ghana.rows} == {
        "patient": ("statsmodels", "agrees"),
        "nested": ("statsmodels", "agrees"),
        "site_by_visit": ("statsmodels", "agrees"),
        "linear": ("statsmodels", "agrees"),
        "slope": ("mixedlm", "agrees"),
        "slope_site": ("mixedlm", "agrees"),
    }


def test_nested_is_lme4_s(ghana: Replications, shared: Path) -> None:
    expected = json.loads((shared / "references" / "ghana_sbp_nested.json").read_text())["reml"]
    row = next(row for row in ghana.rows if row.model == "nested")
    second = {(n.kind, n.name): n.second for n in row.numbers}
    assert second["loglik", "log-likelihood"] == pytest.approx(expected["loglik"], abs=1e-6)
    fixed = [n.second for n in row.numbers if n.kind == "fixef"]
    assert fixed == pytest.approx(expected["fixed"]["estimate"], rel=1e-6)
    # The observed information, statsmodels', is not the expected one, lme4's.
    ses = [n.second for n in row.numbers if n.kind == "se"]
    assert ses == pytest.approx(expected["fixed"]["se"], rel=2e-4)
    variances = [n.second for n in row.numbers if n.kind == "variance"]
    random = expected["random"]
    lme4 = [random["site"]["var"][0], random["patient"]["var"][0], expected["sigma2"]]
    assert variances == pytest.approx(lme4, rel=1e-5)


def test_site_by_visit_is_the_stated_one(ghana: Replications) -> None:
    row = next(row for row in ghana.rows if row.model == "site_by_visit")
    assert round(row.numbers[0].second, 3) == -8351.102
    variances = [round(n.second, 2) for n in row.numbers if n.kind == "variance"]
    assert variances == [7.23, 5.18, 86.56, 176.02]


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("Dyestuff2_singular", 1e-4),  # the variance is 0: powell ends just beside it
        ("adv_site_variance_zero", 1e-4),
        ("Pastes_nested", 1e-6),
        ("sleepstudy_ri_rs", 1e-6),
        ("Orthodont_ri_rs", 1e-6),
        ("adv_nested_balanced", 1e-6),
    ],
)
def test_second_engine_reaches_lme4_s_likelihood(shared: Path, name: str, tolerance: float) -> None:
    expected = json.loads((shared / "references" / f"{name}.json").read_text())
    text = {"Batch": str, "batch": str, "Subject": str, "patient": str, "site": str, "group": str}
    data = pd.read_csv(shared / expected["data"], dtype=text)
    design = build_design(expected["r_formula"], data, expected.get("factor_levels") or {})
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        found = fit_statsmodels(design.y, design.X, terms_of(design), reml=True)
        other = fit_mixedlm(design, reml=True)
    exact = expected.get("exact") or expected.get("exact_for_decimal_values") or expected
    stated = float(exact["reml"]["loglik"])
    assert found.loglik == pytest.approx(stated, abs=tolerance)
    assert other.loglik == pytest.approx(stated, abs=tolerance)
