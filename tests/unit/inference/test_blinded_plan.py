"""The plan of a blinded trial: one arm, and models that lost theirs."""

from pathlib import Path

import pytest

from sitewise.errors import ModelError
from sitewise.inference.blinded_plan import blinded_plan, without_arm
from sitewise.inference.plan_models import check_models
from sitewise.plan.load import load_plan


@pytest.mark.parametrize(
    ("written", "pooled"),
    [
        (
            "AVAL ~ BASE + AVISIT*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID)",
            "AVAL ~ BASE + AVISIT + (1 | SITEID) + (1 + WEEK | USUBJID)",
        ),
        ("AVAL ~ WEEK + WEEK:TRT01P + (1 | USUBJID)", "AVAL ~ WEEK + (1 | USUBJID)"),
        ("AVAL ~ TRT01P + (1 | SITEID)", "AVAL ~ 1 + (1 | SITEID)"),
        (
            "AVAL ~ 0 + AVISIT:TRT01P + us(AVISIT | USUBJID)",
            "AVAL ~ 0 + AVISIT + us(AVISIT | USUBJID)",
        ),
        (
            "AVAL ~ AVISIT - 1 + TRT01P:AVISIT + (1 | SITEID)",
            "AVAL ~ 0 + AVISIT + (1 | SITEID)",
        ),
        (
            "AVAL ~ AVISIT*TRT01P + (1 + TRT01P | SITEID) + (1 | SITEID:TRT01P) + (1 | USUBJID)",
            "AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)",
        ),
        ("AVAL ~ AVISIT + (1 | SITEID)", "AVAL ~ AVISIT + (1 | SITEID)"),
        (
            "AVAL ~ (AVISIT + TRT01P + AGE)^2 + (1 | USUBJID)",
            "AVAL ~ AVISIT + AGE + AVISIT:AGE + (1 | USUBJID)",
        ),
    ],
)
def test_the_arm_leaves_every_term(written: str, pooled: str) -> None:
    assert without_arm(written) == pooled


def test_a_model_of_nothing_but_arms_is_refused() -> None:
    with pytest.raises(ModelError, match="can't be fitted blinded"):
        without_arm("AVAL ~ AVISIT + (1 | TRT01P)")


@pytest.mark.parametrize("name", ["ghana", "demo", "demo_cluster", "three", "cdiscpilot"])
def test_no_part_of_the_plan_knows_an_arm(root: Path, name: str) -> None:
    plan = load_plan(root / "config" / f"{name}.yaml")
    pooled = blinded_plan(plan)
    # What people wrote of the trial in sentences is no rule's business.
    told = pooled.model_dump_json(exclude={"title", "question", "estimand", "comparisons"})
    for arm in plan.arms.order:
        for word in (arm.name, arm.label, *arm.codes):
            assert f'"{word}"' not in told, word
    assert "TRT01P" not in told
    assert [p for p in check_models(pooled) if "treatment contrast" not in p.what] == []
    assert pooled.blinded
    assert not plan.blinded
