"""Derived columns and descriptions, against sums done by hand."""

import math
from pathlib import Path

import pytest

from sitewise.plan.parts import part_data, read_part
from sitewise.plan.sheet import Site
from sitewise.store.frames import read_frame, write_csv, write_frame
from sitewise.trial.checks import check_batch
from sitewise.trial.derive import derive_rows
from sitewise.trial.describe import describe
from sitewise.trial.findings import read_findings
from sitewise.trial.ingest import ingest_batch
from sitewise.trial.trial_checks import check_trial


def test_base_change_and_flags(trial) -> None:
    trial.row("A", "A1", "baseline")["sbp"] = ""
    trial.row("A", "A2", "month 12")["sbp"] = ""
    trial.data["analysis_sets"] |= {
        "BAS": {"label": "x", "requires": ["baseline", "post-baseline"]},
        "COMP": {"label": "x", "requires": ["all visits"]},
    }
    adbp = trial.check().adbp
    a = adbp[(adbp["SITEID"] == "A") & (adbp["PARAMCD"] == "SYSBP")]
    columns = ["USUBJID", "AVISITN", "WEEK", "AVAL", "BASE", "CHG", "ABLFL", "FASFL", "BASFL"]
    rows = a[[*columns, "COMPFL"]].astype(object).where(a.notna(), None).to_numpy().tolist()
    assert rows == [
        ["A0", 0, 0, 152, 152, None, "Y", "Y", "Y", "Y"],
        ["A0", 1, 26, 148, 152, -4, "", "Y", "Y", "Y"],
        ["A0", 2, 52, 144, 152, -8, "", "Y", "Y", "Y"],
        ["A1", 1, 26, 153, None, None, "", "Y", "N", "N"],
        ["A1", 2, 52, 149, None, None, "", "Y", "N", "N"],
        ["A2", 0, 0, 162, 162, None, "Y", "Y", "Y", "N"],
        ["A2", 1, 26, 158, 162, -4, "", "Y", "Y", "N"],
    ]
    assert set(adbp["ANL01FL"]) == {"Y"}


def test_description_by_hand(trial) -> None:
    trial.row("A", "A1", "baseline")["sbp"] = ""
    trial.row("A", "A2", "month 12")["sbp"] = ""
    trial.row("B", "B0", "baseline")["age"] = "0"
    for visit in ("month 6", "month 12"):
        trial.row("B", "B0", visit)["age"] = "NA"
    d = describe(trial.plan, trial.check().adbp)
    whole = {row.arm: row for row in d.flow if row.site == ""}
    assert d.arms == ("TASSH+HIC", "HIC")
    hic = whole["HIC"]
    assert (hic.patients, hic.with_baseline, hic.with_post_baseline, hic.all_visits) == (6, 5, 6, 4)
    assert hic.by_visit == (5, 6, 5)
    patterns = [(r.pattern, r.patients, r.last_mean) for r in d.patterns
                if (r.endpoint, r.arm) == ("SYSBP", "HIC")]  # fmt: skip
    # last values: A0 144, B0 145, B1 150, B2 155; A2 158; A1 149
    assert patterns == [("xxx", 4, 148.5), ("xx.", 1, 158), (".xx", 1, 149)]
    age = next(r for r in d.baseline if (r.variable, r.arm) == ("AGE", "HIC"))
    # 50 51 52 51 52: mean 51.2, SD sqrt(2.8/4)
    assert (age.n, age.missing, age.median, age.q1, age.q3) == (5, 1, 51, 51, 52)
    assert (age.mean, age.sd) == (pytest.approx(51.2), pytest.approx(math.sqrt(0.7)))
    sex = [(r.level, r.count, r.n) for r in d.baseline if (r.variable, r.arm) == ("SEX", "")]
    assert sex == [("Female", 8, 12), ("Male", 4, 12)]
    out = next(r for r in d.outcomes if (r.endpoint, r.visit, r.arm) == ("SYSBP", "Month 6", "HIC"))
    # 148 153 158 149 154 159: mean 153.5, SD sqrt(101.5/5); t(0.975, 5) = 2.570582 (printed tables)
    half = 2.570582 * math.sqrt(101.5 / 5 / 6)
    assert (out.n, out.mean, out.change_n) == (6, 153.5, 5)
    assert out.upper - out.mean == pytest.approx(half, rel=1e-6)
    site = next(r for r in d.site_arms if (r.endpoint, r.site) == ("SYSBP", "A"))
    assert (site.n, site.mean, site.change_n, site.change_mean) == (2, 146.5, 1, -8)
    assert site.se == pytest.approx(2.5)
    assert math.isnan(site.change_se)
    sets = {(r.endpoint, r.arm): (r.patients, r.excluded) for r in d.sets}
    assert sets["SYSBP", ""] == (12, 0)


def test_a_patient_without_the_endpoint_is_in_no_set_and_in_the_patterns(trial) -> None:
    for row in trial.files["A.csv"][:3]:
        row["sbp"] = ""
    d = describe(trial.plan, trial.check().adbp)
    out = next(r for r in d.sets if (r.endpoint, r.arm) == ("SYSBP", "HIC"))
    assert (out.patients, out.excluded, out.reason) == (5, 1, "without a reading")
    last = [r for r in d.patterns if (r.endpoint, r.arm) == ("SYSBP", "HIC")][-1]
    assert (last.pattern, last.patients) == ("...", 1)
    assert math.isnan(last.last_mean)


def test_files_between_the_rules_change_nothing(trial, tmp_path: Path) -> None:
    """The workflow's way, with parts of the plan and files, gives what one process gives."""
    trial.row("A", "A1", "month 6").update(sbp="abc", bmi="")
    trial.row("C", "C1", "month 6").update(sbp="15", arm="")
    whole = trial.check()
    plan, out = trial.plan, tmp_path / "out"
    out.mkdir()

    def part(rule: str):
        return read_part(part_data(plan, rule))

    rows, files, findings = [], [], []
    for name, sites in trial.sheet.batches(3).items():
        again = [Site(**vars(site)) for site in sites]
        read = ingest_batch(part("ingest"), again, trial.folder)
        write_frame(out / f"{name}.parquet", read.rows)
        write_csv(out / f"{name}.csv", read.findings)
        checked = check_batch(part("check_batch"), read_frame(out / f"{name}.parquet"))
        write_frame(out / f"{name}.checked.parquet", checked.rows)
        write_csv(out / f"{name}.check.csv", checked.findings)
        rows.append(read_frame(out / f"{name}.checked.parquet"))
        files += read.files
        findings += [read_findings(out / f"{name}{end}.csv") for end in ("", ".check")]
    readings, said, account = check_trial(part("check_trial"), rows, files, findings, {})
    assert account == whole.account
    assert said.equals(whole.findings)
    write_frame(out / "readings.parquet", readings)
    adbp = derive_rows(part("derive"), read_frame(out / "readings.parquet"))
    write_frame(out / "a.parquet", adbp)
    write_frame(out / "b.parquet", whole.adbp)
    assert (out / "a.parquet").read_bytes() == (out / "b.parquet").read_bytes()
    assert describe(part("describe"), read_frame(out / "a.parquet")).arms == ("TASSH+HIC", "HIC")
