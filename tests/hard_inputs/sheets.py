"""The site sheet and the plan's formulas, refused before any file is read."""

from collections.abc import Callable

import yaml

from sitewise.plan.sheet import load_sheet
from sitewise.run.readiness import read_plan
from tests.hard_inputs.case import Case
from tests.small_trial import Trial


def sheet(*lines: str) -> Callable[[Trial], None]:
    """A site sheet with these lines below its header."""

    def spoil(trial: Trial) -> None:
        path = trial.folder / "sites.csv"
        path.write_text("\n".join(["SITEID,file", *lines, ""]), encoding="utf-8")
        load_sheet(path)

    return spoil


def formula(text: str) -> Callable[[Trial], None]:
    """The primary model with this formula."""

    def spoil(trial: Trial) -> None:
        trial.data["models"][trial.data["primary"]["model"]]["formula"] = text
        trial.data["sites"]["sheet"] = "sites.csv"
        (trial.folder / "sites.csv").write_text("SITEID,file\nA,A.csv\n", encoding="utf-8")
        path = trial.folder / "plan.yaml"
        path.write_text(yaml.safe_dump(trial.data, sort_keys=False), encoding="utf-8")
        try:
            read_plan(path)
        finally:
            assert not (trial.folder / "called").exists(), "the formula was executed"

    return spoil


CALL = "AVAL ~ AVISIT*TRT01P + __import__('os').system('touch called') + (1 | USUBJID)"
FUNCTION = "AVAL ~ AVISIT*TRT01P + exec(AVISIT) + (1 | USUBJID)"

CASES = (
    Case(
        "A site file listed twice",
        "lines 2 and 3 of the site sheet name `a.csv` and `./a.csv`",
        sheet("01,a.csv", "02,./a.csv"),
        (
            "sites.csv, lines 2, 3: file 'a.csv' is listed 2 times",
            "name each hospital's own file, or remove the line that is too many",
        ),
    ),
    Case(
        "Two sites with one SITEID",
        "lines 2 and 3 of the site sheet are both of site `01`",
        sheet("01,a.csv", "01,b.csv"),
        (
            "sites.csv, lines 2, 3: SITEID '01' is listed 2 times",
            "give each hospital its own SITEID",
        ),
    ),
    Case(
        "SITEIDs that differ only by case",
        "the site sheet has the sites `H1` and `h1`",
        sheet("H1,a.csv", "h1,b.csv"),
        ("the SITEIDs 'H1' and 'h1' differ only by case, blanks or accents",),
    ),
    Case(
        "A path that leaves the data folder, upwards",
        "the site sheet names `../../etc/passwd.csv`",
        sheet("01,../../etc/passwd.csv"),
        (
            "sites.csv, line 2: file '../../etc/passwd.csv' leaves the data folder",
            "put the file into the data folder, and name it from there",
        ),
    ),
    Case(
        "A path that leaves the data folder, from the root",
        "the site sheet names `/etc/passwd.csv` and `C:\\\\data\\\\a.csv`",
        sheet("01,/etc/passwd.csv", "02,C:\\data\\a.csv"),
        (
            "sites.csv, line 2: file '/etc/passwd.csv' leaves the data folder",
            "sites.csv, line 3: file 'C:/data/a.csv' leaves the data folder",
        ),
    ),
    Case(
        "A formula that calls code",
        f"the primary model is `{CALL}`",
        formula(CALL),
        ("models.site_by_visit.formula: the character '_' has no meaning in a formula",),
    ),
    Case(
        "A formula that calls a function",
        f"the primary model is `{FUNCTION}`",
        formula(FUNCTION),
        ("models.site_by_visit.formula: ",),
    ),
)
