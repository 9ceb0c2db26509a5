"""The bytes of a hospital file as text: nothing is guessed, what is odd is said."""

import re

from sitewise.plan.sheet import ENCODINGS, Site
from sitewise.trial.raw import Fault

# What a file begins with that is no text at all.
_OTHER_KINDS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
)
_WEB = (b"<!doctype", b"<html", b"<?xml")
_ONE_BYTE = ("latin-1", "cp1252")
_MARK = "\ufeff"
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")
_PAIRS = {"utf-16": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}  # and its mark
_SAMPLE = 4096  # bytes that are looked at for NUL
_LINE_END = re.compile(r"\r\n|\r|\n")
_ENDS = {"\r\n": "CRLF", "\n": "LF", "\r": "CR"}


def decode(data: bytes, site: Site) -> str | Fault:
    """Return the text of a file in the encoding that the site sheet declares, mark included."""
    web = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB)
    kinds = [kind for start, kind in _OTHER_KINDS if data.startswith(start)]
    if web:
        kinds.append("a web page, often that of a log-in")
    if kinds:
        return Fault(
            "not a text file",
            f"the file is named as a CSV, but it is {kinds[0]}",
            "save it as CSV in UTF-8, or ask the hospital for that; a new name alone does not help",
            allowed="a CSV, or Parquet in a file that ends in .parquet",
        )
    if site.encoding in _PAIRS and data and (said := _no_pairs(data, site.encoding)):
        return Fault("encoding", said, _advice(data), allowed=", ".join(ENCODINGS))
    try:
        text = data.decode(site.encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Fault(
            "encoding",
            f"the file is not written in {_name(site)}: byte {data[error.start]:#04x} at line"
            f" {line} does not belong to it",
            _advice(data),
            allowed=", ".join(ENCODINGS),
            row=line,
        )
    except UnicodeError as error:  # utf-16 without its byte-order mark
        return Fault(
            "encoding",
            f"the file is not written in {_name(site)}: {error}",
            _advice(data),
            allowed=", ".join(ENCODINGS),
        )
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        return Fault(
            "encoding",
            f"the file has a NUL character at line {line}: it is no text in {_name(site)}",
            _advice(data)
            if likely_utf_16(data)
            else "ask the hospital to send it again, as CSV in UTF-8: a copy that was not finished"
            " has such characters, and so has a file in UTF-16",
            allowed=", ".join(ENCODINGS),
            row=line,
        )
    return text


def likely_utf_16(data: bytes) -> str:
    """The kind of UTF-16 that the bytes speak for: by the mark, or by which of two bytes is NUL.

    `utf-16` (its mark says the rest), `utf-16-le`, `utf-16-be`, or empty. A table in Latin script
    has a NUL in nearly each pair of bytes, always in the same place.
    """
    if data.startswith(_MARKS_16):
        return "utf-16"
    first, second = data[0:_SAMPLE:2].count(0), data[1:_SAMPLE:2].count(0)
    pairs = min(len(data), _SAMPLE) // 2
    if 2 * max(first, second) <= pairs or 10 * min(first, second) >= pairs:
        return ""
    return "utf-16-be" if first > second else "utf-16-le"


def _no_pairs(data: bytes, declared: str) -> str:
    """Why the bytes can't be the UTF-16 that the site sheet declares, or nothing."""
    if declared == "utf-16" and not data.startswith(_MARKS_16):
        # which byte comes first would depend on the machine that reads it
        return (
            "the file is not written in utf-16 with a byte-order mark, so it is not known which of"
            " two bytes comes first"
        )
    other = declared != "utf-16" and not data.startswith(_PAIRS[declared])
    if other and (b"\0" not in data or likely_utf_16(data) not in ("", declared)):
        return f"the file is not written in {declared}: its bytes are no such pairs"
    return ""


def doubts(data: bytes, text: str, site: Site) -> tuple[Fault, ...]:
    """What speaks against the declared encoding, or for a cut file, though it could be read."""
    found = []
    if site.encoding in _ONE_BYTE and not data.isascii() and _decodes(data, "utf-8"):
        first = next(c for c in data.decode("utf-8") if not c.isascii())
        line = data[: data.index(first.encode())].count(b"\n") + 1
        found.append(
            Fault(
                "encoding doubtful",
                f"the site sheet says {site.encoding}, but the file is valid UTF-8: {first!r} was"
                f" read as {first.encode().decode(site.encoding, 'replace')!r}",
                "if that is wrong, set the site's `encoding` in the site sheet to `utf-8`",
                allowed="the encoding that the file is written in: " + ", ".join(ENCODINGS),
                row=line,
            )
        )
    if text and not text.endswith(("\n", "\r")):
        found.append(
            Fault(
                "file ends within a line",
                "the last line has no line end: if the file was cut off, its last row is not whole",
                "compare the last row with the hospital's own file; a line end after it would show"
                " that the file is whole",
                allowed="a line end after every row, the last too",
                row=len(_LINE_END.findall(text)) + 1,
            )
        )
    return tuple(found)


def describe_text(data: bytes, text: str, site: Site) -> str:
    """How the file is written, for people: encoding, mark, line ends, delimiter, decimal mark."""
    encoding = _name(site)
    if data.startswith(b"\xef\xbb\xbf") or data.startswith(_MARKS_16):
        encoding += " with byte-order mark"
    ends = dict.fromkeys(_ENDS[end] for end in _LINE_END.findall(text))
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", ".": "point"}
    return (
        f"{encoding}, line ends {' and '.join(ends) or 'none'}, delimiter"
        f" {names[site.delimiter]}, decimal {names[site.decimal]}"
    )


def without_mark(text: str) -> str:
    """Text without a byte-order mark at its start."""
    return text.removeprefix(_MARK)


def _name(site: Site) -> str:
    """The encoding as people name it; `utf-8-sig` is utf-8 that may have a mark."""
    return "utf-8" if site.encoding == "utf-8-sig" else site.encoding


def _advice(data: bytes) -> str:
    """The encodings to try first; the bytes alone can't tell the one-byte encodings apart."""
    pairs = likely_utf_16(data)
    if pairs == "utf-16":
        likely = "`utf-16`, as the file's first two bytes say"
    elif pairs:
        which = "second" if pairs == "utf-16-le" else "first"
        likely = f"`{pairs}`: the {which} of each two bytes is NUL, as in such a file"
    elif b"\0" in data:
        return "ask the hospital for the file in UTF-8"
    elif _decodes(data, "utf-8"):
        likely = "`utf-8`, in which the file can be read"
    else:
        likely = (
            "`cp1252` (usual for files from Excel)" if _decodes(data, "cp1252") else "`latin-1`"
        )
    return (
        f"set the site's `encoding` in the site sheet to {likely}, and see whether its names and"
        " marks then read right; or ask for the file in UTF-8"
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
