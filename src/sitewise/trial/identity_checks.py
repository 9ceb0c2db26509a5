"""Names that look alike over the whole trial, and columns that hold too many of them."""

import math
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING

from sitewise.terms import SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Severity
from sitewise.trial.findings import Found, file_finding, quoted, records_frame, shown
from sitewise.trial.likeness import difference, plain
from sitewise.trial.numbers import parse_number
from sitewise.trial.rows import ARM

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

# More unknown codes than this in the column of the arm: it is probably another column.
MANY_CODES = 10
FIRST = 5


def check_alike_patients(plan: "Plan", patients: "pd.DataFrame") -> list[Found]:
    """Patients whose identifiers differ only by case, blanks, accents, or as written numbers.

    patients: `first_places` of all hospitals. They stay two patients; nobody but the hospital
    knows.
    """
    patients = patients.sort_values([SITEID, USUBJID], kind="stable").drop_duplicates(USUBJID)
    prefixed = plan.columns.patient_ids == "site"
    sites, names = patients[SITEID].tolist(), patients[USUBJID].tolist()
    if prefixed:
        names = [name.removeprefix(f"{site}-") for site, name in zip(sites, names, strict=True)]
    keys = _keys(names)
    told = _alike(list(zip(sites, keys, strict=True)) if prefixed else keys)
    if not told:
        return []
    places = sorted(told)
    part = patients.iloc[places]
    lines = part[[SRCFILE, SRCROW]].itertuples(index=False)
    where = {place: f"{file} line {n}" for place, (file, n) in zip(places, lines, strict=True)}
    return [
        Found(
            "identifiers look alike",
            Severity.WARNING,
            part,
            plan.columns.patient,
            [_told(names[place], [(names[o], where[o]) for o in told[place]]) for place in places],
            value=[names[place] for place in places],
            allowed="identifiers that differ by more than how they are written",
            action="kept as different patients",
            advice="if they are one patient, write the identifier the same way in every row",
            scope="patient row",
        )
    ]


def _alike(keys: "Sequence[Hashable]") -> dict[int, list[int]]:
    """Of each place whose key stands elsewhere too, the other places."""
    number = Counter(keys)  # a hundred thousand, of which few or none are alike
    several = [place for place, key in enumerate(keys) if number[key] > 1]
    groups: dict[Hashable, list[int]] = {}
    for place in several:
        groups.setdefault(keys[place], []).append(place)
    return {place: [o for o in groups[keys[place]] if o != place] for place in several}


def _keys(names: list[str]) -> list[str]:
    """Equal for look-alikes: as text without case, blanks and accents, or as a number."""
    together = "\n".join(names)
    plainly = together.isascii() and together.replace("\n", "").isprintable()
    if plainly and together.count("\n") == len(names) - 1:
        texts = together.casefold().replace(" ", "").split("\n")  # a hundred thousand at once
    else:
        texts = [plain(name) for name in names]
    numbers = [parse_number(text, ".") for text in texts]
    return [
        text if math.isnan(number) else repr(number)
        for text, number in zip(texts, numbers, strict=True)
    ]


def _told(name: str, others: list[tuple[str, str]]) -> str:
    other, place = others[0]
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    how = difference(name, other) or "how the same number is written"
    return (
        f"the patient {quoted(name)} looks like {quoted(other)} ({place}){more}: they differ only"
        f" in {how}"
    )


def unknown_codes(readings: "pd.DataFrame") -> set[str]:
    """What stands in the column of the arm and is no arm of the plan."""
    return set(readings.loc[readings[ARM].notna() & readings[TRT01P].isna(), ARM].unique())


def check_many_arms(plan: "Plan", codes: Collection[str]) -> "pd.DataFrame":
    """A column of the arm that holds far more codes than the plan has arms.

    codes: `unknown_codes` of all hospitals.
    """
    if len(codes) <= MANY_CODES:
        return records_frame([])
    first = ", ".join(shown(code) for code in sorted(codes)[:FIRST])
    known = [c for arm in plan.arms.order for c in (arm.codes or (arm.name,))]
    return records_frame(
        [
            file_finding(
                "", "", "too many arms",
                f"the column {plan.columns.arm!r} holds {len(codes)} codes that the plan does not"
                f" know: {first}, ...",
                column=plan.columns.arm, value=f"{len(codes)} codes", allowed=", ".join(known),
                action="their rows set aside",
                advice="see whether this is the column of the arm at all, and correct columns.arm"
                " in the plan",
            )
        ]
    )  # fmt: skip
