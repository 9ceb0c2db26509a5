"""ANOVA, ladder and reconciliation of one endpoint (rule crosscheck)."""

from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.classical.relatives import relatives
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.plan.parts import read_part
from sitewise.store.results import read_plain, write_result
from sitewise.trial.endpoint_rows import read_endpoint_rows


def main(
    *,
    rows: str | Path,
    primary: str | Path,
    plan: dict[str, Any],
    endpoint: str,
    outputs: tuple[str | Path, str | Path, str | Path],
) -> None:
    """Read the analysis rows and the primary fit; write cross-check, ladder, reconciliation."""
    part, fit = read_part(plan), read_plain(primary)
    frame = read_endpoint_rows(rows, part, endpoint)
    found = relatives(part, frame, endpoint, fit, ask_primary)
    for path, result in zip(outputs, found, strict=True):
        write_result(path, result)


if __name__ == "__main__":
    with recorded(snakemake):
        made = snakemake.output
        main(
            rows=snakemake.input.rows,
            primary=snakemake.input.primary,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            outputs=(made.crosscheck, made.ladder, made.reconciliation),
        )
