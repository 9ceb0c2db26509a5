"""Predictions, observed effects, treatment by site, for one endpoint (rule sites)."""

from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.by_site import treatment_by_site
from sitewise.plan.parts import read_part
from sitewise.sites.effects import site_results
from sitewise.store.frames import read_frame
from sitewise.store.results import read_plain, write_result
from sitewise.trial.endpoint_rows import read_endpoint_rows


def main(
    *,
    rows: str | Path,
    primary: str | Path,
    ranef: str | Path,
    plan: dict[str, Any],
    endpoint: str,
    sites: str | Path,
    by_site: str | Path,
) -> None:
    """Read the analysis rows, the primary fit and its random effects, write the site results."""
    frame = read_endpoint_rows(rows, part := read_part(plan), endpoint)
    found = site_results(part, frame, endpoint, read_plain(primary), read_frame(ranef))
    write_result(sites, found)
    write_result(by_site, treatment_by_site(part, frame, endpoint))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            **{name: snakemake.input[name] for name in ("rows", "primary", "ranef")},
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            sites=snakemake.output.sites,
            by_site=snakemake.output.by_site,
        )
