"""What a caller gave, before anything is read: kinds and names, every problem at once."""

from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from numbers import Integral
from pathlib import Path
from typing import Any

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import Formula, formula_columns, parse_formula
from sitewise.lmm.moments import Moments

ROLES = ("patient", "slot", "varying")
LATER = {"weights": "weights of rows", "offset": "an offset"}


def check_call(
    formula: object, data: object, reml: object, levels: object, others: Mapping[str, object]
) -> None:
    """Raise ModelError, with every problem, for arguments of `sitewise.lmm` that are of no use."""
    problems = [
        Problem(f"{LATER[name]} can't be given yet", where=name,
                allowed="rows of equal weight, and no known part of the outcome",
                fix=f"leave `{name}` out")
        for name in others if name in LATER
    ]  # fmt: skip
    unknown = [name for name in others if name not in LATER]
    problems += [
        Problem(f"there is no argument {name!r}", where=name,
                allowed="formula, data, reml, levels", fix="leave it out") for name in unknown
    ]  # fmt: skip
    if not isinstance(formula, (str, Formula)):
        problems.append(
            Problem(f"the formula is a {type(formula).__name__}", where="formula",
                    allowed="a text such as 'y ~ arm + (1 | site)'",
                    fix="give the formula first, then the data")
        )  # fmt: skip
    if not isinstance(data, Moments) and not _is_frame(data):
        problems.append(
            Problem(f"the data are a {type(data).__name__}", where="data",
                    allowed="a pandas frame with one row an observation, or sitewise.moments(...)",
                    fix="read files first, or make moments of them: moments(formula, paths)")
        )  # fmt: skip
    if type(reml).__name__ not in ("bool", "bool_"):  # numpy's, too
        problems.append(
            Problem(f"found {reml!r}", where="reml", allowed="True (REML) or False (ML)",
                    fix="write reml=False for maximum likelihood")
        )  # fmt: skip
    problems += level_problems(levels, list(data.columns) if _is_frame(data) else None)  # type: ignore[attr-defined]
    if problems:
        raise ModelError("The fit can't be made as asked.", problems)


def level_problems(levels: object, columns: Sequence[Any] | None) -> list[Problem]:
    """What is wrong with `levels`; columns: of the data, None where they are not known yet."""
    if levels is None:
        return []
    if not isinstance(levels, Mapping):
        return [
            Problem(f"levels is a {type(levels).__name__}", where="levels",
                    allowed="a mapping from column to its levels in order:"
                    " {'ARM': ['Placebo', 'Active']}")
        ]  # fmt: skip
    problems = []
    for name, own in levels.items():
        if columns is not None and name not in columns:
            problems.append(
                Problem(f"no column is named {name!r}", where="levels",
                        allowed=", ".join(map(str, columns)), fix=_near(str(name), columns))
            )  # fmt: skip
        # An array or an index of pandas is in order, too; a set is not.
        if isinstance(own, str | bytes | Mapping | Set) or not hasattr(own, "__iter__"):
            problems.append(
                Problem(f"the levels of {name} are {own!r}", where="levels",
                        allowed="a list of levels in order, the first the reference:"
                        " ['Placebo', 'Active']")
            )  # fmt: skip
    return problems


def _near(name: str, columns: Sequence[Any]) -> str:
    near = get_close_matches(name, list(map(str, columns)), n=1)
    return f"did you mean {near[0]!r}?" if near else "mend the name, or leave it out"


def check_levels(levels: object, columns: Sequence[Any] | None) -> None:
    """Raise ModelError with `level_problems`."""
    problems = level_problems(levels, columns)
    if problems:
        raise ModelError("The levels can't be used as given.", problems)


def check_frame(data: object, where: str) -> None:
    """Raise ModelError where rows were asked for and `data` is no frame."""
    if not _is_frame(data):
        raise ModelError(
            "This needs rows.",
            [Problem(f"the data are a {type(data).__name__}", where=where,
                     allowed="a pandas frame with one row an observation")],
        )  # fmt: skip


