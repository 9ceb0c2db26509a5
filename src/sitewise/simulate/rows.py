"""What a hospital writes down of its patients: rows of cells."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.simulate.hospitals import HEADER, MMHG_PER_KPA, VISITS, Hospital

if TYPE_CHECKING:
    import numpy as np

    from sitewise.simulate.draw import Drawn


@dataclass
class Row:
    """One visit of one patient as a hospital has it, all cells text; warts change it."""

    hospital: str
    subject: str
    treatment: str
    visit: str
    studyday: str
    sbp: str
    dbp: str
    age: str
    sex: str
    reason_left: str = ""

    @property
    def measured(self) -> bool:
        """Whether both pressures were taken."""
        return bool(self.sbp and self.dbp)


def hospital_rows(
    drawn: "Drawn",
    reasons: "np.ndarray",
    place: int,
    hospital: Hospital,
    arms: tuple[str, str],
) -> list[Row]:
    """The visits that took place in the hospital drawn at `place`, patient by patient.

    reasons: why each patient left early, or empty; it stands in the patient's last row.
    """
    import numpy as np

    rows = []
    for own, patient in enumerate(np.flatnonzero(drawn.site == place)):
        for visit, name in enumerate(VISITS):
            if not drawn.seen[patient, visit]:
                continue
            rows.append(
                Row(
                    hospital=hospital.siteid,
                    subject=hospital.identifier(own),
                    treatment=arms[drawn.arm[patient]],
                    visit=name,
                    studyday=str(drawn.day[patient, visit]),
                    sbp=cell(float(drawn.sbp[patient, visit]), hospital),
                    dbp=cell(float(drawn.dbp[patient, visit]), hospital),
                    age=str(drawn.age[patient]),
                    sex="F" if drawn.female[patient] else "M",
                )
            )
        rows[-1].reason_left = str(reasons[patient])  # everybody was there at baseline
    return rows


def cell(mmhg: float, hospital: Hospital) -> str:
    """A pressure as the hospital writes it; empty where it was not taken."""
    if math.isnan(mmhg):
        return ""
    if hospital.unit == "kPa":
        return f"{mmhg / MMHG_PER_KPA:.1f}".replace(".", hospital.decimal)
    digits = 1 if hospital.decimal == "," else 0
    return f"{mmhg:.{digits}f}".replace(".", hospital.decimal)


def file_bytes(rows: Sequence[Row], hospital: Hospital) -> bytes:
    """The hospital's file: UTF-8, one line a row below the header."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=hospital.delimiter, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([getattr(row, name) for name in HEADER] for row in rows)
    return text.getvalue().encode()
