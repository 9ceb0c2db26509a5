"""Planned fits: which rows, which contrasts, what is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.inference.batch import batch_moments
from sitewise.inference.cautions import (
    line_misfit,
    site_by_visit,
    stratification,
)
from sitewise.inference.compare import compare_batches
from sitewise.inference.fitting import PlannedResult, check_models, fit_planned, model_notes
from sitewise.inference.planned_fit import MissedVisit, VisitSpread
from sitewise.inference.spread import held_sd, uneven
from sitewise.lmm.formula import parse_formula
from sitewise.plan.load import read_yaml
from sitewise.plan.model import Plan


@pytest.fixture
def data(root: Any) -> dict[str, Any]:
    """The Ghana plan as plain data, to be bent."""
    return read_yaml(root / "config" / "ghana.yaml")


def plan_with(data: dict[str, Any], formula: str = "", **changes: Any) -> Plan:
    bent = {**data, **changes}
    if formula:
        bent["models"] = {"m": {"label": "M", "formula": formula, "set": "FAS", "reml": True}}
        bent["comparisons"] = []
        bent["primary"] = {**bent["primary"], "model": "m"}
    return Plan.model_validate(bent)


COVARIATE = {"handling": "covariate", "missing": "drop"}


def rows(seed: int = 1, sites: int = 10, patients: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    found = []
    for s in range(sites):
        arm = "TASSH+HIC" if s % 2 else "HIC"
        u = rng.normal(0, 3)
        for p in range(patients):
            b = rng.normal(0, 6)
            age, sex = float(rng.integers(30, 80)), ("Female", "Male")[int(rng.integers(2))]
            for v, (visit, week) in enumerate(
                (("Baseline", 0.0), ("Month 6", 26.0), ("Month 12", 52.0))
            ):
                y = 150 + u + b - 6 * v - (3 if arm != "HIC" else 0) * (v > 0) + rng.normal(0, 5)
                found.append((f"s{s}", f"s{s}p{p}", arm, visit, week, y, age, sex))
    frame = pd.DataFrame(
        found, columns=["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL", "AGE", "SEX"]
    )
    frame["PARAMCD"], frame["ANL01FL"], frame["FASFL"] = "SYSBP", "Y", "Y"
    frame["SRCFILE"], frame["SRCROW"] = frame["SITEID"] + ".csv", frame.index + 2
    frame["ABLFL"] = (frame["AVISIT"] == "Baseline").map({True: "Y", False: ""})
    return with_base(frame)


def with_base(frame: pd.DataFrame) -> pd.DataFrame:
    base = frame[frame["ABLFL"] == "Y"].set_index("USUBJID")["AVAL"]
    return frame.assign(BASE=frame["USUBJID"].map(base))


def fit(plan: Plan, frame: pd.DataFrame) -> PlannedResult:
    return fit_planned(plan, frame, "SYSBP", "m")


MIXED = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)"
FULL = MIXED + " + (1 | SITEID:AVISIT)"


def test_every_row_has_one_use(data: dict[str, Any]) -> None:
    frame = rows()
    frame.loc[3, "FASFL"] = "N"
    frame.loc[10, "AVAL"] = np.nan
    other = frame.iloc[:5].assign(PARAMCD="DIABP")
    result = fit(plan_with(data, MIXED), pd.concat([frame, other], ignore_index=True))
    use = result.use
    assert len(use) == len(frame)
    assert use["USE"].value_counts().to_dict() == {
        "used as outcome": len(frame) - 2, "dropped": 2,
    }  # fmt: skip
    assert use.loc[3, "REASON"] == "not in the analysis set FAS"
    assert use.loc[10, "REASON"] == "AVAL missing"
    assert use["FITTED"].notna().sum() == len(frame) - 2
    np.testing.assert_allclose(
        (use["FITTED"] + use["RESIDUAL"]).dropna(), frame["AVAL"][use["FITTED"].notna()]
    )
    scaled = use["SCALED"].dropna()
    n, p = result.planned.fit.nobs, len(result.planned.fit.fixef)
    # REML: r'V^-1 r = n - p at the optimum.
    assert len(scaled) == n and float(scaled @ scaled) == pytest.approx(n - p, rel=1e-6)
    # Independent residuals of one variance: conditional ones over sigma, marginal ones over the
    # square root of the sum of the variances, which is the same at all rows.
    record = result.planned.fit
    sigma, sites = record.sigma, [v for t in record.random for v in t.variances]
    total = np.sqrt(sigma**2 + sum(sites))
    known = use["RESIDUAL"].notna()
    for column, wanted in (("PEARSON", use["RESIDUAL"] / sigma), ("NORMALIZED", use["PEARSON"]),
                           ("MPEARSON", use["MARGINAL"] / total)):  # fmt: skip
        assert use[column].notna().equals(known)
        np.testing.assert_allclose(use[column][known], wanted[known], rtol=1e-9)
    sums = np.square(use["MARGINAL"][known]).sum(), np.square(use["RESIDUAL"][known]).sum()
    assert sums[0] > sums[1]
    assert sum(u.rows for u in result.planned.uses) == len(frame)
    assert list(result.ranef.columns) == ["GROUP", "LEVEL", "TERM", "BLUP", "SE"]


def test_covariate_handling_takes_later_rows(data: dict[str, Any]) -> None:
    plan = plan_with(
        data, "AVAL ~ BASE + AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)", baseline=COVARIATE,
        primary={**data["primary"], "contrast": "level"},
    )  # fmt: skip
    frame = rows()
    frame = frame.drop(index=0)  # a patient without baseline
    frame = frame.drop(index=[4, 5])  # a patient with nothing later
    result = fit(plan, with_base(frame.reset_index(drop=True)))
    counts = {(u.use, u.reason): u.rows for u in result.planned.uses}
    assert counts == {
        ("used as outcome", ""): 156,
        ("used only as baseline", "baseline, enters the model as BASE"): 78,
        ("dropped", "the patient has no baseline reading"): 2,
        ("dropped", "baseline of a patient without a later reading in this model"): 1,
    }
    assert {c.kind for c in result.planned.contrasts} == {"level"}
    assert {m.visit for m in result.planned.means} == {"Month 6", "Month 12"}
    assert not any("no row used" in text for text in result.planned.cautions)


def test_contrasts_are_differences_of_means(data: dict[str, Any]) -> None:
    planned = fit(plan_with(data, MIXED), rows()).planned
    means = {(m.arm, m.visit): m.result.estimate for m in planned.means}
    for c in planned.contrasts:
        expected = means[c.arm, c.visit] - means["HIC", c.visit]
        if c.kind == "change":
            expected -= means[c.arm, "Baseline"] - means["HIC", "Baseline"]
        assert c.result.estimate == pytest.approx(expected, abs=1e-9)
    assert [(c.visit, c.kind) for c in planned.contrasts] == [
        ("Baseline", "level"), ("Month 6", "level"), ("Month 6", "change"),
        ("Month 12", "level"), ("Month 12", "change"),
    ]  # fmt: skip


def test_balanced_means_are_plain_means(data: dict[str, Any]) -> None:
    """Every patient at every visit and equal sites: the model's means are the observed ones."""
    frame = rows()
    planned = fit(plan_with(data, MIXED), frame).planned
    observed = frame.groupby(["TRT01P", "AVISIT"])["AVAL"].mean()
    for m in planned.means:
        assert m.result.estimate == pytest.approx(observed[m.arm, m.visit], abs=1e-6)


