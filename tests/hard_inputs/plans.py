"""The text of the plan and of the site sheet, refused before any file is read."""

from collections.abc import Callable

import yaml

from sitewise.errors import SitewiseError
from sitewise.plan.load import load_plan
from sitewise.plan.sheet import load_sheet
from tests.hard_inputs.case import Case
from tests.small_trial import Trial


def written(change: Callable[[str], str | bytes]) -> Callable[[Trial], None]:
    """The plan's text with a change."""

    def spoil(trial: Trial) -> None:
        path = trial.folder / "plan.yaml"
        text = change(yaml.safe_dump(trial.data, sort_keys=False, allow_unicode=True))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            load_plan(path)
        except SitewiseError as error:
            assert "unicode string" not in str(error), "the file has a name"
            raise

    return spoil


def replaced(old: str, new: str) -> Callable[[Trial], None]:
    """The plan's text with one word exchanged."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return written(change)


def sheet(content: bytes) -> Callable[[Trial], None]:
    """A site sheet of these bytes."""

    def spoil(trial: Trial) -> None:
        path = trial.folder / "sites.csv"
        path.write_bytes(content)
        load_sheet(path)

    return spoil


CASES = (
    Case(
        "A plan with tabs",
        "a line of the plan is indented with a tab",
        replaced("  layout:", "\tlayout:"),
        ("a tab stands where the line is indented", "indent with blanks, not with tabs"),
    ),
    Case(
        "A plan in Latin-1",
        "the plan's title is `Zürich`, and the file is in Latin-1",
        written(lambda text: f"title: Zürich\n{text}".encode("latin-1", "replace")),
        (
            "it is not written in UTF-8: byte 0xfc at line 1 does not belong to it",
            "save it as UTF-8 in your editor",
        ),
    ),
    Case(
        "An empty plan",
        "the plan has no text",
        written(lambda _text: ""),
        ("nothing stands in it", "name the plan's YAML file"),
    ),
    Case(
        "A plan that is a list",
        "the plan has `- a` and `- b`",
        written(lambda _text: "- a\n- b\n"),
        ("found ['a', 'b'] (list)",),
    ),
    Case(
        "A plan's key given twice",
        "`design` stands in two lines of the plan",
        written(lambda text: f"design: cluster\n{text}"),
        ("the key 'design' stands twice", "keep the one that is meant"),
    ),
    Case(
        "An arm called no",
        "an arm's name is `no`, which YAML takes for false",
        replaced("name: HIC", "name: no"),
        (
            "wrong type, found False (bool)",
            "text; put it in quotes if it looks like a number, a date or yes/no",
        ),
    ),
    Case(
        "A reference to an anchor that is not there",
        "the plan's question is `*why`",
        replaced("title: ", "question: *why\ntitle: "),
        ("found undefined alias 'why'", "quote text that begins with *"),
    ),
    Case(
        "Two plans in one file",
        "behind the plan stand `---` and another plan",
        written(lambda text: f"{text}---\ntrial: other\n"),
        ("a second document begins here", "one plan a file"),
    ),
    Case(
        "A site sheet with semicolons",
        "the site sheet is separated by semicolons",
        sheet(b"SITEID;file\nA;A.csv\n"),
        ("the cells are separated by semicolons: SITEID;file", "with commas between the cells"),
    ),
    Case(
        "A site sheet in Latin-1",
        "the second line of the site sheet has `Köln` in Latin-1",
        sheet("SITEID,file\nKöln,koeln.csv\n".encode("latin-1")),
        ("it is not written in UTF-8: byte 0xf6 at line 2 does not belong to it",),
    ),
    Case(
        "A site sheet with a quote that is never closed",
        "a quote stands before a SITEID, and none behind it",
        sheet(b'SITEID,file\n"A,A.csv\nB,B.csv\n'),
        ("a quote is opened, never closed", "mend the quotes in it"),
    ),
    Case(
        "A SITEID with an unseen character",
        "the SITEID is `A` with a zero-width space behind it",
        sheet("SITEID,file\nA\u200b,A.csv\n".encode()),
        ("SITEID 'A\\u200b' has a character that no one sees", "type it anew"),
    ),
)
