"""Layout `readings`: parameter codes, units, replicates, time points, study days."""

import pytest

from sitewise.terms import Fate


@pytest.fixture
def long(trial):
    """The small trial as one row a reading, with three readings a visit and parameter."""
    trial.data["columns"] = {
        "layout": "readings", "site": "site", "patient": "patient", "arm": "arm", "visit": "visit",
        "day": "day", "parameter": "code", "value": "value", "unit": "unit",
        "patient_ids": "trial",
    }  # fmt: skip
    for name, code in (("SYSBP", "SBP"), ("DIABP", "DBP")):
        del trial.data["endpoints"][name]["column"]
        trial.data["endpoints"][name]["code"] = code
    trial.data["replicates"] = "mean"
    days = {"baseline": "1", "month 6": "183", "month 12": "366"}
    for name, rows in trial.files.items():
        trial.files[name] = [
            {
                **{k: row[k] for k in ("site", "patient", "arm", "visit", "age", "sex", "bmi")},
                "area": row["area"], "day": days[row["visit"]], "code": code, "tpt": f"t{k}",
                "value": str(float(row[column]) + 3 * k), "unit": "mmHg",
            }
            for row in rows
            for code, column in (("SBP", "sbp"), ("DBP", "dbp"))
            for k in range(3)
        ]  # fmt: skip
    return trial


def test_replicates_are_averaged_into_a_named_record(long) -> None:
    del long.files["A.csv"][1:3]  # one SBP reading left at A0's baseline
    checked = long.check()
    adbp = checked.adbp.set_index(["USUBJID", "AVISIT", "PARAMCD"])
    assert adbp.loc["A0", "Baseline", "SYSBP"][["AVAL", "DTYPE", "NREAD"]].tolist() == [152, "", 1]
    record = adbp.loc["A0", "Baseline", "DIABP"]
    assert record[["AVAL", "DTYPE", "NREAD", "SRCROW"]].tolist() == [93.5, "AVERAGE", 3, 3]
    r = checked.readings
    assert r.loc[0, "FATE"] == Fate.ANALYSED
    assert r.loc[1, ["FATE", "REASON"]].tolist() == [
        Fate.AVERAGED,
        "mean in the record A0 / Baseline / DIABP",
    ]
    reasons = {count.reason for count in checked.account.counts}
    assert reasons == {"as it stands", "mean of the readings of one visit"}


def test_a_parameter_that_the_plan_does_not_name_is_outside_it(long) -> None:
    long.files["A.csv"][0] |= {"code": "PULSE", "value": "66", "unit": "beats/min"}
    checked = long.check()
    first = checked.readings[checked.readings["SRCROW"] == 2].iloc[0]
    assert first["FATE"] == Fate.OUTSIDE_PLAN
    assert first["REASON"] == "parameter PULSE is not in the plan"
    assert checked.findings.empty


def test_a_missing_parameter_code_is_set_aside(long) -> None:
    long.files["A.csv"][0]["code"] = ""
    checked = long.check()
    assert checked.findings["RULE"].tolist() == ["missing parameter code"]
    assert (checked.readings["FATE"] == Fate.SET_ASIDE).sum() == 1


@pytest.mark.parametrize(
    ("unit", "declared", "rule"),
    [
        ("cmHg", "", "unknown unit"),
        ("", "", "unknown unit"),
        ("kPa", "", "undeclared kPa"),
        ("", "mmHg", None),
    ],
)
def test_units_of_single_readings(long, unit: str, declared: str, rule: str | None) -> None:
    long.files["A.csv"][0]["unit"] = unit
    long.sites["A"] = {"unit": declared}
    checked = long.check()
    assert checked.findings["RULE"].tolist() == ([rule] if rule else [])
    assert (checked.readings["FATE"] == Fate.SET_ASIDE).sum() == (1 if rule else 0)


def test_declared_kpa_is_converted_reading_by_reading(long) -> None:
    long.files["A.csv"][0] |= {"unit": "kPa", "value": "20"}
    long.sites["A"] = {"unit": "kPa"}
    checked = long.check()
    assert checked.readings.loc[0, "AVAL"] == pytest.approx(20 * 760 / 101.325, rel=1e-9)
    assert checked.readings.loc[1, "AVAL"] == 155
    assert checked.findings["RULE"].tolist() == ["converted from kPa"]


