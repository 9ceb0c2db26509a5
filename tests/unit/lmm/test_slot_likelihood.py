"""A scheduled trial with missing visits under every covariance, against n x n matrices."""

import numpy as np
import pandas as pd
import pytest

from sitewise.lmm.api import fit_frame
from sitewise.lmm.columns import column_values
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.engine import build_model
from sitewise.lmm.model import Model
from tests.unit.lmm.dense import Dense, by_group, dense, spread
from tests.unit.lmm.scheduled import LEVELS, trial, wide_of

COUNTRIES = "AVAL ~ AVISIT * ARM + BASE + (1 | COUNTRY/SITEID)"
MODELS = {
    "slopes, arm by site": "AVAL ~ AVISIT * ARM + BASE + (1 + ARM | SITEID) + (1 + WEEK | USUBJID)",
    "site by visit": "AVAL ~ WEEK * ARM + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)",
    "no level above": "AVAL ~ WEEK * ARM + (1 + WEEK || USUBJID)",
    **{
        structure: f"{COUNTRIES} + {structure}(AVISIT | USUBJID)"
        for structure in ("us", "cs", "csh", "ar1", "ar1h")
    },
    "varying covariate": "AVAL ~ DOSE * ARM + (1 | SITEID) + ar1(AVISIT | USUBJID)",
}  # fmt: skip


def start(model: Model) -> np.ndarray:
    rng = np.random.default_rng(5)
    phi = model.parameters.start("default")
    return phi + 0.1 * rng.normal(size=len(phi))


def dense_v(
    design: Design, model: Model, frame: pd.DataFrame
) -> tuple[np.ndarray, list[np.ndarray], list[tuple[tuple[int, int], np.ndarray]], np.ndarray]:
    """V, its first and second derivatives in v, and v, in units of the conditioned outcome."""
    rows, phi = design.data, start(model)
    parameters = model.parameters
    v = parameters.natural(phi)
    patient = design.hierarchy[0].codes
    same = patient[:, None] == patient[None, :]
    used = frame[design.used].reset_index(drop=True)
    slot = _slots(model, used)

    def lifted(matrix: np.ndarray) -> np.ndarray:
        return np.where(same, matrix[slot][:, slot], 0.0)

    covariance = parameters.slot_covariance()
    V = lifted(covariance.full(v))
    first: list[np.ndarray] = [np.zeros(0)] * parameters.n_v
    for position, matrix in zip(covariance.positions, covariance.first(v), strict=True):
        first[position] = lifted(matrix)
    second = [
        ((int(covariance.positions[j]), int(covariance.positions[k])), lifted(matrix))
        for j, k, matrix in covariance.second(v)
    ]
    effects = {str(e.spec): (e, level) for level in design.hierarchy for e in level.effects}
    for i, (term, basis) in enumerate(zip(parameters.terms, model.terms, strict=True)):
        if term.level < 0:
            continue
        effect, level = effects[basis.label]
        columns = column_values(effect.columns, rows) @ np.linalg.inv(basis.R)
        codes = level.codes
        if effect.across:
            across, labels = rows.grouping(effect.across)
            codes = codes * len(labels) + across
        Z = by_group(columns, codes)
        at = parameters.v_at[i]
        V = V + spread(Z, term.structure.matrix(v[at]))
        for j, E in zip(range(at.start, at.stop), term.structure.first(v[at]), strict=True):
            first[j] = spread(Z, E)
    return V, first, second, phi


def _slots(model: Model, used: pd.DataFrame) -> np.ndarray:
    labels = list(model.slots)
    for name in ("AVISIT", "WEEK"):
        texts = used[name].astype(str)
        if set(texts) <= set(labels):
            return np.array([labels.index(text) for text in texts])
    joint = {f"{a}, {b}" for a, b in zip(used["AVISIT"], used["WEEK"], strict=True)}
    first, second = ("AVISIT", "WEEK") if joint <= set(labels) else ("WEEK", "AVISIT")
    texts = used[first].astype(str) + ", " + used[second].astype(str)
    return np.array([labels.index(text) for text in texts])


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_slots_against_dense(name: str, reml: bool) -> None:
    frame = trial(patients=40)
    design = build_design(MODELS[name], frame, LEVELS)
    model = build_model(wide_of(MODELS[name], frame), reml)
    unit = model.fixed.unit
    V, first, second, phi = dense_v(design, model, frame)
    expected: Dense = dense(design.X, design.y / unit, V, first, reml=reml, d2V=second)
    point = model.point(phi)
    constant = model.constant - 2 * model.likelihood.degrees * np.log(unit)
    assert point.deviance + constant == pytest.approx(expected.deviance, abs=1e-8)
    assert model.value(phi) - model.constant == pytest.approx(point.deviance, rel=1e-13)
    assert model.fixed.back(point.b) == pytest.approx(unit * expected.b, rel=1e-8, abs=1e-8)
    near = {"rel": 1e-8, "abs": 1e-8}
    assert point.gradient == pytest.approx(expected.gradient, **near)
    assert point.expected == pytest.approx(expected.expected, **near)
    assert point.average == pytest.approx(expected.average, **near)
    assert point.hessian == pytest.approx(expected.hessian, **near)
    Ri = np.linalg.inv(model.fixed.R)
    assert Ri @ point.phi @ Ri.T == pytest.approx(expected.phi, rel=1e-7, abs=1e-10)
    R = model.fixed.R
    size = np.abs(expected.second).max()
    found = (point.second + point.second.transpose(1, 0, 2, 3)) / 2
    assert R.T @ found @ R == pytest.approx(expected.second, rel=1e-8, abs=1e-10 * size)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_in_phi_by_differences(name: str) -> None:
    model = build_model(wide_of(MODELS[name], trial(patients=40)), True)
    phi = start(model)
    _, gradient, hessian = model.full(phi)
    step = 1e-5
    for i in range(len(phi)):
        move = step * np.eye(len(phi))[i]
        slope = (model.value(phi + move) - model.value(phi - move)) / (2 * step)
        assert slope == pytest.approx(gradient[i], abs=1e-4)
        bend = (model.full(phi + move)[1] - model.full(phi - move)[1]) / (2 * step)
        assert bend == pytest.approx(hessian[i], abs=1e-3, rel=1e-5)


def test_both_bottoms_give_the_same_fit() -> None:
    """A scheduled trial fitted by wide rows and, with a visit repeated twice over, by rows."""
    frame = trial(patients=60)
    text = "AVAL ~ AVISIT * ARM + BASE + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 + WEEK | USUBJID)"
    import sitewise

    by_slots = fit_frame(build_design(text, frame, LEVELS), True)
    by_rows = sitewise.lmm(text, sitewise.moments(text, frame, LEVELS, scheduled=False))
    assert by_slots.solution.model.slots
    assert not by_rows.solution.model.slots
    assert by_rows.loglik == pytest.approx(by_slots.loglik, abs=1e-8)
    assert by_rows.se.to_numpy() == pytest.approx(by_slots.se.to_numpy(), rel=1e-6)
