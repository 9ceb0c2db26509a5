"""Draw the figures of the whole trial (rule trial_figures): results in, SVG files out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sitewise.audit.job import recorded
from sitewise.report.figures import draw_trial


def main(
    *, description: str, account: str, plan: Mapping[str, Any], figures: Sequence[str]
) -> None:
    """Read description and account, draw every figure."""
    draw_trial(description=description, account=account, plan=plan, figures=figures)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            description=snakemake.input.description,
            account=snakemake.input.account,
            plan=snakemake.params.plan,
            figures=snakemake.output.figures,
        )
