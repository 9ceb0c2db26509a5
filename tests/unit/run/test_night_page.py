"""A night's page: the gravest thing first, long lists cut, never the page of another night."""

import json
from pathlib import Path

from sitewise.run.night_page import as_text, write_page
from sitewise.run.night_summary import Night, Summary

BEGAN = "2026-11-30T02:15:00+00:00"


def ended(*told: tuple[Night, str], **fields: object) -> Summary:
    summary = Summary("three", BEGAN, **fields)  # type: ignore[arg-type]
    for end, why in told:
        summary.tell(end, why)
    summary.close()
    return summary


def test_the_greatest_of_what_is_true_is_the_exit_code_and_all_of_it_is_told() -> None:
    told = [(kind, f"number {int(kind)}") for kind in list(Night)[1:5]]
    for last in range(1, 5):
        summary = ended(*told[:last])
        assert summary.exit_code == told[last - 1][0]
        assert [line.partition(": ")[2] for line in summary.why] == [
            why for _, why in reversed(told[:last])
        ]
        page = as_text(summary)
        assert page.startswith(f"three: {summary.state} (exit code {summary.exit_code})")
        assert all(why in page for _, why in told[:last])


def test_nothing_is_true() -> None:
    page = as_text(ended(results="as before", previous="run ab of yesterday"))
    assert page.startswith("three: NOTHING NEW (exit code 0)")
    assert "Why" not in page


def test_a_page_stands_from_the_beginning(tmp_path: Path) -> None:
    """Of a night that is killed the page says so, and not what the night before said."""
    write_page(tmp_path, ended(headline="of yesterday"))
    begun = Summary("three", BEGAN)
    write_page(tmp_path, begun)
    text = (tmp_path / "latest.txt").read_text()
    assert "IN PROGRESS since 2026-11-30 02:15 UTC" in text
    assert "this one was killed" in text
    assert "yesterday" not in text
    assert json.loads((tmp_path / "latest.json").read_text())["exit_code"] is None
    begun.close()
    page = write_page(tmp_path, begun)
    assert page.read_text() == (tmp_path / "latest.txt").read_text() != text
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_lies_in_results_is_told_where_nothing_was_made() -> None:
    failed = (Night.FAILED, "the run")
    assert "as it was before this night" in as_text(ended(failed))
    assert "unfinished and not sealed" in as_text(ended(failed, results="unfinished"))
    first = as_text(ended(failed, results="none"))
    assert "there are none" in first
    assert "The records tell of no sealed run" in first


def test_it_stays_one_page() -> None:
    many = [f"hospital {number}" for number in range(1000)]
    findings = [
        {"hospital": each, "severity": "error", "rule": "outside", "number": 1} for each in many
    ]
    page = as_text(
        ended(
            (Night.DATA_PROBLEMS, "many"),
            results="new", previous="run ab", files={"new": many, "changed": many},
            set_aside=many, not_fetched=many, findings=findings, problems="\n".join(many),
        )
    )  # fmt: skip
    assert len(page.splitlines()) < 150
    assert page.count("in the .json beside") == 4
