"""Baseline characteristics by arm: no p-values, as CONSORT asks."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import AVAL, AVISIT, TRT01P
from sitewise.trial.description import BaselineRow
from sitewise.trial.rows import PARAMCD
from sitewise.trial.statistics import sample

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from sitewise.plan.model import Plan


def baseline_rows(
    plan: "Plan", adbp: "pd.DataFrame", patients: "pd.DataFrame", who: "np.ndarray"
) -> Iterator[BaselineRow]:
    """Covariates, then the baseline reading of each endpoint, by arm and overall.

    patients: one row a patient with any analysed reading; all of them are counted, those without
    the value as missing. who: shape (rows of adbp,), the place of each row's patient among them.
    """
    import numpy as np
    import pandas as pd

    for name, covariate in plan.covariates.items():
        if covariate.type == "number":
            told = (name, covariate.label, covariate.unit)
            yield from _number(plan, patients, patients[name], told)
        else:
            levels = [*dict.fromkeys(covariate.codes.values())]
            levels = levels or sorted(patients[name].dropna().unique())
            yield from _category(plan, patients, name, covariate.label, levels)
    at = adbp[AVISIT] == plan.baseline_visit.name
    for name, endpoint in plan.endpoints.items():
        here = (at & (adbp[PARAMCD] == name)).to_numpy()
        values = np.full(len(patients), math.nan)
        values[who[here]] = adbp[AVAL].to_numpy()[here]
        own = pd.Series(values, index=patients.index)
        label = f"{endpoint.label} at {plan.baseline_visit.name}"
        yield from _number(plan, patients, own, (name, label, endpoint.unit))


def _arms(plan: "Plan", patients: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series[bool]]]":
    for arm in plan.arms.order:
        yield arm.name, patients[TRT01P] == arm.name
    yield "", patients[TRT01P].notna()


def _number(
    plan: "Plan",
    patients: "pd.DataFrame",
    values: "pd.Series[float]",
    told: tuple[str, str, str],
) -> Iterator[BaselineRow]:
    name, label, unit = told
    for arm, mask in _arms(plan, patients):
        s = sample(values[mask], plan.alpha)
        yield BaselineRow(
            variable=name,
            label=label,
            unit=unit,
            level="",
            arm=arm,
            n=s.n,
            missing=int(mask.sum()) - s.n,
            mean=s.mean,
            sd=s.sd,
            median=s.median,
            q1=s.q1,
            q3=s.q3,
            count=s.n,
        )


def _category(
    plan: "Plan", patients: "pd.DataFrame", name: str, label: str, levels: list[str]
) -> Iterator[BaselineRow]:
    for level in levels:
        for arm, mask in _arms(plan, patients):
            values = patients.loc[mask, name]
            n = int(values.notna().sum())
            yield BaselineRow(
                variable=name,
                label=label,
                unit="",
                level=level,
                arm=arm,
                n=n,
                missing=len(values) - n,
                mean=math.nan,
                sd=math.nan,
                median=math.nan,
                q1=math.nan,
                q3=math.nan,
                count=int((values == level).sum()),
            )
