"""The pages: complete, numbered, self-contained, the same bytes anywhere."""

import re
from pathlib import Path

import pytest

from sitewise.errors import RunError
from sitewise.report import figures, pages, tables
from sitewise.report.numbering import Numbers

FORBIDDEN = re.compile(
    r"no effect|no difference between|did not differ|equally effective|ineffective", re.I
)


@pytest.fixture(scope="module")
def html(built: Path) -> str:
    return (built / "report.html").read_text(encoding="utf-8")


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_same_bytes_elsewhere(built, build_in_process, tmp_path) -> None:
    other = build_in_process(tmp_path / "another folder", "4242")
    files = sorted(p.relative_to(built) for p in built.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert [f for f in files if (built / f).read_bytes() != (other / f).read_bytes()] == []


def test_no_path_and_no_time_gets_in(built, html) -> None:
    for file in ("report.html", "report.pdf"):
        content = (built / file).read_bytes()
        assert str(built).encode() not in content
        assert b"file:" not in content
        assert b"site-packages" not in content
    pdf = (built / "report.pdf").read_bytes()
    dates = set(re.findall(rb"D:\d{8}", pdf))
    assert dates <= {b"D:20200229"}


def test_self_contained(html) -> None:
    for attribute in re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", html):
        assert attribute.startswith(("data:", "#")), attribute
    assert "<script" not in html
    assert "@import" not in html


def test_every_figure_has_words(html) -> None:
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) == len(figures.names(["SYSBP", "DIABP"]))
    assert all(len(re.search(r'alt="([^"]*)"', image)[1]) > 40 for image in images)


def test_numbers_rise_in_the_order_of_the_page(html) -> None:
    for kind in ("Table", "Figure"):
        numbers = [int(n) for n in re.findall(rf"<b>{kind} (\d+)\.</b>", html)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 5


def test_references_go_to_what_is_there(html) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= anchors


def test_never_called_without_effect(built, html) -> None:
    assert not FORBIDDEN.search(text_of(html))
    assert not FORBIDDEN.search((built / "tables" / "headline.txt").read_text(encoding="utf-8"))


def test_each_p_of_the_secondary_contrast_carries_its_place(html) -> None:
    """Tables: the sign in the cell and its note below; prose: the words in the same sentence."""
    note = "DIABP not tested: SYSBP came first and was not significant (p = 0.100); descriptive"
    found = 0
    for table in re.findall(r'<div class="table[^>]*id="([^"]+)">(.*?)</table>(.*?)</div>\s*</div>',
                            html, re.S):  # fmt: skip
        anchor, body, notes = table
        own = "DIABP" in anchor and anchor.startswith(
            ("tbl-fixed", "tbl-visits", "tbl-side", "tbl-check", "tbl-anova")
        )
        if not own and anchor != "tbl-answer":
            continue
        head = re.findall(r'<th class="[^"]*" scope="col">(.*?)</th>', body, re.S)
        columns = [i for i, h in enumerate(head) if re.match(r"p\b", h)]
        assert columns
        for line in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.S):
            cells = re.findall(r"<td[^>]*>(.*?)</td>", line, re.S)
            if not cells or (anchor == "tbl-answer" and "Diastolic" not in cells[0]):
                continue
            for i in columns:
                if re.match(r"[<&\d]", cells[i]):
                    assert "<sup>\u2020</sup>" in cells[i], (anchor, cells)
                    found += 1
        assert f"\u2020 {note}" in notes, anchor
    assert found > 20
    sentence = re.search(r"<p>The difference in change in diastolic.*?</p>", html, re.S)[0]
    assert "\u2020, not tested, descriptive)" in sentence
    front = html[: html.index('id="contents"')]
    assert front.count(note) == 1


def test_minus_signs(built, html) -> None:
    prose = text_of(re.sub(r"<(pre|style).*?</\1>", "", html, flags=re.S))
    assert not re.search(r"(?<![\w.\u2013-])-\d", prose), "a hyphen stands for a minus"
    for file in (built / "tables").glob("*.csv"):
        assert "\u2212" not in file.read_text(encoding="utf-8"), file.name


def test_template_mistakes_are_errors(root) -> None:
    templates = pages.read_templates([str(p) for p in (root / "reports" / "templates").iterdir()])
    with pytest.raises(RunError, match="nowhere"):
        pages.render(templates | {"report.html.j2": "{{ nowhere }}"}, {}, "screen")
    with pytest.raises(RunError, match=r"report\.css"):
        pages.render({"report.html.j2": ""}, {}, "screen")
    with pytest.raises(RunError, match="tbl-gone"):
        page = "{{ numbers.table('tbl-a') }} {{ numbers.ref('tbl-gone') }}"
        pages.render(templates | {"report.html.j2": page}, {}, "screen")


def test_layout_warnings_are_errors(tmp_path) -> None:
    page = "<style>p { colour-of-money: green }</style><p>text</p>"
    with pytest.raises(RunError, match="colour-of-money"):
        pages.write_pdf(page, tmp_path / "x.pdf")
    with pytest.raises(RunError):
        pages.write_pdf('<img src="https://example.org/x.png">', tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


def test_one_anchor_twice_is_an_error() -> None:
    numbers = Numbers()
    numbers.table("tbl-a")
    with pytest.raises(RunError, match="share the id"):
        numbers.table("tbl-a")


def test_names_are_what_is_written(built) -> None:
    endpoints = ["SYSBP", "DIABP"]
    assert sorted(p.name for p in (built / "tables").iterdir()) == sorted(tables.names(endpoints))
    assert sorted(p.name for p in (built / "figures").iterdir()) == sorted(figures.names(endpoints))


def test_figures_hold_no_text_and_no_date(built) -> None:
    for file in (built / "figures").iterdir():
        svg = file.read_text(encoding="utf-8")
        assert "<text" not in svg
        assert "dc:date" not in svg
