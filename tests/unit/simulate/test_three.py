"""The generated trial: the same seed, the same bytes."""

from pathlib import Path

from sitewise.simulate.three import write_trial


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one = [p.read_bytes() for p in write_trial(tmp_path / "a", seed=1)]
    two = [p.read_bytes() for p in write_trial(tmp_path / "b", seed=1)]
    other = [p.read_bytes() for p in write_trial(tmp_path / "c", seed=2)]
    assert one == two
    assert one != other


def test_hospitals_write_differently(tmp_path: Path) -> None:
    one, two, three = (p.read_text().splitlines() for p in write_trial(tmp_path))
    assert "," in one[0]
    assert ";" in two[0]
    assert float(three[1].split(",")[4]) < 30  # kPa
