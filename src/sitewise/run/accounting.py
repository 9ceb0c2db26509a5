"""What became of hospitals and readings, in the lines that end a run."""

from pathlib import Path

from sitewise.store.results import read_result
from sitewise.trial.account import Account

USED = "used"


def account_lines(results: Path) -> tuple[str, ...]:
    """A line for each hospital set aside, one for the readings, one for the findings.

    results: folder of a finished run.
    """
    account = read_result(results / "findings" / "account.json", Account)
    aside = [file for file in account.files if file.status != USED]
    lines = [f"HOSPITAL SET ASIDE: {f.site} ({f.file}): {f.reason}" for f in aside]
    lines += [f"EARLIER FILE USED: {f.site} ({f.file}): {f.kept}" for f in account.files if f.kept]
    fates: dict[str, int] = {}
    for count in account.counts:
        fates[count.fate] = fates.get(count.fate, 0) + count.readings
    parts = ", ".join(f"{number} {fate}" for fate, number in fates.items() if number)
    lines.append(
        f"{account.readings} readings in {len(account.files)} hospital files, {len(aside)} of them"
        f" set aside: {parts or 'none'}"
    )
    found: dict[str, int] = {}
    for finding in account.findings:
        found[finding.severity] = found.get(finding.severity, 0) + finding.findings
    if found:
        counts = ", ".join(f"{n} {s}{'s' if n != 1 else ''}" for s, n in found.items())
        lines.append(f"Findings: {counts}; every one is in {results / 'findings' / 'findings.csv'}")
    return tuple(lines)