def check_seed(seed: object, problems: list[Problem]) -> None:
    """Add a problem where a seed is no whole number from 0."""
    if not is_whole(seed, 0):
        problems.append(
            Problem(f"found {seed!r}", where="seed", allowed="a whole number, 0 or more")
        )


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`; true and false are none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_moments(
    formulas: Any, data: object, roles: object, scheduled: object, batch_rows: object
) -> None:
    """Raise ModelError, with every problem, for arguments of `sitewise.moments` of no use."""
    problems = []
    listed = [formulas] if isinstance(formulas, str) else formulas
    if not isinstance(listed, Sequence) or not all(isinstance(text, str) for text in listed):
        problems.append(
            Problem(f"found {formulas!r}"[:200], where="formulas",
                    allowed="a text such as 'y ~ arm + (1 | site)', or a list of such texts",
                    fix="give the formulas first, then the data")
        )  # fmt: skip
    elif not listed:
        problems.append(Problem("no formula was given", where="formulas", allowed="one or more"))
    if not _is_frame(data) and not isinstance(data, str | Path | Sequence):
        problems.append(
            Problem(f"the data are a {type(data).__name__}", where="data",
                    allowed="a pandas frame, or the paths of Parquet files")
        )  # fmt: skip
    elif not _is_frame(data):
        problems += _source_problems([data] if isinstance(data, str | Path) else list(data))  # type: ignore[call-overload]
    if scheduled is not None and type(scheduled).__name__ not in ("bool", "bool_"):
        problems.append(
            Problem(f"found {scheduled!r}", where="scheduled", allowed="None, True or False")
        )
    if not is_whole(batch_rows, 1):
        problems.append(
            Problem(f"found {batch_rows!r}", where="batch_rows",
                    allowed="a whole number of rows, 1 or more")
        )  # fmt: skip
    if problems or roles is None:
        _refuse(problems)
        return
    if not isinstance(roles, Mapping):
        problems.append(
            Problem(f"roles is a {type(roles).__name__}", where="roles",
                    allowed='a mapping from column to role: {"AVISIT": "slot"}')
        )  # fmt: skip
        _refuse(problems)
        return
    known = list(dict.fromkeys(n for text in listed for n in formula_columns(parse_formula(text))))
    for name, role in roles.items():
        if name not in known:
            problems.append(
                Problem(f"no formula has a column {name!r}", where="roles",
                        allowed=", ".join(known), fix=_near(str(name), known))
            )  # fmt: skip
        if role not in ROLES:
            problems.append(
                Problem(f"{name} is to be {role!r}", where="roles", allowed=", ".join(ROLES))
            )
    _refuse(problems)


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise ModelError("The moments can't be made as asked.", problems)


def _is_frame(data: object) -> bool:
    return hasattr(data, "columns") and hasattr(data, "dtypes")


def _source_problems(paths: Sequence[object]) -> list[Problem]:
    """What is no Parquet file among the paths."""
    problems = []
    if not paths:
        problems.append(
            Problem("no data were given", where="data", allowed="a frame, or Parquet files")
        )
    for path in paths:
        if not isinstance(path, str | Path):
            problems.append(
                Problem(f"found a {type(path).__name__} among the files", where="data",
                        allowed="a frame, or paths of Parquet files",
                        fix="several frames: make moments of each and add them")
            )  # fmt: skip
        elif not Path(path).is_file():
            problems.append(Problem("there is no such file", where=str(path), fix="mend the path"))
        elif not _is_parquet(Path(path)):
            problems.append(
                Problem("the file is no Parquet file", where=str(path), allowed="Parquet files",
                        fix="read other files yourself: moments(formula, frame)")
            )  # fmt: skip
    return problems


def _is_parquet(path: Path) -> bool:
    """By the four bytes at both ends of a Parquet file."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"
