"""The courses that a figure shows: whole, of one arm each, the same for the same seed."""

from pathlib import Path

import pandas as pd
import pytest

from sitewise.plan.load import load_plan
from sitewise.plan.model import Plan
from sitewise.trial.courses import sampled_courses


@pytest.fixture
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


def rows(patients: int = 20) -> pd.DataFrame:
    """Patient i of arm i % 2 has readings 100 i + visit at the first 1 + i % 3 visits."""
    lines = [
        ("S", f"p{i:02d}", ("HIC", "TASSH+HIC")[i % 2], "SYSBP", j, 100.0 * i + j)
        for i in range(patients)
        for j in range(1 + i % 3)
    ]
    columns = ["SITEID", "USUBJID", "TRT01P", "PARAMCD", "AVISITN", "AVAL"]
    return pd.DataFrame(lines, columns=columns).sample(frac=1, random_state=3)


def test_all_with_two_readings_where_there_are_few(plan: Plan) -> None:
    found = {own.arm: own for own in sampled_courses(plan, rows(), "SYSBP", 99)}
    weeks = [visit.week for visit in plan.visits]
    for k, arm in enumerate(("HIC", "TASSH+HIC")):
        wanted = {tuple(100.0 * i + j for j in range(1 + i % 3))
                  for i in range(k, 20, 2) if i % 3}  # fmt: skip
        assert {course.values for course in found[arm].courses} == wanted
        assert found[arm].patients == len(wanted)
        assert all(c.weeks == tuple(weeks[: len(c.values)]) for c in found[arm].courses)


def test_a_sample_follows_the_seed_and_not_the_order_of_rows(plan: Plan) -> None:
    one = sampled_courses(plan, rows(), "SYSBP", 3)
    other = sampled_courses(plan, rows().sample(frac=1, random_state=9), "SYSBP", 3)
    assert one == other
    assert [len(own.courses) for own in one] == [3, 3]
    seeds = plan.seeds.model_copy(update={"figures": plan.seeds.figures + 1})
    assert sampled_courses(plan.model_copy(update={"seeds": seeds}), rows(), "SYSBP", 3) != one


def test_an_arm_without_readings_has_no_course(plan: Plan) -> None:
    only = rows()[rows()["TRT01P"] == "HIC"]
    found = {own.arm: own for own in sampled_courses(plan, only, "SYSBP", 3)}
    assert found["TASSH+HIC"].courses == ()
    assert found["TASSH+HIC"].patients == 0
