"""Fit the models of the plan to one endpoint (rule fit), from moments."""

from collections.abc import Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.fitting import fit_endpoint
from sitewise.inference.tally import Tally
from sitewise.lmm.moments import Moments
from sitewise.plan.parts import read_part
from sitewise.store.results import read_result, write_result


def main(*, moments: Sequence[str], tallies: Sequence[str], plan: dict[str, Any], endpoint: str,
         fits: Sequence[str]) -> None:  # fmt: skip
    """Model by model read moments and tallies of all batches, fit, write the fit.

    moments, tallies: all batches of the first model, then of the next; fits: one a model.
    """
    part = read_part(plan)
    models, batches = list(part.models), len(moments) // len(fits)

    def read(model: str) -> tuple[list[Tally], list[Moments]]:
        first = models.index(model) * batches
        own = slice(first, first + batches)
        counted = [read_result(path, Tally) for path in tallies[own]]
        return counted, [Moments.load(path) for path in moments[own]]

    for path, fitted in zip(fits, fit_endpoint(part, endpoint, read), strict=True):
        write_result(path, fitted)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            **{name: snakemake.input[name] for name in ("moments", "tallies")},
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            fits=snakemake.output.fits,
        )
