"""Readings to analysis rows in the ADaM basic data structure (rule derive)."""

from typing import TYPE_CHECKING, Any

from sitewise.terms import (
    ABLFL,
    ADY,
    ANL01FL,
    AVAL,
    AVISIT,
    AVISITN,
    BASE,
    CHG,
    DTYPE,
    SITEID,
    SRCFILE,
    SRCROW,
    STUDYID,
    TRT01P,
    USUBJID,
    WEEK,
    Fate,
)
from sitewise.trial.rows import FATE, PARAMCD, leaving_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.plan.model import Plan

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NREAD = "NREAD"


def derive_rows(plan: "Plan", readings: "pd.DataFrame") -> "pd.DataFrame":
    """Analysis rows (`adbp`): one row a patient, endpoint and planned visit.

    readings: of `check_trial`, of whole hospitals; those analysed or averaged are taken. Columns as
    in docs/architecture.md; AVISITN int64 in planned order from 0, WEEK in weeks from baseline.
    CHG is null at baseline. Sorted by site, patient, endpoint of the plan, visit.
    """
    taken = readings[readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])]
    adbp, profile = derive_records(plan, taken)
    adbp = derive_base(plan, derive_week(plan, adbp), profile)
    adbp[ANL01FL] = "Y"  # one record a patient, endpoint and visit is all that there is
    sets = derive_set_flags(plan, adbp, profile)
    columns = [
        STUDYID, SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, AVISITN, WEEK, ADY, AVAL, BASE, CHG,
        ABLFL, ANL01FL, DTYPE, NREAD, *sets, *plan.covariates, *leaving_columns(plan), SRCFILE,
        SRCROW,
    ]  # fmt: skip
    return adbp.assign(**sets).loc[:, columns]


def derive_records(plan: "Plan", taken: "pd.DataFrame") -> "tuple[pd.DataFrame, Ints]":
    """One record a patient, endpoint and visit: the reading itself, or the mean of several.

    The mean takes place (SRCFILE, SRCROW) of its first reading, and its earliest study day. Sorted;
    beside it the number of each record's profile, that is of one patient's rows of one endpoint.
    """
    import numpy as np

    place = {name: i for i, name in enumerate(plan.endpoints)}
    endpoint = _codes(taken[PARAMCD], place)
    keys = [_codes(taken[SITEID]), _codes(taken[USUBJID]), endpoint, taken[AVISITN].to_numpy()]
    order = np.lexsort((taken[SRCROW], _codes(taken[SRCFILE]), *reversed(keys)))
    taken, keys = taken.take(order), [key[order] for key in keys]
    first, of_profile = _new(keys), _new(keys[:-1])
    records = taken[first].reset_index(drop=True)
    starts = np.flatnonzero(first)
    records[NREAD] = np.diff(np.append(starts, len(taken)))
    records[AVAL] = _means(taken[AVAL].to_numpy(), np.cumsum(first) - 1, records[NREAD].to_numpy())
    records[ADY] = np.fmin.reduceat(taken[ADY].to_numpy(), starts) if len(taken) else records[ADY]
    records[DTYPE] = _text(records[FATE] == Fate.AVERAGED.value, "AVERAGE", "")
    profile = np.cumsum(of_profile[first]) - 1
    return records.astype({AVISITN: "int64", NREAD: "int64"}), profile


def _codes(values: "pd.Series", order: "Mapping[str, int] | None" = None) -> "Ints":
    """The place of each text: among those that occur, sorted, or as `order` has it."""
    import numpy as np
    import pandas as pd

    codes, texts = pd.factorize(values, sort=True)
    if order is None:
        return codes
    return np.array([order[str(text)] for text in texts], dtype=np.int64)[codes]


def _new(keys: "Sequence[NDArray[Any]]") -> "NDArray[np.bool_]":
    """Of sorted rows, which differ from the row before."""
    import numpy as np

    found = np.zeros(len(keys[0]), dtype=bool)
    found[:1] = True
    for key in keys:
        found[1:] |= key[1:] != key[:-1]
    return found


def _means(values: "Floats", record: "Ints", size: "Ints") -> "Floats":
    """The mean of each record's readings; of one reading itself.

    It sums sorted values, so that it does not depend on the order of the file.
    """
    import numpy as np
    import pandas as pd

    found = np.empty(len(size))
    single = size[record] == 1
    found[record[single]] = values[single]
    values, record = values[~single], record[~single]
    order = np.lexsort((values, record))
    means = pd.Series(values[order]).groupby(record[order]).mean()
    found[means.index] = means
    return found


def _text(member: "pd.Series[bool] | NDArray[np.bool_]", yes: str, no: str) -> "pd.Series[str]":
    """One of two words a row."""
    import numpy as np
    import pandas as pd

    return pd.Series(np.where(member, yes, no), dtype="str")


def derive_week(plan: "Plan", adbp: "pd.DataFrame") -> "pd.DataFrame":
    """WEEK: the visit's planned week, or (ADY - 1)/7 from day 1 on and ADY/7 before it."""
    import numpy as np

    if plan.time == "nominal":
        weeks = np.array([visit.week for visit in plan.visits], dtype=np.float64)
        return adbp.assign(**{WEEK: weeks[adbp[AVISITN]]})
    day = adbp[ADY]  # there is no day 0
    return adbp.assign(**{WEEK: day.where(day < 0, day - 1) / 7})


def derive_base(plan: "Plan", adbp: "pd.DataFrame", profile: "Ints") -> "pd.DataFrame":
    """BASE, CHG and ABLFL from the record at the plan's baseline visit.

    profile: of each row, 0..profiles-1, as `derive_records` numbers them. Changes `adbp`.
    """
    import numpy as np

    at = (adbp[AVISITN] == _baseline_number(plan)).to_numpy()
    value = adbp[AVAL].to_numpy()
    base = np.full(profile.max(initial=-1) + 1, np.nan)
    base[profile[at]] = value[at]
    base = base[profile]
    adbp[BASE], adbp[CHG] = base, np.where(at, np.nan, value - base)
    adbp[ABLFL] = _text(at, "Y", "")
    return adbp


def derive_set_flags(
    plan: "Plan", adbp: "pd.DataFrame", profile: "Ints"
) -> "dict[str, pd.Series[str]]":
    """`<set>FL`, Y or N, by patient and endpoint. profile: as in `derive_base`."""
    import numpy as np

    def those_with(rows: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
        return np.isin(profile, profile[rows])

    number = adbp[AVISITN].to_numpy()
    outcome = adbp[AVAL].notna().to_numpy()
    met = {
        "any outcome": outcome,
        "baseline": those_with(number == _baseline_number(plan)),
        "post-baseline": those_with(number > _baseline_number(plan)),
        "all visits": np.bincount(profile)[profile] == len(plan.visits),
    }
    return {
        f"{name}FL": _text(np.all([outcome, *(met[r] for r in spec.requires)], axis=0), "Y", "N")
        for name, spec in plan.analysis_sets.items()
    }


def _baseline_number(plan: "Plan") -> int:
    return [visit.baseline for visit in plan.visits].index(True)
