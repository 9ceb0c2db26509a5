"""The report's fonts for the page on a screen: the letters that it uses, inside the page itself."""

import base64
import html
import io
import logging
import re

from sitewise.report.typefaces import font_file

FACES = (
    ("Report", "normal", "DejaVuSans.ttf"),
    ("Report", "bold", "DejaVuSans-Bold.ttf"),
    ("Report Mono", "normal", "DejaVuSansMono.ttf"),
)


def embedded(page: str) -> str:
    """Style sheet with the fonts as data, cut down to the letters of the page.

    The fonts are those that matplotlib brings, as in the PDF: the same look on every computer, and
    labels of figures as wide as they were drawn. What style sheets may add is kept: arrows.
    """
    letters = set(html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.S)))
    wanted = "".join(
        sorted(letters | set("\u2191\u2193\u2195\u2022") | set(map(chr, range(32, 127))))
    )
    rules = []
    for family, weight, file in FACES:
        data = base64.b64encode(_subset(file, wanted)).decode("ascii")
        rules.append(
            f'@font-face {{ font-family: "{family}"; font-weight: {weight};'
            f' src: url("data:font/woff;base64,{data}") format("woff"); }}'
        )
    return "\n".join(rules)


def _subset(file: str, letters: str) -> bytes:
    """The font with these letters only, as WOFF; the same bytes for the same letters."""
    from fontTools import subset  # type: ignore[import-untyped]

    options = subset.Options()
    options.flavor = "woff"
    options.hinting = False
    options.layout_features = []
    options.recalc_timestamp = False
    options.drop_tables += ["FFTM"]
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    font = subset.load_font(str(font_file(file)), options)
    cutter = subset.Subsetter(options)
    cutter.populate(text=letters)
    cutter.subset(font)
    font.flavor = "woff"
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()
