"""Intraclass correlations of one endpoint (rule icc)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.icc import compute_iccs
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.parts import read_part
from sitewise.store.results import read_result, write_result
from sitewise.trial.endpoint_rows import read_endpoint_rows


def main(
    *,
    rows: str | Path,
    fits: Sequence[str | Path],
    plan: dict[str, Any],
    endpoint: str,
    icc: str | Path,
) -> None:
    """Read the analysis rows and the planned fits, write the ICCs."""
    planned = [read_result(path, PlannedFit) for path in fits]
    by_model = {fit.model: fit for fit in planned}
    part = read_part(plan)
    frame = read_endpoint_rows(rows, part, endpoint)
    write_result(icc, compute_iccs(part, frame, endpoint, by_model))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            fits=snakemake.input.fits,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            icc=snakemake.output.icc,
        )