def test_covariates_at_mean_and_categories_equally(data: dict[str, Any]) -> None:
    formula = "AVAL ~ AGE + SEX + AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)"
    frame = rows()
    planned = fit(plan_with(data, formula), frame).planned
    beta = {e.name: e.estimate for e in planned.fit.fixef}
    expected = beta["(Intercept)"] + beta["AGE"] * frame["AGE"].mean() + beta["SEXMale"] / 2
    assert planned.means[0].result.estimate == pytest.approx(expected, abs=1e-9)


def test_week_of_the_grid_is_the_planned_one(data: dict[str, Any]) -> None:
    planned = fit(
        plan_with(data, "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 | USUBJID)"), rows()
    ).planned
    beta = {e.name: e.estimate for e in planned.fit.fixef}
    assert planned.primary.result.estimate == pytest.approx(52 * beta["WEEK:TRT01PTASSH+HIC"])


def test_missing_visit_is_said_and_missing_primary_stops(data: dict[str, Any]) -> None:
    frame = rows()
    planned = fit(plan_with(data, MIXED), frame[frame["AVISIT"] != "Month 6"]).planned
    assert "No reading at Month 6 is used." in planned.cautions
    with pytest.raises(ModelError, match="primary contrast can't be estimated"):
        fit(plan_with(data, MIXED), frame[frame["AVISIT"] != "Month 12"])


