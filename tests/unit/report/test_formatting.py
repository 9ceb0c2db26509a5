"""One rule for each kind of number."""

import math

import pytest

from sitewise.report import formatting as f
from sitewise.report.layout import Cell, group, row, table

NAN = float("nan")


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0004, "<0.001"), (0.0999999, "0.100"), (0.0361, "0.036"), (0.0496, "0.0496"),
     (0.0504, "0.0504"), (0.9997, ">0.999"), (1.0, ">0.999"), (NAN, "\u2013")],
)  # fmt: skip
def test_p_value(p: float, shown: str) -> None:
    assert f.p_value(p, 0.05) == shown


def test_p_never_rounds_onto_alpha() -> None:
    for alpha in (0.05, 0.025, 0.01):
        for k in range(1, 9999):
            p = k / 10000
            shown = f.p_value(p, alpha)
            if not shown.startswith(("<", ">")) and p != alpha:
                assert (float(shown) < alpha) == (p < alpha), (p, alpha, shown)


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [(-3.0751, 1, "\u22123.1"), (-0.04, 1, "0.0"), (0.0, 2, "0.00"), (NAN, 1, "\u2013"),
     (math.inf, 1, "\u221e"), (-math.inf, 1, "\u2212\u221e"), (None, 1, "\u2013")],
)  # fmt: skip
def test_number(value: float, decimals: int, shown: str) -> None:
    assert f.number(value, decimals) == shown


def test_interval_has_a_true_minus_and_words() -> None:
    assert f.interval(-6.76, 0.61, 1) == "(\u22126.8 to 0.6)"
    assert f.interval(NAN, NAN, 1) == "\u2013"


@pytest.mark.parametrize(
    ("limits", "decimals"), [((80, 240), 1), ((40, 140), 1), ((4, 14), 2), ((0, 3000), 0)]
)
def test_decimals_follow_the_plausible_range(limits: tuple[float, float], decimals: int) -> None:
    assert f.decimals_of(limits) == decimals


@pytest.mark.parametrize(("se", "decimals"), [(1.84, 2), (0.0213, 3), (12.0, 2), (NAN, 2), (0, 2)])
def test_decimals_of_an_estimate_show_two_digits_of_its_se(se: float, decimals: int) -> None:
    assert f.decimals_for_se(se, 2) == decimals


def test_percent_df_share_and_counts() -> None:
    assert f.count_percent(271, 389) == "271 (69.7%)"
    assert f.percent(0, 0) == "\u2013"
    assert f.degrees(56.74) == "56.7"
    assert f.share(0.03049) == "0.0305"
    assert f.scientific(-2.14e-9) == "\u22122.1\u00d710\u207b\u2079"
    assert f.scientific(0.0) == "0"
    assert f.difference(-2.14e-9) == "<10\u207b\u2076"
    assert f.difference(0.0) == "<10\u207b\u2076"
    assert f.difference(2.5e-3) == "2.5\u00d710\u207b\u00b3"
    assert f.typeset("by -5.3, 2018-05-01, x-1 (-2)") == "by \u22125.3, 2018-05-01, x-1 (\u22122)"
    assert f.listed(["a", "b", "c"]) == "a, b and c"
    assert f.coverage(0.05) == "95%"
    assert f.coverage(0.025) == "97.5%"


def test_what_stands_before_a_bracket_is_in_line() -> None:
    texts = [
        "155.4 (10.6)",
        "154.4 (9.9)",
        "\u2013",
        "0",
        "8 (3.3%)",
        "161 (66.0%)",
        "(1.2 to 13.4)",
    ]
    padded = f.align_beside(texts)
    assert [p.replace("\u2007", "") for p in padded] == texts  # nothing but spaces was added
    assert padded[1] == "154.4\u2007 (9.9)"
    assert padded[4] == "8\u2007 (3.3%)"
    assert [p for p in padded if "\u2007" in p] == [padded[1], padded[4]]


def test_aligned_columns_end_equally_far_from_the_decimal_point() -> None:
    texts = ["1.5", "\u221212", "<0.001", "\u2013", "0.0496"]
    padded = f.align(texts)
    assert [p.strip() for p in padded] == texts  # nothing but spaces was added
    after = [
        len(p) - (p.index(".") if "." in p else len(t))
        for p, t in zip(padded, texts, strict=True)
        if t != "\u2013"
    ]
    assert set(after) == {5}


def test_a_short_group_stays_with_its_heading_and_a_sign_without_a_cell_has_no_note() -> None:
    short = [group("few", 2), row("a", "1"), row("b", "2")]
    long = [group("many", 2), *(row(str(i), "1") for i in range(20))]
    made = table("t", "T", [("", "text"), ("p", "number")], [*short, *long],
                 notes=["\u2021 nobody has it.", "\u2020 one has it.", "Plain."])  # fmt: skip
    assert [r.kept for r in made.rows] == [False, True, True, *[False] * 21]
    assert made.notes == ("Plain.",)
    marked = table("t", "T", [("p", "number")], [row(Cell("0.1", "\u2020"))],
                   notes=["\u2021 nobody has it.", "\u2020 one has it."])  # fmt: skip
    assert marked.notes == ("\u2020 one has it.",)


def test_rows_below_a_first_cell_that_speaks_for_them_stay_with_it() -> None:
    names = ["Week 2", "", "", "Week 4", "", "", "all"]
    built = table("t", "T", [("Visit", "text"), ("n", "number")], [row(n, "1") for n in names])
    assert [r.kept for r in built.rows] == [False, True, True, False, True, True, False]


def test_names_of_hospitals_are_in_natural_order() -> None:
    names = ["100", "10", "A10", "2", "A2", "007", "7", "1001E3", "B", "", "\u00b2"]
    ordered = sorted(names, key=f.natural)
    assert ordered == ["", "2", "007", "7", "10", "100", "1001E3", "A2", "A10", "B", "\u00b2"]


def test_a_listing_is_not_cut_for_a_line_or_two() -> None:
    assert [len(f.first_of(range(n), 16)) for n in (3, 16, 17, 18, 19)] == [3, 16, 17, 18, 16]
