"""Checks pass where they should, and fail where they should."""

import json
from pathlib import Path

import pytest

from sitewise.qualify import answers, installation
from sitewise.qualify.page import as_html, write_pages
from sitewise.qualify.requirements import REQUIREMENTS
from sitewise.qualify.result import Check, Qualification


def test_known_answers() -> None:
    found = list(answers.known_answers())
    assert [check.name for check in found if not check.passed] == []
    assert all(check.source for check in found)


def test_a_wrong_table_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**answers.DYESTUFF, "A": (1545, 1440, 1440, 1520, 1581)}
    monkeypatch.setattr(answers, "DYESTUFF", wrong)
    failed = {check.name for check in answers.known_answers() if not check.passed}
    assert {"reml.between", "reml.within", "reml.mean"} <= failed
    assert "test.p" not in failed


def test_versions() -> None:
    locked = {"numpy": ["2.4.6"], "scipy": ["1.17.1", "1.16.0"]}
    assert installation.versions({"numpy": "2.4.6", "scipy": "1.16.0", "other": "1"}, locked).passed
    check = installation.versions({"numpy": "2.4.5"}, locked)
    assert not check.passed
    assert "numpy 2.4.5 (locked: 2.4.6)" in check.found


def test_damaged_files_and_absent_libraries() -> None:
    assert installation.files([]).passed
    assert not installation.files(["numpy/core.py is gone"]).passed
    assert installation.libraries({"pango": "1.50", "harfbuzz": "6"}).passed
    assert not installation.libraries({"pango": "1.50", "harfbuzz": "absent"}).passed


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installation.same_bits().passed
    monkeypatch.setattr(
        installation, "_BITS", "import os; print('0x' + os.environ['OMP_NUM_THREADS'])"
    )
    assert not installation.same_bits().passed


def test_the_ledger_tests_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(check.passed for check in installation.ledger_finds_changes())
    monkeypatch.setattr(installation, "check_ledger", lambda _: (None, []))
    verdicts = [check.passed for check in installation.ledger_finds_changes()]
    assert verdicts == [True, False, False]


def qualification(passed: bool) -> Qualification:
    check = Check("versions", "installation", "Versions", "<locked>", "other", passed)
    return Qualification("t", "ann", "h", "0", "c", "l", (check,), REQUIREMENTS)


def test_pages(tmp_path: Path) -> None:
    pdf, data = write_pages(qualification(True), tmp_path)
    assert pdf.read_bytes().startswith(b"%PDF")
    record = json.loads(data.read_text())
    assert record["passed"] is True
    verdicts = {entry["name"]: entry["verdict"] for entry in record["requirements"]}
    assert verdicts["R1"] == "pass"
    assert verdicts["R6"] == "by tests only"
    page = as_html(qualification(False))
    assert "FAIL" in page
    assert "&lt;locked&gt;" in page


def test_the_matrix_names_checks_and_tests_that_exist(root: Path) -> None:
    known = {check.name for check in answers.known_answers()}
    known |= {check.name for check in installation.ledger_finds_changes()}
    known |= {"versions", "files", "libraries", "programs", "threads", "fonts", "pdf"}
    for requirement in REQUIREMENTS:
        assert set(requirement.checks) <= known, requirement.name
        assert requirement.tests
        for test in requirement.tests:
            assert (root / test).is_file(), test
