"""What only the whole trial shows: patients, arms, sites, visits, files, very many findings."""

from pathlib import Path

import pytest

from sitewise.trial import source
from tests.hard_inputs.case import Case, cell
from tests.small_trial import Trial, make_rows

ALL = {"analysed": 72}


def _individual(trial: Trial) -> None:
    """Patients randomised: in each site one patient of another arm, so that a site can differ."""
    trial.data |= {"design": "individual", "randomised_unit": "USUBJID"}
    for name, rows in trial.files.items():
        for row in rows:
            row["arm"] = "TASSH+HIC" if row["patient"].endswith("1") else "HIC"
        trial.files[name] = rows


def _one_arm(trial: Trial) -> None:
    _individual(trial)
    for row in trial.files["A.csv"]:
        row["arm"] = "HIC"


def _one_patient(trial: Trial) -> None:
    trial.files["A.csv"] = trial.files["A.csv"][:3]


def _many_arms(trial: Trial) -> None:
    """50 patients a site, and the arm's column holds their numbers."""
    for site in "ABCD":
        rows = trial.files[f"{site}.csv"]
        trial.files[f"{site}.csv"] = [
            row | {"patient": f"{site}{p:02d}", "arm": f"{site}{p:02d}"}
            for p in range(50)
            for row in rows[:3]
        ]


def _many_arms_planned(trial: Trial) -> None:
    trial.data["arms"]["order"] += [{"name": f"P{i:03d}", "label": "-"} for i in range(198)]
    assert trial.plan


def _one_visit_patient(trial: Trial) -> None:
    for name, rows in trial.files.items():
        trial.files[name] = [r for r in rows if r["visit"] != "month 12" or r["patient"] == "A1"]


def _endpoint_at_one_site(trial: Trial) -> None:
    for site in "BCD":
        for row in trial.files[f"{site}.csv"]:
            row["dbp"] = ""


def _column_at_one_site(trial: Trial) -> None:
    for site in "BCD":
        for row in trial.files[f"{site}.csv"]:
            del row["dbp"]


def _unlisted(trial: Trial) -> None:
    names = "ABCD"
    trial.bytes_changed.append(("E.csv", lambda _data: b"site,patient\nE,E0\n"))
    trial.sites.update({name: {} for name in names})


def _twins(trial: Trial) -> None:
    """Site B has the file of site A; without a column of the site nothing else would show it."""
    trial.data["columns"]["patient_ids"] = "site"
    del trial.data["columns"]["site"]
    trial.files["B.csv"] = trial.files["A.csv"]


def _growing(trial: Trial) -> None:
    """Another program writes a line whenever the file has been read."""
    trial.write()
    whole = Path.read_bytes

    def read_and_grow(path: Path) -> bytes:
        data = whole(path)
        if path.name == "A.csv":
            with path.open("ab") as handle:
                handle.write(b"A,A3,HIC,baseline,150,90,50,F,22.5,rural\n")
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source.Path, "read_bytes", read_and_grow)
        trial.check(write=False)


def _ten_thousand(trial: Trial) -> None:
    """Each of 1250 patients a site has a word for each SBP and each DBP of one visit."""
    trial.data["rules"]["bad_site_share"] = 1.0
    for site, arm in {"A": "HIC", "B": "HIC", "C": "TASSH+HIC", "D": "TASSH+HIC"}.items():
        first = make_rows(site, arm)[0]
        trial.files[f"{site}.csv"] += [
            first | {"patient": f"{site}{p:04d}", "sbp": "lost", "dbp": "lost"}
            for p in range(10, 1260)
        ]


CASES = (
    Case(
        "A patient whose arm changes",
        "A1's arm is HIC, and TASSH+HIC at month 12",
        cell("A1", "month 12", arm="TASSH+HIC"),
        (
            "A.csv line 7, column 'arm', found 'HIC and TASSH+HIC': the patient's rows name the"
            " arms HIC and TASSH+HIC",
            "all readings of the patient set aside",
        ),
        {"set aside": 6, "analysed": 66},
    ),
    Case(
        "A patient at two sites",
        "B0's rows in `B.csv` say A1",
        lambda trial: [row.update(patient="A1") for row in trial.files["B.csv"][:3]],
        ("the patient identifier stands at the sites A and B",),
        {"set aside": 12, "analysed": 60},
    ),
    Case(
        "A site with one patient",
        "`A.csv` has the rows of A0 only",
        _one_patient,
        ("A.csv, found '1 patient': the site has a single patient",),
        {"analysed": 60},
    ),
    Case(
        "A site with one arm",
        "patients were randomised, and at site A all have HIC",
        _one_arm,
        (
            "A.csv, found 'HIC': all 3 patients of this site are in the arm 'HIC', though"
            " patients were randomised",
        ),
        ALL,
    ),
    Case(
        "200 arms by mistake, in the files",
        "50 patients a site, and the column of the arm holds their numbers",
        _many_arms,
        (
            "the column 'arm' holds 200 codes that the plan does not know: A00, A01, A02, A03,"
            " A04, ...",
            "see whether this is the column of the arm at all",
            "no reading is left to analyse: 1200 set aside",
        ),
        {"set aside": 1200},
    ),
    Case(
        "200 arms by mistake, in the plan",
        "the plan's arms.order has 200 entries",
        _many_arms_planned,
        (
            "arms: 200 arms are listed: TASSH+HIC, HIC, P000, P001, P002, ...",
            "allowed: 2 to 20 arms",
            "see whether they were taken from another column than that of the arm",
        ),
    ),
    Case(
        "A visit with one patient",
        "only A1 was seen at month 12",
        _one_visit_patient,
        (
            "only one patient has a SYSBP reading at Month 12: means and contrasts there rest on"
            " this patient",
        ),
        {"analysed": 50},
    ),
    Case(
        "An endpoint measured at one site only",
        "DBP is empty in `B.csv`, `C.csv` and `D.csv`",
        _endpoint_at_one_site,
        (
            "endpoints.DIABP: DIABP has readings at one site only: A",
            "ask the other hospitals for 'dbp', or take the endpoint out of the plan",
        ),
        {"not measured": 27, "analysed": 45},
    ),
    Case(
        "An endpoint's column at one site only",
        "`B.csv`, `C.csv` and `D.csv` have no column `dbp`",
        _column_at_one_site,
        (
            "only one site has readings to analyse: A; sites set aside: B (the column 'dbp' is"
            " missing",
        ),
        {"set aside": 54, "analysed": 18},
    ),
    Case(
        "A file that no sheet lists",
        "`E.csv` lies beside the four files of the site sheet",
        _unlisted,
        (
            "E.csv: the file lies in the data folder, and no line of the site sheet names it",
            "not read: its readings are in no count",
        ),
        ALL,
    ),
    Case(
        "One file under two names",
        "`B.csv` has the bytes of `A.csv`",
        _twins,
        ("the file is byte for byte that of site B",),
        ALL,
    ),
    Case(
        "A file that grows while it is read",
        "another program adds a line to `A.csv` again and again",
        _growing,
        (
            "A.csv: the file of site A changed each of the 3 times that it was read",
            "wait until the file is complete, then run again",
        ),
    ),
    Case(
        "10 000 findings",
        "1250 more patients a site, each with `lost` for SBP and DBP",
        _ten_thousand,
        (
            "error: A.csv line 11, column 'dbp', found 'lost': 'lost' is not a number (and 9999"
            " more of this kind)",
        ),
        {"set aside": 10000, "analysed": 72},
    ),
)
