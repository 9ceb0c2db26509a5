"""What the column says of why patients left early: of each case A0 has no reading at month 12."""

from collections.abc import Callable

from tests.hard_inputs.case import Case
from tests.small_trial import Trial

ALL = {"analysed": 70}  # A0 left, with two readings


def _left(*, column: str = "reason", **cells: str) -> Callable[[Trial], None]:
    """A column of reasons, empty but for A0's cells: baseline, month_6; A0 leaves after them."""

    def spoil(trial: Trial) -> None:
        trial.data["leaving"] = {
            "column": "reason",
            "codes": {"AE": "adverse event", "LTFU": "lost to follow-up"},
        }
        trial.files["A.csv"].remove(trial.row("A", "A0", "month 12"))
        for rows in trial.files.values():
            for row in rows:
                own = cells.get(row["visit"].replace(" ", "_"), "")
                row[column] = own if row["patient"] == "A0" else ""

    return spoil


def _seen_again(trial: Trial) -> None:
    _left(month_6="AE")(trial)
    trial.row("A", "A1", "month 6")["reason"] = "AE"


def _missing_at_one(trial: Trial) -> None:
    _left(month_6="AE")(trial)
    for row in trial.files["D.csv"]:
        del row["reason"]


CASES = (
    Case(
        "Two reasons for leaving of one patient",
        "the plan's `leaving.codes` know `AE` and `LTFU`; A0 has `AE` at baseline and `LTFU` at"
        " month 6",
        _left(baseline="AE", month_6="LTFU"),
        (
            "A.csv line 3, column 'reason', found 'LTFU': the reason for leaving 'LTFU' is another"
            " than that of the patient's first visit with one, 'adverse event'",
            "the first visit's reason is told of the patient, readings kept",
        ),
        ALL,
    ),
    Case(
        "A code of leaving that the plan doesn't know",
        "A0 has `ltfu` at both visits",
        _left(baseline="ltfu", month_6="ltfu"),
        (
            "A.csv line 2, column 'reason', found 'ltfu': the plan knows no reason for leaving"
            " 'ltfu'",
            "'LTFU'",
            "told as it stands, readings kept",
        ),
        ALL,
    ),
    Case(
        "A reason for leaving of a patient who stayed",
        "A1 has `AE` at month 6, and readings at month 12",
        _seen_again,
        (
            "note: A.csv line 6, column 'reason', found 'adverse event': the patient is said to"
            " have left early (adverse event), and has a reading at Month 12",
        ),
        ALL,
    ),
    Case(
        "No column of reasons in one file",
        "the plan's `leaving.column` is `reason`, and D.csv has no such column",
        _missing_at_one,
        (
            "warning: D.csv line 1, column 'reason': the column 'reason', with why patients left"
            " early, is missing",
            "readings kept; no reason is known of this hospital's patients",
        ),
        ALL,
    ),
    Case(
        "No column of reasons in any file",
        "the plan's `leaving.column` is `reason`, and the files call it `Reason`",
        _left(column="Reason", month_6="AE"),
        (
            "'Reason'",
            "(and 3 more of this kind)",
            "rename the column in the file, or correct its name in the plan (leaving.column)",
        ),
        ALL,
    ),
)
