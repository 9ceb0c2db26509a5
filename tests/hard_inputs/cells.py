"""What stands in the cells: numbers that are none, codes for missing, dates, names, visits."""

from collections.abc import Callable

from tests.hard_inputs.case import Case, cell, column, together
from tests.small_trial import Trial

ALL = {"analysed": 72}
ONE_LOST = {"set aside": 1, "analysed": 71}
ONE_ROW_LOST = {"set aside": 2, "analysed": 70}
POINT = "the site sheet says that this file's decimal mark is a point"


def _with_days(trial: Trial) -> None:
    """A column of study days, of which A1 at month 6 has a date."""
    trial.data["columns"]["day"] = "day"
    days = {"baseline": "1", "month 6": "183", "month 12": "366"}
    for rows in trial.files.values():
        for row in rows:
            row["day"] = days[row["visit"]]


def _renamed(trial: Trial, old: str, new: str) -> None:
    for row in trial.files[f"{old[0]}.csv"]:
        if row["patient"] == old:
            row["patient"] = new


def _names(*names: tuple[str, str]) -> Callable[[Trial], None]:
    def spoil(trial: Trial) -> None:
        for old, new in names:
            _renamed(trial, old, new)

    return spoil


def _missing_codes(trial: Trial) -> None:
    trial.data["missing_values"] = ["", "NA", ".", "-9", "999"]
    for patient, code in (("A0", "NA"), ("A1", "."), ("A2", "-9")):
        trial.row("A", patient, "month 6")["sbp"] = code
    trial.row("B", "B1", "month 6")["sbp"] = "999"


def _numbered_999(trial: Trial) -> None:
    trial.data["missing_values"] = ["", "NA", ".", "-9", "999"]
    _renamed(trial, "A1", "999")


def _date(text: str) -> Callable[[Trial], None]:
    return together(_with_days, cell("A1", "month 6", day=text))


def _days_backwards(trial: Trial) -> None:
    """Site A counts the days that are left."""
    _with_days(trial)
    days = {"baseline": "366", "month 6": "183", "month 12": "1"}
    for row in trial.files["A.csv"]:
        row["day"] = days[row["visit"]]


