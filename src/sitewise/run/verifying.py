"""Results, records, printed digests and signatures held against each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitewise.audit.attest import (
    DIGESTS,
    UNSEALED,
    attached_files,
    binding,
    runs_in_words,
    wanted_objects,
)
from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import LEDGER, Entry, Ledger, check_ledger
from sitewise.audit.manifest import CHANGED, MANIFEST, MISSING, Difference, files_in, verify
from sitewise.audit.objects import object_flaws
from sitewise.audit.sealed import BrokenSealError, read_sealed
from sitewise.audit.signatures import check_signatures
from sitewise.errors import IntegrityError, Problem

UNCHAINED = 7
PAGES = ("report.html", "report.pdf")


@dataclass(frozen=True)
class Verified:
    """What was found. differences: one line each. notes: what is no fault but should be seen.

    files: how many were held against the manifest. head: the ledger's, None where no ledger is
    there: then the chain was not checked. bound: the record that binds the manifest.
    """

    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    files: int
    head: Entry | None
    bound: Entry | None

    @property
    def exit_code(self) -> int:
        """0 all is as sealed, 6 something is not, 7 the files are but there is no ledger."""
        if self.differences:
            return IntegrityError.exit_code
        return 0 if self.head else UNCHAINED


def verify_trial(
    results: Path,
    records: Path,
    *,
    allowed: Path | None = None,
    head: str = "",
    deep: bool = False,
) -> Verified:
    """Hold everything of one trial against everything else.

    allowed: the allowed-signers file. head: one kept elsewhere. deep: also every installed file.
    Raises IntegrityError where there is neither a manifest nor a ledger.
    """
    results, records = results.resolve(), records.resolve()
    chained = (records / LEDGER).is_file() or (records / "HEAD").is_file()
    found = _results(results, chained)
    notes: list[str] = []
    ledger, bound = Ledger(), None
    if chained:
        ledger, flaws = check_ledger(records)
        found += flaws
        if flaws:
            notes.append(
                "copies, signatures and the seal's record are not checked: they stand on the ledger"
            )
        else:
            bound, more = _records(results, records, ledger, allowed, notes)
            found += more
            found += _kept_elsewhere(ledger, head, notes)
            if deep:
                found += _installed(ledger, bound)
    elif head:
        found.append(Difference(LEDGER, MISSING, "there is no ledger to find the head in"))
    found += _printed(results, {difference.file for difference in found})
    unique = tuple(dict.fromkeys(found))
    files = len(files_in(results)) - 1 if results.is_dir() else 0
    return Verified(unique, tuple(notes), files, ledger.head, bound)


def _records(
    results: Path, records: Path, ledger: Ledger, allowed: Path | None, notes: list[str]
) -> tuple[Entry | None, list[Difference]]:
    """All that a ledger in order lets one check."""
    bound, found = binding(ledger, results)
    found += object_flaws(records, wanted_objects(records, ledger))
    found += attached_files(records, ledger)
    unsigned, told = check_signatures(records, ledger, allowed)
    notes += [*runs_in_words(ledger), *told]
    return bound, [*found, *unsigned]


def _results(results: Path, chained: bool) -> list[Difference]:
    try:
        return verify(results)
    except IntegrityError as error:
        if not chained:
            raise
        if not (results / MANIFEST).is_file():
            return [Difference(MANIFEST, MISSING, UNSEALED)]
        detail = "; ".join(problem.what for problem in error.problems)
        return [Difference(MANIFEST, CHANGED, detail)]


def _printed(results: Path, told: set[str]) -> list[Difference]:
    """The digests of the manifest are the ones that the pages print; not of pages told already."""
    from sitewise.report.printed import digests_in_html, missing_in_pdf

    try:
        digests: dict[str, Any] = read_sealed(results / MANIFEST)["digests"]
    except (OSError, BrokenSealError, KeyError):
        return []  # told with the files
    wanted = {str(digests.get(name)): name for name in DIGESTS}
    found = []
    html, pdf = (results / name for name in PAGES)
    try:
        absent = {}
        if html.is_file() and html.name not in told:
            absent[html] = wanted.keys() - digests_in_html(html)
        if pdf.is_file() and pdf.name not in told:
            absent[pdf] = set(missing_in_pdf(pdf, file_sha256(pdf), frozenset(wanted)))
    except ValueError as error:
        return [Difference(pdf.name, CHANGED, str(error))]
    for page, digests_absent in absent.items():
        for digest in sorted(digests_absent):
            detail = f"it does not print the digest of the {wanted[digest]}"
            found.append(Difference(page.name, CHANGED, detail))
    return found


def _kept_elsewhere(ledger: Ledger, head: str, notes: list[str]) -> list[Difference]:
    if not head:
        return []
    entry = next((e for e in ledger.entries if e.sha256 == head.strip().lower()), None)
    if entry is None:
        detail = f"no record has the head {head[:12]}...: records were removed or changed"
        return [Difference(LEDGER, MISSING, detail)]
    notes.append(f"the head kept elsewhere is record {entry.seq} of {len(ledger.entries)}")
    return []


def _installed(ledger: Ledger, bound: Entry | None) -> list[Difference]:
    """The installed files are those of their packages, and the packages those of the run."""
    from sitewise.run.surroundings import damaged_packages, environment

    found = [Difference("environment", CHANGED, text) for text in damaged_packages()]
    opened = ledger.opening(str(bound.body.get("run"))) if bound else None
    before = ledger.fact(opened, "environment") if opened else None
    if before:
        now = environment()
        for name in sorted(before["packages"].keys() | now["packages"].keys()):
            old, new = before["packages"].get(name), now["packages"].get(name)
            if old != new:
                words = [str(v).partition(" ")[0] if v else "absent" for v in (old, new)]
                detail = f"{name} was {words[0]} in the run and is {words[1]}"
                found.append(Difference("environment", CHANGED, detail))
    return found


def require_sound(verified: Verified, results: Path) -> None:
    """Raise IntegrityError where there is anything that a signature should not cover."""
    if not verified.differences and verified.bound is not None:
        return
    problems = [Problem(str(difference)) for difference in verified.differences[:20]]
    fix = f"sitewise verify {results} names everything; run the trial again"
    problems.append(Problem("nothing was signed", fix=fix))
    raise IntegrityError("Only sound results can be signed.", problems)
