"""All that a run starts from: plan, site sheet, hospital files, code, lock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import sitewise
from sitewise.audit.blind import unlocked, was_blinded
from sitewise.audit.code import CodeBase
from sitewise.audit.hashing import (
    SHORT,
    canonical_json,
    file_sha256,
    ordered_json,
    text_sha256,
)
from sitewise.audit.ledger import Ledger, read_ledger
from sitewise.draft.marks import unsettled
from sitewise.errors import Problem, RunError
from sitewise.plan.limits import Limits, limits_of
from sitewise.plan.load import load_plan
from sitewise.plan.model import Plan
from sitewise.plan.sheet import Site, SiteSheet, leaves_folder, load_sheet, unlisted_files
from sitewise.run.environment_check import departures
from sitewise.run.kept import kept_in

ABSENT = "absent"
UNREADABLE = "unreadable"
NO_FILE = (ABSENT, UNREADABLE)  # in place of a digest
LOCK = "requirements.lock"
TEMPLATES = Path("reports", "templates")


@dataclass(frozen=True)
class Context:
    """What a run starts from.

    data: the folder with the hospital files. project: the folder with the Snakefile.
    raw: sha256 of each hospital file by its path inside `data`, or `absent`, or `unreadable`.
    limits: of a simulated trial. marks: lines of the plan's file that `sitewise init` marked and
    nobody has settled.
    records: folder of the trial's ledger; None where nobody asks for lock and deviations.
    plan: as it is carried out. written: the plan as written where that is another one: of a trial
    that is blinded, or was until its unlock.
    """

    plan: Plan
    sheet: SiteSheet
    data: Path
    project: Path
    raw: Mapping[str, str]
    code: CodeBase
    limits: Limits | None = None
    records: Path | None = None
    written: Plan | None = None
    marks: tuple[int, ...] = ()

    @property
    def blinded(self) -> bool:
        """Whether nothing may be computed by arm (yet)."""
        return self.plan.blinded

    @property
    def arms(self) -> Path | None:
        """Where `ingest` puts the arms while the trial is blinded, outside of results/."""
        return blind_folder(self.trial) if self.blinded else None

    @property
    def trial(self) -> str:
        """The trial's identifier: its folder in results/, records/ and logs/."""
        return self.plan.trial

    @cached_property
    def batches(self) -> dict[str, tuple[Site, ...]]:
        """Hospitals by batch."""
        return self.sheet.batches(self.plan.sites.batches)

    @cached_property
    def unlisted(self) -> tuple[str, ...]:
        """Files beside the hospitals' that no line of the site sheet names."""
        return tuple(unlisted_files(self.data, [site.file for site in self.sheet.sites]))

    @cached_property
    def kept(self) -> tuple[dict[str, str], ...]:
        """Files that are earlier ones than those delivered last; see `run.kept`."""
        return kept_in(self.data, self.raw, self.plan.data_cut)

    @cached_property
    def lock(self) -> str:
        """Digest of the lock, and what is installed in other versions than it says."""
        digest = f"lock:{file_sha256(self.project / LOCK)[:SHORT]}"
        return " ".join([digest, *departures(self.project / LOCK)])

    @cached_property
    def templates(self) -> dict[str, Path]:
        """The report's templates by their path inside reports/templates."""
        folder = self.project / TEMPLATES
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path for path in files}

    @cached_property
    def plan_text(self) -> str:
        """Plan and site sheet as one canonical text, defaults included."""
        sites = {site.siteid: site.line for site in self.sheet.sites}
        plan = self.written or self.plan
        return ordered_json({"plan": plan.model_dump(mode="json"), "sites": sites})

    @cached_property
    def digests(self) -> dict[str, str]:
        """What the report prints and the manifest holds: plan, data, code, lock."""
        return {
            "plan": text_sha256(self.plan_text),
            "data": data_digest(self.raw),
            "code": self.code.digest(),
            "lock": file_sha256(self.project / LOCK),
        }


