"""Moments of every model, and the wide rows, of one batch of hospitals (rule moments)."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.batch import batch_moments
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_sites, write_frame
from sitewise.store.results import write_result
from sitewise.trial.wide_rows import wide_rows


def main(*, rows: str, plan: dict[str, Any], sites: Sequence[str], moments: Sequence[str],
         tallies: Sequence[str], wide: Sequence[str]) -> None:  # fmt: skip
    """Read the batch's rows; endpoint by endpoint, model by model in the plan's order write."""
    part = read_part(plan)
    frame = read_sites(rows, sites)
    pairs = product(part.endpoints, part.models)
    files = {key: own for key, *own in zip(pairs, moments, tallies, strict=True)}
    for endpoint, target in zip(part.endpoints, wide, strict=True):
        for model, made in batch_moments(part, frame, endpoint).items():
            made.moments.save(files[endpoint, model][0])
            write_result(files[endpoint, model][1], made.tally)
        write_frame(target, wide_rows(frame, endpoint))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            plan=snakemake.params.plan,
            sites=snakemake.params.sites,
            moments=snakemake.output.moments,
            tallies=snakemake.output.tallies,
            wide=snakemake.output.wide,
        )
