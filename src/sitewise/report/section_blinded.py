"""The report of a blinded trial: that it is one, what is withheld, and what can be shown.

The plan that it stands on knows one arm (`sitewise.inference.blinded_plan`), so that no sentence
and no table here could tell of arms; what speaks of them elsewhere is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sitewise.errors import plural
from sitewise.report import words_sites
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import interval, listed, number, share
from sitewise.report.layout import Figure, Row, Table, row
from sitewise.report.section_comparisons import tests_table, uses_table
from sitewise.report.section_data import Data, data
from sitewise.report.section_deviations import lock
from sitewise.report.section_end import appendix, methods_section
from sitewise.report.section_findings import findings
from sitewise.report.section_models import components, fit_cautions, formulas
from sitewise.report.section_outcomes import outcome_table, patterns_table
from sitewise.report.section_replication import replications
from sitewise.report.section_sites import icc_by_visit, icc_by_week, icc_table
from sitewise.report.words_cautions import unsettled
from sitewise.report.words_models import why_primary
from sitewise.report.words_patients import analysed_text
from sitewise.terms import SITEID

WITHHELD = (
    "every mean, difference, test and figure by arm, under any name of the arms",
    "what hospitals show of outcomes one by one (means, predictions, residuals, figures by"
    " hospital): where a hospital has one arm, that would tell of the arm",
    "arm terms of the models, which are fitted without them; comparisons of models that differ by"
    " the arm alone; the cross-check by analysis of variance; least squares beside the models; the"
    " design effect of the contrast",
    "the checks that need arms: the declared design, arms without readings",
)
_DROPPED = {"Arm"}


@dataclass(frozen=True)
class BlindedEndpoint:
    """What can be shown of one endpoint. by_visit, by_week, tests: None where there is none."""

    name: str
    title: str
    table: Table
    patterns: Table
    figure: Figure
    icc_text: str
    icc: Table
    by_visit: Table | None
    by_week: Table | None
    components: Table
    tests: Table | None
    uses: Table
    cautions: tuple[str, ...]


def blinded_context(e: Evidence, figures: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the templates of a blinded report print. figures: file name to data URI."""
    e = _without_totals(e)
    plan = e.plan
    return {
        "trial": plan.trial,
        "title": plan.title,
        "question": plan.question,
        "data_cut": plan.data_cut.isoformat(),
        "coverage": e.coverage,
        "withheld": WITHHELD,
        "unfinished": unsettled(e),
        "shown": _shown(e),
        "lifted": _how_to_lift(e),
        "cluster": plan.design == "cluster",
        "data": _data(e, figures),
        "findings": findings(e),
        "lock": lock(e),
        "formulas": formulas(e),
        "why_primary": why_primary(plan),
        "endpoints": tuple(_endpoint(e, name, figures) for name in plan.endpoints),
        "replications": replications(e),
        "estimand": methods_section(e).estimand,
        "appendix": appendix(e),
        "limits": None,
    }


def headline(e: Evidence) -> tuple[str, str]:
    """Two lines for the end of a run."""
    first = next(iter(e.plan.endpoints))
    fit = e.primary_fit(first)
    return (
        f"{e.plan.trial} is blinded: nothing is computed by arm.",
        f"{first}: {plural(fit.patients, 'patient')} of {plural(fit.sites, 'site')};"
        f" {_icc(e, first)}. sitewise unlock lifts the blind.",
    )


def _shown(e: Evidence) -> tuple[str, ...]:
    aside = [f.site for f in e.files if f.status == "set aside"]
    sites = f"Set aside: {listed(aside)}." if aside else "No hospital is set aside."
    errors = sum(f.findings for f in e.account.findings if f.severity == "error")
    told = f"{plural(errors, 'finding')} of severity error; section 2 tells each."
    return (analysed_text(e), sites, told, *(f"{n}: {_icc(e, n)}." for n in e.plan.endpoints))