def data_digest(raw: Mapping[str, str]) -> str:
    """One digest of all hospital files, from theirs."""
    return text_sha256(canonical_json(dict(raw)))


def load_context(
    plan: Plan,
    sheet: SiteSheet,
    data: Path,
    project: Path,
    *,
    limits: Limits | None = None,
    records: Path | None = None,
    marks: Sequence[int] = (),
) -> Context:
    """Read and hash what a run starts from beside its plan, site sheet, limits and marks.

    Where the plan says `blinded`, or an earlier run of the trial was blinded, and nobody has lifted
    the blind since, the context holds the blinded plan.
    """
    carried_out, written = carried_out_as(plan, records)
    return Context(
        plan=carried_out,
        written=written,
        sheet=sheet,
        data=data,
        project=project,
        raw=raw_digests(data, [site.file for site in sheet.sites]),
        code=CodeBase(Path(sitewise.__file__).parent, project / "workflow" / "scripts"),
        limits=None if carried_out.blinded else limits,
        records=records,
        marks=tuple(marks),
    )


def carried_out_as(plan: Plan, records: Path | None) -> tuple[Plan, Plan | None]:
    """Return the plan as it is carried out, and the one written where they differ.

    records: folder of the trial's ledger, which knows whether the blind was lifted.
    """
    ledger = Ledger() if records is None else read_ledger(records)
    blinded = not unlocked(ledger) and (plan.blinded or was_blinded(ledger))
    if blinded:
        from sitewise.inference.blinded_plan import blinded_plan

        return blinded_plan(plan), plan
    return (plan.model_copy(update={"blinded": False}), plan) if plan.blinded else (plan, None)


def blind_folder(trial: str) -> Path:
    """What a blinded trial keeps apart: arms, and copies of the hospital files that hold them."""
    return Path("blind", trial)


def context_of(config: Mapping[str, Any], project: str | Path) -> Context:
    """Build the context from the workflow's configuration: `plan` and `data`."""
    if not config.get("plan"):
        raise RunError(
            "The workflow was not told which trial to run.",
            [
                Problem(
                    "the configuration has no `plan`",
                    fix="sitewise run config/ghana.yaml --data FOLDER, or"
                    " snakemake --config plan=config/ghana.yaml data=FOLDER",
                )
            ],
        )
    path = Path(str(config["plan"]))
    plan = load_plan(path)
    data = Path(str(config.get("data") or f"data/{plan.trial}"))
    sheet = load_sheet(path.parent / plan.sites.sheet)
    return load_context(
        plan,
        sheet,
        data,
        Path(project),
        limits=limits_of(plan, path.parent),
        records=Path("records", plan.trial),
        marks=unsettled(path),
    )


def raw_digests(data: Path, files: Iterable[str]) -> dict[str, str]:
    """Sha256 of each hospital file; `absent` where there is none, `unreadable` where it can't or
    may not be read (ingest says what that means).
    """
    found = {}
    for file in sorted(files):
        path = data / file
        if leaves_folder(data, file):
            found[file] = UNREADABLE
            continue
        try:
            found[file] = file_sha256(path) if path.is_file() else ABSENT
        except OSError:  # ingest tries again, and says why it can't be read
            found[file] = UNREADABLE
    return found


def find_project(plan: Path) -> Path:
    """Return the folder with the Snakefile: where the package is installed from, or near."""
    near = [Path(sitewise.__file__).resolve().parents[2], Path.cwd(), plan.resolve().parents[1]]
    for folder in near:
        if (folder / "Snakefile").is_file() and (folder / "workflow" / "scripts").is_dir():
            return folder
    raise RunError(
        "The workflow was not found.",
        [
            Problem(
                "no folder with `Snakefile` and `workflow/scripts`",
                where=", ".join(str(folder) for folder in near),
                fix="work in the project's folder, or install the package from it"
                " (pip install --no-deps -e .)",
            )
        ],
    )
