"""Write the report (rule report): results, figures and templates in, pages and tables out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.build import write_report


def main(
    *,
    results: Mapping[str, Any],
    params: Mapping[str, Any],
    html: str,
    pdf: str,
    tables: Sequence[str],
) -> None:
    """Read the results (by the names of `write_report`) and write the report."""
    write_report(**results, **params, html=html, pdf=pdf, tables=tables)


if __name__ == "__main__":
    names = ("description", "account", "findings", "iccs", "comparisons", "replications",
             "crosschecks", "ladders", "reconciliations", "sites", "by_sites", "fits", "scores",
             "figures", "templates", "deviations")  # fmt: skip
    with recorded(snakemake):
        main(
            results={name: snakemake.input[name] for name in names},
            params={
                name: snakemake.params[name]
                for name in ("plan", "sheet", "digests", "packages", "limits")
            },
            html=snakemake.output.html,
            pdf=snakemake.output.pdf,
            tables=snakemake.output.tables,
        )
