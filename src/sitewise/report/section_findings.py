"""Section 2: what the checks found."""

from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.report.cells import MOST_LISTED, capped, names_cell
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import first_of, typeset
from sitewise.report.layout import Table, row, table
from sitewise.terms import Severity
from sitewise.trial.account import FindingCount

LISTING = "findings/findings.csv"
_SEVERITIES = [severity.value for severity in Severity]


@dataclass(frozen=True)
class Findings:
    """Section 2. `listing` is None where no finding is an error."""

    text: str
    summary: Table
    listing: Table | None


def findings(e: Evidence) -> Findings:
    """Build section 2."""
    found = sorted(
        e.account.findings, key=lambda f: (_SEVERITIES.index(f.severity), f.rule, f.message)
    )
    rows = [
        row(f.rule, f.severity, str(f.findings), names_cell(f.sites), typeset(_what(e, f)))
        for f in found
    ]
    columns = [
        ("Rule", "text"),
        ("Severity", "text"),
        ("Findings", "number"),
        ("Sites", "text"),
        ("What", "text"),
    ]
    summary = table(
        "tbl-findings",
        "Findings by rule and message",
        columns,
        rows,
        notes=["error: readings are lost; warning: a look is asked for; note: for information."],
    )
    total = sum(f.findings for f in found)
    text = (
        f"The checks made {plural(total, 'finding')} by"
        f" {plural(len({f.rule for f in found}), 'rule')}. The full list"
        f" with file, row, column, value and advice is {LISTING}. Nothing was repaired: a reading"
        " was kept as it stood or set aside."
    )
    return Findings(text, summary, _listing(e))


def _what(e: Evidence, found: FindingCount) -> str:
    """The message; of what no hospital is concerned with, the file."""
    own = [f["SRCFILE"] for f in e.findings if f["RULE"] == found.rule and f["SRCFILE"]]
    if found.sites or not own:
        return found.message
    return f"{found.message}: {names_cell(tuple(dict.fromkeys(own)))}"


def _listing(e: Evidence) -> Table | None:
    errors = [f for f in e.findings if f.get("SEVERITY") == Severity.ERROR.value]
    if not errors:
        return None
    rows = [
        row(
            f["RULE"],
            f["SITEID"],
            f["USUBJID"],
            f["AVISIT"],
            f["PARAMCD"],
            f["VALUE"],
            f"{f['SRCFILE']}:{f['SRCROW']}" if f["SRCROW"] else f["SRCFILE"],
            f["ACTION"],
        )
        for f in first_of(errors, MOST_LISTED)
    ]
    titles = ("Rule", "Site", "Patient", "Visit", "Endpoint", "Value", "File and row", "Action")
    return table(
        "tbl-errors",
        "Findings of severity error, in the order of the list",
        [(title, "text") for title in titles],
        rows,
        notes=[capped(len(rows), len(errors), LISTING)],
        size="small",
    )
