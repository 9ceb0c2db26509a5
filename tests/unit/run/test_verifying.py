"""`sitewise verify` where the last run did not end; whole trials are in tests/workflow."""

from pathlib import Path

from sitewise.audit.ledger import OPENED, append
from sitewise.run.verifying import verify_trial


def test_results_of_a_run_that_did_not_end_are_told_once(tmp_path: Path) -> None:
    results, records = tmp_path / "results", tmp_path / "records"
    (results / "data").mkdir(parents=True)
    records.mkdir()
    append(records, OPENED, {"run": "a"})
    found = verify_trial(results, records)
    assert [str(difference) for difference in found.differences] == [
        "missing: manifest.json (nothing is sealed: the last run did not end, or the file was"
        " removed)"
    ]
    assert found.exit_code == 6
