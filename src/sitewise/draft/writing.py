"""The guesses as a plan and a site sheet: what is a guess is marked GUESS, what only a person can
write is marked WRITE.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence

from sitewise.draft.guesses import Guesses
from sitewise.draft.marks import GUESS, WRITE
from sitewise.plan.sheet import DECIMALS, DELIMITERS
from sitewise.terms import UNWRITTEN

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.+/-]*")
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
_LABELS = {"SYSBP": "Systolic blood pressure", "DIABP": "Diastolic blood pressure"}
# Limits of blood pressures in mmHg: soft, hard.
_LIMITS = {"SYSBP": ("[80, 220]", "[50, 300]"), "DIABP": ("[40, 140]", "[20, 200]")}


def quoted(text: str) -> str:
    """Text as YAML reads it back."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS and not text.endswith(" "):
        return text
    return json.dumps(text, ensure_ascii=False)


def listed(texts: Sequence[str]) -> str:
    """A list on one line."""
    return f"[{', '.join(quoted(text) for text in texts)}]"


def sheet_text(g: Guesses) -> str:
    """The site sheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["SITEID", "file", "encoding", "delimiter", "decimal", "unit"])
    marks = {mark: name for name, mark in DELIMITERS.items()}
    points = {mark: name for name, mark in DECIMALS.items()}
    for site in g.sites:
        encoding = "" if site.encoding == "utf-8-sig" else site.encoding
        delimiter = "" if site.delimiter == "," else marks[site.delimiter]
        decimal = "" if site.decimal == "." else points[site.decimal]
        writer.writerow([site.siteid, site.file, encoding, delimiter, decimal, site.unit])
    return text.getvalue()


def plan_text(g: Guesses, trial: str, date: str) -> str:
    """The plan; date: of the data cut, YYYY-MM-DD."""
    parts = (_head(g, trial, date), _reading(g), _outcomes(g), _handling(g), _analysis(g))
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(g: Guesses, trial: str, date: str) -> Iterator[str]:
    yield "# A first plan, made by `sitewise init` from the hospital files. Read every line:"
    yield "# what was guessed is marked GUESS, what only you can write is marked WRITE. Take a"
    yield "# mark away when you have settled its line. Every key is explained in config/README.md."
    if g.remarks:
        yield "#"
        yield "# To be looked at in the files:"
        yield from (f"# - {remark}" for remark in g.remarks)
    yield ""
    yield f"trial: {trial}"
    yield f"title: Trial {trial}  {WRITE}: the title of the report"
    yield f"question: {UNWRITTEN.capitalize()}  {WRITE}: what was asked, in one sentence"
    yield f"data_cut: {date}  {GUESS}: today"
    yield ""
    yield "estimand:"
    for key, meaning in (
        ("population", "who the question is about"),
        ("treatment", "the conditions compared"),
        ("variable", "what is measured on each patient, and when"),
        ("intercurrent_events", "which events, and how each is handled"),
        ("summary", "what is compared, with its unit"),
    ):
        yield f"  {key}: {UNWRITTEN}  {WRITE}: {meaning}"
    yield ""
    unit = "SITEID" if g.design == "cluster" else "USUBJID"
    yield f"design: {g.design}  {GUESS}: {g.design_why}; who was randomised, by the protocol?"
    yield f"randomised_unit: {unit}"
    yield ""
    yield "sites:"
    yield f"  sheet: {trial}_sites.csv"
    yield f"  batches: {max(1, len(g.sites) // 10)}"
    yield "  small: keep"


def _reading(g: Guesses) -> Iterator[str]:
    yield ""
    yield "columns:"
    shape = "a row a visit" if g.roles.layout == "visits" else "a row a reading"
    yield f"  layout: {g.roles.layout}  {GUESS}: {shape}"
    for role in ("site", "patient", "arm", "visit", "day", "timepoint", "parameter", "value",
                 "unit"):  # fmt: skip
        if role in g.roles.columns:
            column = quoted(g.roles.columns[role])
            yield f"  {role}: {column}  {GUESS}: {g.roles.why[role]}"
    said = {
        "trial": "hardly an identifier is at two hospitals",
        "site": "many identifiers are at several hospitals",
    }
    yield f"  patient_ids: {g.ids}  {GUESS}: {said[g.ids]}"
    yield ""
    yield f'missing_values: ["", "NA", "."]  {GUESS}: see whether the files have others'
    yield ""
    yield "arms:"
    yield "  order:"
    yield from (f"    - {{name: {quoted(a)}, label: {quoted(a)}}}" for a in g.arms)
    yield f"  reference: {quoted(g.reference)}  {GUESS}: {g.reference_why}"
    yield "  direction: arm minus reference"
    yield f"  favours: lower  {GUESS}: is a lower outcome better for the patient?"
    yield ""
    yield "visits:"
    for i, visit in enumerate(g.visits):
        week = f"{visit.week:g}"
        mark = ", baseline: true" if i == 0 else ""
        yield f"  - {{name: {quoted(visit.name)}, week: {week}{mark}}}  {GUESS}: {visit.why}"
    yield f"other_visits: {listed(g.other_visits)}  {GUESS}: expected, but not analysed"
    yield "time: nominal"
    means = "several readings a visit" if g.replicated else "one reading a visit"
    yield f"replicates: {'mean' if g.replicated else 'refuse'}  {GUESS}: {means}"


def _outcomes(g: Guesses) -> Iterator[str]:
    yield ""
    yield "endpoints:"
    key = "column" if g.roles.layout == "visits" else "code"
    for i, (code, name) in enumerate(g.roles.outcomes.items()):
        yield f"  {code}:"
        yield f"    label: {quoted(_LABELS.get(code, name))}"
        yield f"    {key}: {quoted(name)}  {GUESS}: by its name or its numbers"
        if code in _LIMITS:
            soft, hard = _LIMITS[code]
            yield f"    unit: mmHg  {GUESS}: see also the site sheet"
        else:
            low, high = g.ranges[code]
            room = max(high - low, 1e-6)
            soft = f"[{low - room / 2:.6g}, {high + room / 2:.6g}]"
            hard = f"[{low - 2 * room:.6g}, {high + 2 * room:.6g}]"
            yield f"    unit: {UNWRITTEN}  {WRITE}: the unit of analysis"
        yield f"    soft: {soft}  {GUESS}: outside it a warning"
        yield f"    hard: {hard}  {GUESS}: outside it the reading is set aside"
        yield f"    role: {'primary' if i == 0 else 'secondary'}  {GUESS}: in the order found"
    yield f"endpoint_order: hierarchical  {GUESS}: see the protocol"
    pair = {"SYSBP", "DIABP"} <= g.roles.outcomes.keys()
    yield "pairs:" if pair else "pairs: []"
    if pair:
        yield "  - {above: SYSBP, below: DIABP}"
    yield ""
    yield "covariates:" if g.covariates else "covariates: {}"
    for c in g.covariates:
        start = f"  {c.name}: {{column: {quoted(c.column)}, label: {quoted(c.column)}, type: "
        if c.levels:
            codes = ", ".join(f"{quoted(level)}: {quoted(level)}" for level in c.levels)
            yield f"{start}category, codes: {{{codes}}}}}  {GUESS}: constant within patients"
        else:
            yield f"{start}number}}  {GUESS}: constant within patients; add its unit"
    yield from _leaving(g)
    yield f"stratification: []  {GUESS}: which factors was randomisation stratified by?"


def _leaving(g: Guesses) -> Iterator[str]:
    """The reasons for leaving early, as the files write them."""
    found = g.leaving
    if found is None:
        return
    yield "leaving:"
    yield f"  column: {quoted(found.column)}  {GUESS}: {found.why}"
    if found.codes:
        yield f"  codes:  {GUESS}: as they stand; write what each of them means"
        yield from (f"    {quoted(code)}: {quoted(code)}" for code in found.codes)
    if found.stayed:
        yield f"  stayed: {listed(found.stayed)}  {GUESS}: cells of patients who did not leave"


def _handling(g: Guesses) -> Iterator[str]:
    covariate = g.design == "individual"
    yield ""
    yield "baseline:"
    said = f"usual where {'patients' if covariate else 'whole sites'} are randomised"
    yield f"  handling: {'covariate' if covariate else 'outcome'}  {GUESS}: {said}"
    yield f"  missing: {'drop' if covariate else 'keep'}"
    yield ""
    yield "analysis_sets:"
    yield "  FAS:"
    if covariate:
        yield "    label: Patients with a baseline reading and at least one after it"
        yield f"    requires: [baseline, post-baseline]  {GUESS}: see the protocol"
    else:
        yield "    label: All patients with at least one reading of the endpoint"
        yield f"    requires: [any outcome]  {GUESS}: see the protocol"
    yield ""
    yield f"rules:  {GUESS}: nothing is repaired; what is wrong is set aside and reported"
    for rule, value in (
        ("duplicate_equal", "keep first"),
        ("duplicate_different", "set aside"),
        ("patient_at_two_sites", "set aside"),
        ("arm_changes", "set aside"),
        ("unknown_arm", "set aside"),
        ("unknown_visit", "set aside"),
        ("bad_site", "set aside"),
        ("bad_site_share", "0.5"),
    ):
        yield f"  {rule}: {value}"


def _models(g: Guesses) -> list[tuple[str, str, str]]:
    """Name, label and formula; the last is the primary one."""
    covariate = g.design == "individual"
    after = len(g.visits) - 1 if covariate else len(g.visits)
    fixed = f"{'BASE + ' if covariate else ''}{'AVISIT*TRT01P' if after > 1 else 'TRT01P'}"
    if after < 2:
        return [("nested", "Patients in hospitals", f"AVAL ~ {fixed} + (1 | SITEID)")]
    nested = f"AVAL ~ {fixed} + (1 | SITEID) + (1 | USUBJID)"
    models = [
        ("patient", "Patient intercept only", f"AVAL ~ {fixed} + (1 | USUBJID)"),
        ("nested", "Patients nested in hospitals", nested),
    ]
    if not covariate:
        formula = f"AVAL ~ {fixed} + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)"
        models.append(("site_by_visit", "Nested, with hospital-by-visit", formula))
    return models


def _analysis(g: Guesses) -> Iterator[str]:
    models = _models(g)
    questions = ("Do hospitals differ?", "Do hospitals differ in how they change?")
    yield ""
    yield "models:"
    for name, label, formula in models:
        yield f"  {name}:"
        yield f"    label: {label}"
        yield f"    formula: {formula}  {GUESS}: see the protocol"
        yield "    set: FAS"
        yield "    reml: true"
    yield ""
    yield "comparisons:" if len(models) > 1 else "comparisons: []"
    for question, smaller, larger in zip(questions, models, models[1:], strict=False):
        yield f'  - {{question: "{question}", smaller: {smaller[0]}, larger: {larger[0]}}}'
    arm = next(arm for arm in g.arms if arm != g.reference)
    yield "bootstrap:"
    yield "  draws: 199"
    yield ""
    yield "primary:"
    yield f"  model: {models[-1][0]}  {GUESS}: see the protocol"
    yield f"  visit: {quoted(g.visits[-1].name)}  {GUESS}: the last one"
    yield f"  arm: {quoted(arm)}  {GUESS}: see the protocol"
    yield f"  contrast: {'level' if g.design == 'individual' else 'change'}"
    yield f"  why: {UNWRITTEN}  {WRITE}: why this model, visit and contrast are primary"
    yield "icc:"
    yield "  headline: primary"
    yield "df: kenward-roger"
    yield f"alpha: 0.05  {GUESS}: see the protocol"
    yield "sides: 2"
    yield ""
    yield "replication:"
    yield "  engine: auto"
    yield "  max_rows: 1000000"
    yield "  statsmodels_rows: 5000"
    yield "  tolerance: 0.001"
    yield "  tolerance_numbers: 0.01"
    yield ""
    yield "seeds:"
    yield "  figures: 1"
    yield "  comparisons: 1"
