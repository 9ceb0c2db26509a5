"""The cross-check: mixed ANOVA of complete cases beside mixed models, and what differs (rule 8)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.complete_cases import complete_cases, dropped_patients, refusal
from sitewise.classical.crosscheck_notes import agreement, assumptions, site_note, size_note
from sitewise.classical.result import AnovaRow, ContrastRow, CrossCheck, FTest
from sitewise.classical.rmanova import Anova, mixed_anova
from sitewise.classical.type3 import EFFECTS, cell_rows, f_p_value, type3_hypotheses, wald_f
from sitewise.errors import ModelError
from sitewise.plan.model import Plan
from sitewise.terms import AVAL, AVISIT, SITEID, TRT01P, USUBJID
from sitewise.trial.selection import factor_levels, outcome_visits, select_rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.result import Estimate, Fit

    Floats = NDArray[np.float64]

BLINDED = "withheld while the trial is blinded: it compares arms"
CELL_MEANS = f"{AVAL} ~ {AVISIT}*{TRT01P}"
PATIENT = f"{CELL_MEANS} + (1 | {USUBJID})"
SITE = f"{CELL_MEANS} + (1 | {SITEID}) + (1 | {USUBJID})"


@dataclass(frozen=True)
class _Checked:
    """One mixed model of the cross-check; `refused` says why there is none."""

    patients: int
    fit: "Fit | None" = None
    f: Mapping[str, float] = field(default_factory=dict)
    df1: Mapping[str, int] = field(default_factory=dict)
    tests: "pd.DataFrame | None" = None
    contrast: "Estimate | None" = None
    arm: "Estimate | None" = None
    refused: str = ""


def cross_check(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, primary: Mapping[str, Any]
) -> CrossCheck:
    """Mixed ANOVA of one endpoint on complete cases, beside (1 | USUBJID) on these and on all.

    frame: analysis rows (adbp). primary: the primary model's fit as plain data (`fit.json`); its
    `primary`, `patients` and `label` are used. The rows are those of the primary model's analysis
    set; with the baseline as covariate the visits after baseline, without the covariate.
    """
    if plan.blinded:
        return CrossCheck(endpoint, BLINDED, 0, 0, (), (), (), (), (), (), (), ())
    selected = select_rows(plan, frame, endpoint, plan.primary.model)
    # Patients are counted in the whole analysis set: one without a baseline that the model needs,
    # or without a later reading, is dropped by complete cases and must not vanish from the count.
    mine = selected.rows[f"{plan.models[plan.primary.model].set}FL"] == "Y"
    in_set = selected.rows.loc[mine, [SITEID, USUBJID, TRT01P]]
    visits = tuple(visit.name for visit in outcome_visits(plan))
    rows = selected.candidates[[SITEID, USUBJID, TRT01P, AVISIT, AVAL]]
    rows = rows[rows[AVISIT].isin(visits)]
    del selected
    arms = _arms_of(plan, rows)
    complete = complete_cases(rows, visits)
    refused = refusal(rows, complete, visits, arms)
    table, notes = Anova((), ()), list[str]()
    kept, everybody = _Checked(_count(complete)), _mixed(plan, rows, PATIENT, arms, visits)
    if not refused:
        table = mixed_anova(complete)
        kept = _mixed(plan, complete, PATIENT, arms, visits)
        notes = _notes(plan, complete, arms, visits, table.rows)
    return CrossCheck(
        endpoint=endpoint,
        refused=refused,
        patients=_count(in_set),
        complete=_count(complete),
        by_arm=dropped_patients(in_set, complete, TRT01P, _arms_of(plan, in_set)),
        by_site=dropped_patients(in_set, complete, SITEID),
        anova=table.rows,
        mixed_complete=_complete_tests(kept, table.rows, equal=_equal_arms(complete)),
        mixed_all=_all_tests(everybody),
        contrasts=_contrasts(kept, everybody, primary),
        notes=(*notes, *_refusals(everybody, kept), *assumptions(plan, len(visits))),
        warnings=table.warnings,
    )


def _arms_of(plan: Plan, rows: "pd.DataFrame") -> list[str]:
    """The arms that these rows hold, the reference first."""
    present = set(rows[TRT01P].unique())
    return [arm for arm in plan.arms.levels if arm in present]


def _equal_arms(complete: "pd.DataFrame") -> bool:
    return int(complete.groupby(TRT01P, observed=True)[USUBJID].nunique().nunique()) == 1


def _notes(
    plan: Plan,
    complete: "pd.DataFrame",
    arms: Sequence[str],
    visits: Sequence[str],
    anova: Sequence[AnovaRow],
) -> list[str]:
    """Sentences that hold where there is an ANOVA."""
    kept = dropped_patients(complete, complete, TRT01P, arms)
    notes = [size_note([(row.level, row.patients) for row in kept])]
    if plan.design == "cluster":
        # The same complete cases with the sites that were randomised: what df the arm has then.
        with_sites = _mixed(plan, complete, SITE, arms, visits)
        df = with_sites.arm.df if with_sites.arm else math.nan
        notes.append(site_note(plan, anova[0].df2, df))
    return notes


def _refusals(everybody: _Checked, kept: _Checked) -> list[str]:
    """Why a mixed model of the cross-check is missing."""
    return [
        f"The mixed model with a patient intercept on {who} could not be fitted: {checked.refused}."
        for who, checked in (("all patients", everybody), ("complete cases", kept))
        if checked.refused
    ]


def _contrasts(
    kept: _Checked, everybody: _Checked, primary: Mapping[str, Any]
) -> tuple[ContrastRow, ...]:
    """The primary contrast by cell means with a patient intercept, and as planned."""
    rows = [
        _contrast_row(
            f"cell means, patient intercept, {who}", checked.patients, to_numbers(checked.contrast)
        )
        for who, checked in (("complete cases", kept), ("all patients", everybody))
        if checked.contrast is not None
    ]
    result = primary["primary"]["result"]
    name = f"primary model: {primary['label']}"
    return (*rows, _contrast_row(name, int(primary["patients"]), result))


def to_numbers(estimate: "Estimate") -> Mapping[str, Any]:
    """An estimate as plain data, as `fit.json` has it."""
    return {name: getattr(estimate, name) for name in ("estimate", "se", "df", "p")}


def _contrast_row(analysis: str, patients: int, numbers: Mapping[str, Any]) -> ContrastRow:
    return ContrastRow(
        analysis=analysis,
        patients=patients,
        # A result file writes NaN and infinities as text, which float() reads.
        estimate=float(numbers["estimate"]),
        se=float(numbers["se"]),
        df=float(numbers["df"]),
        p=float(numbers["p"]),
    )


def _count(rows: "pd.DataFrame") -> int:
    return int(rows[USUBJID].nunique())


def _mixed(
    plan: Plan, rows: "pd.DataFrame", formula: str, arms: Sequence[str], visits: Sequence[str]
) -> _Checked:
    """Fit cell means with random intercepts; a model that can't be fitted says why."""
    from sitewise.lmm.api import fit_frame
    from sitewise.lmm.design import build_design
    from sitewise.lmm.record import record_of

    patients = _count(rows)
    seen = set(rows[AVISIT].unique())
    visits = [visit for visit in visits if visit in seen]
    try:
        design = build_design(formula, rows, factor_levels(plan))
        if design.aliased:
            empty = ", ".join(design.aliased)
            return _Checked(patients, refused=f"an arm has no reading at a visit ({empty})")
        cells = cell_rows(design, arms, visits)
        effects = type3_hypotheses(cells)
        row = primary_row(plan, cells, arms, visits)
        asked = {} if row is None else {"primary": row}
        if len(arms) == 2:
            asked[TRT01P] = effects[TRT01P][0]
        fitted = fit_frame(design, reml=True)
        fit = record_of(fitted, alpha=plan.alpha, df=plan.df, hypotheses=asked)
        table = fitted.anova(plan.df)
    except ModelError as error:
        return _Checked(patients, refused=" ".join(str(error).split()))
    beta = np.array([e.estimate for e in fit.fixef])
    vcov = np.array(fit.vcov)
    found = {e.name: e for e in fit.hypotheses}
    return _Checked(
        patients=patients,
        fit=fit,
        f={name: wald_f(L, beta, vcov) for name, L in effects.items()},
        df1={name: len(L) for name, L in effects.items()},
        tests=table,
        contrast=found.get("primary"),
        arm=found.get(TRT01P),
    )


