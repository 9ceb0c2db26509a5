"""Words of a plan that name another visit than its primary contrast: told where plain, else not."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sitewise.plan.model import Plan
from sitewise.plan.named_visits import OtherVisits, other_visits_named

SHIPPED = ("demo", "demo_cluster", "ghana", "cdiscpilot", "three")
VARIABLE = "estimand.variable"


def read(root: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((root / "config" / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SHIPPED)
def test_no_shipped_plan_raises_it(root: Path, name: str) -> None:
    assert other_visits_named(Plan.model_validate(read(root, name))) is None


@pytest.mark.parametrize(
    ("name", "visit"),
    [("demo", "Week 12"), ("ghana", "Month 6"), ("cdiscpilot", "Week 8"), ("cdiscpilot", "Week 20"),
     ("demo_cluster", "Week 8"), ("three", "Week 4")],
)  # fmt: skip
def test_each_shipped_plan_with_another_contrast_raises_it(
    root: Path, name: str, visit: str
) -> None:
    data = read(root, name) | {"hierarchy": []}
    before = data["primary"]["visit"]
    data["primary"]["visit"] = visit
    found = other_visits_named(Plan.model_validate(data))
    assert found is not None
    assert found.visits == (before,)
    assert VARIABLE in found.fields


def worded(root: Path, question: str, *, visit: str = "Week 52", **more: str) -> OtherVisits | None:
    """A plan of visits at weeks 0, 12, 24 and 52 with a question, and no time elsewhere."""
    data = read(root, "demo")
    data["visits"] = [{"name": "Baseline", "week": 0, "baseline": True}]
    data["visits"] += [{"name": f"Week {n}", "week": n} for n in (12, 24, 52)]
    data["primary"]["visit"] = visit
    data.update(title=more.pop("title", "A trial"), question=question)
    data["estimand"] = dict.fromkeys(data["estimand"], "as usual") | more
    return other_visits_named(Plan.model_validate(data))


@pytest.mark.parametrize(
    "question",
    ["Is pressure lower at week 24?", "Is pressure lower at Week-24?", "Lower after 24 weeks?",
     "Is it lower at twenty-four weeks?", "Change from baseline to week 24?", "Lower by WEEK  24?",
     "Is pressure lower at weeks 12 and 24?", "Is the score lower at week 24 in 52 hospitals?"],
)  # fmt: skip
def test_a_question_about_another_visit(root: Path, question: str) -> None:
    found = worded(root, question)
    assert found is not None
    assert found.fields == ("question",)
    assert found.visits[-1] == "Week 24"


@pytest.mark.parametrize(
    "question",
    ["Is pressure lower?",  # no time at all
     "Is pressure lower at week 52?",
     "Is pressure lower at weeks 24 and 52?",  # several
     "Is pressure lower at week 24, and does that last to week 52?",
     "Is pressure lower after a year?" " It is seen at week 24 and after 1 year.",
     "Is pressure lower at 12 months?",  # the same in another unit
     "Seen at week 24; is it lower at twelve months?",
     "Does a 24-week programme lower it?",  # lengths, not visits
     "Is pressure lower over 24 weeks of treatment?",
     "Is pressure lower within 24 weeks?", "for up to 24 weeks?",
     "Do 24 hospitals and 12 visits suffice?",  # numbers that are no visits
     "Is pressure below 24 at the hospital?", "Is pressure lower at week 30?",
     "Doses rise at week 12; is pressure lower at the end of treatment?",
     "Is pressure lower than at baseline, week 0?"],
)  # fmt: skip
def test_what_is_no_plain_contradiction_is_not_told(root: Path, question: str) -> None:
    assert worded(root, question) is None


def test_all_texts_are_read_together_and_events_raise_nothing(root: Path) -> None:
    assert worded(root, "At week 24?", variable="pressure at week 52") is None
    assert worded(root, "At week 24?", title="A trial of 52 weeks") is None
    assert worded(root, "Lower?", intercurrent_events="rescue before week 12 is ignored") is None
    found = worded(root, "At week 24?", variable="at week 24", summary="mean at week 12")
    assert found == OtherVisits(("question", VARIABLE, "estimand.summary"), ("Week 12", "Week 24"))


def test_visits_by_other_names(root: Path) -> None:
    data = read(root, "ghana")
    data["question"] = "Is pressure lower at week 26?"
    data["title"] = "A trial"
    data["estimand"] = dict.fromkeys(data["estimand"], "as usual")
    found = other_visits_named(Plan.model_validate(data))
    assert found is not None
    assert found.visits == ("Month 6",)
    data["question"] = "Is pressure lower at week 52, as at week 26?"
    assert other_visits_named(Plan.model_validate(data)) is None
    data["visits"][2] = {"name": "Final", "week": 52, "codes": ["month 12"]}
    data["primary"]["visit"] = "Final"
    data["question"] = "Is the final pressure lower than at month 6?"
    assert other_visits_named(Plan.model_validate(data)) is None


def test_a_visit_of_the_order_of_testing_is_asked_about(root: Path) -> None:
    data = read(root, "demo")
    data["question"] = data["title"] = "Is pressure lower at week 12?"
    data["estimand"]["variable"] = "pressure at week 12"
    assert other_visits_named(Plan.model_validate(data)) is not None
    data["hierarchy"] = [{"endpoint": "SYSBP", "visit": "Week 24"},
                         {"endpoint": "DIABP", "visit": "Week 24"},
                         {"endpoint": "SYSBP", "visit": "Week 12"}]  # fmt: skip
    assert other_visits_named(Plan.model_validate(data)) is None
