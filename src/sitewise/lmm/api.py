"""`sitewise.lmm(formula, data)`: from a frame or from moments to a fit."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.arguments import check_call
from sitewise.lmm.basis import Basis, FittedTerm
from sitewise.lmm.certificate import certify, not_identified
from sitewise.lmm.conditioned_rows import BasedMoments, keep_columns, keep_effects
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.digest import digest, row_sums
from sitewise.lmm.engine import build_model, row_moments_of, solve
from sitewise.lmm.estimates import estimates_of
from sitewise.lmm.hierarchy import Level
from sitewise.lmm.identified import remarks
from sitewise.lmm.joint import refuse_unseen_pairs, singular_words
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.model import Model
from sitewise.lmm.moments import Moments
from sitewise.lmm.row_part import RowPart, occurring, occurring_effects
from sitewise.lmm.schedule import Schedule, find_schedule
from sitewise.lmm.structures import INSIDE
from sitewise.lmm.tally import build_wide
from sitewise.lmm.threads import one_thread
from sitewise.lmm.wide import Wide

if TYPE_CHECKING:
    import pandas as pd


def lmm(
    formula: str,
    data: "pd.DataFrame | Moments",
    reml: bool = True,
    levels: Mapping[str, Sequence[str]] | None = None,
    **others: object,
) -> LmmFit:
    """Fit a linear mixed model by REML or ML.

    formula: as lme4 and mmrm write it, `y ~ x * visit + (1 | site) + (1 + week | patient)`, or with
    a residual covariance `us(visit | patient)` (cs, csh, ar1, ar1h). data: a frame with one row an
    observation, or `sitewise.moments(...)` that hold the formula. levels: columns that are factors,
    their levels in order, the first the reference; other text columns are factors with sorted
    levels, identifiers are read as text. others: none yet; weights and offset are refused by name.
    Raises ModelError, with every problem found, where the model can't be built or has no estimate.
    """
    check_call(formula, data, reml, levels, others)
    if isinstance(data, Moments):
        if levels:
            raise ModelError(
                "Moments have their levels already.",
                [Problem("levels were given with moments", where="levels",
                         fix="name them when the moments are made: moments(..., levels=)")],
            )  # fmt: skip
        return fit_moments(formula, data, reml)
    return fit_frame(build_design(formula, data, levels or {}), reml)


@one_thread
def fit_moments(formula: str, moments: Moments, reml: bool) -> LmmFit:
    """The fit of a formula that the moments hold."""
    part = moments.part(formula)
    check_whole(part)
    return fit_part(based_part(part), basis_of_part(part), reml)


def basis_of_part(part: Wide | RowPart) -> Basis:
    """What is fitted where a part is."""
    parsed = part.formula
    if isinstance(part, RowPart):
        labels, across = part.moments.labels, part.moments.across
        terms = [
            FittedTerm(
                str(parsed.random[i]), parsed.random[i].group_name,
                tuple(name for name, k in zip(names, keep, strict=True) if k),
                () if own == ("",) else own, term.level, labels[term.level],
                part.moments.groups[term.level],
            )
            for (i, names), own, term, keep in zip(
                part.terms, across, part.moments.based.terms, occurring_effects(part), strict=True
            )
        ]  # fmt: skip
        subjects = len(labels[0])
    else:
        terms = [
            FittedTerm(str(e.spec), e.spec.group_name, e.names, (), INSIDE, (), part.patient)
            for e in part.patient_effects
        ]
        terms += [
            FittedTerm(
                str(e.spec),
                e.spec.group_name,
                e.names,
                e.across_labels,
                k,
                level.labels,
                level.group,
            )
            for k, level in enumerate(part.levels)
            for e in level.effects
        ]
        subjects = part.npatients
    return Basis(
        parsed, dict(part.factors), dict(part.declared), part.nframe, dict(part.dropped),
        subjects, digest(part.digest), part.notes, tuple(terms), *_schedule_names(part),
    )  # fmt: skip


def _declared(design: Design) -> dict[str, tuple[str, ...]]:
    """Factors, and the slot, whose order the user gave: levels that occur."""
    rows = design.data
    return {name: rows.labels[name] for name in sorted(rows.declared)}


def _schedule_names(part: Wide | BasedMoments | RowPart) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that name the patient and the slot; none without a schedule."""
    return (part.patient, part.slot_variables) if isinstance(part, Wide) else ((), ())


def based_part(part: Wide | RowPart) -> Wide | BasedMoments:
    """What a model is built on."""
    if isinstance(part, Wide):
        return part
    return keep_effects(keep_columns(part.moments.based, occurring(part)), occurring_effects(part))


