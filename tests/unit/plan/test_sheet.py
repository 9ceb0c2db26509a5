"""The site sheet."""

from pathlib import Path

import pytest

from sitewise.errors import PlanError
from sitewise.plan.sheet import Site, SiteSheet, load_sheet


def sheet(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sites.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_and_dialects(tmp_path: Path) -> None:
    loaded = load_sheet(
        sheet(tmp_path, "SITEID,file,delimiter,decimal\n007,b.csv,semicolon,comma\n01,a.csv,,\n")
    )
    assert loaded.sites == (
        Site("007", "b.csv", delimiter=";", decimal=","),
        Site("01", "a.csv"),
    )


def test_every_problem_with_its_line(tmp_path: Path) -> None:
    text = (
        "SITEID,file,encoding\n01,../x.csv,\n02,/etc/x.csv,\n,c.csv,\n04,d.docx,\n05,e.csv,utf8\n"
        "06,f.csv,\n06,g.csv,\n07,f.csv,\n"
    )
    with pytest.raises(PlanError) as caught:
        load_sheet(sheet(tmp_path, text))
    words = str(caught.value)
    for expected in (
        "sites.csv, line 2: file '../x.csv' leaves the data folder",
        "sites.csv, line 3: file '/etc/x.csv' leaves the data folder",
        "sites.csv, line 4: SITEID is empty",
        "sites.csv, line 5: file 'd.docx' has an unknown type",
        "sites.csv, line 6: unknown encoding 'utf8'",
        "SITEID '06' is listed 2 times",
        "file 'f.csv' is listed 2 times",
    ):
        assert expected in words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SITEID,path\n1,a.csv\n", "column file is missing"),
        ("SITEID,file,delimter\n1,a.csv,comma\n", "did you mean delimiter?"),
        ("SITEID,file\n", "no hospital is listed"),
        ("SITEID,file\n1,a.csv,more\n", "more cells than columns"),
    ],
)
def test_unusable_sheets(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PlanError, match=words.replace("?", r"\?")):
        load_sheet(sheet(tmp_path, text))


def test_absent_sheet(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        load_sheet(tmp_path / "none.csv")


def test_adding_a_hospital_moves_no_other() -> None:
    before = SiteSheet(tuple(Site(f"{i:02d}", f"{i}.csv") for i in range(30)))
    after = SiteSheet((*before.sites, Site("0A", "new.csv")))
    where = {s.siteid: b for b, sites in before.batches(4).items() for s in sites}
    moved = [
        s.siteid
        for b, sites in after.batches(4).items()
        for s in sites
        if where.get(s.siteid, b) != b
    ]
    assert moved == []
    assert sum(len(sites) for sites in after.batches(4).values()) == 31


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ftp://server/a.csv", "no address of a file that can be fetched"),
        ("sftp://server", "no address of a file that can be fetched"),
        ("sftp://server:port/a.csv", "is no address"),
        ("sftp://me:secret@server/a.csv", "a user's name or a password"),
    ],
)
def test_a_source_is_an_address_without_secrets(tmp_path: Path, source: str, said: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(f"SITEID,file,source\nA,a.csv,{source}\n")
    with pytest.raises(PlanError) as caught:
        load_sheet(path)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_where_a_file_is_fetched_from_changes_no_digest_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    path.write_text("SITEID,file,source\nA,a.csv,s3://bucket/a.csv\nB,b.csv,\n")
    first, second = load_sheet(path).sites
    assert first.source == "s3://bucket/a.csv"
    assert "source" not in first.reading
    assert first.line["source"] == "s3://bucket/a.csv"
    assert "source" not in second.line, "plans of before keep their digest"
