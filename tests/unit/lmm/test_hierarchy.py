"""The chain of groupings: nesting read from the data, terms that go across, crossings refused."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.hierarchy import Level, build_hierarchy
from sitewise.lmm.reading import read_rows

VISITS = ["base", "m6", "m12"]


def frame(seed: int = 0) -> pd.DataFrame:
    """3 countries, 2-3 sites each, 4 patients a site (the last number lowest), 3 visits."""
    made = []
    for s in range(7):
        for p in range(4):
            made += [
                {"country": f"c{s % 3}", "site": f"s{6 - s}", "number": f"n{p}",
                 "patient": f"p{(4 * s + p) * 5 % 28:02}", "arm": "AB"[p % 2],
                 "visit": visit, "week": 13.0 * v}
                for v, visit in enumerate(VISITS)
            ]  # fmt: skip
    data = pd.DataFrame(made).sample(frac=1, random_state=seed).reset_index(drop=True)
    data["y"] = np.random.default_rng(seed).normal(size=len(data))
    return data


def levels(random: str, data: pd.DataFrame | None = None, fixed: str = "1") -> tuple[Level, ...]:
    formula = parse_formula(f"y ~ {fixed} + {random}")
    data = frame() if data is None else data
    return build_hierarchy(formula, read_rows(formula, data, {"visit": VISITS}))


def check(found: tuple[Level, ...], data: pd.DataFrame) -> None:
    """What every hierarchy must hold, from its definition."""
    for level, above in zip(found, (*found[1:], None), strict=True):
        joint = data[list(level.group)].agg(":".join, axis=1)
        assert [level.labels[i] for i in level.codes] == joint.tolist()
        assert sorted(set(joint)) == sorted(level.labels)
        assert (np.diff(level.parent) >= 0).all()
        assert level.parent.shape == (len(level.labels),)
        if above is None:
            assert not level.parent.any()
        else:
            np.testing.assert_array_equal(level.parent[level.codes], above.codes)


@pytest.mark.parametrize(
    ("random", "groups"),
    [
        ("(1 | patient)", [("patient",)]),
        ("(1 | country) + (1 | patient) + (1 | site)", [("patient",), ("site",), ("country",)]),
        ("(1 | site/number)", [("site", "number"), ("site",)]),
        ("(1 | country/site/number)", [("country", "site", "number"), ("country", "site"),
                                       ("country",)]),
        ("(1 | site) + (1 | site:arm) + (1 | patient)", [("patient",), ("site", "arm"), ("site",)]),
        ("(1 | site) + (1 | site:visit)", [("site", "visit"), ("site",)]),
    ],
)  # fmt: skip
def test_chains(random: str, groups: list[tuple[str, ...]]) -> None:
    found = levels(random)
    assert [level.group for level in found] == groups
    check(found, frame())
    assert all(len(level.effects) == 1 for level in found)


def test_one_level_for_terms_of_one_grouping() -> None:
    found = levels("(1 + week || patient) + (1 | site)")
    assert [[str(e.spec) for e in level.effects] for level in found] == [
        ["1 | patient", "0 + week | patient"], ["1 | site"],
    ]  # fmt: skip
    assert [c.name for c in found[0].effects[1].columns] == ["week"]
    data = frame()
    data["clinic"] = data["site"].str.replace("s", "k")
    found = levels("(1 | site) + (1 | clinic) + (1 | patient)", data)
    assert [len(level.effects) for level in found] == [1, 2]


@pytest.mark.parametrize(
    ("random", "groups", "across"),
    [
        ("(1 | site) + (1 | site:visit) + (1 | patient)", [("patient",), ("site",)], "visit"),
        ("(1 | patient) + (1 | visit:site)", [("patient",), ("site",)], "visit"),
        ("(1 | site:visit) + us(visit | patient)", [("patient",), ("site",)], "visit"),
        ("(1 | site/number) + (1 | site:visit)", [("site", "number"), ("site",)], "visit"),
        ("(1 | country:visit) + (1 | patient) + (1 | site)",
         [("patient",), ("site",), ("country",)], "visit"),
    ],
)  # fmt: skip
def test_terms_that_go_across(random: str, groups: list[tuple[str, ...]], across: str) -> None:
    found = levels(random)
    check(found, frame())
    assert [level.group for level in found] == groups
    effects = [e for level in found for e in level.effects if e.across]
    assert [e.across for e in effects] == [(across,)]
    # A grouping alone is sorted as text, the slot of a residual covariance as declared.
    order = ("base", "m6", "m12") if "us(" in random else ("base", "m12", "m6")
    assert effects[0].across_labels == order
    assert effects[0] in found[-1].effects


def test_across_labels_keep_the_declared_order_of_a_factor() -> None:
    found = levels("(1 | site:visit) + (1 | patient)", fixed="visit")
    assert found[1].effects[0].across_labels == ("base", "m6", "m12")


def test_the_smaller_grouping_goes_across_never_the_patient_of_a_residual() -> None:
    # 4 numbers x 7 sites stay, 3 visits x 7 sites go; with 2 patients a site it is the other way,
    # unless a residual covariance needs the patients.
    data = frame()
    few = data[data["number"].isin(["n0", "n1"])]
    assert levels("(1 | site:visit) + (1 | site:number)", few)[0].group == ("site", "visit")
    held = levels("(1 | site:visit) + us(visit | site:number)", few)
    assert held[0].group == ("site", "number")
    assert held[0].effects == ()
    assert held[1].effects[0].across == ("visit",)


def test_two_terms_across_at_two_levels() -> None:
    found = levels("(1 | site:visit) + (1 | country:visit) + (1 | patient)")
    assert [level.group for level in found] == [("patient",), ("site",), ("country",)]
    assert [[e.across for e in level.effects] for level in found] == [
        [()],
        [("visit",)],
        [("visit",)],
    ]


def test_units_do_not_depend_on_the_order_of_rows() -> None:
    for a, b in zip(levels("(1 | country/site/number)"),
                    levels("(1 | country/site/number)", frame(5)), strict=True):  # fmt: skip
        assert a.labels == b.labels
        np.testing.assert_array_equal(a.parent, b.parent)


def test_a_patient_in_two_sites_is_named_with_what_to_do() -> None:
    data = frame()
    data.loc[data.index[data["patient"] == "p05"][0], "site"] = "s0"
    with pytest.raises(ModelError) as error:
        levels("(1 | site) + (1 | patient)", data)
    said = str(error.value)
    assert "Crossed groupings can't be fitted yet: they come later." in said
    assert "1 of 28 levels of patient lie in several of site: p05 (in s0, s6)" in said
    assert "to do:   where one patient was in several site, decide" in said
    assert "(1 | site/patient)" in said


@pytest.mark.parametrize(
    ("random", "says"),
    [
        ("(1 | site) + (1 | number)", "write (1 | number/site) or (1 | site/number)"),
        ("(1 | site) + us(visit | number)", "write us(... | site:number)"),
        ("(1 | patient) + (1 | visit)", "patient and visit are crossed"),
        ("(1 | visit:arm) + (1 | site)", "arm"),
    ],
)
def test_crossed(random: str, says: str) -> None:
    with pytest.raises(ModelError) as error:
        levels(random)
    assert "Crossed groupings" in str(error.value)
    assert says in str(error.value)


def test_too_many_labels_across_are_crossed() -> None:
    n = 61
    data = pd.DataFrame(
        {"site": np.repeat(["a", "b"], 2 * n * 70), "item": [f"i{k}" for k in range(n)] * 280}
    )
    data["patient"] = [f"p{i // n}" for i in range(len(data))]
    data["y"] = np.arange(len(data)) % 17
    with pytest.raises(ModelError, match="site:item"):
        levels("(1 | site:item) + (1 | patient)", data)
    fewer = data[data["item"] != "i7"]
    assert levels("(1 | site:item) + (1 | patient)", fewer)[0].group == ("patient",)


@pytest.mark.parametrize("random", ["(1 | patient:visit)", "(1 | patient:arm:visit)"])
def test_terms_within_the_patient_of_a_residual_covariance(random: str) -> None:
    with pytest.raises(ModelError, match="lies within the patients"):
        levels(f"{random} + us(visit | patient)")


def test_empty_term() -> None:
    with pytest.raises(ModelError, match="no column left of the bar"):
        levels("(0 | site)")
