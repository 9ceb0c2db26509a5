"""The order of testing over endpoints, visits and arms: what a plan may say."""

import copy
from pathlib import Path
from typing import Any

import pytest

from sitewise.errors import PlanError, Problem
from sitewise.inference.plan_models import check_models
from sitewise.plan.load import read_yaml, validate_plan

STEPS = [
    {"endpoint": "SYSBP", "visit": "Month 12"},
    {"endpoint": "SYSBP", "visit": "Month 6"},
    {"endpoint": "DIABP", "visit": "Month 12"},
]


@pytest.fixture
def data(root: Path) -> dict[str, Any]:
    return copy.deepcopy(read_yaml(root / "config" / "ghana.yaml")) | {
        "hierarchy": copy.deepcopy(STEPS)
    }


def problems(data: dict[str, Any]) -> dict[str, Problem]:
    with pytest.raises(PlanError) as caught:
        validate_plan(data, "x.yaml")
    return {problem.where: problem for problem in caught.value.problems}


def test_steps_have_the_primary_arm_unless_they_name_one(data: dict[str, Any]) -> None:
    plan = validate_plan(data, "x.yaml")
    found = [(s.endpoint, s.visit, s.arm) for s in plan.order_of_testing]
    assert found == [("SYSBP", "Month 12", "TASSH+HIC"), ("SYSBP", "Month 6", "TASSH+HIC"),
                     ("DIABP", "Month 12", "TASSH+HIC")]  # fmt: skip
    data["hierarchy"][1]["arm"] = "TASSH+HIC"
    assert validate_plan(data, "x.yaml").order_of_testing == plan.order_of_testing


def test_without_it_the_endpoints_are_the_order(data: dict[str, Any]) -> None:
    del data["hierarchy"]
    data["endpoints"]["DIABP"]["role"] = "exploratory"
    found = validate_plan(data, "x.yaml").order_of_testing
    assert [(s.endpoint, s.visit) for s in found] == [("SYSBP", "Month 12")]


def test_every_problem_of_the_steps_at_once(data: dict[str, Any]) -> None:
    data["hierarchy"][0]["endpoint"] = "SYSPB"
    data["hierarchy"][1]["visit"] = "Baseline"
    data["hierarchy"][2]["arm"] = "HIC"
    found = problems(data)
    assert set(found) == {"hierarchy.0.endpoint", "hierarchy.1.visit", "hierarchy.2.arm"}
    assert found["hierarchy.0.endpoint"].fix == "did you mean 'SYSBP'?"
    assert found["hierarchy.1.visit"].allowed == "Month 6, Month 12"
    assert "reference arm itself" in found["hierarchy.2.arm"].what


@pytest.mark.parametrize(
    ("order", "where", "what"),
    [
        ([1, 0, 2], "hierarchy.0", "the first step is SYSBP at Month 6"),
        ([0, 1], "hierarchy", "the primary contrast of DIABP"),
        ([0, 1, 1, 2], "hierarchy.2", "stands twice"),
        ([2, 0, 1], "hierarchy", "endpoints come in the order DIABP, SYSBP"),
    ],
)
def test_the_steps_together(data: dict[str, Any], order: list[int], where: str, what: str) -> None:
    data["hierarchy"] = [copy.deepcopy(STEPS[i]) for i in order]
    assert what in problems(data)[where].what


def test_it_needs_a_hierarchical_order(data: dict[str, Any]) -> None:
    data["endpoint_order"] = "co-primary"
    found = problems(data)["hierarchy"]
    assert (found.allowed, found.fix) == (
        "`endpoint_order: hierarchical`", "set it, or leave `hierarchy` out",
    )  # fmt: skip


def test_exploratory_endpoints_have_no_step(data: dict[str, Any]) -> None:
    data["endpoints"]["DIABP"]["role"] = "exploratory"
    assert "nothing is claimed" in problems(data)["hierarchy.2.endpoint"].what


@pytest.mark.parametrize(
    ("formula", "contrast", "refused"),
    [
        ("AVAL ~ WEEK*TRT01P + (1 + WEEK | SITEID) + (1 | USUBJID)", "change", True),
        ("AVAL ~ WEEK*TRT01P + (1 + WEEK | SITEID) + (1 | USUBJID)", "level", False),
        ("AVAL ~ AVISIT + TRT01P + (1 | SITEID/AVISIT) + (1 | USUBJID)", "level", True),
    ],
)
def test_visits_whose_contrasts_are_one_test(
    data: dict[str, Any], formula: str, contrast: str, refused: bool
) -> None:
    data["models"]["site_by_visit"]["formula"] = formula
    data["primary"]["contrast"] = contrast
    found = check_models(validate_plan(data, "x.yaml"))
    assert [p.what for p in found if "one test" in p.what] == (
        ["`hierarchy` tests one outcome at several visits, and without AVISIT:TRT01P the primary"
         " model's contrasts at all visits are one test"] if refused else []
    )  # fmt: skip
