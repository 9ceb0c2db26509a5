"""What a difference between two runs is due to: the older run again, with one thing exchanged.

Data, plan, code and environment are exchanged one at a time; what the single changes don't add up
to is what they do together. What can't be had any more is said, never guessed.
"""

import csv
import datetime
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sitewise
from sitewise.audit.code import CodeBase
from sitewise.audit.ledger import Entry, Ledger, check_ledger
from sitewise.audit.objects import object_path, read_json
from sitewise.changes.compare import contrasts
from sitewise.changes.result import Changes, EstimateChange
from sitewise.plan.sheet import COLUMNS, DECIMALS, DELIMITERS
from sitewise.run.context import NO_FILE
from sitewise.run.differing import find_run
from sitewise.run.surroundings import environment

KINDS = ("data", "plan", "code", "environment")


@dataclass(frozen=True)
class Share:
    """One estimate: its whole difference, what each kind alone makes of it (None: not to be had),
    and what is left; left is None where a kind could not be exchanged.
    """

    change: EstimateChange
    parts: Mapping[str, float | None]

    @property
    def left(self) -> float | None:
        """What the single changes don't add up to."""
        known = [part for part in self.parts.values() if part is not None]
        if self.change.difference is None or len(known) < len(self.parts):
            return None
        return self.change.difference - sum(known)


@dataclass(frozen=True)
class Attribution:
    """shares: by moved estimate. unobtainable: why, by kind."""

    shares: tuple[Share, ...]
    unobtainable: Mapping[str, str]


@dataclass(frozen=True)
class _Parts:
    """Where the parts of a run come from: `opened` records for data, plan and code."""

    data: Entry
    plan: Entry
    code: Entry


class _ObtainError(Exception):
    """A part can't be had any more."""


def attribute(records: Path, project: Path, changes: Changes, runs: tuple[str, str]) -> Attribution:
    """Rerun the older run with each differing kind exchanged, each in a folder that is forgotten.

    runs: ids of the older and the newer run. Raises RunError where there is no such run.
    """
    ledger, _ = check_ledger(records)
    old, new = (_opened(ledger, find_run(ledger, run, records)) for run in runs)
    kinds = [kind for kind in KINDS if getattr(changes, kind)]
    found: dict[str, Mapping[tuple[str, str, str], Mapping[str, Any]]] = {}
    unobtainable = {}
    for kind in kinds:
        parts = _Parts(*(new if kind == name else old for name in ("data", "plan", "code")))
        try:
            _require_environment(ledger, new if kind == "environment" else old)
            found[kind] = _rerun(records, project, ledger, parts)
        except _ObtainError as error:
            unobtainable[kind] = str(error)
    shares = tuple(Share(c, {k: _effect(c, found.get(k)) for k in kinds}) for c in changes.moved)
    return Attribution(shares, unobtainable)


def _opened(ledger: Ledger, closed: Entry) -> Entry:
    opened = ledger.opening(str(closed.body["run"]))
    assert opened is not None
    return opened


def _effect(
    change: EstimateChange, found: Mapping[tuple[str, str, str], Mapping[str, Any]] | None
) -> float | None:
    got = (found or {}).get((change.endpoint, change.model, change.contrast), {}).get("estimate")
    return None if got is None or change.old is None else float(got) - change.old


def _require_environment(ledger: Ledger, opened: Entry) -> None:
    """Reruns take place here: this must be the environment that is asked for."""
    if environment() != ledger.fact(opened, "environment"):
        raise _ObtainError(
            f"the environment of record {opened.seq} is not the one at hand: make one from its lock"
            " (pip install --require-hashes -r requirements.lock of its commit) and run this there"
        )


def _rerun(
    records: Path, project: Path, ledger: Ledger, parts: _Parts
) -> Mapping[tuple[str, str, str], Mapping[str, Any]]:
    """Contrasts of every fit of a run of these parts."""
    with tempfile.TemporaryDirectory(prefix="sitewise-attribute-") as folder:
        place = Path(folder).resolve()
        plan = _put_plan(records, str(parts.plan.body["plan"]), place / "config")
        _put_data(records, ledger.fact(parts.data, "raw") or {}, place / "data")
        code = _code(project, parts.code, place / "project")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "sitewise.cli.main", "run", str(plan)),
                *("--data", str(place / "data"), "--directory", str(place)),
            ],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(code / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = " ".join(done.stderr.split())[-300:]
            raise _ObtainError(f"the rerun ended with code {done.returncode}: {last}")
        models = place / "results" / str(parts.plan.body["trial"])
        files = {p.relative_to(models).as_posix(): p for p in models.rglob("fit.json")}
        return contrasts(files, {})


def _put_plan(records: Path, sha256: str, folder: Path) -> Path:
    """Write plan and site sheet as kept; gives the plan's path."""
    import yaml

    try:
        kept = read_json(records, sha256)
    except (OSError, ValueError) as error:
        raise _ObtainError(f"the text of the plan is not kept: {error}") from error
    plan, folder_of = kept["plan"], folder
    folder_of.mkdir()
    plan["data_cut"] = datetime.date.fromisoformat(plan["data_cut"])
    names = ({v: k for k, v in DELIMITERS.items()}, {v: k for k, v in DECIMALS.items()})
    with (folder / Path(plan["sites"]["sheet"]).name).open(
        "w", newline="", encoding="utf-8"
    ) as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for site in kept["sites"].values():
            marks = names[0][site["delimiter"]], names[1][site["decimal"]]
            writer.writerow(
                [
                    site["siteid"],
                    site["file"],
                    site["encoding"],
                    *marks,
                    site["unit"],
                    site["sha256"],
                    "",  # the files are put there
                ]
            )
    plan["sites"]["sheet"] = Path(plan["sites"]["sheet"]).name
    path = folder / f"{plan['trial']}.yaml"
    path.write_text(yaml.safe_dump(plan, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _put_data(records: Path, raw: Mapping[str, str], folder: Path) -> None:
    folder.mkdir()
    for name, sha256 in raw.items():
        if sha256 in NO_FILE:
            continue
        kept = object_path(records, sha256)
        if not kept.is_file():
            raise _ObtainError(f"no copy of {name} is kept (the plan's key records.raw_copies)")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(kept.read_bytes())


def _code(project: Path, opened: Entry, folder: Path) -> Path:
    """A folder with the code of a run: the one at hand, or its git commit."""
    wanted = opened.body["code"]
    here = CodeBase(Path(sitewise.__file__).parent, project / "workflow" / "scripts")
    if here.digest() == wanted:
        return project
    commit = (opened.body.get("project") or {}).get("commit")
    if not commit:
        raise _ObtainError(f"record {opened.seq} names no git commit for its code")
    folder.mkdir()
    archive = folder / "code.tar"
    done = subprocess.run(
        ["git", "-C", str(project), "archive", "-o", str(archive), commit],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _ObtainError(f"commit {commit[:12]} is not in the repository at hand")
    import tarfile

    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    then = CodeBase(folder / "src" / "sitewise", folder / "workflow" / "scripts")
    if then.digest() != wanted:
        raise _ObtainError(f"commit {commit[:12]} is not what ran: the tree had changes")
    return folder
