"""Paper: figures stand at the foot of pages, and the running head names what a page begins with."""

import base64
from typing import Any

import pytest

from sitewise.report import pages
from sitewise.report.build import context

SMALL = {"sites": 3, "arms": 2, "visits": 3}


def drawing(height: float) -> str:
    """An empty picture as wide as the page; height in points."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="482pt" height="{height}pt"'
        f' viewBox="0 0 482 {height}"/>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


@pytest.fixture(scope="module")
def paper(evidence_of, root) -> Any:
    """The pages of a small trial all of whose figures are of one height."""
    evidence = evidence_of(**SMALL)
    templates = sorted(str(path) for path in (root / "reports" / "templates").iterdir())
    names = figure_names(evidence)
    content = context(evidence, dict.fromkeys(names, drawing(230.0)))
    page = pages.render(pages.read_templates(templates), content, "print")
    return pages.lay_out(page).pages


def figure_names(evidence: Any) -> list[str]:
    from sitewise.report import figures

    return figures.names(list(evidence.plan.endpoints))


def tagged(box: Any, name: str) -> list[Any]:
    """Blocks of an element below a box, in order."""
    return [b for b in box.descendants() if b.element_tag == name and "Block" in type(b).__name__]


def test_every_figure_stands_once_in_order_and_clear_of_the_text(paper, evidence_of) -> None:
    seen = []
    for page in paper:
        flow, foot, *_ = page._page_box.children
        kept, moved = tagged(flow, "figure"), tagged(foot, "figure")
        # A block of lines within a figure has the figure's name, too.
        seen += dict.fromkeys(f.element.get("id") for f in (*kept, *moved))
        if not moved:
            continue
        bottom = page._page_box.content_box_y() + page._page_box.height
        last = moved[-1]
        assert last.position_y + last.margin_height() == pytest.approx(bottom, abs=1)
        lines = [b for b in flow.descendants() if type(b).__name__ == "TextBox"]
        assert lines, "figures alone on a page"
        lowest = max(b.position_y + b.height for b in lines)
        assert lowest <= min(f.position_y for f in moved) + 1
    assert len(seen) == len(set(seen)) == len(figure_names(evidence_of(**SMALL)))
    # The first page's figure is that of the primary endpoint, and the only one in its place.
    assert seen[0] == "fig-main"


def test_a_figure_that_nearly_fills_a_page_stays_in_its_place() -> None:
    assert not pages._tall(drawing(410.0))
    assert pages._tall(drawing(430.0))


def test_the_head_names_the_section_that_a_page_begins_with(paper) -> None:
    now = ""
    for number, page in enumerate(paper, start=1):
        flow = page._page_box.children[0]
        heads = tagged(flow, "h1")
        body = [b for b in flow.descendants() if type(b).__name__ == "TextBox"]
        if heads and heads[0].position_y <= body[0].position_y:
            now = heads[0].element.get("data-chapter")
        at = [b for b in page._page_box.children if getattr(b, "at_keyword", "") == "@top-right"]
        said = "".join(t.text for b in at for t in b.descendants() if hasattr(t, "text"))
        assert " ".join(said.split()) == " ".join(now.split()), number
        if heads:
            now = heads[-1].element.get("data-chapter")
