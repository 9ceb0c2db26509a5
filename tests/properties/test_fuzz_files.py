"""Two thousand spoiled hospital files: never a traceback, never a reading without a fate.

Each example is a trial of many hospitals with one spoiled file each: a call of the checks costs far
more than a file.
"""

import csv
import io
import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sitewise.errors import SitewiseError
from sitewise.plan.load import read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.sheet import ENCODINGS, Site, SiteSheet
from sitewise.terms import Fate, Severity
from sitewise.trial.pipeline import check_data
from sitewise.trial.source import read_source
from sitewise.trial.stopped import StoppedError

HEADER = ["site", "patient", "arm", "visit", "sbp", "dbp", "age", "sex", "bmi", "area"]
VISITS = ["baseline", "month 6", "month 12"]
FILES, EXAMPLES = 50, 20  # by each of the two tests: 2000 files in all
MANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a failure names its file; to shrink fifty of them takes for ever
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SEEDS = st.lists(st.integers(0, 2**32), min_size=FILES, max_size=FILES)
NASTY = [
    b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b" ",
    b"\xff\xfe", b"\xc3", b"NA", b"-9", b"1e999", b"Total", b"=cmd()", b"\x1b[31m", b"\xe2\x80\xae",
    b"99999999999999999999", b"0x10", b"nan", b"True", b"2024-03-01", b"142 mmHg", b"1,234.5",
]  # fmt: skip
CELLS = [
    "", " ", "NA", ".", "-9", "999", "150", "85", "150.0", "1,5", "baseline", "Month 6", "month 12",
    "HIC", "hic", "TASSH+HIC", "F", "rural", "007", "7", "1001E3", "TRUE", "2024-03-01", "Total",
    "sum:", "\n", '"', "a\nb", "\u200b", "\u0301", "\uff11\uff12\uff10", "\u22125", "1e5", "inf",
    "A" * 200, "=1+1", "\r", "\u0661\u0664\u0662", "14\u200b2", "24:00", "45352", "2024-W10-2",
    "patient", "visit", "Grand total", "Week -4", "1\u00a0142",
]  # fmt: skip
checked_files: Counter[str] = Counter()


@dataclass(frozen=True)
class File:
    """One hospital's file: its bytes, its line of the sheet, and its rows where they are known."""

    data: bytes
    sheet: dict[str, str]
    rows: int | None = None


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    data: dict[str, Any] = read_yaml(root / "config" / "ghana.yaml")
    data |= {"trial": "fuzz", "sites": data["sites"] | {"batches": 1}}
    data["columns"] |= {"patient_ids": "site"}
    return validate_plan(data, "test.yaml")


def rows_of(draw: random.Random, site: str) -> list[list[str]]:
    """Two to four patients, three visits; the arm is that of the site's number."""
    arm = "HIC" if int(site) % 2 else "TASSH+HIC"
    return [
        [site, f"P{p}", arm, visit, str(draw.randint(100, 200)), str(draw.randint(60, 99)),
         "50", draw.choice("FM"), "22.5", "rural"]
        for p in range(draw.randint(2, 4))
        for visit in VISITS
    ]  # fmt: skip


def text(header: list[str], rows: list[list[str]], **dialect: Any) -> str:
    out = io.StringIO()
    csv.writer(out, **({"lineterminator": "\n"} | dialect)).writerows([header, *rows])
    return out.getvalue()


def mutated(seed: int, site: str) -> File:
    """A good file of some encoding with a few bytes changed, lost, doubled or put in."""
    draw = random.Random(seed)
    encoding = draw.choice(ENCODINGS)
    data = bytearray(text(HEADER, rows_of(draw, site)).encode(encoding))
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(data) + 1)
        end = min(len(data), place + draw.choice([1, 1, 1, 2, 5, 50, 400]))
        kind = draw.randrange(6)
        if kind == 0 and place < len(data):
            data[place] = draw.randrange(256)
        elif kind == 1:
            del data[place:end]
        elif kind == 2:
            data[place:place] = data[place:end]
        elif kind == 3:
            data[place:place] = draw.choice(NASTY)
        elif kind == 4:
            data[place:end] = draw.choice(NASTY)
        else:
            data[place:place] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 6)))
    if draw.random() < 0.1:
        data = data[: draw.randrange(len(data) + 1)]
    # the sheet may be wrong about it
    declared = encoding if draw.random() < 0.8 else draw.choice(ENCODINGS)
    return File(bytes(data), {"encoding": declared})


