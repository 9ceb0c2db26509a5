"""What hospitals delivered, and the last file of theirs that could be used."""

import datetime
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import Entry, Ledger
from sitewise.audit.objects import object_path, read_json
from sitewise.errors import SitewiseError
from sitewise.plan.model import Plan
from sitewise.run.context import Context, blind_folder
from sitewise.run.kept import Kept, write_note

_ACCOUNT = "findings/account.json"
USED = "used"


def keeps(plan: Plan) -> bool:
    """Whether the last good file of a hospital stands for one that can't be used."""
    return plan.nightly.bad_delivery == "keep last good"


def copies_of(context: Context) -> tuple[Path, ...]:
    """Folders with copies of the hospital files: of a blinded trial they lie with the arms."""
    assert context.records is not None
    apart = context.records.parents[1] / blind_folder(context.trial)
    return (context.records, apart) if context.blinded else (context.records,)


def bad_files(context: Context) -> dict[str, tuple[str, str]]:
    """Hospital files that can't be used: site and reason by file; {} where nothing can be said."""
    from sitewise.trial.findings import SITE_ASIDE
    from sitewise.trial.pipeline import check_data
    from sitewise.trial.stopped import StoppedError

    plan = context.plan
    kind = plan.rules.model_copy(update={"bad_site": "set aside"})
    plan = plan.model_copy(update={"rules": kind})
    try:
        checked = check_data(plan, context.sheet, context.data, written=context.written)
    except StoppedError as error:
        aside = error.findings[error.findings["ACTION"] == SITE_ASIDE]
        return {
            str(line["SRCFILE"]): (str(line["SITEID"]), str(line["RULE"]))
            for line in aside.to_dict("records")
        }
    except SitewiseError:
        return {}  # the run says it better
    return {f.file: (f.site, f.reason) for f in checked.account.files if f.status != USED}


def all_used(
    records: Path, ledger: Ledger, digests: Mapping[str, str], files: Iterable[str]
) -> bool:
    """Whether the last sealed run had this plan, these files and this code, and used every file.

    Then none of them is bad, and they need not be read to know it. records: of the trial.
    """
    if not ledger.sealed():
        return False
    last = ledger.sealed()[-1]
    opened = ledger.opening(str(last.body["run"]))
    if opened is None or any(
        opened.body.get(name) != digests[name] for name in ("plan", "data", "code")
    ):
        return False
    return set(files) <= _used(records, last).keys()


def last_good(
    copies: Sequence[Path],
    ledger: Ledger,
    bad: Mapping[str, tuple[str, str]],
    now: datetime.datetime,
    refused: Mapping[str, str],
) -> list[Kept]:
    """The last file that could be used of each hospital whose file can't; none where none is kept.

    copies: folders that hold them, the trial's records first. bad: site and reason by file.
    refused: sha256 of files that were checked and can't be used, whatever an earlier plan made of
    them.
    """
    found: dict[str, Kept] = {}
    for entry in reversed(ledger.sealed()):
        used = _used(copies[0], entry)
        for file, (site, reason) in bad.items():
            sha256 = used.get(file, "")
            if file in found or not sha256 or sha256 == refused.get(file):
                continue
            if copy_of(copies, sha256):
                since = _first_seen(ledger, file, sha256)
                days = (now - datetime.datetime.fromisoformat(since)).days
                found[file] = Kept(site, file, reason, sha256, since, days)
    return [found[file] for file in sorted(found)]


def copy_of(copies: Sequence[Path], sha256: str) -> Path | None:
    """Where the copy of a hospital file with this digest lies; None where there is none."""
    places = (object_path(folder, sha256) for folder in copies)
    return next((place for place in places if place.is_file()), None)


def with_kept(
    data: Path,
    copies: Sequence[Path],
    kept: list[Kept],
    folder: Path,
    without: Iterable[str] = (),
) -> Path:
    """The folder of the hospital files with earlier ones in place: a folder of second names, where
    there are any.

    without: files that are not to be read, as they could not be fetched tonight.
    Raises SitewiseError where a kept copy is not what its name says.
    """
    shutil.rmtree(folder, ignore_errors=True)
    without = list(without)
    if not kept and not without:
        return data
    # The trial's own folder may lie among the files: the copy is then no part of itself.
    shutil.copytree(data, folder, ignore=_without(folder), copy_function=_link)
    for file in without:
        (folder / file).unlink(missing_ok=True)
    for one in kept:
        target = folder / one.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        copy = copy_of(copies, one.sha256)
        if copy is not None:
            shutil.copyfile(copy, target)
        if copy is None or file_sha256(target) != one.sha256:
            raise SitewiseError(
                f"The kept copy of {one.file} is damaged: sitewise verify names it."
            )
    write_note(folder, kept)
    return folder


def _link(source: str, target: str) -> None:
    """The same file under a second name, a copy where that can't be: no name is written to."""
    if not Path(source).is_symlink():
        try:
            return os.link(source, target)
        except OSError:  # another file system, somebody else's file
            pass
    shutil.copy2(source, target)
    return None


def _without(folder: Path) -> Callable[[str, list[str]], list[str]]:
    """What `copytree` leaves out: this folder, and links that lead nowhere.

    Its own `ignore_dangling_symlinks` takes a link for relative to where the program runs.
    """

    def left_out(inside: str, names: list[str]) -> list[str]:
        paths = [Path(inside, name) for name in names]
        return [path.name for path in paths if path == folder or not path.exists()]

    return left_out


def arrived(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, list[str]]:
    """Hospital files by what became of them. before, now: sha256 or `absent` by file."""
    absent = "absent"
    kinds: dict[str, list[str]] = {"new": [], "changed": [], "gone": [], "same": []}
    for file in sorted(before.keys() | now.keys()):
        old, new = before.get(file, absent), now.get(file, absent)
        if old == new:
            kind = "same"
        elif old == absent:
            kind = "new"
        else:
            kind = "gone" if new == absent else "changed"
        if (old, new) != (absent, absent):
            kinds[kind].append(file)
    return kinds


def _used(records: Path, entry: Entry) -> dict[str, str]:
    """Sha256 of the files that a sealed run could use, by file."""
    try:
        files: Mapping[str, Any] = read_json(records, str(entry.body["manifest"]))["files"]
        account = read_json(records, str(files[_ACCOUNT]["sha256"]))
        return {f["file"]: f["sha256"] for f in account["files"] if f["status"] == USED}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # not kept, or of a version that wrote other fields


def _first_seen(ledger: Ledger, file: str, sha256: str) -> str:
    opened = (e for e in ledger.of("opened") if (ledger.fact(e, "raw") or {}).get(file) == sha256)
    return next(e.time for e in opened)