def test_empty_cell_is_not_invented(data: dict[str, Any]) -> None:
    frame = rows()
    empty = (frame["TRT01P"] == "TASSH+HIC") & (frame["AVISIT"] == "Month 6")
    planned = fit(plan_with(data, MIXED), frame[~empty]).planned
    assert ("TASSH+HIC", "Month 6") not in {(m.arm, m.visit) for m in planned.means}
    assert any(
        text.startswith("TASSH+HIC minus HIC at Month 6") and "can't be estimated" in text
        for text in planned.cautions
    )
    primary = (frame["TRT01P"] == "TASSH+HIC") & (frame["AVISIT"] == "Month 12")
    with pytest.raises(ModelError, match="primary contrast"):
        fit(plan_with(data, MIXED), frame[~primary])


def test_no_rows_left(data: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as error:
        fit(plan_with(data, MIXED), rows().assign(FASFL="N"))
    assert "240 not in the analysis set FAS" in str(error.value)


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("AVAL ~ AVISIT*TRT + (1 | SITEID)", "did you mean 'TRT01P'?"),
        ("CHG ~ AVISIT*TRT01P + (1 | SITEID)", "the response is CHG"),
        ("AVAL ~ BASE + AVISIT*TRT01P + (1 | SITEID)", "baseline.handling is outcome"),
        ("AVAL ~ AVISIT*TRT01P + USUBJID + (1 | SITEID)", "leaves nothing"),
        ("AVAL ~ AVISIT*TRT01P + (1 | WEEK)", "groups by WEEK"),
        ("AVAL ~ AVISIT*TRT01P + (1 | AGE)", "groups by AGE"),
        ("AVAL ~ AVISIT + (1 | SITEID)", "no treatment contrast"),
        ("AVAL ~ AVISIT + TRT01P + (1 | SITEID)", "0 by construction"),
        ("AVAL ~ AVISIT*TRT01P", "not a mixed model"),
        ("AVAL ~ CHG + AVISIT*TRT01P + (1 | SITEID)", "made of the outcome"),
    ],
)
def test_check_models(data: dict[str, Any], formula: str, says: str) -> None:
    (problem, *_) = check_models(plan_with(data, formula))
    assert problem.where == "models.m.formula"
    assert says in str(problem)


def test_check_models_wants_base_as_declared(data: dict[str, Any]) -> None:
    primary = {**data["primary"], "contrast": "level"}
    plan = plan_with(data, MIXED, baseline=COVARIATE, primary=primary)
    assert "BASE is missing" in str(check_models(plan)[0])
    ok = plan_with(data, FULL.replace("~ ", "~ BASE + "), baseline=COVARIATE, primary=primary)
    assert check_models(ok) == []


