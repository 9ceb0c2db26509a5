"""Draw the figures (rule figures): results in, SVG files out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.figures import draw_figures


def main(*, results: Mapping[str, Any], plan: Mapping[str, Any], figures: Sequence[str]) -> None:
    """Read the results (by the names of `draw_figures`) and draw every figure."""
    draw_figures(**results, plan=plan, figures=figures)


if __name__ == "__main__":
    names = ("description", "iccs", "sites", "fits", "uses")
    with recorded(snakemake):
        main(
            results={name: snakemake.input[name] for name in names},
            plan=snakemake.params.plan,
            figures=snakemake.output.figures,
        )
