"""What statsmodels MixedLM can express, and that it finds the optimum where it can."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from sitewise.classical.by_statsmodels import fit_statsmodels, not_expressible
from sitewise.classical.second_fit import Term
from sitewise.errors import ModelError

SITE = np.repeat([0, 1, 2, 3], 6)
PATIENT = np.repeat(np.arange(8), 3)
VISIT = np.tile([0, 1, 2], 8)
ONE = np.ones((24, 1))
SLOPE = np.column_stack([np.ones(24), VISIT.astype(float)])


def intercept(group, code):
    return Term(group, ("(Intercept)",), code, ONE)


def slope(group, code):
    return Term(group, ("(Intercept)", "WEEK"), code, SLOPE)


SITE_BY_VISIT = intercept("SITEID:AVISIT", SITE * 3 + VISIT)


@pytest.mark.parametrize(
    "terms",
    [
        [intercept("USUBJID", PATIENT)],
        [slope("USUBJID", PATIENT)],
        [intercept("SITEID", SITE), intercept("USUBJID", PATIENT)],
        [intercept("SITEID", SITE), SITE_BY_VISIT, intercept("USUBJID", PATIENT)],
        [slope("SITEID", SITE), intercept("USUBJID", PATIENT)],
    ],
)
def test_expressible(terms):
    assert not_expressible(terms) == ""


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([intercept("SITEID", SITE), slope("USUBJID", PATIENT)], "(1 + WEEK | USUBJID) lies below"),
        ([slope("SITEID", SITE), slope("USUBJID", PATIENT)], "outermost group (SITEID) only"),
        ([intercept("SITEID", SITE), intercept("AVISIT", VISIT)], "crossed"),
        ([slope("USUBJID", PATIENT), slope("PATIENT", PATIENT)], "two correlated terms"),
        ([], "no mixed model"),
    ],
)
def test_not_expressible_says_why(terms, words):
    assert words in not_expressible(terms)


def balanced(seed=3, site_sd=4.0):
    """Balanced nested data: the REML estimates are those of the analysis of variance."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, site_sd, 4)[SITE] + rng.normal(0, 3, 8)[PATIENT] + rng.normal(0, 1, 24)


def test_balanced_nested_has_the_anova_variances():
    y = balanced()
    patients = y.reshape(8, 3).mean(axis=1)
    sites = y.reshape(4, 6).mean(axis=1)
    ms_site = 6 * sites.var(ddof=1)
    ms_patient = 3 * ((patients - np.repeat(sites, 2)) ** 2).sum() / 4
    ms_rest = ((y - patients[PATIENT]) ** 2).sum() / 16
    assert ms_site > ms_patient > ms_rest
    found = fit_statsmodels(
        y, ONE, [intercept("SITEID", SITE), intercept("USUBJID", PATIENT)], reml=True
    )
    assert found.variances["SITEID", "(Intercept)"] == pytest.approx(
        (ms_site - ms_patient) / 6, rel=1e-4
    )
    assert found.variances["USUBJID", "(Intercept)"] == pytest.approx(
        (ms_patient - ms_rest) / 3, rel=1e-4
    )
    assert found.sigma2 == pytest.approx(ms_rest, rel=1e-5)
    assert found.se[0] == pytest.approx(np.sqrt(ms_site / 24), rel=1e-4)


def test_standard_errors_are_those_of_generalised_least_squares_at_its_variances():
    """Dense (X'V^-1X)^-1: rows missing, so that effects and variances are not orthogonal."""
    rng = np.random.default_rng(4)
    y, x = balanced(), rng.normal(0, 1, 24)
    kept = rng.permutation(24)[:17]
    X = np.column_stack([np.ones(24), x])[kept]
    site, patient = (np.unique(code[kept], return_inverse=True)[1] for code in (SITE, PATIENT))
    terms = [
        replace(intercept(name, code), Z=np.ones((17, 1)))
        for name, code in (("SITEID", site), ("USUBJID", patient))
    ]
    found = fit_statsmodels(y[kept], X, terms, reml=True)
    V = found.sigma2 * np.eye(17)
    for name, code in (("SITEID", site), ("USUBJID", patient)):
        V += found.variances[name, "(Intercept)"] * (code[:, None] == code[None, :])
    wanted = np.sqrt(np.diag(np.linalg.inv(X.T @ np.linalg.solve(V, X))))
    assert found.se == pytest.approx(wanted, rel=1e-6)


def test_unit_of_the_slope_does_not_matter():
    rng = np.random.default_rng(8)
    effects = rng.normal(0, (5.0, 2.0), (8, 2))
    y = effects[PATIENT, 0] + effects[PATIENT, 1] * VISIT + rng.normal(0, 1, 24)
    X = SLOPE
    days = Term("USUBJID", ("(Intercept)", "WEEK"), PATIENT, SLOPE * [1.0, 365.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a method that stops short is followed by another
        weeks = fit_statsmodels(y, X, [slope("USUBJID", PATIENT)], reml=True)
        other = fit_statsmodels(y, X, [days], reml=True)
    assert other.loglik == pytest.approx(weeks.loglik, abs=1e-6)
    assert other.variances["USUBJID", "WEEK"] * 365**2 == pytest.approx(
        weeks.variances["USUBJID", "WEEK"], rel=1e-3
    )


def test_variance_of_zero_is_no_crash():
    # Site means are made equal, so the site variance is 0 and the likelihood that of patients.
    y = balanced()
    y = y - y.reshape(4, 6).mean(axis=1)[SITE]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        both = fit_statsmodels(
            y, ONE, [intercept("SITEID", SITE), intercept("USUBJID", PATIENT)], reml=True
        )
        alone = fit_statsmodels(y, ONE, [intercept("USUBJID", PATIENT)], reml=True)
    assert caught
    assert both.variances["SITEID", "(Intercept)"] == pytest.approx(0.0, abs=1e-2)
    assert both.loglik == pytest.approx(alone.loglik, abs=1e-3)


def test_breakdown_of_every_method_is_a_model_error(monkeypatch):
    from statsmodels.regression.mixed_linear_model import MixedLM

    def broken(self, **_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(MixedLM, "fit", broken)
    with pytest.warns(UserWarning, match="broke down"), pytest.raises(ModelError):
        fit_statsmodels(balanced(), ONE, [intercept("USUBJID", PATIENT)], reml=True)