@pytest.mark.parametrize(
    ("random", "accepted"),
    [
        ("(1 | SITEID)", False),
        ("(1 | USUBJID)", False),
        ("(1 + AGE | SITEID)", False),
        ("(1 | SITEID) + (1 | SITEID:AVISIT)", True),
        ("(1 | SITEID) + (1 | AVISIT:SITEID)", True),
        ("(1 | SITEID/AVISIT)", True),
        ("(1 + WEEK | SITEID)", True),
        ("(0 + AVISIT | SITEID)", True),
    ],
)
def test_cluster_design_wants_site_by_visit_in_the_primary_model(
    data: dict[str, Any], random: str, accepted: bool
) -> None:
    formula = f"AVAL ~ AVISIT*TRT01P + {random}"
    found = check_models(plan_with(data, formula))
    if accepted:
        assert found == []
        return
    (problem,) = found
    assert problem.where == "models.m.formula"
    assert "no site-by-visit term" in problem.what
    assert problem.fix == "add + (1 | SITEID:AVISIT)"
    patients = plan_with(data, formula, design="individual", randomised_unit="USUBJID")
    assert check_models(patients) == []


def test_one_outcome_visit_needs_no_site_by_visit(data: dict[str, Any]) -> None:
    primary = {**data["primary"], "contrast": "level"}
    visits = [data["visits"][0], data["visits"][2]]
    formula = "AVAL ~ BASE + TRT01P + (1 | SITEID)"
    changes = {"baseline": COVARIATE, "primary": primary}
    assert check_models(plan_with(data, formula, visits=visits, **changes)) == []
    assert len(check_models(plan_with(data, formula, **changes))) == 1


def test_only_the_primary_model_must_have_site_by_visit(data: dict[str, Any]) -> None:
    assert check_models(Plan.model_validate(data)) == []


def test_comparisons_that_will_be_refused_are_noted(data: dict[str, Any]) -> None:
    data["models"]["nested"]["reml"] = False
    data["comparisons"].append({"question": "?", "smaller": "linear", "larger": "site_by_visit"})
    notes = {note.where: note.what for note in model_notes(Plan.model_validate(data))}
    assert list(notes) == ["comparisons.0", "comparisons.1", "comparisons.4"]
    assert "patient and nested is fitted by REML and the other by ML" in notes["comparisons.0"]
    assert "their fixed parts differ" in notes["comparisons.4"]


def test_comparisons_across_sets_are_noted(data: dict[str, Any]) -> None:
    data["analysis_sets"]["BAS"] = {"label": "x", "requires": ["baseline"]}
    data["models"]["patient"]["set"] = "BAS"
    (note,) = model_notes(Plan.model_validate(data))
    assert (note.where, "the sets BAS and FAS" in note.what) == ("comparisons.0", True)


def test_comparisons_of_one_fixed_part_in_other_words_are_not(data: dict[str, Any]) -> None:
    nested = data["models"]["nested"]
    nested["formula"] = nested["formula"].replace(
        "AVISIT*TRT01P", "TRT01P + AVISIT + TRT01P:AVISIT"
    )
    assert model_notes(Plan.model_validate(data)) == []


def test_a_factor_left_out_is_a_caution(data: dict[str, Any]) -> None:
    plan = plan_with(data, MIXED, stratification=["AREA"])
    assert "stratified by AREA" in next(stratification(plan, parse_formula(MIXED)))
    held = parse_formula(MIXED.replace("~ ", "~ AREA + "))
    assert list(stratification(plan, held)) == []


def test_stratification_by_site(data: dict[str, Any]) -> None:
    alone = "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)"
    plan = plan_with(data, alone, stratification=["SITEID"])
    assert "stratified by SITEID" in next(stratification(plan, parse_formula(alone)))
    for held in (MIXED, alone.replace("~ ", "~ SITEID + ")):
        assert list(stratification(plan, parse_formula(held))) == []


def test_line_misfit_names_the_visits() -> None:
    (text,) = line_misfit((MissedVisit("a", 2.04), MissedVisit("b", -3.0)))
    assert "a by +2.0, b by -3.0" in text
    assert list(line_misfit(())) == []


