"""Predictions, observed effects, treatment by site, for one endpoint (rule sites)."""

from pathlib import Path
from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.by_site import treatment_by_site
from sitewise.plan.as_fitted import as_fitted
from sitewise.plan.parts import read_part
from sitewise.sites.effects import site_results
from sitewise.store.frames import read_frame
from sitewise.store.results import read_plain, write_result
from sitewise.trial.endpoint_rows import read_endpoint_rows


def main(*, rows: str | Path, primary: str | Path, ranef: str | Path, plan: dict[str, Any],
         endpoint: str, sites: str | Path, by_site: str | Path) -> None:  # fmt: skip
    """Read the analysis rows, the primary fit and its random effects, write the site results."""
    part = as_fitted(read_part(plan), fit := read_plain(primary))
    frame = read_endpoint_rows(rows, part, endpoint)
    write_result(sites, site_results(part, frame, endpoint, fit, read_frame(ranef)))
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
