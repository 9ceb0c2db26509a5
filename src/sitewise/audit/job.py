"""The frame around every script: its log, its errors in plain words, its receipts.

A script ends with

    with recorded(snakemake):
        main(...)

The workflow's object is taken as it comes; this module does not know the workflow engine.
"""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TextIO

from sitewise.audit.hashing import file_sha256, params_digests
from sitewise.audit.receipts import DONE, STARTED, Receipt, receipt_path, write_receipt
from sitewise.errors import Problem, SitewiseError
from sitewise.store.trouble import storage_error


@contextlib.contextmanager
def recorded(job: Any, *, receipts: bool = True) -> Iterator[None]:
    """Run a script's main under its log; on success leave one receipt an output.

    job: what the workflow gives a script: rule, wildcards, input, output, params, log.
    receipts: False for the job that seals the others.
    A failure is told in the log and in logs/<trial>/errors/, and ends the process with code 1.
    """
    log = Path(job.log[0])
    results = Path(*PurePath(job.output[0]).parts[:2])
    outputs = [PurePath(path).relative_to(results).as_posix() for path in job.output]
    with log.open("w", encoding="utf-8") as handle, _also_to(handle):
        try:
            if receipts:
                for output in outputs:
                    write_receipt(results, _receipt(job, output, STARTED))
            yield
            if receipts:
                _write_receipts(job, results, outputs)
        except Exception as error:  # noqa: BLE001 - told in full, then the process ends
            _tell(job, error, log, handle)
            for output in outputs:
                receipt_path(results, output).unlink(missing_ok=True)
            raise SystemExit(1) from None


def name_of(rule: str, wildcards: Mapping[str, str]) -> str:
    """A job in words: `fit SYSBP/nested`."""
    return f"{rule} {'/'.join(wildcards.values())}".strip()


def _receipt(job: Any, output: str, state: str, **more: Any) -> Receipt:
    return Receipt(output=output, rule=job.rule, wildcards=_wildcards(job), state=state, **more)


def _wildcards(job: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in job.wildcards.items()}


def _write_receipts(job: Any, results: Path, outputs: list[str]) -> None:
    inputs = _input_digests(job, results)
    params = params_digests(dict(job.params.items()))
    for output in outputs:
        path = results / output
        done = _receipt(
            job,
            output,
            DONE,
            sha256=file_sha256(path),
            size=path.stat().st_size,
            inputs=inputs,
            params=params,
        )
        write_receipt(results, done)


def _input_digests(job: Any, results: Path) -> dict[str, str]:
    """Sha256 of each input; files from outside `results` are named without their place."""
    found: dict[str, str] = {}
    for name, value in job.input.items():
        paths = [value] if isinstance(value, str) else list(value)
        outside = [path for path in paths if not PurePath(path).is_relative_to(results)]
        base = os.path.commonpath([PurePath(path).parent for path in outside]) if outside else ""
        for path in paths:
            pure = PurePath(path)
            if pure.is_relative_to(results):
                key = pure.relative_to(results).as_posix()
            else:
                key = f"{name}:{pure.relative_to(base).as_posix()}"
            found[key] = file_sha256(path)
    return dict(sorted(found.items()))


def _tell(job: Any, error: Exception, log: Path, handle: TextIO) -> None:
    """Say what went wrong: legibly on the terminal and in the log, as data for the door."""
    name = name_of(job.rule, _wildcards(job))
    if isinstance(error, OSError):
        error = storage_error(error, job.output[0]) or error
    if isinstance(error, SitewiseError):
        title, problems, code = error.title, error.problems, error.exit_code
    else:
        traceback.print_exception(error, file=handle)
        fix = f"this is a fault of the program: please report it, with the log {log.as_posix()}"
        title = f"The job `{name}` broke down."
        problems = (Problem(f"{type(error).__name__}: {error}", where=name, fix=fix),)
        code = SitewiseError.exit_code
    sys.stderr.write(f"{SitewiseError(title, problems)}\n")
    record = {
        "job": name,
        "title": title,
        "problems": [vars(problem) for problem in problems],
        "exit_code": code,
        "log": log.as_posix(),
    }
    folder = Path(*log.parts[:2], "errors")
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{name.replace(' ', '-').replace('/', '-')}.json").write_text(text, encoding="utf-8")


class _Both:
    """A text stream that writes to two."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first, self._second = first, second

    def write(self, text: str) -> int:
        self._second.write(text)
        return self._first.write(text)

    def flush(self) -> None:
        self._first.flush()
        self._second.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)


@contextlib.contextmanager
def _also_to(handle: TextIO) -> Iterator[None]:
    """Send stdout and stderr to `handle` as well."""
    out: Any = _Both(sys.stdout, handle)
    err: Any = _Both(sys.stderr, handle)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
