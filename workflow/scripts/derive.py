"""Readings to analysis rows, batch by batch (rule derive)."""

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import FrameWriter, read_groups
from sitewise.trial.derive import derive_rows


def main(*, plan, readings, rows):
    """plan: part data; readings: with their fates."""
    part = read_part(plan)
    with FrameWriter(rows) as writer:
        for batch in read_groups(readings):
            writer.write(derive_rows(part, batch))


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            readings=snakemake.input.readings,
            rows=snakemake.output.rows,
        )
