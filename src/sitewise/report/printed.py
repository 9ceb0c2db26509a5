"""The digests that a finished report prints, read back from its pages."""

import re
from functools import lru_cache
from pathlib import Path

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def digests_in_html(page: Path) -> set[str]:
    """All sha256 digests that stand in the text of the HTML page."""
    text = re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8", errors="replace"))
    return set(_DIGEST.findall(text))


@lru_cache(maxsize=8)
def missing_in_pdf(pdf: Path, sha256: str, wanted: frozenset[str]) -> frozenset[str]:
    """Those of `wanted` that no page of the PDF prints; pages are read from the last, where the
    appendix is.

    sha256: the file's, so that what was read of it is remembered for as long as it stays the same.
    Raises ValueError where the file can't be read as a PDF.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    left = set(wanted)
    try:
        for page in reversed(PdfReader(pdf).pages):
            # A digest is set over several lines where the column is narrow.
            text = "".join(page.extract_text().split())
            left -= {digest for digest in left if digest in text}
            if not left:
                break
    except (PyPdfError, OSError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it can't be read as a PDF: {error}") from error
    return frozenset(left)
