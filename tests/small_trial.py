"""A small trial of four hospitals, written anew for each test, so that a test can spoil it."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitewise.plan.load import read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.sheet import Site, SiteSheet
from sitewise.trial.pipeline import CheckedTrial, check_data

COLUMNS = ("site", "patient", "arm", "visit", "sbp", "dbp", "age", "sex", "bmi", "area")
VISITS = ("baseline", "month 6", "month 12")


@dataclass
class Trial:
    """Rows by file (lists of dicts), the sites' sheet lines, and the plan's plain data.

    bytes_changed: what is done to the bytes of a file after it was written; None: it is removed.
    """

    folder: Path
    data: dict[str, Any]
    files: dict[str, list[dict[str, str]]]
    sites: dict[str, dict[str, str]] = field(default_factory=dict)
    bytes_changed: list[tuple[str, Callable[[bytes], bytes | None]]] = field(default_factory=list)

    def row(self, site: str, patient: str, visit: str) -> dict[str, str]:
        """The row of one patient and visit, to be changed in place."""
        rows = self.files[f"{site}.csv"]
        return next(r for r in rows if (r["patient"], r["visit"]) == (patient, visit))

    def write(self) -> None:
        for name, rows in self.files.items():
            mark = self.sites.get(name.removesuffix(".csv"), {}).get("delimiter", ",")
            with (self.folder / name).open("w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, list(rows[0]), delimiter=mark, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        for name, change in self.bytes_changed:
            path = self.folder / name
            content = change(path.read_bytes() if path.is_file() else b"")
            path.unlink(missing_ok=True) if content is None else path.write_bytes(content)

    @property
    def plan(self) -> Plan:
        return validate_plan(self.data, "test.yaml")

    @property
    def sheet(self) -> SiteSheet:
        names = sorted({name.removesuffix(".csv") for name in self.files} | set(self.sites))
        return SiteSheet(
            tuple(Site(n, **({"file": f"{n}.csv"} | self.sites.get(n, {}))) for n in names)
        )

    def check(self, *, write: bool = True) -> CheckedTrial:
        if write:
            self.write()
        return check_data(self.plan, self.sheet, self.folder)


def make_rows(site: str, arm: str) -> list[dict[str, str]]:
    """Three patients, three visits; every value differs from every other."""
    number = ord(site)
    return [
        {
            "site": site, "patient": f"{site}{p}", "arm": arm, "visit": visit,
            "sbp": f"{150 + number % 7 + 5 * p - 4 * v}", "dbp": f"{90 + p - 2 * v}.5",
            "age": f"{50 + p}", "sex": "FM"[p % 2], "bmi": f"2{p}.4", "area": "rural",
        }
        for p in range(3)
        for v, visit in enumerate(VISITS)
    ]  # fmt: skip


ARMS = {"A": "HIC", "B": "HIC", "C": "TASSH+HIC", "D": "TASSH+HIC"}


def small_trial(root: Path, folder: Path) -> Trial:
    """The trial, its plan made from that of Ghana; root: the project's top folder."""
    data = read_yaml(root / "config" / "ghana.yaml")
    data["trial"] = "small"
    data["sites"]["batches"] = 1  # each batch costs the same fifth of a second
    return Trial(folder, data, {f"{s}.csv": make_rows(s, arm) for s, arm in ARMS.items()})
