"""The last lines of a run name what was set aside."""

from pathlib import Path

from sitewise.run.accounting import account_lines
from sitewise.store.results import write_result
from sitewise.trial.account import Account, FateCount, FileRow, FindingCount


def test_hospitals_and_readings_set_aside_are_said(tmp_path: Path) -> None:
    account = Account(
        rows=6,
        readings=10,
        files=(
            FileRow("H1", "h1.csv", "absent", 0, 0, "set aside", "no such file"),
            FileRow("H2", "h2.csv", "ab", 6, 10, "used", ""),
        ),
        counts=(
            FateCount("SYSBP", "H2", "analysed", "", 7),
            FateCount("SYSBP", "H2", "set aside", "impossible", 3),
        ),
        findings=(FindingCount("hard limit", "error", 3, ("H2",), "impossible"),),
    )
    (tmp_path / "findings").mkdir()
    write_result(tmp_path / "findings" / "account.json", account)
    one, two, three = account_lines(tmp_path)
    assert one == "HOSPITAL SET ASIDE: H1 (h1.csv): no such file"
    assert two == "10 readings in 2 hospital files, 1 of them set aside: 7 analysed, 3 set aside"
    assert three.startswith("Findings: 3 errors; every one is in ")
