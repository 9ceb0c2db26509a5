"""Stratification factors that a formula does not contain."""

from pathlib import Path

import pytest

from sitewise.plan.factors import factors_left_out, left_out
from sitewise.plan.load import load_plan


@pytest.mark.parametrize(
    ("formula", "missing"),
    [
        ("AVAL ~ AVISIT*TRT01P + (1 | USUBJID)", ["AREA", "SITEID"]),
        ("AVAL ~ AREA + AVISIT*TRT01P + (1 | USUBJID)", ["SITEID"]),
        ("AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)", ["AREA"]),
        ("AVAL ~ (AREA + AVISIT)^2 + (1|SITEID/AVISIT)", []),
        ("AVAL ~ ((AREA + AVISIT)*TRT01P) + (1 + WEEK || SITEID:AVISIT)", []),
        ("AVAL ~ TRT01P + (1 | AREA) + (1 | USUBJID)", ["SITEID"]),
        # a slope holds the factor's spread between sites, not its effect
        ("AVAL ~ TRT01P + (1 + (AREA) | SITEID)", ["AREA"]),
        ("AVAL ~ AREA2 + SITEID_X + (1 | USUBJID)", ["AREA", "SITEID"]),
        ("AREA ~ TRT01P + (1 | USUBJID)", ["AREA", "SITEID"]),
    ],
)
def test_names_of_the_fixed_part_and_the_groupings_count(formula: str, missing: list[str]) -> None:
    assert left_out(("AREA", "SITEID"), formula) == missing


def test_models_that_hold_every_factor_are_not_named(root: Path) -> None:
    plan = load_plan(root / "config" / "ghana.yaml")
    assert factors_left_out(plan) == {}
    plan = plan.model_copy(update={"stratification": ("SITEID",)})
    assert factors_left_out(plan) == {"patient": ["SITEID"]}
