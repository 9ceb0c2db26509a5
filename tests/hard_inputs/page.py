"""docs/inputs.md, made from the tables of hard inputs and what is really said.

    python -m tests.hard_inputs.page

writes it; a test holds the two together.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.hard_inputs import cells, files, leaving, plans, sheets, strange, trials
from tests.hard_inputs.case import ROOT, Answer, Case, answer_of
from tests.hard_inputs.runs import RUNS

PAGE = ROOT / "docs" / "inputs.md"
GROUPS: Mapping[str, tuple[Case, ...]] = {
    "How a file is written": files.CASES,
    "What is hardly a file or a table": strange.CASES,
    "What stands in the cells": cells.CASES,
    "Why patients left early": leaving.CASES,
    "What the whole trial shows": trials.CASES,
    "Site sheet and formulas": sheets.CASES,
    "The text of plan and sheet": plans.CASES,
}
CASES = {case.name: case for cases in GROUPS.values() for case in cases}
HEAD = """# Hard inputs and their answers

What `sitewise` says when a hospital file, the site sheet, the plan or the computer is not as it
should be. Nothing is repaired silently, and each reading (a row x an endpoint) has one fate.

This page is made from the tests (`python -m tests.hard_inputs.page`): each input is a change of the
same small trial, and the answer is what was really said. Its four hospitals have the files `A.csv`
to `D.csv` with three patients each (A0, A1, A2, ...) and three visits: 36 rows, 72 readings of
SYSBP and DIABP. A and B have the arm HIC, C and D the arm TASSH+HIC, and the plan sets bad rows and
bad sites aside (`rules`). Line 6 of `A.csv` is A1 at month 6:

    site,patient,arm,visit,sbp,dbp,age,sex,bmi,area
    A,A1,HIC,month 6,153,89.5,51,M,21.4,rural

An answer names the place, what was found, what is allowed, what was done and what to do; "read as"
says how a file was read that is not in UTF-8 with LF, commas and decimal points.
"""


@cache
def answer(name: str) -> Answer:
    """What is said of one case; it is run once."""
    return answer_of(CASES[name])


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_contents(), *_cases(), *_runs()]).rstrip() + "\n"


def _contents() -> Iterator[str]:
    names = {group: [case.name for case in cases] for group, cases in GROUPS.items()}
    names["When a run can't go on"] = [run.name for run in RUNS]
    for group, entries in names.items():
        yield f"- {group}"
        yield from (f"  - [{name}](#{_anchor(name)})" for name in entries)
    yield ""


def _anchor(name: str) -> str:
    """The heading's own link, as Markdown pages make it."""
    kept = "".join(c for c in name.lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _cases() -> Iterator[str]:
    for group, cases in GROUPS.items():
        yield f"## {group}\n"
        for case in cases:
            said = answer(case.name)
            yield f"### {case.name}\n"
            yield f"{_sentence(case.shown)}\n"
            yield f"```text\n{said.text}\n```\n"
            if said.fates:
                told = ", ".join(f"{number} {fate}" for fate, number in said.fates.items())
                yield f"Readings: {told}.\n"


def _runs() -> Iterator[str]:
    yield "## When a run can't go on\n"
    yield "PLACE stands for a path, NAME for a job, a file or a digest.\n"
    for run in RUNS:
        yield f"### {run.name}\n"
        yield f"{_sentence(run.shown)}\n"
        yield f"```text\n{run.answer}\n```\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    Path(PAGE).write_text(page(), encoding="utf-8")
