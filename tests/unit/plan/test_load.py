"""The plan: every problem at once, by its path, with what is allowed and what to do."""

import copy
from pathlib import Path
from typing import Any

import pytest

from sitewise.errors import PlanError
from sitewise.plan.load import load_plan, read_yaml, validate_plan


@pytest.fixture
def data(root: Path) -> dict[str, Any]:
    return copy.deepcopy(read_yaml(root / "config" / "ghana.yaml"))


def problems(data: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(PlanError) as caught:
        validate_plan(data, "x.yaml")
    return {problem.where: problem for problem in caught.value.problems}


@pytest.mark.parametrize("name", ["ghana", "three"])
def test_shipped_plans_are_valid(root: Path, name: str) -> None:
    assert load_plan(root / "config" / f"{name}.yaml").trial == name


def test_unknown_key_names_the_near_miss(data: dict[str, Any]) -> None:
    data["titel"] = "x"
    data["endpoints"]["SYSBP"]["hrad"] = [1, 2]
    found = problems(data)
    assert found["titel"].what == "unknown key"
    assert found["titel"].fix == "did you mean `title`?"
    assert found["endpoints.SYSBP.hrad"].fix == "did you mean `hard`?"


def test_wrong_types_are_not_converted(data: dict[str, Any]) -> None:
    data["alpha"] = "0.05"
    data["visits"][0]["week"] = "zero"
    data["missing_values"] = ["", -9]
    found = problems(data)
    assert "'0.05' (str)" in found["alpha"].what
    assert "'zero' (str)" in found["visits.0.week"].what
    assert "-9 (int)" in found["missing_values.1"].what


def test_all_problems_at_once(data: dict[str, Any]) -> None:
    del data["icc"]
    data["titel"] = "x"
    data["rules"]["bad_site"] = "ignore"
    found = problems(data)
    assert set(found) == {"icc", "titel", "rules.bad_site"}
    assert found["icc"].what == "required key is missing"
    assert found["rules.bad_site"].allowed == "'set aside' or 'stop'"


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("sides",), 1, "one-sided tests"),
        (("sites", "small"), "pool", "pooling of small sites"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(
    data: dict[str, Any], path: tuple[str, ...], value: object, name: str
) -> None:
    section = data
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    problem = problems(data)[".".join(path)]
    assert name in problem.what
    assert "not implemented yet" in problem.what


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"randomised_unit": "USUBJID"}, "randomised_unit", "design `cluster` randomises SITEID"),
        ({"stratification": ["AEG"]}, "stratification.0", "did you mean 'AGE'?"),
        ({"other_visits": ["baseline"]}, "visits", "stand for two visits: baseline"),
        ({"time": "actual"}, "time", "needs the key `columns.day`"),
    ],
)
def test_sections_must_agree(
    data: dict[str, Any], change: dict[str, Any], where: str, words: str
) -> None:
    data.update(change)
    found = problems(data)[where]
    assert words in f"{found.what} {found.fix}"


def test_disagreements_come_with_wrong_fields(data: dict[str, Any]) -> None:
    data["alpha"] = "0.05"
    data["sites"]["batches"] = 0
    data["stratification"] = ["AEG"]
    data["randomised_unit"] = "USUBJID"
    data["primary"]["arm"] = "HIC"
    found = problems(data)
    assert set(found) == {
        "alpha", "sites.batches", "stratification.0", "randomised_unit", "primary.arm",
    }  # fmt: skip


def test_names_are_looked_up_in_sections_that_are_wrong_themselves(data: dict[str, Any]) -> None:
    data["visits"][1]["week"] = "soon"
    data["primary"]["visit"] = "Month 13"
    data["alhpa"] = data.pop("alpha")
    with pytest.raises(PlanError) as caught:
        validate_plan(data, "x.yaml")
    told = {problem.where: problem for problem in caught.value.problems}
    assert set(told) == {"visits.1.week", "primary.visit", "alhpa"}, (
        "the misspelt key is one problem"
    )
    assert "Month 12" in told["primary.visit"].allowed
    assert told["primary.visit"].fix == "did you mean 'Month 12'?"
    assert told["alhpa"].fix == "did you mean `alpha`?"


