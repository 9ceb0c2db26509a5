"""What the results of an earlier run are worth now: held against receipts and expectations.

*Altered* files are not what their job wrote. *Stale* ones are, but something that they depend on
has changed. The difference matters: stale files are made again without a word, altered ones stop
the run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from sitewise.audit.hashing import file_sha256
from sitewise.audit.manifest import MANIFEST, files_in, manifest_of
from sitewise.audit.receipts import DRAFTS, FOLDER, STARTED, Receipt, read_receipt, receipt_path
from sitewise.audit.sealed import BrokenSealError, read_sealed


class Verdict(StrEnum):
    """What an output is worth; all but `CURRENT` and `LEFT_OVER` are computed (again)."""

    CURRENT = "current"
    NEW = "not computed yet"
    DELETED = "deleted"
    UNFINISHED = "unfinished"
    STALE = "stale"
    FOLLOWS = "follows"
    ALTERED = "altered"
    LEFT_OVER = "left over"


class Cause(StrEnum):
    """Why an output is stale."""

    PARAM = "param"
    INPUT = "input"
    MAKER = "maker"


@dataclass(frozen=True)
class Change:
    """One thing that an output depends on, before and now ("" where there is none)."""

    cause: Cause
    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Expected:
    """What should have made an output: rule, wildcards, digests of its params by name."""

    rule: str
    wildcards: Mapping[str, str]
    params: Mapping[str, str]


@dataclass(frozen=True)
class State:
    """One file and its verdict. detail: what is odd about it, or what it follows from."""

    file: str
    verdict: Verdict
    rule: str = ""
    wildcards: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    detail: str = ""


def examine(results: Path, expected: Mapping[str, Expected]) -> list[State]:
    """Verdicts on every file of `results` and on every expected output.

    expected: by path inside `results`, makers before readers, the manifest last.
    """
    folder = _Folder(results)
    states = [_made_known(state, expected) for state in folder.broken]
    told = {_output_of(state.file) for state in folder.broken if state.verdict is Verdict.ALTERED}
    names = dict.fromkeys([*expected, *folder.receipts, *sorted(folder.sha256)])
    for file in names:
        if file != MANIFEST and file not in told:
            states.append(_state(file, folder, expected))
    states = _with_followers(states, folder, expected)
    if MANIFEST in expected or MANIFEST in folder.sha256:
        states.append(_manifest(results, expected, states))
    return states


class _Folder:
    """What is on the disk: digests of the files, receipts, receipts that are not as written."""

    def __init__(self, results: Path) -> None:
        files = files_in(results) if results.is_dir() else []
        self.sha256: dict[str, str] = {}
        self.receipts: dict[str, Receipt] = {}
        self.broken: list[State] = []
        for file in files:
            if file.startswith(f"{DRAFTS}/"):  # left by a job that was killed
                self.broken.append(State(file, Verdict.UNFINISHED))
            elif file.startswith(f"{FOLDER}/"):
                self._read(results, file)
            else:
                self.sha256[file] = file_sha256(results / file)

    def _read(self, results: Path, file: str) -> None:
        if file.endswith(".partial"):  # left by a job that was killed while it wrote
            self.broken.append(State(file, Verdict.UNFINISHED))
            return
        try:
            receipt = read_receipt(results / file)
        except (BrokenSealError, TypeError) as error:
            detail = f"the receipt is not what its job wrote: {error}"
            self.broken.append(State(file, Verdict.ALTERED, detail=detail))
            return
        if receipt_path(results, receipt.output) != results / file:
            detail = f"the receipt speaks of another file, {receipt.output}"
            self.broken.append(State(file, Verdict.ALTERED, detail=detail))
            return
        self.receipts[receipt.output] = receipt


def _output_of(receipt: str) -> str:
    """Output that a receipt, given as a path inside the folder, stands for by its name."""
    return receipt.removeprefix(f"{FOLDER}/").removesuffix(".json")


def _made_known(state: State, expected: Mapping[str, Expected]) -> State:
    """Give a broken receipt the maker of its output."""
    wanted = expected.get(_output_of(state.file))
    return replace(state, rule=wanted.rule, wildcards=wanted.wildcards) if wanted else state


def _state(file: str, folder: _Folder, expected: Mapping[str, Expected]) -> State:
    receipt, sha256, wanted = folder.receipts.get(file), folder.sha256.get(file), expected.get(file)
    maker = wanted or receipt
    rule, wildcards = (maker.rule, maker.wildcards) if maker else ("", {})

    def verdict(kind: Verdict, detail: str = "", changes: tuple[Change, ...] = ()) -> State:
        return State(file, kind, rule, wildcards, changes, detail)

    if receipt is None:
        if sha256 is None:
            return verdict(Verdict.NEW)
        kind = "a result" if wanted else "an extra file"
        return verdict(Verdict.ALTERED, f"{kind} without a receipt: nobody knows what made it")
    if receipt.state == STARTED:
        return verdict(Verdict.UNFINISHED)
    if sha256 is not None and sha256 != receipt.sha256:
        return verdict(Verdict.ALTERED, "the file is not what its job wrote")
    if wanted is None:
        return verdict(Verdict.LEFT_OVER)
    if sha256 is None:
        return verdict(Verdict.DELETED)
    changes = tuple(_changes(receipt, wanted, folder.sha256, expected))
    return verdict(Verdict.STALE if changes else Verdict.CURRENT, changes=changes)


def _changes(
    receipt: Receipt, wanted: Expected, sha256: Mapping[str, str], expected: Mapping[str, Expected]
) -> Iterator[Change]:
    if (receipt.rule, dict(receipt.wildcards)) != (wanted.rule, dict(wanted.wildcards)):
        yield Change(Cause.MAKER, "rule", receipt.rule, wanted.rule)
    yield from _param_changes(receipt.params, wanted.params)
    for name, before in receipt.inputs.items():
        if ":" in name:  # from outside the folder; its digest is among the params
            continue
        now = sha256.get(name, "") if name in expected else ""
        # An input that is gone is made again; what follows from it is found below.
        if now != before and (now or name not in expected):
            yield Change(Cause.INPUT, name, before, now)


def _param_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name, "") != now.get(name, ""):
            yield Change(Cause.PARAM, name, before.get(name, ""), now.get(name, ""))


def _with_followers(
    states: list[State], folder: _Folder, expected: Mapping[str, Expected]
) -> list[State]:
    """Turn current outputs whose inputs are made again into followers; makers come first."""
    broken = {_output_of(state.file) for state in folder.broken}
    again = {
        s.file for s in states if s.verdict not in (Verdict.CURRENT, Verdict.LEFT_OVER)
    } | broken
    jobs_again = {_job(expected[file]): file for file in again if file in expected}
    found = []
    for state in states:
        wanted, receipt = expected.get(state.file), folder.receipts.get(state.file)
        if state.verdict is Verdict.CURRENT and wanted and receipt:
            source = next((name for name in receipt.inputs if name in again), None)
            source = source or jobs_again.get(_job(wanted))
            if source:
                again.add(state.file)
                jobs_again.setdefault(_job(wanted), state.file)
                found.append(replace(state, verdict=Verdict.FOLLOWS, detail=source))
                continue
        found.append(state)
    return found


def _job(wanted: Expected) -> tuple[str, tuple[str, ...]]:
    return wanted.rule, tuple(wanted.wildcards.values())


def _manifest(results: Path, expected: Mapping[str, Expected], states: list[State]) -> State:
    """The manifest has no receipt: it carries its own seal, and its content is known."""
    path, wanted = results / MANIFEST, expected.get(MANIFEST)
    rule = wanted.rule if wanted else ""
    if not path.is_file():
        return State(MANIFEST, Verdict.NEW, rule)
    try:
        record = read_sealed(path)
    except BrokenSealError as error:
        return State(MANIFEST, Verdict.ALTERED, rule, detail=f"not as it was sealed: {error}")
    if wanted is None:
        return State(MANIFEST, Verdict.LEFT_OVER, rule)
    changes = tuple(_param_changes(record.get("depends_on", {}), wanted.params))
    if changes:
        return State(MANIFEST, Verdict.STALE, rule, changes=changes)
    odd = [state for state in states if state.verdict is not Verdict.CURRENT]
    if odd:
        return State(MANIFEST, Verdict.FOLLOWS, rule, detail=odd[0].file)
    outputs = [file for file in expected if file != MANIFEST]
    if record != manifest_of(results, outputs, wanted.params):
        return State(MANIFEST, Verdict.STALE, rule, detail="the results are newer than the seal")
    return State(MANIFEST, Verdict.CURRENT, rule)
