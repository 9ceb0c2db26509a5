"""What the whole trial shows that stops nothing and should be known."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, AVISITN, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Severity
from sitewise.trial.cells import PATIENTS
from sitewise.trial.findings import Found
from sitewise.trial.rows import PARAMCD

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


def missing_baselines(plan: "Plan", analysed: "pd.DataFrame") -> Iterator[Found]:
    """Patients without a baseline reading of an endpoint of which they have others.

    analysed: readings of whole patients that reach the analysis.
    """
    keys = [SITEID, USUBJID]
    baseline = plan.baseline_visit.name
    for name, endpoint in plan.endpoints.items():
        part = analysed[analysed[PARAMCD] == name]
        who = part.groupby(keys, sort=False).ngroup()
        without = part[~who.isin(who[part[AVISIT] == baseline])]
        yield Found(
            "missing baseline",
            Severity.NOTE,
            # found in no row: the patient's first reading says where to look
            without.sort_values([*keys, AVISITN, SRCFILE, SRCROW], kind="stable")
            .drop_duplicates(keys)
            .assign(**{AVISIT: baseline}),
            endpoint.column or plan.columns.value or "",
            f"the patient has {name} readings, but none at {baseline}",
            allowed="a reading at baseline",
            action="readings kept; the plan's baseline.missing says what each model does",
            advice="see whether the baseline reading can be found in the source documents",
            scope="baseline",
        )


def trial_notes(plan: "Plan", patients: "pd.DataFrame", cells: "pd.DataFrame") -> Iterator[Found]:
    """Sites with one patient, arms and visits without readings, or with hardly any.

    patients, cells: `count_patients` and `count_cells` of the analysed readings.
    """
    for name in plan.endpoints:
        part = cells[cells[PARAMCD] == name]
        yield from _empty_cells(plan, name, part)
        yield from _lonely_visits(plan, name, part)
    number = patients.groupby(SITEID)[PATIENTS].sum()
    yield Found(
        "site with one patient",
        Severity.NOTE,
        cells[cells[SITEID].isin(number.index[number == 1])].drop_duplicates(SITEID),
        "",
        "the site has a single patient: it says nothing about differences within the site",
        value="1 patient",
        allowed="any number; two or more say something about the site",
        action="readings kept",
        advice="nothing to do, unless more patients were seen there",
        scope="site",
    )


def _empty_cells(plan: "Plan", name: str, part: "pd.DataFrame") -> Iterator[Found]:
    """Arms without a reading at a visit at which others have some."""
    cells = set(part[[AVISIT, TRT01P]].drop_duplicates().itertuples(index=False, name=None))
    held = {visit for visit, _ in cells}
    empty = [
        f"{arm} at {visit.name}"
        for visit in plan.visits
        for arm in plan.arms.levels
        if visit.name in held and (visit.name, arm) not in cells
    ]
    if empty:
        yield Found(
            "arm without readings",
            Severity.WARNING,
            part.iloc[:1],
            "",
            f"no {name} reading: {', '.join(empty)}; a contrast there can't be estimated",
            allowed="readings of each arm at each visit",
            action="none",
            advice="check the codes of arms and visits",
            scope="trial",
        )


def _lonely_visits(plan: "Plan", name: str, part: "pd.DataFrame") -> Iterator[Found]:
    """Visits at which a single patient has a reading."""
    for visit in plan.visits:
        here = part[part[AVISIT] == visit.name]
        if here[PATIENTS].sum() == 1:
            yield Found(
                "visit with one patient",
                Severity.WARNING,
                here.iloc[:1],
                plan.columns.visit,
                f"only one patient has a {name} reading at {visit.name}: means and contrasts there"
                " rest on this patient",
                value=visit.name,
                allowed="several patients at each visit of the plan",
                action="reading kept",
                advice="see whether other visits' names were mistaken; take a visit that hardly"
                " took place out of the plan (other_visits)",
            )