def test_disagreements_are_said_once(data: dict[str, Any]) -> None:
    data["stratification"] = ["AEG"]
    with pytest.raises(PlanError) as caught:
        validate_plan(data, "x.yaml")
    assert len(caught.value.problems) == 1


def test_sites_may_be_what_was_stratified_by(data: dict[str, Any]) -> None:
    data["stratification"] = ["SITEID", "AREA"]
    assert validate_plan(data, "x.yaml").stratification == ("SITEID", "AREA")


def test_primary_must_exist(data: dict[str, Any]) -> None:
    data["primary"] = {"model": "nest", "visit": "month 12", "arm": "HIC", "contrast": "change"}
    found = problems(data)
    assert "did you mean 'nested'?" in found["primary.model"].fix
    assert "did you mean 'Month 12'?" in found["primary.visit"].fix
    assert "reference arm itself" in found["primary.arm"].what


def test_visits_rise_and_one_is_baseline(data: dict[str, Any]) -> None:
    data["visits"][1]["week"] = 60
    data["visits"][2]["baseline"] = True
    with pytest.raises(PlanError) as caught:
        validate_plan(data, "x.yaml")
    text = str(caught.value)
    assert "exactly one visit must have `baseline: true`, found Baseline, Month 12" in text
    assert "weeks must rise" in text


def test_limits_must_be_ordered(data: dict[str, Any]) -> None:
    data["endpoints"]["SYSBP"]["soft"] = [10, 400]
    problem = problems(data)["endpoints.SYSBP"]
    assert problem.what == "the limits hard 50 to 300 and soft 10 to 400 are out of order"
    assert problem.allowed.startswith("hard low <= soft low")


def test_deltas_are_few_and_differ_from_0_and_each_other(data: dict[str, Any]) -> None:
    own = data["endpoints"]["SYSBP"]
    own["deltas"] = [-5, 5.5]
    assert validate_plan(data, "x.yaml").endpoints["SYSBP"].deltas == (-5.0, 5.5)
    for wrong, what in (
        ([0, 5], "the deltas 0, 5 hold 0, or one twice"),
        ([5, 5], "the deltas 5, 5 hold 0, or one twice"),
        (list(range(1, 14)), "13 deltas are listed"),
    ):
        own["deltas"] = wrong
        problem = problems(data)["endpoints.SYSBP"]
        assert problem.what == what
        assert problem.allowed.startswith("up to 12")


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("arms", {"reference": "CIH"}, "the reference 'CIH' is no arm"),
        ("arms", {"order": [{"name": "HIC", "label": "-"}] * 2}, "arms that stand twice: HIC"),
        ("arms", {"order": [{"name": "HIC", "label": "-"},
                            {"name": "B", "label": "-", "codes": ["HIC"]}]},
         "raw codes that stand for two arms: HIC"),
        ("columns", {"layout": "readings"}, "lacks the key `parameter` or `value`"),
        ("columns", {"value": "v"}, "takes no `parameter`, `value` or `unit`"),
        ("baseline", {"handling": "covariate", "missing": "keep"}, "can't keep a patient without"),
    ],
)  # fmt: skip
def test_a_section_that_contradicts_itself_says_what_is_allowed_and_what_to_do(
    data: dict[str, Any], section: str, change: dict[str, Any], words: str
) -> None:
    data[section] |= change
    problem = problems(data)[section]
    assert words in problem.what
    assert problem.allowed
    assert problem.fix


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        load_plan(tmp_path / "nowhere.yaml")


def test_key_twice(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("trial: a\ntrial: b\n")
    with pytest.raises(PlanError, match="the key 'trial' stands twice"):
        load_plan(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing stands in it"),
        ("- 1", "keys and values"),
        ("a: [", "not valid YAML"),
        ("? [a]\n: 1", "a key is one word"),
        ("a: " + "[" * 3000, "nested too deeply"),
    ],
)
def test_not_a_plan(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=words):
        load_plan(path)


def test_a_day_that_is_none_is_told_by_its_key(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    path.write_text("data_cut: 2026-13-41\n")
    with pytest.raises(PlanError, match="'2026-13-41'") as caught:
        load_plan(path)
    assert next(p for p in caught.value.problems if p.where == "data_cut").allowed.startswith(
        "a day"
    )
