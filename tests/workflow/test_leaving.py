"""A whole run whose files say why patients left: told everywhere, and no other number changes."""

import csv
import json
from pathlib import Path

import yaml

from tests.workflow.conftest import Trial

CODES = {"AE": "adverse event", "LTFU": "lost to follow-up"}


def give_reasons(trial: Trial) -> int:
    """Write a reason into the last row of every other patient who left; how many left."""
    left = 0
    for path in sorted((trial.folder / "data" / "three").glob("*.csv")):
        mark = ";" if path.name == "hospital_2.csv" else ","
        with path.open(newline="", encoding="utf-8") as handle:
            header, *rows = csv.reader(handle, delimiter=mark)
        last = {row[0]: i for i, row in enumerate(rows)}
        for i, row in enumerate(rows):
            gone = last[row[0]] == i and row[2] != "week 12"
            left += gone
            row.append(["AE", "", "LTFU", ""][left % 4] if gone else "")
        with path.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle, delimiter=mark, lineterminator="\n").writerows(
                [[*header, "why"], *rows]
            )
    return left


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_reasons_are_told_and_no_other_number_changes(trial: Trial) -> None:
    before = trial.contents()
    left = give_reasons(trial)
    data = yaml.safe_load(trial.plan.read_text(encoding="utf-8"))
    data["leaving"] = {"column": "why", "codes": CODES}
    trial.plan.write_text(yaml.safe_dump(data, sort_keys=False, width=1000), encoding="utf-8")
    done = trial.run()
    assert done.returncode == 0, done.stdout + done.stderr
    after = trial.contents()

    absent = {
        (row["arm"], row["reason"]): int(row["absent"])
        for row in read(trial.results / "tables" / "leaving.csv")
    }
    assert sum(absent.values()) >= left > 4
    assert sum(n for (_, reason), n in absent.items() if reason) >= left // 2
    flow = [row for row in read(trial.results / "tables" / "flow.csv") if not row["site"]]
    for arm in ("Active", "Placebo"):
        own = {row["measure"]: int(row["patients"]) for row in flow if row["arm"] == arm
               and row["visit"] in ("", "Week 12") and row["patients"]}  # fmt: skip
        reasons = {name: n for name, n in own.items() if name.startswith("patients not seen")}
        assert len(reasons) == 3
        missed = own["patients with any reading"] - own["patients seen at the visit"]
        assert sum(reasons.values()) == missed

    page = after["report.html"].decode()
    assert "Reasons in the hospital files: " in page
    assert "not seen at Week 12: lost to follow-up" in page
    assert "names no column of reasons" not in page
    assert b"names no column of reasons" in before["report.html"]
    for name in ("fit", "score"):
        path = f"models/SYSBP/nested/{name}.json"
        assert json.loads(after[path]) == json.loads(before[path])
    assert after["tables/contrasts.csv"] == before["tables/contrasts.csv"]
    assert after["tables/baseline.csv"] == before["tables/baseline.csv"]
