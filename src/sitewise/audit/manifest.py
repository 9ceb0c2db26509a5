"""The seal of a trial's results: every file of the folder, with digest, size and maker."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import file_sha256
from sitewise.audit.receipts import receipt_path
from sitewise.audit.sealed import BrokenSealError, read_sealed, write_sealed
from sitewise.errors import IntegrityError, Problem

MANIFEST = "manifest.json"
CHANGED, MISSING, EXTRA = "changed", "missing", "extra"


@dataclass(frozen=True)
class Difference:
    """One file that is not as sealed: `changed`, `missing` or `extra`."""

    file: str
    what: str
    detail: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.what}: {self.file}{f' ({self.detail})' if self.detail else ''}"


def manifest_of(results: Path, outputs: Iterable[str], params: Mapping[str, str]) -> dict[str, Any]:
    """Build the manifest from the outputs (paths inside `results`) and their receipts.

    params: what the sealing job depends on by name, among them the digests of plan, data, code
    and lock. Raises IntegrityError where an output is not what its receipt says.
    """
    files: dict[str, dict[str, Any]] = {}
    problems = []
    for output in sorted(outputs):
        try:
            receipt = read_sealed(receipt_path(results, output))
        except (OSError, BrokenSealError) as error:
            problems.append(Problem(f"no usable receipt: {error}", where=output))
            continue
        entry = _entry(results / output, receipt["rule"])
        if entry["sha256"] != receipt["sha256"]:
            problems.append(Problem("the file is not what its job wrote", where=output))
        files[output] = entry
        name = receipt_path(results, output).relative_to(results).as_posix()
        files[name] = _entry(results / name, receipt["rule"])
    if problems:
        raise IntegrityError("The results can't be sealed.", problems)
    prefix = "digests."
    digests = {n.removeprefix(prefix): d for n, d in params.items() if n.startswith(prefix)}
    return {
        "trial": results.name,
        "digests": digests,
        "depends_on": dict(params),
        "files": dict(sorted(files.items())),
    }


def seal(results: Path, outputs: Iterable[str], params: Mapping[str, str]) -> None:
    """Write `manifest.json` into `results`."""
    write_sealed(results / MANIFEST, manifest_of(results, outputs, params))


def verify(results: Path) -> list[Difference]:
    """Differences between the folder and its manifest, by path; empty where all is as sealed.

    Raises IntegrityError where there is no manifest to hold the folder against.
    """
    path = results / MANIFEST
    try:
        manifest = read_sealed(path)
        sealed: dict[str, dict[str, Any]] = manifest["files"]
    except (FileNotFoundError, NotADirectoryError):
        raise IntegrityError(
            f"{results} is not sealed.",
            [
                Problem(
                    "it is a file" if results.is_file() else "no manifest.json",
                    where=str(results),
                    fix="name the folder of a finished run, e.g. sitewise verify results/ghana",
                )
            ],
        ) from None
    except BrokenSealError as error:
        sealed = _files_of_broken(path)
        return [Difference(MANIFEST, CHANGED, str(error)), *_differences(results, sealed)]
    return list(_differences(results, sealed))


def files_in(results: Path) -> list[str]:
    """All files of a folder as sorted paths inside it, with forward slashes."""
    found = (path for path in results.rglob("*") if not path.is_dir() or path.is_symlink())
    return sorted(path.relative_to(results).as_posix() for path in found)


def _differences(results: Path, sealed: Mapping[str, Mapping[str, Any]]) -> Iterator[Difference]:
    present = set(files_in(results)) - {MANIFEST}
    for file in sorted(present | sealed.keys()):
        if file not in sealed:
            yield Difference(file, EXTRA, "not in the manifest")
        elif file not in present:
            yield Difference(file, MISSING, f"made by rule {sealed[file]['rule']}")
        elif file_sha256(results / file) != sealed[file]["sha256"]:
            yield Difference(file, CHANGED, f"made by rule {sealed[file]['rule']}")


def _files_of_broken(path: Path) -> dict[str, dict[str, Any]]:
    """What can still be read of a manifest that is not as written."""
    import json

    try:
        files = json.loads(path.read_text(encoding="utf-8", errors="replace"))["files"]
        return {name: {"sha256": e["sha256"], "rule": e["rule"]} for name, e in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            "The manifest is damaged beyond reading.",
            [
                Problem(
                    f"{type(error).__name__}: {error}",
                    where=str(path),
                    fix="run the trial again with --rebuild",
                )
            ],
        ) from error


def _entry(path: Path, rule: str) -> dict[str, Any]:
    return {"sha256": file_sha256(path), "size": path.stat().st_size, "rule": rule}
