"""Read the hospital files of one batch (rule ingest)."""

from pathlib import Path

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.plan.sheet import Site
from sitewise.store.frames import write_apart, write_csv, write_frame
from sitewise.store.results import write_result
from sitewise.trial.blinding import split_arms
from sitewise.trial.ingest import hold_against, ingest_batch


def main(*, plan, sites, data, rows, files, findings, raw=(), arms=""):
    """plan: part data; sites: fields of `Site`, one dict each; data: the folder of raw files;
    raw: what they were when the run began, `file:sha256` each; arms: where they go if blinded."""
    part = read_part(plan)
    read = ingest_batch(part, [Site(**site) for site in sites], Path(data))
    hold_against(read.files, raw)
    if part.blinded:
        split = split_arms(read.rows)
        write_apart(arms, split.arms)
    write_frame(rows, split.rows if part.blinded else read.rows)
    write_result(files, read.files)
    write_csv(findings, read.findings)


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            sites=snakemake.params.sites,
            data=snakemake.config["data"],
            rows=snakemake.output.rows,
            files=snakemake.output.files,
            findings=snakemake.output.findings,
            raw=snakemake.params.raw,
            arms=f"{snakemake.config['arms']}/{snakemake.wildcards.batch}.arms.parquet",
        )
