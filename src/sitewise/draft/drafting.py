"""`sitewise init`: a first plan and its site sheet beside the others."""

import re
from dataclasses import dataclass
from pathlib import Path

from sitewise.draft.guesses import Guesses, guess
from sitewise.draft.reading import read_folder
from sitewise.draft.roles import guess_roles
from sitewise.draft.writing import plan_text, sheet_text
from sitewise.errors import DataError, Problem, RunError


@dataclass(frozen=True)
class Draft:
    """What was written. remarks: what somebody must look at in the files."""

    plan: Path
    sheet: Path
    guesses: Guesses
    remarks: tuple[str, ...]


def draft_plan(folder: Path, config: Path, trial: str, date: str) -> Draft:
    """Read the hospital files of `folder`, write `<trial>.yaml` and `<trial>_sites.csv`.

    config: where the plans are; date: of the data cut, YYYY-MM-DD. Never replaces a file. Raises
    DataError where the files can't be understood, RunError where the plan can't be written.
    """
    plan, sheet = config / f"{trial}.yaml", config / f"{trial}_sites.csv"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", trial):
        raise _unwritten(
            f"{trial!r} can't be the trial's name", "--trial",
            "small letters, digits and _, a letter first, 40 at most", "choose another name",
        )  # fmt: skip
    for path in (plan, sheet):
        if path.exists():
            raise _unwritten(
                "is there already", str(path), "a name that has no plan yet",
                "choose another name with --trial, or move the old plan away",
            )  # fmt: skip
    found = read_folder(folder)
    guesses = guess(found, guess_roles(found))
    _require(guesses)
    try:
        config.mkdir(parents=True, exist_ok=True)
        sheet.write_text(sheet_text(guesses), encoding="utf-8", newline="\n")
        plan.write_text(plan_text(guesses, trial, date), encoding="utf-8", newline="\n")
    except OSError as error:
        raise _unwritten(
            error.strerror or str(error), str(config), "a folder that may be written",
            "name another one with --config",
        ) from error  # fmt: skip
    return Draft(plan, sheet, guesses, guesses.remarks)


def _require(g: Guesses) -> None:
    """A plan needs two arms and two visits."""
    problems = [
        Problem(
            f"only {len(values)} {name} found in the column {g.roles.columns[name]!r}:"
            f" {', '.join(values) or 'none'}",
            allowed=f"two {name}s or more",
            fix="check that the files are those of one trial with a row a visit; otherwise write"
            " the plan from config/demo.yaml",
        )
        for name, values in (("arm", g.arms), ("visit", [v.name for v in g.visits]))
        if len(values) < 2
    ]
    if problems:
        raise DataError("The hospital files can't be understood.", problems)


def _unwritten(what: str, where: str, allowed: str, fix: str) -> RunError:
    return RunError(
        "The first plan can't be written.", [Problem(what, where=where, allowed=allowed, fix=fix)]
    )
