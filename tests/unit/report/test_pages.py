"""The pages: complete, numbered, self-contained, the same bytes anywhere."""

import re
from pathlib import Path

import pytest

from sitewise.errors import RunError
from sitewise.report import figures, pages, tables
from sitewise.report.numbering import Numbers
from sitewise.report.svg import FAMILY

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
    assert re.findall(r"<script[^>]*>", html) == ["<script>"]
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    assert not re.search(r"fetch\(|XMLHttpRequest|import|WebSocket|sendBeacon|storage", script)
    assert "@import" not in html


def test_every_figure_has_words(html) -> None:
    images = re.findall(r"<svg [^>]*>", html)
    assert len(images) == len(figures.names(["SYSBP", "DIABP"]))
    assert all('role="img"' in image for image in images)
    assert all(len(re.search(r'aria-label="([^"]*)"', image)[1]) > 40 for image in images)


def test_every_figure_asks_one_question(html) -> None:
    titles = re.findall(r"<b>Figure \d+\. ([^<]*)</b>", html)
    assert len(titles) == len(figures.names(["SYSBP", "DIABP"]))
    assert all(title.endswith("?") for title in titles)


def test_numbers_rise_in_the_order_of_the_page(html) -> None:
    for kind in ("Table", "Figure"):
        numbers = [int(n) for n in re.findall(rf"<b>{kind} (\d+)\.[ <]", html)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 5


def test_references_go_to_what_is_there(html) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= anchors


def test_never_called_without_effect(built, html) -> None:
    assert not FORBIDDEN.search(text_of(html))
    assert not FORBIDDEN.search((built / "tables" / "headline.txt").read_text(encoding="utf-8"))


def test_one_rule_says_which_p_is_confirmatory(html) -> None:
    """The sign stands at the hypothesis that was not reached, and there alone; each table with
    p-values of treatment says what they are."""
    note = "DIABP not tested: SYSBP came first and was not significant (p = 0.100); descriptive"
    kinds = ("tbl-fixed", "tbl-visits", "tbl-side", "tbl-check", "tbl-anova", "tbl-ladder-D",
             "tbl-ladder-S", "tbl-left-out", "tbl-steps", "tbl-same")  # fmt: skip
    main = {"tbl-visits", "tbl-side", "tbl-check", "tbl-ladder", "tbl-steps"}
    seen = set()
    for table in re.findall(r'<div class="table[^>]*id="([^"]+)">(.*?)</table>(.*?)</div>\s*</div>',
                            html, re.S):  # fmt: skip
        anchor, body, notes = table
        if not anchor.startswith(kinds):
            continue
        kind, endpoint = anchor.rsplit("-", 1)
        seen.add(kind)
        signs = body.count("<sup>\u2020</sup>")
        assert signs == (1 if kind in main and endpoint == "DIABP" else 0), anchor
        assert (f"\u2020 {note}" in notes) == bool(signs), anchor
        if kind not in main:
            assert "These p-values are descriptive." in notes, anchor
        elif endpoint == "SYSBP":
            assert "Confirmatory: the p-value of the primary contrast" in notes, anchor
        else:
            assert "The other p-values are descriptive." in notes, anchor
    assert seen == {*main, "tbl-fixed", "tbl-anova", "tbl-left-out", "tbl-same"}
    front = html[: html.index('id="contents"')]
    rule = "Confirmatory: the p-value of SYSBP here; every other p-value of this report is"
    assert front.count(rule) == 1
    sentence = re.search(r"<p>The difference in change in diastolic.*?</p>", html, re.S)[0]
    assert "\u2020, not tested, descriptive)" in sentence
    assert front.count(note) == 1  # below the table; the sentence says it in words


def test_why_the_primary_model_is_primary_stands_behind_the_answer_and_over_the_models(
    html,
) -> None:
    said = text_of(html)
    told = [m.start() for m in re.finditer("words: It lets what patients", said)]
    sections = [said.rindex(title) for title in ("Behind the answer", "Models of the plan")]
    assert len(told) == 2
    assert sections[0] < told[0] < sections[1] < told[1]


def test_minus_signs(built, html) -> None:
    prose = text_of(re.sub(r"<(pre|style|script).*?</\1>", "", html, flags=re.S))
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


def test_figures_are_light(built) -> None:
    """No date, no name of a system's font first, few elements: pages take time for each."""
    for file in (built / "figures").iterdir():
        svg = file.read_text(encoding="utf-8")
        assert "dc:date" not in svg
        assert "<metadata" not in svg
        assert set(re.findall(r"font-family: ([^;\"]*)", svg)) <= {FAMILY}
        assert len(re.findall(r"<(?!/)", svg)) < 500, file.name


def test_ids_of_figures_are_told_apart(html) -> None:
    anchors = re.findall(r' id="([^"]+)"', html)
    assert len(anchors) == len(set(anchors))


def test_a_dollar_is_a_dollar(synthetic, root, tmp_path, monkeypatch) -> None:
    named = (("SYSBP", "Cost in $ or $x^2$", *synthetic.ENDPOINTS[0][2:]), synthetic.ENDPOINTS[1])
    monkeypatch.setattr(synthetic, "ENDPOINTS", named)
    inputs = synthetic.write_trial(synthetic.Trial(), tmp_path, root / "reports" / "templates")
    synthetic.draw(inputs, [str(tmp_path / name) for name in inputs["figure_names"]])
    assert ">Cost in $ or $x^2$ (" in (tmp_path / "SYSBP-profiles.svg").read_text(encoding="utf-8")