def test_a_missed_line_is_in_the_result(data: dict[str, Any]) -> None:
    frame = rows()
    bent = with_base(frame.assign(AVAL=frame["AVAL"] + 20 * (frame["AVISIT"] == "Month 6")))
    formula = "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 | USUBJID)"
    planned = fit(plan_with(data, formula), bent).planned
    # The definition, on the rows themselves.
    beta = {e.name: e.estimate for e in planned.fit.fixef}
    active = (bent["TRT01P"] == "TASSH+HIC").astype(float)
    line = beta["(Intercept)"] + beta["WEEK"] * bent["WEEK"]
    line += active * (beta["TRT01PTASSH+HIC"] + beta["WEEK:TRT01PTASSH+HIC"] * bent["WEEK"])
    at = (bent["AVAL"] - line).groupby(bent["AVISIT"])
    far = {v: m for v, m in at.mean().items() if abs(m) > 3 * at.std()[v] / np.sqrt(at.size()[v])}
    assert {one.visit: one.distance for one in planned.missed} == pytest.approx(far, abs=1e-9)
    assert "Month 6" in far
    assert any("straight line in WEEK misses" in text for text in planned.cautions)
    assert fit(plan_with(data, MIXED), bent).planned.missed == ()


@pytest.mark.parametrize(("factor", "said"), [(1.0, False), (3.0, True)])
def test_readings_that_scatter_unevenly_are_found(
    data: dict[str, Any], factor: float, said: bool
) -> None:
    frame = rows(sites=20, patients=12)
    noise = np.random.default_rng(8).normal(0, 5, len(frame))
    late = (frame["AVISIT"] == "Month 12").to_numpy()
    frame = with_base(frame.assign(AVAL=frame["AVAL"] + noise * late * (factor - 1)))
    planned = fit(plan_with(data, MIXED), frame).planned
    assert planned.uneven == said
    # Like with like: nothing is shrunk, so the SDs by visit are about what the variances add up to.
    cells = frame.groupby(["AVISIT", "TRT01P"])["AVAL"].transform("mean")
    own = (frame["AVAL"] - cells).groupby(frame["AVISIT"]).std()
    assert {x.visit: x.sd for x in planned.spread} == pytest.approx(dict(own), rel=0.02)
    variance = planned.fit.sigma**2 + sum(t.variances[0] for t in planned.fit.random)
    assert planned.held == pytest.approx(np.sqrt(variance), rel=1e-12)
    pooled = np.sqrt(np.mean([x.sd**2 for x in planned.spread]))
    assert planned.held == pytest.approx(pooled, rel=0.05)
    # Of the primary model alone the scaled ones are known: their squares add up to about n - p.
    whole = sum(x.rows * x.rms**2 for x in planned.spread)
    assert whole == pytest.approx(planned.fit.nobs - len(planned.fit.fixef), rel=0.05)


def test_uneven_needs_a_ratio_and_readings_and_one_variance(data: dict[str, Any]) -> None:
    def found(*sds: float, rows: int = 100) -> tuple[VisitSpread, ...]:
        return tuple(VisitSpread(str(i), rows, sd, np.nan) for i, sd in enumerate(sds))

    fitted = fit(plan_with(data, MIXED), rows()).planned.fit
    assert uneven(fitted, found(10, 12, 13))
    assert not uneven(fitted, found(10, 12, 12.4))
    assert not uneven(fitted, found(10, 30, rows=39))
    slopes = "AVAL ~ WEEK*TRT01P + (1 + WEEK | USUBJID)"
    fitted = fit(plan_with(data, slopes), rows()).planned.fit
    assert not uneven(fitted, found(10, 30))
    assert np.isnan(held_sd(fitted))


