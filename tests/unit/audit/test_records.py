"""Digests of params, sealed records, receipts, the manifest."""

import json
from pathlib import Path

import pytest

from sitewise.audit.hashing import file_sha256, params_digests, value_digest
from sitewise.audit.manifest import seal, verify
from sitewise.audit.receipts import Receipt, receipt_path, write_receipt
from sitewise.audit.sealed import BrokenSealError, read_sealed, write_sealed
from sitewise.errors import IntegrityError


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_params_are_named_in_words() -> None:
    params = {
        "plan": {"visits": [1, 2], "design": "cluster"},
        "code": ["lmm:ab12", "script:cd34"],
        "raw": ["a/site_01.csv:ff", "b.csv:absent"],
        "lock": "lock:99",
        "sites": [{"siteid": "01"}],
    }
    found = params_digests(params)
    assert found["plan.design"] == "cluster"
    assert found["plan.visits"] == value_digest([1, 2])
    assert found["code.lmm"] == "ab12"
    assert found["raw.a/site_01.csv"] == "ff"
    assert found["raw.b.csv"] == "absent"
    assert set(found) == {
        "plan.visits", "plan.design", "code.lmm", "code.script", "raw.a/site_01.csv", "raw.b.csv",
        "lock", "sites",
    }  # fmt: skip


def test_the_order_of_keys_is_a_change() -> None:
    """The order of the endpoints is that of testing, the first code is the reference level."""
    assert value_digest({"a": 1, "b": 2.5}) != value_digest({"b": 2.5, "a": 1})
    assert value_digest({"a": 1}) != value_digest({"a": 1.5})


def test_every_changed_character_breaks_the_seal(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_sealed(path, {"size": 12, "names": ["a", "b"]})
    text = path.read_text()
    for i, character in enumerate(text):
        if character.isspace():
            continue
        path.write_text(text[:i] + ("7" if character != "7" else "8") + text[i + 1 :])
        with pytest.raises(BrokenSealError):
            read_sealed(path)
    path.write_text(text)
    assert read_sealed(path) == {"size": 12, "names": ["a", "b"]}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "three"
    for output in ("data/adbp.parquet", "report.pdf"):
        path = folder / output
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(output)
        size = path.stat().st_size
        receipt = Receipt(output, "derive", {}, "done", file_sha256(path), size)
        write_receipt(folder, receipt)
    seal(folder, ["data/adbp.parquet", "report.pdf"], {"digests.plan": "aa", "code.audit": "bb"})
    return folder


def test_a_sealed_folder_is_as_sealed(results: Path) -> None:
    assert verify(results) == []
    manifest = json.loads((results / "manifest.json").read_text())
    assert manifest["digests"] == {"plan": "aa"}
    everything = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == everything - {"manifest.json"}
    assert manifest["files"]["report.pdf"] == {
        "sha256": file_sha256(results / "report.pdf"),
        "size": len("report.pdf"),
        "rule": "derive",
    }


def test_verify_names_changed_missing_and_extra_files(results: Path) -> None:
    (results / "report.pdf").write_text("report.pdF")
    (results / "data" / "adbp.parquet").unlink()
    (results / "notes.txt").write_text("")
    receipt = receipt_path(results, "report.pdf")
    receipt.write_text(receipt.read_text().replace("derive", "fit"))
    found = [(difference.what, difference.file) for difference in verify(results)]
    assert found == [
        ("missing", "data/adbp.parquet"),
        ("extra", "notes.txt"),
        ("changed", "receipts/report.pdf.json"),
        ("changed", "report.pdf"),
    ]


def test_a_changed_digit_in_the_manifest_is_named(results: Path) -> None:
    path = results / "manifest.json"
    path.write_text(path.read_text().replace('"size": 10', '"size": 11'))
    assert [difference.file for difference in verify(results)] == ["manifest.json"]


def test_a_manifest_that_is_no_json(results: Path) -> None:
    (results / "manifest.json").write_text("{")
    with pytest.raises(IntegrityError, match="damaged"):
        verify(results)


def test_a_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not sealed"):
        verify(tmp_path)


def test_what_is_not_what_its_job_wrote_is_not_sealed(results: Path) -> None:
    (results / "report.pdf").write_text("altered")
    with pytest.raises(IntegrityError, match=r"report\.pdf: the file is not what its job wrote"):
        seal(results, ["report.pdf"], {})
    with pytest.raises(IntegrityError, match="no usable receipt"):
        seal(results, ["report.html"], {})
