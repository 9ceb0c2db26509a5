"""What is new in a night's results: findings by hospital, and estimates that moved."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from sitewise.audit.ledger import Entry
from sitewise.audit.objects import object_path, read_json
from sitewise.errors import SitewiseError, plural
from sitewise.run.night_summary import Night, Summary

_FINDINGS = "findings/findings.csv"
# Without the line of the file, which moves when rows are added before it.
_KEY = ("SITEID", "SEVERITY", "RULE", "USUBJID", "AVISIT", "PARAMCD", "COLUMN", "VALUE", "SRCFILE")
_Findings = Counter[tuple[str, ...]]


def tell_findings(summary: Summary, results: Path, records: Path, previous: Entry | None) -> None:
    """New findings against the last sealed run; all of them where there was none."""
    new, old = _read(results / _FINDINGS), _old(records, previous)
    summary.findings = _by_hospital(new - old)
    summary.findings_gone = (old - new).total()
    errors = [line for line in summary.findings if line["severity"] == "error"]
    if errors:
        number = sum(line["number"] for line in errors)
        where = ", ".join(dict.fromkeys(str(line["hospital"]) for line in errors))
        summary.tell(
            Night.DATA_PROBLEMS, f"{plural(number, 'new finding')} of severity error ({where})"
        )


def tell_estimates(summary: Summary, records: Path, threshold: float) -> None:
    """How estimates differ from those of the last other sealed run.

    threshold: in standard errors of the old estimate (`nightly.moved`).
    """
    from sitewise.changes.page import summary as in_a_line
    from sitewise.run.differing import diff_runs

    try:
        changes = diff_runs(records)
    except (SitewiseError, KeyError, TypeError, ValueError) as error:
        summary.estimates = f"the differences from the last sealed run can't be told: {error}"
        return
    summary.estimates, summary.causes = in_a_line(changes), list(changes.causes)
    summary.primary = [
        {
            "name": f"{e.endpoint}, {e.model}: {e.contrast}",
            "old": e.old,
            "new": e.new,
            "moved_se": e.relative,
            "threshold": threshold,
            "beyond": e.relative is None or abs(e.relative) > threshold,
        }
        for e in changes.estimates
        if e.primary
    ]
    for one in summary.primary:
        if one["beyond"]:
            summary.tell(Night.NEW_RESULTS, f"THE PRIMARY ESTIMATE MOVED ({one['name']})")


def _read(path: Path) -> _Findings:
    with path.open(encoding="utf-8", newline="") as handle:
        return Counter(tuple(row[name] for name in _KEY) for row in csv.DictReader(handle))


def _old(records: Path, previous: Entry | None) -> _Findings:
    if previous is None:
        return Counter()
    try:
        files = read_json(records, str(previous.body["manifest"]))["files"]
        return _read(object_path(records, files[_FINDINGS]["sha256"]))
    except (OSError, ValueError, KeyError):
        return Counter()


def _by_hospital(findings: _Findings) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for (site, severity, rule, *_), number in findings.items():
        counts[site or "-", severity, rule] += number
    names = ("hospital", "severity", "rule")
    return [{**dict(zip(names, key, strict=True)), "number": counts[key]} for key in sorted(counts)]