def _icc(e: Evidence, name: str) -> str:
    model = words_sites.headline_model(e, name)
    item = next((i for i in model.levels if i.level == SITEID), None) if model else None
    if item is None:
        return "its headline intraclass correlation has no level of sites"
    ends = (
        f"at most {share(item.upper)}, one-sided"
        if item.one_sided
        else f"{share(item.lower)} to {share(item.upper)}"
    )
    return f"intraclass correlation of sites {share(item.share)} ({e.coverage} interval {ends})"


def _how_to_lift(e: Evidence) -> str:
    frozen = (
        "Plan and data are locked."
        if e.deviations.locked
        else "Plan and data are not locked yet: lock them first (sitewise lock)."
    )
    return f"{frozen} The blind is lifted by sitewise unlock, which asks for the reason."


def _endpoint(e: Evidence, name: str, figures: Mapping[str, str]) -> BlindedEndpoint:
    iccs, fits = e.endpoints[name].iccs, e.ordered_fits(name)
    note = (
        " While the trial is blinded no model knows the arm: what arms differ by is in these"
        f" variances{_and_sites(e)}."
    )
    return BlindedEndpoint(
        name=name,
        title=e.endpoint(name).label,
        table=_pooled(outcome_table(e, name)),
        patterns=_pooled(patterns_table(e, name)),
        figure=_profiles(e, name, figures),
        icc_text=words_sites.icc_sentence(e, name).partition(" That value is")[0] + note,
        icc=icc_table(e, name, iccs),
        by_visit=icc_by_visit(e, name, iccs) if iccs.by_visit else None,
        by_week=icc_by_week(name, iccs) if iccs.at_week else None,
        components=components(e, fits[0]),
        tests=tests_table(e, name) if e.endpoints[name].comparisons.tests else None,
        uses=uses_table(name, fits),
        cautions=fit_cautions(fits),
    )


def _and_sites(e: Evidence) -> str:
    return ", and, since hospitals were randomised, in that of sites" * (e.plan.design == "cluster")


def _profiles(e: Evidence, name: str, figures: Mapping[str, str]) -> Figure:
    d, section = e.decimals(name), e.endpoint(name)
    seen = [r for r in e.description.outcomes if r.endpoint == name and r.n > 0]
    told = listed(
        [f"{number(r.mean, d)} {interval(r.lower, r.upper, d)} at {r.visit}" for r in seen]
    )
    return Figure(
        f"fig-profiles-{name}",
        f"{section.label}: observed means of all arms together, with {e.coverage} intervals.",
        f"Line chart of mean {section.label} ({section.unit}), all arms together: {told}.",
        figures[f"{name}-profiles.svg"],
    )


def _without_totals(e: Evidence) -> Evidence:
    """Without the lines of all arms, which the single arm repeats."""
    own = e.description
    return replace(
        e,
        description=replace(
            own,
            sets=tuple(s for s in own.sets if s.arm),
            baseline=tuple(b for b in own.baseline if b.arm),
        ),
    )


def _data(e: Evidence, figures: Mapping[str, str]) -> Data:
    made = data(e, figures)
    told = made.flow_figure.caption.replace("Patients of an arm are", "Patients are")
    baseline = _pooled(made.baseline)
    return replace(
        made,
        flow_figure=replace(made.flow_figure, caption=told),
        flow=_pooled(made.flow),
        flow_by_site=_pooled(made.flow_by_site),
        sets=_pooled(made.sets),
        baseline=replace(baseline, notes=baseline.notes[1:]),  # the first is on randomised arms
    )


def _pooled(made: Table) -> Table:
    """A table by arm where there is one arm: without its column of arms, and under another name."""
    kept = [i for i, column in enumerate(made.columns) if column.title not in _DROPPED]
    caption = made.caption.replace(" by arm", "").replace(" and arm", "")
    rows = tuple(_cut(line, kept) for line in made.rows)
    return replace(made, caption=caption, columns=tuple(made.columns[i] for i in kept), rows=rows)


def _cut(line: Row, kept: list[int]) -> Row:
    if line.kind == "group":
        return replace(line, cells=(replace(line.cells[0], span=len(kept)),))
    return row(*(line.cells[i] for i in kept), kind=line.kind)
