"""Templates to HTML, HTML to PDF: the same bytes for the same results, in any folder."""

import base64
import gc
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import markupsafe

from sitewise.errors import Problem, RunError
from sitewise.report.numbering import Numbers
from sitewise.report.typefaces import font_file
from sitewise.report.webfonts import embedded

_FONT_SCHEME = "sitewise-font"
_FOOT = 420.0  # points of a figure's height: with its caption less than @footnote of report.css
MAIN, BLINDED = "report.html.j2", "blinded.html.j2"
_APART = re.compile(r"\b(p) (=|&lt;|&gt;) (?=\d)")  # `p < 0.001` is not broken between lines
_EMBEDDED = markupsafe.Markup("/* the fonts of this page */")


def read_templates(paths: Sequence[str]) -> dict[str, str]:
    """Templates and style sheet by file name."""
    return {Path(path).name: Path(path).read_text(encoding="utf-8") for path in sorted(paths)}


def data_uri(path: Path) -> str:
    """An SVG file as a data URI, so that no path gets into the pages."""
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def render(
    templates: Mapping[str, str], context: Mapping[str, Any], medium: str, main: str = MAIN
) -> str:
    """The page as HTML text. medium: `print` or `screen`. main: the template to begin with.

    Raises RunError where a template refers to a name or an id that is not there.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(dict(templates)),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    sheets = ("fonts.css", "report.css") if medium == "print" else ("report.css", "screen.css")
    style = markupsafe.Markup("\n".join(_part(templates, name) for name in sheets))
    if medium == "screen":
        style = _EMBEDDED + "\n" + style
    more = {"inline": _inline, "tall": _tall, "script": ""}
    if medium == "screen":
        more["script"] = markupsafe.Markup(_part(templates, "report.js"))
    try:
        numbers = Numbers()
        for _ in range(2):
            numbers = Numbers(known=numbers.found, contents=tuple(numbers.entries))
            page = environment.get_template(main).render(
                **context, **more, numbers=numbers, medium=medium, style=style
            )
    except jinja2.TemplateError as error:
        where = f"{getattr(error, 'name', None) or main}, line {getattr(error, 'lineno', '?')}"
        raise RunError(
            "The report's templates can't be rendered.",
            [Problem(str(error), where=where, fix="mend the template in reports/templates")],
        ) from error
    if medium == "print":
        return _APART.sub("\\1\u00a0\\2\u00a0", page)
    return page.replace(_EMBEDDED, embedded(page), 1)


def _inline(source: str, alt: str) -> Any:
    """A figure as an element of the page, which then has the page's fonts, from its data URI."""
    drawing = base64.b64decode(source.split(",", 1)[1]).decode("utf-8")
    label = markupsafe.escape(alt)
    return markupsafe.Markup(drawing.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def _tall(source: str) -> bool:
    """Whether a figure, given as data URI, leaves too little of a page to stand at its foot."""
    kind, _, data = source.partition(",")
    if not kind.endswith(";base64"):
        return False
    start = base64.b64decode(data[:2000]).decode("utf-8", errors="ignore")
    height = re.search(r'<svg [^>]*?\bheight="([\d.]+)pt"', start)
    return height is not None and float(height[1]) > _FOOT


def _part(templates: Mapping[str, str], name: str) -> str:
    if name not in templates:
        raise RunError(
            "The report lacks a style sheet or script.",
            [Problem(f"{name} is not among the templates", where="reports/templates")],
        )
    return templates[name]


def write_pdf(page: str, path: Path) -> None:
    """Lay the page out as PDF; raises RunError with everything that WeasyPrint warns of."""
    with _no_warnings(), _no_collector():
        content = lay_out(page).write_pdf()
    path.write_bytes(content)


def lay_out(page: str) -> Any:
    """WeasyPrint's document of the page, with the pinned fonts and no way to the network."""
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class Fetcher(URLFetcher):  # type: ignore[misc]
        """Serve the fonts by name, and data URIs; nothing else."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            if url.startswith(f"{_FONT_SCHEME}:"):
                body = font_file(url.removeprefix(f"{_FONT_SCHEME}:")).read_bytes()
                return URLFetcherResponse(url, body, {"Content-Type": "font/ttf"})
            return super().fetch(url, headers)

    fetcher = Fetcher(allowed_protocols=("data",), fail_on_errors=True)
    html = weasyprint.HTML(string=page, base_url="sitewise:/", url_fetcher=fetcher)
    return html.render(font_config=FontConfiguration())


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Turn what WeasyPrint warns of, and a refused address, into a RunError."""
    from weasyprint.urls import FatalURLFetchingError

    warned = _Warnings()
    logger = logging.getLogger("weasyprint")
    logger.addHandler(warned)
    try:
        yield
    except FatalURLFetchingError as error:
        warned.messages.append(str(error))
    finally:
        logger.removeHandler(warned)
    if warned.messages:
        raise RunError(
            "The PDF could not be laid out as the templates ask.",
            [
                Problem(message, where="reports/templates", fix="mend the template or report.css")
                for message in dict.fromkeys(warned.messages)
            ],
        )


@contextmanager
def _no_collector() -> Iterator[None]:
    """Switch cyclic garbage collection off: a layout's boxes live to its end.

    Looking at them again and again took a fifth of the time and freed nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Warnings(logging.Handler):
    """Collects warnings of the layout, and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
