"""The twenty hospitals of the demo trials, and how each writes its file."""

from dataclasses import dataclass

MMHG_PER_KPA = 7.500616827
HEADER = (
    "hospital", "subject", "treatment", "visit", "studyday", "sbp", "dbp", "age", "sex",
    "reason_left",
)  # fmt: skip
VISITS = ("Baseline", "Week 4", "Week 8", "Week 12", "Week 18", "Week 24")


@dataclass(frozen=True)
class Hospital:
    """One hospital. subject: its patients' identifiers, `{n}` their number, from `first` on.

    Number cells are written with `decimal`, in `unit` (kPa with one digit, mmHg as whole numbers).
    """

    siteid: str
    patients: int
    subject: str = ""
    first: int = 1
    delimiter: str = ","
    decimal: str = "."
    unit: str = "mmHg"

    @property
    def file(self) -> str:
        """Its file in the data folder."""
        return f"hospital_{self.siteid}.csv"

    def identifier(self, place: int) -> str:
        """Identifier of its patient at `place`, from 0."""
        return (self.subject or f"{self.siteid}-{{n:03d}}").format(n=self.first + place)


# 500 patients; real trials have a few large hospitals and many small ones.
HOSPITALS = (
    Hospital("001", 38),
    Hospital("002", 29),
    Hospital("003", 25),
    Hospital("004", 33, unit="kPa"),
    Hospital("005", 22),
    Hospital("006", 12),
    Hospital("007", 42, subject="{n:03d}"),  # 007 is a patient, not 7
    Hospital("008", 20),
    Hospital("009", 35),
    Hospital("010", 48, subject="{n}E3", first=1001),  # 1001E3 is a patient, not 1001000
    Hospital("011", 17),
    Hospital("012", 28, delimiter=";", decimal=","),
    Hospital("013", 14),
    Hospital("014", 26),
    Hospital("015", 5),
    Hospital("016", 31),
    Hospital("017", 9),
    Hospital("018", 24),
    Hospital("019", 23),
    Hospital("020", 19),
)
SIZES = tuple(hospital.patients for hospital in HOSPITALS)
