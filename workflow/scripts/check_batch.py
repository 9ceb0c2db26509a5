"""Check the readings of one batch (rule check_batch)."""

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frame, write_csv, write_frame
from sitewise.trial.checks import check_batch


def main(*, plan, rows, checked, findings):
    """plan: part data; rows: readings as ingested."""
    result = check_batch(read_part(plan), read_frame(rows))
    write_frame(checked, result.rows)
    write_csv(findings, result.findings)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            rows=snakemake.input.rows,
            checked=snakemake.output.rows,
            findings=snakemake.output.findings,
        )
