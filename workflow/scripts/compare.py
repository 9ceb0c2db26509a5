"""Compare the models of one endpoint along the plan's order (rule compare)."""

from collections.abc import Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.compare import compare_models
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.parts import read_part
from sitewise.store.results import read_result, write_result


def main(*, fits: Sequence[str], plan: dict[str, Any], comparisons: str) -> None:
    """Read the fits of one endpoint, compare, write."""
    read = [read_result(path, PlannedFit) for path in fits]
    by_name = {fit.model: fit for fit in read}
    write_result(comparisons, compare_models(read_part(plan).comparisons, by_name))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            fits=snakemake.input.fits,
            plan=snakemake.params.plan,
            comparisons=snakemake.output.comparisons,
        )
