"""A rule sees its part of the plan only."""

from pathlib import Path

import pytest

from sitewise.plan.load import load_plan
from sitewise.plan.model import Plan
from sitewise.plan.parts import KEYS, part_data, read_part


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


@pytest.mark.parametrize("rule", sorted(KEYS))
def test_a_part_has_the_same_values(plan: Plan, rule: str) -> None:
    part = read_part(part_data(plan, rule))
    for key in KEYS[rule]:
        assert getattr(part, key) == getattr(plan, key)


@pytest.mark.parametrize("rule", sorted(set(KEYS) - {"report"}))
def test_the_title_is_for_few(plan: Plan, rule: str) -> None:
    part = read_part(part_data(plan, rule))
    if "title" in KEYS[rule]:
        assert part.title
    else:
        with pytest.raises(AttributeError, match="not granted the plan key `title`"):
            _ = part.title


def test_one_model_only(plan: Plan) -> None:
    part = read_part(part_data(plan, "fit", endpoint="SYSBP", model="nested"))
    assert list(part.models) == ["nested"]


def test_keys_exist() -> None:
    assert {key for keys in KEYS.values() for key in keys} <= set(Plan.model_fields)
