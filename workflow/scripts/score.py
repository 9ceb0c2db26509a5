"""Score the rows of one endpoint with its fits: residuals, random effects (rule score)."""

from collections.abc import Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.planned_fit import PlannedFit
from sitewise.inference.scoring import score_batches
from sitewise.lmm.moments import Moments
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frames, write_frame
from sitewise.store.results import read_result, write_result
from sitewise.trial.selection import Selections
from sitewise.trial.wide_rows import long_rows


def main(*, wide: Sequence[str], moments: Sequence[str], fits: Sequence[str], plan: dict[str, Any],
         scores: Sequence[str], uses: Sequence[str], ranefs: Sequence[str]) -> None:  # fmt: skip
    """Read wide rows, and model by model moments and fit; write score, use of rows, effects.

    moments: all batches of the first model, then of the next; fits and outputs: one a model.
    """
    part, rows = read_part(plan), long_rows(read_frames(wide))
    planned = [read_result(path, PlannedFit) for path in fits]
    selections = Selections(part, rows, planned[0].endpoint)
    for i, (fit, *made) in enumerate(zip(planned, scores, uses, ranefs, strict=True)):
        own = [Moments.load(path) for path in moments[i * len(wide) : (i + 1) * len(wide)]]
        scored = score_batches(part, selections, fit, own)
        write_result(made[0], scored.score)
        write_frame(made[1], scored.use)
        write_frame(made[2], scored.ranef)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            **{name: snakemake.input[name] for name in ("wide", "moments", "fits")},
            plan=snakemake.params.plan,
            **{name: snakemake.output[name] for name in ("scores", "uses", "ranefs")},
        )
