"""Describe patients, outcomes and missing visits (rule describe)."""

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_columns
from sitewise.store.results import write_result
from sitewise.trial.describe import columns_of, describe


def main(*, plan, rows, description):
    """plan: part data; rows: the analysis rows."""
    part = read_part(plan)
    write_result(description, describe(part, read_columns(rows, columns_of(part))))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            rows=snakemake.input.rows,
            description=snakemake.output.description,
        )
