"""Write the PDF (rule report): results, figures and templates in, report.pdf out."""

from collections.abc import Mapping
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.build import write_report


def main(*, results: Mapping[str, Any], params: Mapping[str, Any], pdf: str) -> None:
    """Read the results (by the names of `sitewise.report.build`) and write the PDF."""
    write_report(**results, **params, pdf=pdf)


if __name__ == "__main__":
    shown = ("plan", "sheet", "digests", "packages", "limits", "marks")
    with recorded(snakemake):
        main(
            results=dict(snakemake.input.items()),
            params={name: snakemake.params[name] for name in shown},
            pdf=snakemake.output.pdf,
        )
