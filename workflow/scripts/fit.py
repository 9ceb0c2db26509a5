"""Fit one model of the plan to one endpoint, from moments (rule fit)."""

from collections.abc import Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.fitting import fit_batches
from sitewise.inference.tally import Tally
from sitewise.lmm.moments import Moments
from sitewise.plan.parts import read_part
from sitewise.store.results import read_result, write_result


def main(
    *,
    moments: Sequence[str],
    tallies: Sequence[str],
    plan: dict[str, Any],
    endpoint: str,
    model: str,
    fit: str,
) -> None:
    """Read moments and tallies of all batches, fit, write the fit."""
    counted = [read_result(path, Tally) for path in tallies]
    parts = [Moments.load(path) for path in moments]
    write_result(fit, fit_batches(read_part(plan), endpoint, model, counted, parts))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            moments=snakemake.input.moments,
            tallies=snakemake.input.tallies,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            model=snakemake.wildcards.model,
            fit=snakemake.output.fit,
        )
