"""The ledger: appended, never rewritten; every change of an earlier byte shows."""

import itertools
import json
from hashlib import sha256
from pathlib import Path

import pytest

from sitewise.audit import ledger as module
from sitewise.audit.attest import runs_in_words
from sitewise.audit.ledger import (
    CLOSED,
    HEAD,
    LEDGER,
    OPENED,
    append,
    check_ledger,
    read_ledger,
    write_head,
)
from sitewise.errors import IntegrityError


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Two runs: four records."""
    for run in ("a", "b"):
        append(tmp_path, OPENED, {"run": run, "raw": {"x.csv": "12"}})
        append(tmp_path, CLOSED, {"run": run, "manifest": "cd"})
    return tmp_path


def lines(records: Path) -> list[bytes]:
    return (records / LEDGER).read_bytes().splitlines(keepends=True)


def found(records: Path) -> list[str]:
    return [str(difference) for difference in check_ledger(records)[1]]


def test_each_record_holds_the_digest_of_the_line_before(records: Path) -> None:
    written = lines(records)
    assert len(written) == 4
    for before, line in itertools.pairwise(written):
        assert json.loads(line)["previous"] == sha256(before.rstrip(b"\n")).hexdigest()
    assert json.loads(written[0])["previous"] == ""
    head = json.loads((records / HEAD).read_text())
    assert head["sha256"] == sha256(written[-1].rstrip(b"\n")).hexdigest()
    assert found(records) == []


def test_appending_never_rewrites(records: Path) -> None:
    before = (records / LEDGER).read_bytes()
    append(records, OPENED, {"run": "c"})
    assert (records / LEDGER).read_bytes().startswith(before)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_changed_record_is_named(records: Path, number: int) -> None:
    written = lines(records)
    written[number] = written[number].replace(b'"run":"', b'"run":"z')
    (records / LEDGER).write_bytes(b"".join(written))
    told = found(records)
    assert any(f"line {number + 1}" in text or f"record {number + 1}" in text for text in told)
    with pytest.raises(IntegrityError, match="not what was written"):
        append(records, OPENED, {"run": "c"})


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_removed_record_is_found(records: Path, number: int) -> None:
    written = lines(records)
    del written[number]
    (records / LEDGER).write_bytes(b"".join(written))
    assert found(records)
    with pytest.raises(IntegrityError):
        append(records, OPENED, {"run": "c"})


def test_records_removed_together_with_head_need_an_anchor_elsewhere(records: Path) -> None:
    """What the documentation says can't be found from the files alone."""
    (records / LEDGER).write_bytes(b"".join(lines(records)[:2]))
    write_head(records, read_ledger(records).entries[-1])
    assert found(records) == []


def test_a_torn_line_stays_and_the_next_record_carries_it(records: Path) -> None:
    whole = (records / LEDGER).read_bytes()
    torn = b'{"kind":"opened","previ'
    (records / LEDGER).write_bytes(whole + torn)
    assert "no whole record" in found(records)[0]
    entry = append(records, OPENED, {"run": "c"})
    assert entry.body["torn"] == {"length": len(torn), "sha256": sha256(torn).hexdigest()}
    assert (records / LEDGER).read_bytes().startswith(whole + torn + b"\n")
    assert found(records) == []
    # The torn bytes are now as protected as a record.
    content = (records / LEDGER).read_bytes()
    (records / LEDGER).write_bytes(content.replace(torn, b'{"kind":"opened","prevj'))
    assert found(records)
    (records / LEDGER).write_bytes(content.replace(torn + b"\n", b""))
    assert found(records)


def test_torn_twice(records: Path) -> None:
    whole = (records / LEDGER).read_bytes()
    (records / LEDGER).write_bytes(whole + b'{"kind')
    # The second write began with the line feed that ends the first torn line.
    (records / LEDGER).write_bytes(whole + b'{"kind' + b'\n{"ki')
    append(records, OPENED, {"run": "c"})
    assert found(records) == []


def test_a_whole_line_without_its_line_feed_counts_as_torn(records: Path) -> None:
    (records / LEDGER).write_bytes((records / LEDGER).read_bytes()[:-1])
    assert found(records)
    with pytest.raises(IntegrityError, match="HEAD names"):
        append(records, OPENED, {"run": "c"})


def test_a_kill_between_the_record_and_head(records: Path) -> None:
    head = (records / HEAD).read_bytes()
    append(records, OPENED, {"run": "c"})
    (records / HEAD).write_bytes(head)
    assert "the ledger ends with record 5" in found(records)[0]
    append(records, CLOSED, {"run": "c"})
    assert found(records) == []


def test_a_killed_run_is_named_once(records: Path) -> None:
    append(records, OPENED, {"run": "c", "killed": []})
    assert read_ledger(records).killed() == ["c"]
    append(records, OPENED, {"run": "d", "killed": ["c"]})
    append(records, CLOSED, {"run": "d"})
    assert read_ledger(records).killed() == []


def test_a_killed_run_is_history_once_a_later_one_sealed(records: Path) -> None:
    """Only what later records prove: that it was over, and then that the results are whole."""

    def said() -> list[str]:
        return runs_in_words(read_ledger(records))

    append(records, OPENED, {"run": "c", "killed": []})
    assert said() == [
        f"record 5 ({read_ledger(records).entries[4].time}): the run was killed, or still goes on"
    ]
    append(records, OPENED, {"run": "d", "killed": ["c"]})
    assert said()[0].endswith("no run has sealed the results since")
    append(records, CLOSED, {"run": "d", "manifest": None})  # it failed
    assert said()[0].endswith("no run has sealed the results since")
    append(records, OPENED, {"run": "e", "killed": []})
    last = append(records, CLOSED, {"run": "e", "manifest": "ef"})
    assert len(said()) == 1
    assert "history: the run was killed, as record 6 found" in said()[0]
    assert f"run e completed and sealed the results since (record 9, {last.time})" in said()[0]
    append(records, OPENED, {"run": "f", "killed": []})
    assert said()[1].endswith("the run was killed, or still goes on")


def test_the_same_value_is_held_once(records: Path) -> None:
    ledger = read_ledger(records)
    short = ledger.shortened("raw", {"x.csv": "12"})
    assert short == {"as_in_record": 3}
    append(records, OPENED, {"run": "c", "raw": short})
    ledger = read_ledger(records)
    assert ledger.fact(ledger.entries[-1], "raw") == {"x.csv": "12"}
    assert ledger.shortened("raw", {"x.csv": "12"}) == {"as_in_record": 3}
    assert ledger.shortened("raw", {"x.csv": "13"}) == {"x.csv": "13"}


def test_a_clock_that_was_set_back_is_said(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "now", lambda: "2001-01-01T00:00:00.000Z")
    entry = append(records, OPENED, {"run": "c"})
    assert entry.body["clock_set_back"] is True
    assert entry.seq == 5
    assert found(records) == []


def test_what_can_not_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(OSError, match="directory"):
        append(tmp_path, OPENED, {"run": "a"})