def made_of(pool: list[str], seed: int, site: str) -> File:
    """A well-formed CSV of some dialect whose cells, header too, are anything of the pool."""
    draw = random.Random(seed)
    rows = rows_of(draw, site)
    for _ in range(draw.randint(1, 12)):
        draw.choice(rows)[draw.randrange(len(HEADER))] = draw.choice(pool)
    if draw.random() < 0.2:
        rows += [list(draw.choice(rows)) for _ in range(3)]
    if draw.random() < 0.2:
        draw.choice(rows)[draw.randrange(10) :] = []
    if draw.random() < 0.1:
        rows.append([draw.choice(pool) for _ in range(draw.randint(1, 13))])
    header = list(HEADER)
    if draw.random() < 0.1:
        header[draw.randrange(10)] = draw.choice(pool)
    if draw.random() < 0.3:
        order = draw.sample(range(10), 10)
        header = [header[i] for i in order]
        rows = [[row[i] for i in order] if len(row) == 10 else row for row in rows]
    mark = draw.choice([",", ";", "\t", "|"])
    end = draw.choice(["\n", "\r\n"])
    encoding = draw.choice(["utf-8", "utf-8-sig", "utf-16"])
    # Python 3.11 leaves a lone CR without quotes, where it would end the row
    lone = any("\r" in cell for row in [header, *rows] for cell in row)
    quoting = csv.QUOTE_ALL if lone else draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    written = text(header, rows, delimiter=mark, lineterminator=end, quoting=quoting)
    sheet = {
        "delimiter": mark,
        "decimal": draw.choice([".", ","]),
        "encoding": "utf-8-sig" if encoding == "utf-8" else encoding,
        "unit": draw.choice(["", "", "", "kPa", "mmHg", "cm"]),
    }
    whole = bool("".join(header).strip())  # else the first row is taken for the header
    return File(written.encode(encoding), sheet, len(rows) if whole else None)


def check(plan: Plan, files: dict[str, File]) -> None:
    """Check a trial of these files; every reading that came in has one fate."""
    with tempfile.TemporaryDirectory() as folder:
        sites = []
        for site, file in files.items():
            (Path(folder) / f"{site}.csv").write_bytes(file.data)
            sites.append(Site(site, f"{site}.csv", **file.sheet))
        try:
            checked = check_data(plan, SiteSheet(tuple(sites)), Path(folder))
        except StoppedError as error:
            assert error.problems
            readings, findings, account = error.rows, error.findings, None
        except SitewiseError as error:  # no other reason stops a check of files at rest
            pytest.fail(f"not checked to the end: {error}")
        else:
            readings, findings, account = checked.readings, checked.findings, checked.account
    assert readings["FATE"].isin([fate.value for fate in Fate]).all()
    assert readings["REASON"].notna().all()
    assert not readings.duplicated(["SRCFILE", "SRCROW", "PARAMCD"]).any()
    assert (findings["MESSAGE"].str.len() > 0).all()
    unseen = findings[~findings["MESSAGE"].map(str.isprintable)]
    assert unseen.empty, unseen.iloc[0].to_dict()
    mute = findings[(findings["SEVERITY"] != Severity.NOTE.value) & (findings["ADVICE"] == "")]
    assert mute.empty, mute.iloc[0].to_dict()
    if account is not None:
        assert sum(count.readings for count in account.counts) == len(readings)
        assert account.readings == len(readings)
    counted = readings.groupby("SITEID").size()
    blank = findings[findings["RULE"] == "blank lines"].set_index("SITEID")["MESSAGE"]
    told = set(findings["SITEID"])
    for site, file in files.items():
        number = int(counts) if (counts := counted.get(site)) is not None else 0
        assert number or site in told, f"{site} is lost in silence"
        if file.rows is not None and number:
            skipped = int(blank[site].split()[0]) if site in blank.index else 0
            assert number == 2 * (file.rows - skipped), f"{site}: {file}"
    analysed = readings[readings["FATE"] == Fate.ANALYSED.value]
    for row in analysed.itertuples():
        file = files[row.SITEID]
        lines = io.StringIO(file.data.decode(file.sheet["encoding"]), newline="").readlines()
        assert row.AVALC in "".join(lines[row.SRCROW - 1 : row.SRCROW + 3]), row
    checked_files["files"] += len(files)


def hospitals(made: list[File]) -> dict[str, File]:
    return {f"{i:03d}": file for i, file in enumerate(made)}


@MANY
@given(seeds=SEEDS)
def test_files_with_mutated_bytes(plan: Plan, seeds: list[int]) -> None:
    check(plan, hospitals([mutated(seed, f"{i:03d}") for i, seed in enumerate(seeds)]))


@MANY
@given(seeds=SEEDS, pool=st.lists(st.text(max_size=12), min_size=5, max_size=30))
def test_files_with_any_cells(plan: Plan, seeds: list[int], pool: list[str]) -> None:
    # text that no encoding has can't be in a file
    cells = [*CELLS, *(cell for cell in pool if cell.isascii() or _encodes(cell))]
    check(plan, hospitals([made_of(cells, seed, f"{i:03d}") for i, seed in enumerate(seeds)]))


def _encodes(cell: str) -> bool:
    try:
        cell.encode("utf-16").decode("utf-16")
    except UnicodeError:
        return False
    return True


def test_mutated_parquet_files(tmp_path: Path) -> None:
    """Fewer, one by one: a damaged Parquet file is a fault of its file."""
    import pandas as pd

    draw = random.Random(20261122)
    path = tmp_path / "a.parquet"
    pd.DataFrame(rows_of(draw, "001"), columns=HEADER).to_parquet(path)
    whole = path.read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data[: draw.randrange(len(data))] if draw.random() < 0.2 else data)
        source = read_source(tmp_path, Site("001", "a.parquet"), HEADER)
        assert source.faults or (source.table is not None and source.table.lines)


def test_two_thousand_files_were_checked() -> None:
    if checked_files["files"]:  # this test may be run alone
        assert checked_files["files"] >= 2 * FILES * EXAMPLES >= 2000
