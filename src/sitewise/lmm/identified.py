"""What a design can't tell apart: refused where no estimate exists, said where it is arbitrary."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from sitewise.errors import ModelError, Problem, plural
from sitewise.lmm.basis import Basis
from sitewise.lmm.columns import Column
from sitewise.lmm.encode import natural_order
from sitewise.lmm.formula import RandomSpec, ResidualSpec
from sitewise.lmm.rows import Rows


@dataclass(frozen=True)
class Grouped:
    """One random term with its grouping: codes int64 (n,), labels of its levels, q columns."""

    spec: RandomSpec
    columns: tuple[Column, ...]
    codes: np.ndarray = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)


def check_outcome(name: str, y: np.ndarray) -> None:
    """Raise ModelError where every outcome is the same: no variance to model."""
    if np.all(y == y[0]):
        raise ModelError(
            "The outcome does not vary.",
            [Problem(f"all {len(y)} values of {name} are {float(y[0])!r}", where=name,
                     allowed="an outcome with some variance",
                     fix="see whether the right column was read")],
        )  # fmt: skip


def check_variances(
    terms: Sequence[Grouped], residual: ResidualSpec | None, rows: Rows, p: int
) -> None:
    """Raise ModelError, naming each term, where a variance can't be estimated at all.

    p: rank of the fixed part, or anything below the number of rows where that is more.
    """
    problems = []
    if rows.size <= p:
        problems.append(
            Problem(f"{rows.size} rows for {p} fixed effects",
                    allowed="more rows than fixed effects", fix="use fewer terms")
        )  # fmt: skip
    for term in terms:
        where, levels, q = f"({term.spec})", len(term.labels), len(term.columns)
        if levels < 2:
            problems.append(_one_level(term.spec.group_name, term.labels, where))
        elif levels * q >= rows.size:
            problems.append(
                Problem(
                    f"{levels} levels x {plural(q, 'effect')} = {levels * q} random effects for"
                    f" {rows.size} rows: they can't be told from the residual",
                    where=where, allowed="fewer random effects than rows",
                    fix="use fewer terms left of the bar, or drop this term",
                )
            )  # fmt: skip
    if residual is not None:
        problems += _residual_problems(residual, rows)
    if problems:
        raise ModelError("A variance of the model is not identified.", problems)


def _one_level(name: str, labels: Sequence[str], where: str) -> Problem:
    return Problem(
        f"{name} has one level: {', '.join(labels)}", where=where,
        allowed="two levels or more of a grouping",
        fix="take the term out, or see why the data hold one level only",
    )  # fmt: skip


def _residual_problems(residual: ResidualSpec, rows: Rows) -> list[Problem]:
    where, problems = str(residual), []
    codes, labels = rows.grouping(residual.group)
    slots = rows.labels[residual.slot]
    if len(labels) < 2:
        problems.append(_one_level(residual.group_name, labels, where))
    if len(slots) < 2:
        problems.append(
            Problem(f"{residual.slot} has one level: {', '.join(slots)}", where=where,
                    allowed="two slots or more",
                    fix="without a repeated outcome there is no residual covariance: take it out")
        )  # fmt: skip
    if _is_ar1(residual) and not _order_known(residual, rows):
        problems.append(
            Problem(f"the order of {residual.slot} is not known, and {residual.structure} hangs on"
                    f" it: sorted as text it is {', '.join(slots)}", where=where,
                    fix=f"declare the levels of {residual.slot} in order")
        )  # fmt: skip
    problems += _repeated(residual, codes, labels, rows)
    return problems


def _is_ar1(residual: ResidualSpec | None) -> TypeGuard[ResidualSpec]:
    return residual is not None and residual.structure in ("ar1", "ar1h")


def _order_known(residual: ResidualSpec, rows: Rows) -> bool:
    """Whether the slots stand in an order that the user gave, or that any sorting would give."""
    slots = list(rows.labels[residual.slot])
    return residual.slot in rows.declared or slots == natural_order(slots)


def _repeated(
    residual: ResidualSpec, codes: np.ndarray, labels: Sequence[str], rows: Rows
) -> list[Problem]:
    """One problem that names the first patients who have a slot twice, and their rows."""
    slots = rows.labels[residual.slot]
    keys = codes * len(slots) + rows.codes[residual.slot]
    counts = np.bincount(keys, minlength=1)
    twice = np.flatnonzero(counts > 1)
    if not len(twice):
        return []
    frame_rows = np.flatnonzero(rows.used)
    shown = []
    for key in twice[:5].tolist():
        own = ", ".join(str(i + 1) for i in frame_rows[keys == key][:5].tolist())
        shown.append(f"{labels[key // len(slots)]} at {slots[key % len(slots)]} (rows {own})")
    return [
        Problem(
            f"{len(twice)} {residual.group_name} x {residual.slot} occur more than once:"
            f" {'; '.join(shown)}",
            where=str(residual), allowed="one row a patient and slot",
            fix="average the readings or choose one of them before the fit; right of the bar stands"
            " the patient, and where patients' labels repeat across sites, site and patient joined:"
            f" {residual.structure}({residual.slot} | SITEID:USUBJID)",
        )
    ]  # fmt: skip


def remarks(basis: Basis, slots: Sequence[str]) -> list[str]:
    """Sentences on a model that is not what its writer may think."""
    notes = []
    terms = {term.label: term for term in basis.terms}
    for spec in basis.formula.random:
        columns = terms[str(spec)].columns
        if not spec.correlated and len(columns) > 1:
            notes.append(
                f"({spec}): || leaves the levels of a factor correlated, as in lme4:"
                f" {', '.join(columns)}."
            )
    residual = basis.formula.residual
    if residual is not None and _is_ar1(residual) and residual.slot not in basis.declared:
        notes.append(
            f"{residual}: the order of {residual.slot} is not declared; taken is"
            f" {', '.join(slots)}."
        )
    return notes
