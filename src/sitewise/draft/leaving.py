"""The column of reasons for leaving the trial early, where the files have one."""

import re
from dataclasses import dataclass

from sitewise.draft.reading import Folder
from sitewise.draft.roles import LEAVING, Roles

MOST_REASONS = 20  # more are free text, and no codes
_MISSING = ("", "NA", ".")
# Cells which say that a patient did not leave.
_STAYED = re.compile(
    r"complet|abgeschlossen|beendet|termin[eé]|still (in|on)|ongoing|not applicable|\bn/a\b", re.I
)


@dataclass(frozen=True)
class LeavingGuess:
    """A column, why it was taken, its reasons as they stand, and cells that are none."""

    column: str
    why: str
    codes: tuple[str, ...]
    stayed: tuple[str, ...]


def guess_leaving(folder: Folder, roles: Roles) -> LeavingGuess | None:
    """Look at the cells of the column; None where there is no such column."""
    if LEAVING not in roles.columns:
        return None
    column = roles.columns[LEAVING]
    cells = sorted(set(folder.rows[column].unique().tolist()) - set(_MISSING))
    stayed = tuple(cell for cell in cells if _STAYED.search(cell))
    codes = tuple(cell for cell in cells if cell not in stayed)
    few = len(cells) <= MOST_REASONS
    return LeavingGuess(column, roles.why[LEAVING], codes if few else (), stayed if few else ())
