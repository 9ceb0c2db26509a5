"""Readings to analysis rows (rule derive)."""

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frame, write_frame
from sitewise.trial.derive import derive_rows


def main(*, plan, readings, rows):
    """plan: part data; readings: with their fates."""
    write_frame(rows, derive_rows(read_part(plan), read_frame(readings)))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            readings=snakemake.input.readings,
            rows=snakemake.output.rows,
        )
