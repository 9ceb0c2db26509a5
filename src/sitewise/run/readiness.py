"""Whether a run can start: plan, site sheet, formulas, folders."""

import contextlib
import re
import tempfile
from pathlib import Path

from sitewise.audit.ledger import LEDGER
from sitewise.errors import DataError, PlanError, Problem, RunError, SitewiseError, in_number
from sitewise.plan.limits import limits_of
from sitewise.plan.load import read_sections, read_yaml
from sitewise.plan.model import Plan
from sitewise.plan.sheet import SiteSheet, load_sheet


def read_plan(path: Path) -> tuple[Plan, SiteSheet]:
    """Read plan, site sheet and formulas; raises PlanError with the problems of all of them.

    Where some keys of the plan are wrong, the sheet and the formulas are still read if their own
    keys are right.
    """
    from sitewise.inference.plan_models import check_models

    plan, problems = read_sections(read_yaml(path))
    sheet, of_sheet = SiteSheet(), PlanError("")
    if "sites" in plan.model_fields_set:
        try:
            sheet = load_sheet(path.parent / plan.sites.sheet)
        except PlanError as error:
            of_sheet = error
    if "limits" in plan.model_fields_set:
        try:
            limits_of(plan, path.parent)
        except SitewiseError as error:
            problems += error.problems
    problems = list(dict.fromkeys([*problems, *check_models(plan)]))
    if problems:
        title = f"The plan {path.name} has {in_number(problems)}."
        raise PlanError(f"{title} {of_sheet.title}".strip(), [*problems, *of_sheet.problems])
    if of_sheet.title:
        raise of_sheet
    return plan, sheet


def trial_of(plan_file: Path, records: Path) -> str:
    """The trial of a plan; where the plan can't be read, the one that it seems to be of.

    That is the one in its line `trial:`, or of its file's name, if there is a ledger of it in
    `records`; else raises what `read_plan` raises.
    """
    try:
        return read_plan(plan_file)[0].trial
    except SitewiseError:
        text = ""
        with contextlib.suppress(OSError):
            text = plan_file.read_text(encoding="utf-8", errors="replace")
        said = re.search(r"^trial:\s*(.+?)\s*$", text, re.MULTILINE)
        for name in ([said[1].strip("\"'")] if said else []) + [plan_file.stem]:
            if re.fullmatch(r"[a-z][a-z0-9_]*", name) and (records / name / LEDGER).is_file():
                return name
        raise


def data_folder(plan: Plan, sheet: SiteSheet, named: Path | None) -> Path:
    """Return the folder of the hospital files; raises RunError or DataError where it is no such."""
    folder = named or Path("data", plan.trial)
    if not folder.is_dir():
        raise RunError(
            "The folder with the hospital files was not found.",
            [
                Problem(
                    "it is a file" if folder.exists() else "no such folder",
                    where=str(folder),
                    allowed="a folder with the files that the site sheet lists",
                    fix="name it: --data FOLDER",
                )
            ],
        )
    if not any((folder / site.file).is_file() for site in sheet.sites):
        present = sorted(path.name for path in folder.iterdir())[:5]
        raise DataError(
            "None of the hospital files was found.",
            [
                Problem(
                    f"none of the {len(sheet.sites)} files of the site sheet"
                    f" ({sheet.sites[0].file}, ...) is there; found: {', '.join(present) or '-'}",
                    where=str(folder),
                    fix=f"name the folder with --data, or mend {plan.sites.sheet}",
                )
            ],
        )
    return folder.resolve()


def make_folders(directory: Path, trial: str) -> None:
    """Make results/, records/ and logs/ of a trial; raises RunError where one can't be written."""
    problems = []
    for name in ("results", "records", "logs"):
        folder = directory / name / trial
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _try_to_write(folder)
            for inner in folder.rglob("*"):
                if inner.is_dir():
                    _try_to_write(inner)
        except OSError as error:
            problems.append(
                Problem(
                    f"the folder can't be written: {error.strerror or error}",
                    where=str(error.filename or folder),
                    allowed="folders for results/, records/ and logs/ that you may write",
                    fix="give yourself write permission there, or choose another place with"
                    " --directory",
                )
            )
    if problems:
        raise RunError("The run has no place for what it makes.", problems)


def _try_to_write(folder: Path) -> None:
    try:
        with contextlib.closing(tempfile.TemporaryFile(dir=folder)):
            pass
    except OSError as error:  # it names a file that nobody asked for
        raise OSError(error.errno, error.strerror, str(folder)) from error
