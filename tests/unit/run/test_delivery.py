"""Earlier files of hospitals in a copy of the folder of hospital files."""

from pathlib import Path

from sitewise.run.delivery import with_kept


def test_a_trial_whose_folder_lies_among_the_hospital_files(tmp_path: Path) -> None:
    """As with `--data .`: the copy holds the files, and no copy of itself."""
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b.csv").write_text("b")
    records = tmp_path / "records" / "x"
    records.mkdir(parents=True)
    place = records / "nightly" / "delivery"
    assert with_kept(tmp_path, records, [], place, without=["b.csv"]) == place
    assert (place / "a.csv").read_text() == "a"
    assert not (place / "b.csv").exists()
    assert not list(place.rglob("delivery"))
