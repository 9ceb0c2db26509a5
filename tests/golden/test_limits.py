"""The kept large-sample limits of the demo's models: made of these constants, and reproducible.

The expected values of `test_the_contrast_is_the_true_effect` are the generator's own effects. A
second calculation with other seeds checks the file: fewer hospitals, so its Monte-Carlo standard
errors are larger than those of the file by the root of the ratio of hospitals; four standard errors
of the difference are allowed.
"""

import math
from pathlib import Path

import pytest

from sitewise.inference.large_sample import large_limits
from sitewise.plan.limits import CONTRAST, Limits, limits_of
from sitewise.plan.load import load_plan
from sitewise.plan.model import Plan
from sitewise.simulate.generator import GENERATORS

COPIES, TRIALS, SEED = 5, 2, 990
ERRORS = 4.0


@pytest.fixture(scope="module", params=["demo", "demo_cluster"])
def kept(request: pytest.FixtureRequest, root: Path) -> tuple[Plan, Limits]:
    plan = load_plan(root / "config" / f"{request.param}.yaml")
    limits = limits_of(plan, root / "config")
    assert limits is not None
    return plan, limits


def test_they_were_made_of_these_constants_and_formulas(kept: tuple[Plan, Limits]) -> None:
    """Otherwise: `make limits`."""
    plan, limits = kept
    assert (limits.design, limits.generator) == (plan.design, GENERATORS[plan.design].digest())
    formulas = {(e, m, model.formula) for e in plan.endpoints for m, model in plan.models.items()}
    assert {(x.endpoint, x.model, x.formula) for x in limits.limits} == formulas
    assert limits.trials * limits.hospitals >= 2000


def test_the_contrast_is_the_true_effect(kept: tuple[Plan, Limits]) -> None:
    """Of the primary endpoint, whose dropout depends on nothing but what the model sees.

    Primary model of the individual design: normal given the baseline, so the contrast's limit is
    the effect at the last visit.
    """
    plan, limits = kept
    if plan.design == "cluster":
        pytest.skip("its model takes one variance for all visits, which enrolment limits break")
    limit = next(
        x
        for x in limits.limits
        if (x.endpoint, x.model, x.quantity) == ("SYSBP", plan.primary.model, CONTRAST)
    )
    assert limit.value == pytest.approx(
        GENERATORS["individual"].sbp.effect[-1], abs=ERRORS * limit.error
    )
    assert limit.error < 0.25


def test_other_seeds_give_the_same(kept: tuple[Plan, Limits]) -> None:
    plan, limits = kept
    again = large_limits(
        plan, trials=TRIALS, copies=COPIES, seed=SEED, models={"SYSBP": ["patient", "nested"]}
    )
    by_name = {(x.endpoint, x.model, x.quantity): x for x in limits.limits}
    more = limits.trials * limits.hospitals / (again.trials * again.hospitals)
    assert len(again.limits) == 3 + 5
    for own in again.limits:
        limit = by_name[own.endpoint, own.model, own.quantity]
        error = limit.error * math.sqrt(1 + more)
        assert own.value == pytest.approx(limit.value, abs=ERRORS * error), own.quantity
