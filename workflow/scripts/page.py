"""Write the page for the screen (rule page): results, figures, templates in, page, tables out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.build import write_page


def main(
    *, results: Mapping[str, Any], params: Mapping[str, Any], html: str, tables: Sequence[str]
) -> None:
    """Read the results (by the names of `sitewise.report.build`); write the page and the tables."""
    write_page(**results, **params, html=html, tables=tables)


if __name__ == "__main__":
    shown = ("plan", "sheet", "digests", "packages", "limits", "marks")
    with recorded(snakemake):
        main(
            results=dict(snakemake.input.items()),
            params={name: snakemake.params[name] for name in shown},
            html=snakemake.output.html,
            tables=snakemake.output.tables,
        )