def test_time_points_tell_duplicates_from_replicates(long) -> None:
    long.files["A.csv"].append(dict(long.files["A.csv"][0]))
    assert long.check().findings.empty  # without time points it is one replicate more
    long.data["columns"]["timepoint"] = "tpt"
    checked = long.check()
    assert checked.findings["RULE"].tolist() == ["duplicate, same value"]
    assert checked.findings["SRCROW"].tolist() == [2 + 54]


def test_replicates_may_be_refused(long) -> None:
    long.data["replicates"] = "refuse"
    long.data["rules"]["bad_site_share"] = 1.0
    long.files["B.csv"] = [row for row in long.files["B.csv"] if row["tpt"] == "t0"]
    long.files["C.csv"] = [row for row in long.files["C.csv"] if row["tpt"] == "t0"]
    checked = long.check()
    assert set(checked.adbp["SITEID"]) == {"B", "C"}
    assert set(checked.findings["RULE"]) == {"duplicate, different values"}


def test_swapped_replicates_are_set_aside_where_time_points_pair_them(long) -> None:
    rows = long.files["A.csv"]
    rows[1]["value"], rows[4]["value"] = rows[4]["value"], rows[1]["value"]  # swapped at t1
    checked = long.check()  # 152 93.5 158 over 90.5 155 96.5: some pairing is possible
    assert not (checked.readings["FATE"] == Fate.SET_ASIDE).any()
    assert set(checked.findings["RULE"]) == {"SYSBP and DIABP overlap", "outside the soft limits"}
    long.data["columns"]["timepoint"] = "tpt"
    checked = long.check()
    lost = checked.readings[checked.readings["FATE"] == Fate.SET_ASIDE]
    assert sorted(lost["SRCROW"]) == [3, 6]


def test_replicates_that_no_pairing_explains_are_set_aside(long) -> None:
    long.files["A.csv"][4]["value"] = "159"  # a DBP above every SBP of the visit
    checked = long.check()
    lost = checked.readings[checked.readings["FATE"] == Fate.SET_ASIDE]
    assert sorted(lost["SRCROW"]) == [2, 3, 4, 5, 6, 7]
    del long.files["A.csv"][1:3]  # one SBP of 152 against three DBP of mean 115
    long.files["A.csv"][2]["value"] = "280"
    long.data["endpoints"]["DIABP"]["hard"] = [20, 300]
    checked = long.check()  # mean (90.5 + 280 + 96.5) / 3 = 155.7
    lost = checked.readings[checked.readings["FATE"] == Fate.SET_ASIDE]
    assert sorted(lost["SRCROW"]) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("day", "rule"), [("", "missing"), ("0", "impossible"), ("x", "impossible")]
)
@pytest.mark.parametrize("time", ["actual", "nominal"])
def test_study_days(long, day: str, rule: str, time: str) -> None:
    long.data["time"] = time
    long.files["A.csv"][0]["day"] = day
    checked = long.check()
    rules = [] if (time, day) == ("nominal", "") else [f"{rule} study day"]
    assert checked.findings["RULE"].tolist() == rules
    assert (checked.readings["FATE"] == Fate.SET_ASIDE).sum() == (1 if time == "actual" else 0)


def test_replicates_on_several_days_take_the_first_and_say_so(long) -> None:
    long.data["time"] = "actual"
    long.files["A.csv"][2]["day"] = "3"
    checked = long.check()
    assert set(checked.findings["RULE"]) == {"visit on several days"}
    assert checked.adbp.loc[0, ["ADY", "WEEK"]].tolist() == [1, 0]


def test_actual_weeks_have_no_day_zero(long) -> None:
    long.data["time"] = "actual"
    for row in long.files["A.csv"][:6]:
        row["day"] = "-7"
    adbp = long.check().adbp
    assert adbp.loc[adbp["USUBJID"] == "A0", "WEEK"].unique().tolist() == [-1, 26, 365 / 7]