CASES = (
    Case(
        "A unit in a cell",
        "A1's SBP at month 6 is `142 mmHg`",
        cell("A1", "month 6", sbp="142 mmHg"),
        (
            "A.csv line 6, column 'sbp', found '142 mmHg': '142 mmHg' is not a number; it looks"
            " like 142 followed by 'mmHg'",
            "take everything but the number out of the cell",
        ),
        ONE_LOST,
    ),
    Case(
        "A thousands separator",
        "A1's SBP at month 6 is `1,234`",
        cell("A1", "month 6", sbp="1,234"),
        (f"it may have a thousands separator or a decimal comma, and {POINT}",),
        ONE_LOST,
    ),
    Case(
        "A thousands separator and a decimal mark",
        "A1's SBP at month 6 is `1,234.5`",
        cell("A1", "month 6", sbp="1,234.5"),
        (
            "'1,234.5' is not a number; it looks like a number with thousands separators",
            "write the number without thousands separators",
        ),
        ONE_LOST,
    ),
    Case(
        "A thousands separator that is a blank",
        "A1's SBP at month 6 is `1 234`",
        cell("A1", "month 6", sbp="1 234"),
        ("it looks like a number with thousands separators",),
        ONE_LOST,
    ),
    Case(
        "One decimal comma",
        "A1's SBP at month 6 is `142,5`",
        cell("A1", "month 6", sbp="142,5"),
        (f"it looks like a number with a decimal comma, and {POINT}",),
        ONE_LOST,
    ),
    Case(
        "Two numbers in a cell",
        "A1's SBP at month 6 is `142/90`",
        cell("A1", "month 6", sbp="142/90"),
        ("it looks like two numbers in one cell",),
        ONE_LOST,
    ),
    Case(
        "A limit instead of a value",
        "A1's SBP at month 6 is `>200`",
        cell("A1", "month 6", sbp=">200"),
        ("it looks like a limit, not a measured value",),
        ONE_LOST,
    ),
    Case(
        "A typographic minus",
        "A1's SBP at month 6 is `\u2212142`, with the sign U+2212",
        cell("A1", "month 6", sbp="\u2212142"),
        ("it has signs that are not the digits 0 to 9 or the minus -", "type the number anew"),
        ONE_LOST,
    ),
    Case(
        "Digits of another script",
        "A1's SBP at month 6 is `\u0661\u0664\u0662`, 142 in Arabic-Indic digits",
        cell("A1", "month 6", sbp="\u0661\u0664\u0662"),
        ("it has signs that are not the digits 0 to 9 or the minus -", "type the number anew"),
        ONE_LOST,
    ),
    Case(
        "An unseen character in a number",
        "A1's SBP at month 6 is `142` with a zero-width space after the 4",
        cell("A1", "month 6", sbp="14\u200b2"),
        ("'14\\u200b2' is not a number; it has characters that no one sees",),
        ONE_LOST,
    ),
    Case(
        "A time of day in place of a value",
        "A1's SBP at month 6 is `24:00`",
        cell("A1", "month 6", sbp="24:00"),
        ("'24:00' is not a number; it looks like a time of day",),
        ONE_LOST,
    ),
    Case(
        "A date, year first",
        "the study day of A1 at month 6 is `2024-03-01`",
        _date("2024-03-01"),
        (
            "the study day '2024-03-01' can't be used; it looks like a date (year-month-day), and a"
            " date is not turned into a day",
        ),
        ALL,
    ),
    Case(
        "A date, day and month in an unknown order",
        "the same as `01/03/2024`: 1 March or 3 January",
        _date("01/03/2024"),
        ("it looks like a date (day and month in an unknown order)",),
        ALL,
    ),
    Case(
        "A date with the month's name",
        "the same as `1-Mar-24`",
        _date("1-Mar-24"),
        ("it looks like a date (day month year)",),
        ALL,
    ),
    Case(
        "A date by its week",
        "the same as `2024-W09-5`",
        _date("2024-W09-5"),
        ("it looks like a date (year-week-day)",),
        ALL,
    ),
    Case(
        "A date as a spreadsheet counts it",
        "the same as `45352`, 1 March 2024 in days from 1900",
        _date("45352"),
        ("it looks like a date as a spreadsheet counts it", "at most 20000"),
        ALL,
    ),
    Case(
        "A study day before that of an earlier visit",
        "A1's study days are 1 at baseline, 183 at month 6 and 36 at month 12",
        together(_with_days, cell("A1", "month 12", day="36")),
        (
            "A.csv line 7, column 'day', found '36': Month 12 is on study day 36, a visit before it"
            " on day 183",
            "compare names and days of these visits with the source documents: one is wrong",
        ),
        ALL,
    ),
    Case(
        "Study days that fall with the visits at a whole site",
        "the study days in `A.csv` are 366 at baseline, 183 at month 6 and 1 at month 12",
        _days_backwards,
        (
            "A.csv, column 'day', found '183': at 3 of 3 patients of this site visits and study"
            " days contradict each other; of A0 Month 6 is on study day 183, a visit before it on"
            " day 366",
        ),
        ALL,
    ),
    Case(
        "A date in place of a value",
        "A1's SBP at month 6 is `3-Apr-26`, as spreadsheets make it of 3-4",
        cell("A1", "month 6", sbp="3-Apr-26"),
        ("'3-Apr-26' is not a number; it looks like a date", "turn 3-4 into a date"),
        ONE_LOST,
    ),
    Case(
        "NA, a point, -9 and 999, declared as missing",
        "one SBP each of A0, A1, A2 and B1; the plan's missing_values has all four",
        _missing_codes,
        ("nothing: it is read as it stands",),
        {"not measured": 4, "analysed": 68},
    ),
    Case(
        "-9, not declared",
        "A1's SBP at month 6 is `-9`",
        cell("A1", "month 6", sbp="-9"),
        (
            "SYSBP of -9 mmHg is not possible; it looks like a code for a missing value",
            "if it means missing, add it to the plan's missing_values",
        ),
        ONE_LOST,
    ),
    Case(
        "999, not declared",
        "A1's SBP at month 6 is `999`",
        cell("A1", "month 6", sbp="999"),
        ("SYSBP of 999 mmHg is not possible; it looks like a code for a missing value",),
        ONE_LOST,
    ),
    Case(
        "A word for missing, not declared",
        "A1's SBP at month 6 is `n/a`",
        cell("A1", "month 6", sbp="n/a"),
        ("'n/a' is not a number; it looks like a word for a missing value",),
        ONE_LOST,
    ),
    Case(
        "A covariate of 999, not declared",
        "A1's age is `999` at each visit",
        lambda trial: [r.update(age="999") for r in trial.files["A.csv"] if r["patient"] == "A1"],
        (
            "Age '999' looks like a code for a missing value",
            "if it means missing, add it to the covariate's missing_values in the plan",
        ),
        ALL,
    ),
    Case(
        "A patient numbered as a code for missing",
        "the patient A1 is `999`, and the plan says that 999 means missing",
        _numbered_999,
        (
            "A.csv line 5, column 'patient': the patient identifier is missing",
            "'NA', '.', '-9', '999' count as missing (missing_values)",
        ),
        {"set aside": 6, "analysed": 66},
    ),
    Case(
        "Identifiers that look like numbers, dates or booleans",
        "the patients of A and B are `1001E3`, `007`, `2024-03-01`, `TRUE`, `1e5`, `+1`",
        _names(
            ("A0", "1001E3"),
            ("A1", "007"),
            ("A2", "2024-03-01"),
            ("B0", "TRUE"),
            ("B1", "1e5"),
            ("B2", "+1"),
        ),
        ("nothing: it is read as it stands",),
        ALL,
    ),
    Case(
        "Identifiers that differ only by case",
        "A1's row at month 12 says `a1`",
        cell("A1", "month 12", patient="a1"),
        (
            "A.csv line 5, column 'patient', found 'A1': the patient 'A1' looks like 'a1'"
            " (A.csv line 7): they differ only in upper and lower case",
            "kept as different patients",
        ),
        ALL,
    ),
    Case(
        "Identifiers that differ only by blanks",
        "A1's row at month 12 says `A 1`",
        cell("A1", "month 12", patient="A 1"),
        ("looks like 'A 1' (A.csv line 7): they differ only in blanks or unseen characters",),
        ALL,
    ),
    Case(
        "Identifiers that are the same number",
        "the patients A1 and B1 are `7` and `007`",
        _names(("A1", "7"), ("B1", "007")),
        ("they differ only in how the same number is written",),
        ALL,
    ),
    Case(
        "A visit name in another case",
        "A1's visit month 6 is called `Month 6`",
        cell("A1", "month 6", visit="Month 6"),
        (
            "the plan knows no visit 'Month 6'; did you mean 'month 6'? They differ only in upper"
            " and lower case",
            "correct the cell, or add the code to the plan's visits or other_visits",
        ),
        ONE_ROW_LOST,
    ),
    Case(
        "A visit of another number",
        "A1's visit month 6 is called `month 16`, which is no misspelling",
        cell("A1", "month 6", visit="month 16"),
        ("the plan knows no visit 'month 16'\n",),
        ONE_ROW_LOST,
    ),
    Case(
        "A misspelt arm",
        "A1's arm at month 6 is `HCI`",
        cell("A1", "month 6", arm="HCI"),
        ("the plan knows no arm 'HCI'; did you mean 'HIC'?",),
        ONE_ROW_LOST,
    ),
    Case(
        "Values that are equal for a whole site",
        "every SBP of `A.csv` is 120",
        column("A", sbp="120"),
        ("A.csv, column 'sbp', found '120': all 9 SYSBP readings of this site are 120 mmHg",),
        ALL,
    ),
)
