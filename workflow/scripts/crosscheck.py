"""Repeated-measures ANOVA of one endpoint beside mixed models (rule crosscheck)."""

from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.classical.crosscheck import cross_check
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frame
from sitewise.store.results import read_plain, write_result


def main(
    *,
    rows: str | Path,
    primary: str | Path,
    plan: dict[str, Any],
    endpoint: str,
    crosscheck: str | Path,
) -> None:
    """Read the analysis rows and the primary fit, write the cross-check."""
    found = cross_check(read_part(plan), read_frame(rows), endpoint, read_plain(primary))
    write_result(crosscheck, found)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            primary=snakemake.input.primary,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            crosscheck=snakemake.output.crosscheck,
        )
