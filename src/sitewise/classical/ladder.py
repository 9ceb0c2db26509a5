"""Which model, and does it matter? The primary contrast under every usual analysis.

The same contrast of the same fixed part on the same rows, from plain least squares to the plan's
primary model; only the repeated-measures ANOVA has fewer rows, since it drops incomplete patients.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.anova_contrast import by_strata
from sitewise.classical.answer import Answer
from sitewise.classical.clustered import Exchangeable, cr2_df, sandwich
from sitewise.classical.complete_cases import refusal
from sitewise.classical.covariance_choice import choose_covariance, primary_row
from sitewise.classical.gee import fit_gee
from sitewise.classical.ladder_result import CovarianceChoice, Ladder, Rung, Share
from sitewise.classical.least_squares import within
from sitewise.classical.mixed_rungs import (
    MIXED,
    SITE,
    blank,
    mark_planned,
    mixed_rung,
    rung_of,
    se_of,
    shares_of,
)
from sitewise.classical.question import Question, answer, arms_constant, counts, over
from sitewise.classical.result import AnovaRow
from sitewise.errors import ModelError
from sitewise.lmm.formula import fixed_columns
from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID, WEEK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Asker = Callable[["Floats"], Answer | None]
NOTHING = 1e-6  # of the plain SE: a robust one below it has no residual to be made of
UNIT = {SITEID: "site", USUBJID: "patient"}


def climb(
    question: Question, endpoint: str, primary: Mapping[str, Any], anova: Sequence[AnovaRow]
) -> Ladder:
    """The ladder of one endpoint.

    question: `pose(...)`. primary: the primary model's fit as plain data (`fit.json`). anova: the
    mixed ANOVA of the complete cases of the same analysis set, without rows where there is none.
    The guard holds all relatives and comes after them (`guard.guard_of`).
    """
    rungs = [*_least_squares(question)]
    shares: list[Share] = []
    for key, (label, random) in MIXED.items():
        rung, fit = mixed_rung(question, key, label, question.formula(random))
        rungs.append(rung)
        if fit is not None and key in ("nested", "site_by_visit"):
            shares += shares_of(key, fit)
    chosen = choose_covariance(question, question.plan.covariance)
    label = f"MMRM, {chosen.choice.taken or 'no covariance usable'}"
    if chosen.fit is None:
        why = "no residual covariance of the plan's order could be used"
        rungs.append(blank(question, "mmrm", label, "", why))
    else:
        rungs.append(rung_of(question, "mmrm", label, chosen.fit))
        if question.cluster == SITEID:  # without the unit that was randomised it is no analysis
            formula = question.formula(f"{SITE} + {chosen.fit.basis.formula.residual}")
            rungs.append(mixed_rung(question, "mmrm_site", f"{label}, with site", formula)[0])
    rungs += _gee(question)
    rungs.append(_anova(question, anova))
    rungs = [_effective(rung, rungs[0]) for rung in mark_planned(question, rungs, primary)]
    beside = primary_row(question, chosen.choice.rows, primary)
    choice = replace(chosen.choice, primary=beside)
    return _ladder(question, endpoint, rungs, shares, choice)


def _ladder(
    question: Question,
    endpoint: str,
    rungs: list[Rung],
    shares: list[Share],
    choice: CovarianceChoice,
) -> Ladder:
    by_key = {rung.key: rung for rung in rungs}
    planned = next(rung for rung in rungs if rung.planned)
    ols, nested, patient = by_key["ols"], by_key["nested"], by_key["patient"]
    return Ladder(
        endpoint=endpoint,
        contrast=question.contrast,
        base=question.base_name if question.base is not None else "",
        cluster=question.cluster,
        clusters=int(question.rows[question.cluster].nunique()),
        rungs=tuple(rungs),
        shares=tuple(shares),
        ratio=over(se_of(ols.answer), se_of(planned.answer)),
        base_ratio=over(se_of(ols.base), se_of(planned.base)),
        site_ratio=over(se_of(nested.answer), se_of(patient.answer)),
        base_site_ratio=over(se_of(nested.base), se_of(patient.base)),
        covariance=choice,
        guard=None,
    )


def _effective(rung: Rung, ols: Rung) -> Rung:
    if rung.answer is None or ols.answer is None:
        return rung
    return replace(rung, effective=ols.rows * over(ols.answer.se, rung.answer.se) ** 2)


def _least_squares(question: Question) -> list[Rung]:
    """Plain, cluster-robust, sites as fixed effects."""
    X, y, alpha = question.design.X, question.design.y, question.plan.alpha
    line = question.line
    clusters = Exchangeable(question.codes(question.cluster))
    robust = sandwich(X, line.residuals, clusters)
    unit = UNIT[question.cluster]

    def plain(row: "Floats") -> Answer:
        return answer(*line.of(row), float(line.df), alpha)

    def cr2(row: "Floats") -> Answer | None:
        se = math.sqrt(float(row @ robust.vcov["kc"] @ row))
        if not se > NOTHING * line.of(row)[1]:
            return None
        return answer(float(row @ line.beta), se, cr2_df(X, clusters, row), alpha)

    def sited(row: "Floats") -> Answer | None:
        found = within(X, y, question.codes(SITEID), row)
        return None if found is None else answer(found[0], found[1], float(found[2]), alpha)

    alone = (
        f"In {robust.alone} clusters a column is determined by one cluster alone; the correction"
        " leaves it as it is.",
    )
    single = "one cluster alone determines it, so the clusters' residuals say nothing on its error"
    why = "the data do not determine it beside a fixed effect of every site"
    if arms_constant(question.rows):
        why = "the arm is constant within every site, so its effect is one of the site effects"
    return [
        _filled(question, "ols", "Least squares, hierarchy ignored", plain, df="n - p"),
        replace(
            _filled(question, "ols_robust", f"Least squares, SE robust to clusters ({unit}, CR2)",
                    cr2, df="Satterthwaite of CR2", why=single),
            notes=alone if robust.alone else (),
        ),
        _filled(question, "site_fixed", "Least squares, site as fixed effect", sited,
                df="n - sites - rank", why=why),
    ]  # fmt: skip


def _filled(
    question: Question, key: str, label: str, ask: Asker, *, df: str, why: str = ""
) -> Rung:
    """A rung whose answers `ask` gives for each row of weights."""
    if question.row is None:
        return blank(question, key, label, "", "the primary contrast is not estimable")
    found = ask(question.row)
    base = None if question.base is None else ask(question.base)
    rung = blank(question, key, label, "", "" if found is not None else why)
    if found is not None and question.base is not None and base is None:
        rung = replace(rung, notes=(f"The arms at baseline are not estimable: {why}.",))
    return replace(rung, answer=found, base=base, df_method=df if found is not None else "")


def _gee(question: Question) -> list[Rung]:
    """Exchangeable within the randomised unit, two small-sample corrections."""
    X, y = question.design.X, question.design.y
    unit = UNIT[question.cluster]
    names = {"kc": "Kauermann-Carroll", "md": "Mancl-DeRouen"}
    labels = {key: f"GEE, exchangeable in {unit}, {name}" for key, name in names.items()}
    try:
        fit = fit_gee(X, y, question.codes(question.cluster))
    except ModelError as error:
        said = " ".join(str(error).split())
        return [blank(question, f"gee_{k}", label, "", said) for k, label in labels.items()]
    df, plain = float(fit.clusters - X.shape[1]), question.line

    def asker(name: str) -> Asker:
        def ask(row: "Floats") -> Answer | None:
            if df <= 0:
                return None
            se = math.sqrt(float(row @ fit.robust.vcov[name] @ row))
            if not se > NOTHING * plain.of(row)[1]:
                return None
            return answer(float(row @ fit.beta), se, df, question.plan.alpha)

        return ask

    why = "one cluster alone determines it, so the clusters' residuals say nothing on its error"
    if df <= 0:
        why = f"{fit.clusters} clusters for {X.shape[1]} fixed effects leave no degrees of freedom"
    said = f"Working correlation {fit.rho:.3f}."
    return [
        replace(
            _filled(question, f"gee_{k}", labels[k], asker(k), df="clusters - p", why=why),
            notes=(said,),
        )
        for k in names
    ]


def _anova(question: Question, anova: Sequence[AnovaRow]) -> Rung:
    """The repeated-measures ANOVA's own strata, on complete cases."""
    label = "Repeated-measures ANOVA, complete cases"
    extra = set(fixed_columns(question.design.formula)) - {TRT01P, AVISIT, WEEK}
    rows, visits = question.rows, question.visits
    complete = question.complete
    present = set(rows[TRT01P].unique())
    arms = [arm for arm in question.plan.arms.levels if arm in present]
    why = refusal(rows, complete, visits, arms)
    if not why and not anova:
        why = "there is no ANOVA of these rows"
    if not why and extra:
        why = f"the ANOVA takes no covariate, and the primary model has {', '.join(sorted(extra))}"
    if why or question.row is None:
        return blank(question, "anova", label, "", why or "the primary contrast is not estimable")
    kept = rows[USUBJID].isin(complete[USUBJID]).to_numpy() & rows[AVISIT].isin(visits).to_numpy()
    X, y = question.design.X[kept], question.design.y[kept]
    patients = np.unique(question.codes(USUBJID)[kept], return_inverse=True)[1]
    by_effect = {row.effect: row for row in anova}

    def ask(row: "Floats") -> Answer:
        return answer(*by_strata(X, y, patients, row, by_effect), question.plan.alpha)

    n, people, sites = counts(rows[kept])
    rung = _filled(question, "anova", label, ask, df="the ANOVA's error strata")
    return replace(rung, rows=n, patients=people, sites=sites)
