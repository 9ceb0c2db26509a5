"""Whatever the files hold, each reading has one fate; their order and names change nothing."""

import csv
import io
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sitewise.errors import SitewiseError
from sitewise.plan.load import read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.sheet import Site, SiteSheet
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial, check_data

HEADER = ["site", "patient", "arm", "visit", "sbp", "dbp", "age", "sex", "bmi", "area"]
VISITS = ["baseline", "month 6", "month 12"]
ARMS = {"A": "HIC", "B": "TASSH+HIC", "C": "HIC", "D": "TASSH+HIC"}
BAD = [
    "",
    "NA",
    "abc",
    "1500",
    "15",
    "85",
    "0",
    "month 6",
    "HIC",
    "A",
    "A1",
    "B1",
    "1,5",
    '"',
    "\n",
]
QUICK = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Rows = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def data(root: Path) -> dict[str, Any]:
    data = read_yaml(root / "config" / "ghana.yaml")
    return data | {"trial": "small", "sites": data["sites"] | {"batches": 1}}


def plan_of(data: dict[str, Any], **changes: Any) -> Plan:
    return validate_plan(data | changes, "test.yaml")


def make(seed: int) -> Rows:
    """Four sites, two to four patients each, some visits not made, some cells empty."""
    draw = random.Random(seed)
    files: Rows = {}
    for site, arm in ARMS.items():
        rows = []
        for p in range(draw.randint(2, 4)):
            for visit in VISITS:
                if draw.random() < 0.9:
                    sbp = "" if draw.random() < 0.1 else str(draw.randint(100, 200))
                    rows.append(
                        [site, f"{site}{p}", arm, visit, sbp, str(draw.randint(60, 99)), "50",
                         draw.choice("FM"), "22.5", "rural"]
                    )  # fmt: skip
        files[site] = rows
    return files


def text(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEADER, *rows])
    return out.getvalue().encode()


def check(plan: Plan, contents: dict[str, bytes]) -> CheckedTrial:
    with tempfile.TemporaryDirectory() as folder:
        for site, content in contents.items():
            (Path(folder) / f"{site}.csv").write_bytes(content)
        sheet = SiteSheet(tuple(Site(site, f"{site}.csv") for site in sorted(contents)))
        return check_data(plan, sheet, Path(folder))


def survives(plan: Plan, contents: dict[str, bytes]) -> CheckedTrial | None:
    """The checked trial, its account verified; None where it was refused in words."""
    try:
        checked = check(plan, contents)
    except SitewiseError as error:
        assert error.problems
        return None
    fates = checked.readings["FATE"]
    assert fates.isin([fate.value for fate in Fate]).all()
    assert checked.readings["REASON"].notna().all()
    assert sum(count.readings for count in checked.account.counts) == len(checked.readings)
    analysed = checked.readings[fates == Fate.ANALYSED.value]
    assert len(analysed) == len(checked.adbp) == checked.adbp["NREAD"].sum()
    assert not analysed.duplicated(["SRCFILE", "SRCROW", "PARAMCD"]).any()
    return checked


@QUICK
@given(
    seed=st.integers(0, 10**6),
    edits=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 9), st.sampled_from(BAD)),
        max_size=12,
    ),
    doubled=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=3),
)
def test_spoiled_cells_leave_every_reading_one_fate(data, seed, edits, doubled) -> None:
    files = make(seed)
    for site, row, column, cell in edits:
        rows = files["ABCD"[site]]
        rows[row % len(rows)][column] = cell
    for site, row in doubled:
        rows = files["ABCD"[site]]
        rows.append(list(rows[row % len(rows)]))
    checked = survives(plan_of(data), {site: text(rows) for site, rows in files.items()})
    if checked is not None:  # nothing lost: rows of the files x parameters
        assert len(checked.readings) == 2 * sum(len(rows) for rows in files.values())


@QUICK
@given(
    seed=st.integers(0, 10**6),
    hits=st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 400),
)
def test_spoiled_bytes_never_end_in_a_traceback(data, seed, hits, cut) -> None:
    contents = {site: text(rows) for site, rows in make(seed).items()}
    spoiled = bytearray(contents["A"])
    for place, byte in hits:
        spoiled[place % len(spoiled)] = byte
    contents["A"] = bytes(spoiled[: len(spoiled) - cut % len(spoiled)])
    survives(plan_of(data), contents)


@QUICK
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False), double=st.booleans())
def test_order_of_rows_changes_no_analysis_row(data, seed, order, double) -> None:
    files = make(seed)
    files["A"][0][4] = "85"  # not above its dbp, or a low reading
    if double:
        files["B"].append(list(files["B"][0]))
    plan = plan_of(data)
    first = survives(plan, {site: text(rows) for site, rows in files.items()})
    for rows in files.values():
        order.shuffle(rows)
    second = survives(plan, {site: text(rows) for site, rows in files.items()})
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.account.counts == second.account.counts
        drop = ["SRCROW"]
        assert first.adbp.drop(columns=drop).equals(second.adbp.drop(columns=drop))


@QUICK
@given(seed=st.integers(0, 10**6), batches=st.integers(1, 9))
def test_batches_change_nothing(data, seed, batches) -> None:
    contents = {site: text(rows) for site, rows in make(seed).items()}
    contents["A"] = contents["A"].replace(b",HIC,", b",HCI,", 1)
    first = survives(plan_of(data), contents)
    second = survives(plan_of(data, sites=data["sites"] | {"batches": batches}), contents)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.account == second.account
        assert first.adbp.equals(second.adbp)
        assert first.findings.equals(second.findings)


@QUICK
@given(seed=st.integers(0, 10**6))
def test_names_of_patients_change_nothing_else(data, seed) -> None:
    files = make(seed)
    plan = plan_of(data)
    first = survives(plan, {site: text(rows) for site, rows in files.items()})
    for rows in files.values():
        for row in rows:
            row[1] = f"0{9 - int(row[1][1])}E{row[0]}"  # another order, and looks like a number
    second = survives(plan, {site: text(rows) for site, rows in files.items()})
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.account.counts == second.account.counts
        keys, drop = ["SRCFILE", "SRCROW", "PARAMCD"], ["USUBJID"]
        a = first.adbp.sort_values(keys, ignore_index=True).drop(columns=drop)
        b = second.adbp.sort_values(keys, ignore_index=True).drop(columns=drop)
        assert a.equals(b)
