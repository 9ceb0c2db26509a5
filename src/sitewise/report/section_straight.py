"""Whether the straight lines of the primary model fit: table and words of section 6 and page 1."""

from sitewise.classical.straight_result import MeansRow, StraightLines
from sitewise.report.cells import p_cell, p_notes
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, listed, number
from sitewise.report.layout import Cell, Row, Table, row, table
from sitewise.report.words_models import linear_misfit

STOPPED = "not converged"


def straight_table(e: Evidence, name: str, found: StraightLines) -> Table:
    """The primary contrast along lines and between means, by two covariances."""
    unit = e.endpoint(name).unit
    return table(
        f"tbl-straight-{name}",
        f"Along straight lines, or with a mean for each visit: {e.endpoints[name].ladder.contrast},"
        f" {name}",
        [("Model", "text"), (f"Estimate ({unit})", "number"), ("SE", "number"), ("df", "number"),
         ("p", "number")],
        [_row(e, name, one) for one in found.rows],
        notes=[
            *(f"{one.label}: {one.refused}." for one in found.rows if one.refused),
            f"Tested: {found.formula}." if not found.refused else "",
            *p_notes(e, name, tested=True),
        ],
        file="straight_lines.csv",
        size="small",
    )  # fmt: skip


def _row(e: Evidence, name: str, one: MeansRow) -> Row:
    d, a = e.decimals(name), one.answer
    primary = one.key == "primary"
    label = f"{one.label} (primary)" if primary else one.label
    cells: list[str | Cell] = [label]
    if a is None or one.state == STOPPED:
        cells += ["not estimable" if a is None else "not final", *[NONE] * 3]
    else:
        cells += [
            number(a.estimate, d),
            number(a.se, d + 2),
            degrees(a.df),
            p_cell(e, name, a.p, tested=primary),
        ]
    return row(*cells, kind="strong" if primary else "")


def straight_words(e: Evidence, name: str, found: StraightLines) -> str:
    """What the test found, and what the contrast is without the lines."""
    if found.refused:
        return f"Whether the means lie on straight lines could not be tested: {found.refused}."
    held = found.p >= e.plan.alpha
    text = (
        "A mean of its own for every visit and arm"
        f" {'is not seen to add' if held else 'adds'} to the straight lines of the primary model:"
        f" {_test(e, found)} (likelihood ratio by ML, which takes the variances for known:"
        f" \u03c7\u00b2 {number(found.chi2, 1)} on {found.df1}, {e.p_phrase(found.chi2_p)})."
    )
    text += (
        " That does not show the lines to be right."
        if held
        else " The course is not straight: the lines draw on all visits and so are precise, but"
        " their difference at one visit is not that of the arms there."
    )
    own = [_of_means(e, name, one) for one in found.rows if one.means == "visits"]
    told = [one for one in own if one]
    return f"{text} Between means of their own the contrast is {listed(told)}." if told else text


def _test(e: Evidence, found: StraightLines) -> str:
    return (
        f"F {number(found.f, 2)} on {found.df1} and {degrees(found.df2)} degrees of freedom,"
        f" {e.p_phrase(found.p)}"
    )


def _of_means(e: Evidence, name: str, one: MeansRow) -> str:
    d, a = e.decimals(name), one.answer
    if a is None or one.state == STOPPED:
        return ""
    by = "by MMRM" if one.key == "mmrm_visits" else "with the primary model's covariance"
    return f"{number(a.estimate, d)} (SE {number(a.se, d + 1)}, {e.p_phrase(a.p)}) {by}"


def straight_cautions(e: Evidence) -> list[str]:
    """For page 1: endpoints whose means the primary model's lines miss, together.

    By the test; where there is none, by the look of the means.
    """
    own = {name: e.endpoints[name].ladder.straight for name in e.endpoints}
    tested = {name: one for name, one in own.items() if one is not None and not one.refused}
    missed = {name: one for name, one in tested.items() if one.p < e.plan.alpha}
    untested = [name for name in e.endpoints if name not in tested]
    found = [f"{name}: {text[0].lower()}{text[1:]}" for name in untested
             if (text := linear_misfit(e, name))]  # fmt: skip
    if missed:
        primary, visit = e.plan.primary.model, e.plan.primary.visit
        said = [f"{name} ({_test(e, one)})" for name, one in missed.items()]
        text = (
            f"The means do not lie on straight lines in week, which the primary model {primary}"
            f" lays: {listed(said)}. The answer is the difference between two lines at {visit}, not"
            " between the means there"
        )
        beside = [_beside(e, name, one) for name, one in missed.items()]
        told = [one for one in beside if one]
        text += f": {listed(told)}; section 6." if told else "; section 6."
        rest = [f"{name} ({e.p_phrase(one.p)})" for name, one in tested.items()
                if name not in missed]  # fmt: skip
        found.append(f"{text} Of {listed(rest)} it is not seen." if rest else text)
    return found


def _beside(e: Evidence, name: str, found: StraightLines) -> str:
    """`SYSBP -5.0 (SE 2.9, p = 0.079) with a mean for each visit`."""
    one = next(r for r in found.rows if r.key == "visits")
    d, a = e.decimals(name), one.answer
    if a is None or one.state == STOPPED:
        return ""
    return (
        f"{name} {number(a.estimate, d)} (SE {number(a.se, d + 1)}, {e.p_phrase(a.p)}) with a mean"
        " for each visit"
    )
