"""Fit the planned models of one endpoint by a second engine (rule replicate)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.classical.replicate import replicate_fits
from sitewise.plan.parts import read_part
from sitewise.store.results import read_plain, write_result
from sitewise.trial.endpoint_rows import read_endpoint_rows


def main(
    *,
    rows: str | Path,
    fits: Sequence[str | Path],
    plan: dict[str, Any],
    endpoint: str,
    replication: str | Path,
) -> None:
    """Read the analysis rows and the first engine's fits, write both engines' numbers."""
    facts = {fit["model"]: fit for fit in map(read_plain, fits)}
    part = read_part(plan)
    frame = read_endpoint_rows(rows, part, endpoint)
    write_result(replication, replicate_fits(part, frame, endpoint, facts))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            fits=snakemake.input.fits,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            replication=snakemake.output.replication,
        )
