"""The model of a design, and its deviance as a function of theta."""

from collections.abc import Callable

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.design import Design
from sitewise.lmm.engine import build_model, row_moments_of
from sitewise.lmm.model import Model
from sitewise.lmm.schedule import Schedule, find_schedule
from sitewise.lmm.tally import build_wide


def model_of(design: Design, reml: bool) -> tuple[Model, Schedule | None]:
    """The conditioned model of a design, and its schedule where the rows have one."""
    found = find_schedule(design.formula, design.data, design.hierarchy)
    schedule = None if isinstance(found, str) else found
    part = (
        row_moments_of(design.data, design.hierarchy, design.fixed)
        if schedule is None
        else build_wide(design.formula, design.data, design.hierarchy, schedule, fixed=design.fixed)
    )
    return build_model(part, reml), schedule


def deviance_of_theta(design: Design, reml: bool) -> Callable[[np.ndarray], float]:
    """-2 log-likelihood (REML or ML), least over beta and sigma, as a function of theta.

    theta: as `Fit.theta`: for each random term in the order of the formula the lower triangle of
    its covariance factor relative to sigma, column by column; any value, 0 included.
    Raises ModelError where the model has a residual covariance, and so no sigma.
    """
    model, _ = model_of(design, reml)
    parameters = model.parameters
    if not parameters.has_sigma:
        raise ModelError(
            "There is no theta relative to sigma.",
            [Problem(f"{design.formula.residual} takes the place of sigma",
                     where=design.formula.text, allowed="random terms alone")],
        )  # fmt: skip
    label = {basis.label: i for i, basis in enumerate(model.terms)}
    order = [label[str(spec)] for spec in design.formula.random]
    one = np.eye(parameters.residual.size)  # sigma 1: its best value is found in closed form

    def deviance(theta: np.ndarray) -> float:
        covariances = [np.zeros((0, 0))] * len(order)
        start = 0
        for i in order:
            R = model.terms[i].R
            columns, rows = np.triu_indices(len(R))
            L = np.zeros(R.shape)
            L[rows, columns] = theta[start : start + len(rows)]
            start += len(rows)
            root = R @ L
            covariances[i] = root @ root.T
        phi = parameters.phi_of(covariances, one)
        found = model.likelihood.value_over_scale(parameters.natural(phi), model.covariances(phi))
        return float(found + model.constant)

    return deviance
