"""Check the whole trial and give every reading its fate (rule check_trial)."""

from pathlib import Path

from sitewise.audit.job import recorded
from sitewise.plan.parts import read_part
from sitewise.store.frames import read_frame, write_csv, write_frame
from sitewise.store.results import read_result, write_result
from sitewise.trial.account import FileRow
from sitewise.trial.findings import read_findings
from sitewise.trial.stopped import StoppedError
from sitewise.trial.trial_checks import check_trial


def main(*, plan, known, rows, files, found, readings, findings, account, stopped):
    """plan: part data; known: left_out, unlisted, kept of `check_trial`; rows, files, found: of
    every batch; stopped: findings that stop the run."""
    Path(stopped).unlink(missing_ok=True)
    read_files = [row for path in files for row in read_result(path, tuple[FileRow, ...])]
    said = [read_findings(path) for path in found]
    try:
        frames = [read_frame(path) for path in rows]
        result = check_trial(read_part(plan), frames, read_files, said, **known)
    except StoppedError as error:
        raise error.keep_findings(stopped) from None
    write_frame(readings, result[0])
    write_csv(findings, result[1])
    write_result(account, result[2])


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
