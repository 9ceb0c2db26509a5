"""Least squares beside the mixed model: what ignoring the hierarchy does to a standard error."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sitewise.inference.icc_result import OlsBeside
from sitewise.inference.planned_contrasts import ask_all, seen_in
from sitewise.inference.planned_fit import ArmContrast, PlannedFit
from sitewise.lmm.record import fixed_part_of_design
from sitewise.plan.model import Plan

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.design import Design

    Floats = NDArray[np.float64]


def ols_beside(
    plan: Plan, frame: "pd.DataFrame", design: "Design", fits: Mapping[str, PlannedFit]
) -> tuple[OlsBeside, ...]:
    """OLS beside every planned model of the primary model's fixed part and rows.

    frame: the rows that the primary model uses; design: its design. The contrasts are the primary
    one and, where the baseline is an outcome, the difference between the same arms at baseline: a
    level between patients and sites beside a change within patients.
    """
    primary = fits[plan.primary.model]
    alike = [
        fit
        for fit in fits.values()
        if fit.fit.rows == primary.fit.rows and _fixed(fit) == _fixed(primary)
    ]
    asked, _ = ask_all(plan, fixed_part_of_design(design), seen_in(design.formula, frame))
    rows = {(a.kind, a.arm, a.visit.name): a.row for a in asked if a.estimable}
    found = []
    for wanted in _wanted(plan, primary):
        row = rows.get((wanted.kind, wanted.arm, wanted.visit))
        if row is None:
            continue  # the planned fit names what the data do not determine
        estimate, se = least_squares(design.X, design.y, row)
        for fit in alike:
            beside = _same(fit, wanted)
            if beside is None:
                continue
            mixed = beside.result
            found.append(
                OlsBeside(
                    model=fit.model,
                    contrast=contrast_name(wanted),
                    estimate=estimate,
                    se=se,
                    mixed_estimate=mixed.estimate,
                    mixed_se=mixed.se,
                    ratio=se / mixed.se,
                )
            )
    return tuple(found)


def least_squares(X: "Floats", y: "Floats", row: "Floats") -> tuple[float, float]:
    """Estimate and SE of row'b by ordinary least squares.

    X: shape (n, p), full rank; y: (n,); row: (p,). SE^2 = s^2 row'(X'X)^-1 row, s^2 on n - p;
    NaN where nothing is left for s^2.
    """
    n, p = X.shape
    Q, R = np.linalg.qr(X)
    beta = np.linalg.solve(R, Q.T @ y)
    if n <= p:
        return float(row @ beta), math.nan
    residual = y - X @ beta
    s2 = float(residual @ residual) / (n - p)
    half = np.linalg.solve(R.T, row)
    return float(row @ beta), math.sqrt(s2 * float(half @ half))


def contrast_name(contrast: ArmContrast) -> str:
    """`A minus B, change from baseline at Month 12`."""
    kind = "change from baseline" if contrast.kind == "change" else "level"
    return f"{contrast.arm} minus {contrast.reference}, {kind} at {contrast.visit}"


def _fixed(fit: PlannedFit) -> str:
    from sitewise.lmm.formula import parse_formula

    return "".join(parse_formula(fit.fit.formula).fixed.split())


def _wanted(plan: Plan, primary: PlannedFit) -> list[ArmContrast]:
    """The primary contrast, and the level of the same arms at baseline if the model has it."""
    wanted = [primary.answer]
    if plan.baseline.handling == "outcome":
        wanted += [
            contrast
            for contrast in primary.contrasts
            if (contrast.arm, contrast.visit, contrast.kind)
            == (plan.primary.arm, plan.baseline_visit.name, "level")
        ]
    return wanted


def _same(fit: PlannedFit, wanted: ArmContrast) -> ArmContrast | None:
    """The same contrast of another model; None where that model has none."""
    key = (wanted.arm, wanted.visit, wanted.kind)
    return next((c for c in fit.contrasts if (c.arm, c.visit, c.kind) == key), None)