def test_primary_without_site_by_visit_is_said(data: dict[str, Any]) -> None:
    plan = plan_with(data, MIXED)
    (text,) = site_by_visit(plan, "m", parse_formula(MIXED), 3)
    assert "nevertheless the primary model" in text
    assert "standard error of a change between visits" in text
    level = plan_with({**data, "primary": {**data["primary"], "contrast": "level"}}, MIXED)
    (text,) = site_by_visit(level, "m", parse_formula(MIXED), 2)
    assert "standard error of a level at one visit" in text
    assert list(site_by_visit(plan, "m", parse_formula(MIXED), 1)) == []
    assert list(site_by_visit(plan, "m", parse_formula(FULL), 3)) == []
    alone = plan_with(data, MIXED, design="individual", randomised_unit="USUBJID")
    assert list(site_by_visit(alone, "m", parse_formula(MIXED), 3)) == []


def test_variance_of_zero_is_said_and_kept(data: dict[str, Any]) -> None:
    frame = rows()
    centre = frame.groupby(["SITEID", "AVISIT"])["AVAL"].transform("mean")
    arm = frame.groupby(["TRT01P", "AVISIT"])["AVAL"].transform("mean")
    planned = fit(
        plan_with(data, MIXED), with_base(frame.assign(AVAL=frame["AVAL"] - centre + arm))
    ).planned
    assert planned.fit.random[0].variances == (0.0,)
    text = " ".join(planned.cautions)
    assert "variance of the level between sites is estimated as 0" in text
    assert "not proof that there is none" in text


def test_between_within_refuses_groupings_that_cross(data: dict[str, Any]) -> None:
    (found,) = check_models(plan_with({**data, "df": "between-within"}, FULL))
    assert "(1 | SITEID:AVISIT) crosses patients" in found.what
    assert check_models(plan_with({**data, "df": "kenward-roger"}, FULL)) == []


@pytest.mark.parametrize(
    ("df", "reml", "method", "information"),
    [("kenward-roger", True, "kenward-roger", "expected"),
     ("kenward-roger", False, "satterthwaite", "observed"),
     ("between-within", True, "between-within", ""), ("asymptotic", False, "asymptotic", "")],
)  # fmt: skip
def test_a_fit_says_its_degrees_of_freedom(
    data: dict[str, Any], df: str, reml: bool, method: str, information: str
) -> None:
    nested = {"label": "n", "formula": MIXED, "set": "FAS", "reml": True}
    models = {"m": nested, "other": {**nested, "reml": reml}}
    primary = {**data["primary"], "model": "m"}
    plan = plan_with({**data, "df": df, "primary": primary}, models=models, comparisons=[])
    fit = fit_planned(plan, rows(), "SYSBP", "other").planned.fit
    assert (fit.df_method, fit.df_information) == (method, information)
    assert all(np.isinf(e.df) for e in fit.fixef) == (df == "asymptotic")


def test_a_smaller_model_by_ml_needs_no_primary_contrast(data: dict[str, Any]) -> None:
    models = {
        name: {"label": name, "formula": formula, "set": "FAS", "reml": False}
        for name, formula in (("m", FULL), ("add", FULL.replace("AVISIT*TRT01P", "AVISIT")))
    }
    changes = {
        "models": models,
        "comparisons": [{"question": "?", "smaller": "add", "larger": "m"}],
    }
    by_ml = {**data, "primary": {**data["primary"], "model": "m"}}
    with pytest.raises(ValueError, match="Kenward-Roger corrects a fit by REML"):
        plan_with({**by_ml, "df": "kenward-roger"}, **changes)
    plan = plan_with({**by_ml, "df": "satterthwaite"}, **changes)
    assert check_models(plan) == []
    frame = rows()
    fits = {name: fit_planned(plan, frame, "SYSBP", name).planned for name in ("add", "m")}
    assert fits["add"].primary is None
    moments = {name: [own.moments] for name, own in batch_moments(plan, frame, "SYSBP").items()}
    (test,) = compare_batches(plan, fits, moments).tests
    assert (test.refused, test.method, test.df) == ("", "ML", 3)
    assert test.p_mixture is None
