"""The primary analysis without each site in turn: cells subtracted, variances estimated anew.

Where there are no cells by site (rows without a schedule, a primary model without a random term of
sites) the model is fitted to the rows of the other sites: the same numbers, slower.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import LeftOut
from sitewise.classical.question import Question, over, state_of, tested
from sitewise.errors import ModelError
from sitewise.terms import SITEID, USUBJID

if TYPE_CHECKING:
    import numpy as np

    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.wide import Wide

MOST_SITES = 200


def leave_sites_out(question: Question, primary: Answer | None) -> tuple[LeftOut, ...]:
    """One row a site, sorted by SITEID.

    primary: the answer with all sites. Each search starts where that with all sites ended.
    """
    count = int(question.rows[SITEID].nunique())
    # ASSUME: with more sites than this no single one moves the answer enough to be worth the time.
    part: Wide | str | None = f"there are {count} sites; up to {MOST_SITES} are left out one by one"
    if count <= MOST_SITES:
        part = _part(question)
    near = _whole(question, part) if part is not None and not isinstance(part, str) else None
    patients = question.rows.groupby(SITEID, observed=True)[USUBJID].nunique()
    return tuple(
        _without(
            question,
            part,
            near,
            LeftOut(str(site), int(patients[site]), None, math.nan, math.nan, "", ""),
            primary,
        )
        for site in sorted(patients.index)
    )


def _part(question: Question) -> "Wide | str | None":
    """Moments of the primary model; None where they have no cells by site; or what is wrong."""
    from sitewise.lmm.api import schedule_of
    from sitewise.lmm.tally import build_wide

    design = question.design
    try:
        schedule = schedule_of(design)
        if schedule is None:
            return None
        part = build_wide(
            design.formula, design.data, design.hierarchy, schedule, fixed=design.columns
        )
    except ModelError as error:
        return " ".join(str(error).split())
    if not any((SITEID,) in (level.group, *level.names) for level in part.levels):
        return None
    return part


def _whole(question: Question, part: "Wide") -> "np.ndarray | None":
    """The covariance parameters with all sites, where the searches start."""
    from sitewise.lmm.api import basis_of_part, fit_part

    try:
        return fit_part(part, basis_of_part(part), question.reml).solution.phi
    except ModelError:
        return None  # each site's own search says what is wrong


def _without(
    question: Question,
    part: "Wide | str | None",
    near: "np.ndarray | None",
    out: LeftOut,
    primary: Answer | None,
) -> LeftOut:
    if isinstance(part, str):
        return replace(out, refused=part)
    if question.row is None:
        return replace(out, refused="the primary contrast is not estimable")
    try:
        fit = _fit(question, part, near, out.site)
        if tuple(fit.estimates.names) != question.design.names:
            return replace(out, refused="without it the other sites do not determine the contrast")
        found = tested(fit, question.row, question.plan)
    except ModelError as error:
        return replace(out, refused=" ".join(str(error).split()))
    out = replace(out, answer=found, state=state_of(fit))
    if primary is None:
        return out
    return replace(
        out, change=found.estimate - primary.estimate, se_ratio=over(found.se, primary.se)
    )


def _fit(question: Question, part: "Wide | None", near: "np.ndarray | None", site: str) -> "LmmFit":
    """The primary model without a site, from its cells or from the rows."""
    from sitewise.lmm.api import basis_of_part, fit_part
    from sitewise.lmm.without import without_unit

    if part is None:
        rows = question.rows[question.rows[SITEID].astype(str) != site].reset_index(drop=True)
        return question.fit(question.design.formula.text, rows)
    left = without_unit(part, (SITEID,), site)
    return fit_part(left, basis_of_part(left), question.reml, near)
