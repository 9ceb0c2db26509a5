"""Earlier files of hospitals in a copy of the folder of hospital files."""

import datetime
import json
from pathlib import Path

from sitewise.audit.ledger import CLOSED, OPENED, Ledger, append, read_ledger
from sitewise.audit.objects import keep_text
from sitewise.run.delivery import all_used, last_good, with_kept
from sitewise.run.kept import Kept


def test_a_trial_whose_folder_lies_among_the_hospital_files(tmp_path: Path) -> None:
    """As with `--data .`: the copy holds the files, and no copy of itself."""
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b.csv").write_text("b")
    records = tmp_path / "records" / "x"
    records.mkdir(parents=True)
    place = records / "nightly" / "delivery"
    assert with_kept(tmp_path, [records], [], place, without=["b.csv"]) == place
    assert (place / "a.csv").read_text() == "a"
    assert not (place / "b.csv").exists()
    assert not list(place.rglob("delivery"))


def test_kept_files_stand_beside_second_names_of_the_others(tmp_path: Path) -> None:
    """Nothing is copied that need not be, and what was delivered is not written to."""
    data, records = tmp_path / "data", tmp_path / "records"
    data.mkdir()
    records.mkdir()
    (data / "a.csv").write_text("spoiled")
    (data / "b.csv").write_text("b")
    (data / "elsewhere.csv").write_text("c")
    (data / "c.csv").symlink_to("elsewhere.csv")
    (data / "nowhere.csv").symlink_to("gone.csv")
    digest = keep_text(records, "good")
    kept = Kept("A", "a.csv", "no header", digest, "2026-01-01T00:00:00+00:00", 3)
    place = with_kept(data, [records], [kept], tmp_path / "delivery")
    assert (place / "a.csv").read_text() == "good"
    assert (data / "a.csv").read_text() == "spoiled"
    assert (place / "b.csv").samefile(data / "b.csv")
    assert (place / "c.csv").read_text() == "c"
    assert not (place / "c.csv").is_symlink()
    assert not (place / "nowhere.csv").is_symlink()


DIGESTS = {"plan": "p", "data": "d", "code": "c"}


def sealed(records: Path, statuses: dict[str, str], sha256: str = "0" * 64) -> Ledger:
    """The ledger after one sealed run whose hospital files had these statuses."""
    files = [
        {"file": file, "sha256": sha256, "status": status} for file, status in statuses.items()
    ]
    account = keep_text(records, json.dumps({"files": files}))
    manifest = keep_text(
        records, json.dumps({"files": {"findings/account.json": {"sha256": account}}})
    )
    append(records, OPENED, {"run": "r1", "raw": dict.fromkeys(statuses, sha256), **DIGESTS})
    append(records, CLOSED, {"run": "r1", "manifest": manifest})
    return read_ledger(records)


def test_files_that_the_last_run_used_are_known_to_be_good(tmp_path: Path) -> None:
    assert not all_used(tmp_path, read_ledger(tmp_path), DIGESTS, ["a.csv"]), "no run before"
    ledger = sealed(tmp_path, {"a.csv": "used", "b.csv": "used"})
    assert all_used(tmp_path, ledger, DIGESTS, ["a.csv", "b.csv"])
    assert not all_used(tmp_path, ledger, DIGESTS, ["a.csv", "new.csv"])
    for name in DIGESTS:
        assert not all_used(tmp_path, ledger, DIGESTS | {name: "other"}, ["a.csv"]), name


def test_a_file_that_the_last_run_could_not_use_is_looked_at_again(tmp_path: Path) -> None:
    ledger = sealed(tmp_path, {"a.csv": "used", "b.csv": "set aside"})
    assert not all_used(tmp_path, ledger, DIGESTS, ["a.csv", "b.csv"])


def test_the_last_good_file_is_another_than_the_one_that_was_refused(tmp_path: Path) -> None:
    """A plan that has become stricter refuses what a run of the old one used."""
    records, apart = tmp_path / "records", tmp_path / "blind"
    old, new = keep_text(apart, "old"), keep_text(records, "new")
    sealed(records, {"a.csv": "used"}, old)
    ledger = sealed(records, {"a.csv": "used"}, new)
    bad, today = {"a.csv": ("A", "no header")}, datetime.datetime.now(datetime.UTC)

    def kept(*copies: Path, **refused: str) -> list[str]:
        found = last_good(copies, ledger, bad, today, {f"{k}.csv": v for k, v in refused.items()})
        return [one.sha256 for one in found]

    assert kept(records) == [new]
    assert kept(records, a=new) == [], "the older one lies with the arms of a blinded trial"
    assert kept(records, apart, a=new) == [old]
    assert kept(records, apart) == [new]
