"""Seal the results: one manifest of every file (rule seal)."""

from pathlib import Path

from sitewise.audit.hashing import params_digests
from sitewise.audit.job import recorded
from sitewise.audit.manifest import seal


def main(*, files, params, manifest):
    """Write `manifest` over all `files` of its folder."""
    results = Path(manifest).parent
    outputs = [Path(file).relative_to(results).as_posix() for file in files]
    seal(results, outputs, params_digests(params))


if __name__ == "__main__":
    with recorded(snakemake, receipts=False):
        main(
            files=snakemake.input.files,
            params=dict(snakemake.params.items()),
            manifest=snakemake.output.manifest,
        )
