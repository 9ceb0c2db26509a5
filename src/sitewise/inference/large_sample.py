"""Large-sample limits of the models of a demo trial.

    python -m sitewise.inference.large_sample config/demo.yaml

writes the file that the plan's key `limits` names. The models are fitted to large trials drawn
from the demo's constants: its hospitals many times over, with their sizes, enrolment limits,
dropout and whole mmHg, without the warts. The limit is the mean over the trials.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.inference.limits import quantities
from sitewise.plan.leaving import Leaving
from sitewise.plan.limits import Limit, Limits
from sitewise.terms import (
    ADY,
    AVAL,
    AVISIT,
    AVISITN,
    SITEID,
    SRCFILE,
    SRCROW,
    STUDYID,
    TRT01P,
    USUBJID,
    Fate,
)  # fmt: skip

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan
    from sitewise.simulate.draw import Drawn

SEED = 20260701
TRIALS = 6
COPIES = 20


def large_limits(
    plan: "Plan",
    *,
    trials: int = TRIALS,
    copies: int = COPIES,
    seed: int = SEED,
    models: Mapping[str, Sequence[str]] | None = None,
) -> Limits:
    """Limits of the plan's models under the demo generator of the plan's design.

    trials: at least 2, each of `copies` times the demo's hospitals, with the seeds seed, seed + 1,
    ... models: by endpoint; all of the plan if not given.
    """
    from sitewise.simulate.generator import GENERATORS
    from sitewise.simulate.hospitals import SIZES

    asked = models or {endpoint: list(plan.models) for endpoint in plan.endpoints}
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for trial in range(trials):
        for key, value in _one_trial(plan, asked, copies, seed + trial):
            found.setdefault(key, []).append(value)
    return Limits(
        design=plan.design,
        generator=GENERATORS[plan.design].digest(),
        seed=seed,
        trials=trials,
        hospitals=copies * len(SIZES),
        patients=copies * sum(SIZES),
        limits=tuple(Limit(*key, *_mean(values)) for key, values in found.items()),
    )


def _one_trial(
    plan: "Plan", asked: Mapping[str, Sequence[str]], copies: int, seed: int
) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    from sitewise.inference.fitting import fit_planned
    from sitewise.simulate.draw import draw_trial
    from sitewise.simulate.generator import GENERATORS
    from sitewise.simulate.hospitals import SIZES

    generator = GENERATORS[plan.design]
    rows = analysis_rows(plan, draw_trial(generator, SIZES * copies, seed), generator.arms)
    for endpoint, models in asked.items():
        for model in models:
            planned = fit_planned(plan, rows, endpoint, model).planned
            for quantity, (value, _) in quantities(planned).items():
                yield (endpoint, model, plan.models[model].formula, quantity), value


def analysis_rows(plan: "Plan", drawn: "Drawn", arms: tuple[str, str]) -> "pd.DataFrame":
    """Analysis rows of a drawn trial, derived as those of hospital files are."""
    import numpy as np
    import pandas as pd

    from sitewise.trial.derive import derive_rows

    patients, visits = drawn.sbp.shape
    rows = np.arange(patients * visits)
    patient, visit = np.divmod(rows, visits)
    shared = {
        STUDYID: plan.trial,
        SITEID: drawn.site[patient].astype(str),
        USUBJID: patient.astype(str),
        TRT01P: np.array(arms)[drawn.arm[patient]],
        AVISIT: np.array([planned.name for planned in plan.visits])[visit],
        AVISITN: visit.astype(float),
        ADY: drawn.day.ravel().astype(float),
        SRCFILE: "drawn",
        SRCROW: rows,
        "AGE": drawn.age[patient].astype(float),
        "SEX": np.where(drawn.female[patient], "Female", "Male"),
        "FATE": Fate.ANALYSED.value,
    }
    both = [
        pd.DataFrame({**shared, "PARAMCD": name, AVAL: values.ravel()})
        for name, values in (("SYSBP", drawn.sbp), ("DIABP", drawn.dbp))
    ]
    readings = pd.concat([frame[frame[AVAL].notna()] for frame in both], ignore_index=True)
    # Nobody is asked why they leave: it is told, and no model sees it.
    return derive_rows(plan.model_copy(update={"leaving": Leaving()}), readings)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1) / len(values))


def main() -> None:
    """Command line: compute the limits of a plan and write its file."""
    from sitewise.plan.load import load_plan
    from sitewise.store.results import write_result

    parser = argparse.ArgumentParser(description="Large-sample limits of a demo trial's models.")
    parser.add_argument("plan", type=Path)
    path = parser.parse_args().plan
    plan = load_plan(path)
    if plan.limits is None:
        parser.error(f"{path} names no file under `limits`")
    write_result(path.parent / plan.limits, large_limits(plan))


if __name__ == "__main__":
    main()
