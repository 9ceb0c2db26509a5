"""Check the whole trial and give every reading its fate (rule check_trial)."""

from functools import partial
from pathlib import Path

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import FrameWriter, read_frame, write_csv
from sitewise.store.results import read_result, write_result
from sitewise.trial.account import FileRow
from sitewise.trial.findings import read_findings
from sitewise.trial.stopped import StoppedError
from sitewise.trial.trial_checks import judge_trial


def main(*, plan, known, rows, files, found, readings, findings, account, stopped):
    """known: left_out, unlisted, kept of `judge_trial`; rows, files, found: of every batch."""
    Path(stopped).unlink(missing_ok=True)
    read_files = [row for path in files for row in read_result(path, tuple[FileRow, ...])]
    said = [read_findings(path) for path in found]
    batches, part = [partial(read_frame, path) for path in rows], read_part(plan)
    try:
        with FrameWriter(readings) as kept:
            result = judge_trial(part, batches, read_files, said, keep=kept.write, **known)
    except StoppedError as error:
        raise error.keep_findings(stopped) from None
    write_csv(findings, result[0])
    write_result(account, result[1])


if __name__ == "__main__":
    with recorded(snakemake):
        main(
            plan=snakemake.params.plan,
            known={name: snakemake.params[name] for name in ("left_out", "unlisted", "kept")},
            **{name: snakemake.input[name] for name in ("rows", "files")},
            found=snakemake.input.findings,
            **{name: snakemake.output[name] for name in ("readings", "findings", "account")},
            stopped=Path(snakemake.log[0]).with_suffix(".findings.csv"),
        )
