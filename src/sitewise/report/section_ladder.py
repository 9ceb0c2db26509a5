"""Section: the primary contrast under every usual model, covariance choice, guard."""

from dataclasses import dataclass

from sitewise.classical.ladder_result import Guard, Ladder, Rung
from sitewise.errors import plural
from sitewise.lmm.linear.method import method_of
from sitewise.report.cells import is_answer, names_cell, p_cell, p_notes
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, natural, number, typeset
from sitewise.report.layout import Cell, Row, Table, row, table
from sitewise.report.section_baseline import baseline_table, baseline_words
from sitewise.report.section_covariances import covariances_table
from sitewise.report.section_not_at_random import not_at_random_table, not_at_random_words
from sitewise.report.section_straight import straight_table, straight_words
from sitewise.report.words_departures import covariance_note
from sitewise.report.words_guard import guard_words
from sitewise.report.words_ladder import (
    direction,
    left_out_words,
    sites_words,
    spread,
)
from sitewise.report.words_models import group_name

MOST_LEFT_OUT = 5


@dataclass(frozen=True)
class LadderOf:
    """The ladder of one endpoint; guard is None where patients were randomised."""

    name: str
    title: str
    text: tuple[str, ...]
    table: Table
    shares: Table
    guard: Table | None
    guard_text: tuple[str, ...]
    covariances: Table
    deviations: tuple[str, ...]
    left_out: Table
    left_out_text: str
    baseline: Table | None
    baseline_text: tuple[str, ...]
    straight: Table | None
    straight_text: str
    not_at_random: Table | None
    not_at_random_text: tuple[str, ...]


def ladders(e: Evidence) -> tuple[LadderOf, ...]:
    """Build the section."""
    return tuple(_ladder(e, name, own.ladder) for name, own in e.endpoints.items())


def _ladder(e: Evidence, name: str, found: Ladder) -> LadderOf:
    d = e.decimals(name) + 1
    guard, unseen = found.guard, found.not_at_random
    return LadderOf(
        name=name,
        title=e.endpoint(name).label,
        text=tuple(
            text for text in (spread(e, name), direction(e, name), sites_words(e, name)) if text
        ),
        table=_table(e, name, found),
        shares=_shares(name, found),
        guard=None if guard is None else _guard(e, name, guard, d),
        guard_text=() if guard is None else guard_words(e, name, guard),
        covariances=covariances_table(e, name, found.covariance),
        deviations=found.covariance.deviations,
        left_out=_left_out(e, name, found),
        left_out_text=left_out_words(e, name),
        baseline=None if found.baseline is None else baseline_table(e, name, found.baseline),
        baseline_text=() if found.baseline is None else baseline_words(e, name, found.baseline),
        straight=None if found.straight is None else straight_table(e, name, found.straight),
        straight_text="" if found.straight is None else straight_words(e, name, found.straight),
        not_at_random=None if unseen is None else not_at_random_table(e, name, unseen),
        not_at_random_text=() if unseen is None else not_at_random_words(e, name, unseen),
    )


def _straight(found: Ladder) -> list[str]:
    """That all rows ask along straight lines, where they do; ANOVA and MMRM seem not to."""
    if found.straight is None:
        return []
    return [
        "Every row has the fixed part of the primary model, straight lines through the visits: MMRM"
        " has no visit means here (the next table has them), and the contrast of the ANOVA is taken"
        " along lines through its cell means. The models of the plan stand in section 5, contrasts"
        " of cell means in section 7."
    ]


def _table(e: Evidence, name: str, found: Ladder) -> Table:
    d = e.decimals(name)
    unit = e.endpoint(name).unit
    titles = [
        ("Model", "text"),
        ("Readings", "number"),
        ("Patients", "number"),
        (f"Estimate ({unit})", "number"),
        ("SE", "number"),
        ("df", "number"),
        ("p", "number"),
        ("Effective readings", "number"),
    ]
    if found.base:
        titles.append(("SE, arms at baseline", "number"))
    rows = [_row(e, name, rung, d, base=bool(found.base)) for rung in found.rungs]
    return table(
        f"tbl-ladder-{name}",
        f"Which model, and does it matter? {found.contrast}, {name}",
        titles,
        rows,
        notes=[*_notes(e, found), *p_notes(e, name, tested=any(r.planned for r in found.rungs))],
        file="ladder.csv",
        size="small",
    )


def _row(e: Evidence, name: str, rung: Rung, d: int, *, base: bool) -> Row:
    label = f"{rung.label} (primary)" if rung.planned else rung.label
    a = rung.answer
    shown = a is not None and rung.state != "not converged"
    used = [NONE, NONE] if a is None else [str(rung.rows), str(rung.patients)]
    cells: list[str | Cell] = [label, *used]
    if a is not None and shown:
        cells += [
            number(a.estimate, d),
            number(a.se, d + 2),
            degrees(a.df),
            p_cell(e, name, a.p, tested=rung.planned),
            number(rung.effective, 0),
        ]
    else:
        cells += ["not estimable" if a is None else "not final", *[NONE] * 4]
    if base:
        at_base = rung.base if rung.state != "not converged" else None
        cells.append(number(None if at_base is None else at_base.se, d + 2))
    return row(*cells, kind="strong" if rung.planned else "")


