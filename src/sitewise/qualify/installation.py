"""Installation checks: versions, files, libraries, fonts, the same bits whatever the threads."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sitewise.audit.ledger import CLOSED, OPENED, append, check_ledger
from sitewise.qualify.result import Check

KIND = "installation"
THREADS = ("1", "2", "4")
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf")
_BITS = (
    "from sitewise.qualify.answers import fitted_dyestuff;"
    "print([value.hex() for value in fitted_dyestuff()])"
)


def versions(installed: Mapping[str, str], locked: Mapping[str, Sequence[str]]) -> Check:
    """Hold every installed package that the lock names against it. installed: name to version."""
    other = [
        f"{name} {have} (locked: {' or '.join(locked[name])})"
        for name, have in sorted(installed.items())
        if name in locked and have not in locked[name]
    ]
    known = sum(name in locked for name in installed)
    found = "; ".join(other) or f"all {known} as locked"
    expected = "every package in the version of requirements.lock"
    return Check("versions", KIND, "Versions", expected, found, not other)


def files(damaged: Sequence[str]) -> Check:
    """Every installed file is the one that its package brought."""
    found = "; ".join(damaged[:10]) or "all as installed"
    what, expected = "Files of the packages", "the sha256 of each package's RECORD"
    return Check("files", KIND, what, expected, found, not damaged)


def libraries(found: Mapping[str, str]) -> Check:
    """The system's libraries that lay out the PDF are there."""
    text = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    there = all(found.get(name, "absent") != "absent" for name in ("pango", "harfbuzz"))
    return Check("libraries", KIND, "Libraries", "pango and harfbuzz", text, there)


def programs() -> Check:
    """Programs that some commands call."""
    absent = [name for name in ("git", "ssh-keygen") if shutil.which(name) is None]
    found = f"absent: {', '.join(absent)}" if absent else "both"
    what, expected = "Programs for the record", "git and ssh-keygen"
    return Check("programs", KIND, what, expected, found, not absent)


def same_bits() -> Check:
    """The same fit on 1, 2 and 4 threads, in processes of their own, has the same bits."""
    said = {}
    for number in THREADS:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, number)}
        done = subprocess.run(
            [sys.executable, "-c", _BITS],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said[number] = done.stdout.strip() or done.stderr.strip()[-200:]
    same = len(set(said.values())) == 1 and "0x" in said["1"]
    found = "the same" if same else "; ".join(f"{n}: {text}" for n, text in said.items())
    what = f"A fit on {', '.join(THREADS)} threads"
    return Check("threads", KIND, what, "the same bits", found, same)


def fonts() -> Check:
    """The fonts of the report come with a package, not from the system."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    absent = [name for name in _FONTS if not (folder / name).is_file()]
    found = f"absent: {', '.join(absent)}" if absent else "all"
    expected = f"{', '.join(_FONTS)} as matplotlib brings them"
    return Check("fonts", KIND, "Fonts of the report", expected, found, not absent)


def same_pdf() -> Check:
    """A page set twice has the same bytes."""
    from sitewise.report.pages import write_pdf

    page = (
        "<html><head><meta name='dcterms.created' content='2000-01-01'>"
        "<meta name='dcterms.modified' content='2000-01-01'></head>"
        "<body><h1>Qualification</h1><p>\u22123.1 mmHg (95% CI \u22126.8 to 0.6)</p></body></html>"
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("first.pdf", "second.pdf")]
        for path in paths:
            write_pdf(page, path)
        same = paths[0].read_bytes() == paths[1].read_bytes()
    found = "the same" if same else "other bytes"
    return Check("pdf", KIND, "A page set twice as PDF", "the same bytes", found, same)


def ledger_finds_changes() -> Iterator[Check]:
    """A ledger of two records: sound as written; a changed, a removed record are found."""
    kind = "self-test"
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder)
        append(records, OPENED, {"run": "a"})
        append(records, CLOSED, {"run": "a", "status": "completed"})
        path = records / "ledger.jsonl"
        whole = path.read_bytes()
        for name, what, content in (
            ("ledger.sound", "A ledger as written", whole),
            ("ledger.changed", "A record changed", whole.replace(b"completed", b"complated")),
            ("ledger.removed", "A record removed", whole.splitlines(keepends=True)[0]),
        ):
            path.write_bytes(content)
            flaws = check_ledger(records)[1]
            expected = "no discrepancy" if content == whole else "a discrepancy"
            found = "; ".join(map(str, flaws)) or "no discrepancy"
            yield Check(name, kind, what, expected, found, bool(flaws) == (content != whole))
