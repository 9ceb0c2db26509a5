"""Small and large trials: no table leaves the page, no page is empty, no figure is cut."""

from itertools import pairwise
from typing import Any

import pytest

from sitewise.plan.parts import read_part
from sitewise.report import pages
from sitewise.report.build import context


def laid_out(synthetic: Any, root: Any, folder: Any, **options: Any) -> Any:
    """The pages of WeasyPrint, with empty pictures in place of the figures."""
    templates = root / "reports" / "templates"
    inputs = synthetic.write_trial(synthetic.Trial(**options), folder, templates)
    from sitewise.report.evidence import read_evidence

    files = {k: v for k, v in inputs["results"].items() if k not in synthetic.DRAWN_ONLY}
    keys = ("sheet", "digests", "packages")
    evidence = read_evidence(read_part(inputs["plan"]), **files, **{k: inputs[k] for k in keys})
    blank = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 5'/%3E"
    content = context(evidence, dict.fromkeys(inputs["figure_names"], blank))
    sources = pages.read_templates(inputs["templates"])
    return pages.lay_out(pages.render(sources, content, "print"))


@pytest.mark.parametrize(
    "options",
    [{"sites": 3, "arms": 2, "visits": 3}, {"sites": 6, "arms": 4, "visits": 12}],
)  # fmt: skip
def test_tables_stay_on_the_page(synthetic, root, tmp_path, options) -> None:
    document = laid_out(synthetic, root, tmp_path, **options)
    for number, page in enumerate(document.pages, start=1):
        box = page._page_box
        right = box.content_box_x() + box.width
        top, texts = box.content_box_y(), 0
        for inner in box.descendants():
            name = type(inner).__name__
            inside = top <= inner.position_y < top + box.height
            texts += inside and name in ("TextBox", "InlineReplacedBox")
            if name in ("TableBox", "TableCellBox", "LineBox", "TextBox") and inner.width:
                # Half a point: rounding of the column widths.
                assert inner.position_x + inner.width <= right + 0.5 or name == "LineBox", (
                    number, name, getattr(inner, "text", ""))  # fmt: skip
        assert texts, f"page {number} is empty"


@pytest.mark.parametrize(
    "options",
    [{"sites": 100, "arms": 4, "visits": 12}, {"sites": 40, "arms": 2, "design": "cluster"},
     {"sites": 3, "arms": 2, "visits": 3}],
)  # fmt: skip
def test_figures_of_large_trials(synthetic, root, tmp_path, monkeypatch, options) -> None:
    """Labels stay inside the figure, and those of one axis do not lie on each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from sitewise.report import drawing
    from sitewise.report.drawing import MOST_HEIGHT, style

    inputs = synthetic.write_trial(
        synthetic.Trial(**options), tmp_path, root / "reports" / "templates"
    )
    drawn = []
    monkeypatch.setattr(drawing, "save", lambda figure, path: drawn.append(figure))
    synthetic.draw(inputs, [str(tmp_path / name) for name in inputs["figure_names"]])
    assert len(drawn) == len(inputs["figure_names"])
    for figure in drawn:
        assert figure.get_figheight() <= MOST_HEIGHT
        with style():
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            renderer = canvas.get_renderer()
            for axes in figure.axes:
                whole = axes.get_tightbbox(renderer)
                assert whole.x0 >= -1
                assert whole.x1 <= figure.bbox.width + 1, axes.get_title()
                for axis in (axes.xaxis, axes.yaxis):
                    boxes = [t.get_window_extent(renderer) for t in axis.get_ticklabels()
                             if t.get_text() and t.get_visible()]  # fmt: skip
                    side = "y" if axis is axes.yaxis else "x"
                    spans = sorted((getattr(b, f"{side}0"), getattr(b, f"{side}1")) for b in boxes)
                    for before, after in pairwise(spans):
                        assert before[1] <= after[0] + 1.5, (axes.get_title(), side)


def test_the_first_page_holds_the_answer_and_the_figure(synthetic, root, tmp_path) -> None:
    """However much there is to know: what does not fit stands on the second page."""
    findings = {f"rule {i}": f"message {i} " * 12 for i in range(40)}
    options = {"sites": 3, "arms": 2, "visits": 3}
    trial = synthetic.Trial(**options)
    templates = root / "reports" / "templates"
    inputs = synthetic.write_trial(trial, tmp_path, templates)
    from dataclasses import replace

    from sitewise.report.evidence import read_evidence

    files = {k: v for k, v in inputs["results"].items() if k not in synthetic.DRAWN_ONLY}
    keys = ("sheet", "digests", "packages")
    evidence = read_evidence(read_part(inputs["plan"]), **files, **{k: inputs[k] for k in keys})
    aside = tuple(
        replace(evidence.account.files[1], site=name, reason=text)
        for name, text in findings.items()
    )
    account = replace(evidence.account, files=(*evidence.account.files, *aside))
    blank = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 67 29'/%3E"
    drawn = dict.fromkeys(inputs["figure_names"], blank)
    content = context(replace(evidence, account=account), drawn)
    assert content["front"].cautions
    assert content["front"].further
    sources = pages.read_templates(inputs["templates"])
    document = pages.lay_out(pages.render(sources, content, "print"))
    first, second = ([b.text for b in page._page_box.descendants() if hasattr(b, "text")]
                     for page in document.pages[:2])  # fmt: skip
    assert any("Figure 1." in text for text in first)
    assert any("on the next page" in text for text in first)
    assert any("More to know" in text for text in second)
