"""What a caller gave, before anything is read: kinds and names, every problem at once."""

from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import Formula
from sitewise.lmm.moments import Moments

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


def _is_frame(data: object) -> bool:
    return hasattr(data, "columns") and hasattr(data, "dtypes")


def check_sources(formulas: Sequence[object], paths: Sequence[object]) -> None:
    """Raise ModelError where moments are asked of no formula, or of what is no file."""
    from pathlib import Path

    problems = []
    if not formulas:
        problems.append(Problem("no formula was given", where="formulas", allowed="one or more"))
    if not paths:
        problems.append(
            Problem("no data were given", where="data", allowed="a frame, or Parquet file(s)")
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
    if problems:
        raise ModelError("The moments can't be made as asked.", problems)