def primary_row(
    plan: Plan, cells: "Floats", arms: Sequence[str], visits: Sequence[str]
) -> "Floats | None":
    """L of the primary contrast, shape (p,); None where the rows lack its arms or visits."""
    change = plan.primary.contrast == "change"
    wanted = {plan.primary.visit, *([plan.baseline_visit.name] if change else [])}
    if not ({plan.primary.arm, plan.arms.reference} <= set(arms) and wanted <= set(visits)):
        return None
    difference = cells[arms.index(plan.primary.arm)] - cells[arms.index(plan.arms.reference)]
    row: Floats = difference[visits.index(plan.primary.visit)]
    if change:
        row = row - difference[visits.index(plan.baseline_visit.name)]
    return row


def _complete_tests(kept: _Checked, anova: Sequence[AnovaRow], *, equal: bool) -> tuple[FTest, ...]:
    """F of the mixed model on complete cases, on the ANOVA's denominator degrees of freedom.

    These are exact there: the cells are balanced within patients, so each F is a ratio of the
    ANOVA's mean squares (unless the patient variance is estimated as 0).
    """
    if kept.fit is None:
        return ()
    positive = not kept.fit.singularity.singular
    tests = []
    for row in anova:
        f = kept.f[row.effect]
        df2 = row.df2 if positive else math.nan
        tests.append(
            FTest(
                effect=row.effect,
                f=f,
                df1=row.df1,
                df2=df2,
                p=f_p_value(f, row.df1, df2),
                agreement=agreement(row, f, equal=equal, positive=positive),
            )
        )
    return tuple(tests)


def _all_tests(everybody: _Checked) -> tuple[FTest, ...]:
    """F of the mixed model on all patients, by the plan's method of degrees of freedom."""
    if everybody.tests is None:
        return ()
    said = "other patients than the ANOVA's: F need not agree"
    tests = []
    for effect in EFFECTS:
        row = everybody.tests.loc[":".join(sorted(effect.split(":")))].to_dict()
        f, df1, df2, p = (float(row[name]) for name in ("F", "df1", "df2", "p"))
        tests.append(FTest(effect, f, df1, df2, p, said))
    return tuple(tests)
