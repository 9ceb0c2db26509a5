"""Draw the figures of one endpoint (rule figures): results in, SVG files out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.figures import draw_endpoint


def main(
    *, endpoint: str, results: Mapping[str, Any], plan: Mapping[str, Any], figures: Sequence[str]
) -> None:
    """Read the results (by the names of `draw_endpoint`) and draw every figure."""
    draw_endpoint(endpoint=endpoint, **results, plan=plan, figures=figures)


if __name__ == "__main__":
    names = ("description", "rows", "iccs", "sites", "comparisons", "fits", "use")
    with recorded(snakemake):
        main(
            endpoint=snakemake.wildcards.endpoint,
            results={name: snakemake.input[name] for name in names},
            plan=snakemake.params.plan,
            figures=snakemake.output.figures,
        )
