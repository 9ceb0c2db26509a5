"""The machine-readable tables: CSV files with every number in full, and the headline.

Written by the rule report below tables/. Long form, one row a number or a set of numbers that
belong together; floats in their shortest exact form; a missing number is an empty cell.
"""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitewise.report.evidence import Evidence

HEADLINE = "headline.txt"
Lines = Iterator[dict[str, Any]]


def names(endpoints: Sequence[str]) -> list[str]:
    """File names below tables/; the same whatever the endpoints, which are a column of each."""
    return [*WRITERS, HEADLINE]


def write_tables(evidence: "Evidence", paths: Sequence[str]) -> None:
    """Write every table and the headline to the paths whose file names are `names(...)`."""
    from sitewise.report.words import headline

    for path in map(Path, paths):
        if path.name == HEADLINE:
            path.write_text("\n".join(headline(evidence)) + "\n", encoding="utf-8", newline="\n")
        else:
            columns, lines = WRITERS[path.name]
            _write(path, columns() if callable(columns) else columns, lines(evidence))


def _write(path: Path, columns: Sequence[str], lines: Lines) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n", extrasaction="raise")
        writer.writeheader()
        for line in lines:
            writer.writerow({key: _cell(value) for key, value in line.items()})


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (tuple, list)):
        return " ".join(str(item) for item in value)
    return repr(value) if isinstance(value, float) else value


def _flat(rows: Sequence[Any]) -> Lines:
    for row in rows:
        yield asdict(row)


def _fits(e: "Evidence") -> Iterator[tuple[dict[str, Any], Any]]:
    for name in e.endpoints:
        for fit in e.ordered_fits(name):
            yield {"endpoint": name, "model": fit.model}, fit


_NUMBERS = ("estimate", "se", "df", "t", "p", "lower", "upper")


def _estimate(result: Any) -> dict[str, Any]:
    return {key: getattr(result, key) for key in _NUMBERS}


def _fixed_effects(e: "Evidence") -> Lines:
    for key, fit in _fits(e):
        for effect in fit.fit.fixef:
            yield {**key, "coefficient": effect.name, **_estimate(effect)}


def _contrasts(e: "Evidence") -> Lines:
    from sitewise.report.standing import standing

    for key, fit in _fits(e):
        place = standing(e, fit.endpoint)
        for c in fit.contrasts:
            main = (c.arm, c.visit, c.kind) == (
                fit.primary.arm,
                fit.primary.visit,
                fit.primary.kind,
            )
            yield {
                **key,
                "arm": c.arm,
                "reference": c.reference,
                "visit": c.visit,
                "week": c.week,
                "kind": c.kind,
                "primary": "Y" if main else "N",
                **_estimate(c.result),
                "place": place.note or "first in the order of testing",
            }


def _means(e: "Evidence") -> Lines:
    for key, fit in _fits(e):
        for m in fit.means:
            yield {**key, "arm": m.arm, "visit": m.visit, "week": m.week, **_estimate(m.result)}


def _variances(e: "Evidence") -> Lines:
    for key, fit in _fits(e):
        for term in fit.fit.random:
            for i, first in enumerate(term.terms):
                for j, second in enumerate(term.terms[: i + 1]):
                    yield {
                        **key,
                        "group": term.group,
                        "levels": term.levels,
                        "term": first,
                        "with": "" if i == j else second,
                        "variance": term.variances[i] if i == j else None,
                        "sd": term.sds[i] if i == j else None,
                        "correlation": None if i == j else term.correlations[i][j],
                    }
        yield {
            **key,
            "group": "Residual",
            "levels": fit.fit.nobs,
            "term": "",
            "with": "",
            "variance": fit.fit.sigma**2,
            "sd": fit.fit.sigma,
            "correlation": None,
        }


def _uses(e: "Evidence") -> Lines:
    for key, fit in _fits(e):
        for use in fit.uses:
            yield {**key, **asdict(use)}


