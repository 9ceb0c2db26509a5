"""The frame around every script: its log, its errors in plain words, its receipts.

A script ends with

    with recorded(snakemake):
        main(...)

The workflow's object is taken as it comes; this module does not know the workflow engine.
"""

import contextlib
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, TextIO

from sitewise.audit.fence import VARIABLE, require_open
from sitewise.audit.hashing import file_sha256, params_digests
from sitewise.audit.parent import end_with_parent
from sitewise.audit.receipts import (
    DONE,
    DRAFTS,
    STARTED,
    Receipt,
    read_receipt,
    receipt_path,
    write_receipt,
)
from sitewise.audit.sealed import BrokenSealError
from sitewise.errors import (
    DataError,
    IntegrityError,
    ModelError,
    PlanError,
    Problem,
    SitewiseError,
)
from sitewise.store.trouble import storage_error

_AGAIN = Problem(
    "nothing was made of it", fix="run again: it is named there, and made again or set aside"
)


@contextlib.contextmanager
def recorded(job: Any, *, receipts: bool = True) -> Iterator[None]:
    """Run a script's main under its log; on success leave one receipt an output.

    job: what the workflow gives a script: rule, wildcards, input, output, params, log. While the
    script works, job.output names files in a folder of its own; they take their places, whole,
    when it has succeeded and its inputs are still what they were when it began.
    receipts: False for the job that seals the others.
    A failure is told in the log and in logs/<trial>/errors/, and ends the process with code 1.
    """
    end_with_parent()
    log = Path(job.log[0])
    results = Path(*PurePath(job.output[0]).parts[:2])
    told = _error_file(job, log)
    if _told_for_good(told):
        sys.stderr.write(f"An earlier attempt told what is wrong, see {log}; not computed again.\n")
        raise SystemExit(1)
    outputs = [PurePath(path).relative_to(results).as_posix() for path in job.output]
    with log.open("w", encoding="utf-8") as handle, _also_to(handle):
        try:
            with _checked(job, results, outputs) if receipts else contextlib.nullcontext():
                yield
        except Exception as error:  # noqa: BLE001 - told in full, then the process ends
            _tell(job, error, log, handle)
            for output in outputs:
                receipt_path(results, output).unlink(missing_ok=True)
            raise SystemExit(1) from None
    told.unlink(missing_ok=True)  # an earlier attempt's


def _error_file(job: Any, log: Path) -> Path:
    """Where a job says for the door what went wrong; the door clears the folder at its start."""
    name = name_of(job.rule, _wildcards(job)).replace(" ", "-").replace("/", "-")
    return Path(*log.parts[:2], "errors", f"{name}.json")


def _told_for_good(file: Path) -> bool:
    """Whether an attempt found the plan, the data or a model wrong: another finds the same.

    A run without the door does not clear what is told, so there every attempt counts as the first.
    """
    if VARIABLE not in os.environ or not file.is_file():
        return False
    try:
        code = json.loads(file.read_text(encoding="utf-8"))["exit_code"]
    except (ValueError, KeyError, TypeError):
        return False
    return code in (PlanError.exit_code, DataError.exit_code, ModelError.exit_code)


@contextlib.contextmanager
def _checked(job: Any, results: Path, outputs: list[str]) -> Iterator[None]:
    """Inputs checked before and after, outputs in their places and receipted at the end."""
    inputs = _checked_inputs(job, results)
    with _in_draft(job, results, outputs):
        for output in outputs:
            write_receipt(results, _receipt(job, output, STARTED))
        yield
        _require_same(inputs, _input_digests(job, results))
        require_open(Path("records", results.name))
    _write_receipts(job, results, outputs, inputs)


@contextlib.contextmanager
def _in_draft(job: Any, results: Path, outputs: list[str]) -> Iterator[None]:
    """Let the job write into a folder of its own; move what it wrote when it has succeeded."""
    draft = (
        results / DRAFTS / name_of(job.rule, _wildcards(job)).replace(" ", "-").replace("/", "-")
    )
    shutil.rmtree(draft, ignore_errors=True)
    final = job.output
    for output in outputs:
        (draft / output).parent.mkdir(parents=True, exist_ok=True)
    job.output = _renamed(final, lambda path: str(draft / PurePath(path).relative_to(results)))
    try:
        yield
        for output in outputs:
            (draft / output).replace(results / output)
    finally:
        job.output = final
        # The folder above stays: another job may be about to use it.
        shutil.rmtree(draft, ignore_errors=True)


def _renamed(output: Any, name: Callable[[str], str]) -> Any:
    """The workflow's outputs under other names: a list whose entries may have names, too."""
    if type(output) is list:
        return [name(path) for path in output]
    return type(output)(toclone=output, custom_map=name)


def _checked_inputs(job: Any, results: Path) -> dict[str, str]:
    """Digests of the inputs; raises IntegrityError where one is not what its job wrote."""
    inputs = _input_digests(job, results)
    problems = []
    for name, sha256 in inputs.items():
        if ":" in name:
            continue
        try:
            receipt = read_receipt(receipt_path(results, name))
        except (OSError, BrokenSealError, TypeError) as error:
            problems.append(Problem(f"it has no usable receipt: {error}", where=name))
            continue
        if receipt.state != DONE or receipt.sha256 != sha256:
            problems.append(Problem("it is not what its job wrote", where=name))
    if problems:
        raise IntegrityError("What this job reads was altered.", [*problems, _AGAIN])
    return inputs


def _require_same(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    changed = [Problem("it changed", where=name) for name in before if after[name] != before[name]]
    if changed:
        raise IntegrityError("What this job read changed while it worked.", [*changed, _AGAIN])


def name_of(rule: str, wildcards: Mapping[str, str]) -> str:
    """A job in words: `fit SYSBP/nested`."""
    return f"{rule} {'/'.join(wildcards.values())}".strip()


def _receipt(job: Any, output: str, state: str, **more: Any) -> Receipt:
    return Receipt(output=output, rule=job.rule, wildcards=_wildcards(job), state=state, **more)


def _wildcards(job: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in job.wildcards.items()}


def _write_receipts(job: Any, results: Path, outputs: list[str], inputs: Mapping[str, str]) -> None:
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
    file = _error_file(job, log)
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    file.write_text(text, encoding="utf-8")


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
