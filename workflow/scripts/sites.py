"""Predictions and observed effects of every site for one endpoint (rule sites)."""

from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.sites.effects import site_results
from sitewise.store.frames import read_frame
from sitewise.store.results import read_plain, write_result


def main(
    *,
    rows: str | Path,
    primary: str | Path,
    ranef: str | Path,
    plan: dict[str, Any],
    endpoint: str,
    sites: str | Path,
) -> None:
    """Read the analysis rows, the primary fit and its random effects, write the site results."""
    fit, effects = read_plain(primary), read_frame(ranef)
    write_result(sites, site_results(read_part(plan), read_frame(rows), endpoint, fit, effects))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            primary=snakemake.input.primary,
            ranef=snakemake.input.ranef,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            sites=snakemake.output.sites,
        )