def _criteria(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        for i, group in enumerate(own.comparisons.criteria, start=1):
            for row in group.rows:
                yield {"endpoint": name, "group": i, "basis": group.basis, **asdict(row)}


def _comparisons(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        for test in own.comparisons.tests:
            line = asdict(test)
            line["cautions"] = " ".join(test.cautions)
            yield {"endpoint": name, **line}


def _icc(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        for model in own.iccs.models:
            for item in model.levels:
                yield {
                    "endpoint": name,
                    "fixed": model.fixed,
                    "formula": model.formula,
                    "headline": "Y" if model.headline else "N",
                    "residual_variance": model.residual_variance,
                    **asdict(item),
                }


def _icc_part(part: str) -> Callable[["Evidence"], Lines]:
    def lines(e: "Evidence") -> Lines:
        for name, own in e.endpoints.items():
            for row in getattr(own.iccs, part):
                yield {"endpoint": name, **asdict(row)}

    return lines


def _replication(e: "Evidence") -> Lines:
    for own in e.endpoints.values():
        for r in own.replications.rows:
            key = {
                "endpoint": r.endpoint,
                "model": r.model,
                "engine": r.engine,
                "engine_version": r.engine_version,
                "status": r.status,
                "reason": r.reason,
                "stopped_short": r.stopped_short,
            }
            if not r.numbers:
                yield key
            for n in r.numbers:
                yield {**key, **asdict(n)}


def _crosscheck(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        check = own.crosscheck
        if check.refused:
            yield {"endpoint": name, "analysis": "refused", "effect": check.refused}
        for row in check.anova:
            numbers = asdict(row)
            effect = numbers.pop("effect")
            yield {"endpoint": name, "analysis": "mixed ANOVA", "effect": effect, **numbers}
        for analysis, tests in (
            ("mixed model, complete cases", check.mixed_complete),
            ("mixed model, all patients", check.mixed_all),
        ):
            for test in tests:
                yield {
                    "endpoint": name, "analysis": analysis, "effect": test.effect, "f": test.f,
                    "df1": test.df1, "df2": test.df2, "p": test.p,
                }  # fmt: skip
        for c in check.contrasts:
            yield {
                "endpoint": name, "analysis": c.analysis, "effect": "primary contrast",
                "patients": c.patients, "estimate": c.estimate, "se": c.se, "df2": c.df, "p": c.p,
            }  # fmt: skip


def _dropped(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        for row in (*own.crosscheck.by_arm, *own.crosscheck.by_site):
            yield {"endpoint": name, **asdict(row)}


def _sites(e: "Evidence") -> Lines:
    for name, own in e.endpoints.items():
        key = {"endpoint": name, "model": own.sites.model}
        for s in own.sites.predictions:
            yield {
                **key, "site": s.site, "quantity": "predicted intercept", "n": s.patients,
                "estimate": s.blup, "se": s.se, "lower": s.lower, "upper": s.upper,
            }  # fmt: skip
        for x in own.sites.effects:
            yield {
                **key, "site": x.site, "quantity": x.kind, "arm": x.arm, "n": x.n,
                "n_reference": x.n_reference, "estimate": x.estimate, "lower": x.lower,
                "upper": x.upper, "refused": x.refused,
            }  # fmt: skip


def _description(part: str) -> Callable[["Evidence"], Lines]:
    return lambda e: _flat(getattr(e.description, part))


def _flow(e: "Evidence") -> Lines:
    for row in e.description.flow:
        line = asdict(row)
        by_visit = line.pop("by_visit")
        yield line | {"measure": "patients with any reading", "visit": ""}
        for visit, patients in zip(e.description.visits, by_visit, strict=True):
            yield {
                "arm": row.arm, "site": row.site, "visit": visit, "patients": patients,
                "measure": "patients seen at the visit",
            }  # fmt: skip


def _fields(module: str, kind: str, first: tuple[str, ...] = ()) -> Callable[[], tuple[str, ...]]:
    """`first`, then the fields of a result type, imported when they are needed."""

    def columns() -> tuple[str, ...]:
        found = fields(getattr(import_module(f"sitewise.{module}"), kind))
        return (*first, *(f.name for f in found))

    return columns


def _account(part: str) -> Callable[["Evidence"], Lines]:
    return lambda e: _flat(getattr(e.account, part))


_EST = ("estimate", "se", "df", "t", "p", "lower", "upper")
_EM = ("endpoint", "model")
Columns = tuple[str, ...] | Callable[[], tuple[str, ...]]
Writer = tuple[Columns, Callable[["Evidence"], Lines]]
WRITERS: dict[str, Writer] = {
    "account.csv": (_fields("trial.account", "FateCount"), _account("counts")),
    "files.csv": (_fields("trial.account", "FileRow"), _account("files")),
    "flow.csv": (
        ("arm", "site", "measure", "visit", "patients", "with_baseline", "with_post_baseline",
         "all_visits"), _flow),
    "sets.csv": (_fields("trial.description", "SetRow"), _description("sets")),
    "baseline.csv": (_fields("trial.description", "BaselineRow"), _description("baseline")),
    "outcomes.csv": (_fields("trial.description", "OutcomeRow"), _description("outcomes")),
    "patterns.csv": (_fields("trial.description", "PatternRow"), _description("patterns")),
    "site_arms.csv": (_fields("trial.description", "SiteArmRow"), _description("site_arms")),
    "fixed_effects.csv": ((*_EM, "coefficient", *_EST), _fixed_effects),
    "contrasts.csv": (
        (*_EM, "arm", "reference", "visit", "week", "kind", "primary", *_EST, "place"),
        _contrasts),
    "means.csv": ((*_EM, "arm", "visit", "week", *_EST), _means),
    "variance_components.csv": (
        (*_EM, "group", "levels", "term", "with", "variance", "sd", "correlation"), _variances),
    "use.csv": ((*_EM, "use", "reason", "rows", "patients"), _uses),
    "model_criteria.csv": (
        _fields("inference.comparison", "CriterionRow", ("endpoint", "group", "basis")),
        _criteria),
    "comparisons.csv": (
        _fields("inference.comparison", "ModelComparison", ("endpoint",)), _comparisons),
    "icc.csv": (
        ("endpoint", "fixed", "formula", "headline", "residual_variance", "level", "variance",
         "share", "correlation", "lower", "upper", "one_sided", "method"), _icc),
    "icc_by_visit.csv": (
        _fields("inference.icc_result", "VisitIcc", ("endpoint",)), _icc_part("by_visit")),
    "icc_by_week.csv": (
        _fields("inference.icc_result", "IccAtWeek", ("endpoint",)), _icc_part("at_week")),
    "design_effect.csv": (
        _fields("inference.icc_result", "DesignEffect", ("endpoint",)),
        _icc_part("design_effects")),
    "least_squares.csv": (
        _fields("inference.icc_result", "OlsBeside", ("endpoint",)), _icc_part("ols")),
    "sites.csv": (
        (*_EM, "site", "quantity", "arm", "n", "n_reference", "estimate", "se", "lower", "upper",
         "refused"), _sites),
    "crosscheck.csv": (
        ("endpoint", "analysis", "effect", "patients", "estimate", "se", "ss", "df1", "df2", "f",
         "p", "epsilon", "p_gg"), _crosscheck),
    "complete_cases.csv": (("endpoint", "by", "level", "patients", "dropped"), _dropped),
    "replication.csv": (
        (*_EM, "engine", "engine_version", "status", "reason", "stopped_short", "kind", "name",
         "first", "second", "difference"), _replication),
}  # fmt: skip
