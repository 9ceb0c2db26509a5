"""A rule sees its part of the plan only."""

from pathlib import Path
from typing import Any

import pytest

from sitewise.plan.load import load_plan
from sitewise.plan.model import Plan
from sitewise.plan.parts import KEYS, part_data, read_part


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


def at(value: Any, path: list[str]) -> list[Any]:
    """What a grant's path names, as a list; `*` stands for every entry."""
    if not path:
        return [value]
    if path[0] == "*":
        entries = value.values() if isinstance(value, dict) else value
        return [found for entry in entries for found in at(entry, path[1:])]
    return at(getattr(value, path[0]), path[1:])


@pytest.mark.parametrize("rule", sorted(KEYS))
def test_a_part_has_the_same_values(plan: Plan, rule: str) -> None:
    part = read_part(part_data(plan, rule))
    for grant in KEYS[rule]:
        assert at(part, grant.split(".")) == at(plan, grant.split("."))


@pytest.mark.parametrize("rule", sorted(KEYS))
def test_a_part_is_read_as_it_was_granted(plan: Plan, rule: str) -> None:
    data = part_data(plan, rule)
    part = read_part(data)
    assert part.model_fields_set == set(data) == {grant.split(".")[0] for grant in KEYS[rule]}
    assert part.model_dump(mode="json", warnings=False) == data


def test_a_key_below_a_section_that_was_not_granted_is_named(plan: Plan) -> None:
    part = read_part(part_data(plan, "ingest"))
    with pytest.raises(AttributeError, match="not granted the plan key `favours` of Arms"):
        _ = part.arms.favours
    with pytest.raises(AttributeError, match="not granted the plan key `label` of Endpoint"):
        _ = part.endpoints["SYSBP"].label
    # a key with a default has none in a part that was not granted it
    with pytest.raises(AttributeError, match="not granted the plan key `missing_values`"):
        _ = part.covariates["AGE"].missing_values


def test_what_no_plan_has_is_said_so(plan: Plan) -> None:
    with pytest.raises(AttributeError, match="Arms has no 'refrence'"):
        _ = plan.arms.refrence  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", sorted(set(KEYS) - {"page", "report"}))
def test_the_title_is_for_few(plan: Plan, rule: str) -> None:
    part = read_part(part_data(plan, rule))
    if "title" in KEYS[rule]:
        assert part.title
    else:
        with pytest.raises(AttributeError, match="not granted the plan key `title`"):
            _ = part.title


@pytest.mark.parametrize("rule", sorted(KEYS))
def test_a_reason_in_other_words_reruns_the_pages_alone(plan: Plan, rule: str) -> None:
    primary = plan.primary.model_copy(update={"why": "For another reason."})
    other = plan.model_copy(update={"primary": primary})
    assert (part_data(plan, rule) != part_data(other, rule)) == (rule in {"page", "report"})


def test_keys_exist(plan: Plan) -> None:
    assert all(at(plan, grant.split(".")) for keys in KEYS.values() for grant in keys)