def check_whole(part: Wide | RowPart) -> None:
    """Refuse what batches could not judge: ModelError with all problems."""
    where, problems = part.formula.text, []
    for name, labels in part.factors.items():
        if len(labels) < 2:
            problems.append(
                Problem(f"{name} has one level only in all batches: {', '.join(labels)}",
                        where=where, allowed="two levels or more",
                        fix="take it out of the formula, or see why the data lack the others")
            )  # fmt: skip
    levels = (
        list(zip(part.moments.groups, part.moments.labels, strict=True))
        if isinstance(part, RowPart)
        else [(level.group, level.labels) for level in part.levels]
    )
    for group, labels in levels:
        if len(labels) < 2:
            problems.append(
                Problem(f"{':'.join(group)} has one level in all batches: {', '.join(labels)}",
                        where=where, allowed="two levels or more of a grouping",
                        fix="take the term out, or see why the data hold one level only")
            )  # fmt: skip
    if problems:
        raise ModelError("A variance or an effect of the model is not identified.", problems)


@one_thread
def fit_frame(design: Design, reml: bool) -> LmmFit:
    """The fit of a design."""
    schedule = schedule_of(design)
    part: Wide | BasedMoments
    if schedule is None:
        part = row_moments_of(design.data, design.hierarchy, design.columns)
        sums = row_sums((), design.y)
    else:
        part = build_wide(
            design.formula, design.data, design.hierarchy, schedule, fixed=design.columns
        )
        sums = part.digest
    basis = Basis(
        design.formula, dict(design.levels), _declared(design), len(design.used),
        {name: int(mask.sum()) for name, mask in design.dropped.items()},
        len(design.hierarchy[0].labels), digest(sums), design.data.notes,
        fitted_terms(design.hierarchy, schedule), *_schedule_names(part),
    )  # fmt: skip
    return fit_part(part, basis, reml)


def schedule_of(design: Design) -> Schedule | None:
    """The schedule of a design's rows; None where the row is the unit."""
    found = find_schedule(design.formula, design.data, design.hierarchy)
    return None if isinstance(found, str) else found


def fitted_terms(hierarchy: tuple[Level, ...], schedule: Schedule | None) -> tuple[FittedTerm, ...]:
    """Every random term with its place in the recursion."""
    first = 0 if schedule is None else 1
    return tuple(
        FittedTerm(
            str(e.spec), e.spec.group_name, tuple(c.name for c in e.columns), e.across_labels,
            k - first if k >= first else INSIDE, level.labels, level.group,
        )
        for k, level in enumerate(hierarchy)
        for e in level.effects
    )  # fmt: skip


def fit_part(
    part: Wide | BasedMoments, basis: Basis, reml: bool, near: np.ndarray | None = None
) -> LmmFit:
    """Search, certify, map back. near: as `engine.solve` has it."""
    model = build_model(part, reml)
    notes = identification(model, basis.formula.text)
    solution = solve(model, basis.formula.text, near)
    estimates = estimates_of(solution)
    gone = (
        f"Dropped because they are combinations of other columns: {', '.join(estimates.aliased)}."
        if estimates.aliased
        else ""
    )
    lost = singular_words(model, solution.found.best)
    said = (
        *basis.notes, *([gone] if gone else []), *remarks(basis, model.slots), *notes, *lost,
    )  # fmt: skip
    certified = certify(model.parameters, solution.found, solution.point.gradient)
    named = Basis(**{**vars(basis), "notes": said})
    return LmmFit(solution, estimates, named, certified)


def identification(model: Model, where: str) -> list[str]:
    """Sentences on what the data can't tell apart; ModelError where the residual is among it."""
    refuse_unseen_pairs(model, where)
    try:
        point = model.point(model.parameters.generic())
    except np.linalg.LinAlgError as error:
        raise _nothing_left(where) from error
    if model.fixed.is_exact:
        raise _nothing_left(where)
    found = not_identified(model.parameters, point.expected, point.silent)
    fatal = [names for names in found if any("residual" in name for name in names)]
    if fatal:
        raise ModelError(
            "A variance of the model is not identified.",
            [Problem("the data can't tell these apart: " + "; ".join(names), where=where,
                     allowed="random effects and a residual that the readings distinguish",
                     fix="drop one of these terms, or columns left of its bar") for names in fatal],
        )  # fmt: skip
    return [
        f"The data can't tell these apart, how they are split is arbitrary: {'; '.join(names)}."
        if len(names) > 1
        else f"The data say nothing on the {names[0]}: its value is arbitrary."
        for names in found
    ]


def _nothing_left(where: str) -> ModelError:
    return ModelError(
        "The outcome leaves nothing to model.",
        [Problem("the fixed effects reproduce every outcome exactly, or it does not vary",
                 where=where, allowed="an outcome with some variance beside the fixed effects",
                 fix="see whether the right column was read")],
    )  # fmt: skip
