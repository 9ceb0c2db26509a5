"""The account of readings: readings in = readings with exactly one fate."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FateCount:
    """Readings of one endpoint and site with one fate. fate: a `sitewise.terms.Fate`."""

    endpoint: str
    site: str
    fate: str
    reason: str
    readings: int


@dataclass(frozen=True)
class FileRow:
    """One hospital file. status: `used`, or `set aside` with the reason.

    written: how it is written, for people; "" where that could not be told.
    kept: why, and from when, where it is an earlier file than the last one delivered; else "".
    """

    site: str
    file: str
    sha256: str
    rows: int
    readings: int
    status: str
    reason: str
    written: str = ""
    kept: str = ""


@dataclass(frozen=True)
class PatientCount:
    """Patients of one arm as the files have them ("" = no arm of the plan).

    reason: why none of a patient's readings is analysed (that of most of them), or "" where some
        reading is. A patient whose identifier stands at several sites is counted once.
    """

    arm: str
    reason: str
    patients: int


@dataclass(frozen=True)
class ArmCount:
    """What the files have of one arm before anything is left out: sites with a patient of it, and
    their patients."""

    arm: str
    sites: int
    patients: int


@dataclass(frozen=True)
class Account:
    """The whole account; `sum(counts.readings) == readings` is asserted when it is made.

    findings: number by rule, severity and message; the rows are in findings/findings.csv.
    patients: with a row in the files, by arm and by what became of them; none where no row names
        its patient. arms: the arms of the plan, as allocated.
    """

    rows: int
    readings: int
    files: tuple[FileRow, ...]
    counts: tuple[FateCount, ...]
    findings: tuple["FindingCount", ...]
    patients: tuple[PatientCount, ...] = ()
    arms: tuple[ArmCount, ...] = ()


@dataclass(frozen=True)
class FindingCount:
    """How often one rule found something. sites: the sites concerned.

    message: of all of them, or of the first, where messages are too many to be told one by one;
    it then begins with `for example`.
    """

    rule: str
    severity: str
    findings: int
    sites: tuple[str, ...]
    message: str
