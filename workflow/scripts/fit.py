"""Fit one model of the plan to one endpoint (rule fit)."""

from typing import Any

from sitewise.audit.job import recorded
from sitewise.inference.fitting import fit_planned
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frame, write_frame
from sitewise.store.results import write_result


def main(
    *,
    rows: str,
    plan: dict[str, Any],
    endpoint: str,
    model: str,
    fit: str,
    use: str,
    ranef: str,
) -> None:
    """Read the analysis rows, fit, write the fit, the use of each row and the random effects."""
    result = fit_planned(read_part(plan), read_frame(rows), endpoint, model)
    write_result(fit, result.planned)
    write_frame(use, result.use)
    write_frame(ranef, result.ranef)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            rows=snakemake.input.rows,
            plan=snakemake.params.plan,
            endpoint=snakemake.wildcards.endpoint,
            model=snakemake.wildcards.model,
            fit=snakemake.output.fit,
            use=snakemake.output.use,
            ranef=snakemake.output.ranef,
        )