def _notes(e: Evidence, found: Ladder) -> list[str]:
    unit = group_name(found.cluster)
    why = "the randomised unit" if e.plan.design == "cluster" else "patients were randomised"
    notes = [
        f"Not estimable: {rung.label[0].lower()}{rung.label[1:]}: {rung.refused}."
        for rung in found.rungs
        if rung.answer is None and rung.refused
    ]
    told: dict[str, list[str]] = {}
    for rung in found.rungs:
        for note in rung.notes:
            told.setdefault(note, []).append(rung.label)
    notes += [typeset(f"{'; '.join(labels)}: {note}") for note, labels in told.items()]
    notes += [
        *_straight(found),
        _mmrm(found),
        f"Clusters of the robust standard error and of the estimating equations (GEE): the"
        f" {unit}, {why}; {found.clusters} of them. GEE: t on clusters less fixed effects; valid"
        " where readings are missing completely at random given arm and visit. Mixed models:"
        " missing at random. ANOVA: complete cases, missing completely at random.",
        "Effective readings: independent readings that would give this standard error under least"
        f" squares, n (SE of least squares / SE)\u00b2.{_df_of_mixed(found)}",
    ]
    return notes


def _mmrm(found: Ladder) -> str:
    """What MMRM is, and the covariance in the name of its row."""
    own = covariance_note([found.covariance.taken])
    what = "MMRM: mixed model for repeated measures, in place of random effects of patients a"
    return f"{what} residual covariance. {own}" if own else ""


def _df_of_mixed(found: Ladder) -> str:
    """`df of mixed models: Kenward-Roger (expected information, linear form).`, if any."""
    own = dict.fromkeys(r.df_method for r in found.rungs if r.formula and r.df_method)
    said = ", ".join(str(method_of(df, None, "linear", reml=True)) for df in own)
    return f" df of mixed models: {said}." if said else ""


def _shares(name: str, found: Ladder) -> Table:
    labels = {rung.key: rung.label for rung in found.rungs}
    rows = [
        row(
            labels[s.rung],
            group_name(s.group),
            number(s.variance, 2),
            f"{100 * s.share:.1f}%",
        )
        for s in found.shares
    ]
    return table(
        f"tbl-ladder-shares-{name}",
        f"Where the variance lies, {name}",
        [("Model", "text"), ("Level", "text"), ("Variance", "number"), ("Share", "mixed")],
        rows,
        notes=["Beside the fixed part of the primary model."],
        file="ladder_shares.csv",
    )


def _guard(e: Evidence, name: str, guard: Guard, d: int) -> Table:
    rows, tested = [], False
    for label, a in (
        ("without (1 | SITEID:AVISIT)", guard.without),
        ("with (1 | SITEID:AVISIT)", guard.with_term),
    ):
        if a is not None:
            own = is_answer(e, name, a.estimate, a.p)
            tested |= own
            rows.append(
                row(
                    f"{label} (primary)" if own else label,
                    number(a.estimate, d - 1),
                    number(a.se, d + 1),
                    degrees(a.df),
                    p_cell(e, name, a.p, tested=own),
                    kind="strong" if own else "",
                )
            )
    return table(
        f"tbl-guard-{name}",
        f"Guard of a trial that randomised sites: the primary contrast, {name}",
        [
            ("Primary model", "text"),
            (f"Estimate ({e.endpoint(name).unit})", "number"),
            ("SE", "number"),
            ("df", "number"),
            ("p", "number"),
        ],
        rows,
        notes=[
            f"{plural(guard.units, 'site')}, {plural(guard.arms, 'arm')}: {guard.between} degrees"
            " of freedom between sites.",
            f"There is no such pair: {guard.refused}." if guard.refused else "",
            "Every analysis held against the sites: tables/guard_checked.csv.",
            *p_notes(e, name, tested=tested),
        ],
        file="guard.csv",
    )


def _left_out(e: Evidence, name: str, found: Ladder) -> Table:
    """The sites whose absence moves the estimate most."""
    d = e.decimals(name)
    done = [x for x in found.left_out if x.answer is not None and x.state != "not converged"]
    done.sort(key=lambda x: (-abs(x.change), natural(x.site)))
    rows = [
        row(
            x.site,
            str(x.patients),
            number(x.answer.estimate, d + 1),
            number(x.answer.se, d + 2),
            degrees(x.answer.df),
            p_cell(e, name, x.answer.p),
            number(x.change, d + 1),
            x.state,
        )
        for x in done[:MOST_LEFT_OUT]
        if x.answer is not None
    ]
    shown = (
        f"The {len(rows)} that move the estimate most, of {len(found.left_out)}."
        if len(rows) < len(found.left_out)
        else "Those that move the estimate most stand first."
    )
    refused: dict[str, list[str]] = {}
    for x in found.left_out:
        why = x.refused or ("the fit did not converge" if x.state == "not converged" else "")
        if why:
            refused.setdefault(why, []).append(x.site)
    return table(
        f"tbl-left-out-{name}",
        f"The primary analysis without one site: {found.contrast}, {name}",
        [
            ("Without site", "text"),
            ("Its patients", "number"),
            (f"Estimate ({e.endpoint(name).unit})", "number"),
            ("SE", "number"),
            ("df", "number"),
            ("p", "number"),
            ("Change", "number"),
            ("Fit", "text"),
        ],
        rows,
        notes=[
            f"Without the site's readings, all variances estimated anew. {shown}",
            *(f"Not without {names_cell(sites)}: {why}." for why, sites in refused.items()),
            *p_notes(e, name, tested=False),
        ],
        file="left_out.csv",
        size="small",
    )
