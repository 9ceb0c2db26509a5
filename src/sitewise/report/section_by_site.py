"""In the section of sites: whether the treatment effect differs between them, in two forms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.inference.by_site_result import BySite, EffectAtSite, FixedForm, RandomForm
from sitewise.report.cells import capped, of_sites
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, interval, listed, natural, number, typeset
from sitewise.report.layout import Cell, CellLike, Row, Table, row, table
from sitewise.report.section_comparisons import draws_made

FEW_PATIENTS = 5  # of an arm of a site, below which its estimate is named
MOST_SMALL = 12  # such sites that the note names


@dataclass(frozen=True)
class BySiteOf:
    """Treatment by site of one endpoint: sentences, the tests, the sites; tables may be None."""

    text: tuple[str, ...]
    tests: Table | None
    sites: Table | None  # None also where no form tells sites apart


def by_site(e: Evidence, name: str) -> BySiteOf | None:
    """Build it; None where the plan does not ask."""
    found = e.endpoints[name].by_site
    if not found.asked:
        return None
    if found.refused:
        said = (
            "The plan asks whether the treatment effect differs between sites. Refused:"
            f" {found.refused}."
        )
        return BySiteOf((typeset(said),), None, None)
    return BySiteOf(
        text=tuple(typeset(text) for text in _texts(e, name, found)),
        tests=_tests(e, name, found),
        sites=_sites(e, name, found),
    )


def differs(e: Evidence, name: str) -> str:
    """For the first page: that a test of the plan finds the effect to differ, or nothing."""
    found = e.endpoints[name].by_site
    said = []
    random, fixed = found.random, found.fixed
    if random is not None and random.state != "not converged" and random.p < e.plan.alpha:
        said.append(f"sites as random, {e.p_phrase(random.p)}")
    if fixed is not None and fixed.state != "not converged" and fixed.p < e.plan.alpha:
        said.append(f"sites as fixed, {e.p_phrase(fixed.p)}")
    if not said:
        return ""
    return (
        f"{name}: the treatment effect differs between sites ({'; '.join(said)}): one number for"
        " all of them leaves that out; section 4 shows each site"
    )


def _texts(e: Evidence, name: str, found: BySite) -> list[str]:
    texts = []
    if found.random is not None:
        texts.append(_random(e, name, found.random))
    if found.fixed is not None:
        texts.append(_fixed(e, found.fixed))
    return texts


def _random(e: Evidence, name: str, x: RandomForm) -> str:
    head = f"Sites as random ({plural(x.sites, 'site')}): "
    if x.refused:
        return f"{head}refused: {x.refused}"
    if x.state == "not converged":
        return f"{head}the model did not converge; nothing of it is shown."
    d, unit = e.decimals(name) + 1, e.endpoint(name).unit
    limits = f"{e.coverage} interval {number(x.lower, d)} to {number(x.upper, d)}"
    text = (
        f"{head}the effect is estimated not to vary between sites, SD 0 ({limits} {unit})"
        if x.sd == 0
        else f"{head}the effect is estimated to vary between them with SD {number(x.sd, d)} {unit}"
        f" ({limits})"
    )
    if x.test_refused:
        text += f". No test: {x.test_refused}"
    else:
        text += f"; likelihood ratio {number(x.statistic, 2)}, {e.p_phrase(x.p)}"
        if x.p_bootstrap is not None:
            text += f", by parametric bootstrap {e.p_phrase(x.p_bootstrap)}"
        if x.p < e.plan.alpha:
            text += ": the effect differs between sites more than chance would make it differ"
        else:
            text += (
                ". That does not show the effect to be the same everywhere: an SD up to the upper"
                " limit is compatible with the data"
            )
    return f"{text}.{_answer(e, name, x)}{_alike(e, name, x)}"


def _alike(e: Evidence, name: str, x: RandomForm) -> str:
    """In place of a column of the same number, where no effect is estimated to vary."""
    own = [r.predicted for r in e.endpoints[name].by_site.rows if not math.isnan(r.predicted)]
    if x.sd != 0 or not own:
        return ""
    effect = f"{number(own[0], e.decimals(name))} {e.endpoint(name).unit}"
    return f" So every site is predicted the same effect, {effect} (tables/by_site.csv)."


def _answer(e: Evidence, name: str, x: RandomForm) -> str:
    """What sites that differ do to the answer."""
    fit = e.primary_fit(name)
    if x.answer is None or not fit.fit.converged:
        return ""
    d, own = e.decimals(name), fit.answer.result
    return (
        f" With effects that may differ, the primary contrast is {number(x.answer.estimate, d)}"
        f" (SE {number(x.answer.se, d + 1)} on {degrees(x.answer.df)} degrees of freedom); the"
        f" primary model has {number(own.estimate, d)} (SE {number(own.se, d + 1)} on"
        f" {degrees(own.df)})."
    )


def _fixed(e: Evidence, x: FixedForm) -> str:
    if x.refused:
        return f"Sites as fixed: refused: {x.refused}.{_missing(e, x)}"
    if x.state == "not converged":
        return "Sites as fixed: the model did not converge; nothing of it is shown."
    text = (
        f"Sites as fixed ({plural(x.sites, 'site')}): F = {number(x.f, 2)} on {x.df1}"
        f" and {degrees(x.df2)} degrees of freedom, {e.p_phrase(x.p)}"
    )
    if not x.p < e.plan.alpha:
        text += ". A test of many sites has little power: this is no evidence of equal effects"
    return f"{text}.{_missing(e, x)}"


def _sites_listed(names: Sequence[str]) -> str:
    return listed(sorted(names, key=natural))


def _missing(e: Evidence, x: FixedForm) -> str:
    """What became of sites that miss an arm, by name."""
    what = f"they have no patient of {e.plan.primary.arm} or none of {e.plan.arms.reference}"
    text = ""
    if x.pooled:
        text += f" Pooled by the plan as one site, since {what}: {_sites_listed(x.pooled)}."
    if x.left_out:
        rule = e.plan.treatment_by_site.missing_arm
        why = "by the plan" if rule == "leave out" else "the pool would miss an arm too"
        text += f" Left out of this form ({why}), since {what}: {_sites_listed(x.left_out)}."
    if x.inestimable:
        text += f" Their readings do not determine the contrast of: {_sites_listed(x.inestimable)}."
    return text


def _tests(e: Evidence, name: str, found: BySite) -> Table:
    d, unit = e.decimals(name) + 1, e.endpoint(name).unit
    rows: list[Row] = []
    notes = [*found.terms]
    x, f = found.random, found.fixed
    if x is not None:
        shown = not x.refused and x.state != "not converged"
        tested = shown and not x.test_refused
        rows.append(
            row(
                "Random",
                str(x.sites),
                number(x.sd, d) if shown else NONE,
                interval(x.lower, x.upper, d) if shown else NONE,
                f"LR {number(x.statistic, 2)}" if tested else NONE,
                str(x.df) if tested else NONE,
                e.p(x.p) if tested else NONE,
            )
        )
        notes += _random_notes(e, x)
    if f is not None:
        shown = not f.refused and f.state != "not converged"
        rows.append(
            row(
                "Fixed", str(f.sites), NONE, NONE,
                f"F {number(f.f, 2)}" if shown else NONE,
                f"{f.df1}, {degrees(f.df2)}" if shown else NONE,
                e.p(f.p) if shown else NONE,
            )
        )  # fmt: skip
        notes.append(f"Fixed: {f.formula}." if f.formula else "")
    return table(
        f"tbl-by-site-tests-{name}",
        f"Does the effect differ between sites? {name}: {found.contrast}",
        [
            ("Sites as", "text"),
            ("Sites", "number"),
            (f"SD of the effect ({unit})", "number"),
            (f"{e.coverage} interval", "mixed"),
            ("Test", "mixed"),
            ("df", "mixed"),
            ("p", "number"),
        ],
        rows,
        notes=[typeset(note) for note in notes if note],
        file="by_site_tests.csv",
    )


def _random_notes(e: Evidence, x: RandomForm) -> list[str]:
    notes = [f"Random: {x.formula}; tested against {x.smaller}; {x.rule or x.test_refused}."]
    notes.append(
        "Interval of the SD: profile of the ML likelihood. The test is of the effects of all arms"
        " by site together."
    )
    if x.bootstrap_draws is not None and x.p_bootstrap is not None:
        notes.append(f"Bootstrap: {draws_made(e, x.bootstrap_draws)}.")
    if x.passed:
        notes.append(f"{x.passed}.")
    return [*notes, *x.cautions]


def _sites(e: Evidence, name: str, found: BySite) -> Table | None:
    """The sites beside each other; None where no form says more of one than of another."""
    d = e.decimals(name)
    alike = found.random is not None and found.random.sd == 0
    fixed = any(r.estimate is not None for r in found.rows)
    predicted = not alike and any(not math.isnan(r.predicted) for r in found.rows)
    if not fixed and not predicted:
        return None
    rows = [_at(r, d, fixed=fixed, predicted=predicted) for r in of_sites(found.rows)]
    columns = [("Site", "text"), (e.plan.primary.arm, "number"), (e.plan.arms.reference, "number")]
    if fixed:
        columns += [("Estimate (fixed)", "number"), ("SE", "number"),
                    (f"{e.coverage} CI", "mixed"), ("df", "number")]  # fmt: skip
    if predicted:
        columns.append(("Predicted (random)", "number"))
    return table(
        f"tbl-by-site-{name}",
        f"Effect by site under models, {name}: {found.contrast}, {e.endpoint(name).unit}",
        columns,
        rows,
        notes=[
            f"{e.plan.primary.arm}, {e.plan.arms.reference}: patients."
            + " Estimate: of the site alone, by the model with sites as fixed." * fixed
            + " Predicted: by the model with sites as random, the common effect plus the site's"
            " predicted departure, shrunk the more the less a site tells." * predicted,
            *_not_shown(found, fixed=fixed, predicted=predicted or alike),
            _small(found) if fixed else "",
            capped(len(rows), len(found.rows), "tables/by_site.csv"),
        ],
        file="by_site.csv",
        size="small",
    )


def _not_shown(found: BySite, *, fixed: bool, predicted: bool) -> list[str]:
    """Why the columns of a form that the plan asks for are not there."""
    notes = []
    if found.fixed is not None and not fixed:
        why = found.fixed.refused or "the model did not converge"
        notes.append(f"No column of sites as fixed: {why}.")
    if found.random is not None and not predicted:
        why = found.random.refused or "the model did not converge"
        notes.append(f"No column of sites as random: {why.rstrip('.')}.")
    return notes


def _small(found: BySite) -> str:
    """The sites whose own estimate rests on a handful of patients, and how to read these."""
    few = [
        f"{r.site} ({r.n} and {r.n_reference})"
        for r in of_sites(found.rows)
        if r.estimate is not None and min(r.n, r.n_reference) < FEW_PATIENTS
    ]
    if not few:
        return ""
    many = f" and {len(few) - MOST_SMALL} more" if len(few) > MOST_SMALL else ""
    return (
        f"\u2020 Fewer than {FEW_PATIENTS} patients in an arm: {', '.join(few[:MOST_SMALL])}{many}."
        " Such an estimate is that of single patients, and where few of their readings reach the"
        " visit it lies far beyond what they show; its SE takes the scatter of all sites for its"
        " own. Read the interval, or the prediction, not the estimate."
    )


def _at(r: EffectAtSite, d: int, *, fixed: bool, predicted: bool) -> Row:
    cells: list[CellLike] = [r.site, str(r.n), str(r.n_reference)]
    if fixed and r.estimate is not None:
        x = r.estimate
        few = "\u2020" if min(r.n, r.n_reference) < FEW_PATIENTS else ""
        cells += [Cell(number(x.estimate, d), few), number(x.se, d + 1),
                  interval(x.lower, x.upper, d), degrees(x.df)]  # fmt: skip
    elif fixed:
        cells += [NONE] * 4
    if predicted:
        cells.append(NONE if math.isnan(r.predicted) else number(r.predicted, d))
    return row(*cells)
