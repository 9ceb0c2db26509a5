"""Compare the models of one endpoint along the plan's order (rule compare)."""

from collections.abc import Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.compare import compare_batches
from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.moments import Moments
from sitewise.plan.parts import read_part
from sitewise.store.results import read_result, write_result


def main(*, fits: Sequence[str], moments: Sequence[str], plan: dict[str, Any],
         comparisons: str) -> None:  # fmt: skip
    """Read the fits of one endpoint and their moments, compare, write.

    moments: all batches of the first model, then of the next.
    """
    planned = [read_result(path, PlannedFit) for path in fits]
    batches = len(moments) // len(fits)
    parts = {
        one.model: [Moments.load(path) for path in moments[i * batches : (i + 1) * batches]]
        for i, one in enumerate(planned)
    }
    by_name = {one.model: one for one in planned}
    write_result(comparisons, compare_batches(read_part(plan), by_name, parts))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            fits=snakemake.input.fits,
            moments=snakemake.input.moments,
            plan=snakemake.params.plan,
            comparisons=snakemake.output.comparisons,
        )
