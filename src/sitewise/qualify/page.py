"""The qualification as JSON and as PDF."""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from sitewise.qualify.result import Qualification

_STYLE = (
    "@page{size:A4 landscape;margin:15mm;"
    "@bottom-right{content:counter(page) ' of ' counter(pages)}}"
    "body{font:9pt sans-serif}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:.5pt solid #999;padding:2pt 5pt;text-align:left;vertical-align:top;"
    "overflow-wrap:break-word}"
)


def write_pages(found: Qualification, folder: Path) -> tuple[Path, Path]:
    """Write qualification.pdf and qualification.json into `folder`; gives their paths."""
    from sitewise.report.pages import write_pdf

    folder.mkdir(parents=True, exist_ok=True)
    pdf, data = folder / "qualification.pdf", folder / "qualification.json"
    record = {**asdict(found), "passed": found.passed}
    for entry, requirement in zip(record["requirements"], found.requirements, strict=True):
        entry["verdict"] = found.verdict(requirement)
    data.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_pdf(as_html(found), pdf)
    return pdf, data


def as_html(found: Qualification) -> str:
    """The page that becomes the PDF."""
    passed = sum(check.passed for check in found.checks)
    checks = [
        (c.name, c.kind, c.what, c.expected, c.found, "pass" if c.passed else "FAIL", c.source)
        for c in found.checks
    ]
    matrix = [
        (r.name, r.text, ", ".join(r.checks) or "-", ", ".join(r.tests), found.verdict(r))
        for r in found.requirements
    ]
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Qualification</title>"
        f"<style>{_STYLE}</style></head><body><h1>Qualification of sitewise {found.version}</h1>"
        f"<p>{_text(found.time)}, {_text(found.user)} on {_text(found.host)}.<br>"
        f"Code {found.code}<br>Lock {found.lock}</p>"
        f"<p><b>{passed} of {len(checks)} checks passed.</b></p><h2>Checks</h2>"
        + _table(("Check", "Kind", "What", "Expected", "Found", "Verdict", "Source"), checks)
        + "<h2>Requirements</h2><p>The tests are those of the project; `make test` runs them.</p>"
        + _table(("", "Requirement", "Checks", "Tests", "Verdict"), matrix)
        + "</body></html>"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: str) -> str:
    return html.escape(str(value))
